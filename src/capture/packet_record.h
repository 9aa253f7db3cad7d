// capture: what a reader hands on: one captured packet, still undecoded.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"

namespace wirelap {

/// Where a packet is: in which of the joined files (from 0; kRecordBits higher),
/// and the number of its record there.
using PacketNumber = std::uint64_t;
inline constexpr int kRecordBits = 40;
inline constexpr PacketNumber packet_number(std::uint64_t file, std::uint64_t record) {
  return file << kRecordBits | record;
}
inline constexpr std::uint64_t file_index(PacketNumber frame) { return frame >> kRecordBits; }
inline constexpr std::uint64_t record_number(PacketNumber frame) { return frame & (packet_number(1, 0) - 1); }

/// One record of a capture file.
struct PacketRecord {
  Nanos time = 0;               ///< when it was captured
  PacketNumber number = 0;      ///< in its file, from 1, as Wireshark shows it
  Bytes bytes;                  ///< what was captured; valid until the reader's next call
  std::uint32_t length = 0;     ///< bytes on the wire, at least bytes.size() unless the file lies
  std::uint32_t link_type = 0;  ///< LINKTYPE_ value (tcpdump.org/linktypes.html)
};

/// Takes the frame check sequence off the end of `record`'s packet, as far as it was captured.
inline void trim_fcs(PacketRecord& record, std::uint32_t fcs_bytes) {
  const std::uint32_t length = std::max(record.length, static_cast<std::uint32_t>(record.bytes.size()));
  record.length = length - std::min(length, fcs_bytes);
  record.bytes = record.bytes.first(std::min<std::size_t>(record.bytes.size(), record.length));
}

}  // namespace wirelap
