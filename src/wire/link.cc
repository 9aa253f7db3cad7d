#include "wire/link.h"

namespace wirelap {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800;
constexpr std::uint16_t kEtherIpv6 = 0x86dd;

bool is_vlan_tag(std::uint16_t ether_type) {
  return ether_type == 0x8100 || ether_type == 0x88a8 || ether_type == 0x9100;
}

/// What follows an EtherType field that stands at bytes[at] (IEEE 802.3, 802.1Q).
Stop decode_ether_type(Bytes bytes, std::size_t at, Frame& frame) {
  for (;;) {
    if (bytes.size() < at + 2) return Stop::link_cut;
    const std::uint16_t ether_type = load_be16(&bytes[at]);
    at += 2;
    if (ether_type == kEtherIpv4 || ether_type == kEtherIpv6) {
      frame.ip = bytes.subspan(at);
      return Stop::none;
    }
    if (!is_vlan_tag(ether_type)) return Stop::not_ip;
    if (bytes.size() < at + 2) return Stop::link_cut;
    VlanTags& vlan = frame.vlan;
    if (vlan.count < 2) vlan.ids[vlan.count++] = load_be16(&bytes[at]) & 0x0fff;
    at += 2;
  }
}

/// A BSD loopback header: an address family, in the byte order of the machine
/// that captured (null) or in network order (loop).
Stop decode_loopback(Bytes bytes, Frame& frame) {
  if (bytes.size() < 4) return Stop::link_cut;
  const std::uint32_t big = load_be32(bytes.data());
  const std::uint32_t family = big > 0xffff ? load_le32(bytes.data()) : big;
  // 2 is IPv4 everywhere; IPv6 is 24 on NetBSD and OpenBSD, 28 on FreeBSD,
  // 30 on macOS and 10 on Linux.
  switch (family) {
    case 2: case 10: case 24: case 28: case 30: break;
    default: return Stop::not_ip;
  }
  frame.ip = bytes.subspan(4);
  return Stop::none;
}

Stop decode_raw(Bytes bytes, Frame& frame) {
  frame.ip = bytes;
  return Stop::none;
}

}  // namespace

Stop decode_link(std::uint32_t link_type, Bytes bytes, Frame& frame) {
  frame = {};
  switch (link_type) {
    case kLinkEthernet: return decode_ether_type(bytes, 12, frame);
    case kLinkLinuxSll: return decode_ether_type(bytes, 14, frame);
    case kLinkLinuxSll2: {
      // The protocol stands first, the header is 20 bytes long.
      if (bytes.size() < 20) return Stop::link_cut;
      const std::uint16_t protocol = load_be16(bytes.data());
      if (is_vlan_tag(protocol)) return decode_ether_type(bytes, 22, frame);
      if (protocol != kEtherIpv4 && protocol != kEtherIpv6) return Stop::not_ip;
      frame.ip = bytes.subspan(20);
      return Stop::none;
    }
    case kLinkNull: case kLinkLoop: return decode_loopback(bytes, frame);
    case kLinkRaw: case kLinkRawBsd: case kLinkRawOpenBsd: case kLinkIpv4: case kLinkIpv6:
      return decode_raw(bytes, frame);
    default: return Stop::link_unknown;
  }
}

}  // namespace wirelap
