#include "timing/timing.h"

#include <algorithm>

namespace wirelap {

void Timing::record_round_trip(Side side, Nanos measured) {
  const bool is_first = round_trips_.record(side, measured);
  if (is_first) state_of(side).window.forget_open();  // the path was taken as 0 before
}

bool Timing::may_get_lost(Side sender) const {
  const Nanos before = round_trip_to(sender);
  const Nanos beyond = round_trip_to(other(sender));
  return before == kUnknownTime || beyond == kUnknownTime || beyond > before / 4;
}

bool Timing::process_acknowledgment(Side side, const PlacedAcknowledgment& now, TcpCounts& counts) {
  const Side data_sender = other(side);
  SenderState& data = state_of(data_sender);
  const bool spurious = retransmission_ != nullptr && was_spurious(data_sender, now);
  if (spurious) {
    counts.spurious += 1;
    attribution_.undo(retransmission_->undo, retransmission_->time);
    retransmission_.reset();
  }
  const Nanos latest = round_trips_.latest(side);
  record_acknowledged(data, side, now.offset, now.edge, now.time);
  // Bytes that were sent before the latest retransmission may have waited for it (Karn's algorithm: RFC 6298, 3).
  const bool is_ambiguous = retransmission_ != nullptr && now.time - round_trips_.latest(side) < retransmission_->time;
  if (is_ambiguous) round_trips_.set_latest(side, latest);
  data.window.set_closed(now.zero_window, now.time);
  return spurious;
}

/// Whether the latest retransmission was spurious: the receiver reports that it had its bytes already, or acknowledges
/// them too early for an answer to the retransmission.
///
///   sender    s1-----------s1'------------     s1': the retransmission
///   capture   ----s1-----------s1'ack-----     the answer to s1' would take a round trip to the receiver
///   receiver  --------s1------ack--s1'----
bool Timing::was_spurious(Side data_sender, const PlacedAcknowledgment& now) const {
  if (retransmission_->sender != data_sender) return false;
  if (now.duplicate_sack) return true;
  const Nanos beyond = round_trips_.shortest_or_zero(other(data_sender));
  return now.offset >= retransmission_->end && now.time - retransmission_->time < beyond * 9 / 10;
}

bool Timing::process_payload(const PlacedSegment& placed, Side client, TcpCounts& counts) {
  SenderState& from = state_of(placed.sender);
  const ArrivingSegment segment{placed, from, round_trips_, client};
  const auto next = static_cast<std::int64_t>(placed.next);
  if (placed.end() <= next) return process_seen_before(from, segment, counts);
  if (placed.begin > next) {
    if (!placed.after_gap) begin_sequence_gap(from, segment);
  } else if (placed.after_gap) {
    fill_sequence_gap(from, placed, counts);
  } else if (!attribution_.is_sent_meanwhile(placed.sender, client)) {
    process_in_order(from, segment, counts);
  } else {
    from.losses.forget_left_out_ids();
  }
  record_new(from, static_cast<std::uint64_t>(placed.end()), placed.packet, placed.pushed);
  return false;
}

void Timing::process_in_order(SenderState& from, const ArrivingSegment& segment, TcpCounts& counts) {
  const bool retransmitted = looks_retransmitted(segment);
  forget_drained_queue(segment.placed);
  attribution_.attribute(segment, segment.placed.packet.time, retransmitted);
  attribution_.set_last_sender(segment.placed.sender);
  if (retransmitted) from.losses.count_retransmission(counts);
  from.losses.forget_left_out_ids();
}

bool Timing::looks_retransmitted(const ArrivingSegment& segment) const {
  const bool is_turn_start = attribution_.last_sender() != segment.placed.sender;
  return segment.from.losses.looks_retransmitted(segment.placed, attribution_.waited_for(segment), is_turn_start,
                                                 round_trips_.total());
}

/// Processes a segment after a sequence gap. The time before it is attributed as if s1 had arrived: what kept the
/// sender from sending s1 earlier?
///
///   sender    s0-----s1-s2--------
///   capture   ----s0-----x--s2----     x: s1 is not captured so far
///                 |<------->|
///
/// But where s2 is a probe for a lost tail, sent because s1 was not acknowledged, all time until the gap is filled is
/// loss:
///
///   sender    s0-s1-----------s2--------
///   capture   ----s0-x------------s2----
void Timing::begin_sequence_gap(SenderState& from, const ArrivingSegment& segment) {
  const PlacedSegment& placed = segment.placed;
  from.losses.begin_gap(placed.packet);
  if (attribution_.ledger().is_empty() || is_probe_for_lost_tail(segment)) return;
  const std::uint64_t gap_bytes = static_cast<std::uint64_t>(placed.begin) - placed.next;
  const std::uint32_t full_length = std::max<std::uint32_t>(from.history.full_length(), 1);
  PlacedSegment first = placed;  // the first segment in the gap
  first.begin = static_cast<std::int64_t>(placed.next);
  first.packet.length = static_cast<std::uint32_t>(std::min<std::uint64_t>(gap_bytes, full_length));
  attribution_.attribute({first, from, round_trips_, segment.client}, placed.packet.time, false);
  attribution_.set_last_sender(placed.sender);
}

/// Whether a segment after a gap was sent because the bytes in the gap were lost (RFC 8985, 7). Then the sender had
/// sent these bytes together with those before the gap: it had more to send then, or a later segment shows that it had
/// sent them, or more IDs were left out than the gap has segments.
bool Timing::is_probe_for_lost_tail(const ArrivingSegment& segment) const {
  const PlacedSegment& placed = segment.placed;
  const SenderState& from = segment.from;
  const bool had_more = attribution_.last_sender() == placed.sender && !from.history.ended_burst();
  const std::uint64_t gap_bytes = static_cast<std::uint64_t>(placed.begin) - placed.next;
  const bool had_sent = had_more || from.losses.has_announced(placed.next) ||
                        from.losses.left_out_more_than(gap_bytes, from.history.full_length());
  return had_sent && looks_retransmitted(segment);
}

void Timing::fill_sequence_gap(SenderState& from, const PlacedSegment& placed, TcpCounts& counts) {
  const bool reordered = from.losses.fill_gap(placed, round_trips_.total(), counts);
  attribution_.attribute_to(reordered ? kNetwork : kLoss, placed.packet.time);
  attribution_.set_last_sender(placed.sender);
  gap_filled_ = placed.packet.time;
}

/// Processes bytes that were captured before: a retransmission, a duplicate or a keep-alive.
bool Timing::process_seen_before(SenderState& from, const ArrivingSegment& segment, TcpCounts& counts) {
  const PlacedSegment& placed = segment.placed;
  const bool all_acknowledged = placed.acknowledged >= placed.next;
  const bool is_keep_alive = placed.packet.length <= 1 && all_acknowledged;  // RFC 9293, 3.8.4
  if (is_keep_alive) {
    record_probe(placed.sender, placed.packet.time);
    return false;
  }
  // A delayed duplicate has an old ID.
  if (from.losses.ids().is_late()) {
    counts.duplicate += 1;
    return false;
  }
  counts.retransmitted += 1;
  if (static_cast<std::int64_t>(placed.acknowledged) >= placed.end()) {
    from.history.record_unheard_acknowledgment(placed.packet.time);
    return false;
  }
  counts.lost += 1;
  charge_loss(from, segment);
  return true;
}

/// Processes the retransmission of bytes that were lost after the capture point (timing/loss_charge.h).
void Timing::charge_loss(SenderState& from, const ArrivingSegment& segment) {
  const PlacedSegment& placed = segment.placed;
  const auto begin = static_cast<std::uint64_t>(std::max<std::int64_t>(placed.begin, 0));
  Attribution::LossUndo undo = attribution_.charge_loss(segment, from.history.sent().find(begin + 1));
  forget_drained_queue(placed);
  attribution_.attribute_loss(undo, placed.packet.time);
  attribution_.set_last_sender(placed.sender);
  retransmission_ = make_in<Retransmission>(memory_, placed, undo);
}

/// Records that the queues on the path are empty: at the start of a turn, and after a pause that is longer than the
/// time in the queues.
void Timing::forget_drained_queue(const PlacedSegment& placed) {
  const Side receiver = other(placed.sender);
  // Segments that come sooner than this may take the fast path, which does not call this function.
  const Nanos drained = std::max(round_trips_.latest(receiver), LossDetector::kSoonestRetransmission);
  const bool is_turn_start = attribution_.last_sender() != placed.sender;
  if (is_turn_start || attribution_.time_since_last(placed.packet.time) > static_cast<std::uint64_t>(drained)) {
    round_trips_.set_latest(receiver, 0);
  }
}

}  // namespace wirelap
