#include "wire/ip.h"

#include <algorithm>

#include "wire/layer.h"
#include "wire/tunnel.h"

namespace wirelap {
namespace {

constexpr std::uint8_t kFragmentHeader = 44, kAuthentication = 51;

/// Removes an IP or extension header. Its payload has `length` bytes on the wire; what is
/// captured beyond them is link-layer padding.
DecodeError enter_payload(DecodeState& state, std::uint32_t header_bytes, std::uint32_t length,
                          std::uint32_t protocol) {
  Layer& layer = state.layer;
  if (layer.bytes.size() < header_bytes) return DecodeError::ip_truncated;
  layer.bytes = layer.bytes.subspan(header_bytes);
  if (layer.bytes.size() > length) layer.bytes = layer.bytes.first(length);
  layer.length = length;
  layer.kind = HeaderKind::ip_protocol;
  layer.type = protocol;
  return DecodeError::none;
}

/// Returns DecodeError::fragment where decoding ends at this fragment, whose header is
/// `state.fragment`; DecodeError::none where it goes on with a first fragment's payload.
DecodeError check_fragment(DecodeState& state) {
  const std::uint32_t protocol = state.layer.type;
  const bool may_carry_tcp = protocol == kProtocolTcp || is_extension(protocol) || is_tunnel_protocol(protocol);
  if (!may_carry_tcp) return fail(state, DecodeError::not_tcp, protocol);
  const FragmentHeader& header = state.fragment;
  if (header.offset != 0) return DecodeError::fragment;
  return header.more_fragments && state.reassembles_fragments ? DecodeError::fragment : DecodeError::none;
}

DecodeError decode_ipv4(DecodeState& state) {
  constexpr std::uint16_t kMoreFragments = 0x2000, kOffset = 0x1fff;
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < kIpv4HeaderBytes) return DecodeError::ip_truncated;
  const std::uint8_t* const at = bytes.data();
  const std::uint32_t header_bytes = (at[0] & 0x0fu) * 4;
  std::uint32_t total_length = load_be16(at + 2);
  if (total_length == 0) total_length = state.layer.length;
  if (header_bytes < kIpv4HeaderBytes || total_length < header_bytes) return DecodeError::ip_malformed;
  std::copy_n(at + 12, 8, state.ip.addresses);
  state.ip.id = load_be16(at + 4);
  state.ip.version = 4;
  const DecodeError error = enter_payload(state, header_bytes, total_length - header_bytes, at[9]);
  if (error != DecodeError::none) return error;
  const std::uint16_t fragment = load_be16(at + 6);
  if ((fragment & (kMoreFragments | kOffset)) == 0) return DecodeError::none;
  state.fragment = {state.ip.id, (fragment & kOffset) * 8u, (fragment & kMoreFragments) != 0};
  return check_fragment(state);
}

DecodeError decode_ipv6(DecodeState& state) {
  constexpr std::uint32_t kHeaderBytes = 40;
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < kHeaderBytes) return DecodeError::ip_truncated;
  const std::uint8_t* const at = bytes.data();
  const std::uint32_t payload_length = load_be16(at + 4);
  const std::uint32_t recorded_length = state.layer.length > kHeaderBytes ? state.layer.length - kHeaderBytes : 0;
  std::copy_n(at + 8, 32, state.ip.addresses);
  state.ip.id = 0;
  state.ip.version = 6;
  return enter_payload(state, kHeaderBytes, payload_length == 0 ? recorded_length : payload_length, at[6]);
}

}  // namespace

DecodeError decode_ip(DecodeState& state) {
  if (state.layer.bytes.empty()) return DecodeError::ip_truncated;
  switch (state.layer.bytes[0] >> 4) {
    case 4: return decode_ipv4(state);
    case 6: return decode_ipv6(state);
    default: return DecodeError::ip_malformed;
  }
}

bool is_extension(std::uint32_t protocol) {
  switch (protocol) {
    case 0:   // Hop-by-Hop Options
    case 43:  // Routing
    case kFragmentHeader:
    case kAuthentication:
    case 60:   // Destination Options
    case 135:  // Mobility
    case 139:  // Host Identity Protocol
    case 140:  // Shim6
      return true;
    default: return false;
  }
}

DecodeError decode_extension(DecodeState& state) {
  const Bytes bytes = state.layer.bytes;
  const std::uint32_t kind = state.layer.type;
  if (bytes.size() < 8) return state.layer.length < 8 ? DecodeError::ip_malformed : DecodeError::ip_truncated;
  const std::uint8_t next = bytes[0];
  // Payload Len of the authentication header: units of 4 bytes, minus 2 (RFC 4302, section 2.2).
  const std::uint32_t header_bytes = kind == kFragmentHeader   ? 8
                                     : kind == kAuthentication ? (bytes[1] + 2u) * 4
                                                               : (bytes[1] + 1u) * 8;
  if (header_bytes > state.layer.length) return DecodeError::ip_malformed;
  const std::uint16_t offset = load_be16(&bytes[2]);
  const std::uint32_t id = load_be32(&bytes[4]);
  const DecodeError error = enter_payload(state, header_bytes, state.layer.length - header_bytes, next);
  // Offset 0 and no more fragments: an "atomic fragment", which is a whole packet (RFC 6946).
  if (error != DecodeError::none || kind != kFragmentHeader || (offset & 0xfff9) == 0) return error;
  state.fragment = {id, offset & 0xfff8u, (offset & 1) != 0};
  return check_fragment(state);
}

}  // namespace wirelap
