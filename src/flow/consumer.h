// flow: what a Tracker tells.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flow/connection.h"
#include "wire/decode.h"

namespace wirelap {

/// Takes all that a Tracker tells, and does nothing. A consumer has these members, which are called without a
/// table of them, so that they can be inlined: it derives from this one, or has them all.
/// The Side is that of the stream which is meant: who sends it.
struct IdleConsumer {
  /// Before the packet's bytes.
  void on_packet(Connection&, Side, const Segment&) {}
  /// Bytes in order. The stream's `next` is the offset of the first of them, here and in the next two.
  void on_bytes(Connection&, Side, const StreamData&, const Arrival&) {}
  /// So many were captured, but not kept.
  void on_skipped(Connection&, Side, std::uint64_t /*count*/, const Arrival&) {}
  /// So many are in no packet of the capture.
  void on_not_captured(Connection&, Side, std::uint64_t /*count*/, const Arrival&) {}
  /// Bytes seen before, from this offset on, reach their receiver only now.
  void on_retransmitted(Connection&, Side, std::uint64_t /*begin*/, const Arrival&) {}
  /// The latest on_retransmitted was wrong: they had arrived at first.
  void on_spurious(Connection&, Side) {}
  /// The stream's `acknowledged` may have grown.
  void on_acknowledged(Connection&, Side) {}
  /// After the stream's last byte.
  void on_fin(Connection&, Side, const Arrival&) {}
  /// No more bytes come.
  void on_ending(Connection&, Ending, Nanos) {}
  /// After it, when late packets are counted, too.
  void on_gone(Connection&) {}
  /// Of how many bytes from the stream's `next` on it needs the count alone.
  std::uint64_t skippable(Connection&, Side) { return 0; }
  /// About how many bytes it keeps with the connection. Asked for where memory is scarce.
  std::size_t held_bytes(const Connection&) { return 0; }
};

}  // namespace wirelap
