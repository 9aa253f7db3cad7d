// flow: the TCP handshake of a connection: its times, and the options of both ends.
//
// In: the SYNs, and the packets after them up to the client's ACK. Out: the times of
// these packets, and the options that were offered and agreed on.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "flow/key.h"
#include "wire/decode.h"

namespace wirelap {

struct Connection;

/// The times of the handshake's packets at the capture point (RFC 9293, section 3.5).
struct Handshake {
  Nanos first_syn = kUnknownTime;
  Nanos last_syn = kUnknownTime;  ///< the latest before the first SYN-ACK
  Nanos first_syn_ack = kUnknownTime;
  Nanos syn_ack = kUnknownTime;  ///< the one that the client answered
  Nanos ack = kUnknownTime;      ///< the client's first segment after it
  Nanos max_gap = 0;             ///< longest time between two of its packets
  bool crossed = false;          ///< `last_syn` and the SYN-ACK crossed: the time between them is no round trip

  static Nanos between(Nanos from, Nanos to) {
    return from == kUnknownTime || to == kUnknownTime ? kUnknownTime : to > from ? to - from : 0;
  }
  /// From the first SYN to the client's ACK.
  Nanos duration() const { return between(first_syn, ack); }
  /// From the capture point to the server and back.
  Nanos server_rtt() const { return crossed ? kUnknownTime : between(last_syn, first_syn_ack); }
  /// From the capture point to the client and back.
  Nanos client_rtt() const { return between(syn_ack, ack); }
};

/// The options in one end's SYN (RFC 9293, section 3.7.1; RFC 7323).
struct Offer {
  bool seen = false;                   ///< the SYN was captured
  std::uint16_t max_segment_size = 0;  ///< the largest that it wants to receive; 0: not sent
  std::int8_t window_shift = -1;       ///< -1: not sent
  bool timestamps = false;
  bool sack = false;
  bool own_ids = false;  ///< its IP IDs count the packets of this connection alone
};

/// Records a SYN or SYN-ACK of `sender`.
void record_syn(Connection& connection, Side sender, const Segment& segment);

/// Records the time of a packet of `sender` in a handshake that is not over yet.
void record_handshake(Connection& connection, Side sender, const Segment& segment);

}  // namespace wirelap
