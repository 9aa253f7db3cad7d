#include "wire/ether.h"

#include "wire/ppp.h"
#include "wire/tunnel.h"

namespace wirelap {
namespace {

constexpr std::size_t kEthernetHeaderBytes = 14;

/// Bytes of the tag that `ether_type` announces, including the EtherType at the tag's end; 0 where it announces no tag.
std::size_t tag_bytes(std::uint32_t ether_type) {
  switch (ether_type) {
    case kEtherVlan:
    case kEtherServiceVlan:
    case 0x9100:
    case 0x9200: return 4;
    case kEtherVnTag: return 6;
    case kEtherEtag: return 8;
    default: return 0;
  }
}

}  // namespace

DecodeError decode_ethernet(DecodeState& state) {
  // Where a tunnel carries this frame, the outer frame's VLAN tags are already part of `state.tunnel`.
  state.vlan = {};
  if (state.layer.bytes.size() < kEthernetHeaderBytes) return DecodeError::link_truncated;
  const std::uint16_t type = load_be16(&state.layer.bytes[12]);
  return advance(state, kEthernetHeaderBytes, HeaderKind::ether_type, type);
}

DecodeError decode_ether_type(DecodeState& state) {
  Layer& layer = state.layer;
  while (const std::size_t bytes = tag_bytes(layer.type)) {
    if (layer.bytes.size() < bytes) return DecodeError::link_truncated;
    if (bytes == 4) state.vlan.add(load_be16(layer.bytes.data()));
    layer.type = load_be16(&layer.bytes[bytes - 2]);
    layer.skip(bytes);
  }
  switch (layer.type) {
    case kEtherIpv4:
    case kEtherIpv6: return advance(state, 0, HeaderKind::ip);
    case kEtherMpls:
    case kEtherMplsMulticast: return advance(state, 0, HeaderKind::mpls);
    case kEtherPppoe: return decode_pppoe(state);
    case kEtherNsh: return advance(state, 0, HeaderKind::nsh);
    case kEtherBackbone: return decode_backbone_tag(state);
    default: break;
  }
  if (layer.type < kMinEtherType) return advance(state, 0, HeaderKind::llc);
  return fail(state, DecodeError::not_ip, layer.type);
}

DecodeError decode_llc(DecodeState& state) {
  constexpr std::uint8_t kIpSap = 0x06, kSnapSap = 0xaa;  // RFC 948, RFC 1042
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 3) return DecodeError::link_truncated;
  if (bytes[0] == kIpSap && bytes[2] == 0x03) return advance(state, 3, HeaderKind::ip);
  if (bytes[0] != kSnapSap) return fail(state, DecodeError::not_ip_llc, bytes[0]);
  if (bytes.size() < 8) return DecodeError::link_truncated;
  const std::uint32_t oui = load_be32(&bytes[2]) & 0xffffff;
  const std::uint16_t type = load_be16(&bytes[6]);
  if (oui == 0x0080c2 && (type == 1 || type == 7)) return advance(state, 8, HeaderKind::ethernet);  // RFC 2427
  // 00-00-f8: bridge tunnel encapsulation (IEEE 802.1H).
  if (oui != 0 && oui != 0x0000f8) return fail(state, DecodeError::not_ip_llc, kSnapSap);
  if (type < kMinEtherType) return fail(state, DecodeError::not_ip, type);
  return advance(state, 8, HeaderKind::ether_type, type);
}

DecodeError decode_backbone_tag(DecodeState& state) {
  if (state.layer.bytes.size() < 4) return DecodeError::link_truncated;
  const std::uint32_t service = load_be32(state.layer.bytes.data()) & 0xffffff;
  state.layer.skip(4);
  return enter_tunnel(state, TunnelKind::backbone, service, HeaderKind::ethernet);
}

bool looks_like_ethernet(Bytes bytes) {
  if (bytes.size() < kEthernetHeaderBytes + 1) return false;
  const std::uint32_t type = load_be16(&bytes[12]);
  switch (type) {
    case kEtherIpv4: return bytes[kEthernetHeaderBytes] >> 4 == 4;
    case kEtherIpv6: return bytes[kEthernetHeaderBytes] >> 4 == 6;
    case 0x0806:
    case kEtherMpls:
    case kEtherPppoe: return true;
    default: return tag_bytes(type) != 0;
  }
}

bool looks_like_ip(Bytes bytes, std::uint32_t length) {
  if (bytes.empty()) return false;
  if (bytes[0] >> 4 == 6) return bytes.size() < 6 || load_be16(&bytes[4]) + 40u <= length;
  if (bytes[0] >> 4 != 4 || (bytes[0] & 0x0f) < 5) return false;
  return bytes.size() < 4 || load_be16(&bytes[2]) <= length;
}

}  // namespace wirelap
