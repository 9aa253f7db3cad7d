#include "flow/packet_identity.h"

namespace wirelap {
namespace {

// Nobody sends again sooner.
constexpr Nanos kLeastResendDelay = 1'000'000;
// By a timeout nobody sends again sooner than Linux does; who counts no IDs gives both packets the same one.
constexpr Nanos kLeastTimeout = 200'000'000;

}  // namespace

bool is_duplicate(const PacketIdentity& mark, const PacketIdentity& last) {
  const bool same = last.time != kUnknownTime && last.sequence == mark.sequence && last.length == mark.length &&
                    last.flags == mark.flags && last.acknowledgment == mark.acknowledgment;
  if (!same || mark.time - last.time >= kLeastTimeout) return false;
  if (mark.has_id && (mark.id != 0 || last.id != 0)) return mark.id == last.id;
  // Without an ID: what comes again at once was not sent again, but empty
  // segments may well repeat.
  const bool repeats = mark.length == 0 && (mark.flags & (kSyn | kFin)) == 0;
  return !repeats && last.tsval == mark.tsval && mark.time - last.time < kLeastResendDelay;
}

bool is_duplicate(const Segment& segment, const PacketIdentity& last) {
  return is_duplicate(identity_of(segment), last);
}

}  // namespace wirelap
