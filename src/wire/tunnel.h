// wire: tunnels: headers that carry a packet or a frame of another network.
//
// In: the header of an IP protocol or an EtherType that may carry a tunnel. Out:
// the header inside, and the tunnel's tag, which is part of the flow's key. A tag
// contains only what both directions of a connection have in common: the VLAN tags
// of the outer frame, and
//
//   VXLAN, VXLAN-GPE, GENEVE   the VNI
//   GRE                        the key, and both outer addresses
//   ERSPAN                     the session
//   PBB (802.1ah)              the I-SID
//   PPPoE                      the session
//   IP in IP, 6in4, PPTP, GTP-U, L2TP, AYIYA  both outer addresses
//   MPLS, NSH, Teredo          nothing
//
// MPLS labels, GTP's TEIDs, PPTP's call and L2TP's session identifiers are not in the
// tag: they name the receiving end, so the two directions have different ones. A GRE
// key is configured at both ends, nearly always to the same value. MPLS has no
// addresses, and often one direction has no label any more where it is captured
// (penultimate hop popping). A VNI belongs to one tenant, whichever hosts carry it:
// with the hosts' addresses in the tag, a virtual machine that moves would lose its
// connections. Outer addresses are in the tag without an order.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// Kinds of tunnels. The values are part of tags.
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

/// The kind of the innermost tunnel in a tag.
inline TunnelKind tunnel_kind(TunnelTag tag) { return static_cast<TunnelKind>(tag >> 56); }
/// The VNI, key, session or I-SID in a tag; of other kinds of tunnels the value has no meaning.
inline std::uint32_t tunnel_id(TunnelTag tag) { return static_cast<std::uint32_t>(tag >> 24); }

/// IP protocol numbers of tunnels (IANA, Protocol Numbers), besides kProtocolUdp.
enum TunnelProtocol : std::uint8_t {
  kProtocolIpv4 = 4,
  kProtocolIpv6 = 41,
  kProtocolGre = 47,
  kProtocolL2tp = 115,
  kProtocolMpls = 137,
};

/// Enters a tunnel of `kind` with identifier `id` (0 where it has none): adds it to
/// `state.tunnel`, and continues with a header of kind `inside` at the start of
/// `state.layer`. Returns DecodeError::none, or DecodeError::too_deep.
DecodeError enter_tunnel(DecodeState& state, TunnelKind kind, std::uint32_t id, HeaderKind inside,
                         std::uint32_t type = 0);

/// As enter_tunnel, for a tunnel whose header does not name the payload's type: the
/// payload's first bytes decide between IP and Ethernet. Also returns
/// DecodeError::tunnel_truncated or tunnel_unknown.
DecodeError enter_tunnel_by_content(DecodeState& state, TunnelKind kind, std::uint32_t id);

/// Whether an IP protocol may carry a tunnel that wirelap decodes.
bool is_tunnel_protocol(std::uint32_t protocol);

/// Decodes the header of the IP protocol `state.layer.type`: GRE, IP in IP (RFC 2003, 2473,
/// 4213), L2TPv3 (RFC 3931), MPLS (RFC 4023), or UDP and a tunnel in it. Returns
/// DecodeError::not_tcp for all other protocols.
DecodeError decode_ip_protocol(DecodeState& state);

}  // namespace wirelap
