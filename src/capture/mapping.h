// capture: a piece of a file, mapped into memory, that outlives what others do to the file.
//
// In: a descriptor and a range. Out: its bytes. Where the file is cut below a
// mapping, the system sends SIGBUS to who looks at what is gone; here it reads
// zeros instead, and `is_torn` says so.
#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace wirelap {

/// One mapping at a time. Of a thread's mappings the one made last is guarded.
class Mapping {
 public:
  Mapping() = default;
  ~Mapping() { unmap(); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  /// Maps `length` bytes of `fd` from `offset` on, which the file had; the mapping before is gone.
  /// Returns 0 or an errno.
  int map(int fd, std::uint64_t offset, std::size_t length);
  void unmap();

  /// What is mapped; nothing where nothing is.
  Bytes bytes() const { return bytes_; }

  /// Whether some of it was gone when it was looked at, and read as zeros.
  bool is_torn() const { return torn_ != 0; }

  /// Handles SIGBUS for the whole process: for a program to call at its start,
  /// never for the library. Without it a file that shrinks ends the process.
  static void handle_bus_errors();

 private:
  static void on_bus_error(int signal, siginfo_t* info, void* context);

  void* start_ = nullptr;  // of a page
  std::size_t length_ = 0;
  Bytes bytes_;
  volatile sig_atomic_t torn_ = 0;
};

}  // namespace wirelap
