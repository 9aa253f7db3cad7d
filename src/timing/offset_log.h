// timing: the recent history of an offset that only grows.
//
// In: the offset (of bytes that were sent, acknowledged, or permitted by a window) at a time. Out: when the offset
// reached a value, as far back as points are kept. Points that are nearer to each other than a grain are merged.
//
// The two latest points are members, which is all that a short connection needs. Older ones are in a ring, allocated
// with the third point.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>

#include "base/time.h"

namespace wirelap {

class OffsetLog {
 public:
  struct Point {
    std::uint64_t end;  ///< the offset plus 1; 0: no point
    Nanos time;
    Nanos network;  ///< time that was attributed to the network until then (LossCharge::network_so_far)
  };

  /// The time of offsets from before the points that are kept. It is before all captures.
  static constexpr Nanos kLongAgo = kUnknownTime / 2;

  /// `from_start`: the offset reaches the value of the first point at the time of that point. Otherwise it may have
  /// reached it before.
  explicit OffsetLog(bool from_start) : forgot_first_(!from_start) {
    if (forgot_first_) before_.end = kNowhere;
  }

  /// A log whose offset was `offset` before the first point.
  OffsetLog(bool from_start, std::uint64_t offset) : latest_{offset + 1, kLongAgo, 0}, forgot_first_(!from_start) {
    if (forgot_first_) before_.end = kNowhere;
  }

  /// Records that the offset is `offset` at `time`. Changes nothing if it has not grown. Keeps older points in
  /// `memory`.
  void record(std::uint64_t offset, Nanos time, Nanos grain, Nanos network = 0,
              std::pmr::memory_resource* memory = std::pmr::get_default_resource()) {
    if (has_reached(offset)) return;
    if (time - latest_.time < grain && count_ > 0) [[likely]]
      latest_.end = offset + 1;
    else
      add(offset + 1, time, network, memory);
  }

  /// When `offset` was reached, with the precision of a grain; kUnknownTime where it was not reached, kLongAgo where it
  /// was reached before the points that are kept.
  Nanos time_of(std::uint64_t offset) const {
    if (!has_reached(offset)) return kUnknownTime;
    return offset >= before_.end ? latest_.time : time_before_latest(offset);
  }

  bool has_reached(std::uint64_t offset) const { return offset < latest_.end; }

  /// The present offset; 0 before the first point.
  std::uint64_t latest() const { return latest_.end == 0 ? 0 : latest_.end - 1; }

  /// The difference between two points.
  struct Step {
    std::uint64_t bytes = 0;
    Nanos took = 0;
  };
  /// The step to the latest point. If that is the only one, the step is from offset 0 and took no time.
  Step last_step() const {
    return count_ < 2 ? Step{latest(), 0} : Step{latest_.end - before_.end, latest_.time - before_.time};
  }

  /// The first point that is kept at or past `offset`; null where `offset` was not reached.
  const Point* find(std::uint64_t offset) const;

 private:
  static constexpr int kPoints = 12;
  // `before_.end` while the point before the latest one is not known.
  static constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

  /// The points before `before_`.
  struct Ring {
    static constexpr int kSize = kPoints - 2;
    explicit Ring(std::pmr::memory_resource* made_in) : memory(made_in) {}
    std::pmr::memory_resource* memory;
    Point points[kSize];
    int next = 0;  // where the next point goes
  };
  struct FreeRing {
    void operator()(Ring* ring) const { ring->memory->deallocate(ring, sizeof(Ring), alignof(Ring)); }
  };

  /// The `age`th point of the ring, from 1 for its latest.
  const Point& older(int age) const {
    const int at = older_->next - age;
    return older_->points[at < 0 ? at + Ring::kSize : at];
  }

  const Point* oldest() const { return count_ == 1 ? &latest_ : count_ == 2 ? &before_ : &older(count_ - 2); }

  [[gnu::noinline]] void add(std::uint64_t end, Nanos time, Nanos network, std::pmr::memory_resource* memory);
  /// Adds a point and moves the oldest member to the ring.
  [[gnu::noinline]] void add_beyond(std::uint64_t end, Nanos time, Nanos network, std::pmr::memory_resource* memory);
  Nanos time_before_latest(std::uint64_t offset) const;

  Point latest_{};
  Point before_{};
  std::unique_ptr<Ring, FreeRing> older_;
  std::uint8_t count_ = 0;  // number of points that are kept
  bool forgot_first_;       // the value of the oldest point may have been reached before its time
};

}  // namespace wirelap
