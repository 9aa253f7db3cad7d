#include "flow/packet_identity.h"

namespace wirelap {
namespace {

// No retransmission comes sooner.
constexpr Nanos kLeastRetransmissionDelay = 1'000'000;
// Nor by a timeout, whose least is that of Linux. A sender that does not count IDs gives both packets the same one.
constexpr Nanos kLeastTimeout = 200'000'000;

}  // namespace

bool is_duplicate(const PacketIdentity& packet, const PacketIdentity& last) {
  const bool same = last.time != kUnknownTime && last.sequence == packet.sequence && last.length == packet.length &&
                    last.flags == packet.flags && last.acknowledgment == packet.acknowledgment;
  if (!same || packet.time - last.time >= kLeastTimeout) return false;
  if (packet.has_id && (packet.id != 0 || last.id != 0)) return packet.id == last.id;
  // Without an ID the delay decides. Empty segments may repeat at once without being duplicates.
  const bool may_repeat = packet.length == 0 && (packet.flags & (kSyn | kFin)) == 0;
  return !may_repeat && last.tsval == packet.tsval && packet.time - last.time < kLeastRetransmissionDelay;
}

bool is_duplicate(const Segment& segment, const PacketIdentity& last) {
  return is_duplicate(identity_of(segment), last);
}

}  // namespace wirelap
