// wire: point-to-point links: PPP (RFC 1661) bare and in HDLC-like framing
// (RFC 1662), PPPoE (RFC 2516), Cisco HDLC, PacketNumber Relay (RFC 2427).
//
// What PPP compresses or encrypts stays closed, but for the compression of its
// own header's fields.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// Takes off PPP's address and control fields, where they are there, and its protocol field.
DecodeError open_ppp(DecodeState& walk);

/// Takes off a PPPoE session header; its session is part of the flow's key.
DecodeError open_pppoe(DecodeState& walk);

/// Takes off Cisco HDLC's address, control and EtherType.
DecodeError open_cisco_hdlc(DecodeState& walk);

/// Takes off PacketNumber Relay's address, control and network layer identifiers.
DecodeError open_frame_relay(DecodeState& walk);

}  // namespace wirelap
