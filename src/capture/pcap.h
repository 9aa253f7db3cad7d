// capture: the classic pcap file format (draft-ietf-opsawg-pcap), and what was made of it.
//
// In: bytes at a file's or record's start. Out: the numbers in its header, in
// host order. Whether a record's bytes are all there is the reader's business.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/time.h"

namespace wirelap::pcap {

inline constexpr std::size_t kFileHeaderBytes = 24;
inline constexpr std::size_t kRecordHeaderBytes = 16;
/// With the interface, protocol and packet type that Kuznetzov's patch added.
inline constexpr std::size_t kModifiedRecordHeaderBytes = 24;

/// More than any record holds: libpcap and Wireshark write at most this much
/// of a packet, and take a longer one for damage, as wirelap does.
inline constexpr std::uint32_t kMaxCapturedBytes = 262144;

/// The file header (draft-ietf-opsawg-pcap, section 4).
struct FileHeader {
  bool swapped = false;            ///< the writer's byte order is not this machine's
  Nanos unit_ns = kNanosPerMicro;  ///< of a timestamp's fraction
  std::uint32_t snap_length = 0;
  std::uint32_t link_type = 0;  ///< without what stands above it
  std::uint32_t fcs_bytes = 0;  ///< of a frame check sequence at the end of each packet; 0 where not told
  std::uint16_t version_major = 2;
  std::uint16_t version_minor = 4;
  std::size_t record_header_bytes = kRecordHeaderBytes;

  /// Where a record's two lengths stand: writers before version 2.3 had the one
  /// on the wire first, those of 2.3 either.
  enum class Lengths : std::uint8_t { captured_first, either, captured_last };
  Lengths lengths = Lengths::captured_first;

  /// Decimals of a timestamp: 6 for microseconds, 9 for nanoseconds.
  int decimals() const { return unit_ns == 1 ? 9 : 6; }

  /// A record is its 16-byte header and the packet, with nothing to put right.
  bool is_plain() const {
    return record_header_bytes == kRecordHeaderBytes && lengths == Lengths::captured_first && fcs_bytes == 0;
  }

  /// Of the versions there were: 2.x, and the 543.0 that DG/UX's tcpdump wrote.
  bool is_known_version() const { return version_major == 2 || version_major == 543; }
};

/// A record header (section 5).
struct RecordHeader {
  Nanos time = 0;
  std::uint32_t captured = 0;  ///< bytes that follow
  std::uint32_t length = 0;    ///< bytes on the wire
};

/// Parses kFileHeaderBytes bytes; nothing where the magic is not pcap's.
std::optional<FileHeader> parse_file_header(const std::uint8_t* at);

/// Parses kRecordHeaderBytes bytes of a file that is `kSwapped` or not; the lengths in
/// the order of today's version.
template <bool kSwapped>
RecordHeader parse_record_header(const std::uint8_t* at, Nanos unit_ns) {
  const auto load = [at](std::size_t offset) {
    std::uint32_t value;
    std::memcpy(&value, at + offset, sizeof value);
    return kSwapped ? __builtin_bswap32(value) : value;
  };
  return {load(0) * kNanosPerSecond + load(4) * unit_ns, load(8), load(12)};
}

/// The same, of a file with header `file`.
inline RecordHeader parse_record_header(const std::uint8_t* at, const FileHeader& file) {
  return file.swapped ? parse_record_header<true>(at, file.unit_ns) : parse_record_header<false>(at, file.unit_ns);
}

/// Puts `header`'s lengths in the order of today's version.
inline void order_lengths(RecordHeader& header, const FileHeader& file) {
  const bool swap = file.lengths == FileHeader::Lengths::captured_last ||
                    (file.lengths == FileHeader::Lengths::either && header.captured > header.length);
  if (swap) std::swap(header.captured, header.length);
}

}  // namespace wirelap::pcap
