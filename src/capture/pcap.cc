#include "capture/pcap.h"

#include <utility>

namespace wirelap::pcap {
namespace {

constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kModified = 0xa1b2cd34;

/// Loads fields in this machine's byte order, or in the other one (`swapped`).
class Fields {
 public:
  Fields(const std::uint8_t* at, bool swapped) : at_(at), swapped_(swapped) {}
  std::uint32_t load32(std::size_t offset) const {
    std::uint32_t value;
    std::memcpy(&value, at_ + offset, sizeof value);
    return swapped_ ? __builtin_bswap32(value) : value;
  }
  std::uint16_t load16(std::size_t offset) const {
    std::uint16_t value;
    std::memcpy(&value, at_ + offset, sizeof value);
    return swapped_ ? __builtin_bswap16(value) : value;
  }

 private:
  const std::uint8_t* at_;
  bool swapped_;
};

/// Adapts the header of a file of version 2.2 that AIX wrote: with an ifType (RFC 1573) in place
/// of the link type, nanoseconds, and lengths in today's order. Returns false where another system
/// wrote the file.
bool adapt_to_aix(FileHeader& header) {
  switch (header.link_type) {
    case 6: header.link_type = 1; break;    // ethernetCsmacd
    case 9: header.link_type = 6; break;    // token ring
    case 15: header.link_type = 10; break;  // FDDI
    case 24: header.link_type = 0; break;   // softwareLoopback
    default: return false;
  }
  header.unit_ns = 1;
  return true;
}

/// Sets what depends on the file's version.
void apply_version(FileHeader& header) {
  using Lengths = FileHeader::Lengths;
  const auto [major, minor] = std::pair{header.version_major, header.version_minor};
  if (major == 2 && minor == 2 && adapt_to_aix(header)) return;
  if (major == 543 || (major == 2 && minor < 3)) header.lengths = Lengths::captured_last;
  if (major == 2 && minor == 3) header.lengths = Lengths::either;
}

}  // namespace

std::optional<FileHeader> decode_file_header(const std::uint8_t* at) {
  for (const bool swapped : {false, true}) {
    const Fields fields(at, swapped);
    const std::uint32_t magic = fields.load32(0);
    if (magic != kMicroseconds && magic != kNanoseconds && magic != kModified) continue;
    FileHeader header;
    header.swapped = swapped;
    header.unit_ns = magic == kNanoseconds ? 1 : kNanosPerMicro;
    header.version_major = fields.load16(4);
    header.version_minor = fields.load16(6);
    header.snap_length = fields.load32(16);
    // The upper bits of the link type field: 4 bits with the length of the frame check sequence in
    // units of 16 bits, one reserved bit, and one bit that is set when that length is valid.
    const std::uint32_t link = fields.load32(20);
    header.link_type = link & 0xffff;
    if ((link & 0x0400'0000) != 0) header.fcs_bytes = (link >> 28) * 2;
    if (magic == kModified) header.record_header_bytes = kModifiedRecordHeaderBytes;
    apply_version(header);
    return header;
  }
  return std::nullopt;
}

}  // namespace wirelap::pcap
