#include "wire/udp_tunnels.h"

#include "wire/ether.h"
#include "wire/gre.h"
#include "wire/l2tp.h"
#include "wire/mpls.h"
#include "wire/tunnel.h"

namespace wirelap {
namespace {

/// UDP ports of tunnels (IANA, Service Name and Transport Protocol Port Number Registry).
enum Port : std::uint16_t {
  kPortL2tp = 1701,
  kPortGtpUser = 2152,
  kPortTeredo = 3544,
  kPortGreInUdp = 4754,  // RFC 8086
  kPortVxlan = 4789,
  kPortVxlanGpe = 4790,
  kPortAyiya = 5072,
  kPortGeneve = 6081,
  kPortMplsInUdp = 6635,   // RFC 7510
  kPortVxlanLinux = 8472,  // Linux's default, older than the registered port
};

/// Whether this is a VXLAN header (RFC 7348, section 5): other programs may use the port too.
bool is_vxlan(const Layer& layer) {
  constexpr std::uint8_t kHasVni = 0x08;
  return layer.bytes.size() >= 8 && (layer.bytes[0] & kHasVni) != 0 && layer.bytes[7] == 0;
}

DecodeError decode_vxlan(DecodeState& state) {
  if (state.layer.bytes.size() < 8) return DecodeError::tunnel_truncated;
  if (!is_vxlan(state.layer)) return fail(state, DecodeError::not_tcp, kProtocolUdp);
  const std::uint32_t vni = load_be32(&state.layer.bytes[4]) >> 8;
  state.layer.skip(8);
  return enter_tunnel(state, TunnelKind::vxlan, vni, HeaderKind::ethernet);
}

/// draft-ietf-nvo3-vxlan-gpe, section 3.
DecodeError decode_vxlan_gpe(DecodeState& state) {
  constexpr std::uint8_t kHasVni = 0x08, kHasProtocol = 0x04, kIsControl = 0x01;
  Layer& layer = state.layer;
  if (layer.bytes.size() < 8) return DecodeError::tunnel_truncated;
  const std::uint8_t flags = layer.bytes[0], protocol = layer.bytes[3];
  if ((flags & kHasVni) == 0) return fail(state, DecodeError::not_tcp, kProtocolUdp);
  if ((flags & kIsControl) != 0) return DecodeError::tunnel_control;
  const std::uint32_t vni = load_be32(&layer.bytes[4]) >> 8;
  layer.skip(8);
  if ((flags & kHasProtocol) == 0) return enter_tunnel(state, TunnelKind::vxlan, vni, HeaderKind::ethernet);
  switch (protocol) {
    case 1:
    case 2: return enter_tunnel(state, TunnelKind::vxlan, vni, HeaderKind::ip);
    case 3: return enter_tunnel(state, TunnelKind::vxlan, vni, HeaderKind::ethernet);
    case 4: return enter_tunnel(state, TunnelKind::vxlan, vni, HeaderKind::nsh);
    case 5: return enter_tunnel(state, TunnelKind::vxlan, vni, HeaderKind::mpls);
    default: return DecodeError::tunnel_unknown;
  }
}

/// RFC 8926, section 3.4.
DecodeError decode_geneve(DecodeState& state) {
  constexpr std::uint8_t kVersion = 0xc0, kOptionWords = 0x3f, kIsControl = 0x80;
  Layer& layer = state.layer;
  if (layer.bytes.size() < 8) return DecodeError::tunnel_truncated;
  if ((layer.bytes[0] & kVersion) != 0) return fail(state, DecodeError::not_tcp, kProtocolUdp);
  if ((layer.bytes[1] & kIsControl) != 0) return DecodeError::tunnel_control;
  const std::uint16_t type = load_be16(&layer.bytes[2]);
  const std::uint32_t vni = load_be32(&layer.bytes[4]) >> 8;
  const std::size_t header_bytes = 8 + (layer.bytes[0] & kOptionWords) * 4u;
  if (header_bytes > layer.length) return DecodeError::tunnel_malformed;
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  layer.skip(header_bytes);
  if (type == kEtherBridged) return enter_tunnel(state, TunnelKind::geneve, vni, HeaderKind::ethernet);
  return enter_tunnel(state, TunnelKind::geneve, vni, HeaderKind::ether_type, type);
}

/// 3GPP TS 29.281, section 5.
DecodeError decode_gtp(DecodeState& state) {
  constexpr std::uint8_t kVersionAndType = 0xf0, kVersion1 = 0x30, kOptional = 0x07, kHasExtension = 0x04;
  constexpr std::uint8_t kUserData = 255;
  Layer& layer = state.layer;
  if (layer.bytes.size() < 8) return DecodeError::tunnel_truncated;
  const std::uint8_t flags = layer.bytes[0];
  if ((flags & kVersionAndType) != kVersion1) return fail(state, DecodeError::not_tcp, kProtocolUdp);
  if (layer.bytes[1] != kUserData) return DecodeError::tunnel_control;
  std::uint8_t extension = 0;
  std::size_t header_bytes = 8;
  if ((flags & kOptional) != 0) {
    header_bytes = 12;
    if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
    extension = (flags & kHasExtension) != 0 ? layer.bytes[11] : 0;
  }
  layer.skip(header_bytes);
  // Extension headers (section 5.2.1): the length in units of 4 bytes first, the next one's type last.
  while (extension != 0) {
    if (layer.bytes.empty()) return DecodeError::tunnel_truncated;
    const std::size_t extension_bytes = layer.bytes[0] * 4u;
    if (extension_bytes == 0) return DecodeError::tunnel_malformed;
    if (layer.bytes.size() < extension_bytes) return DecodeError::tunnel_truncated;
    extension = layer.bytes[extension_bytes - 1];
    layer.skip(extension_bytes);
  }
  return enter_tunnel_by_content(state, TunnelKind::gtp, 0);
}

/// RFC 4380, section 5.1.1.
DecodeError decode_teredo(DecodeState& state) {
  constexpr std::uint16_t kOrigin = 0, kAuthentication = 1;
  Layer& layer = state.layer;
  if (layer.bytes.size() >= 4 && load_be16(layer.bytes.data()) == kAuthentication) {
    const std::size_t header_bytes = 13u + layer.bytes[2] + layer.bytes[3];
    if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
    layer.skip(header_bytes);
  }
  if (layer.bytes.size() >= 8 && load_be16(layer.bytes.data()) == kOrigin) layer.skip(8);
  if (layer.bytes.empty()) return DecodeError::tunnel_truncated;
  if (layer.bytes[0] >> 4 != 6) return fail(state, DecodeError::not_tcp, kProtocolUdp);
  return enter_tunnel(state, TunnelKind::teredo, 0, HeaderKind::ip);
}

/// Whether this is Teredo at another port than the server's: its clients may use any port among
/// themselves. The datagram contains exactly one IPv6 packet, to or from Teredo's prefix (RFC 4380,
/// section 2.6).
bool looks_like_teredo(const Layer& layer) {
  constexpr std::uint32_t kHeaderBytes = 40, kPrefix = 0x20010000;
  if (layer.bytes.size() < kHeaderBytes || layer.bytes[0] >> 4 != 6) return false;
  if (load_be16(&layer.bytes[4]) + kHeaderBytes != layer.length) return false;
  return load_be32(&layer.bytes[8]) == kPrefix || load_be32(&layer.bytes[24]) == kPrefix;
}

/// draft-massar-v6ops-ayiya-02, section 3: after 8 fixed bytes an identity, whose length is a power of
/// two, a signature, whose length is in units of 4 bytes, and the IP packet.
DecodeError decode_ayiya(DecodeState& state) {
  constexpr std::size_t kFixedBytes = 8;
  constexpr std::uint8_t kForward = 1, kMaxOperation = 7, kMaxHash = 2, kMaxAuthentication = 2, kMaxIdentity = 2;
  Layer& layer = state.layer;
  if (layer.length < kFixedBytes) return fail(state, DecodeError::not_tcp, kProtocolUdp);
  if (layer.bytes.size() < kFixedBytes) return DecodeError::tunnel_truncated;
  const std::uint8_t identity = layer.bytes[0], signature = layer.bytes[1], operation = layer.bytes[2];
  const bool is_ayiya = (identity & 0xf) <= kMaxIdentity && (signature & 0xf) <= kMaxHash &&
                        operation >> 4 <= kMaxAuthentication && (operation & 0xf) <= kMaxOperation;
  const std::size_t header_bytes = kFixedBytes + (std::size_t{1} << (identity >> 4)) + (signature >> 4) * 4u;
  if (!is_ayiya || header_bytes > layer.length) return fail(state, DecodeError::not_tcp, kProtocolUdp);
  if ((operation & 0xf) != kForward) return DecodeError::tunnel_control;
  const std::uint8_t protocol = layer.bytes[3];
  if (protocol != kProtocolIpv4 && protocol != kProtocolIpv6) return DecodeError::tunnel_unknown;
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  layer.skip(header_bytes);
  return enter_tunnel(state, TunnelKind::ayiya, 0, HeaderKind::ip);
}

}  // namespace

DecodeError decode_udp(DecodeState& state) {
  constexpr std::size_t kHeaderBytes = 8;
  Layer& layer = state.layer;
  // Where the ports are not captured, the error is still "UDP".
  if (layer.bytes.size() < kHeaderBytes) return fail(state, DecodeError::not_tcp, kProtocolUdp);
  const std::uint16_t source_port = load_be16(layer.bytes.data()), destination_port = load_be16(&layer.bytes[2]);
  layer.skip(kHeaderBytes);
  // These tunnels use any source port, and one destination port for both directions.
  switch (destination_port) {
    case kPortVxlan:
    case kPortVxlanLinux: return decode_vxlan(state);
    case kPortVxlanGpe: return decode_vxlan_gpe(state);
    case kPortGeneve: return decode_geneve(state);
    case kPortGreInUdp: return decode_gre(state);
    case kPortMplsInUdp: return decode_mpls(state);
    default: break;
  }
  // These tunnels answer from their port.
  for (const std::uint16_t port : {destination_port, source_port}) {
    switch (port) {
      case kPortGtpUser: return decode_gtp(state);
      case kPortTeredo: return decode_teredo(state);
      case kPortL2tp: return decode_l2tp_over_udp(state);
      case kPortAyiya: return decode_ayiya(state);
      default: break;
    }
  }
  if (looks_like_teredo(layer)) return decode_teredo(state);
  return fail(state, DecodeError::not_tcp, kProtocolUdp);
}

}  // namespace wirelap
