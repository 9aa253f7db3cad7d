#include "wire/ppp.h"

#include "wire/ether.h"
#include "wire/tunnel.h"

namespace wirelap {
namespace {

constexpr std::uint8_t kAllStations = 0xff, kUnnumbered = 0x03;

}  // namespace

DecodeError open_ppp(DecodeState& walk) {
  Layer& layer = walk.layer;
  if (layer.bytes.size() >= 2 && layer.bytes[0] == kAllStations && layer.bytes[1] == kUnnumbered) layer.skip(2);
  if (layer.bytes.empty()) return DecodeError::link_truncated;
  // A protocol's number is odd in its last byte alone: a first byte that is odd stands alone (RFC 1661, 6.5).
  const bool compressed = (layer.bytes[0] & 1) != 0;
  if (!compressed && layer.bytes.size() < 2) return DecodeError::link_truncated;
  const std::uint32_t protocol = compressed ? layer.bytes[0] : load_be16(layer.bytes.data());
  layer.skip(compressed ? 1 : 2);
  switch (protocol) {
    case 0x0021:
    case 0x0057: return go_on(walk, 0, Kind::ip);
    case 0x0281:
    case 0x0283: return go_on(walk, 0, Kind::mpls);  // RFC 3032, 4.3
    case 0x0031:  // bridging (RFC 3518): flags, MAC type, and for Ethernet nothing more
      if (layer.bytes.size() < 2) return DecodeError::link_truncated;
      if (layer.bytes[1] == 1) return go_on(walk, 2, Kind::ethernet);
      break;
    default: break;
  }
  return stop_at(walk, DecodeError::not_ip_ppp, protocol);
}

DecodeError open_pppoe(DecodeState& walk) {
  constexpr std::uint8_t kVersionAndType = 0x11, kSessionData = 0;
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 6) return DecodeError::link_truncated;
  if (bytes[0] != kVersionAndType || bytes[1] != kSessionData) return DecodeError::link_malformed;
  const std::uint16_t session = load_be16(&bytes[2]);
  walk.layer.skip(6);
  return enter_tunnel(walk, TunnelKind::pppoe, session, Kind::ppp);
}

DecodeError open_cisco_hdlc(DecodeState& walk) {
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 4) return DecodeError::link_truncated;
  return go_on(walk, 4, Kind::ether_type, load_be16(&bytes[2]));
}

DecodeError open_frame_relay(DecodeState& walk) {
  constexpr std::uint8_t kIpv4 = 0xcc, kIpv6 = 0x8e, kSnap = 0x80;
  Layer& layer = walk.layer;
  std::size_t address_bytes = 2;  // the last has its lowest bit set (Q.922)
  while (address_bytes <= 4 && layer.bytes.size() >= address_bytes && (layer.bytes[address_bytes - 1] & 1) == 0) {
    ++address_bytes;
  }
  if (address_bytes > 4) return DecodeError::link_malformed;
  if (layer.bytes.size() < address_bytes + 2) return DecodeError::link_truncated;
  layer.skip(address_bytes);
  // Cisco's own encapsulation has an EtherType here.
  if (layer.bytes[0] != kUnnumbered) return go_on(walk, 2, Kind::ether_type, load_be16(layer.bytes.data()));
  layer.skip(layer.bytes[1] == 0 ? 2 : 1);  // a filler
  if (layer.bytes.empty()) return DecodeError::link_truncated;
  switch (layer.bytes[0]) {
    case kIpv4:
    case kIpv6: return go_on(walk, 1, Kind::ip);
    case kSnap: {
      if (layer.bytes.size() < 6) return DecodeError::link_truncated;
      const std::uint32_t organisation = load_be32(layer.bytes.data()) & 0xffffff;
      const std::uint16_t type = load_be16(&layer.bytes[4]);
      if (organisation == 0) return go_on(walk, 6, Kind::ether_type, type);
      if (organisation == 0x0080c2 && (type == 1 || type == 7)) return go_on(walk, 6, Kind::ethernet);
      return stop_at(walk, DecodeError::not_ip_llc, 0xaa);
    }
    default: return stop_at(walk, DecodeError::not_ip_llc, layer.bytes[0]);
  }
}

}  // namespace wirelap
