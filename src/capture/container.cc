#include "capture/container.h"

#include <cstring>

namespace wirelap {
namespace {

bool begins_with(Bytes start, std::string_view magic) {
  return start.size() >= magic.size() && std::memcmp(start.data(), magic.data(), magic.size()) == 0;
}

/// A string literal that may contain NULs.
template <std::size_t N>
constexpr std::string_view literal(const char (&text)[N]) {
  return {text, N - 1};
}

struct CompressionMagic {
  std::string_view magic;
  Compression compression;
};

constexpr Compression kGzip = {"a", "gzip", "gzip"};
constexpr Compression kZstd = {"a", "zstd", "zstd"};
constexpr Compression kXz = {"an", "xz", "xz-utils"};
constexpr Compression kLz4 = {"an", "lz4", "lz4"};
constexpr Compression kBzip2 = {"a", "bzip2", "bzip2"};

constexpr CompressionMagic kCompressions[] = {
    {literal("\x1f\x8b"), kGzip},          // RFC 1952, section 2.3.1
    {literal("\x28\xb5\x2f\xfd"), kZstd},  // RFC 8878, section 3.1.1
    {literal("\xfd"
             "7zXZ\0"),
     kXz},                                // The .xz File Format, section 2.1.1.1
    {literal("\x04\x22\x4d\x18"), kLz4},  // LZ4 Frame Format
    {literal("\x02\x21\x4c\x18"), kLz4},  // LZ4 Legacy Frame
    {literal("BZh"), kBzip2},
};

struct UnsupportedMagic {
  std::string_view magic;
  UnsupportedFormat format;
};

constexpr char kEditcap[] = "convert it to pcap: editcap -F pcap IN OUT";
constexpr char kNoTcp[] = "it contains no TCP over IP";

constexpr UnsupportedMagic kUnsupported[] = {
    {literal("snoop\0\0\0"), {"a snoop capture", kEditcap}},
    {literal("RTSS"), {"a Network Monitor 1 capture", kEditcap}},
    {literal("GMBU"), {"a Network Monitor 2 capture", kEditcap}},
    {literal("\x01\x10\x4c\x00"), {"a LANalyzer capture", kEditcap}},
    {literal("\x07\x10\x4c\x00"), {"a LANalyzer capture", kEditcap}},
    {literal("iptrace 1.0"), {"an iptrace capture", kEditcap}},
    {literal("iptrace 2.0"), {"an iptrace capture", kEditcap}},
    {literal("TCPIPtrace"), {"a TCPIPtrace text from VMS", kEditcap}},
    {literal("TCPtrace"), {"a TCPtrace text from VMS", kEditcap}},
    {literal("TRSNIFF data    \x1a"), {"a Sniffer capture", kEditcap}},
    {literal("XCP\0"), {"a NetXRay or Sniffer capture", kEditcap}},
    {literal("VL\0\0"), {"a NetXRay capture", kEditcap}},
    {literal("\x05VNF"), {"a Visual Networks capture", kEditcap}},
    {literal("\xaa\xaa\xaa\xaa"), {"a 5View capture", kEditcap}},
    {literal("TR\0d\0"), {"an HP-UX nettl capture", kEditcap}},
    {literal("\0\0\0\1\0\0\0\0\0\x07\xd0\0"), {"an HP-UX nettl capture", kEditcap}},
    {literal("ObserverPktBuffe"), {"an Observer capture", kEditcap}},
    {literal("\x7fver"), {"an EtherPeek or OmniPeek capture", kEditcap}},
    {literal("\x42\xd2\0\x34\x12\x66\x22\x88"), {"a RADCOM capture", kEditcap}},
    {literal("\0\0\2\0\x12\5\0\x10"), {"a Tektronix K12 capture", kEditcap}},
    {literal("+---------+---------------+----------+"), {"a K12 text", kEditcap}},
    {literal("\x1c\0\1\xac"), {"an Ixia capture", kEditcap}},
    {literal("\xac\1\0\x1c"), {"an Ixia capture", kEditcap}},
    {literal("\x1c\0\1\xab"), {"an Ixia capture", kEditcap}},
    {literal("\xab\1\0\x1c"), {"an Ixia capture", kEditcap}},
    {literal("btsnoop\0"), {"a Bluetooth capture (btsnoop)", kNoTcp}},
    {literal("EyeSDN"), {"an ISDN capture (EyeSDN)", kNoTcp}},
    {literal("PK\3\4"), {"a zip archive", "extract the capture: unzip -p FILE | wirelap"}},
    {literal("7z\xbc\xaf\x27\x1c"), {"a 7z archive", "extract the capture: 7z x -so FILE | wirelap"}},
    {literal("\x1f\x9d"), {"a compress file", "decompress it: gzip -dc FILE | wirelap"}},
    {literal("LZIP\1"), {"an lzip file", "decompress it: lzip -dc FILE | wirelap"}},
};

constexpr UnsupportedFormat kEtl = {"a Windows event trace (ETL)",
                                    "convert it to pcapng: etl2pcapng IN OUT, or on Windows: pktmon etl2pcap IN"};
constexpr UnsupportedFormat kErf = {"possibly an ERF capture", kEditcap};

/// Whether this is a Windows event trace. It has no magic number. The header of its first buffer
/// contains the buffer's size and two equal fields with the number of bytes used; the header of a
/// system event follows.
bool is_etl(Bytes start) {
  if (start.size() < 0x4c) return false;
  const std::uint32_t buffer_bytes = load_le32(&start[0]);
  const std::uint32_t used_bytes = load_le32(&start[4]);
  const bool sizes = buffer_bytes >= 4096 && buffer_bytes % 1024 == 0 && buffer_bytes <= (16u << 20) &&
                     used_bytes <= buffer_bytes && used_bytes == load_le32(&start[8]);
  return sizes && (start[0x4a] == 1 || start[0x4a] == 2) && start[0x4b] == 0xc0;
}

/// Whether this may be an ERF capture. It has no magic number: a record starts with a timestamp
/// (little-endian, seconds in the upper half), a type, flags, and the lengths of record and packet
/// in network order.
bool is_erf(Bytes start) {
  if (start.size() < 18) return false;
  constexpr std::uint32_t kYear1990 = 631'152'000;
  constexpr std::uint8_t kMaxType = 27;  // lower than any printable character
  const std::uint8_t type = start[8] & 0x7f;
  const std::uint16_t record_bytes = load_be16(&start[10]);
  const std::uint16_t wire_bytes = load_be16(&start[14]);
  return load_le32(&start[4]) >= kYear1990 && type >= 1 && type <= kMaxType && record_bytes >= 18 && wire_bytes > 0 &&
         wire_bytes <= 16384 && record_bytes <= wire_bytes + 64;
}

}  // namespace

bool is_pcapng(Bytes start) { return begins_with(start, "\x0a\x0d\x0d\x0a"); }

const Compression* find_compression(Bytes start) {
  for (const CompressionMagic& known : kCompressions) {
    if (begins_with(start, known.magic)) return &known.compression;
  }
  return nullptr;
}

bool is_decompressor(std::string_view program) {
  for (const CompressionMagic& known : kCompressions) {
    if (program == known.compression.program) return true;
  }
  return false;
}

const UnsupportedFormat* find_unsupported(Bytes start) {
  for (const UnsupportedMagic& known : kUnsupported) {
    if (begins_with(start, known.magic)) return &known.format;
  }
  if (is_etl(start)) return &kEtl;
  return is_erf(start) ? &kErf : nullptr;
}

}  // namespace wirelap
