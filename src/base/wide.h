// base: products of 64-bit integers with all their 128 bits.
#pragma once

#include <cstdint>

namespace wirelap {

/// The upper and the lower 64 bits of a product.
struct WideProduct {
  std::uint64_t high, low;
};

/// The upper 64 bits of a * b.
constexpr std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#ifdef __SIZEOF_INT128__
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
#else  // 32-bit machines
  constexpr std::uint64_t kLow = 0xffff'ffff;
  const std::uint64_t low = (a & kLow) * (b & kLow);
  const std::uint64_t middle = (a >> 32) * (b & kLow) + (low >> 32);
  const std::uint64_t other = (a & kLow) * (b >> 32) + (middle & kLow);
  return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
#endif
}

/// The 128 bits of a * b.
constexpr WideProduct multiply_wide(std::uint64_t a, std::uint64_t b) {
#ifdef __SIZEOF_INT128__
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;  // one instruction computes both halves
  return {static_cast<std::uint64_t>(product >> 64), static_cast<std::uint64_t>(product)};
#else
  return {multiply_high(a, b), a * b};
#endif
}

}  // namespace wirelap
