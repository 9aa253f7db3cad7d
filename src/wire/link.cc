#include "wire/link.h"

#include "wire/ether.h"
#include "wire/ppp.h"
#include "wire/wlan.h"

namespace wirelap {
namespace {

// 2 is IPv4 everywhere; IPv6 is 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on
// macOS and 10 on Linux.
bool is_ip_family(std::uint32_t family) {
  switch (family) {
    case 2:
    case 10:
    case 24:
    case 28:
    case 30: return true;
    default: return false;
  }
}

/// A number in the byte order of the machine that captured, which is small.
std::uint32_t load_small(const std::uint8_t* at) {
  const std::uint32_t big = load_be32(at);
  return big > 0xffff ? load_le32(at) : big;
}

/// A header of `header_bytes` with an EtherType at `type_at`.
DecodeError open_typed(DecodeState& walk, std::size_t header_bytes, std::size_t type_at) {
  if (walk.layer.bytes.size() < header_bytes) return DecodeError::link_truncated;
  return go_on(walk, header_bytes, Kind::ether_type, load_be16(&walk.layer.bytes[type_at]));
}

/// Linux cooked captures: the protocol is an EtherType or one of Linux's own
/// numbers, all below the least EtherType; 4 is LLC.
DecodeError open_cooked(DecodeState& walk, std::size_t header_bytes, std::size_t type_at) {
  constexpr std::uint16_t kLlc = 4;
  const DecodeError stop = open_typed(walk, header_bytes, type_at);
  if (stop != DecodeError::none || walk.layer.type >= kLeastEtherType || walk.layer.type == kLlc) return stop;
  return stop_at(walk, DecodeError::not_ip, walk.layer.type);
}

/// BSD loopback: an address family, in the byte order of the machine that
/// captured (null) or in network order (loop). OpenBSD's enc has more behind it.
DecodeError open_loopback(DecodeState& walk, std::size_t header_bytes) {
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < header_bytes) return DecodeError::link_truncated;
  if (!is_ip_family(load_small(bytes.data()))) return stop_at(walk, DecodeError::not_ip, 0);
  return go_on(walk, header_bytes, Kind::ip);
}

/// OpenBSD's packet filter log: its length, then an address family.
DecodeError open_pf_log(DecodeState& walk) {
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 2) return DecodeError::link_truncated;
  if (!is_ip_family(bytes[1])) return stop_at(walk, DecodeError::not_ip, 0);
  return go_on(walk, (bytes[0] + 3u) / 4 * 4, Kind::ip);
}

/// Linux netfilter's log: attributes, one of which is the packet. Their lengths and
/// types are in the byte order of the machine that captured.
DecodeError open_nflog(DecodeState& walk) {
  constexpr std::uint16_t kPacketHeader = 1, kPayload = 9, kTypeBits = 0x7fff;
  constexpr std::uint8_t kBridge = 7;
  Layer& layer = walk.layer;
  if (layer.bytes.size() < 4) return DecodeError::link_truncated;
  const std::uint8_t family = layer.bytes[0];
  std::uint16_t ether_type = 0;
  layer.skip(4);
  while (layer.bytes.size() >= 4) {
    std::size_t attribute_bytes = load_le16(layer.bytes.data());
    std::uint32_t type = load_le16(&layer.bytes[2]) & kTypeBits;
    if (type > 0xff) {  // there are less than 256
      attribute_bytes = load_be16(layer.bytes.data());
      type = load_be16(&layer.bytes[2]) & kTypeBits;
    }
    if (attribute_bytes < 4) return DecodeError::link_malformed;
    if (type == kPayload) {
      if (family == kBridge) return go_on(walk, 4, Kind::ether_type, ether_type);
      return is_ip_family(family) ? go_on(walk, 4, Kind::ip) : stop_at(walk, DecodeError::not_ip, 0);
    }
    if (type == kPacketHeader && attribute_bytes >= 6 && layer.bytes.size() >= 6) {
      ether_type = load_be16(&layer.bytes[4]);
    }
    const std::size_t padded = (attribute_bytes + 3) / 4 * 4;
    if (layer.bytes.size() < padded) return DecodeError::link_truncated;
    layer.skip(padded);
  }
  return DecodeError::link_truncated;
}

/// CACE's per-packet information: a header that tells another link type.
DecodeError open_ppi(DecodeState& walk) {
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 8) return DecodeError::link_truncated;
  const std::size_t header_bytes = load_le16(&bytes[2]);
  if (header_bytes < 8) return DecodeError::link_malformed;
  return go_on(walk, header_bytes, Kind::link, load_le32(&bytes[4]));
}

/// PPP as captured on a serial line: in HDLC-like framing (RFC 1662, 3.1), or Cisco's.
DecodeError open_ppp_hdlc(DecodeState& walk) {
  constexpr std::uint8_t kUnicast = 0x0f, kMulticast = 0x8f;  // Cisco's addresses; PPP has ff alone
  const Bytes bytes = walk.layer.bytes;
  if (bytes.empty()) return DecodeError::link_truncated;
  return go_on(walk, 0, bytes[0] == kUnicast || bytes[0] == kMulticast ? Kind::cisco_hdlc : Kind::ppp);
}

/// pppd puts the direction in the place of the address.
DecodeError open_pppd(DecodeState& walk) {
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 2) return DecodeError::link_truncated;
  return go_on(walk, bytes[0] <= 1 && bytes[1] == 0x03 ? 2 : 0, Kind::ppp);
}

/// Token Ring (IEEE 802.5): a source address with its highest bit set has a route behind it.
DecodeError open_token_ring(DecodeState& walk) {
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 14) return DecodeError::link_truncated;
  constexpr std::uint8_t kKind = 0xc0, kData = 0x40;
  if ((bytes[1] & kKind) != kData) return stop_at(walk, DecodeError::not_ip, 0);
  if ((bytes[8] & 0x80) == 0) return go_on(walk, 14, Kind::llc);
  if (bytes.size() < 15) return DecodeError::link_truncated;
  return go_on(walk, 14u + (bytes[14] & 0x1f), Kind::llc);
}

/// FDDI (ISO 9314-2): only frames with LLC carry data.
DecodeError open_fddi(DecodeState& walk) {
  constexpr std::uint8_t kKind = 0xf0, kLlc = 0x50;
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 13) return DecodeError::link_truncated;
  if ((bytes[0] & kKind) != kLlc) return stop_at(walk, DecodeError::not_ip, 0);
  return go_on(walk, 13, Kind::llc);
}

}  // namespace

DecodeError open_link(DecodeState& walk) {
  switch (walk.layer.type) {
    case kLinkEthernet: return go_on(walk, 0, Kind::ethernet);
    case kLinkLinuxSll: return open_cooked(walk, 16, 14);
    case kLinkLinuxSll2: return open_cooked(walk, 20, 0);
    case kLinkNull:
    case kLinkLoop: return open_loopback(walk, 4);
    case kLinkEnc: return open_loopback(walk, 12);
    case kLinkRaw:
    case kLinkRawBsd:
    case kLinkRawOpenBsd:
    case kLinkIpv4:
    case kLinkIpv6: return go_on(walk, 0, Kind::ip);
    case kLinkSlip: return go_on(walk, 16, Kind::ip);
    case kLinkPpp: return go_on(walk, 0, Kind::ppp);
    case kLinkPppHdlc: return open_ppp_hdlc(walk);
    case kLinkPppEther: return open_pppoe(walk);
    case kLinkPppPppd: return open_pppd(walk);
    case kLinkPppWithDirection: return go_on(walk, 1, Kind::ppp);
    case kLinkCiscoHdlc: return go_on(walk, 0, Kind::cisco_hdlc);
    case kLinkCiscoHdlcWithDirection: return go_on(walk, 1, Kind::cisco_hdlc);
    case kLinkFrameRelay: return open_frame_relay(walk);
    case kLinkFrameRelayWithDirection:
      if (walk.layer.bytes.empty()) return DecodeError::link_truncated;
      walk.layer.skip(1);
      return open_frame_relay(walk);
    case kLinkAtmLlc: return go_on(walk, 0, Kind::llc);
    case kLinkWlan: return go_on(walk, 0, Kind::wlan);
    case kLinkRadiotap: return open_radiotap(walk);
    case kLinkPrism: return open_prism(walk);
    case kLinkAvs: return open_avs(walk);
    case kLinkPpi: return open_ppi(walk);
    case kLinkNflog: return open_nflog(walk);
    case kLinkPfLog: return open_pf_log(walk);
    case kLinkNetAnalyzer: return go_on(walk, 4, Kind::ethernet);
    case kLinkTokenRing: return open_token_ring(walk);
    case kLinkFddi: return open_fddi(walk);
    default: return stop_at(walk, DecodeError::link_unknown, walk.layer.type);
  }
}

}  // namespace wirelap
