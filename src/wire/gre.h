// wire: GRE and the tunnels that use its header.
//
// In: the payload of IP protocol 47, or of GRE in UDP (RFC 8086). Out: the header
// inside the tunnel.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// Decodes a GRE header (RFC 2784, RFC 2890), PPTP's version of it (RFC 2637), and the
/// ERSPAN or WCCP header that may follow it. Enters the tunnel.
DecodeError decode_gre(DecodeState& state);

}  // namespace wirelap
