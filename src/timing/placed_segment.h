// timing: a segment with payload and an acknowledgment, with offsets in place of sequence numbers.
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
  std::uint64_t next = 0;          ///< offset of the next byte in order, before this segment
  std::uint64_t acknowledged = 0;  ///< offset that the receiver had acknowledged, before this segment
  bool after_gap = false;          ///< other segments wait behind a gap at `next`
  bool fills_gaps = false;         ///< with it, all segments that wait are in order
  bool pushed = false;             ///< it has PSH or FIN
  PacketIdentity packet;

  std::int64_t end() const { return begin + static_cast<std::int64_t>(packet.length); }
};

/// An acknowledgment.
struct PlacedAcknowledgment {
  std::uint64_t offset = 0;  ///< the receiver has all bytes before it
  std::uint64_t edge = 0;    ///< right edge of the receiver's window
  bool zero_window = false;
  bool duplicate_sack = false;  ///< it reports bytes that arrived twice (RFC 2883)
  Nanos time = 0;
};

}  // namespace wirelap
