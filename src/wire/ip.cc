#include "wire/ip.h"

#include <algorithm>

#include "wire/layer.h"
#include "wire/tunnel.h"

namespace wirelap {
namespace {

constexpr std::uint8_t kFragmentHeader = 44, kAuthentication = 51;

/// Goes on with the `length` bytes that an IP header says are behind its `header_bytes`.
DecodeError enter_payload(DecodeState& walk, std::uint32_t header_bytes, std::uint32_t length, std::uint32_t protocol) {
  Layer& layer = walk.layer;
  if (layer.bytes.size() < header_bytes) return DecodeError::ip_truncated;
  layer.bytes = layer.bytes.subspan(header_bytes);
  if (layer.bytes.size() > length) layer.bytes = layer.bytes.first(length);
  layer.length = length;
  layer.kind = Kind::protocol;
  layer.type = protocol;
  return DecodeError::none;
}

/// Whether decoding stops at a fragment, whose header is in `walk.fragment`.
DecodeError judge_fragment(DecodeState& walk) {
  const std::uint32_t protocol = walk.layer.type;
  const bool wanted = protocol == kProtocolTcp || is_extension(protocol) || is_tunnel_protocol(protocol);
  if (!wanted) return stop_at(walk, DecodeError::not_tcp, protocol);
  const FragmentHeader& header = walk.fragment;
  if (header.offset != 0) return DecodeError::fragment;
  return header.more && walk.joins_fragments ? DecodeError::fragment : DecodeError::none;
}

DecodeError open_ipv4(DecodeState& walk) {
  constexpr std::uint16_t kMoreFragments = 0x2000, kOffset = 0x1fff;
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < kIpv4HeaderBytes) return DecodeError::ip_truncated;
  const std::uint8_t* const at = bytes.data();
  const std::uint32_t header_bytes = (at[0] & 0x0fu) * 4;
  std::uint32_t total_length = load_be16(at + 2);
  if (total_length == 0) total_length = walk.layer.length;
  if (header_bytes < kIpv4HeaderBytes || total_length < header_bytes) return DecodeError::ip_malformed;
  std::copy_n(at + 12, 8, walk.ip.addresses);
  walk.ip.id = load_be16(at + 4);
  walk.ip.version = 4;
  const DecodeError stop = enter_payload(walk, header_bytes, total_length - header_bytes, at[9]);
  if (stop != DecodeError::none) return stop;
  const std::uint16_t fragment = load_be16(at + 6);
  if ((fragment & (kMoreFragments | kOffset)) == 0) return DecodeError::none;
  walk.fragment = {walk.ip.id, (fragment & kOffset) * 8u, (fragment & kMoreFragments) != 0};
  return judge_fragment(walk);
}

DecodeError open_ipv6(DecodeState& walk) {
  constexpr std::uint32_t kHeaderBytes = 40;
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < kHeaderBytes) return DecodeError::ip_truncated;
  const std::uint8_t* const at = bytes.data();
  const std::uint32_t said = load_be16(at + 4);
  const std::uint32_t on_wire = walk.layer.length > kHeaderBytes ? walk.layer.length - kHeaderBytes : 0;
  std::copy_n(at + 8, 32, walk.ip.addresses);
  walk.ip.id = 0;
  walk.ip.version = 6;
  return enter_payload(walk, kHeaderBytes, said == 0 ? on_wire : said, at[6]);
}

}  // namespace

DecodeError open_ip(DecodeState& walk) {
  if (walk.layer.bytes.empty()) return DecodeError::ip_truncated;
  switch (walk.layer.bytes[0] >> 4) {
    case 4: return open_ipv4(walk);
    case 6: return open_ipv6(walk);
    default: return DecodeError::ip_malformed;
  }
}

bool is_extension(std::uint32_t protocol) {
  switch (protocol) {
    case 0:
    case 43:
    case kFragmentHeader:
    case kAuthentication:
    case 60:
    case 135:
    case 139:
    case 140: return true;
    default: return false;
  }
}

DecodeError open_extension(DecodeState& walk) {
  const Bytes bytes = walk.layer.bytes;
  const std::uint32_t kind = walk.layer.type;
  if (bytes.size() < 8) return walk.layer.length < 8 ? DecodeError::ip_malformed : DecodeError::ip_truncated;
  const std::uint8_t next = bytes[0];
  // RFC 4302 counts the authentication header in units of 4 bytes, less 2.
  const std::uint32_t header_bytes = kind == kFragmentHeader   ? 8
                                     : kind == kAuthentication ? (bytes[1] + 2u) * 4
                                                               : (bytes[1] + 1u) * 8;
  if (header_bytes > walk.layer.length) return DecodeError::ip_malformed;
  const std::uint16_t offset = load_be16(&bytes[2]);
  const std::uint32_t id = load_be32(&bytes[4]);
  const DecodeError stop = enter_payload(walk, header_bytes, walk.layer.length - header_bytes, next);
  // A header with neither offset nor more to come is a whole packet's (RFC 6946).
  if (stop != DecodeError::none || kind != kFragmentHeader || (offset & 0xfff9) == 0) return stop;
  walk.fragment = {id, offset & 0xfff8u, (offset & 1) != 0};
  return judge_fragment(walk);
}

}  // namespace wirelap
