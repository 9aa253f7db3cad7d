// flow: when a growing offset reached a value, from a few points.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace wirelap {

/// The latest history of an offset that only grows: bytes sent, acknowledged,
/// or allowed by a window. Points nearer to each other than a grain are one.
class OffsetLog {
 public:
  struct Point {
    std::uint64_t offset;
    Nanos time;
    Nanos network;  ///< what the ledger had for kNetwork then
  };

  /// Stands for a time so long ago that it is forgotten: before any capture's.
  static constexpr Nanos kLongAgo = kUnknownTime / 2;

  /// `from_start`: its first point is where the offset first grew; else it may have been there before.
  explicit OffsetLog(bool from_start) : forgetful_(!from_start) {}

  /// The offset is `offset` at `time`; what is no growth changes nothing.
  void reach(std::uint64_t offset, Nanos time, Nanos grain, Nanos network = 0) {
    if (count_ > 0) {
      Point& last = points_[count_ - 1];
      if (offset <= last.offset) return;
      if (time - last.time < grain) {
        last.offset = offset;
        return;
      }
    }
    if (count_ == kPoints) {
      forgetful_ = true;
      for (int i = 1; i < kPoints; ++i) points_[i - 1] = points_[i];
      --count_;
    }
    points_[count_++] = {offset, time, network};
  }

  /// When `offset` was reached, to a grain; kUnknownTime where it has not been,
  /// kLongAgo where that was before the points kept.
  Nanos reached(std::uint64_t offset) const {
    const Point* const point = find(offset);
    if (point == nullptr) return kUnknownTime;
    return point == points_ && forgetful_ ? kLongAgo : point->time;
  }

  /// The offset as it is now; 0 before the first point.
  std::uint64_t now() const { return count_ == 0 ? 0 : points_[count_ - 1].offset; }

  /// The first point kept at or past `offset`; null where it has not been reached.
  const Point* find(std::uint64_t offset) const {
    for (int i = 0; i < count_; ++i) {
      if (points_[i].offset >= offset) return &points_[i];
    }
    return nullptr;
  }

 private:
  static constexpr int kPoints = 12;

  Point points_[kPoints];
  int count_ = 0;
  bool forgetful_;  // the first point is not where its offset was first reached
};

}  // namespace wirelap
