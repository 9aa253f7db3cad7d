#include "timing/attribution.h"

#include <algorithm>

namespace wirelap {
namespace {

/// Whether two times, both known, differ by no more than `tolerance`.
bool are_near(Nanos one, Nanos two, Nanos tolerance) { return one - two <= tolerance && two - one <= tolerance; }

/// The earliest time at which the capture point can see the segment, if the acknowledgment of all bytes before it
/// released it. kUnknownTime where there was no such acknowledgment.
///
///   sender    a-----------------b--------
///   capture   ----a---------ack-----b----     released = ack + round trip to the sender
///   receiver  --------a-ack--------------
Nanos release_time(const ArrivingSegment& segment) {
  const Nanos heard = segment.from.history.acknowledgment_heard(segment.placed.next);
  return heard == kUnknownTime ? kUnknownTime : heard + segment.round_trips.shortest_or_zero(segment.placed.sender);
}

}  // namespace

Nanos Attribution::waited_for(const ArrivingSegment& segment) const {
  if (ledger_.is_empty()) return 0;
  const Side sender = segment.placed.sender;
  const Nanos path = last_sender_ == sender ? 0 : segment.round_trips.shortest_or_zero(sender);
  return segment.placed.packet.time - ledger_.until - path;
}

void Attribution::attribute(const ArrivingSegment& segment, Nanos until, bool retransmitted) {
  if (ledger_.is_empty() || until <= ledger_.until) return ledger_.attribute(kNetwork, until);
  if (attribute_window(segment, until)) return;
  const Side sender = segment.placed.sender;
  const Cause application = segment.application();
  if (last_sender_ != sender) {
    return attribute_turn(ledger_, sender, application, until, retransmitted, segment.round_trips);
  }
  const Nanos before = ledger_.causes.by[application];
  attribute_pause(segment, until, retransmitted);
  const Nanos paused = ledger_.causes.by[application] - before;
  if (paused != 0) charge_.record_pause(ledger_, application, paused, segment.round_trips.tolerance());
}

/// The other end sent before: the sender answers, or begins a new turn. Attributes the path to the network, and the
/// rest to the sender's application, which worked or waited after the bytes of the other end had reached it.
///
///   sender    -----q..application..a--------
///   capture   -q-----------------------a----     path: to the sender and back
///              |<-path>|<-application->|
void Attribution::attribute_turn(Ledger& ledger, Side sender, Cause application, Nanos until, bool retransmitted,
                                 const RoundTrips& round_trips) const {
  // Bytes that waited in a queue reach the sender later than over an empty path.
  const Nanos path = std::max(round_trips.shortest_or_zero(sender), round_trips.latest(sender));
  ledger.attribute(kNetwork, std::min(until, ledger.until + path));
  ledger.attribute(retransmitted ? kLoss : application, until);
}

/// Attributes to the window the time in which, as far as the sender could know, it had no room for the segment
/// (receiver_window.h has a picture). Returns whether that is all time up to `until`.
bool Attribution::attribute_window(const ArrivingSegment& segment, Nanos until) {
  const PlacedSegment& placed = segment.placed;
  const ReceiverWindow& window = segment.from.window;
  if (placed.packet.length == 0) return false;
  const auto end = static_cast<std::uint64_t>(placed.end());
  // A segment that was cut to fit the window waited for more room (RFC 9293, 3.8.6.2.1).
  const bool is_cut = placed.packet.length < segment.from.history.full_length() && end == window.edge();
  if (is_cut && last_sender_ == placed.sender) {
    wait_for_window(until);
    return true;
  }
  const Nanos opened = window.opened(end);
  if (opened <= OffsetLog::kLongAgo) return false;
  const Nanos known = opened + segment.round_trips.shortest_or_zero(placed.sender);
  if (known <= ledger_.until) return false;
  const Nanos tolerance = segment.round_trips.tolerance();
  const bool sent_at_once = until - known <= tolerance;
  if (!sent_at_once && known - ledger_.until <= tolerance) return false;
  wait_for_window(sent_at_once ? until : known);
  return sent_at_once;
}

void Attribution::wait_for_window(Nanos until) {
  const Nanos begin = ledger_.until;
  const Nanos before = ledger_.causes.by[kWindow];
  ledger_.attribute(kWindow, until);
  charge_.record_window_wait(begin, ledger_.causes.by[kWindow] - before);
}

/// The same end sent before, and paused. `a` is its previous segment, `b` this one:
///
///   1 retransmitted   ---a----------------b-->   b was lost once: loss
///   2 Nagle           ---a-------ack-b------->   a and b are short, and the receiver delayed the acknowledgment
///   3 spread          ---a---------b--------->   the sender's clock shows that a queue spread a and b
///   4 had no more     ---a----------------b-->   a was all that the application had: it produced b later
///   5 line rate       -z-----a-----b--------->   b follows a as a follows z: at the rate of the slowest link
///   6 in flight       ---a------------b------>   no acknowledgment had released b, or one just had: the
///                     ---a-------ack-b------->   congestion window limits the sender
///   7 idle            ---a--ack...........b-->   the acknowledgment permitted b, which did not exist yet
///
/// Case 3 may explain only a part of the time. Every other case explains the rest.
void Attribution::attribute_pause(const ArrivingSegment& segment, Nanos until, bool retransmitted) {
  if (retransmitted) return ledger_.attribute(kLoss, until);  // 1
  const PlacedSegment& placed = segment.placed;
  const SendHistory& history = segment.from.history;
  const Cause application = segment.application();
  const Nanos begin = ledger_.until;
  const Nanos released = release_time(segment);
  if (is_held_by_nagle(segment, released, until)) return ledger_.attribute(kAckDelay, until);  // 2

  ledger_.attribute(kNetwork, begin + history.spread_by_network(placed.packet, until - begin));  // 3
  if (ledger_.until == until) return;

  const bool just_released = released != kUnknownTime && are_near(until, released, segment.round_trips.tolerance());
  const bool fills_window = just_released && history.filled_congestion_window(placed.next, until - released);
  if (history.ended_burst() && !fills_window) return ledger_.attribute(application, until);  // 4

  const bool in_flight = released == kUnknownTime || until < released;
  if (history.is_at_line_rate(placed.packet.length, until - begin) || in_flight || just_released) {  // 5, 6
    return ledger_.attribute(kNetwork, until);
  }
  ledger_.attribute(kNetwork, std::min(until, std::max(begin, released)));  // 7
  ledger_.attribute(application, until);
}

/// Whether Nagle's algorithm (RFC 1122, 4.2.3.4) held back a short segment until the short one before it was
/// acknowledged, and the receiver delayed that acknowledgment (RFC 1122, 4.2.3.2).
///
///   sender    a..b is ready...............b------
///   capture   ----a-------------------ack-----b--
///   receiver  --------a..delayed..ack------------
bool Attribution::is_held_by_nagle(const ArrivingSegment& segment, Nanos released, Nanos until) const {
  // Less than any delayed acknowledgment takes: Linux waits 40 ms, other systems 25 to 200 (RFC 9293, 3.8.6.3, allows
  // 500).
  constexpr Nanos kLeastDelay = 15'000'000;
  const SendHistory& history = segment.from.history;
  const RoundTrips& round_trips = segment.round_trips;
  const bool is_short = segment.placed.packet.length < history.full_length();
  if (!is_short || !history.ended_short() || released == kUnknownTime) return false;
  if (!are_near(until, released, round_trips.fine_tolerance())) return false;
  const Nanos took = history.acknowledged().time_of(segment.placed.next) - ledger_.until;
  return took >= round_trips.shortest_or_zero(other(segment.placed.sender)) + kLeastDelay;
}

Attribution::LossUndo Attribution::charge_loss(const ArrivingSegment& retransmission, const OffsetLog::Point* first) {
  LossUndo undo{ledger_, charge_.network(), last_sender_};
  if (first != nullptr) {
    if (first->time > ledger_.until) attribute(retransmission, first->time, false);
    undo.pause = charge_.charge_since(*first, ledger_);
    undo.pause_cause = charge_.pause_cause();
  }
  return undo;
}

void Attribution::attribute_loss(LossUndo& undo, Nanos time) {
  ledger_.attribute(kLoss, time);
  undo.charged = ledger_.causes.by[kLoss] - undo.ledger_before.causes.by[kLoss];
}

void Attribution::undo(const LossUndo& undo, Nanos time) {
  if (ledger_.until == time) {
    ledger_ = undo.ledger_before;
    charge_.set_network(undo.network_before);
    last_sender_ = undo.last_sender_before;
    return;
  }
  const Nanos network = undo.charged - undo.pause;
  ledger_.causes.by[kLoss] -= undo.charged;
  ledger_.causes.by[kNetwork] += network;
  ledger_.causes.by[undo.pause_cause] += undo.pause;
  charge_.return_network(network);
}

/// The cause times up to `time`, which is after the end of the ledger. The time between is attributed to what the
/// client waits for.
CauseTimes Attribution::causes_beyond(Nanos time, Side client, const SenderState& server,
                                      const RoundTrips& round_trips) const {
  Ledger ledger = ledger_;
  const Side server_side = other(client);
  if (server.losses.has_gap()) {
    ledger.attribute(kLoss, time);  // a segment after the gap shows that the server had sent the bytes in it
  } else if (server.window.is_closed()) {
    ledger.attribute(kWindow, time);
  } else if (last_sender_ != server_side) {
    attribute_turn(ledger, server_side, kServer, time, false, round_trips);
  } else {
    ledger.attribute(kServer, time);
  }
  return ledger.causes;
}

}  // namespace wirelap
