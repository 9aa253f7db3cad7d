// timing: round trips between the capture point and both ends.
//
// In: round trips that were measured. Out: the shortest and the latest to each end, and how precisely times can be
// compared.
//
//   client <------ shortest(client) ------> capture point <------ shortest(server) ------> server
#pragma once

#include <algorithm>

#include "base/time.h"
#include "flow/key.h"

namespace wirelap {

class RoundTrips {
 public:
  /// Records a round trip to `side` and back. Ignores kUnknownTime, and an hour or more, which a clock that steps
  /// causes. Returns whether it is the first round trip to `side`.
  bool record(Side side, Nanos measured) {
    constexpr Nanos kLongest = 3600 * kNanosPerSecond;
    if (measured == kUnknownTime || measured >= kLongest || !is_shorter(side, measured)) return false;
    const bool is_first = !is_known_[index(side)];
    is_known_[index(side)] = true;
    shortest_[index(side)] = std::max<Nanos>(measured, 0);
    total_ = shortest_[0] + shortest_[1];
    grain_ = total_ / kGrains;
    return is_first;
  }

  /// The shortest so far, by the handshake or by the fastest acknowledgment; kUnknownTime where there was neither.
  Nanos shortest(Side side) const { return is_known_[index(side)] ? shortest_[index(side)] : kUnknownTime; }
  Nanos shortest_or_zero(Side side) const { return shortest_[index(side)]; }
  bool is_shorter(Side side, Nanos measured) const {
    return measured < shortest_[index(side)] || !is_known_[index(side)];
  }

  /// The round trip of the latest acknowledgment by `side` while more bytes were in flight, including its time in
  /// queues; 0 where the queues are empty now.
  Nanos latest(Side side) const { return latest_[index(side)]; }
  void set_latest(Side side, Nanos took) { latest_[index(side)] = took; }

  /// From end to end and back, as far as it is known.
  Nanos total() const { return total_; }
  /// An eighth of a round trip. An OffsetLog merges points that are nearer to each other than this.
  Nanos grain() const { return grain_; }
  /// Times that differ by at most this count as equal.
  Nanos tolerance() const { return std::max(grain_, kLeastTolerance); }
  /// A smaller tolerance, for an event that directly causes another one.
  Nanos fine_tolerance() const { return std::max(grain_ / 4, kLeastTolerance); }

 private:
  // With this grain, an OffsetLog covers more than one round trip.
  static constexpr int kGrains = 8;
  static constexpr Nanos kLeastTolerance = 500'000;

  // By Side:
  Nanos shortest_[2] = {0, 0};
  Nanos latest_[2] = {0, 0};
  bool is_known_[2] = {false, false};  // shortest_
  Nanos total_ = 0;
  Nanos grain_ = 0;
};

}  // namespace wirelap
