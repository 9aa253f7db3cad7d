// exchange: what an analyzer sees of a connection.
//
// In: a connection whose client is known. Out: how far each direction has come,
// and the few facts about time that exchanges need. Analyzers and the log of
// exchanges have no other access to a connection. A view can number the bytes of
// each direction in its own way, so that an adapter can show an analyzer a stream
// that it made from the connection's, such as decrypted TLS.
#pragma once

#include "base/time.h"
#include "flow/connection.h"
#include "flow/direction.h"
#include "flow/stream.h"
#include "timing/causes.h"
#include "timing/timing.h"

namespace wirelap {

/// A view of one connection. Small, and passed by value.
class StreamView {
 public:
  /// Shows the streams of `connection` with TCP's offsets. `connection` outlives the view. Its client is known and does
  /// not change.
  explicit StreamView(const Connection& connection)
      : connection_(&connection),
        positions_{&connection.stream(connection.client), &connection.stream(other(connection.client))} {}

  /// Shows the connection of `below` with other streams, whose positions outlive the view.
  StreamView(const StreamView& below, const StreamPosition& to_server, const StreamPosition& to_client)
      : connection_(below.connection_), positions_{&to_server, &to_client} {}

  const StreamPosition& position(Direction direction) const { return *positions_[index(direction)]; }

  /// Offset of the next byte of `direction` that an analyzer is to be fed.
  std::uint64_t next(Direction direction) const { return position(direction).next; }

  /// When the TCP handshake was over; kUnknownTime where the capture does not show it.
  Nanos opened() const { return connection_->handshake.ack; }
  /// The longest time between two packets of the TCP handshake.
  Nanos handshake_max_gap() const { return connection_->handshake.max_gap; }

  /// When the packet before the present one was captured.
  Nanos previous_packet_time() const { return connection_->last_time; }

  /// Packets of the connection so far, and what became of them.
  const TcpCounts& counts() const { return connection_->counts; }

  /// The causes of the connection's time up to `time`.
  CauseTimes causes_until(Nanos time) const { return timing().causes_until(time, connection_->client); }

  /// The round trip from the capture point to the server; kUnknownTime where none was seen.
  Nanos round_trip_to_server() const { return timing().round_trip_to(sender(Direction::to_client)); }

  /// Whether a round trip to either end was seen, which attribution needs.
  bool has_round_trip() const {
    return timing().round_trip_to(Side::low) != kUnknownTime || timing().round_trip_to(Side::high) != kUnknownTime;
  }

  /// Whether bytes of `direction` may still get lost after the capture point.
  bool may_get_lost(Direction direction) const { return timing().may_get_lost(sender(direction)); }

  /// Records that, as the messages show, the sender of `direction` is to send next.
  void expect(Direction direction) const { timing().expect(sender(direction)); }

 private:
  Side sender(Direction direction) const {
    return direction == Direction::to_server ? connection_->client : other(connection_->client);
  }
  Timing& timing() const { return *connection_->timing; }

  const Connection* connection_;
  const StreamPosition* positions_[2];  // by Direction
};

}  // namespace wirelap
