// wire: labels and service headers: MPLS (RFC 3032) and NSH (RFC 8300).
//
// In: a header that an EtherType, an IP protocol, a UDP port or another tunnel
// announced. Out: the header behind it. An Ethernet frame behind it counts as
// tunnelled, an IP packet does not.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// Decodes an MPLS label stack, and the control word of a pseudowire (RFC 4385) where one
/// follows. MPLS does not name its payload's type: the payload's first bytes decide
/// (RFC 4928 describes that routers do the same).
DecodeError decode_mpls(DecodeState& state);

/// Decodes a Network Service Header.
DecodeError decode_nsh(DecodeState& state);

}  // namespace wirelap
