// flow: from segments to the bytes of each stream, in order.
//
// In: decoded segments. Out, through an inlined consumer: each stream's bytes
// in order, what is missing of them, and how streams end. Bytes in order pass
// straight through; only those past a hole are copied, and only where the
// consumer needs to see them.
//
// A hole ends when its bytes come (again), or is given up as missing once its
// receiver has acknowledged it and its connection has gone on without it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "flow/connection.h"
#include "flow/table.h"
#include "wire/decode.h"

namespace wirelap {

/// Tracks all connections of a run. `Consumer` has these members, `sender`
/// being the side whose stream is meant:
///   void on_packet(Connection&, Side sender, const Segment&)  before the packet's bytes
///   void on_bytes(Connection&, Side sender, const Chunk&, const Arrival&)
///   void on_skipped(Connection&, Side sender, std::uint64_t count, const Arrival&)  captured, but not kept
///   void on_missing(Connection&, Side sender, std::uint64_t count, const Arrival&)
///   void on_sent_again(Connection&, Side sender, std::uint64_t begin, const Arrival&)  bytes seen before, from offset
///                                             `begin` on, reach their receiver only now
///   void on_unneeded(Connection&, Side sender)      the latest on_sent_again was wrong: they had arrived at first
///   void on_acknowledged(Connection&, Side sender)  the stream's `acknowledged` may have grown
///   void on_fin(Connection&, Side sender, const Arrival&)     after the stream's last byte
///   void on_ending(Connection&, Ending, Nanos)                no more bytes come
///   void on_gone(Connection&)                                 after it, when late packets are counted, too
///   std::size_t held_bytes(const Connection&)       where there is a limit: about what it keeps with the connection
/// In on_bytes, on_skipped and on_missing the stream's `next` is the offset of the first of them.
///   std::uint64_t skippable(Connection&, Side sender)         bytes from `next` on of which it needs the count alone
template <class Consumer>
class Tracker {
 public:
  /// Connections are numbered on from `connections`.
  Tracker(Consumer& consumer, std::uint64_t connections) : consumer_(consumer), connections_(connections) {}

  /// The same; what connections hold is in `memory`, and some are given up where that is
  /// over its limit: those that hold much for themselves, then the longest idle.
  /// `memory` outlives it.
  Tracker(Consumer& consumer, std::uint64_t connections, Memory& memory)
      : consumer_(consumer), memory_(&memory), connections_(connections), table_(&memory) {
    memory.on_over([this] { gone_due_ = kAtOnce; });
  }
  ~Tracker() {
    if (memory_ != nullptr) memory_->on_over([] {});
  }
  Tracker(const Tracker&) = delete;
  Tracker& operator=(const Tracker&) = delete;

  /// The number given last.
  std::uint64_t connections() const { return connections_; }

  /// How many were given up for want of memory.
  std::uint64_t evicted() const { return evicted_; }

  const FlowTable& table() const { return table_; }

  /// Takes the next segment of the capture.
  void take(const Segment& segment) {
    forget_due(segment.time);
    Side sender;
    bool added;
    Connection& connection = table_.find_or_add(segment, sender, added);
    take(connection, added, sender, segment);
  }

  /// The same, with what was found before: its connection's key, the key's hash in `table`, and who sent it.
  void take(const Segment& segment, const FlowKey& key, Side sender, std::uint32_t hash) {
    forget_due(segment.time);
    bool added;
    Connection& connection = table_.find_or_add(key, hash, added);
    take(connection, added, sender, segment);
  }

  /// Ends every connection: the capture is over at `time`.
  void finish(Nanos time) {
    tell_gone(kNever);
    // Those that end now push them out: none of them may be met afterwards.
    while (!closed_.empty()) forget_oldest();
    table_.for_each_in_order([&](Connection& connection) { end(connection, Ending::capture_end, time); });
  }

 private:
  // Closed connections are remembered for a while, since late packets of theirs
  // are no new ones.
  static constexpr std::size_t kClosedKept = 4096;
  // For so long after its end a connection's late packets are counted, before it is gone.
  static constexpr Nanos kLateFor = 2 * kNanosPerSecond;
  static constexpr Nanos kNever = std::numeric_limits<Nanos>::max();
  static constexpr Nanos kAtOnce = std::numeric_limits<Nanos>::min();

  void forget_due(Nanos time) {
    if (time >= gone_due_) [[unlikely]]
      take_due(time);
  }

  void take(Connection& connection, bool added, Side sender, const Segment& segment) {
    if (added) [[unlikely]]
      number(connection, segment);
    PacketMark& last = connection.last_packets[index(sender)];
    const bool copy = looks_the_same(segment, last) && is_copy(mark_of(segment), last);
    last = mark_of(segment);
    if ((segment.tcp.flags & kSyn) != 0 && !copy) [[unlikely]]
      take_syn(connection, sender, segment);
    connection.counts.packets += 1;
    connection.packets[index(sender)] += 1;
    connection.counts.duplicate += copy ? 1 : 0;
    count_window(connection, segment);
    consumer_.on_packet(connection, sender, segment);
    if (!copy) [[likely]] {
      if (connection.flows && is_next(connection, sender, segment.tcp)) [[likely]]
        take_next(connection, sender, segment);
      else if (!connection.closed)
        take_open(connection, sender, segment);
      else
        count_late(connection, sender, segment);
    }
    connection.last_time = segment.time;
    connection.last_frame = segment.frame;
  }

  void number(Connection& connection, const Segment& segment) {
    connection.number = ++connections_;
    connection.first_time = segment.time;
    connection.first_frame = segment.frame;
  }

  static Arrival last_arrival(const Connection& connection) { return {connection.last_time, connection.last_frame, 0}; }

  static void count_window(Connection& connection, const Segment& segment) {
    if (segment.tcp.window == 0 && (segment.tcp.flags & (kSyn | kRst)) == 0) ++connection.counts.zero_windows;
  }

  /// Whether a segment of a connection that flows is what most are: no SYN, FIN or RST,
  /// next in its stream, and nothing of either waits behind a hole.
  static bool is_next(const Connection& connection, Side sender, const TcpHeader& tcp) {
    const Stream& stream = connection.stream(sender);
    const Stream& reverse = connection.stream(other(sender));
    return (tcp.flags & (kSyn | kFin | kRst | kAck)) == kAck && tcp.sequence == stream.next_sequence &&
           !stream.has_ahead() && !stream.finished && reverse.acknowledged <= reverse.next;
  }

  /// The straight path for these: the same as take_open, without all that cannot be.
  void take_next(Connection& connection, Side sender, const Segment& segment) {
    const PacketMark& mark = connection.last_packets[index(sender)];
    const TcpHeader& tcp = segment.tcp;
    Timing& timing = *connection.timing;
    Stream& stream = connection.stream(sender);
    Stream& reverse = connection.stream(other(sender));
    timing.note_packet(sender, mark);
    const Arrival arrival{segment.time, segment.frame, note_acknowledgment(reverse, tcp.acknowledgment, false)};
    const std::uint64_t edge = window_edge(connection, sender, arrival.acknowledged, tcp);
    reverse.allowed = std::max(reverse.allowed, edge);
    if (tcp.window == 0 || !timing.knows(sender, arrival.acknowledged, edge)) {
      time_acknowledgment(connection, sender, arrival, edge, tcp);
    }
    consumer_.on_acknowledged(connection, other(sender));
    if (segment.data_length == 0) return timing.note_position(sender, stream.next);
    if (!timing.take_next(sender, connection.client, stream.next, mark, (tcp.flags & kPsh) != 0)) {
      time_data(connection, sender, segment, static_cast<std::int64_t>(stream.next), arrival);
    }
    deliver(connection, sender, {segment.data, segment.data_length}, arrival);
  }

  void take_open(Connection& connection, Side sender, const Segment& segment) {
    if (connection.timing != nullptr) connection.timing->note_packet(sender, connection.last_packets[index(sender)]);
    if (connection.opening) note_handshake_packet(connection, sender, segment);
    take_payload(connection, sender, segment);
    connection.flows = is_flowing(connection);
    if ((segment.tcp.flags & kRst) == 0 || is_stray_reset(connection.stream(sender), segment)) [[likely]]
      return;
    for (const Side side : {Side::low, Side::high}) {
      give_up_holes(connection, side, connection.stream(side).acknowledged, last_arrival(connection));
    }
    if (connection.closed) return;
    connection.set_ender(sender);
    close(connection, is_refusal(connection, sender) ? Ending::refused : Ending::reset, segment.time);
  }

  static bool is_flowing(const Connection& connection) {
    const Stream(&streams)[2] = connection.streams;
    const bool begun = streams[0].started && streams[1].started && connection.timing != nullptr && !connection.opening;
    const bool ends = streams[0].fin != Stream::kNever || streams[1].fin != Stream::kNever || connection.closed;
    return begun && !ends;
  }

  /// Whether a RST of `sender` answers the other's SYN.
  static bool is_refusal(const Connection& connection, Side sender) {
    const bool asked = (connection.last_packets[index(other(sender))].flags & (kSyn | kAck)) == kSyn;
    return asked && connection.offers[index(other(sender))].seen && !connection.offers[index(sender)].seen;
  }

  /// What came before and comes again after the connection's end.
  static void count_late(Connection& connection, Side sender, const Segment& segment) {
    if ((segment.tcp.flags & (kSyn | kRst)) != 0) return;
    const Stream& stream = connection.stream(sender);
    const std::int64_t end = stream.offset_of(segment.tcp.sequence) + segment.data_length;
    const bool data_again = segment.data_length != 0 && end <= static_cast<std::int64_t>(stream.next);
    if (data_again || is_fin_again(stream, end, segment)) connection.counts.retransmitted += 1;
  }

  /// Whether `segment`, which ends at offset `end`, is a FIN alone that was sent before.
  static bool is_fin_again(const Stream& stream, std::int64_t end, const Segment& segment) {
    return (segment.tcp.flags & kFin) != 0 && segment.data_length == 0 && stream.fin != Stream::kNever &&
           end == static_cast<std::int64_t>(stream.fin);
  }

  /// Whether a reset is none for its receiver, since its sequence number is outside
  /// the window (RFC 9293, 3.10.7.4): injected, or old.
  static bool is_stray_reset(const Stream& stream, const Segment& segment) {
    if (!stream.started || stream.allowed == 0) return false;
    const std::int64_t offset = stream.offset_of(segment.tcp.sequence);
    const std::uint64_t left = std::min(stream.acknowledged, stream.next);
    const std::uint64_t right = std::max(stream.allowed, stream.next) + 1;  // its FIN counts, too
    return offset < static_cast<std::int64_t>(left) || offset > static_cast<std::int64_t>(right);
  }

  void take_syn(Connection& connection, Side sender, const Segment& segment) {
    Stream& stream = connection.stream(sender);
    const std::uint32_t first = segment.tcp.sequence + 1;
    const bool answer = (segment.tcp.flags & kAck) != 0;
    const bool other_start = stream.started && stream.offset_of(first) != 0;
    if (other_start && (connection.closed || !answer)) replace(connection, segment);
    if (!stream.started) stream.start_at(first);
    if (stream.offset_of(first) == 0) stream.from_syn = true;
    connection.set_client(answer ? other(sender) : sender);
    note_offer(connection.offers[index(sender)], segment);
    if (connection.agreed()) agree_on_scales(connection);
    note_handshake_start(connection, answer, segment.time);
  }

  static void note_offer(Offer& offer, const Segment& segment) {
    const TcpOptions options = parse_tcp_options(segment.tcp.options);
    offer = {true,
             options.max_segment_size,
             options.window_shift,
             options.has_timestamps,
             options.sack_permitted,
             segment.ip.version == 4 && has_own_ids(segment)};
  }

  /// Windows are scaled where both said so (RFC 7323, 2.2).
  static void agree_on_scales(Connection& connection) {
    const Offer* const offers = connection.offers;
    const bool scaled = offers[0].window_shift >= 0 && offers[1].window_shift >= 0;
    for (const int side : {0, 1}) connection.scales[side] = scaled ? offers[side].window_shift : std::int8_t{0};
  }

  /// Linux counts IP IDs by connection. It is told by its SYN's options (MSS,
  /// SACK and timestamps or fillers, then the window's scale), or by ID 0 in its answer.
  static bool has_own_ids(const Segment& segment) {
    if ((segment.tcp.flags & kAck) != 0 && segment.ip.id == 0) return true;
    const Bytes options = segment.tcp.options;
    if (options.size() < 12 || options[0] != 2) return false;
    const std::uint32_t second = load_be32(&options[4]);
    return second == 0x0402080a || second == 0x01010402;
  }

  static void note_handshake_start(Connection& connection, bool answer, Nanos time) {
    Handshake& handshake = connection.handshake;
    if (handshake.ack != kUnknownTime) return;
    connection.opening = true;
    const bool answered = handshake.first_syn_ack != kUnknownTime;
    const bool again = answer ? answered : handshake.first_syn != kUnknownTime;
    if (again) connection.counts.retransmitted += 1;
    // A SYN that follows its answer was sent again because the answer got lost.
    if (again && answer == answered && !connection.closed) connection.counts.lost += 1;
    if (answer) {
      if (!answered) handshake.first_syn_ack = time;
      handshake.syn_ack = time;
    } else {
      if (!again) handshake.first_syn = time;
      if (!answered) handshake.last_syn = time;
    }
  }

  static void note_handshake_packet(Connection& connection, Side sender, const Segment& segment) {
    Handshake& handshake = connection.handshake;
    if (connection.counts.packets > 1) {
      handshake.max_gap = std::max(handshake.max_gap, segment.time - connection.last_time);
    }
    if (handshake.syn_ack == kUnknownTime || sender != connection.client) return;
    if ((segment.tcp.flags & (kAck | kSyn | kRst)) != kAck) return;
    handshake.ack = segment.time;
    connection.opening = false;
  }

  /// The ports of an ended connection are used again.
  void replace(Connection& connection, const Segment& segment) {
    if (!connection.closed) close(connection, Ending::replaced, segment.time);
    tell(connection);
    const FlowKey key = connection.key;
    const PacketMark last_packets[2] = {connection.last_packets[0], connection.last_packets[1]};
    connection = Connection();  // g++ 12 crashes on {} here, where exceptions are on
    connection.key = key;
    std::copy_n(last_packets, 2, connection.last_packets);
    number(connection, segment);
  }

  void take_payload(Connection& connection, Side sender, const Segment& segment) {
    const TcpHeader& tcp = segment.tcp;
    Stream& stream = connection.stream(sender);
    Stream& reverse = connection.stream(other(sender));
    const bool syn = (tcp.flags & kSyn) != 0;
    const bool fin = (tcp.flags & kFin) != 0;
    const std::uint32_t sequence = tcp.sequence + (syn ? 1 : 0);
    if (!stream.started) stream.start_at(sequence);
    const bool carries = segment.data_length != 0 || fin;
    // The other end's bytes were acknowledged before, and the connection goes on without them.
    if (carries && reverse.acknowledged > reverse.next) [[unlikely]] {
      give_up_holes(connection, other(sender), reverse.acknowledged, last_arrival(connection));
      if (connection.closed) return;
    }
    Arrival arrival{segment.time, segment.frame, 0};
    if ((tcp.flags & kAck) != 0) {
      arrival.acknowledged = note_acknowledgment(reverse, tcp.acknowledgment, syn);
      const std::uint64_t edge = window_edge(connection, sender, arrival.acknowledged, tcp);
      reverse.allowed = std::max(reverse.allowed, edge);
      if (connection.timing != nullptr && (tcp.flags & (kSyn | kRst)) == 0) {
        time_acknowledgment(connection, sender, arrival, edge, tcp);
      }
      consumer_.on_acknowledged(connection, other(sender));
    }
    if (connection.closed) return;
    const std::int64_t begin = stream.offset_of(sequence);
    if (!carries) return note_position(connection, sender, begin, tcp);
    if (fin) note_fin(connection, sender, begin + segment.data_length, segment);
    // Nothing follows a FIN (RFC 9293, 3.10.7.4): what says so is ignored.
    if (segment.data_length != 0 && !stream.finished) {
      time_data(connection, sender, segment, begin, arrival);
      take_data(connection, sender, begin, {segment.data, segment.data_length}, arrival);
    }
    // The receiver has the bytes in the hole, and this segment was not they.
    if (begin > static_cast<std::int64_t>(stream.next) && stream.acknowledged > stream.next) [[unlikely]] {
      give_up_holes(connection, sender, stream.acknowledged, arrival);
    }
    settle(connection, sender, arrival);
  }

  static PacketMark mark_of(const Segment& segment) {
    return {segment.ip.id,           timestamp_value(segment.tcp.options),
            segment.tcp.sequence,    segment.tcp.acknowledgment,
            segment.data_length,     segment.tcp.flags,
            segment.ip.version == 4, segment.time};
  }

  /// The least that a copy of `last` has in common with it.
  static bool looks_the_same(const Segment& segment, const PacketMark& last) {
    return segment.tcp.sequence == last.sequence && segment.tcp.acknowledgment == last.acknowledgment &&
           segment.data_length == last.length;
  }

  Timing& timing_of(Connection& connection, Side sender) {
    if (connection.timing == nullptr) begin_timing(connection, sender);
    return *connection.timing;
  }

  void begin_timing(Connection& connection, Side sender) {
    connection.timing = make_in<Timing>(memory());
    Timing& timing = *connection.timing;
    const Nanos opened = connection.handshake.ack;
    if (opened != kUnknownTime && sender != connection.client) timing.begin_with_server(connection.client, opened);
    for (const Side side : {Side::low, Side::high}) {
      if (connection.last_packets[index(side)].time != kUnknownTime) {
        timing.note_packet(side, connection.last_packets[index(side)]);
      }
    }
    for (const Side side : {Side::low, Side::high}) {
      const std::uint64_t allowed = connection.stream(side).allowed;
      if (allowed != 0) timing.set_allowed(side, allowed, connection.last_time);
    }
    if (!connection.agreed()) return;
    for (const Side side : {Side::low, Side::high}) {
      if (connection.offers[index(side)].own_ids) timing.set_own_ids(side);
    }
    const Handshake& handshake = connection.handshake;
    timing.note_path(connection.client, handshake.client_rtt());
    timing.note_path(other(connection.client), handshake.server_rtt());
    constexpr std::uint32_t kTimestampBytes = 12;  // RFC 7323, appendix A
    const Offer* const offers = connection.offers;
    const std::uint32_t least = std::min(offers[0].max_segment_size, offers[1].max_segment_size);
    const std::uint32_t options = offers[0].timestamps && offers[1].timestamps ? kTimestampBytes : 0;
    for (const Side side : {Side::low, Side::high}) timing.set_full_length(side, least > options ? least - options : 0);
  }

  /// How far `side` lets the other send: `offset` and its window, as scaled by
  /// what both said in their SYNs. Where those were not seen only 0 is known.
  static std::uint64_t window_edge(const Connection& connection, Side side, std::uint64_t offset,
                                   const TcpHeader& tcp) {
    constexpr std::uint64_t kLargestWindow = std::uint64_t{1} << 30;  // RFC 7323, 2.3
    if ((tcp.flags & kSyn) != 0) return offset + tcp.window;          // never scaled
    const std::int8_t scale = connection.scales[index(side)];
    if (scale < 0) return tcp.window == 0 ? offset : offset + kLargestWindow;
    return offset + (std::uint64_t{tcp.window} << scale);
  }

  /// A first SACK block below the acknowledgment number (RFC 2883, section 4).
  static bool reports_duplicate(const TcpHeader& tcp) {
    constexpr std::size_t kShortest = 12;  // one block, or timestamps alone
    if (tcp.options.size() < kShortest) return false;
    if (tcp.options.size() == kShortest && load_be32(tcp.options.data()) == kNopNopTimestamps) return false;
    const TcpOptions options = parse_tcp_options(tcp.options);
    return options.sack_blocks > 0 && static_cast<std::int32_t>(options.sack[0].right - tcp.acknowledgment) <= 0;
  }

  /// `edge` is the right edge of the window that the segment allows.
  void time_acknowledgment(Connection& connection, Side sender, const Arrival& arrival, std::uint64_t edge,
                           const TcpHeader& tcp) {
    const Acknowledged now{arrival.acknowledged, edge, tcp.window == 0, reports_duplicate(tcp), arrival.time};
    if (connection.timing->take_acknowledgment(sender, now, connection.counts)) {
      consumer_.on_unneeded(connection, other(sender));
    }
  }

  static void note_position(Connection& connection, Side sender, std::int64_t offset, const TcpHeader& tcp) {
    const bool plain = (tcp.flags & (kSyn | kRst | kAck)) == kAck;
    if (connection.timing != nullptr && plain && offset > 0) {
      connection.timing->note_position(sender, static_cast<std::uint64_t>(offset));
    }
  }

  void time_data(Connection& connection, Side sender, const Segment& segment, std::int64_t begin,
                 const Arrival& arrival) {
    const Stream& stream = connection.stream(sender);
    const bool pushed = (segment.tcp.flags & (kPsh | kFin)) != 0;
    const std::int64_t end = begin + segment.data_length;
    const bool hole = stream.has_ahead();
    const bool fills_all = hole && begin <= static_cast<std::int64_t>(stream.next) &&
                           stream.ahead->has_no_hole_after(static_cast<std::uint64_t>(std::max<std::int64_t>(end, 0)));
    const Placed placed{sender, begin,     stream.next, stream.acknowledged,
                        hole,   fills_all, pushed,      connection.last_packets[index(sender)]};
    if (timing_of(connection, sender).take_data(placed, connection.client, connection.counts)) {
      consumer_.on_sent_again(connection, sender, static_cast<std::uint64_t>(std::max<std::int64_t>(begin, 0)),
                              arrival);
    }
  }

  /// Takes in what `sequence` acknowledges of `reverse`; returns it as an offset.
  static std::uint64_t note_acknowledgment(Stream& reverse, std::uint32_t sequence, bool syn) {
    if (!reverse.started) {
      reverse.start_at(sequence);
      reverse.from_syn = syn;  // a SYN-ACK acknowledges the SYN alone
    }
    const std::int64_t offset = reverse.offset_of(sequence);
    if (offset <= 0) return 0;
    // Nobody acknowledges what it did not let the other end send (RFC 9293, 3.10.7.4).
    if (reverse.allowed != 0 && static_cast<std::uint64_t>(offset) > std::max(reverse.allowed, reverse.next) + 1)
      return 0;
    // The FIN takes a sequence number, but is no byte of the stream.
    const std::uint64_t bytes = std::min(static_cast<std::uint64_t>(offset), reverse.fin);
    if (bytes > reverse.acknowledged) reverse.acknowledged = bytes;
    return bytes;
  }

  static void note_fin(Connection& connection, Side sender, std::int64_t offset, const Segment& segment) {
    Stream& stream = connection.stream(sender);
    if (is_fin_again(stream, offset, segment)) connection.counts.retransmitted += 1;
    if (stream.fin != Stream::kNever || offset < static_cast<std::int64_t>(stream.next)) return;
    stream.fin = static_cast<std::uint64_t>(offset);
    if (!connection.has_ender) connection.set_ender(sender);
  }

  void take_data(Connection& connection, Side sender, std::int64_t begin, Chunk chunk, const Arrival& arrival) {
    Stream& stream = connection.stream(sender);
    const std::int64_t next = static_cast<std::int64_t>(stream.next);
    if (begin < next) {
      if (begin + static_cast<std::int64_t>(chunk.length) <= next) return;  // nothing new
      chunk.drop_front(static_cast<std::uint64_t>(next - begin));
      begin = next;
    }
    const auto offset = static_cast<std::uint64_t>(begin);
    if (stream.fin != Stream::kNever && offset + chunk.length > stream.fin) [[unlikely]] {
      if (offset >= stream.fin) return;
      chunk.keep_front(stream.fin - offset);
    }
    if (offset == stream.next) [[likely]] {
      deliver(connection, sender, chunk, arrival);
      return;
    }
    if (stream.ahead == nullptr) stream.ahead = make_in<AheadStore>(memory());
    const bool skipped = chunk.bytes.size() == chunk.length &&
                         offset + chunk.length - stream.next <= consumer_.skippable(connection, sender);
    stream.ahead->add(offset, chunk, skipped, arrival);
    while (stream.has_ahead() && stream.ahead->full()) {
      give_up_holes(connection, sender, stream.ahead->front().begin, arrival);
    }
  }

  void deliver(Connection& connection, Side sender, const Chunk& chunk, const Arrival& arrival) {
    consumer_.on_bytes(connection, sender, chunk, arrival);
    Stream& stream = connection.stream(sender);
    if (chunk.bytes.size() != chunk.length) [[unlikely]]
      stream.missing += chunk.length - chunk.bytes.size();
    stream.advance(chunk.length);
    stream.last_time = arrival.time;
  }

  /// Delivers what is now in order, and the FIN after the last byte. Segments
  /// that waited were there in order no sooner than `arrival`.
  void settle(Connection& connection, Side sender, Arrival arrival) {
    Stream& stream = connection.stream(sender);
    while (!connection.closed && !stream.finished && stream.has_ahead() && stream.ahead->front().begin <= stream.next) {
      deliver_front(connection, sender, arrival);
    }
    if (!connection.closed && !stream.finished && stream.next >= stream.fin) [[unlikely]] {
      stream.finished = true;
      consumer_.on_fin(connection, sender, arrival);
      if (connection.stream(other(sender)).finished) close(connection, Ending::closed, arrival.time);
    }
  }

  /// Moves `arrival` on to when the segment was there in order.
  void deliver_front(Connection& connection, Side sender, Arrival& arrival) {
    Stream& stream = connection.stream(sender);
    const AheadStore::Item& item = stream.ahead->front();
    if (item.end() > stream.next) {
      arrival = {std::max(arrival.time, item.arrival.time), std::max(arrival.frame, item.arrival.frame),
                 item.arrival.acknowledged};
      const std::uint64_t old = stream.next - item.begin;
      if (item.skipped) {
        // Captured, and known to be body bytes that nobody looks at.
        consumer_.on_skipped(connection, sender, item.length - old, arrival);
        stream.advance(item.length - old);
        stream.last_time = arrival.time;
      } else {
        Chunk chunk = item.chunk();
        chunk.drop_front(old);
        deliver(connection, sender, chunk, arrival);
      }
    }
    stream.ahead->pop_front();
  }

  /// Gives up the holes that begin before offset `until` (kNever: all that have
  /// bytes behind them). What waited behind one was there in order when it came
  /// and what is before the hole was there, since only the capture missed it.
  void give_up_holes(Connection& connection, Side sender, std::uint64_t until, const Arrival& now) {
    Stream& stream = connection.stream(sender);
    while (!connection.closed && !stream.finished && stream.next < until &&
           (stream.has_ahead() || until != Stream::kNever)) {
      Arrival arrival = now;
      std::uint64_t end = until;
      if (stream.has_ahead()) {
        arrival = stream.ahead->front().arrival;
        arrival.time = std::max(arrival.time, stream.last_time);
        end = std::min(until, stream.ahead->front().begin);
      }
      const std::uint64_t count = end - stream.next;
      consumer_.on_missing(connection, sender, count, arrival);
      if (connection.timing != nullptr) connection.timing->note_missing(sender);
      stream.missing += count;
      stream.advance(count);
      settle(connection, sender, arrival);
    }
  }

  void close(Connection& connection, Ending ending, Nanos time) {
    connection.closed = true;
    connection.flows = false;
    connection.ending = ending;
    consumer_.on_ending(connection, ending, time);
    for (Stream& stream : connection.streams) count_rest(stream);
    connection.timing.reset();
    closed_.push_back({&connection, connection.number, due_after(time)});
    gone_due_ = std::min(gone_due_, closed_[gone_].due);
    if (closed_.size() > kClosedKept) forget_oldest();
  }

  /// Counts what nobody waits for any more: what came behind a hole that never
  /// filled, what was acknowledged, and what is missing before either.
  static void count_rest(Stream& stream) {
    for (; stream.has_ahead(); stream.ahead->pop_front()) {
      const AheadStore::Item& item = stream.ahead->front();
      pass_missing(stream, item.begin);
      if (item.end() <= stream.next) continue;
      const std::uint64_t count = item.end() - stream.next;
      if (!item.skipped) stream.missing += std::min(count, item.length - item.bytes.size());
      stream.advance(count);
    }
    stream.ahead.reset();
    pass_missing(stream, stream.acknowledged);
  }

  static void pass_missing(Stream& stream, std::uint64_t until) {
    if (until <= stream.next) return;
    stream.missing += until - stream.next;
    stream.advance(until - stream.next);
  }

  void forget_oldest() {
    const Closed oldest = closed_.front();
    if (gone_ == 0)
      tell(oldest);
    else
      --gone_;
    closed_.pop_front();
    if (is_still(oldest)) table_.erase(*oldest.connection);
  }

  struct Closed {
    Connection* connection;
    std::uint64_t number;  // it may have been replaced since
    Nanos due;             // when it is gone
  };

  static Nanos due_after(Nanos time) { return time < kNever - kLateFor ? time + kLateFor : kNever; }

  static bool is_still(const Closed& closed) { return closed.connection->number == closed.number; }

  std::pmr::memory_resource* memory() const { return memory_ != nullptr ? memory_ : std::pmr::get_default_resource(); }

  /// Ends a connection that nothing more is known of.
  void end(Connection& connection, Ending ending, Nanos time) {
    for (const Side side : {Side::low, Side::high}) {
      const Stream& stream = connection.stream(side);
      const Arrival last = last_arrival(connection);
      give_up_holes(connection, side, Stream::kNever, last);
      give_up_holes(connection, side, stream.fin == Stream::kNever ? stream.acknowledged : stream.fin, last);
    }
    if (!connection.closed) close(connection, ending, time);
    tell(connection);
  }

  /// What is due at `now`.
  void take_due(Nanos now) {
    if (memory_ != nullptr && memory_->is_over()) make_room(now);
    tell_gone(now);
  }

  /// Gives up connections until the memory is well under its limit: closed ones, of which
  /// nothing more is lost than their late packets; then those that hold more than a fair
  /// share; then the longest idle.
  void make_room(Nanos now) {
    while (!closed_.empty() && !memory_->is_well_under()) forget_oldest();
    while (table_.size() != 0 && !memory_->is_well_under()) evict_some(now);
  }

  void evict_some(Nanos now) {
    std::vector<Candidate> large, idle;
    // As many as need to go where all hold the same, and some more. They are kept in a heap, the most
    // recent on top: a list of all would take memory itself.
    const std::size_t most = std::max<std::size_t>(table_.size() / 6, 64);
    idle.reserve(std::min(most, table_.size()));
    const std::size_t fair_bytes = memory_->limit() / 16;
    table_.for_each([&](Connection& connection) {
      const Candidate candidate{connection.last_time, connection.number, &connection};
      if (held_bytes(connection) > fair_bytes) {
        large.push_back(candidate);
        return;
      }
      if (idle.size() == most) {
        if (!(candidate < idle.front())) return;
        std::pop_heap(idle.begin(), idle.end());
        idle.pop_back();
      }
      idle.push_back(candidate);
      std::push_heap(idle.begin(), idle.end());
    });
    evict(large, now);
    evict(idle, now);
  }

  /// About what is kept with a connection, beside it and its timing.
  std::size_t held_bytes(const Connection& connection) const {
    std::size_t held = 0;
    if constexpr (requires { consumer_.held_bytes(connection); }) held = consumer_.held_bytes(connection);
    for (const Stream& stream : connection.streams) held += stream.ahead != nullptr ? stream.ahead->held_bytes() : 0;
    return held;
  }

  /// One that may be given up: the smallest is first.
  struct Candidate {
    Nanos last_time;
    std::uint64_t number;  // decides between equals, so that every run does the same
    Connection* connection;

    bool operator<(const Candidate& than) const {
      return last_time != than.last_time ? last_time < than.last_time : number < than.number;
    }
  };

  void evict(std::vector<Candidate>& candidates, Nanos now) {
    std::sort(candidates.begin(), candidates.end());
    for (const Candidate& candidate : candidates) {
      if (memory_->is_well_under()) return;
      Connection& connection = *candidate.connection;
      end(connection, Ending::evicted, now);
      evicted_ += connection.ending == Ending::evicted ? 1 : 0;
      closed_.clear();  // it alone: the others have been forgotten
      table_.erase(connection);
    }
  }

  void tell_gone(Nanos now) {
    while (gone_ < closed_.size() && now >= closed_[gone_].due) tell(closed_[gone_++]);
    gone_due_ = gone_ < closed_.size() ? closed_[gone_].due : kNever;
    if (memory_ != nullptr && memory_->is_over()) gone_due_ = kAtOnce;
  }

  void tell(const Closed& closed) {
    if (is_still(closed)) tell(*closed.connection);
  }

  void tell(Connection& connection) {
    if (!connection.gone) consumer_.on_gone(connection);
    connection.gone = true;
  }

  Consumer& consumer_;
  Memory* memory_ = nullptr;  // null: without a limit
  std::uint64_t connections_;
  std::uint64_t evicted_ = 0;
  FlowTable table_;
  std::deque<Closed> closed_;  // in the order of their ends
  std::size_t gone_ = 0;       // of `closed_`, from the front
  Nanos gone_due_ = kNever;    // when the next of them is
};

}  // namespace wirelap
