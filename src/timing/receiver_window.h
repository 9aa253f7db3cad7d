// timing: the window that limits one sender, as its receiver advertises it.
//
// In: acknowledgments that pass the capture point. Out: when the window got room for an offset. The sender learns this
// later, and its data come back later still: `path` is the round trip between the capture point and the sender.
//
//   sender    ------------------data------------
//   capture   ----------opened----------data----     data comes no earlier than opened + path
//   receiver  ------update----------------------
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>

#include "base/time.h"
#include "timing/offset_log.h"

namespace wirelap {

class ReceiverWindow {
 public:
  /// Records that the receiver permits all bytes before offset `edge` from `time` on.
  void record(std::uint64_t edge, Nanos time, Nanos grain, std::pmr::memory_resource* memory) {
    edges_.record(edge, time, grain, 0, memory);
  }

  /// Records whether the receiver advertises a zero window at `time`.
  void set_closed(bool is_closed, Nanos time) {
    if (is_closed_ && !is_closed) reopen(time);
    is_closed_ = is_closed;
  }
  bool is_closed() const { return is_closed_; }

  /// Records that a closed window has opened, and that the sender learns this after `time`.
  void reopen(Nanos time) {
    reopened_ = time;
    forget_open();
  }
  /// When a closed window last opened; kUnknownTime where none did.
  Nanos reopened() const { return reopened_; }

  /// The right edge, the highest so far.
  std::uint64_t edge() const { return edges_.latest(); }
  /// When the window got room up to offset `end`, at the capture point; OffsetLog::kLongAgo or kUnknownTime where that
  /// is not known.
  Nanos opened(std::uint64_t end) const { return std::max(edges_.time_of(end), reopened_); }

  /// Whether a segment that could have been captured at `then` did not wait for the window: there was room up
  /// to its end `end`, as its sender knew, and it was not cut to `length` bytes to fit. True is certain, false is not.
  bool was_open(std::uint64_t end, std::uint32_t length, std::uint32_t full_length, Nanos then, Nanos path) {
    return (end < open_until_ && then >= open_since_) || find_open(end, length, full_length, then, path);
  }
  /// To be called when `path` has changed: discards the latest result of was_open().
  void forget_open() { open_until_ = 0; }

 private:
  [[gnu::noinline]] bool find_open(std::uint64_t end, std::uint32_t length, std::uint32_t full_length, Nanos then,
                                   Nanos path);

  OffsetLog edges_{false};
  Nanos reopened_ = kUnknownTime;
  // The latest result of find_open(): segments that end before `open_until_` did not wait from `open_since_` on.
  std::uint64_t open_until_ = 0;
  Nanos open_since_ = 0;
  bool is_closed_ = false;
};

}  // namespace wirelap
