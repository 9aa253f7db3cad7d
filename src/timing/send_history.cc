#include "timing/send_history.h"

#include <algorithm>

namespace wirelap {
namespace {

constexpr Nanos kMillisecond = 1'000'000;

}  // namespace

/// The latest segment looks short, but has no PSH, or is several segments in one packet. It may be a full one: the path
/// or half the largest window may limit the length of segments (RFC 9293, 3.7.5 and 3.8.6.2.1). `is_cut`: it filled the
/// receiver's window exactly.
void SendHistory::reconsider_short(std::uint32_t length, bool is_cut, const IpIds& ids) {
  constexpr std::uint32_t kLeast = 500;  // RFC 9293, 3.7.1: 536, with options
  if (length > ids.full_length()) {
    const std::uint32_t one = ids.learned_length();
    last_short_ = one == 0 || length % one != 0;
    return;
  }
  if (is_cut || length < kLeast) return;
  full_length_ = length;
  last_short_ = false;
}

Nanos SendHistory::acknowledgment_heard(std::uint64_t offset) const {
  const Nanos acknowledged = acknowledged_.time_of(offset);
  return acknowledged == kUnknownTime ? kUnknownTime : std::max(acknowledged, unheard_until_);
}

Nanos SendHistory::spread_by_network(const PacketIdentity& packet, Nanos pause) const {
  if (packet.tsval == 0 || latest_tsval_ == 0) return 0;
  // The clocks of Linux, macOS and Windows have ticks of a millisecond. With longer ticks less is found.
  const Nanos sent_apart = (tsval_distance(latest_tsval_, packet.tsval) + Nanos{1}) * kMillisecond;
  return sent_apart < pause / 2 ? pause - std::max<Nanos>(sent_apart, 0) : 0;
}

bool SendHistory::filled_congestion_window(std::uint64_t next, Nanos late) const {
  constexpr std::uint64_t kLeastSegments = 8;  // the first window has 10 (RFC 6928), some of them short
  constexpr Nanos kLatest = kMillisecond / 2;
  const OffsetLog::Step step = acknowledged_.last_step();
  return acknowledged_.latest() == next && step.bytes >= kLeastSegments * full_length_ && late <= kLatest &&
         late >= -kLatest;
}

bool SendHistory::is_at_line_rate(std::uint32_t length, Nanos gap) const {
  constexpr Nanos kLongest = kNanosPerSecond;
  constexpr std::int64_t kHeaders = 60;
  constexpr std::uint64_t kMostBytes = 1 << 20;
  const OffsetLog::Step before = sent_.last_step();
  if (before.bytes == 0 || before.took <= 0 || before.took > kLongest || gap > kLongest) return false;
  if (before.bytes > kMostBytes || length > kMostBytes) return false;
  // gap / length differs from before.took / before.bytes by at most a quarter.
  const std::int64_t expected = before.took * (length + kHeaders);
  const std::int64_t scaled = gap * (static_cast<std::int64_t>(before.bytes) + kHeaders);
  return scaled <= expected + expected / 4 && scaled >= expected - expected / 4;
}

}  // namespace wirelap
