#include "base/digits.h"

namespace wirelap {

// Rare cases are in functions of their own, so that writing a short number does not save the registers that they need.

/// write_integer for values of 10'000 or more.
[[gnu::noinline]] static char* write_by_four(char* at, std::uint64_t value) {
  const std::uint64_t above = value / 10'000;
  const auto last = static_cast<std::uint32_t>(value - above * 10'000);
  at = write_integer(at, above);  // at most four levels of recursion: each writes four digits
  write_pair(at, last / 100);
  write_pair(at + 2, last % 100);
  return at + 4;
}

[[gnu::noinline]] char* write_long_integer(char* at, std::uint64_t value) {
  if (value >= 10'000) return write_by_four(at, value);
  const auto small = static_cast<std::uint32_t>(value);
  at = write_octet(at, small / 100);
  write_pair(at, small % 100);
  return at + 2;
}

[[gnu::noinline]] char* write_long_seconds(char* at, Nanos value, std::size_t decimals) {
  auto magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *at++ = '-';
    magnitude = 0 - magnitude;
  }
  at = write_integer(at, magnitude / kNanosPerSecond);
  return write_fraction(at, magnitude % kNanosPerSecond, decimals);
}

char* write_seconds(char* at, Nanos value, std::size_t decimals) {
  return is_below_second(value) ? write_below_second(at, value, decimals) : write_long_seconds(at, value, decimals);
}

}  // namespace wirelap
