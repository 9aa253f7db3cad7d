// base: integers out of unaligned bytes.
//
// In: a pointer to bytes that the caller has checked to be there. Out: an
// integer in host order. No length is checked here: every reader checks once,
// for the whole header, and then loads.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace wirelap {

/// Read-only bytes owned by somebody else, valid as long as that owner says.
using Bytes = std::span<const std::uint8_t>;

/// The same bytes as text; valid as long as they are.
inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// The unsigned integer of T's size at `at`, stored most significant byte first (network order).
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

/// The 32-bit integer at `at`, least significant byte first.
inline std::uint32_t load_le32(const std::uint8_t* at) { return __builtin_bswap32(load_be32(at)); }
/// The 16-bit integer at `at`, least significant byte first.
inline std::uint16_t load_le16(const std::uint8_t* at) { return __builtin_bswap16(load_be16(at)); }

}  // namespace wirelap
