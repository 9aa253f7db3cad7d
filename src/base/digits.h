// base: numbers as decimal digits.
//
// In: integers and times. Out: text, written where the caller has room for it.
// No stdio and no locale: both cost more than the digits.
#pragma once

#include <array>
#include <charconv>
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

/// Writes an integer into kIntegerRoom bytes. Returns where it ends.
inline char* write_integer(char* at, std::uint64_t value) {
  if (value >= 10) return std::to_chars(at, at + kIntegerRoom, value).ptr;
  *at = static_cast<char>('0' + value);
  return at + 1;
}

/// Writes a time or duration in seconds, with exactly `decimals` (0 to 9)
/// decimals, into kSecondsRoom bytes; what is below is cut. Returns where it ends.
inline char* write_seconds(char* at, Nanos value, int decimals) {
  auto magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *at++ = '-';
    magnitude = 0 - magnitude;
  }
  at = write_integer(at, magnitude / kNanosPerSecond);
  if (decimals == 0) return at;
  // Up to a digit more than asked for: what follows overwrites it.
  const auto rest = static_cast<std::uint32_t>(magnitude % kNanosPerSecond);
  *at = '.';
  write_pair(at + 1, rest / 10'000'000);
  if (decimals > 2) write_pair(at + 3, rest / 100'000 % 100);
  if (decimals > 4) write_pair(at + 5, rest / 1'000 % 100);
  if (decimals > 6) write_pair(at + 7, rest / 10 % 100);
  if (decimals > 8) at[9] = static_cast<char>('0' + rest % 10);
  return at + 1 + decimals;
}

}  // namespace wirelap
