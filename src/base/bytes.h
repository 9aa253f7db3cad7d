// base: loads integers from unaligned bytes.
//
// In: a pointer to bytes. Out: an integer in host order. No length is checked here:
// a caller checks once, for a whole header, and then loads its fields.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace wirelap {

/// Read-only bytes that another object owns. Functions that return them document how long they are valid.
using Bytes = std::span<const std::uint8_t>;

/// `bytes` as text; valid as long as `bytes` are.
inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Loads the unsigned integer of type T at `at`, stored in network order (most significant byte first).
template <class T>
inline T load_be(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::big) return value;
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

inline std::uint16_t load_be16(const std::uint8_t* at) { return load_be<std::uint16_t>(at); }
inline std::uint32_t load_be32(const std::uint8_t* at) { return load_be<std::uint32_t>(at); }
inline std::uint64_t load_be64(const std::uint8_t* at) { return load_be<std::uint64_t>(at); }

/// Loads the 32-bit integer at `at`, stored least significant byte first.
inline std::uint32_t load_le32(const std::uint8_t* at) { return __builtin_bswap32(load_be32(at)); }
/// Loads the 16-bit integer at `at`, stored least significant byte first.
inline std::uint16_t load_le16(const std::uint8_t* at) { return __builtin_bswap16(load_be16(at)); }

}  // namespace wirelap
