#include "wire/ppp.h"

#include "wire/ether.h"
#include "wire/tunnel.h"

namespace wirelap {
namespace {

constexpr std::uint8_t kAllStations = 0xff, kUnnumbered = 0x03;

}  // namespace

DecodeError decode_ppp(DecodeState& state) {
  Layer& layer = state.layer;
  if (layer.bytes.size() >= 2 && layer.bytes[0] == kAllStations && layer.bytes[1] == kUnnumbered) layer.skip(2);
  if (layer.bytes.empty()) return DecodeError::link_truncated;
  // Only the last byte of a protocol number is odd: an odd first byte is a compressed, one-byte number
  // (RFC 1661, section 6.5).
  const bool compressed = (layer.bytes[0] & 1) != 0;
  if (!compressed && layer.bytes.size() < 2) return DecodeError::link_truncated;
  const std::uint32_t protocol = compressed ? layer.bytes[0] : load_be16(layer.bytes.data());
  layer.skip(compressed ? 1 : 2);
  switch (protocol) {
    case 0x0021:
    case 0x0057: return advance(state, 0, HeaderKind::ip);
    case 0x0281:
    case 0x0283: return advance(state, 0, HeaderKind::mpls);  // RFC 3032, section 4.3
    case 0x0031:  // bridging (RFC 3518): flags, MAC type, and for Ethernet directly the frame
      if (layer.bytes.size() < 2) return DecodeError::link_truncated;
      if (layer.bytes[1] == 1) return advance(state, 2, HeaderKind::ethernet);
      break;
    default: break;
  }
  return fail(state, DecodeError::not_ip_ppp, protocol);
}

DecodeError decode_pppoe(DecodeState& state) {
  constexpr std::uint8_t kVersionAndType = 0x11, kSessionData = 0;
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 6) return DecodeError::link_truncated;
  if (bytes[0] != kVersionAndType || bytes[1] != kSessionData) return DecodeError::link_malformed;
  const std::uint16_t session = load_be16(&bytes[2]);
  state.layer.skip(6);
  return enter_tunnel(state, TunnelKind::pppoe, session, HeaderKind::ppp);
}

DecodeError decode_cisco_hdlc(DecodeState& state) {
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 4) return DecodeError::link_truncated;
  return advance(state, 4, HeaderKind::ether_type, load_be16(&bytes[2]));
}

DecodeError decode_frame_relay(DecodeState& state) {
  constexpr std::uint8_t kIpv4 = 0xcc, kIpv6 = 0x8e, kSnap = 0x80;
  Layer& layer = state.layer;
  std::size_t address_bytes = 2;  // the last byte of the address has its lowest bit set (Q.922)
  while (address_bytes <= 4 && layer.bytes.size() >= address_bytes && (layer.bytes[address_bytes - 1] & 1) == 0) {
    ++address_bytes;
  }
  if (address_bytes > 4) return DecodeError::link_malformed;
  if (layer.bytes.size() < address_bytes + 2) return DecodeError::link_truncated;
  layer.skip(address_bytes);
  // Cisco's own encapsulation has an EtherType in place of the control field.
  if (layer.bytes[0] != kUnnumbered) return advance(state, 2, HeaderKind::ether_type, load_be16(layer.bytes.data()));
  layer.skip(layer.bytes[1] == 0 ? 2 : 1);  // with a padding byte
  if (layer.bytes.empty()) return DecodeError::link_truncated;
  switch (layer.bytes[0]) {
    case kIpv4:
    case kIpv6: return advance(state, 1, HeaderKind::ip);
    case kSnap: {
      if (layer.bytes.size() < 6) return DecodeError::link_truncated;
      const std::uint32_t oui = load_be32(layer.bytes.data()) & 0xffffff;
      const std::uint16_t type = load_be16(&layer.bytes[4]);
      if (oui == 0) return advance(state, 6, HeaderKind::ether_type, type);
      if (oui == 0x0080c2 && (type == 1 || type == 7)) return advance(state, 6, HeaderKind::ethernet);
      return fail(state, DecodeError::not_ip_llc, 0xaa);
    }
    default: return fail(state, DecodeError::not_ip_llc, layer.bytes[0]);
  }
}

}  // namespace wirelap
