// base: products that do not fit 64 bits.
#pragma once

#include <cstdint>

namespace wirelap {

/// The upper 64 bits of a * b.
constexpr std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#ifdef __SIZEOF_INT128__
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
#else  // machines of 32 bits
  constexpr std::uint64_t kLow = 0xffff'ffff;
  const std::uint64_t low = (a & kLow) * (b & kLow);
  const std::uint64_t middle = (a >> 32) * (b & kLow) + (low >> 32);
  const std::uint64_t other = (a & kLow) * (b >> 32) + (middle & kLow);
  return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
#endif
}

}  // namespace wirelap
