// timing: a segment with payload, and an acknowledgment, each with its place in its stream.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "flow/key.h"
#include "flow/packet_identity.h"

namespace wirelap {

/// A segment with payload.
struct PlacedSegment {
  Side sender = Side::low;
  std::int64_t begin = 0;          ///< offset of its first byte
  std::uint64_t next = 0;          ///< before it: offset of the first byte that was not there in order
  std::uint64_t acknowledged = 0;  ///< before it: offset that its receiver has acknowledged
  bool after_gap = false;          ///< segments beyond `next` came before it
  bool fills_gaps = false;         ///< it completes the stream up to the last of those
  bool pushed = false;             ///< with PSH or FIN
  PacketIdentity packet;

  std::int64_t end() const { return begin + static_cast<std::int64_t>(packet.length); }
};

/// An acknowledgment.
struct PlacedAcknowledgment {
  std::uint64_t offset = 0;  ///< all bytes before it have arrived
  std::uint64_t edge = 0;    ///< right edge of the receiver's window
  bool zero_window = false;
  bool duplicate_sack = false;  ///< it reports bytes that arrived twice (RFC 2883)
  Nanos time = 0;
};

}  // namespace wirelap
