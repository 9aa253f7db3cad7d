#include "wire/decode.h"

#include "wire/ether.h"
#include "wire/ppp.h"
#include "wire/tunnel.h"
#include "wire/wlan.h"

namespace wirelap {
namespace {

/// True for what IPv6 has between its header and its payload, and IPv4 of that.
bool is_between(const DecodeState& walk) {
  constexpr std::uint32_t kAuthentication = 51;
  return walk.ip.version == 6 ? is_extension(walk.layer.type) : walk.layer.type == kAuthentication;
}

DecodeError open_header(DecodeState& walk) {
  switch (walk.layer.kind) {
    case Kind::link: return open_link(walk);
    case Kind::ethernet: return open_ethernet(walk);
    case Kind::ether_type: return open_ether_type(walk);
    case Kind::llc: return open_llc(walk);
    case Kind::ppp: return open_ppp(walk);
    case Kind::cisco_hdlc: return open_cisco_hdlc(walk);
    case Kind::wlan: return open_wlan(walk);
    case Kind::mpls: return open_mpls(walk);
    case Kind::nsh: return open_nsh(walk);
    case Kind::ip: return open_ip(walk);
    case Kind::protocol: return is_between(walk) ? open_extension(walk) : open_protocol(walk);
  }
  return DecodeError::too_deep;
}

/// Reads an IPv4 header of any length before a TCP segment that is in one piece; false for any other.
bool read_ipv4(const std::uint8_t* at, std::size_t captured, IpHeader& ip, Payload& payload) {
  if (captured < kIpv4HeaderBytes || at[0] >> 4 != 4) return false;
  const std::uint32_t header_bytes = (at[0] & 0x0fu) * 4;
  return header_bytes >= kIpv4HeaderBytes && read_ipv4(at, header_bytes, captured, ip, payload);
}

/// Reads an IPv6 header before a TCP segment; false for any other.
bool read_ipv6(const std::uint8_t* at, std::size_t captured, IpHeader& ip, Payload& payload) {
  constexpr std::size_t kHeaderBytes = 40;
  if (captured < kHeaderBytes || at[0] >> 4 != 6 || at[6] != kProtocolTcp) return false;
  const std::uint32_t length = load_be16(at + 4);
  if (length == 0) return false;
  std::memcpy(ip.addresses, at + 8, 32);
  ip.id = 0;
  ip.version = 6;
  const std::size_t held = captured - kHeaderBytes;
  payload = {{at + kHeaderBytes, held < length ? held : length}, length};
  return true;
}

}  // namespace

bool decode_common(const PacketRecord& record, Segment& segment) {
  std::size_t type_at, header_bytes;
  switch (record.link_type) {
    case kLinkEthernet: type_at = 12, header_bytes = 14; break;
    case kLinkLinuxSll: type_at = 14, header_bytes = 16; break;
    case kLinkLinuxSll2: type_at = 0, header_bytes = 20; break;
    default: return false;
  }
  const Bytes bytes = record.bytes;
  if (bytes.size() < header_bytes) return false;
  std::uint16_t type = load_be16(&bytes[type_at]);
  segment.vlan = {};
  while (type == kEtherVlan || type == kEtherServiceVlan) {
    if (bytes.size() < header_bytes + 4) return false;
    segment.vlan.add(load_be16(&bytes[header_bytes]));
    type = load_be16(&bytes[header_bytes + 2]);
    header_bytes += 4;
  }
  const std::uint8_t* const at = bytes.data() + header_bytes;
  const std::size_t captured = bytes.size() - header_bytes;
  Payload payload;
  const bool is_tcp = type == kEtherIpv4   ? read_ipv4(at, captured, segment.ip, payload)
                      : type == kEtherIpv6 ? read_ipv6(at, captured, segment.ip, payload)
                                           : false;
  segment.tunnel = 0;
  return is_tcp && finish_segment(record, payload, segment) == DecodeError::none;
}

DecodeState initial_state(const PacketRecord& record) {
  DecodeState walk;
  walk.layer.bytes = record.bytes;
  walk.layer.length = record.length;
  walk.layer.type = record.link_type;
  return walk;
}

DecodeError decode_headers(DecodeState& walk, const PacketRecord& record, Segment& segment) {
  for (int headers = 0; headers < kMaxHeaders; ++headers) {
    const Layer& layer = walk.layer;
    if (layer.kind == Kind::protocol && layer.type == kProtocolTcp) {
      segment.ip = walk.ip;
      segment.vlan = walk.vlan;
      segment.tunnel = walk.tunnel;
      return finish_segment(record, {layer.bytes, layer.length}, segment);
    }
    walk.about = 0;
    if (const DecodeError stop = open_header(walk); stop != DecodeError::none) return stop;
  }
  return DecodeError::too_deep;
}

}  // namespace wirelap
