// capture: the output of the stage: one captured packet, not yet decoded.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"

namespace wirelap {

/// A packet number: the index of a file among joined files (from 0, in the bits from
/// kRecordBits on), and the number of the record in that file (from 1).
using PacketNumber = std::uint64_t;
inline constexpr int kRecordBits = 40;
inline constexpr PacketNumber packet_number(std::uint64_t file, std::uint64_t record) {
  return file << kRecordBits | record;
}
inline constexpr std::uint64_t file_index(PacketNumber packet) { return packet >> kRecordBits; }
inline constexpr std::uint64_t record_number(PacketNumber packet) { return packet & (packet_number(1, 0) - 1); }

/// One record of a capture file.
struct PacketRecord {
  Nanos time = 0;               ///< when it was captured
  PacketNumber number = 0;      ///< as Wireshark numbers packets: from 1 in each file
  Bytes bytes;                  ///< the captured part; valid until the reader's next call
  std::uint32_t length = 0;     ///< bytes on the wire as recorded; a malformed file may have less than bytes.size()
  std::uint32_t link_type = 0;  ///< LINKTYPE_ value (tcpdump.org/linktypes.html)
};

/// Removes the frame check sequence from the end of a record's packet, and its captured part from `bytes`.
inline void trim_fcs(PacketRecord& record, std::uint32_t fcs_bytes) {
  const std::uint32_t length = std::max(record.length, static_cast<std::uint32_t>(record.bytes.size()));
  record.length = length - std::min(length, fcs_bytes);
  record.bytes = record.bytes.first(std::min<std::size_t>(record.bytes.size(), record.length));
}

}  // namespace wirelap
