// wire: Ethernet and what its EtherType field announces (IEEE 802.3, 802.1Q,
// 802.1ad, 802.1ah, 802.1BR), LLC and SNAP (IEEE 802.2, RFC 1042).
//
// Addresses are ignored: flows are told apart by IP addresses, VLANs and tunnels.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// EtherTypes (IANA, IEEE 802 Numbers).
enum EtherType : std::uint16_t {
  kEtherIpv4 = 0x0800,
  kEtherVlan = 0x8100,
  kEtherServiceVlan = 0x88a8,
  kEtherBridged = 0x6558,  ///< Ethernet, in GRE and others
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

/// Below it the field is a length, before LLC (IEEE 802.3, 3.2.6).
inline constexpr std::uint16_t kLeastEtherType = 0x0600;

/// Takes off the addresses and the type, or the length before LLC.
DecodeError open_ethernet(DecodeState& walk);

/// Takes off VLAN and other tags, up to what the last EtherType announces.
DecodeError open_ether_type(DecodeState& walk);

/// Takes off an LLC header, with SNAP's.
DecodeError open_llc(DecodeState& walk);

/// True where `bytes` begin with an Ethernet header before something known:
/// how tunnels are read whose own header does not say what they carry.
bool looks_like_ethernet(Bytes bytes);

/// True where `bytes` begin with an IPv4 or IPv6 header that fits into `length` bytes.
bool looks_like_ip(Bytes bytes, std::uint32_t length);

}  // namespace wirelap
