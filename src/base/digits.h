// base: numbers as decimal digits.
//
// In: integers and times. Out: text, written where the caller has room for it.
// No stdio and no locale: both cost more than the digits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/time.h"

namespace wirelap {

/// Bytes of room that an integer of 64 bits needs, and a time with up to nine decimals.
inline constexpr std::size_t kIntegerRoom = 20;
inline constexpr std::size_t kSecondsRoom = 24;

/// Writes `value`, below 100, as two digits.
inline void write_pair(char* at, std::uint32_t value) {
  static constexpr auto kPairs = [] {
    std::array<char, 200> pairs{};
    for (std::size_t i = 0; i < 100; ++i) {
      pairs[2 * i] = static_cast<char>('0' + i / 10);
      pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return pairs;
  }();
  std::memcpy(at, &kPairs[std::size_t{2} * value], 2);
}

/// Writes `value`, below 100, without a leading zero. Returns where it ends.
inline char* write_below_100(char* at, std::uint32_t value) {
  if (value >= 10) {
    write_pair(at, value);
    return at + 2;
  }
  *at = static_cast<char>('0' + value);
  return at + 1;
}

/// Writes `value`, 10'000 or more, into kIntegerRoom bytes. Returns where it ends.
char* write_long_integer(char* at, std::uint64_t value);

/// Writes an integer into kIntegerRoom bytes. Returns where it ends.
inline char* write_integer(char* at, std::uint64_t value) {
  if (value >= 10'000) return write_long_integer(at, value);
  const auto small = static_cast<std::uint32_t>(value);
  if (small < 100) return write_below_100(at, small);
  at = write_below_100(at, small / 100);
  write_pair(at, small % 100);
  return at + 2;
}

/// Writes a time or duration in seconds, with exactly `decimals` (0 to 9)
/// decimals, into kSecondsRoom bytes; what is below is cut. Returns where it ends.
char* write_seconds(char* at, Nanos value, int decimals);

}  // namespace wirelap
