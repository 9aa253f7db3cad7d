// flow: how a connection opens: when, and what both ends offer.
//
// In: its SYNs, and the packets after them up to the client's answer. Out: the times of these packets, and what both
// ends have offered and agreed on.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "flow/key.h"
#include "wire/decode.h"

namespace wirelap {

struct Connection;

/// Times of the three packets that open a connection (RFC 9293, 3.5), at the capture point.
///
///   client -> server    first_syn  last_syn                                  ack
///   server -> client                           first_syn_ack  syn_ack
struct Handshake {
  Nanos first_syn = kUnknownTime;
  Nanos last_syn = kUnknownTime;  ///< the last before first_syn_ack
  Nanos first_syn_ack = kUnknownTime;
  Nanos syn_ack = kUnknownTime;  ///< the one that `ack` answers
  Nanos ack = kUnknownTime;      ///< the client's first segment after it
  Nanos max_gap = 0;             ///< longest time between two of its packets
  bool crossed = false;          ///< the first SYN-ACK answers an earlier SYN than the last: no round trip is known

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

/// What one end offered in its SYN (RFC 9293, 3.7.1; RFC 7323).
struct Offer {
  bool seen = false;                   ///< its SYN was captured
  std::uint16_t max_segment_size = 0;  ///< that it accepts; 0: not given
  std::int8_t window_shift = -1;       ///< -1: not given
  bool timestamps = false;
  bool sack = false;
  bool own_ids = false;  ///< its IP IDs count this connection's packets alone
};

/// Records a SYN or SYN-ACK of `sender` in `connection`.
void record_syn(Connection& connection, Side sender, const Segment& segment);

/// Records a packet of `sender` that comes before the handshake is over.
void record_handshake(Connection& connection, Side sender, const Segment& segment);

}  // namespace wirelap
