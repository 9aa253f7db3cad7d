// wire: L2TP, in UDP and in IP.
//
// In: the payload of UDP port 1701 or of IP protocol 115. Out: the header inside
// the tunnel: PPP, or Ethernet.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// Decodes an L2TP header in UDP: version 2 (RFC 2661, section 3.1) or version 3
/// (RFC 3931, section 4.1.2). Enters the tunnel.
DecodeError decode_l2tp_over_udp(DecodeState& state);

/// Decodes an L2TPv3 header in IP (RFC 3931, section 4.1.1). Enters the tunnel.
DecodeError decode_l2tpv3_over_ip(DecodeState& state);

}  // namespace wirelap
