// Bytes as a file, which an Input can open or be given.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/bytes.h"
#include "capture/container.h"
#include "capture/input.h"

namespace wirelap::fuzz {

/// Whether a reader would start another program for it, which is not what is fuzzed.
inline bool is_compressed(Bytes file) {
  return find_compression(file.first(std::min(file.size(), kMagicBytes))) != nullptr;
}

/// There is one at a time: the next one is the same file with other bytes.
class MemoryFile {
 public:
  explicit MemoryFile(Bytes bytes) : bytes_(bytes.size()) {
    static const int file = ::memfd_create("capture", MFD_CLOEXEC);
    fd_ = file;
    if (::ftruncate(fd_, static_cast<off_t>(bytes_)) != 0) std::abort();
    if (::pwrite(fd_, bytes.data(), bytes_, 0) != static_cast<ssize_t>(bytes_)) std::abort();
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::size_t bytes() const { return bytes_; }
  /// How large a window reads it in one piece.
  std::size_t whole() const { return bytes_ + 1; }

  /// By name.
  void map(Input& input) const {
    if (input.open("/proc/self/fd/" + std::to_string(fd_)) != 0) std::abort();
  }
  /// From its beginning, by descriptor.
  void read(Input& input) const {
    ::lseek(fd_, 0, SEEK_SET);
    input.attach(fd_);
  }

 private:
  std::size_t bytes_;
  int fd_;
};

}  // namespace wirelap::fuzz
