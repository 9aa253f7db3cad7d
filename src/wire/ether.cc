#include "wire/ether.h"

#include "wire/ppp.h"
#include "wire/tunnel.h"

namespace wirelap {
namespace {

constexpr std::size_t kMacBytes = 14;

/// Bytes of the tag that `ether_type` announces, with the EtherType at its end; 0 where it is none.
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

DecodeError open_ethernet(DecodeState& walk) {
  // Tags of the frame around, where there is one, are in the tunnel's tag.
  walk.vlan = {};
  if (walk.layer.bytes.size() < kMacBytes) return DecodeError::link_truncated;
  const std::uint16_t type = load_be16(&walk.layer.bytes[12]);
  return go_on(walk, kMacBytes, Kind::ether_type, type);
}

DecodeError open_ether_type(DecodeState& walk) {
  Layer& layer = walk.layer;
  while (const std::size_t bytes = tag_bytes(layer.type)) {
    if (layer.bytes.size() < bytes) return DecodeError::link_truncated;
    if (bytes == 4) walk.vlan.add(load_be16(layer.bytes.data()));
    layer.type = load_be16(&layer.bytes[bytes - 2]);
    layer.skip(bytes);
  }
  switch (layer.type) {
    case kEtherIpv4:
    case kEtherIpv6: return go_on(walk, 0, Kind::ip);
    case kEtherMpls:
    case kEtherMplsMulticast: return go_on(walk, 0, Kind::mpls);
    case kEtherPppoe: return open_pppoe(walk);
    case kEtherNsh: return go_on(walk, 0, Kind::nsh);
    case kEtherBackbone: return open_backbone(walk);
    default: break;
  }
  if (layer.type < kLeastEtherType) return go_on(walk, 0, Kind::llc);
  return stop_at(walk, DecodeError::not_ip, layer.type);
}

DecodeError open_llc(DecodeState& walk) {
  constexpr std::uint8_t kIpSap = 0x06, kSnapSap = 0xaa;  // RFC 948, RFC 1042
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 3) return DecodeError::link_truncated;
  if (bytes[0] == kIpSap && bytes[2] == 0x03) return go_on(walk, 3, Kind::ip);
  if (bytes[0] != kSnapSap) return stop_at(walk, DecodeError::not_ip_llc, bytes[0]);
  if (bytes.size() < 8) return DecodeError::link_truncated;
  const std::uint32_t organisation = load_be32(&bytes[2]) & 0xffffff;
  const std::uint16_t type = load_be16(&bytes[6]);
  if (organisation == 0x0080c2 && (type == 1 || type == 7)) return go_on(walk, 8, Kind::ethernet);  // RFC 2427
  // 0000f8: bridge tunnels (IEEE 802.1H).
  if (organisation != 0 && organisation != 0x0000f8) return stop_at(walk, DecodeError::not_ip_llc, kSnapSap);
  if (type < kLeastEtherType) return stop_at(walk, DecodeError::not_ip, type);
  return go_on(walk, 8, Kind::ether_type, type);
}

bool looks_like_ethernet(Bytes bytes) {
  if (bytes.size() < kMacBytes + 1) return false;
  const std::uint32_t type = load_be16(&bytes[12]);
  switch (type) {
    case kEtherIpv4: return bytes[kMacBytes] >> 4 == 4;
    case kEtherIpv6: return bytes[kMacBytes] >> 4 == 6;
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
