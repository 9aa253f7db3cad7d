// capture: a range of a file, mapped into memory, that stays readable when the file shrinks.
//
// In: a descriptor and a range. Out: its bytes. When the file becomes shorter than
// the range, the system sends SIGBUS to a thread that reads a lost page. Mapping's
// signal handler replaces the lost pages by zeros, and has_lost_pages() reports it.
#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace wirelap {

/// Maps one range at a time. The signal handler protects only the latest mapping of each thread.
class Mapping {
 public:
  Mapping() = default;
  ~Mapping() { unmap(); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  /// Maps `length` bytes of `fd` from `offset` on, in place of the previous range. The file had
  /// these bytes when its size was read last. Returns 0 or an errno.
  int map(int fd, std::uint64_t offset, std::size_t length);
  /// Unmaps the range; bytes() is empty then.
  void unmap();

  /// The mapped bytes; valid until the next map() or unmap(). Empty while nothing is mapped.
  Bytes bytes() const { return bytes_; }

  /// Whether a lost page of the range was read, as zeros.
  bool has_lost_pages() const { return lost_pages_ != 0; }

  /// Installs the handler of SIGBUS for the whole process. Only a program may call this, at its
  /// start, never the library. Without the handler, a file that shrinks ends the process.
  static void handle_bus_errors();

 private:
  static void on_bus_error(int signal, siginfo_t* info, void* context);

  void* start_ = nullptr;  // at a page boundary, before or at bytes_
  std::size_t length_ = 0;
  Bytes bytes_;
  volatile sig_atomic_t lost_pages_ = 0;
};

}  // namespace wirelap
