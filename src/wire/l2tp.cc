#include "wire/l2tp.h"

#include "wire/ether.h"
#include "wire/tunnel.h"

namespace wirelap {
namespace {

/// Continues behind the session identifier of L2TPv3. A cookie of 4 or 8 bytes and a sublayer header
/// of 4 bytes may follow; the session's setup negotiated their presence. The payload starts at the
/// first offset where the bytes look like an Ethernet frame, or else like IP in PPP.
DecodeError enter_l2tpv3(DecodeState& state) {
  constexpr std::size_t kMaxBefore = 12;
  constexpr std::uint32_t kPppIpv4 = 0xff030021, kPppIpv6 = 0xff030057;  // address, control, protocol
  Layer& layer = state.layer;
  for (std::size_t before = 0; before <= kMaxBefore && before < layer.bytes.size(); before += 4) {
    if (!looks_like_ethernet(layer.bytes.subspan(before))) continue;
    layer.skip(before);
    return enter_tunnel(state, TunnelKind::l2tp, 0, HeaderKind::ethernet);
  }
  for (std::size_t before = 0; before <= kMaxBefore && before + 4 < layer.bytes.size(); before += 4) {
    const std::uint32_t word = load_be32(&layer.bytes[before]);
    if (word != kPppIpv4 && word != kPppIpv6) continue;
    layer.skip(before);
    return enter_tunnel(state, TunnelKind::l2tp, 0, HeaderKind::ppp);
  }
  return DecodeError::tunnel_unknown;
}

}  // namespace

DecodeError decode_l2tpv3_over_ip(DecodeState& state) {
  Layer& layer = state.layer;
  if (layer.bytes.size() < 4) return DecodeError::tunnel_truncated;
  if (load_be32(layer.bytes.data()) == 0) return DecodeError::tunnel_control;
  layer.skip(4);
  return enter_l2tpv3(state);
}

DecodeError decode_l2tp_over_udp(DecodeState& state) {
  constexpr std::uint16_t kIsControl = 0x8000, kHasLength = 0x4000, kHasSequence = 0x0800, kHasOffset = 0x0200;
  Layer& layer = state.layer;
  if (layer.bytes.size() < 2) return DecodeError::tunnel_truncated;
  const std::uint16_t flags = load_be16(layer.bytes.data());
  const int version = flags & 0x000f;
  if (version != 2 && version != 3) return fail(state, DecodeError::not_tcp, kProtocolUdp);
  if ((flags & kIsControl) != 0) return DecodeError::tunnel_control;
  if (version == 3) {
    if (layer.bytes.size() < 8) return DecodeError::tunnel_truncated;
    layer.skip(8);
    return enter_l2tpv3(state);
  }
  std::size_t header_bytes = 6u + ((flags & kHasLength) != 0 ? 2 : 0) + ((flags & kHasSequence) != 0 ? 4 : 0);
  if ((flags & kHasOffset) != 0) {
    header_bytes += 2;
    if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
    header_bytes += load_be16(&layer.bytes[header_bytes - 2]);
  }
  if (layer.bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
  layer.skip(header_bytes);
  return enter_tunnel(state, TunnelKind::l2tp, 0, HeaderKind::ppp);
}

}  // namespace wirelap
