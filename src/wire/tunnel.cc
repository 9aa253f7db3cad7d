#include "wire/tunnel.h"

#include <algorithm>

#include "wire/ether.h"

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
  kPortVxlanLinux = 8472,  // the kernel's default, older than the registered one
};

enum IpProtocol : std::uint8_t {
  kIpv4 = 4,
  kUdp = 17,
  kIpv6 = 41,
  kGre = 47,
  kL2tp = 115,
  kMpls = 137,
};

/// Scatters a word over 64 bits, as the finalizer of MurmurHash3 does.
constexpr std::uint64_t scatter(std::uint64_t word) {
  word = (word ^ word >> 33) * 0xff51afd7ed558ccd;
  word = (word ^ word >> 33) * 0xc4ceb9fe1a85ec53;
  return word ^ word >> 33;
}

/// Both outer addresses, the same for both directions.
std::uint64_t digest_of_ends(const IpHeader& ip) {
  const Address source = ip.source(), destination = ip.destination();
  const Address& low = source <= destination ? source : destination;
  const Address& high = source <= destination ? destination : source;
  return scatter(scatter(scatter(scatter(low.high) ^ low.low) ^ high.high) ^ high.low);
}

bool has_id(TunnelKind kind) {
  switch (kind) {
    case TunnelKind::vxlan:
    case TunnelKind::geneve:
    case TunnelKind::gre:
    case TunnelKind::erspan:
    case TunnelKind::backbone:
    case TunnelKind::pppoe: return true;
    default: return false;
  }
}

bool has_ends(TunnelKind kind) {
  switch (kind) {
    case TunnelKind::gre:
    case TunnelKind::ip:
    case TunnelKind::pptp:
    case TunnelKind::gtp:
    case TunnelKind::l2tp:
    case TunnelKind::ayiya: return true;
    default: return false;
  }
}

}  // namespace

DecodeError enter_tunnel(DecodeState& walk, TunnelKind kind, std::uint32_t id, Kind inside, std::uint32_t type) {
  if (++walk.tunnels > kMaxTunnels) return DecodeError::too_deep;
  const VlanTags& vlan = walk.vlan;
  std::uint64_t digest = walk.tunnel;
  if (vlan.count != 0) digest = scatter(digest ^ vlan.packed());
  if (has_ends(kind)) digest = scatter(digest ^ digest_of_ends(walk.ip));
  constexpr int kDigestBits = 24, kKindAt = 56;
  const std::uint64_t top = static_cast<std::uint64_t>(kind) << kKindAt;
  walk.tunnel = has_id(kind) ? top | static_cast<std::uint64_t>(id) << kDigestBits | digest >> (64 - kDigestBits)
                             : top | digest >> (64 - kKindAt);
  walk.layer.kind = inside;
  walk.layer.type = type;
  return DecodeError::none;
}

namespace {

/// What a header that announces only "a packet" carries: IP, or Ethernet where its first bytes say so.
DecodeError enter_by_content(DecodeState& walk, TunnelKind kind, std::uint32_t id) {
  const Layer& layer = walk.layer;
  if (layer.bytes.empty()) return DecodeError::tunnel_truncated;
  if (looks_like_ip(layer.bytes, layer.length)) return enter_tunnel(walk, kind, id, Kind::ip);
  if (looks_like_ethernet(layer.bytes)) return enter_tunnel(walk, kind, id, Kind::ethernet);
  return DecodeError::tunnel_unknown;
}

// ---- GRE -------------------------------------------------------------------

/// ERSPAN (draft-foschiano-erspan): type I has no header, II has 8 bytes, III 12 or 20.
DecodeError enter_erspan(DecodeState& walk, bool third, bool has_sequence) {
  Layer& layer = walk.layer;
  if (!third && !has_sequence) return enter_tunnel(walk, TunnelKind::erspan, 0, Kind::ethernet);
  const std::size_t fixed_bytes = third ? 12 : 8;
  if (layer.bytes.size() < fixed_bytes) return DecodeError::tunnel_truncated;
  const std::uint32_t session = load_be16(&layer.bytes[2]) & 0x03ff;
  std::uint32_t frame_type = 0;
  std::size_t header_bytes = fixed_bytes;
  if (third) {
    const std::uint16_t last = load_be16(&layer.bytes[10]);
    frame_type = last >> 10 & 0x1f;
    if ((last & 1) != 0) header_bytes += 8;  // the platform's own
  }
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  layer.skip(header_bytes);
  switch (frame_type) {
    case 0: return enter_tunnel(walk, TunnelKind::erspan, session, Kind::ethernet);
    case 2: return enter_tunnel(walk, TunnelKind::erspan, session, Kind::ip);
    default: return DecodeError::tunnel_unknown;
  }
}

/// Source routes (RFC 1701), which RFC 2784 has taken out again.
DecodeError skip_routes(Layer& layer) {
  for (;;) {
    if (layer.bytes.size() < 4) return DecodeError::tunnel_truncated;
    const std::size_t route_bytes = layer.bytes[3];
    if (layer.bytes.size() < 4 + route_bytes) return DecodeError::tunnel_truncated;
    layer.skip(4 + route_bytes);
    if (route_bytes == 0) return DecodeError::none;
  }
}

/// PPTP's GRE (RFC 2637, 4.1).
DecodeError open_pptp(DecodeState& walk, std::uint16_t flags) {
  constexpr std::uint16_t kSequence = 0x1000, kAcknowledgment = 0x0080;
  Layer& layer = walk.layer;
  const bool has_payload = (flags & kSequence) != 0;
  const std::size_t header_bytes = 8u + (has_payload ? 4 : 0) + ((flags & kAcknowledgment) != 0 ? 4 : 0);
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  if (!has_payload || load_be16(&layer.bytes[4]) == 0) return DecodeError::tunnel_control;
  layer.skip(header_bytes);
  return enter_tunnel(walk, TunnelKind::pptp, 0, Kind::ppp);
}

DecodeError enter_gre(DecodeState& walk, std::uint16_t type, std::uint32_t key, bool has_sequence) {
  constexpr std::uint16_t kErspan = 0x88be, kErspan3 = 0x22eb, kRedirect = 0x883e;
  constexpr std::uint16_t kKeepalive = 0, kNextHop = 0x2001;
  Layer& layer = walk.layer;
  switch (type) {
    case kEtherBridged: return enter_tunnel(walk, TunnelKind::gre, key, Kind::ethernet);
    case kEtherPpp: return enter_tunnel(walk, TunnelKind::gre, key, Kind::ppp);
    case kErspan: return enter_erspan(walk, false, has_sequence);
    case kErspan3: return enter_erspan(walk, true, has_sequence);
    case kRedirect:  // WCCP: version 2 has a header of its own, version 1 none
      if (layer.bytes.size() < 5) return DecodeError::tunnel_truncated;
      if (layer.bytes[0] >> 4 != 4) layer.skip(4);
      return enter_tunnel(walk, TunnelKind::gre, key, Kind::ip);
    case kKeepalive:
    case kNextHop: return DecodeError::tunnel_control;
    default: break;
  }
  // Aruba's access points send 802.11 frames under numbers of their own.
  if ((type & 0xfe0f) == 0x8200) return enter_tunnel(walk, TunnelKind::gre, key, Kind::wlan);
  // Numbers below EtherTypes are other protocols here, not lengths.
  if (type < kLeastEtherType) return stop_at(walk, DecodeError::not_ip, type);
  return enter_tunnel(walk, TunnelKind::gre, key, Kind::ether_type, type);
}

DecodeError open_gre(DecodeState& walk) {
  constexpr std::uint16_t kChecksum = 0x8000, kRouting = 0x4000, kKey = 0x2000, kSequence = 0x1000, kVersion = 7;
  Layer& layer = walk.layer;
  if (layer.bytes.size() < 4) return DecodeError::tunnel_truncated;
  const std::uint16_t flags = load_be16(layer.bytes.data());
  const std::uint16_t type = load_be16(&layer.bytes[2]);
  if ((flags & kVersion) == 1) return open_pptp(walk, flags);
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
    if (const DecodeError stop = skip_routes(layer); stop != DecodeError::none) return stop;
  }
  return enter_gre(walk, type, key, (flags & kSequence) != 0);
}

// ---- over UDP --------------------------------------------------------------

/// RFC 7348, section 5. False where it is none: anybody may use the port.
bool is_vxlan(const Layer& layer) {
  constexpr std::uint8_t kHasVni = 0x08;
  return layer.bytes.size() >= 8 && (layer.bytes[0] & kHasVni) != 0 && layer.bytes[7] == 0;
}

DecodeError open_vxlan(DecodeState& walk) {
  if (walk.layer.bytes.size() < 8) return DecodeError::tunnel_truncated;
  if (!is_vxlan(walk.layer)) return stop_at(walk, DecodeError::not_tcp, kUdp);
  const std::uint32_t vni = load_be32(&walk.layer.bytes[4]) >> 8;
  walk.layer.skip(8);
  return enter_tunnel(walk, TunnelKind::vxlan, vni, Kind::ethernet);
}

/// draft-ietf-nvo3-vxlan-gpe, section 3.
DecodeError open_vxlan_gpe(DecodeState& walk) {
  constexpr std::uint8_t kHasVni = 0x08, kHasProtocol = 0x04, kIsControl = 0x01;
  Layer& layer = walk.layer;
  if (layer.bytes.size() < 8) return DecodeError::tunnel_truncated;
  const std::uint8_t flags = layer.bytes[0], protocol = layer.bytes[3];
  if ((flags & kHasVni) == 0) return stop_at(walk, DecodeError::not_tcp, kUdp);
  if ((flags & kIsControl) != 0) return DecodeError::tunnel_control;
  const std::uint32_t vni = load_be32(&layer.bytes[4]) >> 8;
  layer.skip(8);
  if ((flags & kHasProtocol) == 0) return enter_tunnel(walk, TunnelKind::vxlan, vni, Kind::ethernet);
  switch (protocol) {
    case 1:
    case 2: return enter_tunnel(walk, TunnelKind::vxlan, vni, Kind::ip);
    case 3: return enter_tunnel(walk, TunnelKind::vxlan, vni, Kind::ethernet);
    case 4: return enter_tunnel(walk, TunnelKind::vxlan, vni, Kind::nsh);
    case 5: return enter_tunnel(walk, TunnelKind::vxlan, vni, Kind::mpls);
    default: return DecodeError::tunnel_unknown;
  }
}

/// RFC 8926, section 3.4.
DecodeError open_geneve(DecodeState& walk) {
  constexpr std::uint8_t kVersion = 0xc0, kOptionWords = 0x3f, kIsControl = 0x80;
  Layer& layer = walk.layer;
  if (layer.bytes.size() < 8) return DecodeError::tunnel_truncated;
  if ((layer.bytes[0] & kVersion) != 0) return stop_at(walk, DecodeError::not_tcp, kUdp);
  if ((layer.bytes[1] & kIsControl) != 0) return DecodeError::tunnel_control;
  const std::uint16_t type = load_be16(&layer.bytes[2]);
  const std::uint32_t vni = load_be32(&layer.bytes[4]) >> 8;
  const std::size_t header_bytes = 8 + (layer.bytes[0] & kOptionWords) * 4u;
  if (header_bytes > layer.length) return DecodeError::tunnel_malformed;
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  layer.skip(header_bytes);
  if (type == kEtherBridged) return enter_tunnel(walk, TunnelKind::geneve, vni, Kind::ethernet);
  return enter_tunnel(walk, TunnelKind::geneve, vni, Kind::ether_type, type);
}

/// 3GPP TS 29.281, section 5.
DecodeError open_gtp(DecodeState& walk) {
  constexpr std::uint8_t kVersionAndType = 0xf0, kVersion1 = 0x30, kOptional = 0x07, kHasExtension = 0x04;
  constexpr std::uint8_t kUserData = 255;
  Layer& layer = walk.layer;
  if (layer.bytes.size() < 8) return DecodeError::tunnel_truncated;
  const std::uint8_t flags = layer.bytes[0];
  if ((flags & kVersionAndType) != kVersion1) return stop_at(walk, DecodeError::not_tcp, kUdp);
  if (layer.bytes[1] != kUserData) return DecodeError::tunnel_control;
  std::uint8_t extension = 0;
  std::size_t header_bytes = 8;
  if ((flags & kOptional) != 0) {
    header_bytes = 12;
    if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
    extension = (flags & kHasExtension) != 0 ? layer.bytes[11] : 0;
  }
  layer.skip(header_bytes);
  while (extension != 0) {  // section 5.2.1: its length in words of 4 bytes, the next one's type at its end
    if (layer.bytes.empty()) return DecodeError::tunnel_truncated;
    const std::size_t extension_bytes = layer.bytes[0] * 4u;
    if (extension_bytes == 0) return DecodeError::tunnel_malformed;
    if (layer.bytes.size() < extension_bytes) return DecodeError::tunnel_truncated;
    extension = layer.bytes[extension_bytes - 1];
    layer.skip(extension_bytes);
  }
  return enter_by_content(walk, TunnelKind::gtp, 0);
}

/// RFC 4380, section 5.1.1.
DecodeError open_teredo(DecodeState& walk) {
  constexpr std::uint16_t kOrigin = 0, kAuthentication = 1;
  Layer& layer = walk.layer;
  if (layer.bytes.size() >= 4 && load_be16(layer.bytes.data()) == kAuthentication) {
    const std::size_t header_bytes = 13u + layer.bytes[2] + layer.bytes[3];
    if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
    layer.skip(header_bytes);
  }
  if (layer.bytes.size() >= 8 && load_be16(layer.bytes.data()) == kOrigin) layer.skip(8);
  if (layer.bytes.empty()) return DecodeError::tunnel_truncated;
  if (layer.bytes[0] >> 4 != 6) return stop_at(walk, DecodeError::not_tcp, kUdp);
  return enter_tunnel(walk, TunnelKind::teredo, 0, Kind::ip);
}

/// Teredo's ends talk to each other at any port: it is known by an IPv6 packet of just
/// the datagram's length, from or to Teredo's prefix (RFC 4380, 2.6).
bool looks_like_teredo(const Layer& layer) {
  constexpr std::uint32_t kHeaderBytes = 40, kPrefix = 0x20010000;
  if (layer.bytes.size() < kHeaderBytes || layer.bytes[0] >> 4 != 6) return false;
  if (load_be16(&layer.bytes[4]) + kHeaderBytes != layer.length) return false;
  return load_be32(&layer.bytes[8]) == kPrefix || load_be32(&layer.bytes[24]) == kPrefix;
}

/// draft-massar-v6ops-ayiya-02, section 3: an identity of a power of two, a signature in words, and IP.
DecodeError open_ayiya(DecodeState& walk) {
  constexpr std::size_t kFixedBytes = 8;
  constexpr std::uint8_t kForward = 1, kLastOperation = 7, kMostHash = 2, kMostAuthentication = 2, kMostIdentity = 2;
  Layer& layer = walk.layer;
  if (layer.length < kFixedBytes) return stop_at(walk, DecodeError::not_tcp, kUdp);
  if (layer.bytes.size() < kFixedBytes) return DecodeError::tunnel_truncated;
  const std::uint8_t identity = layer.bytes[0], signature = layer.bytes[1], operation = layer.bytes[2];
  const bool is_ayiya = (identity & 0xf) <= kMostIdentity && (signature & 0xf) <= kMostHash &&
                        operation >> 4 <= kMostAuthentication && (operation & 0xf) <= kLastOperation;
  const std::size_t header_bytes = kFixedBytes + (std::size_t{1} << (identity >> 4)) + (signature >> 4) * 4u;
  if (!is_ayiya || header_bytes > layer.length) return stop_at(walk, DecodeError::not_tcp, kUdp);
  if ((operation & 0xf) != kForward) return DecodeError::tunnel_control;
  const std::uint8_t protocol = layer.bytes[3];
  if (protocol != kIpv4 && protocol != kIpv6) return DecodeError::tunnel_unknown;
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  layer.skip(header_bytes);
  return enter_tunnel(walk, TunnelKind::ayiya, 0, Kind::ip);
}

// ---- L2TP ------------------------------------------------------------------

/// What follows a session identifier of L2TPv3. Whether there is a cookie, and a
/// sublayer, was agreed when the session began; the first place that looks
/// like a frame is taken.
DecodeError enter_l2tp3(DecodeState& walk) {
  Layer& layer = walk.layer;
  for (std::size_t before = 0; before <= 12 && before < layer.bytes.size(); before += 4) {
    if (!looks_like_ethernet(layer.bytes.subspan(before))) continue;
    layer.skip(before);
    return enter_tunnel(walk, TunnelKind::l2tp, 0, Kind::ethernet);
  }
  for (std::size_t before = 0; before <= 12 && before + 4 < layer.bytes.size(); before += 4) {
    const std::uint32_t word = load_be32(&layer.bytes[before]);
    if (word != 0xff030021 && word != 0xff030057) continue;
    layer.skip(before);
    return enter_tunnel(walk, TunnelKind::l2tp, 0, Kind::ppp);
  }
  return DecodeError::tunnel_unknown;
}

/// RFC 3931, section 4.1.1.
DecodeError open_l2tp3_in_ip(DecodeState& walk) {
  Layer& layer = walk.layer;
  if (layer.bytes.size() < 4) return DecodeError::tunnel_truncated;
  if (load_be32(layer.bytes.data()) == 0) return DecodeError::tunnel_control;
  layer.skip(4);
  return enter_l2tp3(walk);
}

/// Version 2 is RFC 2661, section 3.1; version 3 RFC 3931, section 4.1.2.
DecodeError open_l2tp_in_udp(DecodeState& walk) {
  constexpr std::uint16_t kIsControl = 0x8000, kHasLength = 0x4000, kHasSequence = 0x0800, kHasOffset = 0x0200;
  Layer& layer = walk.layer;
  if (layer.bytes.size() < 2) return DecodeError::tunnel_truncated;
  const std::uint16_t flags = load_be16(layer.bytes.data());
  const int version = flags & 0x000f;
  if (version != 2 && version != 3) return stop_at(walk, DecodeError::not_tcp, kUdp);
  if ((flags & kIsControl) != 0) return DecodeError::tunnel_control;
  if (version == 3) {
    if (layer.bytes.size() < 8) return DecodeError::tunnel_truncated;
    layer.skip(8);
    return enter_l2tp3(walk);
  }
  std::size_t header_bytes = 6u + ((flags & kHasLength) != 0 ? 2 : 0) + ((flags & kHasSequence) != 0 ? 4 : 0);
  if ((flags & kHasOffset) != 0) {
    header_bytes += 2;
    if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
    header_bytes += load_be16(&layer.bytes[header_bytes - 2]);
  }
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  layer.skip(header_bytes);
  return enter_tunnel(walk, TunnelKind::l2tp, 0, Kind::ppp);
}

/// A UDP header (RFC 768) and the tunnel that its ports tell of. Tunnels that
/// have an answering end are known by either port, the others by the
/// destination's: the source's is any.
DecodeError open_udp(DecodeState& walk) {
  constexpr std::size_t kHeaderBytes = 8;
  Layer& layer = walk.layer;
  // A datagram is UDP, whether its ports were captured or not.
  if (layer.bytes.size() < kHeaderBytes) return stop_at(walk, DecodeError::not_tcp, kUdp);
  const std::uint16_t ports[] = {load_be16(&layer.bytes[2]), load_be16(layer.bytes.data())};
  layer.skip(kHeaderBytes);
  switch (ports[0]) {
    case kPortVxlan:
    case kPortVxlanLinux: return open_vxlan(walk);
    case kPortVxlanGpe: return open_vxlan_gpe(walk);
    case kPortGeneve: return open_geneve(walk);
    case kPortGreInUdp: return open_gre(walk);
    case kPortMplsInUdp: return open_mpls(walk);
    default: break;
  }
  for (const std::uint16_t port : ports) {
    switch (port) {
      case kPortGtpUser: return open_gtp(walk);
      case kPortTeredo: return open_teredo(walk);
      case kPortL2tp: return open_l2tp_in_udp(walk);
      case kPortAyiya: return open_ayiya(walk);
      default: break;
    }
  }
  if (looks_like_teredo(layer)) return open_teredo(walk);
  return stop_at(walk, DecodeError::not_tcp, kUdp);
}

}  // namespace

bool is_tunnel_protocol(std::uint32_t protocol) {
  switch (protocol) {
    case kIpv4:
    case kUdp:
    case kIpv6:
    case kGre:
    case kL2tp:
    case kMpls: return true;
    default: return false;
  }
}

DecodeError open_protocol(DecodeState& walk) {
  switch (walk.layer.type) {
    case kUdp: return open_udp(walk);
    case kIpv4:
    case kIpv6: return enter_tunnel(walk, TunnelKind::ip, 0, Kind::ip);
    case kGre: return open_gre(walk);
    case kL2tp: return open_l2tp3_in_ip(walk);
    case kMpls: return open_mpls(walk);
    default: return stop_at(walk, DecodeError::not_tcp, walk.layer.type);
  }
}

DecodeError open_mpls(DecodeState& walk) {
  constexpr std::uint32_t kBottom = 0x100;
  Layer& layer = walk.layer;
  for (bool more = true; more; layer.skip(4)) {
    if (layer.bytes.size() < 4) return DecodeError::link_truncated;
    more = (load_be32(layer.bytes.data()) & kBottom) == 0;
  }
  if (layer.bytes.empty()) return DecodeError::link_truncated;
  if (looks_like_ip(layer.bytes, layer.length)) return go_on(walk, 0, Kind::ip);
  const bool control_word = layer.bytes[0] >> 4 == 0 && layer.bytes.size() >= 4;
  if (control_word && looks_like_ethernet(layer.bytes.subspan(4))) layer.skip(4);
  if (looks_like_ethernet(layer.bytes)) return enter_tunnel(walk, TunnelKind::mpls, 0, Kind::ethernet);
  return DecodeError::tunnel_unknown;
}

DecodeError open_nsh(DecodeState& walk) {
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 8) return DecodeError::tunnel_truncated;
  const std::size_t header_bytes = (load_be16(bytes.data()) & 0x3fu) * 4;
  const std::uint8_t protocol = bytes[3];
  if (header_bytes < 8) return DecodeError::tunnel_malformed;
  switch (protocol) {
    case 1:
    case 2: return go_on(walk, header_bytes, Kind::ip, 0, DecodeError::tunnel_truncated);
    case 3:
      if (bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
      walk.layer.skip(header_bytes);
      return enter_tunnel(walk, TunnelKind::nsh, 0, Kind::ethernet);
    case 4: return go_on(walk, header_bytes, Kind::nsh, 0, DecodeError::tunnel_truncated);
    case 5: return go_on(walk, header_bytes, Kind::mpls, 0, DecodeError::tunnel_truncated);
    default: return DecodeError::tunnel_unknown;
  }
}

DecodeError open_backbone(DecodeState& walk) {
  if (walk.layer.bytes.size() < 4) return DecodeError::link_truncated;
  const std::uint32_t service = load_be32(walk.layer.bytes.data()) & 0xffffff;
  walk.layer.skip(4);
  return enter_tunnel(walk, TunnelKind::backbone, service, Kind::ethernet);
}

}  // namespace wirelap
