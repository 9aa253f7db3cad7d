// wire: tunnels: headers that carry a packet or a frame of another network.
//
// In: what IP or an EtherType announced as a tunnel. Out: what is inside, and
// the tunnel's tag for the flow's key. Which identifiers make the tag: those
// that both directions of a connection have in common.
//
//   VXLAN, VXLAN-GPE, GENEVE   the VNI
//   GRE                        the key, and both outer addresses
//   ERSPAN                     the session
//   PBB (802.1ah)              the I-SID
//   PPPoE                      the session
//   IP in IP, 6in4, PPTP, GTP-U, L2TP, AYIYA  both outer addresses
//   MPLS, NSH, Teredo          nothing
//
// and the VLAN tags around. Labels, TEIDs, PPTP's call and L2TP's session
// identifiers name the receiving end, so the two directions have different ones.
// A GRE key is configured at both ends, and nearly always the same. MPLS has no
// addresses, and often one direction has no label any more where it is captured
// (penultimate hop popping). A VNI is its tenant's own, whichever hosts carry it:
// with their addresses in the tag, a machine that moves would lose its connections.
// Outer addresses stand in no order.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// What a tunnel is; the numbers are part of flows' keys.
enum class TunnelKind : std::uint8_t {
  none,
  vxlan,
  geneve,
  gre,
  erspan,
  backbone,
  pppoe,
  ip,
  pptp,
  gtp,
  l2tp,
  mpls,
  nsh,
  teredo,
  ayiya,
};

/// The kind of the innermost tunnel of a tag.
inline TunnelKind tunnel_kind(TunnelTag tag) { return static_cast<TunnelKind>(tag >> 56); }
/// Its VNI, key, session or I-SID; of the kinds without one nothing that means anything.
inline std::uint32_t tunnel_id(TunnelTag tag) { return static_cast<std::uint32_t>(tag >> 24); }

/// Goes on inside a tunnel, with a header of kind `inside` at the start of
/// `walk.layer`. Returns DecodeError::none, or DecodeError::too_deep.
DecodeError enter_tunnel(DecodeState& walk, TunnelKind kind, std::uint32_t id, Kind inside, std::uint32_t type = 0);

/// True where IP protocol `protocol` may carry a tunnel that is opened here.
bool is_tunnel_protocol(std::uint32_t protocol);

/// Takes off the header of the IP protocol at `walk.layer`: GRE (RFC 2784, 2890, 2637),
/// IP in IP (RFC 2003, 2473, 4213), L2TPv3 (RFC 3931), MPLS (RFC 4023), or UDP and a
/// tunnel in it; DecodeError::not_tcp for all else.
DecodeError open_protocol(DecodeState& walk);

/// Takes off an MPLS label stack (RFC 3032), and a pseudowire's control word (RFC 4385).
/// What follows is told by its first bytes, as routers do (RFC 4928).
DecodeError open_mpls(DecodeState& walk);

/// Takes off a service header (RFC 8300).
DecodeError open_nsh(DecodeState& walk);

/// Takes off an I-TAG (IEEE 802.1Q, 9.7), before the customer's frame.
DecodeError open_backbone(DecodeState& walk);

}  // namespace wirelap
