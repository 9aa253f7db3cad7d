// wire: tunnels in UDP: VXLAN (RFC 7348), VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe),
// GENEVE (RFC 8926), GTP-U (3GPP TS 29.281), Teredo (RFC 4380), AYIYA
// (draft-massar-v6ops-ayiya), and by their ports L2TP, GRE and MPLS.
//
// In: the payload of IP protocol 17. Out: the header inside the tunnel, or
// DecodeError::not_tcp for UDP that is no such tunnel.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// Decodes a UDP header (RFC 768) and the header of the tunnel that its ports announce.
/// Enters the tunnel.
DecodeError decode_udp(DecodeState& state);

}  // namespace wirelap
