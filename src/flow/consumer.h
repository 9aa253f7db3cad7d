// flow: the events that a Tracker reports.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flow/connection.h"
#include "wire/decode.h"

namespace wirelap {

/// Which segments an event can be of. The reassembler passes a constant to inlined handlers.
enum class SegmentKind : std::uint8_t {
  next,  ///< Reassembler::is_next() holds, and on_payload was reported on this connection before
  any,
};

/// What a segment acknowledges.
struct Acknowledgment {
  std::uint64_t offset;  ///< the receiver has all bytes of the stream before it
  std::uint64_t edge;    ///< right edge of the receiver's window
  Nanos time;
  const TcpHeader& tcp;
  SegmentKind kind;
};

/// Handles each event by doing nothing. A consumer derives from it, or has all its members. They are not virtual, so
/// that they can be inlined.
///
/// A `stream` is named by the Side that sends its bytes.
struct IdleConsumer {
  /// A packet, before all else that follows from it. Duplicates and late packets are reported here alone.
  void on_packet(Connection&, Side /*sender*/, const Segment&) {}
  /// Bytes in order. The stream's `next` is the offset of the first of them, here and in the next two.
  void on_bytes(Connection&, Side /*stream*/, const StreamData&, const Arrival&) {}
  /// `count` bytes were captured, but not kept.
  void on_skipped(Connection&, Side /*stream*/, std::uint64_t /*count*/, const Arrival&) {}
  /// `count` bytes are in no packet of the capture.
  void on_not_captured(Connection&, Side /*stream*/, std::uint64_t /*count*/, const Arrival&) {}
  /// After the stream's `acknowledged` and `allowed` have been updated.
  void on_acknowledged(Connection&, Side /*stream*/, const Acknowledgment&) {}
  /// After the stream's last byte.
  void on_fin(Connection&, Side /*stream*/, const Arrival&) {}
  /// No more bytes come.
  void on_ending(Connection&, Ending, Nanos) {}
  /// After on_ending, when late packets are counted, too.
  void on_gone(Connection&) {}
  /// The tracker is destroyed before the connection has ended. What the consumer keeps with it is to be freed.
  void on_dropped(Connection&) {}

  /// Of how many bytes from the stream's `next` on the consumer needs only the count.
  std::uint64_t skippable(Connection&, Side /*stream*/) { return 0; }
  /// About how many bytes the consumer keeps with the connection. Asked for when memory is scarce.
  std::size_t held_bytes(const Connection&) { return 0; }
  /// A packet of the connection comes soon: brings what the consumer keeps with it into the cache.
  void prefetch(const Connection&) {}

  // What the timing stage needs beside that (timing/observer.h). A segment of an open connection that is no duplicate
  // is reported in this order: on_segment, on_handshake, on_acknowledged, then on_payload or on_position.

  /// `packet` is of the segment.
  void on_segment(Connection&, Side /*sender*/, const PacketIdentity& /*packet*/, SegmentKind) {}
  /// The segment belongs to the handshake: what both ends agreed on may be known now.
  void on_handshake(Connection&) {}
  /// The segment has payload that begins at offset `begin` of its stream. Its bytes are reported after it.
  void on_payload(Connection&, Side /*sender*/, const PacketIdentity&, std::int64_t /*begin*/, const Arrival&,
                  SegmentKind) {}
  /// The segment has no payload, SYN, FIN or RST. It stands at `offset` of its stream: its sender has sent all before.
  void on_position(Connection&, Side /*sender*/, std::uint64_t /*offset*/, Nanos, SegmentKind) {}
  /// No segment of the stream waits behind a sequence gap any more.
  void on_gaps_filled(Connection&, Side /*stream*/) {}

  // What the timing stage reports to its own consumer, beside the events above.

  /// Bytes from offset `begin` on, reported before, reach their receiver only now: they were lost beyond the capture
  /// point and are retransmitted.
  void on_retransmitted(Connection&, Side /*stream*/, std::uint64_t /*begin*/, const Arrival&) {}
  /// The latest on_retransmitted was wrong: the retransmission was spurious.
  void on_spurious(Connection&, Side /*stream*/) {}
};

}  // namespace wirelap
