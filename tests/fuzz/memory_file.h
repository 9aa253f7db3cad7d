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

class MemoryFile {
 public:
  explicit MemoryFile(Bytes bytes) : fd_(::memfd_create("capture", MFD_CLOEXEC)) {
    if (fd_ < 0 || ::pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

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
  int fd_;
};

}  // namespace wirelap::fuzz
