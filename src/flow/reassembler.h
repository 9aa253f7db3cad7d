// flow: puts the bytes of one open connection in order.
//
// In: its segments, in the order of the capture. Out, through an inlined consumer: the bytes of each stream in order,
// how many were not captured, and how the streams end; about each segment also what the timing stage needs. Bytes that
// come in order are passed on at once. Only those after a sequence gap are copied, and only where the consumer needs
// them.
//
// A sequence gap ends when its bytes come. It is given up, and its bytes count as not captured, when its receiver has
// acknowledged them and the connection goes on without them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>

#include "base/memory.h"
#include "flow/connection.h"
#include "flow/consumer.h"
#include "flow/ended.h"
#include "wire/decode.h"

namespace wirelap {

/// Processes the segments of all open connections. flow/consumer.h lists the members of `Consumer`.
template <class Consumer>
class Reassembler {
 public:
  /// Out-of-order queues are in `memory`. Connections that end are added to `ended`. All outlive the reassembler.
  Reassembler(Consumer& consumer, std::pmr::memory_resource* memory, EndedConnections& ended)
      : consumer_(consumer), memory_(memory), ended_(ended) {}

  /// Whether a segment of `sender`, whose stream is on the fast path, is what most are: without SYN, FIN or RST, next
  /// in its stream, with an acknowledgment of bytes that were seen, and with an open window.
  static bool is_next(const Connection& connection, Side sender, const TcpHeader& tcp) {
    const Stream& stream = connection.stream(sender);
    const Stream& reverse = connection.stream(other(sender));
    return (tcp.flags & (kSyn | kFin | kRst | kAck)) == kAck && tcp.sequence == stream.next_sequence &&
           tcp.window != 0 && static_cast<std::uint64_t>(reverse.offset_of(tcp.acknowledgment)) <= reverse.next;
  }

  /// The fast path: processes a segment for which is_next() holds as process() would. `packet` is its identity. (In
  /// some programs g++ inlines it only when told to; a call costs 8 % of all instructions.)
  [[gnu::always_inline]] void process_next(Connection& connection, Side sender, const Segment& segment,
                                           const PacketIdentity& packet) {
    constexpr SegmentKind kind = SegmentKind::next;
    Stream& stream = connection.stream(sender);
    Stream& reverse = connection.stream(other(sender));
    consumer_.on_segment(connection, sender, packet, kind);
    const auto acknowledged = static_cast<std::uint64_t>(reverse.offset_of(packet.acknowledgment));
    const std::uint64_t edge = window_edge(connection, sender, acknowledged, segment.tcp);
    const Arrival arrival{segment.time, segment.packet, acknowledged};
    if (edge > reverse.right_edge) reverse.right_edge = edge;
    if (acknowledged > reverse.acknowledged) reverse.acknowledged = acknowledged;
    consumer_.on_acknowledged(connection, other(sender), {acknowledged, edge, segment.time, segment.tcp, kind});
    if (segment.data_length == 0) return consumer_.on_position(connection, sender, stream.next, segment.time, kind);
    consumer_.on_payload(connection, sender, packet, static_cast<std::int64_t>(stream.next), arrival, kind);
    deliver(connection, sender, {segment.data, segment.data_length}, arrival);
  }

  /// The slow path: processes any segment of `sender` that is no duplicate. Its identity is in the connection's
  /// latest_packets. Returns whether it ended the connection.
  bool process(Connection& connection, Side sender, const Segment& segment) {
    if (connection.closed) {
      count_late(connection, sender, segment);
      return false;
    }
    process_open(connection, sender, segment);
    if (connection.has_payload && !connection.closed) choose_paths(connection);
    return connection.closed;
  }

  /// Ends a connection of which no more segments come. Gives up its sequence gaps.
  void end(Connection& connection, Ending ending, Nanos time) {
    for (const Side side : {Side::low, Side::high}) {
      const Stream& stream = connection.stream(side);
      const Arrival last = last_arrival(connection);
      give_up_gaps(connection, side, Stream::kNever, last);
      give_up_gaps(connection, side, stream.fin == Stream::kNever ? stream.acknowledged : stream.fin, last);
    }
    if (!connection.closed) close(connection, ending, time);
  }

  /// Ends a connection at once. Bytes after its sequence gaps are counted, but not delivered.
  void close(Connection& connection, Ending ending, Nanos time) {
    connection.closed = true;
    for (Stream& stream : connection.streams) stream.on_fast_path = false;
    connection.ending = ending;
    consumer_.on_ending(connection, ending, time);
    for (Stream& stream : connection.streams) stream.count_rest();
    ended_.add(connection, time);
  }

 private:
  static Arrival last_arrival(const Connection& connection) {
    return {connection.last_time, connection.last_packet, 0};
  }

  void process_open(Connection& connection, Side sender, const Segment& segment) {
    const TcpHeader& tcp = segment.tcp;
    consumer_.on_segment(connection, sender, connection.latest_packets[index(sender)], SegmentKind::any);
    if (connection.opening) {
      record_handshake(connection, sender, segment);
      consumer_.on_handshake(connection);
    }
    Stream& stream = connection.stream(sender);
    const std::uint32_t sequence = tcp.sequence + ((tcp.flags & kSyn) != 0 ? 1 : 0);
    if (!stream.started) stream.start_at(sequence);
    const bool carries = segment.data_length != 0 || (tcp.flags & kFin) != 0;
    // The sender acknowledged bytes of the other end that were not seen, and goes on: they were not captured.
    if (carries && connection.stream(other(sender)).lacks_acknowledged()) [[unlikely]] {
      give_up_gaps(connection, other(sender), connection.stream(other(sender)).acknowledged, last_arrival(connection));
      if (connection.closed) return;
    }
    Arrival arrival{segment.time, segment.packet, 0};
    if ((tcp.flags & kAck) != 0) process_acknowledgment(connection, sender, tcp, arrival);
    const std::int64_t begin = stream.offset_of(sequence);
    if (carries)
      process_payload(connection, sender, segment, begin, arrival);
    else
      report_position(connection, sender, begin, segment);
    if ((tcp.flags & kRst) != 0) [[unlikely]]
      process_reset(connection, sender, segment);
  }

  [[gnu::noinline]] void process_reset(Connection& connection, Side sender, const Segment& segment) {
    if (connection.stream(sender).is_outside_window(segment.tcp.sequence)) return;
    for (const Side side : {Side::low, Side::high}) {
      give_up_gaps(connection, side, connection.stream(side).acknowledged, last_arrival(connection));
    }
    if (connection.closed) return;
    connection.set_ender(sender);
    close(connection, is_refusal(connection, sender) ? Ending::refused : Ending::reset, segment.time);
  }

  /// A stream is on the fast path while both have begun and none ends, and its sender lacks no byte of either: none
  /// after a sequence gap, and none that it acknowledged.
  static void choose_paths(Connection& connection) {
    Stream& low = connection.streams[0];
    Stream& high = connection.streams[1];
    const bool may =
        !connection.opening && low.started && high.started && low.fin == Stream::kNever && high.fin == Stream::kNever;
    low.on_fast_path = may && !low.has_out_of_order() && high.acknowledged <= high.next;
    high.on_fast_path = may && !high.has_out_of_order() && low.acknowledged <= low.next;
  }

  /// Whether a RST of `sender` answers the other end's SYN.
  static bool is_refusal(const Connection& connection, Side sender) {
    const bool answers_syn = (connection.latest_packets[index(other(sender))].flags & (kSyn | kAck)) == kSyn;
    return answers_syn && connection.offers[index(other(sender))].seen && !connection.offers[index(sender)].seen;
  }

  /// Processes what a segment acknowledges, and sets arrival.acknowledged to that.
  void process_acknowledgment(Connection& connection, Side sender, const TcpHeader& tcp, Arrival& arrival) {
    Stream& reverse = connection.stream(other(sender));
    arrival.acknowledged = reverse.record_acknowledgment(tcp.acknowledgment, (tcp.flags & kSyn) != 0);
    const std::uint64_t edge = window_edge(connection, sender, arrival.acknowledged, tcp);
    reverse.right_edge = std::max(reverse.right_edge, edge);
    consumer_.on_acknowledged(connection, other(sender),
                              {arrival.acknowledged, edge, arrival.time, tcp, SegmentKind::any});
  }

  /// The right edge of the window that `side` advertises: `offset`, which it acknowledges, and the window, scaled as
  /// the SYNs agreed. Where these were not seen, only a zero window is known.
  static std::uint64_t window_edge(const Connection& connection, Side side, std::uint64_t offset,
                                   const TcpHeader& tcp) {
    constexpr std::uint64_t kLargestWindow = std::uint64_t{1} << 30;  // RFC 7323, 2.3
    if ((tcp.flags & kSyn) != 0) return offset + tcp.window;          // never scaled
    const std::int8_t scale = connection.scales[index(side)];
    if (scale < 0) return tcp.window == 0 ? offset : offset + kLargestWindow;
    return offset + (std::uint64_t{tcp.window} << scale);
  }

  void report_position(Connection& connection, Side sender, std::int64_t offset, const Segment& segment) {
    const bool is_plain = (segment.tcp.flags & (kSyn | kRst | kAck)) == kAck;
    if (!is_plain || offset <= 0) return;
    consumer_.on_position(connection, sender, static_cast<std::uint64_t>(offset), segment.time, SegmentKind::any);
  }

  /// Processes the payload or FIN of a segment at offset `begin` of its stream.
  void process_payload(Connection& connection, Side sender, const Segment& segment, std::int64_t begin,
                       const Arrival& arrival) {
    Stream& stream = connection.stream(sender);
    if ((segment.tcp.flags & kFin) != 0) record_fin(connection, sender, begin + segment.data_length, segment);
    // Nothing follows a FIN (RFC 9293, 3.10.7.4): such bytes are ignored. Bytes before it may be retransmitted.
    const bool follows_fin = stream.finished && begin + segment.data_length > static_cast<std::int64_t>(stream.next);
    if (segment.data_length != 0 && !follows_fin) {
      connection.has_payload = true;
      consumer_.on_payload(connection, sender, connection.latest_packets[index(sender)], begin, arrival,
                           SegmentKind::any);
      reassemble(connection, sender, begin, {segment.data, segment.data_length}, arrival);
    }
    // The receiver has the bytes in the gap, and this segment does not bring them.
    if (begin > static_cast<std::int64_t>(stream.next) && stream.acknowledged > stream.next) [[unlikely]] {
      give_up_gaps(connection, sender, stream.acknowledged, arrival);
    }
    settle(connection, sender, arrival);
  }

  static void record_fin(Connection& connection, Side sender, std::int64_t offset, const Segment& segment) {
    Stream& stream = connection.stream(sender);
    if (segment.data_length == 0 && stream.is_at_fin(offset)) connection.counts.retransmitted += 1;
    if (stream.fin != Stream::kNever || offset < static_cast<std::int64_t>(stream.next)) return;
    stream.fin = static_cast<std::uint64_t>(offset);
    if (!connection.has_ender) connection.set_ender(sender);
  }

  /// Delivers `data`, at offset `begin`, or puts it into the out-of-order queue.
  void reassemble(Connection& connection, Side sender, std::int64_t begin, StreamData data, const Arrival& arrival) {
    Stream& stream = connection.stream(sender);
    const std::int64_t next = static_cast<std::int64_t>(stream.next);
    if (begin < next) {
      if (begin + static_cast<std::int64_t>(data.length) <= next) return;  // nothing new
      data.drop_front(static_cast<std::uint64_t>(next - begin));
      begin = next;
    }
    const auto offset = static_cast<std::uint64_t>(begin);
    if (stream.fin != Stream::kNever && offset + data.length > stream.fin) [[unlikely]] {
      if (offset >= stream.fin) return;
      data.keep_front(stream.fin - offset);
    }
    if (offset == stream.next) [[likely]] {
      if (data.bytes.size() != data.length && stream.has_out_of_order()) [[unlikely]]
        leave_to_out_of_order(stream, data, arrival);
      deliver(connection, sender, data, arrival);
      return;
    }
    if (stream.out_of_order == nullptr) stream.out_of_order = make_in<OutOfOrderQueue>(memory_);
    const bool skipped = data.bytes.size() == data.length &&
                         offset + data.length - stream.next <= consumer_.skippable(connection, sender);
    stream.out_of_order->add(offset, data, skipped, arrival);
    while (stream.has_out_of_order() && stream.out_of_order->full()) {
      give_up_gaps(connection, sender, stream.out_of_order->front().begin, arrival);
    }
  }

  /// The end of `data`, which is next, was not captured (snaplen), but a segment in the out-of-order queue may have
  /// those bytes: the end goes to the queue, too, which keeps the bytes that came first.
  static void leave_to_out_of_order(Stream& stream, StreamData& data, const Arrival& arrival) {
    const std::uint64_t begin = std::max(stream.out_of_order->front().begin, stream.next + data.bytes.size());
    if (begin >= stream.next + data.length) return;
    StreamData rest = data;
    rest.drop_front(begin - stream.next);
    data.keep_front(begin - stream.next);
    stream.out_of_order->add(begin, rest, false, arrival);
  }

  void deliver(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    consumer_.on_bytes(connection, sender, data, arrival);
    Stream& stream = connection.stream(sender);
    if (data.bytes.size() != data.length) [[unlikely]]
      stream.not_captured += data.length - data.bytes.size();
    stream.advance(data.length);
    stream.last_time = arrival.time;
  }

  /// Delivers what is in order now, and the FIN after the last byte. Segments from the out-of-order queue were there in
  /// order at `arrival` at the earliest.
  void settle(Connection& connection, Side sender, const Arrival& arrival) {
    const Stream& stream = connection.stream(sender);
    if (stream.has_out_of_order()) [[unlikely]]
      settle_out_of_order(connection, sender, arrival);
    else if (stream.next >= stream.fin)
      finish(connection, sender, arrival);
  }

  [[gnu::noinline]] void settle_out_of_order(Connection& connection, Side sender, Arrival arrival) {
    const Stream& stream = connection.stream(sender);
    while (!connection.closed && !stream.finished && stream.has_out_of_order() &&
           stream.out_of_order->front().begin <= stream.next) {
      deliver_front(connection, sender, arrival);
    }
    if (!stream.has_out_of_order()) consumer_.on_gaps_filled(connection, sender);
    if (stream.next >= stream.fin) finish(connection, sender, arrival);
  }

  /// Reports the FIN: all bytes before it have been delivered.
  void finish(Connection& connection, Side sender, const Arrival& arrival) {
    Stream& stream = connection.stream(sender);
    if (connection.closed || stream.finished) return;
    stream.finished = true;
    consumer_.on_fin(connection, sender, arrival);
    if (connection.stream(other(sender)).finished) close(connection, Ending::closed, arrival.time);
  }

  /// Delivers the first segment of the out-of-order queue. Moves `arrival` on to when that was there in order.
  void deliver_front(Connection& connection, Side sender, Arrival& arrival) {
    Stream& stream = connection.stream(sender);
    const OutOfOrderQueue::Item& item = stream.out_of_order->front();
    if (item.end() > stream.next) {
      arrival = {std::max(arrival.time, item.arrival.time), std::max(arrival.packet, item.arrival.packet),
                 item.arrival.acknowledged};
      const std::uint64_t old = stream.next - item.begin;
      if (item.skipped) {
        consumer_.on_skipped(connection, sender, item.length - old, arrival);
        stream.advance(item.length - old);
        stream.last_time = arrival.time;
      } else {
        StreamData data = item.data();
        data.drop_front(old);
        deliver(connection, sender, data, arrival);
      }
    }
    stream.out_of_order->pop_front();
  }

  /// Gives up the sequence gaps that begin before offset `until` (kNever: all that have bytes after them). Only the
  /// capture lacks their bytes, so a segment after one was there in order when it came, but not before what precedes
  /// the gap.
  void give_up_gaps(Connection& connection, Side sender, std::uint64_t until, const Arrival& now) {
    Stream& stream = connection.stream(sender);
    while (!connection.closed && !stream.finished && stream.next < until &&
           (stream.has_out_of_order() || until != Stream::kNever)) {
      Arrival arrival = now;
      std::uint64_t end = until;
      if (stream.has_out_of_order()) {
        arrival = stream.out_of_order->front().arrival;
        arrival.time = std::max(arrival.time, stream.last_time);
        end = std::min(until, stream.out_of_order->front().begin);
      }
      const std::uint64_t count = end - stream.next;
      consumer_.on_not_captured(connection, sender, count, arrival);
      stream.not_captured += count;
      stream.advance(count);
      settle(connection, sender, arrival);
    }
  }

  Consumer& consumer_;
  std::pmr::memory_resource* memory_;
  EndedConnections& ended_;
};

}  // namespace wirelap
