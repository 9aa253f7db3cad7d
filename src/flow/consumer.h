// flow: the events that a Tracker reports.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flow/connection.h"
#include "wire/decode.h"

namespace wirelap {

/// Which segments an event can be about. A constant argument: inlined handlers are compiled for each kind.
enum class SegmentKind : std::uint8_t {
  next,  ///< Reassembler::is_next() holds, and on_payload was reported on this connection before
  any,
};

/// An acknowledgment, with offsets in the acknowledged stream.
struct Acknowledgment {
  std::uint64_t offset;  ///< the receiver has all bytes of the stream before it
  std::uint64_t edge;    ///< right edge of the receiver's window
  Nanos time;
  const TcpHeader& tcp;
  SegmentKind kind;
};

/// A consumer that ignores all events. Other consumers derive from it, or define all of its functions. These are not
/// virtual, so that they can be inlined.
///
/// `stream` is the Side that sends the stream's bytes.
struct IdleConsumer {
  /// A packet, before all other events that it causes. Duplicates and late packets cause no other event.
  void on_packet(Connection&, Side /*sender*/, const Segment&) {}
  /// Bytes in order. The first one is at the stream's `next`, here and in the following two events.
  void on_bytes(Connection&, Side /*stream*/, const StreamData&, const Arrival&) {}
  /// `count` bytes were captured, but not kept, since they were skippable.
  void on_skipped(Connection&, Side /*stream*/, std::uint64_t /*count*/, const Arrival&) {}
  /// `count` bytes are in no packet of the capture.
  void on_not_captured(Connection&, Side /*stream*/, std::uint64_t /*count*/, const Arrival&) {}
  /// The stream was acknowledged. Its `acknowledged` and `right_edge` are updated already.
  void on_acknowledged(Connection&, Side /*stream*/, const Acknowledgment&) {}
  /// The stream's FIN, after its last byte.
  void on_fin(Connection&, Side /*stream*/, const Arrival&) {}
  /// The connection has ended: no more bytes come.
  void on_ending(Connection&, Ending, Nanos) {}
  /// Late packets after on_ending are no longer counted: the connection's counts are final.
  void on_gone(Connection&) {}
  /// The tracker is destroyed before the connection has ended. The consumer frees what it keeps with the connection.
  void on_dropped(Connection&) {}

  /// Returns how many bytes from the stream's `next` on are skippable: the consumer needs only their number.
  std::uint64_t skippable(Connection&, Side /*stream*/) { return 0; }
  /// Returns approximately how many bytes the consumer keeps with the connection. Called when memory is scarce.
  std::size_t held_bytes(const Connection&) { return 0; }
  /// A packet of the connection comes soon: starts to load what the consumer keeps with it into the cache.
  void prefetch(const Connection&) {}

  // Further events for the timing stage (timing/observer.h). A segment of an open connection that is not a duplicate
  // causes them in this order: on_segment, on_handshake, on_acknowledged, then on_payload or on_position.

  /// A segment, whose identity is `packet`.
  void on_segment(Connection&, Side /*sender*/, const PacketIdentity& /*packet*/, SegmentKind) {}
  /// The segment belongs to the handshake: the options agreed on may be known now.
  void on_handshake(Connection&) {}
  /// The segment has payload that begins at offset `begin` of its stream. The events of its bytes follow.
  void on_payload(Connection&, Side /*sender*/, const PacketIdentity&, std::int64_t /*begin*/, const Arrival&,
                  SegmentKind) {}
  /// The segment has no payload, SYN, FIN or RST. Its sequence number shows that all bytes before `offset` were sent.
  void on_position(Connection&, Side /*sender*/, std::uint64_t /*offset*/, Nanos, SegmentKind) {}
  /// No segment of the stream waits behind a sequence gap any more.
  void on_gaps_filled(Connection&, Side /*stream*/) {}

  // Further events that the timing stage reports to its own consumer.

  /// Bytes from offset `begin` on, which were delivered before, were lost after the capture point and are retransmitted
  /// now.
  void on_retransmitted(Connection&, Side /*stream*/, std::uint64_t /*begin*/, const Arrival&) {}
  /// The latest on_retransmitted was wrong: the retransmission was spurious.
  void on_spurious(Connection&, Side /*stream*/) {}
};

}  // namespace wirelap
