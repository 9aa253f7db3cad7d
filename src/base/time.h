// base: points in time and durations in nanoseconds.
//
// They are integers, so that phases add up exactly to their total.
#pragma once

#include <cstdint>
#include <limits>

namespace wirelap {

/// A point in time, in nanoseconds since the Unix epoch, or a duration in nanoseconds.
using Nanos = std::int64_t;

/// An unknown time or duration; printed as null.
inline constexpr Nanos kUnknownTime = std::numeric_limits<Nanos>::min();

inline constexpr Nanos kNanosPerSecond = 1'000'000'000;
inline constexpr Nanos kNanosPerMicro = 1'000;

}  // namespace wirelap
