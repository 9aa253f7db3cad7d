// timing: when a growing offset reached a value, from a few points.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>

#include "base/time.h"

namespace wirelap {

/// The latest history of an offset that only grows: bytes sent, acknowledged,
/// or allowed by a window. Points nearer to each other than a grain are one.
///
/// The two latest points stand in the log itself, which is all that a short
/// connection needs; older ones in a ring, allocated with the third point.
class OffsetLog {
 public:
  struct Point {
    std::uint64_t end;  ///< one past the offset: 0 before all
    Nanos time;
    Nanos network;  ///< what the ledger had for kNetwork then
  };

  /// Stands for a time so long ago that it is forgotten: before any capture's.
  static constexpr Nanos kLongAgo = kUnknownTime / 2;

  /// `from_start`: its first point is where the offset first grew; else it may have been there before.
  explicit OffsetLog(bool from_start) : forgetful_(!from_start) {
    if (forgetful_) before_.end = kNowhere;
  }

  /// The same, and it was at `offset` before its first point.
  OffsetLog(bool from_start, std::uint64_t offset) : latest_{offset + 1, kLongAgo, 0}, forgetful_(!from_start) {
    if (forgetful_) before_.end = kNowhere;
  }

  /// The offset is `offset` at `time`; what is no growth changes nothing. Points for which
  /// there is no room here are kept in `memory`.
  void reach(std::uint64_t offset, Nanos time, Nanos grain, Nanos network = 0,
             std::pmr::memory_resource* memory = std::pmr::get_default_resource()) {
    if (has(offset)) return;
    if (time - latest_.time < grain && count_ > 0) [[likely]]
      latest_.end = offset + 1;
    else
      add(offset + 1, time, network, memory);
  }

  /// When `offset` was reached, to a grain; kUnknownTime where it has not been,
  /// kLongAgo where that was before the points kept.
  Nanos reached(std::uint64_t offset) const {
    if (!has(offset)) return kUnknownTime;
    return offset >= before_.end ? latest_.time : reached_before(offset);
  }

  /// Whether the offset is at `offset` or past it.
  bool has(std::uint64_t offset) const { return offset < latest_.end; }

  /// The offset as it is now; 0 before the first point.
  std::uint64_t now() const { return latest_.end == 0 ? 0 : latest_.end - 1; }

  /// Between two points.
  struct Step {
    std::uint64_t bytes = 0;
    Nanos took = 0;
  };
  /// To the latest from the one before; where there is none, from the start, in no time.
  Step last_step() const {
    return count_ < 2 ? Step{now(), 0} : Step{latest_.end - before_.end, latest_.time - before_.time};
  }

  /// The first point kept at or past `offset`; null where it has not been reached.
  const Point* find(std::uint64_t offset) const;

 private:
  static constexpr int kPoints = 12;
  // Stands for the end of the point before a first one that is not where its offset was first reached.
  static constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

  /// The points before `before_`; `next` is where the next goes.
  struct Ring {
    static constexpr int kSize = kPoints - 2;
    explicit Ring(std::pmr::memory_resource* made_in) : memory(made_in) {}
    std::pmr::memory_resource* memory;
    Point points[kSize];
    int next = 0;
  };
  struct GiveBack {
    void operator()(Ring* ring) const { ring->memory->deallocate(ring, sizeof(Ring), alignof(Ring)); }
  };

  /// The `age`th of the ring, from 1 for its latest.
  const Point& older(int age) const {
    const int at = older_->next - age;
    return older_->points[at < 0 ? at + Ring::kSize : at];
  }

  const Point* oldest() const { return count_ == 1 ? &latest_ : count_ == 2 ? &before_ : &older(count_ - 2); }

  [[gnu::noinline]] void add(std::uint64_t end, Nanos time, Nanos network, std::pmr::memory_resource* memory);
  /// The same where the two points that stand here are taken.
  [[gnu::noinline]] void add_beyond(std::uint64_t end, Nanos time, Nanos network, std::pmr::memory_resource* memory);
  Nanos reached_before(std::uint64_t offset) const;

  Point latest_{};
  Point before_{};
  std::unique_ptr<Ring, GiveBack> older_;
  std::uint8_t count_ = 0;  // of points kept
  bool forgetful_;          // the first point is not where its offset was first reached
};

}  // namespace wirelap
