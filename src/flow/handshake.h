// flow: how a connection opens: when, and what both ends say of themselves.
//
// In: its SYNs, and what follows them up to the client's answer. Out: the times of
// these packets, and what was offered and agreed on.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "flow/key.h"
#include "wire/decode.h"

namespace wirelap {

struct Connection;

/// Times of the three packets that open a connection (RFC 9293, 3.5), at the capture point.
struct Handshake {
  Nanos first_syn = kUnknownTime;
  Nanos last_syn = kUnknownTime;  ///< the one that was answered
  Nanos first_syn_ack = kUnknownTime;
  Nanos syn_ack = kUnknownTime;  ///< the last before the client's answer
  Nanos ack = kUnknownTime;      ///< the client's first segment after it
  Nanos max_gap = 0;             ///< longest time between two of its packets
  bool crossed = false;          ///< the SYN-ACK was on its way before the SYN sent last: that tells no round trip

  static Nanos between(Nanos from, Nanos to) {
    return from == kUnknownTime || to == kUnknownTime ? kUnknownTime : to > from ? to - from : 0;
  }
  /// From the first SYN to the client's answer.
  Nanos duration() const { return between(first_syn, ack); }
  /// From the capture point to the server and back.
  Nanos server_rtt() const { return crossed ? kUnknownTime : between(last_syn, first_syn_ack); }
  /// From the capture point to the client and back.
  Nanos client_rtt() const { return between(syn_ack, ack); }
};

/// What one end said of itself in its SYN (RFC 9293, 3.7.1; RFC 7323).
struct Offer {
  bool seen = false;                   ///< its SYN was captured
  std::uint16_t max_segment_size = 0;  ///< that it wants to receive; 0: not said
  std::int8_t window_shift = -1;       ///< -1: not said
  bool timestamps = false;
  bool sack = false;
  bool own_ids = false;  ///< its IP IDs count this connection's packets alone
};

/// Takes a SYN, or the answer to one, of `sender` into `connection`.
void record_syn(Connection& connection, Side sender, const Segment& segment);

/// Takes a packet of `sender` into the times of a handshake that is not over yet.
void record_handshake(Connection& connection, Side sender, const Segment& segment);

}  // namespace wirelap
