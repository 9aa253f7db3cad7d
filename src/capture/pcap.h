// capture: the classic pcap file format (draft-ietf-opsawg-pcap).
//
// In: bytes at a file's or record's start. Out: the numbers in its header, in
// host order. Whether a record's bytes are all there is the reader's business.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

namespace wirelap::pcap {

inline constexpr std::size_t kFileHeaderBytes = 24;
inline constexpr std::size_t kRecordHeaderBytes = 16;

/// More than any record holds: libpcap and Wireshark write at most this much
/// of a packet, and take a longer one for damage, as wirelap does.
inline constexpr std::uint32_t kMaxCapturedBytes = 262144;

/// The file header (draft-ietf-opsawg-pcap, section 4).
struct FileHeader {
  bool swapped = false;  ///< the writer's byte order is not this machine's
  int decimals = 6;      ///< of a timestamp: 6 for microseconds, 9 for nanoseconds
  std::uint32_t snap_length = 0;
  std::uint32_t link_type = 0;  ///< without the FCS bits above it
};

/// A record header (section 5).
struct RecordHeader {
  Nanos time = 0;
  std::uint32_t captured = 0;  ///< bytes that follow
  std::uint32_t length = 0;    ///< bytes on the wire
};

/// Parses kFileHeaderBytes bytes; nothing where the magic is not pcap's.
std::optional<FileHeader> parse_file_header(const std::uint8_t* at);

/// Parses kRecordHeaderBytes bytes of a file with header `file`.
inline RecordHeader parse_record_header(const std::uint8_t* at, const FileHeader& file) {
  std::uint32_t fields[4];
  std::memcpy(fields, at, sizeof fields);
  if (file.swapped) {
    for (auto& field : fields) field = __builtin_bswap32(field);
  }
  const Nanos fraction = file.decimals == 9 ? fields[1] : fields[1] * kNanosPerMicro;
  return {fields[0] * kNanosPerSecond + fraction, fields[2], fields[3]};
}

}  // namespace wirelap::pcap
