// wire: Ethernet (IEEE 802.3), its tags (802.1Q, 802.1ad, 802.1ah, 802.1BR), LLC
// and SNAP (IEEE 802.2, RFC 1042).
//
// In: a frame, or what follows its first header. Out: the header behind. MAC
// addresses are ignored: IP addresses, VLANs and tunnels identify a flow.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// EtherTypes (IANA, IEEE 802 Numbers).
enum EtherType : std::uint16_t {
  kEtherIpv4 = 0x0800,
  kEtherVlan = 0x8100,
  kEtherServiceVlan = 0x88a8,
  kEtherBridged = 0x6558,  ///< an Ethernet frame, as the payload of GRE and others
  kEtherIpv6 = 0x86dd,
  kEtherPpp = 0x880b,
  kEtherMpls = 0x8847,
  kEtherMplsMulticast = 0x8848,
  kEtherPppoe = 0x8864,
  kEtherVnTag = 0x8926,
  kEtherEtag = 0x893f,
  kEtherNsh = 0x894f,
  kEtherBackbone = 0x88e7,
};

/// A smaller value in the EtherType field is the length of an LLC frame (IEEE 802.3, section 3.2.6).
inline constexpr std::uint16_t kMinEtherType = 0x0600;

/// Decodes an Ethernet header: the addresses, and the EtherType or the length before LLC.
DecodeError decode_ethernet(DecodeState& state);

/// Decodes VLAN and other tags, up to the header that the last EtherType announces.
DecodeError decode_ether_type(DecodeState& state);

/// Decodes an LLC header and the SNAP header that may follow it.
DecodeError decode_llc(DecodeState& state);

/// Decodes an I-TAG (802.1ah; IEEE 802.1Q, section 9.7), which precedes the customer's frame.
DecodeError decode_backbone_tag(DecodeState& state);

/// Whether `bytes` look like an Ethernet header and a known protocol behind it. For
/// tunnels whose header does not name the payload's type.
bool looks_like_ethernet(Bytes bytes);

/// Whether `bytes` look like an IPv4 or IPv6 packet of at most `length` bytes. For the same tunnels.
bool looks_like_ip(Bytes bytes, std::uint32_t length);

}  // namespace wirelap
