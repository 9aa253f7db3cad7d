#include "timing/loss_detector.h"

#include "timing/send_history.h"

namespace wirelap {

///   sender    s1-----------------s1'-----     s1': the retransmission
///   capture   ----x------------------s1'-     x: s1 was never seen, so s1' looks like any other segment
///
/// A timeout, or a probe for a lost tail, comes at least two round trips after s1 (RFC 8985, 7.2). In addition, the
/// sender has shown that it had sent s1 before, or the ID of the first s1 is left out.
bool LossDetector::looks_retransmitted(const PlacedSegment& segment, Nanos waited, bool is_turn_start,
                                       Nanos round_trip) const {
  if (waited < std::max(round_trip * 3 / 2, kSoonestRetransmission)) return false;
  if (has_announced(segment.next)) return true;
  // The first segment of a turn is retransmitted only by a timeout. If it comes sooner, the ID left out was that of an
  // acknowledgment.
  constexpr Nanos kLeastTimeout = 180'000'000;  // Linux has 200 ms; other systems do not count IDs for each connection
  const bool by_timeout = is_turn_start && segment.begin <= static_cast<std::int64_t>(segment.next);
  return ids_.left_out() != 0 && (!by_timeout || waited >= kLeastTimeout);
}

void LossDetector::count_retransmission(TcpCounts& counts) {
  left_out_ids_ = std::max<std::uint16_t>(left_out_ids_, 1);
  count_left_out(counts);
}

/// Each ID left out is that of a packet that was lost before the capture point and is retransmitted now.
void LossDetector::count_left_out(TcpCounts& counts) {
  counts.lost += left_out_ids_;
  counts.retransmitted += left_out_ids_;
  left_out_ids_ = 0;
}

bool LossDetector::left_out_more_than(std::uint64_t bytes, std::uint32_t full_length) const {
  const std::uint64_t full = std::max<std::uint32_t>(full_length, 1);
  return ids_.left_out() > (bytes + full - 1) / full;
}

bool LossDetector::fill_gap(const PlacedSegment& segment, Nanos round_trip, TcpCounts& counts) {
  const bool reordered = was_reordered(segment.packet, round_trip);
  if (left_out_ids_ > 0) left_out_ids_ -= 1;
  if (reordered) {
    counts.out_of_order += 1;
  } else {
    counts.lost += 1;
    counts.retransmitted += 1;
    is_recovering_ = true;
  }
  if (segment.fills_gaps) {
    // The IDs that are still unexplained are those of retransmissions that were lost, too.
    if (is_recovering_) count_left_out(counts);
    is_recovering_ = false;
  }
  return reordered;
}

/// Whether a segment that fills a gap was sent before the first one after the gap. Its ID decides; where the IDs are
/// not counted, its timestamp; where that is the same, how soon it came.
bool LossDetector::was_reordered(const PacketIdentity& packet, Nanos round_trip) const {
  const Clocks& after = first_after_gap_;
  if (ids_.are_steady() && packet.has_id) return id_distance(after.id, packet.id) < 0;
  if (packet.tsval != after.tsval) return tsval_distance(after.tsval, packet.tsval) < 0;
  constexpr Nanos kSoonest = 3'000'000;
  return packet.time - after.time < (round_trip == 0 ? kSoonest : round_trip * 3 / 4);
}

}  // namespace wirelap
