// A buffer that ends at an unreadable page: reading past its end ends the process.
//
// AddressSanitizer does not detect an over-read within a larger allocation, and a
// record is always within one.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/bytes.h"

namespace wirelap::test {

/// Holds up to 64 KiB.
class GuardedBuffer {
 public:
  GuardedBuffer() {
    void* const map = ::mmap(nullptr, kBytes + page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) std::abort();
    begin_ = static_cast<std::uint8_t*>(map);
    if (::mprotect(begin_ + kBytes, page_bytes(), PROT_NONE) != 0) std::abort();
  }
  ~GuardedBuffer() { ::munmap(begin_, kBytes + page_bytes()); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  /// Copies `content` to directly before the unreadable page. Returns the copy, valid until the next call.
  Bytes hold(Bytes content) {
    if (content.size() > kBytes) std::abort();
    std::uint8_t* const at = begin_ + kBytes - content.size();
    std::copy(content.begin(), content.end(), at);
    return {at, content.size()};
  }

 private:
  static constexpr std::size_t kBytes = 64 * 1024;
  static std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

  std::uint8_t* begin_;
};

}  // namespace wirelap::test
