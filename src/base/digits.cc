#include "base/digits.h"

#include "base/wide.h"

namespace wirelap {
namespace {

/// Writes the point and `decimals` decimals of `nanos`, below a second; no
/// decimals, no point. Returns where they end. Behind that, too, is written.
inline char* write_fraction(char* at, std::uint64_t nanos, int decimals) {
  // In units of 2^-64 s: times 100, the next two digits come out at the top.
  // Rounded up by less than 10^-10 s in all, so that no digit differs.
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
  return decimals == 0 ? at : at + 1 + decimals;
}

/// Apart, so that short times need not save its registers.
[[gnu::noinline]] char* write_long_seconds(char* at, Nanos value, int decimals) {
  auto magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *at++ = '-';
    magnitude = 0 - magnitude;
  }
  at = write_integer(at, magnitude / kNanosPerSecond);
  return write_fraction(at, magnitude % kNanosPerSecond, decimals);
}

}  // namespace

[[gnu::noinline]] char* write_long_integer(char* at, std::uint64_t value) {
  at = write_integer(at, value / 10'000);  // at most four levels: each takes four digits
  const auto last = static_cast<std::uint32_t>(value % 10'000);
  write_pair(at, last / 100);
  write_pair(at + 2, last % 100);
  return at + 4;
}

char* write_seconds(char* at, Nanos value, int decimals) {
  const auto nanos = static_cast<std::uint64_t>(value);
  if (nanos == 0) {
    std::memcpy(at, "0.000000000", 12);
    return decimals == 0 ? at + 1 : at + 2 + decimals;
  }
  if (nanos >= kNanosPerSecond) return write_long_seconds(at, value, decimals);
  *at = '0';
  return write_fraction(at + 1, nanos, decimals);
}

}  // namespace wirelap
