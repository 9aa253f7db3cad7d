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

#include "flow/connection.h"
#include "flow/table.h"
#include "wire/decode.h"

namespace wirelap {

/// Why a connection is no more.
enum class Ending {
  closed,       ///< FIN from both ends, or replaced by a new one with its ports
  reset,        ///< RST
  capture_end,  ///< the capture ended first
};

/// Tracks all connections of a run. `Consumer` has these members, `sender`
/// being the side whose stream is meant:
///   void on_packet(Connection&, Side sender, const Segment&)  before the packet's bytes
///   void on_bytes(Connection&, Side sender, const Chunk&, const Arrival&)
///   void on_skipped(Connection&, Side sender, std::uint64_t count, const Arrival&)  captured, but not kept
///   void on_missing(Connection&, Side sender, std::uint64_t count, const Arrival&)
///   void on_fin(Connection&, Side sender, const Arrival&)     after the stream's last byte
///   void on_ending(Connection&, Ending, Nanos)                nothing comes after it
/// In on_bytes, on_skipped and on_missing the stream's `next` is the offset of the first of them.
///   std::uint64_t skippable(Connection&, Side sender)         bytes from `next` on of which it needs the count alone
template <class Consumer>
class Tracker {
 public:
  /// Connections are numbered on from `connections`.
  Tracker(Consumer& consumer, std::uint64_t connections) : consumer_(consumer), connections_(connections) {}

  /// The number given last.
  std::uint64_t connections() const { return connections_; }

  /// Takes the next segment of the capture.
  void take(const Segment& segment) {
    Side sender;
    const FlowKey key = make_flow_key(segment, sender);
    bool added;
    Connection& connection = table_.find_or_add(key, added);
    if (added) connection.number = ++connections_;
    if ((segment.tcp.flags & kSyn) != 0) [[unlikely]] take_syn(connection, sender, segment);
    connection.counts.packets += 1;
    count_window(connection, segment);
    consumer_.on_packet(connection, sender, segment);
    if (!connection.closed) [[likely]] take_open(connection, sender, segment);
    connection.last_time = segment.time;
  }

  /// Ends every connection: the capture is over at `time`.
  void finish(Nanos time) {
    table_.for_each([&](Connection& connection) {
      for (const Side side : {Side::low, Side::high}) {
        const Stream& stream = connection.stream(side);
        const Arrival last{connection.last_time, 0, 0};
        give_up_holes(connection, side, Stream::kNever, last);
        give_up_holes(connection, side, stream.fin == Stream::kNever ? stream.acknowledged : stream.fin, last);
      }
      if (!connection.closed) close(connection, Ending::capture_end, time);
    });
  }

 private:
  // Closed connections are remembered for a while, since late packets of theirs
  // are no new ones.
  static constexpr std::size_t kClosedKept = 4096;

  static void count_window(Connection& connection, const Segment& segment) {
    if (segment.tcp.window == 0 && (segment.tcp.flags & (kSyn | kRst)) == 0) ++connection.counts.zero_windows;
  }

  void take_open(Connection& connection, Side sender, const Segment& segment) {
    if (connection.client_known && connection.handshake.ack == kUnknownTime) {
      note_handshake_packet(connection, sender, segment);
    }
    take_payload(connection, sender, segment);
    if ((segment.tcp.flags & kRst) == 0) [[likely]] return;
    for (const Side side : {Side::low, Side::high}) {
      give_up_holes(connection, side, connection.stream(side).acknowledged, {connection.last_time, segment.frame, 0});
    }
    if (!connection.closed) close(connection, Ending::reset, segment.time);
  }

  void take_syn(Connection& connection, Side sender, const Segment& segment) {
    Stream& stream = connection.stream(sender);
    const std::uint32_t first = segment.tcp.sequence + 1;
    const bool answer = (segment.tcp.flags & kAck) != 0;
    const bool other_start = stream.started && stream.offset_of(first) != 0;
    if (other_start && (connection.closed || !answer)) replace(connection, segment.time);
    if (!stream.started) stream.start_at(first);
    if (stream.offset_of(first) == 0) stream.from_syn = true;
    connection.set_client(answer ? other(sender) : sender);
    note_handshake_start(connection.handshake, answer, segment.time);
  }

  static void note_handshake_start(Handshake& handshake, bool answer, Nanos time) {
    if (handshake.ack != kUnknownTime) return;
    if (answer) {
      handshake.syn_ack = time;
      return;
    }
    if (handshake.first_syn == kUnknownTime) handshake.first_syn = time;
    if (handshake.syn_ack == kUnknownTime) handshake.last_syn = time;
  }

  static void note_handshake_packet(Connection& connection, Side sender, const Segment& segment) {
    Handshake& handshake = connection.handshake;
    if (connection.counts.packets > 1) {
      handshake.max_gap = std::max(handshake.max_gap, segment.time - connection.last_time);
    }
    if (handshake.syn_ack == kUnknownTime || sender != connection.client) return;
    if ((segment.tcp.flags & (kAck | kSyn | kRst)) == kAck) handshake.ack = segment.time;
  }

  /// The ports of an ended connection are used again.
  void replace(Connection& connection, Nanos time) {
    if (!connection.closed) close(connection, Ending::closed, time);
    const FlowKey key = connection.key;
    connection = Connection();  // g++ 12 crashes on {} here, where exceptions are on
    connection.key = key;
    connection.number = ++connections_;
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
      give_up_holes(connection, other(sender), reverse.acknowledged, {connection.last_time, segment.frame, 0});
    }
    Arrival arrival{segment.time, segment.frame, 0};
    if ((tcp.flags & kAck) != 0) arrival.acknowledged = note_acknowledgment(reverse, tcp.acknowledgment, syn);
    if (!carries || connection.closed) return;
    const std::int64_t begin = stream.offset_of(sequence);
    if (fin) note_fin(stream, begin + segment.data_length);
    if (segment.data_length != 0) take_data(connection, sender, begin, {segment.data, segment.data_length}, arrival);
    // The receiver has the bytes in the hole, and this segment was not they.
    if (begin > static_cast<std::int64_t>(stream.next) && stream.acknowledged > stream.next) [[unlikely]] {
      give_up_holes(connection, sender, stream.acknowledged, arrival);
    }
    settle(connection, sender, arrival);
  }

  /// Takes in what `sequence` acknowledges of `reverse`; returns it as an offset.
  static std::uint64_t note_acknowledgment(Stream& reverse, std::uint32_t sequence, bool syn) {
    if (!reverse.started) {
      reverse.start_at(sequence);
      reverse.from_syn = syn;  // a SYN-ACK acknowledges the SYN alone
    }
    const std::int64_t offset = reverse.offset_of(sequence);
    if (offset <= 0) return 0;
    // The FIN takes a sequence number, but is no byte of the stream.
    const std::uint64_t bytes = std::min(static_cast<std::uint64_t>(offset), reverse.fin);
    if (bytes > reverse.acknowledged) reverse.acknowledged = bytes;
    return bytes;
  }

  static void note_fin(Stream& stream, std::int64_t offset) {
    if (stream.fin == Stream::kNever && offset >= static_cast<std::int64_t>(stream.next)) {
      stream.fin = static_cast<std::uint64_t>(offset);
    }
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
    if (offset == stream.next) [[likely]] {
      deliver(connection, sender, chunk, arrival);
      return;
    }
    if (stream.ahead == nullptr) stream.ahead = std::make_unique<AheadStore>();
    const bool skipped = chunk.bytes.size() == chunk.length &&
                         offset + chunk.length <= stream.next + consumer_.skippable(connection, sender);
    stream.ahead->add(offset, chunk, skipped, arrival);
    while (stream.has_ahead() && stream.ahead->full()) {
      give_up_holes(connection, sender, stream.ahead->front().begin, arrival);
    }
  }

  void deliver(Connection& connection, Side sender, const Chunk& chunk, const Arrival& arrival) {
    consumer_.on_bytes(connection, sender, chunk, arrival);
    connection.stream(sender).advance(chunk.length);
  }

  /// Delivers what is now in order, and the FIN after the last byte. Segments
  /// that waited were there in order only at `arrival`.
  void settle(Connection& connection, Side sender, const Arrival& arrival) {
    Stream& stream = connection.stream(sender);
    while (!connection.closed && stream.has_ahead() && stream.ahead->front().begin <= stream.next) {
      deliver_front(connection, sender, arrival);
    }
    if (!connection.closed && !stream.finished && stream.next >= stream.fin) [[unlikely]] {
      stream.finished = true;
      consumer_.on_fin(connection, sender, arrival);
      if (connection.stream(other(sender)).finished) close(connection, Ending::closed, arrival.time);
    }
  }

  void deliver_front(Connection& connection, Side sender, const Arrival& arrival) {
    Stream& stream = connection.stream(sender);
    const AheadStore::Item& item = stream.ahead->front();
    const Arrival at{arrival.time, arrival.frame, item.arrival.acknowledged};
    if (item.end() > stream.next) {
      const std::uint64_t old = stream.next - item.begin;
      if (item.skipped) {
        // Captured, and known to be body bytes that nobody looks at.
        consumer_.on_skipped(connection, sender, item.length - old, at);
        stream.advance(item.length - old);
      } else {
        Chunk chunk{item.bytes, item.length};
        chunk.drop_front(old);
        deliver(connection, sender, chunk, at);
      }
    }
    stream.ahead->pop_front();
  }

  /// Gives up the holes that begin before offset `until` (kNever: all that have
  /// bytes behind them). What waited behind one was there in order when it came,
  /// since only the capture missed the hole.
  void give_up_holes(Connection& connection, Side sender, std::uint64_t until, const Arrival& now) {
    Stream& stream = connection.stream(sender);
    while (!connection.closed && stream.next < until && (stream.has_ahead() || until != Stream::kNever)) {
      Arrival arrival = now;
      std::uint64_t end = until;
      if (stream.has_ahead()) {
        arrival = stream.ahead->front().arrival;
        end = std::min(until, stream.ahead->front().begin);
      }
      const std::uint64_t count = end - stream.next;
      consumer_.on_missing(connection, sender, count, arrival);
      stream.advance(count);
      settle(connection, sender, arrival);
    }
  }

  void close(Connection& connection, Ending ending, Nanos time) {
    connection.closed = true;
    for (Stream& stream : connection.streams) stream.ahead.reset();
    consumer_.on_ending(connection, ending, time);
    closed_.push_back({&connection, connection.number});
    if (closed_.size() > kClosedKept) forget_oldest();
  }

  void forget_oldest() {
    const Closed oldest = closed_.front();
    closed_.pop_front();
    if (oldest.connection->number == oldest.number) table_.erase(*oldest.connection);
  }

  struct Closed {
    Connection* connection;
    std::uint64_t number;  // it may have been replaced since
  };

  Consumer& consumer_;
  std::uint64_t connections_;
  FlowTable table_;
  std::deque<Closed> closed_;
};

}  // namespace wirelap
