// wire: point-to-point links: PPP (RFC 1661), bare and in HDLC-like framing
// (RFC 1662), PPPoE (RFC 2516), Cisco HDLC, Frame Relay (RFC 2427).
//
// In: a frame of such a link. Out: the header behind the link's own. Payloads that
// PPP compressed or encrypted are not decoded; compressed PPP headers are.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// Decodes PPP's address and control fields, where present, and its protocol field.
DecodeError decode_ppp(DecodeState& state);

/// Decodes a PPPoE session header. The session is part of the tunnel's tag.
DecodeError decode_pppoe(DecodeState& state);

/// Decodes Cisco HDLC's address, control and EtherType fields.
DecodeError decode_cisco_hdlc(DecodeState& state);

/// Decodes Frame Relay's address, control and network layer protocol fields.
DecodeError decode_frame_relay(DecodeState& state);

}  // namespace wirelap
