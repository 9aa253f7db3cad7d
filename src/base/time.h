// base: points in time and durations, as whole nanoseconds.
//
// Integers, so that phases add up to their total to the last digit.
#pragma once

#include <cstdint>
#include <limits>

namespace wirelap {

/// Nanoseconds: since the Unix epoch for a point in time, else a duration.
using Nanos = std::int64_t;

/// A time that is not known; printed as null.
inline constexpr Nanos kUnknownTime = std::numeric_limits<Nanos>::min();

inline constexpr Nanos kNanosPerSecond = 1'000'000'000;
inline constexpr Nanos kNanosPerMicro = 1'000;

}  // namespace wirelap
