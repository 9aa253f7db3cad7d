// flow: what a connection's time was spent on, in one pass.
//
// In: the segments of one connection, each with its place in its stream. Out: a
// ledger of time by cause, and counts of what became of segments. No packet is
// kept; per stream a few points of its history are.
//
// The ledger advances at each arrival of new in-order bytes. What lies between
// two arrivals is attributed by the later one: what kept its sender from sending it
// at once, and until when? What the sender of a segment seen at `t` knew is what
// had passed the capture point by `t` minus the round trip from there to that
// sender. That makes a capture at either end, or between, say the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>

#include "base/memory.h"
#include "base/time.h"
#include "flow/counts.h"
#include "flow/key.h"
#include "flow/packet_identity.h"
#include "timing/causes.h"
#include "timing/ip_ids.h"
#include "timing/offset_log.h"

namespace wirelap {

/// A segment with payload and its place in its stream.
struct PlacedSegment {
  Side sender = Side::low;
  std::int64_t begin = 0;          ///< offset of its first byte
  std::uint64_t next = 0;          ///< first byte of the stream that was not there in order before it
  std::uint64_t acknowledged = 0;  ///< of the stream, by its receiver, before it
  bool after_gap = false;          ///< segments past `next` were there already
  bool fills_gaps = false;         ///< with it, nothing is missing before the last of those
  bool pushed = false;
  PacketIdentity packet;

  std::int64_t end() const { return begin + static_cast<std::int64_t>(packet.length); }
};

/// An acknowledgment and its place in the stream.
struct Acknowledged {
  std::uint64_t offset = 0;  ///< all before it has arrived
  std::uint64_t edge = 0;    ///< right edge of the receiver's window
  bool zero_window = false;
  bool duplicate_sack = false;  ///< it reports bytes that arrived twice (RFC 2883)
  Nanos time = 0;
};

/// Judges one connection.
class Timing {
 public:
  /// Its histories are kept in `memory`.
  explicit Timing(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : memory_(memory) {}
  std::pmr::memory_resource* memory() const { return memory_; }

  const CauseTimes& causes() const { return ledger_.causes; }

  /// What would be spent if nothing more came until `time`.
  CauseTimes causes_until(Nanos time, Side client) const {
    const bool all = time <= ledger_.until || ledger_.until == kUnknownTime;
    return all ? ledger_.causes : causes_beyond(time, client);
  }

  /// Round trip from the capture point to `side` and back, by the handshake or
  /// the quickest answer; kUnknownTime where there was neither.
  Nanos path_to(Side side) const { return streams_[index(side)].path; }
  /// A round trip that was measured; the smallest counts.
  void record_round_trip(Side side, Nanos round_trip);

  /// Whether what `sender` sends may still get lost after the capture point saw it.
  bool may_get_lost(Side sender) const;

  /// The longest payload of one packet that either may send; 0: not known. Before all that follows.
  void set_full_lengths(std::uint32_t bytes) {
    for (SenderState& stream : streams_) {
      stream.full_length = bytes;
      stream.ids.set_full_length(bytes);
    }
  }

  /// Before its segments: the latest packet of `sender` so far (without an ID where there was
  /// none), and whether it counts its IP IDs by connection, not over all that it sends.
  void begin_stream(Side sender, const PacketIdentity& latest, bool own_ids) {
    sender_state(sender).ids.begin(latest, own_ids);
  }

  /// The right edge of the window that `sender` has had so far.
  void set_right_edge(Side sender, std::uint64_t edge, Nanos time) {
    sender_state(sender).allowed.reach(edge, time, 0, 0, memory_);
  }

  /// The server speaks first: all has waited for it since the handshake was over, at `time`.
  void begin_with_server(Side client, Nanos time) {
    ledger_.until = time;
    mover_ = client;
  }

  /// A packet of `sender`, with or without payload, that is no copy.
  void process_packet(Side sender, const PacketIdentity& mark) {
    SenderState& from = sender_state(sender);
    if (from.ids.process_next(mark)) [[likely]]
      return;
    from.ids.process(mark);
    from.unseen = static_cast<std::uint16_t>(from.unseen + from.ids.jump());
  }

  /// Who is to send next, as the consumer knows from the messages: while the
  /// server is, what the client sends meanwhile ends no wait.
  void wait_for(Side side) {
    awaited_ = side;
    has_awaited_ = true;
  }

  /// A segment of `sender` without payload stands at `offset` of its stream: it has sent all before.
  void record_position(Side sender, std::uint64_t offset) {
    SenderState& from = sender_state(sender);
    if (offset > from.announced) from.announced = offset;
  }

  /// `sender` sent nothing, or a byte, from before what it is to send next: it asks whether its window is closed still
  /// (RFC 9293, 3.8.6.1), and has not heard that it opened; or it is a keep-alive.
  void record_probe(Side sender, Nanos time) {
    SenderState& from = sender_state(sender);
    if (mover_ != sender || from.window_closed || from.reopened < ledger_.until) return;
    from.reopened = time;
    from.open_until = 0;
  }

  /// `side` acknowledged the other's stream. True where that shows that what was
  /// last taken for lost and sent again had arrived at first: its time is given back.
  bool process_acknowledgment(Side side, const Acknowledged& now, TcpCounts& counts);

  /// The same on a short path, where the window, up to `edge`, is open: false where nothing is
  /// done, since there is more to do.
  bool process_next_acknowledgment(Side side, std::uint64_t offset, std::uint64_t edge, Nanos time) {
    SenderState& data = sender_state(other(side));
    if (data.window_closed || resent_ != nullptr) return false;
    note_acknowledged(data, side, offset, edge, time);
    return true;
  }

  /// A segment with payload that stands next in its stream, with nothing behind it,
  /// and whose sender only the network has kept from sending it sooner: most are
  /// such. The same as take_data, on a short path; false where nothing is done,
  /// since it may not be one.
  [[gnu::always_inline]] bool process_next(Side sender, Side client, std::uint64_t begin, const PacketIdentity& mark,
                                           bool pushed) {
    SenderState& from = sender_state(sender);
    const std::uint64_t end = begin + mark.length;
    // Long, too, where the ledger has nothing yet, or has come further.
    const std::uint64_t since = static_cast<std::uint64_t>(mark.time) - static_cast<std::uint64_t>(ledger_.until);
    if (mover_ != sender || since >= std::uint64_t{kSoonestResent} || from.last_short ||
        is_while_waited_for(sender, client) || !is_paced_by_network(from, begin, end, mark))
      return false;
    ledger_.causes.by[kNetwork] += static_cast<Nanos>(since);
    ledger_.until = mark.time;
    from.unseen = 0;
    note_new(from, end, mark, pushed);
    return true;
  }

  /// A segment with payload, before its bytes are delivered. True where it was
  /// seen before and got lost beyond the capture point: its receiver has it only now.
  bool process_payload(const PlacedSegment& placed, Side client, TcpCounts& counts);

  /// Bytes of `sender` are missing from the capture alone: so are the packets that brought them.
  void record_not_captured(Side sender) { sender_state(sender).unseen = 0; }

  /// Nothing of `sender` waits behind a hole any more.
  void end_sequence_gap(Side sender) { sender_state(sender).has_hole = false; }

 private:
  /// What tells whether of two segments the one that came later was sent earlier.
  struct Clocks {
    std::uint16_t id = 0;
    std::uint32_t timestamp = 0;
    Nanos time = kUnknownTime;
  };

  /// One direction, as the judge sees it.
  struct SenderState {
    OffsetLog sent{true};             // bytes seen
    OffsetLog acknowledged{true, 0};  // of them, by the receiver
    OffsetLog allowed{false};         // right edge of the receiver's window
    Nanos path = kUnknownTime;        // round trip between the capture point and the sender
    Nanos queued = 0;                 // what its latest answer to bytes in flight took, in this turn
    Nanos reopened = kUnknownTime;    // when the receiver's zero window last ended
    bool window_closed = false;
    bool last_pushed = false;  // the latest new segment ended what its sender had
    bool last_short = false;   // and was not made of full ones
    std::uint32_t full_length = 0;
    IpIds ids;
    std::uint32_t latest_timestamp = 0;  // of the latest segment with new bytes
    Clocks behind_hole;                  // of the first segment that came too early
    Nanos heard_again = kUnknownTime;    // when what it had sent again in vain was last answered
    std::uint64_t announced = 0;         // its sender had sent all before this offset
    std::uint16_t unseen = 0;            // IDs left out that no retransmission explains yet
    bool recovered = false;              // a part of the present hole was sent again
    bool has_hole = false;               // something stands past one
    // What ends before that was allowed when the ledger came to then, as was_open found last.
    std::uint64_t open_until = 0;
    Nanos open_since = 0;
  };

  /// What was kNetwork, and has become kLoss since.
  struct Moved {
    Nanos sum = 0;
    // The latest stretch of it, in `network_so_far`.
    Nanos begin = 0;
    Nanos end = 0;
  };

  /// The latest run of what went to one end's application, with next to nothing between.
  struct Paused {
    Nanos begin = 0;
    Nanos end = 0;
    Nanos length = 0;
    Cause cause = kServer;
  };

  /// The state before a segment was taken for lost and sent again.
  struct Resent {
    Side sender;
    std::uint64_t end;  // offset of its end
    Nanos time;
    Ledger ledger;
    Moved moved;
    Side mover;
    Nanos charged;  // to kLoss, for it
    Nanos paused;   // of that, taken from an application
    Cause cause;    // which
    std::pmr::memory_resource* made_in;

    Resent(const PlacedSegment& placed, const Timing& before, std::pmr::memory_resource* memory)
        : sender(placed.sender),
          end(static_cast<std::uint64_t>(placed.end())),
          time(placed.packet.time),
          ledger(before.ledger_),
          moved(before.moved_),
          mover(before.mover_),
          charged(0),
          paused(0),
          cause(before.paused_.cause),
          made_in(memory) {}
    std::pmr::memory_resource* memory() const { return made_in; }
  };

  // Points of history an eighth of a round trip apart reach back over one.
  static constexpr int kGrainsPerRoundTrip = 8;
  static constexpr Nanos kMillisecond = 1'000'000;
  // What follows sooner was not sent again.
  static constexpr Nanos kSoonestResent = 2 * kMillisecond;

  SenderState& sender_state(Side side) { return *hold(&streams_[index(side)]); }
  static Cause application(Side sender, Side client) { return sender == client ? kClient : kServer; }

  /// All that was ever spent on kNetwork, with what has become kLoss since: this only grows.
  Nanos network_so_far() const { return ledger_.causes.by[kNetwork] + moved_.sum; }

  /// Whether `length` bytes are not as many as one full segment has, or several; `full` is 0 where that is not known.
  static bool is_short(std::uint32_t length, std::uint32_t full) {
    return length != full && full != 0 && (length < full || length % full != 0);
  }

  static Nanos or_zero(Nanos time) { return time == kUnknownTime ? 0 : time; }

  /// Whether `sender` is the client and sends more while the server is at work, which ends no wait.
  bool is_while_waited_for(Side sender, Side client) const {
    return has_awaited_ && sender == client && awaited_ != client && mover_ == client;
  }

  /// Whether `judge` spends all before `mark`, a segment of who has sent last, a full one and soon
  /// before, on kNetwork. Only what takes few comparisons is found: true is certain, false is not.
  bool is_paced_by_network(SenderState& from, std::uint64_t begin, std::uint64_t end,
                           const PacketIdentity& mark) const {
    const bool open = end < from.open_until && ledger_.until >= from.open_since;
    if (!open && !was_open(from, end, mark.length)) return false;
    return !from.acknowledged.has(begin) ||
           mark.time - from.acknowledged.reached(begin) - or_zero(from.path) <= tolerance();
  }
  [[gnu::noinline]] bool was_open(SenderState& from, std::uint64_t end, std::uint32_t length) const;

  /// `side` acknowledged all before `offset` of the other's stream, `data`, and allows it up to `edge`.
  void note_acknowledged(SenderState& data, Side side, std::uint64_t offset, std::uint64_t edge, Nanos time) {
    const Nanos grain = grain_;  // as it was before the answer
    if (!data.acknowledged.has(offset)) {
      note_answer(data, side, offset, time);
      data.acknowledged.reach(offset, time, grain, 0, memory_);
    }
    data.allowed.reach(edge, time, grain, 0, memory_);
  }

  /// The quickest answer to data tells the way to its receiver.
  void note_answer(const SenderState& data, Side side, std::uint64_t offset, Nanos time) {
    const Nanos sent = data.sent.reached(offset);
    if (sent <= OffsetLog::kLongAgo) return;
    SenderState& answers = sender_state(side);
    const Nanos took = time - sent;
    if (took < answers.path || answers.path == kUnknownTime) record_round_trip(side, took);
    // What came before a hole was filled waited for that.
    if (data.sent.has(offset + 1) && sent > filled_) answers.queued = took;
  }

  /// `mark` brought new bytes, up to offset `end`.
  void note_new(SenderState& from, std::uint64_t end, const PacketIdentity& mark, bool pushed) {
    from.sent.reach(end, mark.time, grain_, network_so_far(), memory_);
    from.latest_timestamp = mark.timestamp;
    from.last_short = is_short(mark.length, from.full_length);
    if (from.last_short && (!pushed || mark.length > from.full_length)) [[unlikely]]
      note_not_short(from, end, mark.length);
    from.last_pushed = pushed;
  }

  [[gnu::noinline]] static void note_not_short(SenderState& from, std::uint64_t end, std::uint32_t length);
  CauseTimes causes_beyond(Nanos time, Side client) const;
  bool give_back_if_unneeded(Side sender, const Acknowledged& now, TcpCounts& counts);
  bool was_unneeded(const Acknowledged& now) const;
  // Rare: apart from what each segment runs through.
  [[gnu::noinline]] bool take_seen_before(const PlacedSegment& placed, Side client, TcpCounts& counts);
  [[gnu::noinline]] void note_hole(SenderState& from, const PlacedSegment& placed, Side client);
  [[gnu::noinline]] void fill_hole(SenderState& from, const PlacedSegment& placed, TcpCounts& counts);
  static void count_resent(SenderState& from, TcpCounts& counts);
  bool was_reordered(const SenderState& from, const PacketIdentity& mark) const;
  void advance(const PlacedSegment& placed, Side client, bool resent);
  void note_drained(const PlacedSegment& placed);
  void note_paused(Cause cause, Nanos length);
  void judge(const PlacedSegment& placed, Side client, Nanos until, bool resent);
  void judge_turn(Ledger& ledger, Side sender, Side client, Nanos until, bool resent) const;
  void judge_pause(const PlacedSegment& placed, Side client, Nanos until, bool resent);
  bool spend_window(const PlacedSegment& placed, Nanos until);
  void wait_for_window(Nanos until);
  void charge_loss_since(const OffsetLog::Point& first);
  bool looks_resent(const PlacedSegment& placed) const;
  Nanos spread(const PlacedSegment& placed, Nanos pause) const;
  static bool fills_window(const SenderState& from, std::uint64_t next, Nanos late);
  bool is_at_line_rate(const PlacedSegment& placed, Nanos gap) const;
  /// Times nearer than this are one.
  Nanos tolerance() const { return grain_ > kMillisecond / 2 ? grain_ : kMillisecond / 2; }

  SenderState streams_[2];  // by the Side that sends
  Ledger ledger_;
  Moved moved_;
  Paused paused_;
  Nanos round_trip_ = 0;         // as far as it is known
  Nanos grain_ = 0;              // of the logs
  Nanos filled_ = kUnknownTime;  // when a hole was last filled, in part
  Nanos window_since_ = 0;       // when the latest wait for a window began
  Nanos window_time_ = 0;        // and what was charged for it
  Owned<Resent> resent_;         // the latest that may turn out spurious
  std::pmr::memory_resource* memory_;
  Side mover_ = Side::low;    // who sent the bytes that advanced it last
  Side awaited_ = Side::low;  // who is to send next, where has_awaited_
  bool has_awaited_ = false;
};

}  // namespace wirelap
