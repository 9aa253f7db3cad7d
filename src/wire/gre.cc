#include "wire/gre.h"

#include "wire/ether.h"
#include "wire/tunnel.h"

namespace wirelap {
namespace {

/// ERSPAN (draft-foschiano-erspan). Type I has no header, type II has 8 bytes, type III 12 or 20. Types I and II
/// have one protocol type; only type II has a GRE sequence number.
DecodeError enter_erspan(DecodeState& state, bool is_type3, bool has_sequence) {
  Layer& layer = state.layer;
  if (!is_type3 && !has_sequence) return enter_tunnel(state, TunnelKind::erspan, 0, HeaderKind::ethernet);
  const std::size_t fixed_bytes = is_type3 ? 12 : 8;
  if (layer.bytes.size() < fixed_bytes) return DecodeError::tunnel_truncated;
  const std::uint32_t session = load_be16(&layer.bytes[2]) & 0x03ff;
  std::uint32_t frame_type = 0;
  std::size_t header_bytes = fixed_bytes;
  if (is_type3) {
    const std::uint16_t last = load_be16(&layer.bytes[10]);
    frame_type = last >> 10 & 0x1f;
    if ((last & 1) != 0) header_bytes += 8;  // platform-specific subheader
  }
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  layer.skip(header_bytes);
  switch (frame_type) {
    case 0: return enter_tunnel(state, TunnelKind::erspan, session, HeaderKind::ethernet);
    case 2: return enter_tunnel(state, TunnelKind::erspan, session, HeaderKind::ip);
    default: return DecodeError::tunnel_unknown;
  }
}

/// Source route entries (RFC 1701); RFC 2784 has removed them from GRE.
DecodeError skip_routes(Layer& layer) {
  for (;;) {
    if (layer.bytes.size() < 4) return DecodeError::tunnel_truncated;
    const std::size_t route_bytes = layer.bytes[3];
    if (layer.bytes.size() < 4 + route_bytes) return DecodeError::tunnel_truncated;
    layer.skip(4 + route_bytes);
    if (route_bytes == 0) return DecodeError::none;
  }
}

/// PPTP's version of GRE (RFC 2637, section 4.1).
DecodeError decode_pptp(DecodeState& state, std::uint16_t flags) {
  constexpr std::uint16_t kSequence = 0x1000, kAcknowledgment = 0x0080;
  Layer& layer = state.layer;
  const bool has_payload = (flags & kSequence) != 0;
  const std::size_t header_bytes = 8u + (has_payload ? 4 : 0) + ((flags & kAcknowledgment) != 0 ? 4 : 0);
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  if (!has_payload || load_be16(&layer.bytes[4]) == 0) return DecodeError::tunnel_control;
  layer.skip(header_bytes);
  return enter_tunnel(state, TunnelKind::pptp, 0, HeaderKind::ppp);
}

/// Continues with GRE's payload of protocol type `type`.
DecodeError enter_gre(DecodeState& state, std::uint16_t type, std::uint32_t key, bool has_sequence) {
  constexpr std::uint16_t kErspan = 0x88be, kErspan3 = 0x22eb, kRedirect = 0x883e;
  constexpr std::uint16_t kKeepalive = 0, kNextHop = 0x2001;
  Layer& layer = state.layer;
  switch (type) {
    case kEtherBridged: return enter_tunnel(state, TunnelKind::gre, key, HeaderKind::ethernet);
    case kEtherPpp: return enter_tunnel(state, TunnelKind::gre, key, HeaderKind::ppp);
    case kErspan: return enter_erspan(state, false, has_sequence);
    case kErspan3: return enter_erspan(state, true, has_sequence);
    case kRedirect:  // WCCP: version 2 has a header of 4 bytes before the IP packet, version 1 none
      if (layer.bytes.size() < 5) return DecodeError::tunnel_truncated;
      if (layer.bytes[0] >> 4 != 4) layer.skip(4);
      return enter_tunnel(state, TunnelKind::gre, key, HeaderKind::ip);
    case kKeepalive:
    case kNextHop: return DecodeError::tunnel_control;
    default: break;
  }
  // Aruba's access points tunnel 802.11 frames and use protocol types of their own for them.
  if ((type & 0xfe0f) == 0x8200) return enter_tunnel(state, TunnelKind::gre, key, HeaderKind::wlan);
  // In GRE a value below kMinEtherType is another protocol, not a length.
  if (type < kMinEtherType) return fail(state, DecodeError::not_ip, type);
  return enter_tunnel(state, TunnelKind::gre, key, HeaderKind::ether_type, type);
}

}  // namespace

DecodeError decode_gre(DecodeState& state) {
  constexpr std::uint16_t kChecksum = 0x8000, kRouting = 0x4000, kKey = 0x2000, kSequence = 0x1000, kVersion = 7;
  Layer& layer = state.layer;
  if (layer.bytes.size() < 4) return DecodeError::tunnel_truncated;
  const std::uint16_t flags = load_be16(layer.bytes.data());
  const std::uint16_t type = load_be16(&layer.bytes[2]);
  if ((flags & kVersion) == 1) return decode_pptp(state, flags);
  if ((flags & kVersion) != 0) return DecodeError::tunnel_malformed;
  std::size_t header_bytes = 4;
  if ((flags & (kChecksum | kRouting)) != 0) header_bytes += 4;
  const std::size_t key_at = header_bytes;
  if ((flags & kKey) != 0) header_bytes += 4;
  if ((flags & kSequence) != 0) header_bytes += 4;
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  const std::uint32_t key = (flags & kKey) != 0 ? load_be32(&layer.bytes[key_at]) : 0;
  layer.skip(header_bytes);
  if ((flags & kRouting) != 0) {
    if (const DecodeError error = skip_routes(layer); error != DecodeError::none) return error;
  }
  return enter_gre(state, type, key, (flags & kSequence) != 0);
}

}  // namespace wirelap
