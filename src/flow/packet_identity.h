// flow: what identifies a packet among those of its sender.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "wire/decode.h"

namespace wirelap {

/// What distinguishes a packet from a retransmission of it, and from a duplicate.
struct PacketIdentity {
  std::uint16_t id = 0;     ///< IPv4 Identification
  std::uint32_t tsval = 0;  ///< RFC 7323; 0 where there is none
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint32_t length = 0;  ///< of its payload
  std::uint8_t flags = 0;
  bool has_id = false;
  Nanos time = kUnknownTime;
};

/// The identity of `segment`.
inline PacketIdentity identity_of(const Segment& segment) {
  return {segment.ip.id,           decode_tsval(segment.tcp.options),
          segment.tcp.sequence,    segment.tcp.acknowledgment,
          segment.data_length,     segment.tcp.flags,
          segment.ip.version == 4, segment.time};
}

/// The least that a duplicate has in common with the `last` packet of its sender.
inline bool looks_the_same(const Segment& segment, const PacketIdentity& last) {
  return segment.tcp.sequence == last.sequence && segment.tcp.acknowledgment == last.acknowledgment &&
         segment.data_length == last.length && segment.tcp.flags == last.flags;
}

/// Whether a packet is a duplicate of the `last` one of its sender, made by the network or by a capture that sees
/// packets twice.
bool is_duplicate(const PacketIdentity& packet, const PacketIdentity& last);
/// The same for the packet of `segment`.
[[gnu::noinline]] bool is_duplicate(const Segment& segment, const PacketIdentity& last);

}  // namespace wirelap
