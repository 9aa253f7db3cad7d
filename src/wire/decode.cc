#include "wire/decode.h"

#include "wire/ether.h"
#include "wire/mpls.h"
#include "wire/ppp.h"
#include "wire/tunnel.h"
#include "wire/wlan.h"

namespace wirelap {
namespace {

/// Whether the next header is an IPv6 extension header, or the one that IPv4 has too (RFC 4302).
bool is_extension_of_ip(const DecodeState& state) {
  constexpr std::uint32_t kAuthentication = 51;
  return state.ip.version == 6 ? is_extension(state.layer.type) : state.layer.type == kAuthentication;
}

DecodeError decode_next_header(DecodeState& state) {
  switch (state.layer.kind) {
    case HeaderKind::link: return decode_link(state);
    case HeaderKind::ethernet: return decode_ethernet(state);
    case HeaderKind::ether_type: return decode_ether_type(state);
    case HeaderKind::llc: return decode_llc(state);
    case HeaderKind::ppp: return decode_ppp(state);
    case HeaderKind::cisco_hdlc: return decode_cisco_hdlc(state);
    case HeaderKind::wlan: return decode_wlan(state);
    case HeaderKind::mpls: return decode_mpls(state);
    case HeaderKind::nsh: return decode_nsh(state);
    case HeaderKind::ip: return decode_ip(state);
    case HeaderKind::ip_protocol:
      return is_extension_of_ip(state) ? decode_extension(state) : decode_ip_protocol(state);
  }
  return DecodeError::too_deep;
}

/// As decode_tcp_over_ipv4 in decode.h, for an IPv4 header with or without options and any `captured`.
bool decode_tcp_over_any_ipv4(const std::uint8_t* at, std::size_t captured, IpHeader& ip, Payload& payload) {
  if (captured < kIpv4HeaderBytes || at[0] >> 4 != 4) return false;
  const std::uint32_t header_bytes = (at[0] & 0x0fu) * 4;
  return header_bytes >= kIpv4HeaderBytes && decode_tcp_over_ipv4(at, header_bytes, captured, ip, payload);
}

/// Decodes an IPv6 header that TCP follows directly; returns false for any other packet.
bool decode_tcp_over_ipv6(const std::uint8_t* at, std::size_t captured, IpHeader& ip, Payload& payload) {
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
  const bool is_tcp = type == kEtherIpv4   ? decode_tcp_over_any_ipv4(at, captured, segment.ip, payload)
                      : type == kEtherIpv6 ? decode_tcp_over_ipv6(at, captured, segment.ip, payload)
                                           : false;
  segment.tunnel = 0;
  return is_tcp && set_segment(record, payload, segment) == DecodeError::none;
}

DecodeState initial_state(const PacketRecord& record) {
  DecodeState state;
  state.layer.bytes = record.bytes;
  state.layer.length = record.length;
  state.layer.type = record.link_type;
  return state;
}

DecodeError decode_headers(DecodeState& state, const PacketRecord& record, Segment& segment) {
  for (int headers = 0; headers < kMaxHeaders; ++headers) {
    const Layer& layer = state.layer;
    if (layer.kind == HeaderKind::ip_protocol && layer.type == kProtocolTcp) {
      segment.ip = state.ip;
      segment.vlan = state.vlan;
      segment.tunnel = state.tunnel;
      return set_segment(record, {layer.bytes, layer.length}, segment);
    }
    state.error_detail = 0;
    if (const DecodeError error = decode_next_header(state); error != DecodeError::none) return error;
  }
  return DecodeError::too_deep;
}

}  // namespace wirelap
