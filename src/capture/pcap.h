// capture: the pcap file format (draft-ietf-opsawg-pcap) and its variants.
//
// In: the bytes of a file header or record header. Out: its fields in host order.
// The reader checks that a record is complete.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/time.h"

namespace wirelap::pcap {

inline constexpr std::size_t kFileHeaderBytes = 24;
inline constexpr std::size_t kRecordHeaderBytes = 16;
/// Of the "modified" pcap of Kuznetzov's patch, which adds interface, protocol and packet type.
inline constexpr std::size_t kModifiedRecordHeaderBytes = 24;

/// The maximum captured length of a record. libpcap and Wireshark write no longer records and
/// reject a longer one as damaged; wirelap does the same.
inline constexpr std::uint32_t kMaxCapturedBytes = 262144;

/// The file header (draft-ietf-opsawg-pcap, section 4).
struct FileHeader {
  bool swapped = false;            ///< the file's byte order is not this machine's
  Nanos unit_ns = kNanosPerMicro;  ///< the unit of the fraction of timestamps
  std::uint32_t snap_length = 0;
  std::uint32_t link_type = 0;  ///< LINKTYPE_ value: the lower 16 bits of the field
  std::uint32_t fcs_bytes = 0;  ///< of the frame check sequence at the end of each packet; 0: none, or not recorded
  std::uint16_t version_major = 2;
  std::uint16_t version_minor = 4;
  std::size_t record_header_bytes = kRecordHeaderBytes;

  /// The order of a record's two lengths: the captured length is first today. Writers before
  /// version 2.3 had it last; version 2.3 was written with either order.
  enum class Lengths : std::uint8_t { captured_first, either, captured_last };
  Lengths lengths = Lengths::captured_first;

  /// Decimals of timestamps: 6 for microseconds, 9 for nanoseconds.
  int decimals() const { return unit_ns == 1 ? 9 : 6; }

  /// Whether each record is a 16-byte header in today's layout and the packet.
  bool is_plain() const {
    return record_header_bytes == kRecordHeaderBytes && lengths == Lengths::captured_first && fcs_bytes == 0;
  }

  /// Whether the version is 2.x, or 543.0, which the tcpdump of DG/UX wrote.
  bool is_supported_version() const { return version_major == 2 || version_major == 543; }
};

/// A record header (section 5).
struct RecordHeader {
  Nanos time = 0;
  std::uint32_t captured = 0;  ///< bytes of the packet that follow
  std::uint32_t length = 0;    ///< bytes on the wire
};

/// Decodes kFileHeaderBytes bytes. Returns nothing where the magic number is not pcap's.
std::optional<FileHeader> decode_file_header(const std::uint8_t* at);

/// Decodes kRecordHeaderBytes bytes. `kSwapped` and `unit_ns` are those of the file header;
/// the lengths are in today's order.
template <bool kSwapped>
RecordHeader decode_record_header(const std::uint8_t* at, Nanos unit_ns) {
  const auto load = [at](std::size_t offset) {
    std::uint32_t value;
    std::memcpy(&value, at + offset, sizeof value);
    return kSwapped ? __builtin_bswap32(value) : value;
  };
  return {load(0) * kNanosPerSecond + load(4) * unit_ns, load(8), load(12)};
}

/// As above, for a file with header `file`.
inline RecordHeader decode_record_header(const std::uint8_t* at, const FileHeader& file) {
  return file.swapped ? decode_record_header<true>(at, file.unit_ns) : decode_record_header<false>(at, file.unit_ns);
}

/// Swaps the lengths of `header` where the file's version has them in the other order.
inline void fix_length_order(RecordHeader& header, const FileHeader& file) {
  const bool swap = file.lengths == FileHeader::Lengths::captured_last ||
                    (file.lengths == FileHeader::Lengths::either && header.captured > header.length);
  if (swap) std::swap(header.captured, header.length);
}

}  // namespace wirelap::pcap
