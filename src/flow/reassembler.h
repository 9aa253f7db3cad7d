// flow: reassembles the streams of open connections.
//
// In: the segments of a connection, in the order of the capture. Out, through an inlined
// consumer: the bytes of each stream in order, the bytes that were not captured, the ends
// of streams, and the events that the timing stage needs of each segment. Bytes in order
// are passed on without a copy. Bytes behind a sequence gap are copied, unless they are
// skippable.
//
// A sequence gap ends when its bytes arrive. It is given up, and its bytes are reported
// as not captured, when the receiver has acknowledged them and the connection continues
// without them.
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

/// Reassembles the connections of a run. `Consumer` has the functions that flow/consumer.h lists.
template <class Consumer>
class Reassembler {
 public:
  /// Keeps waiting segments in `memory`. Adds connections that end to `ended`. All arguments outlive it.
  Reassembler(Consumer& consumer, std::pmr::memory_resource* memory, EndedConnections& ended)
      : consumer_(consumer), memory_(memory), ended_(ended) {}

  /// Whether a segment of `sender`, whose stream is on the fast path, can take it, as most do: it has no SYN, FIN or
  /// RST, is the next of its stream, acknowledges only bytes that were captured, and its window is not zero.
  static bool is_next(const Connection& connection, Side sender, const TcpHeader& tcp) {
    const Stream& stream = connection.stream(sender);
    const Stream& reverse = connection.stream(other(sender));
    return (tcp.flags & (kSyn | kFin | kRst | kAck)) == kAck && tcp.sequence == stream.next_sequence &&
           tcp.window != 0 && static_cast<std::uint64_t>(reverse.offset_of(tcp.acknowledgment)) <= reverse.next;
  }

  /// The fast path: process() for a segment for which is_next() holds. `packet` is the identity of `segment`. (g++
  /// would not always inline it.)
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

  /// The slow path: processes any segment of `sender` that is not a duplicate. Its identity is in
  /// `connection.latest_packets`. Returns whether the connection has ended by it.
  bool process(Connection& connection, Side sender, const Segment& segment) {
    if (connection.closed) {
      count_late(connection, sender, segment);
      return false;
    }
    process_open(connection, sender, segment);
    if (connection.has_payload && !connection.closed) update_fast_path(connection);
    return connection.closed;
  }

  /// Ends a connection of which no more packets come. Delivers the waiting segments, and gives up the gaps before them
  /// and those that were acknowledged.
  void end(Connection& connection, Ending ending, Nanos time) {
    for (const Side side : {Side::low, Side::high}) {
      const Stream& stream = connection.stream(side);
      const Arrival last = last_arrival(connection);
      give_up_gaps(connection, side, Stream::kNever, last);
      give_up_gaps(connection, side, stream.fin == Stream::kNever ? stream.acknowledged : stream.fin, last);
    }
    if (!connection.closed) close(connection, ending, time);
  }

  /// Ends a connection at once: waiting segments are not delivered, only counted.
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
    // The other end's bytes were acknowledged before, and the connection continues without them.
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
      record_position(connection, sender, begin, segment);
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

  /// A stream is on the fast path while both streams have begun and neither has a FIN, none of its segments wait, and
  /// its sender has acknowledged only bytes that are delivered.
  static void update_fast_path(Connection& connection) {
    Stream& low = connection.streams[0];
    Stream& high = connection.streams[1];
    const bool may =
        !connection.opening && low.started && high.started && low.fin == Stream::kNever && high.fin == Stream::kNever;
    low.on_fast_path = may && !low.has_out_of_order() && high.acknowledged <= high.next;
    high.on_fast_path = may && !high.has_out_of_order() && low.acknowledged <= low.next;
  }

  /// Whether a RST of `sender` answers the other end's SYN.
  static bool is_refusal(const Connection& connection, Side sender) {
    const bool asked = (connection.latest_packets[index(other(sender))].flags & (kSyn | kAck)) == kSyn;
    return asked && connection.offers[index(other(sender))].seen && !connection.offers[index(sender)].seen;
  }

  /// Processes the acknowledgment of a segment. Sets `arrival.acknowledged`.
  void process_acknowledgment(Connection& connection, Side sender, const TcpHeader& tcp, Arrival& arrival) {
    Stream& reverse = connection.stream(other(sender));
    arrival.acknowledged = reverse.record_acknowledgment(tcp.acknowledgment, (tcp.flags & kSyn) != 0);
    const std::uint64_t edge = window_edge(connection, sender, arrival.acknowledged, tcp);
    reverse.right_edge = std::max(reverse.right_edge, edge);
    consumer_.on_acknowledged(connection, other(sender),
                              {arrival.acknowledged, edge, arrival.time, tcp, SegmentKind::any});
  }

  /// Processes the payload and the FIN of a segment at offset `begin` of its stream.
  void process_payload(Connection& connection, Side sender, const Segment& segment, std::int64_t begin,
                       const Arrival& arrival) {
    Stream& stream = connection.stream(sender);
    if ((segment.tcp.flags & kFin) != 0) record_fin(connection, sender, begin + segment.data_length, segment);
    // Bytes after a FIN are ignored (RFC 9293, section 3.10.7.4). Those before it may be retransmitted.
    const bool follows = stream.finished && begin + segment.data_length > static_cast<std::int64_t>(stream.next);
    if (segment.data_length != 0 && !follows) {
      connection.has_payload = true;
      consumer_.on_payload(connection, sender, connection.latest_packets[index(sender)], begin, arrival,
                           SegmentKind::any);
      process_payload(connection, sender, begin, {segment.data, segment.data_length}, arrival);
    }
    // The receiver has the bytes of the gap, and the sender continues behind it.
    if (begin > static_cast<std::int64_t>(stream.next) && stream.acknowledged > stream.next) [[unlikely]] {
      give_up_gaps(connection, sender, stream.acknowledged, arrival);
    }
    settle(connection, sender, arrival);
  }

  /// The right edge of the window of `side`, which acknowledges `offset`. Where the SYNs were not captured, the scale
  /// of the window is not known: any window but 0 counts as the largest.
  static std::uint64_t window_edge(const Connection& connection, Side side, std::uint64_t offset,
                                   const TcpHeader& tcp) {
    constexpr std::uint64_t kLargestWindow = std::uint64_t{1} << 30;  // RFC 7323, 2.3
    if ((tcp.flags & kSyn) != 0) return offset + tcp.window;          // never scaled
    const std::int8_t scale = connection.scales[index(side)];
    if (scale < 0) return tcp.window == 0 ? offset : offset + kLargestWindow;
    return offset + (std::uint64_t{tcp.window} << scale);
  }

  void record_position(Connection& connection, Side sender, std::int64_t offset, const Segment& segment) {
    const bool plain = (segment.tcp.flags & (kSyn | kRst | kAck)) == kAck;
    if (!plain || offset <= 0) return;
    consumer_.on_position(connection, sender, static_cast<std::uint64_t>(offset), segment.time, SegmentKind::any);
  }

  static void record_fin(Connection& connection, Side sender, std::int64_t offset, const Segment& segment) {
    Stream& stream = connection.stream(sender);
    if (segment.data_length == 0 && stream.is_at_fin(offset)) connection.counts.retransmitted += 1;
    if (stream.fin != Stream::kNever || offset < static_cast<std::int64_t>(stream.next)) return;
    stream.fin = static_cast<std::uint64_t>(offset);
    if (!connection.has_ender) connection.set_ender(sender);
  }

  void process_payload(Connection& connection, Side sender, std::int64_t begin, StreamData data,
                       const Arrival& arrival) {
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
        queue_rest(stream, data, arrival);
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

  /// Moves the end of the next `data` to the queue if a snaplen removed a part of `data` and a waiting segment may have
  /// these bytes.
  static void queue_rest(Stream& stream, StreamData& data, const Arrival& arrival) {
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

  /// Delivers the waiting segments that are in order now, and the FIN after the last byte. They arrived in order no
  /// sooner than `arrival`.
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

  /// Reports the FIN: all bytes before it are delivered.
  void finish(Connection& connection, Side sender, const Arrival& arrival) {
    Stream& stream = connection.stream(sender);
    if (connection.closed || stream.finished) return;
    stream.finished = true;
    consumer_.on_fin(connection, sender, arrival);
    if (connection.stream(other(sender)).finished) close(connection, Ending::closed, arrival.time);
  }

  /// Delivers the first waiting segment, which is in order now. Sets `arrival` to when that was the case.
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

  /// Gives up the gaps that begin before offset `until` (kNever: all gaps with a waiting segment behind them), and
  /// delivers the segments behind them. The receiver had the bytes of the gap, so a segment behind it arrived in order
  /// when it was captured.
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
