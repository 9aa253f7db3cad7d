#include "capture/pcap.h"

namespace wirelap::pcap {

std::optional<FileHeader> parse_file_header(const std::uint8_t* at) {
  constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
  constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
  const auto load32 = [at](std::size_t offset, bool swapped) {
    std::uint32_t value;
    std::memcpy(&value, at + offset, sizeof value);
    return swapped ? __builtin_bswap32(value) : value;
  };
  for (const bool swapped : {false, true}) {
    const std::uint32_t magic = load32(0, swapped);
    if (magic != kMicroseconds && magic != kNanoseconds) continue;
    // The upper bits of the link type tell the length of a frame check sequence.
    return FileHeader{swapped, magic == kNanoseconds ? 9 : 6, load32(16, swapped), load32(20, swapped) & 0xffff};
  }
  return std::nullopt;
}

}  // namespace wirelap::pcap
