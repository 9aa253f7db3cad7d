// timing: attributes the time between two arrivals to a cause.
//
// In: segments that bring new bytes, or are retransmissions, each with the state of both directions. Out: the ledger of
// the connection's time by cause.
//
// The ledger advances when new bytes arrive in order. The time between two such arrivals is attributed when the later
// one comes, by the question: why had its sender not sent it earlier, and up to when? The sender of a segment that is
// captured at `t` knew what had passed the capture point by `t` minus the round trip from there to the sender. So a
// capture at either end, or between them, gives the same causes.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "flow/key.h"
#include "timing/ledger.h"
#include "timing/loss_charge.h"
#include "timing/placed_segment.h"
#include "timing/round_trips.h"
#include "timing/sender_state.h"

namespace wirelap {

/// A segment with payload, and the state when it arrives.
struct ArrivingSegment {
  const PlacedSegment& placed;
  const SenderState& from;  ///< state of its sender
  const RoundTrips& round_trips;
  Side client;

  /// The cause of waiting for the sender's application.
  Cause application() const { return placed.sender == client ? kClient : kServer; }
};

class Attribution {
 public:
  const Ledger& ledger() const { return ledger_; }

  /// The end whose bytes advanced the ledger last.
  Side last_sender() const { return last_sender_; }
  void set_last_sender(Side side) { last_sender_ = side; }

  /// See LossCharge.
  Nanos network_so_far() const { return charge_.network_so_far(ledger_); }

  /// Starts the ledger at `time`, the end of the handshake, with waiting for the server: it sends first.
  void begin_with_server(Side client, Nanos time) {
    ledger_.until = time;
    last_sender_ = client;
  }

  /// Records that `side` is to send next, as the messages show. While the server is to send, segments of the client do
  /// not end the time that is attributed to the server.
  void expect(Side side) {
    expected_ = side;
    has_expected_ = true;
  }
  /// Whether `sender` is the client, and sends while the server is to send.
  bool is_sent_meanwhile(Side sender, Side client) const {
    return has_expected_ && sender == client && expected_ != client && last_sender_ == client;
  }

  /// The time from the end of the ledger to `time`. A huge number where the ledger is empty or ends after `time`.
  std::uint64_t time_since_last(Nanos time) const {
    return static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(ledger_.until);
  }

  /// How long the sender of a segment was waited for: the time since the end of the ledger, without the path to the
  /// sender. 0 where the ledger is empty.
  Nanos waited_for(const ArrivingSegment& segment) const;

  /// Attributes the time up to `until`, at the latest that of the segment, to what kept the sender from sending the
  /// segment earlier. `retransmitted`: it was lost before the capture point.
  void attribute(const ArrivingSegment& segment, Nanos until, bool retransmitted);

  /// Attributes the time up to `time` to `cause`.
  void attribute_to(Cause cause, Nanos time) { ledger_.attribute(cause, time); }

  /// Attributes the time up to `time`, which is `since` later, to the network. For the fast path: the ledger is not
  /// empty.
  void attribute_to_network(std::uint64_t since, Nanos time) {
    ledger_.causes.by[kNetwork] += static_cast<Nanos>(since);
    ledger_.until = time;
  }

  /// The changes by charge_loss() and attribute_loss(), for undo().
  struct LossUndo {
    Ledger ledger_before;
    ChargedNetwork network_before;
    Side last_sender_before = Side::low;
    Nanos charged = 0;  ///< time added to kLoss
    Nanos pause = 0;    ///< the part of it that was an application's
    Cause pause_cause = kServer;
  };
  /// Moves the time since a segment that is now retransmitted was `first` captured (null: not known) to kLoss
  /// (loss_charge.h).
  LossUndo charge_loss(const ArrivingSegment& retransmission, const OffsetLog::Point* first);
  /// After charge_loss(): attributes the time up to `time`, that of the retransmission, to kLoss.
  void attribute_loss(LossUndo& undo, Nanos time);
  /// Undoes both, because the retransmission at `time` was spurious. If nothing was attributed since, the ledger ends
  /// where it ended before.
  void undo(const LossUndo& undo, Nanos time);

  /// The cause times up to `time`, if no more packets come before it. `server`: the state of the server's direction.
  CauseTimes causes_until(Nanos time, Side client, const SenderState& server, const RoundTrips& round_trips) const {
    const bool is_attributed = time <= ledger_.until || ledger_.is_empty();
    return is_attributed ? ledger_.causes : causes_beyond(time, client, server, round_trips);
  }

 private:
  CauseTimes causes_beyond(Nanos time, Side client, const SenderState& server, const RoundTrips& round_trips) const;
  void attribute_turn(Ledger& ledger, Side sender, Cause application, Nanos until, bool retransmitted,
                      const RoundTrips& round_trips) const;
  bool attribute_window(const ArrivingSegment& segment, Nanos until);
  void wait_for_window(Nanos until);
  void attribute_pause(const ArrivingSegment& segment, Nanos until, bool retransmitted);
  bool is_held_by_nagle(const ArrivingSegment& segment, Nanos released, Nanos until) const;

  Ledger ledger_;
  LossCharge charge_;
  Side last_sender_ = Side::low;
  Side expected_ = Side::low;  // has a meaning only with has_expected_
  bool has_expected_ = false;
};

}  // namespace wirelap
