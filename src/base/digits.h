// base: writes numbers as decimal digits.
//
// In: integers and times. Out: text in the caller's buffer. Without stdio and
// locales, which take longer than the conversion itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/time.h"
#include "base/wide.h"

namespace wirelap {

/// Bytes of buffer that write_integer and write_seconds need.
inline constexpr std::size_t kIntegerRoom = 20;
inline constexpr std::size_t kSecondsRoom = 24;

/// Writes `value`, less than 100, as two digits.
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

/// Writes `value`, less than 256, without leading zeros. Needs four bytes of buffer. Returns the text's end.
inline char* write_octet(char* at, std::uint32_t value) {
  struct Digits {
    char text[3];
    std::uint8_t count;
  };
  static constexpr auto kOctets = [] {
    std::array<Digits, 256> octets{};
    for (std::uint32_t i = 0; i < octets.size(); ++i) {
      Digits& digits = octets[i];
      for (std::uint32_t unit = i < 10 ? 1 : i < 100 ? 10 : 100; unit != 0; unit /= 10) {
        digits.text[digits.count++] = static_cast<char>('0' + i / unit % 10);
      }
    }
    return octets;
  }();
  const Digits& digits = kOctets[value];
  std::memcpy(at, &digits, sizeof digits);  // all four bytes in one store; the caller overwrites the count
  return at + digits.count;
}

/// write_integer for values of 256 or more.
char* write_long_integer(char* at, std::uint64_t value);

/// Writes `value` without leading zeros. Needs kIntegerRoom bytes of buffer. Returns the text's end.
inline char* write_integer(char* at, std::uint64_t value) {
  return value < 256 ? write_octet(at, static_cast<std::uint32_t>(value)) : write_long_integer(at, value);
}

/// Whether a duration is at least 0 and less than a second.
inline bool is_below_second(Nanos value) {
  return static_cast<std::uint64_t>(value) < static_cast<std::uint64_t>(kNanosPerSecond);
}

/// Writes the decimal point and `decimals` (1 to 9) decimals of `nanos`, less than a second, rounded down. Needs
/// eleven bytes of buffer. Returns the text's end.
inline char* write_fraction(char* at, std::uint64_t nanos, std::size_t decimals) {
  // The fraction in units of 2^-64 s: its product with 100 has the next two digits in the upper 64 bits.
  // kNano is rounded up, in all by less than 10^-10 s, so that no digit changes.
  constexpr std::uint64_t kNano = ~std::uint64_t{0} / kNanosPerSecond + 1;
  std::uint64_t rest = nanos * kNano;
  const auto write_next = [&](char* pair) {
    const WideProduct next = multiply_wide(rest, 100);
    write_pair(pair, static_cast<std::uint32_t>(next.high));
    rest = next.low;
  };
  *at = '.';
  write_next(at + 1);
  write_next(at + 3);
  write_next(at + 5);
  if (decimals > 6) {
    write_next(at + 7);
    write_next(at + 9);
  }
  return at + 1 + decimals;
}

/// write_seconds for durations for which is_below_second() holds.
inline char* write_below_second(char* at, Nanos value, std::size_t decimals) {
  if (value == 0) {
    std::memcpy(at, "0.000000000", 12);
    return at + 2 + decimals;
  }
  *at = '0';
  return write_fraction(at + 1, static_cast<std::uint64_t>(value), decimals);
}

/// write_seconds for all other times and durations.
char* write_long_seconds(char* at, Nanos value, std::size_t decimals);

/// Writes a time or duration in seconds, with exactly `decimals` (1 to 9) decimals, rounded towards zero. Needs
/// kSecondsRoom bytes of buffer. Returns the text's end.
char* write_seconds(char* at, Nanos value, std::size_t decimals);

}  // namespace wirelap
