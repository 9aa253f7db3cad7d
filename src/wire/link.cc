#include "wire/link.h"

namespace wirelap {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800;
constexpr std::uint16_t kEtherIpv6 = 0x86dd;

bool is_vlan_tag(std::uint16_t ether_type) {
  return ether_type == 0x8100 || ether_type == 0x88a8 || ether_type == 0x9100;
}

/// What is at bytes[at], after an EtherType field that held `ether_type` (IEEE 802.3, 802.1Q).
Stop decode_ether_type(std::uint16_t ether_type, Bytes bytes, std::size_t at, Frame& frame) {
  while (is_vlan_tag(ether_type)) {
    if (bytes.size() < at + 4) return Stop::link_cut;
    VlanTags& vlan = frame.vlan;
    if (vlan.count < 2) vlan.ids[vlan.count++] = load_be16(&bytes[at]) & 0x0fff;
    ether_type = load_be16(&bytes[at + 2]);
    at += 4;
  }
  if (ether_type != kEtherIpv4 && ether_type != kEtherIpv6) return Stop::not_ip;
  frame.ip = bytes.subspan(at);
  return Stop::none;
}

/// A header of `header_bytes` whose EtherType field is at `type_at`.
Stop decode_typed(Bytes bytes, std::size_t header_bytes, std::size_t type_at, Frame& frame) {
  if (bytes.size() < header_bytes) return Stop::link_cut;
  return decode_ether_type(load_be16(&bytes[type_at]), bytes, header_bytes, frame);
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
    case 2:
    case 10:
    case 24:
    case 28:
    case 30: break;
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
    case kLinkEthernet: return decode_typed(bytes, 14, 12, frame);
    case kLinkLinuxSll: return decode_typed(bytes, 16, 14, frame);
    case kLinkLinuxSll2: return decode_typed(bytes, 20, 0, frame);
    case kLinkNull:
    case kLinkLoop: return decode_loopback(bytes, frame);
    case kLinkRaw:
    case kLinkRawBsd:
    case kLinkRawOpenBsd:
    case kLinkIpv4:
    case kLinkIpv6: return decode_raw(bytes, frame);
    default: return Stop::link_unknown;
  }
}

}  // namespace wirelap
