// timing: what the time between two arrivals is attributed to.
//
// In: segments that bring new bytes, or a retransmission, each with what is known about both directions. Out: the
// ledger of the connection's time by cause.
//
// The ledger advances when new bytes are there in order. The time between two such arrivals is attributed when the
// later one comes: what kept its sender from sending it earlier, and until when? What the sender of a segment seen at
// `t` knew is what had passed the capture point by `t` minus the round trip from there to that sender. So a capture at
// either end, or between, gives the same causes.
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

/// A segment with payload, and what is known when it arrives.
struct ArrivingSegment {
  const PlacedSegment& placed;
  const SenderState& from;  ///< of its sender
  const RoundTrips& round_trips;
  Side client;

  /// Whose application the sender is.
  Cause application() const { return placed.sender == client ? kClient : kServer; }
};

class Attribution {
 public:
  const Ledger& ledger() const { return ledger_; }

  /// Who sent the bytes that advanced the ledger last.
  Side last_sender() const { return last_sender_; }
  void set_last_sender(Side side) { last_sender_ = side; }

  /// See LossCharge.
  Nanos network_so_far() const { return charge_.network_so_far(ledger_); }

  /// The server sends first: all have waited for it since the handshake was over, at `time`.
  void begin_with_server(Side client, Nanos time) {
    ledger_.until = time;
    last_sender_ = client;
  }

  /// Records that, as the messages show, `side` is to send next: while it is the server, what the client sends ends no
  /// wait.
  void expect(Side side) {
    expected_ = side;
    has_expected_ = true;
  }
  /// Whether `sender` is the client and sends more while the server is at work.
  bool is_sent_meanwhile(Side sender, Side client) const {
    return has_expected_ && sender == client && expected_ != client && last_sender_ == client;
  }

  /// How long after the ledger's end `time` is: very long, too, where the ledger is empty or ahead of it.
  std::uint64_t time_since_last(Nanos time) const {
    return static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(ledger_.until);
  }

  /// How long the sender of a segment had been waited for, as far as it can know; 0 where the ledger is empty.
  Nanos waited_for(const ArrivingSegment& segment) const;

  /// Attributes the time up to `until`, no later than the segment's, to what kept its sender from sending it earlier.
  /// `retransmitted`: it was lost before the capture point.
  void attribute(const ArrivingSegment& segment, Nanos until, bool retransmitted);

  /// Attributes the time up to `time` to `cause`.
  void attribute_to(Cause cause, Nanos time) { ledger_.attribute(cause, time); }

  /// Attributes the time up to `time`, which is `since` later, to the network. For the fast path: the ledger is not
  /// empty.
  void attribute_to_network(std::uint64_t since, Nanos time) {
    ledger_.causes.by[kNetwork] += static_cast<Nanos>(since);
    ledger_.until = time;
  }

  /// What charging a loss has changed, to undo it.
  struct LossUndo {
    Ledger ledger_before;
    ChargedNetwork network_before;
    Side last_sender_before = Side::low;
    Nanos charged = 0;  ///< to kLoss
    Nanos pause = 0;    ///< of that, an application's
    Cause pause_cause = kServer;
  };
  /// Charges the loss of a segment that is retransmitted: what was attributed since it was `first` seen (null: not
  /// known).
  LossUndo charge_loss(const ArrivingSegment& retransmission, const OffsetLog::Point* first);
  /// Then the rest, up to the retransmission.
  void attribute_loss(LossUndo& undo, Nanos time);
  /// The retransmission, at `time`, was spurious. Where nothing has been attributed since, the wait goes on as before
  /// it.
  void undo(const LossUndo& undo, Nanos time);

  /// The cause times if nothing more came until `time`. `server`: what is known about its direction.
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
  Side expected_ = Side::low;  // where has_expected_
  bool has_expected_ = false;
};

}  // namespace wirelap
