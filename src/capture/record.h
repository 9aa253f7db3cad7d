// capture: what a reader hands on: one captured packet, still undecoded.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"

namespace wirelap {

/// One record of a capture file.
struct Record {
  Nanos time = 0;               ///< when it was captured
  std::uint64_t number = 0;     ///< in its file, from 1, as Wireshark shows it
  Bytes bytes;                  ///< what was captured; valid until the reader's next call
  std::uint32_t length = 0;     ///< bytes on the wire, at least bytes.size() unless the file lies
  std::uint32_t link_type = 0;  ///< LINKTYPE_ value (tcpdump.org/linktypes.html)
};

/// Takes the frame check sequence off the end of `record`'s packet, as far as it was captured.
inline void trim_fcs(Record& record, std::uint32_t fcs_bytes) {
  const std::uint32_t length = std::max(record.length, static_cast<std::uint32_t>(record.bytes.size()));
  record.length = length - std::min(length, fcs_bytes);
  record.bytes = record.bytes.first(std::min<std::size_t>(record.bytes.size(), record.length));
}

}  // namespace wirelap
