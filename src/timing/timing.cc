#include "timing/timing.h"

#include <algorithm>

namespace wirelap {
namespace {

// The least that a receiver is taken to hold an acknowledgment back on purpose:
// Linux waits 40 ms, others 25 to 200 (RFC 9293, 3.8.6.3 allows 500).
constexpr Nanos kLeastAckDelay = 15'000'000;

/// How far `later` is ahead of `earlier` on the circle of timestamps.
std::int32_t clock_distance(std::uint32_t earlier, std::uint32_t later) {
  return static_cast<std::int32_t>(later - earlier);
}

}  // namespace

void Timing::record_round_trip(Side side, Nanos measured) {
  Nanos& path = sender_state(side).path;
  constexpr Nanos kLongest = 3600 * kNanosPerSecond;  // longer ones are clocks that stepped
  if (measured == kUnknownTime || measured >= kLongest || (path != kUnknownTime && measured >= path)) return;
  if (path == kUnknownTime) sender_state(side).open_until = 0;  // it was taken for none
  path = std::max<Nanos>(measured, 0);
  round_trip_ = or_zero(streams_[0].path) + or_zero(streams_[1].path);
  grain_ = round_trip_ / kGrainsPerRoundTrip;
}

bool Timing::may_get_lost(Side sender) const {
  const Nanos before = path_to(sender);
  const Nanos beyond = path_to(other(sender));
  return before == kUnknownTime || beyond == kUnknownTime || beyond > before / 4;
}

bool Timing::process_acknowledgment(Side side, const Acknowledged& now, TcpCounts& counts) {
  SenderState& data = sender_state(other(side));
  const bool spurious = resent_ != nullptr && give_back_if_unneeded(other(side), now, counts);
  SenderState& answers = sender_state(side);
  const Nanos queued = answers.queued;
  note_acknowledged(data, side, now.offset, now.edge, now.time);
  // What was sent before the latest retransmission may have waited for that (Karn's algorithm: RFC 6298, 3).
  if (resent_ != nullptr && now.time - answers.queued < resent_->time) answers.queued = queued;
  if (data.window_closed && !now.zero_window) {
    data.reopened = now.time;
    data.open_until = 0;
  }
  data.window_closed = now.zero_window;
  return spurious;
}

/// A segment up to `end`, not as long as both ends allow, whose sender has more to send, or one of several in one:
/// segments are as long as the path, or half the largest window, lets them be (RFC 9293, 3.7.5 and 3.8.6.2.1).
void Timing::note_not_short(SenderState& from, std::uint64_t end, std::uint32_t length) {
  constexpr std::uint32_t kLeast = 500;  // RFC 9293, 3.7.1: 536, with options
  const bool cut = end == from.allowed.now();
  if (length > from.ids.full_length()) {
    const std::uint32_t one = from.ids.shown_length();
    from.last_short = one == 0 || length % one != 0;
    return;
  }
  if (cut || length < kLeast) return;
  from.full_length = length;
  from.last_short = false;
}

/// Whether the receiver's window had room up to offset `end` when the ledger came to where it is, as far as
/// the sender could know, and did not cut the segment short; true is certain, false is not.
bool Timing::was_open(SenderState& from, std::uint64_t end, std::uint32_t length) const {
  const std::uint64_t edge = from.allowed.now();
  if (end == edge && length < from.full_length) return false;
  const Nanos path = or_zero(from.path);
  if (from.reopened > ledger_.until - path) return false;
  const OffsetLog::Point* const point = from.allowed.find(end);
  if (point == nullptr) return true;  // there was more than is known of
  from.open_until = point->end - 1;
  from.open_since = std::max(from.allowed.reached(end), from.reopened) + path;
  return ledger_.until >= from.open_since;
}

/// Where what `resent_` says was sent again for nothing, its loss is undone. Where nothing
/// has been attributed since, the wait goes on as it was before.
bool Timing::give_back_if_unneeded(Side sender, const Acknowledged& now, TcpCounts& counts) {
  if (resent_->sender != sender || !was_unneeded(now)) return false;
  counts.spurious += 1;
  if (ledger_.until == resent_->time) {
    ledger_ = resent_->ledger;
    moved_ = resent_->moved;
    mover_ = resent_->mover;
  } else {
    ledger_.causes.by[kLoss] -= resent_->charged;
    ledger_.causes.by[kNetwork] += resent_->charged - resent_->paused;
    ledger_.causes.by[resent_->cause] += resent_->paused;
    moved_.sum -= resent_->charged - resent_->paused;
  }
  resent_.reset();
  return true;
}

/// Whether the receiver had what `resent_` sent again: it says so, or
/// acknowledged it sooner than an answer to the second one can come.
bool Timing::was_unneeded(const Acknowledged& now) const {
  if (now.duplicate_sack) return true;
  const Nanos beyond = or_zero(path_to(other(resent_->sender)));
  return now.offset >= resent_->end && now.time - resent_->time < beyond * 9 / 10;
}

bool Timing::process_payload(const PlacedSegment& placed, Side client, TcpCounts& counts) {
  SenderState& from = sender_state(placed.sender);
  if (placed.end() <= static_cast<std::int64_t>(placed.next)) return take_seen_before(placed, client, counts);
  if (placed.begin > static_cast<std::int64_t>(placed.next)) {
    if (!placed.after_gap) note_hole(from, placed, client);
  } else if (placed.after_gap) {
    fill_hole(from, placed, counts);
  } else if (is_while_waited_for(placed.sender, client)) {
    from.unseen = 0;
  } else {
    const bool resent = looks_resent(placed);
    advance(placed, client, resent);
    if (resent) {
      from.unseen = std::max<std::uint16_t>(from.unseen, 1);
      count_resent(from, counts);
    }
    from.unseen = 0;
  }
  note_new(from, static_cast<std::uint64_t>(placed.end()), placed.packet, placed.pushed);
  return false;
}

/// A segment came that others should have come before.
void Timing::note_hole(SenderState& from, const PlacedSegment& placed, Side client) {
  from.behind_hole = {placed.packet.id, placed.packet.timestamp, placed.packet.time};
  from.has_hole = true;
  // One that is itself sent again, as a probe for a lost tail is, shows a hole that was there since what came before
  // it. Where its sender had no more to send then, as far as is known, more IDs are left out than what is missing has.
  const bool had_more = mover_ == placed.sender && !(from.last_short && from.last_pushed);
  const auto missing = static_cast<std::uint64_t>(placed.begin) - placed.next;
  const std::uint64_t full = std::max<std::uint32_t>(from.full_length, 1);
  const bool probed = had_more || from.announced > placed.next || from.ids.jump() > (missing + full - 1) / full;
  if (ledger_.until == kUnknownTime || (probed && looks_resent(placed))) return;
  // Else what is missing was sent just before it.
  PlacedSegment first = placed;
  first.begin = static_cast<std::int64_t>(placed.next);
  first.packet.length = static_cast<std::uint32_t>(std::min(missing, full));
  judge(first, client, placed.packet.time, false);
  mover_ = placed.sender;
}

void Timing::fill_hole(SenderState& from, const PlacedSegment& placed, TcpCounts& counts) {
  const bool reordered = was_reordered(from, placed.packet);
  ledger_.attribute(reordered ? kNetwork : kLoss, placed.packet.time);
  filled_ = placed.packet.time;
  mover_ = placed.sender;
  if (from.unseen > 0) from.unseen -= 1;
  if (reordered) {
    counts.out_of_order += 1;
  } else {
    counts.lost += 1;
    counts.retransmitted += 1;
    from.recovered = true;
  }
  // What is unseen then were retransmissions that got lost themselves.
  if (placed.fills_gaps && from.recovered) count_resent(from, counts);
  if (placed.fills_gaps) from.recovered = false;
}

/// Each ID left out is a packet lost on its way to the capture point.
void Timing::count_resent(SenderState& from, TcpCounts& counts) {
  counts.lost += from.unseen;
  counts.retransmitted += from.unseen;
  from.unseen = 0;
}

/// Bytes that the capture point has seen before: sent again, or only a copy.
bool Timing::take_seen_before(const PlacedSegment& placed, Side client, TcpCounts& counts) {
  SenderState& from = sender_state(placed.sender);
  const bool all_acknowledged = placed.acknowledged >= placed.next;
  const bool keep_alive = placed.packet.length <= 1 && all_acknowledged;  // RFC 9293, 3.8.4
  if (keep_alive) {
    record_probe(placed.sender, placed.packet.time);
    return false;
  }
  // A second late arrival of one packet carries its old ID.
  if (from.ids.is_late()) {
    counts.duplicate += 1;
    return false;
  }
  counts.retransmitted += 1;
  if (static_cast<std::int64_t>(placed.acknowledged) >= placed.end()) {
    from.heard_again = placed.packet.time;
    return false;
  }
  counts.lost += 1;
  resent_ = make_in<Resent>(memory_, placed, *this);
  const OffsetLog::Point* const first =
      from.sent.find(static_cast<std::uint64_t>(std::max<std::int64_t>(placed.begin, 0)) + 1);
  if (first != nullptr) {
    if (first->time > ledger_.until) judge(placed, client, first->time, false);
    charge_loss_since(*first);
  }
  note_drained(placed);
  ledger_.attribute(kLoss, placed.packet.time);
  resent_->charged = ledger_.causes.by[kLoss] - resent_->ledger.causes.by[kLoss];
  mover_ = placed.sender;
  return true;
}

/// What went on since `first` was behind the hole: the receiver waited all along, and what it could
/// not hand on took up its window.
void Timing::charge_loss_since(const OffsetLog::Point& first) {
  const Nanos now = network_so_far();
  const Nanos charged_before = std::max<Nanos>(moved_.end - std::max(moved_.begin, first.network), 0);
  const Nanos network = std::max<Nanos>(now - first.network - charged_before, 0);
  const Nanos window = first.time <= window_since_ ? window_time_ : 0;
  const Nanos paused =
      paused_.end > first.time ? std::min(paused_.length, paused_.end - std::max(paused_.begin, first.time)) : 0;
  ledger_.causes.by[kNetwork] -= network;
  ledger_.causes.by[kWindow] -= window;
  ledger_.causes.by[paused_.cause] -= paused;
  ledger_.causes.by[kLoss] += network + window + paused;
  resent_->paused = paused;
  paused_.length -= paused;
  paused_.end -= paused;
  const Nanos begin = first.network <= moved_.end ? std::min(moved_.begin, first.network) : first.network;
  moved_ = {moved_.sum + network, begin, now};
  window_time_ = 0;
}

/// Whether a segment that fills a hole is the original, reordered on the way by
/// those behind the hole, or was sent again.
bool Timing::was_reordered(const SenderState& from, const PacketIdentity& mark) const {
  const Clocks& behind = from.behind_hole;
  if (from.ids.are_steady() && mark.has_id) return id_distance(behind.id, mark.id) < 0;
  if (mark.timestamp != behind.timestamp) return clock_distance(behind.timestamp, mark.timestamp) < 0;
  const Nanos least = round_trip_ == 0 ? 3 * kMillisecond : round_trip_ * 3 / 4;
  return mark.time - behind.time < least;
}

/// Whether a segment in order was lost before the capture point at first, with
/// nothing behind it to show the hole.
bool Timing::looks_resent(const PlacedSegment& placed) const {
  const SenderState& from = streams_[index(placed.sender)];
  if (ledger_.until == kUnknownTime) return false;
  const Nanos waited = placed.packet.time - ledger_.until - (mover_ == placed.sender ? 0 : or_zero(from.path));
  // A probe or timeout comes no sooner than two round trips (RFC 8985, 7.2).
  if (waited < std::max(round_trip_ * 3 / 2, kSoonestResent)) return false;
  if (from.announced > placed.next) return true;
  // The first of its turn, with nothing behind it, is sent again by a timeout alone: an ID left out before what comes
  // sooner was an acknowledgment's.
  constexpr Nanos kLeastTimeout = 180 * kMillisecond;  // Linux has 200; others do not count their IDs so
  const bool first = mover_ != placed.sender && placed.begin <= static_cast<std::int64_t>(placed.next);
  return from.ids.jump() != 0 && (!first || waited >= kLeastTimeout);
}

/// How much of a pause its sender's clock (TSval, RFC 7323) says was none:
/// segments sent together that arrive apart were spread by a queue.
Nanos Timing::spread(const PlacedSegment& placed, Nanos pause) const {
  const SenderState& from = streams_[index(placed.sender)];
  if (placed.packet.timestamp == 0 || from.latest_timestamp == 0) return 0;
  // Linux, macOS and Windows tick in milliseconds; a slower clock leaves less to see.
  const Nanos sent_apart = (clock_distance(from.latest_timestamp, placed.packet.timestamp) + Nanos{1}) * kMillisecond;
  return sent_apart < pause / 2 ? pause - std::max<Nanos>(sent_apart, 0) : 0;
}

/// Whether what ended before `next` filled a congestion window, and its acknowledgment let the next segment go, which
/// came `late` after it could: not by chance.
bool Timing::fills_window(const SenderState& from, std::uint64_t next, Nanos late) {
  constexpr std::uint64_t kLeastSegments = 8;  // the first window has 10 (RFC 6928), some of them short
  constexpr Nanos kLatest = kMillisecond / 2;
  const OffsetLog::Step heard = from.acknowledged.last_step();
  return from.acknowledged.now() == next && heard.bytes >= kLeastSegments * from.full_length && late <= kLatest &&
         late >= -kLatest;
}

/// Whether a segment came `gap` after the one before as one does behind a thin part of the path that is never empty:
/// as that one came after its own predecessor, for their lengths.
bool Timing::is_at_line_rate(const PlacedSegment& placed, Nanos gap) const {
  constexpr Nanos kLongest = kNanosPerSecond;
  constexpr std::int64_t kHeaders = 60;
  const OffsetLog::Step before = streams_[index(placed.sender)].sent.last_step();
  if (before.bytes == 0 || before.took <= 0 || before.took > kLongest || gap > kLongest) return false;
  constexpr std::uint64_t kMostBytes = 1 << 20;
  if (before.bytes > kMostBytes || placed.packet.length > kMostBytes) return false;
  const std::int64_t expected = before.took * (placed.packet.length + kHeaders);
  const std::int64_t scaled = gap * (static_cast<std::int64_t>(before.bytes) + kHeaders);
  return scaled <= expected + expected / 4 && scaled >= expected - expected / 4;
}

void Timing::advance(const PlacedSegment& placed, Side client, bool resent) {
  note_drained(placed);
  judge(placed, client, placed.packet.time, resent);
  mover_ = placed.sender;
}

/// With a new turn the queue that its answers had to pass is empty, and so it is where nothing was sent for longer
/// than that takes.
void Timing::note_drained(const PlacedSegment& placed) {
  SenderState& answers = sender_state(other(placed.sender));
  // Long, too, where the ledger has nothing yet, or has come further.
  const std::uint64_t since =
      static_cast<std::uint64_t>(placed.packet.time) - static_cast<std::uint64_t>(ledger_.until);
  const Nanos emptied = std::max(answers.queued, kSoonestResent);  // what comes sooner may be on the straight path
  if (mover_ != placed.sender || since > static_cast<std::uint64_t>(emptied)) answers.queued = 0;
}

/// Spends what lies before `until` on what kept the segment from coming sooner.
void Timing::judge(const PlacedSegment& placed, Side client, Nanos until, bool resent) {
  if (ledger_.until == kUnknownTime || until <= ledger_.until) return ledger_.attribute(kNetwork, until);
  if (spend_window(placed, until)) return;
  if (mover_ != placed.sender) return judge_turn(ledger_, placed.sender, client, until, resent);
  const Cause cause = application(placed.sender, client);
  const Nanos before = ledger_.causes.by[cause];
  judge_pause(placed, client, until, resent);
  if (ledger_.causes.by[cause] != before) note_paused(cause, ledger_.causes.by[cause] - before);
}

/// The ledger's last `length` went to an application.
void Timing::note_paused(Cause cause, Nanos length) {
  const Nanos begin = ledger_.until - length;
  if (paused_.cause != cause || begin > paused_.end + tolerance()) paused_ = {begin, 0, 0, cause};
  paused_.length += length;
  paused_.end = ledger_.until;
}

/// Time in which the receiver's window had no room for the segment, as far as
/// its sender could know. True where that explains all of it.
bool Timing::spend_window(const PlacedSegment& placed, Nanos until) {
  const SenderState& from = streams_[index(placed.sender)];
  if (placed.packet.length == 0) return false;
  // A segment cut to what is left of the window waited for more (RFC 9293, 3.8.6.2.1).
  const std::uint64_t edge = from.allowed.now();
  if (placed.packet.length < from.full_length && static_cast<std::uint64_t>(placed.end()) == edge &&
      mover_ == placed.sender) {
    wait_for_window(until);
    return true;
  }
  const Nanos opened = std::max(from.allowed.reached(static_cast<std::uint64_t>(placed.end())), from.reopened);
  if (opened <= OffsetLog::kLongAgo) return false;
  const Nanos known = opened + or_zero(from.path);
  if (known <= ledger_.until) return false;
  const bool sent_at_once = until - known <= tolerance();
  if (!sent_at_once && known - ledger_.until <= tolerance()) return false;
  wait_for_window(sent_at_once ? until : known);
  return sent_at_once;
}

void Timing::wait_for_window(Nanos until) {
  window_since_ = ledger_.until;
  const Nanos before = ledger_.causes.by[kWindow];
  ledger_.attribute(kWindow, until);
  window_time_ = ledger_.causes.by[kWindow] - before;
}

/// Its sender had to hear from the other end first.
void Timing::judge_turn(Ledger& ledger, Side sender, Side client, Nanos until, bool resent) const {
  // Bytes that stood in a queue reach it later than the bare path has it.
  const Nanos path = std::max(or_zero(path_to(sender)), streams_[index(sender)].queued);
  ledger.attribute(kNetwork, std::min(until, ledger.until + path));
  ledger.attribute(resent ? kLoss : application(sender, client), until);
}

/// Its sender had sent before, and paused.
void Timing::judge_pause(const PlacedSegment& placed, Side client, Nanos until, bool resent) {
  const SenderState& from = streams_[index(placed.sender)];
  if (resent) return ledger_.attribute(kLoss, until);
  const Nanos begun = ledger_.until;
  const Nanos path = or_zero(from.path);
  const Nanos beyond = or_zero(path_to(other(placed.sender)));
  const std::uint32_t full = from.full_length;
  const bool short_before = from.last_short;
  const Nanos acknowledged = from.acknowledged.reached(placed.next);
  // One that sent again what was acknowledged had not heard of that: it does by the answer to that.
  const Nanos heard = acknowledged == kUnknownTime ? kUnknownTime : std::max(acknowledged, from.heard_again);
  const Nanos free = heard == kUnknownTime ? kUnknownTime : heard + path;
  const Nanos near = std::max(grain_ / 4, kMillisecond / 2);
  const bool on_acknowledgment = free != kUnknownTime && until - free <= tolerance() && free - until <= tolerance();

  // Nagle's algorithm (RFC 1122, 4.2.3.4) holds a short segment back until the
  // one before is acknowledged, which the receiver delays (4.2.3.2).
  const bool short_now = full != 0 && placed.packet.length < full;
  const bool at_once = on_acknowledgment && until - free <= near && free - until <= near;
  if (at_once && short_before && short_now && acknowledged - begun >= beyond + kLeastAckDelay) {
    return ledger_.attribute(kAckDelay, until);
  }
  // What the network spread is none of its sender's.
  ledger_.attribute(kNetwork, ledger_.until + spread(placed, until - begun));
  if (until == ledger_.until) return;
  if (short_before && from.last_pushed && !(on_acknowledgment && fills_window(from, placed.next, until - free)))
    return ledger_.attribute(application(placed.sender, client), until);
  if (is_at_line_rate(placed, until - begun)) return ledger_.attribute(kNetwork, until);
  // Bytes on their way, or just acknowledged: the congestion window sets the pace.
  if (free == kUnknownTime || on_acknowledgment || until < free) return ledger_.attribute(kNetwork, until);
  ledger_.attribute(kNetwork, std::min(until, std::max(begun, free)));
  ledger_.attribute(application(placed.sender, client), until);
}

/// The same past the point up to which all is spent.
CauseTimes Timing::causes_beyond(Nanos time, Side client) const {
  Ledger ledger = ledger_;
  const Side waited_for = mover_ == client ? other(client) : mover_;
  const SenderState& awaited = streams_[index(waited_for)];
  if (awaited.has_hole) {
    ledger.attribute(kLoss, time);  // what it sent past that tells that it has sent what is missing, too
  } else if (awaited.window_closed) {
    ledger.attribute(kWindow, time);
  } else if (mover_ != waited_for) {
    judge_turn(ledger, waited_for, client, time, false);
  } else {
    ledger.attribute(application(waited_for, client), time);
  }
  return ledger.causes;
}

}  // namespace wirelap
