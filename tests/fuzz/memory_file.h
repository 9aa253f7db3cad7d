// fuzz: a file in memory that an Input reads.
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

/// Whether a reader starts another program to decompress `file`. Such inputs are not fuzzed.
inline bool is_compressed(Bytes file) {
  return find_compression(file.first(std::min(file.size(), kMagicBytes))) != nullptr;
}

/// A file in memory. Only one exists at a time: the next one reuses its descriptor.
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
  /// The size of a window that reads it in one piece.
  std::size_t whole() const { return bytes_ + 1; }

  /// Lets `input` open it by its name, so that it can be mapped.
  void map(Input& input) const {
    if (input.open("/proc/self/fd/" + std::to_string(fd_)) != 0) std::abort();
  }
  /// Lets `input` read it by its descriptor, from the beginning.
  void read(Input& input) const {
    ::lseek(fd_, 0, SEEK_SET);
    input.attach(fd_);
  }

 private:
  std::size_t bytes_;
  int fd_;
};

}  // namespace wirelap::fuzz
