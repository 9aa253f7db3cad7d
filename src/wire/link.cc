#include "wire/link.h"

#include "wire/ether.h"
#include "wire/ppp.h"
#include "wire/wlan.h"

namespace wirelap {
namespace {

/// Whether an address family (AF_INET, AF_INET6) is IP. IPv4 is 2 everywhere. IPv6 is 24 on
/// NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS and 10 on Linux.
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

/// Loads a small 32-bit integer in the byte order of the machine that captured, which is not
/// recorded: above 0xffff, the other byte order is the right one.
std::uint32_t load_small_native32(const std::uint8_t* at) {
  const std::uint32_t big = load_be32(at);
  return big > 0xffff ? load_le32(at) : big;
}

/// Decodes a header of `header_bytes` bytes with an EtherType at offset `type_at`.
DecodeError decode_with_ether_type(DecodeState& state, std::size_t header_bytes, std::size_t type_at) {
  if (state.layer.bytes.size() < header_bytes) return DecodeError::link_truncated;
  return advance(state, header_bytes, HeaderKind::ether_type, load_be16(&state.layer.bytes[type_at]));
}

/// Linux cooked captures. The protocol is an EtherType, or one of Linux's own numbers,
/// which are all below kMinEtherType; of these, 4 is LLC.
DecodeError decode_cooked(DecodeState& state, std::size_t header_bytes, std::size_t type_at) {
  constexpr std::uint16_t kLlc = 4;
  const DecodeError error = decode_with_ether_type(state, header_bytes, type_at);
  if (error != DecodeError::none || state.layer.type >= kMinEtherType || state.layer.type == kLlc) return error;
  return fail(state, DecodeError::not_ip, state.layer.type);
}

/// BSD loopback: an address family of 4 bytes, in the byte order of the machine that captured
/// (kLinkNull) or in network order (kLinkLoop). OpenBSD's enc has two more fields.
DecodeError decode_loopback(DecodeState& state, std::size_t header_bytes) {
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < header_bytes) return DecodeError::link_truncated;
  if (!is_ip_family(load_small_native32(bytes.data()))) return fail(state, DecodeError::not_ip, 0);
  return advance(state, header_bytes, HeaderKind::ip);
}

/// OpenBSD's packet filter log: the header's length without padding, then an address family.
DecodeError decode_pf_log(DecodeState& state) {
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 2) return DecodeError::link_truncated;
  if (!is_ip_family(bytes[1])) return fail(state, DecodeError::not_ip, 0);
  return advance(state, (bytes[0] + 3u) / 4 * 4, HeaderKind::ip);
}

/// Linux netfilter's log: attributes, one of which is the packet. Their lengths and types are in
/// the byte order of the machine that captured, which is not recorded.
DecodeError decode_nflog(DecodeState& state) {
  constexpr std::uint16_t kPacketHeader = 1, kPayload = 9, kTypeBits = 0x7fff;
  constexpr std::uint8_t kBridge = 7;
  Layer& layer = state.layer;
  if (layer.bytes.size() < 4) return DecodeError::link_truncated;
  const std::uint8_t family = layer.bytes[0];
  std::uint16_t ether_type = 0;
  layer.skip(4);
  while (layer.bytes.size() >= 4) {
    std::size_t attribute_bytes = load_le16(layer.bytes.data());
    std::uint32_t type = load_le16(&layer.bytes[2]) & kTypeBits;
    if (type > 0xff) {  // no attribute has such a type: the byte order is the other one
      attribute_bytes = load_be16(layer.bytes.data());
      type = load_be16(&layer.bytes[2]) & kTypeBits;
    }
    if (attribute_bytes < 4) return DecodeError::link_malformed;
    if (type == kPayload) {
      if (family == kBridge) return advance(state, 4, HeaderKind::ether_type, ether_type);
      return is_ip_family(family) ? advance(state, 4, HeaderKind::ip) : fail(state, DecodeError::not_ip, 0);
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

/// CACE's Per-Packet Information: a header that contains the link type of the header behind it.
DecodeError decode_ppi(DecodeState& state) {
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 8) return DecodeError::link_truncated;
  const std::size_t header_bytes = load_le16(&bytes[2]);
  if (header_bytes < 8) return DecodeError::link_malformed;
  return advance(state, header_bytes, HeaderKind::link, load_le32(&bytes[4]));
}

/// PPP on a serial line: in HDLC-like framing (RFC 1662, section 3.1), or in Cisco HDLC.
DecodeError decode_ppp_hdlc(DecodeState& state) {
  constexpr std::uint8_t kUnicast = 0x0f, kMulticast = 0x8f;  // Cisco's addresses; PPP's only address is 0xff
  const Bytes bytes = state.layer.bytes;
  if (bytes.empty()) return DecodeError::link_truncated;
  return advance(state, 0, bytes[0] == kUnicast || bytes[0] == kMulticast ? HeaderKind::cisco_hdlc : HeaderKind::ppp);
}

/// Captures of pppd have the packet's direction (0 or 1) in place of PPP's address field.
DecodeError decode_pppd(DecodeState& state) {
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 2) return DecodeError::link_truncated;
  return advance(state, bytes[0] <= 1 && bytes[1] == 0x03 ? 2 : 0, HeaderKind::ppp);
}

/// Token Ring (IEEE 802.5). When the highest bit of the source address is set, routing information
/// follows the addresses.
DecodeError decode_token_ring(DecodeState& state) {
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 14) return DecodeError::link_truncated;
  constexpr std::uint8_t kKind = 0xc0, kData = 0x40;
  if ((bytes[1] & kKind) != kData) return fail(state, DecodeError::not_ip, 0);
  if ((bytes[8] & 0x80) == 0) return advance(state, 14, HeaderKind::llc);
  if (bytes.size() < 15) return DecodeError::link_truncated;
  return advance(state, 14u + (bytes[14] & 0x1f), HeaderKind::llc);
}

/// FDDI (ISO 9314-2). Only LLC frames carry data.
DecodeError decode_fddi(DecodeState& state) {
  constexpr std::uint8_t kKind = 0xf0, kLlc = 0x50;
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 13) return DecodeError::link_truncated;
  if ((bytes[0] & kKind) != kLlc) return fail(state, DecodeError::not_ip, 0);
  return advance(state, 13, HeaderKind::llc);
}

}  // namespace

DecodeError decode_link(DecodeState& state) {
  switch (state.layer.type) {
    case kLinkEthernet: return advance(state, 0, HeaderKind::ethernet);
    case kLinkLinuxSll: return decode_cooked(state, 16, 14);
    case kLinkLinuxSll2: return decode_cooked(state, 20, 0);
    case kLinkNull:
    case kLinkLoop: return decode_loopback(state, 4);
    case kLinkEnc: return decode_loopback(state, 12);
    case kLinkRaw:
    case kLinkRawBsd:
    case kLinkRawOpenBsd:
    case kLinkIpv4:
    case kLinkIpv6: return advance(state, 0, HeaderKind::ip);
    case kLinkSlip: return advance(state, 16, HeaderKind::ip);
    case kLinkPpp: return advance(state, 0, HeaderKind::ppp);
    case kLinkPppHdlc: return decode_ppp_hdlc(state);
    case kLinkPppEther: return decode_pppoe(state);
    case kLinkPppPppd: return decode_pppd(state);
    case kLinkPppWithDirection: return advance(state, 1, HeaderKind::ppp);
    case kLinkCiscoHdlc: return advance(state, 0, HeaderKind::cisco_hdlc);
    case kLinkCiscoHdlcWithDirection: return advance(state, 1, HeaderKind::cisco_hdlc);
    case kLinkFrameRelay: return decode_frame_relay(state);
    case kLinkFrameRelayWithDirection:
      if (state.layer.bytes.empty()) return DecodeError::link_truncated;
      state.layer.skip(1);
      return decode_frame_relay(state);
    case kLinkAtmLlc: return advance(state, 0, HeaderKind::llc);
    case kLinkWlan: return advance(state, 0, HeaderKind::wlan);
    case kLinkRadiotap: return decode_radiotap(state);
    case kLinkPrism: return decode_prism(state);
    case kLinkAvs: return decode_avs(state);
    case kLinkPpi: return decode_ppi(state);
    case kLinkNflog: return decode_nflog(state);
    case kLinkPfLog: return decode_pf_log(state);
    case kLinkNetAnalyzer: return advance(state, 4, HeaderKind::ethernet);
    case kLinkTokenRing: return decode_token_ring(state);
    case kLinkFddi: return decode_fddi(state);
    default: return fail(state, DecodeError::link_unknown, state.layer.type);
  }
}

}  // namespace wirelap
