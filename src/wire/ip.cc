#include "wire/ip.h"

#include <algorithm>

namespace wirelap {
namespace {

/// Sets the payload: what lies between `header_bytes` and `total_length`, as far as captured.
void set_payload(Bytes bytes, std::uint32_t header_bytes, std::uint32_t total_length, Packet& packet) {
  packet.payload_length = total_length - header_bytes;
  const std::size_t captured = std::min<std::size_t>(bytes.size() - header_bytes, packet.payload_length);
  packet.payload = bytes.subspan(header_bytes, captured);
}

Stop decode_ipv4(Bytes bytes, std::uint32_t wire_length, Packet& packet) {
  if (bytes.size() < 20) return Stop::ip_cut;
  const std::uint8_t* const at = bytes.data();
  const std::uint32_t header_bytes = (at[0] & 0x0fu) * 4;
  std::uint32_t total_length = load_be16(at + 2);
  if (total_length == 0) total_length = wire_length;
  if (header_bytes < 20 || total_length < header_bytes) return Stop::ip_malformed;
  if (at[9] != kProtocolTcp) return Stop::not_tcp;
  if ((load_be16(at + 6) & 0x1fff) != 0) return Stop::fragment;
  if (bytes.size() < header_bytes) return Stop::ip_cut;
  packet.source = {0, kIpv4Mapped | load_be32(at + 12)};
  packet.destination = {0, kIpv4Mapped | load_be32(at + 16)};
  packet.id = load_be16(at + 4);
  packet.version = 4;
  set_payload(bytes, header_bytes, total_length, packet);
  return Stop::none;
}

/// The next header after an IPv6 extension header, or why there is none.
struct Extension {
  Stop stop;
  std::uint8_t next;
  std::uint32_t bytes;
};

Extension decode_extension(std::uint8_t kind, Bytes bytes) {
  constexpr std::uint8_t kFragment = 44, kAuthentication = 51;
  switch (kind) {
    case 0:
    case 43:
    case kFragment:
    case kAuthentication:
    case 60:
    case 135:
    case 139:
    case 140: break;
    default: return {Stop::not_tcp, 0, 0};
  }
  if (bytes.size() < 8) return {Stop::ip_cut, 0, 0};
  if (kind == kFragment) {
    const bool later = (load_be16(&bytes[2]) & 0xfff8) != 0;
    return {later ? Stop::fragment : Stop::none, bytes[0], 8};
  }
  // RFC 4302 counts the authentication header in units of 4 bytes, less 2.
  const std::uint32_t length = kind == kAuthentication ? (bytes[1] + 2u) * 4 : (bytes[1] + 1u) * 8;
  return {Stop::none, bytes[0], length};
}

Stop decode_ipv6(Bytes bytes, std::uint32_t wire_length, Packet& packet) {
  constexpr std::uint32_t kHeaderBytes = 40;
  if (bytes.size() < kHeaderBytes) return Stop::ip_cut;
  const std::uint8_t* const at = bytes.data();
  const std::uint32_t said = load_be16(at + 4);
  const std::uint32_t total_length = said == 0 ? std::max(wire_length, kHeaderBytes) : said + kHeaderBytes;
  std::uint32_t offset = kHeaderBytes;
  for (std::uint8_t next = at[6]; next != kProtocolTcp;) {
    const Extension extension = decode_extension(next, bytes.subspan(offset));
    if (extension.stop != Stop::none) return extension.stop;
    next = extension.next;
    offset += extension.bytes;
    if (offset > total_length) return Stop::ip_malformed;
    if (offset > bytes.size()) return Stop::ip_cut;
  }
  packet.source = {load_be64(at + 8), load_be64(at + 16)};
  packet.destination = {load_be64(at + 24), load_be64(at + 32)};
  packet.id = 0;
  packet.version = 6;
  set_payload(bytes, offset, total_length, packet);
  return Stop::none;
}

}  // namespace

Stop decode_ip(Bytes bytes, std::uint32_t wire_length, Packet& packet) {
  if (bytes.empty()) return Stop::ip_cut;
  switch (bytes[0] >> 4) {
    case 4: return decode_ipv4(bytes, wire_length, packet);
    case 6: return decode_ipv6(bytes, wire_length, packet);
    default: return Stop::ip_malformed;
  }
}

}  // namespace wirelap
