#include "wire/mpls.h"

#include "wire/ether.h"
#include "wire/tunnel.h"

namespace wirelap {

DecodeError decode_mpls(DecodeState& state) {
  constexpr std::uint32_t kBottom = 0x100;
  Layer& layer = state.layer;
  for (bool more = true; more; layer.skip(4)) {
    if (layer.bytes.size() < 4) return DecodeError::link_truncated;
    more = (load_be32(layer.bytes.data()) & kBottom) == 0;
  }
  if (layer.bytes.empty()) return DecodeError::link_truncated;
  if (looks_like_ip(layer.bytes, layer.length)) return advance(state, 0, HeaderKind::ip);
  const bool control_word = layer.bytes[0] >> 4 == 0 && layer.bytes.size() >= 4;
  if (control_word && looks_like_ethernet(layer.bytes.subspan(4))) layer.skip(4);
  if (looks_like_ethernet(layer.bytes)) return enter_tunnel(state, TunnelKind::mpls, 0, HeaderKind::ethernet);
  return DecodeError::tunnel_unknown;
}

DecodeError decode_nsh(DecodeState& state) {
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 8) return DecodeError::tunnel_truncated;
  const std::size_t header_bytes = (load_be16(bytes.data()) & 0x3fu) * 4;
  const std::uint8_t protocol = bytes[3];
  if (header_bytes < 8) return DecodeError::tunnel_malformed;
  switch (protocol) {
    case 1:
    case 2: return advance(state, header_bytes, HeaderKind::ip, 0, DecodeError::tunnel_truncated);
    case 3:
      if (bytes.size() < header_bytes) return DecodeError::tunnel_truncated;
      state.layer.skip(header_bytes);
      return enter_tunnel(state, TunnelKind::nsh, 0, HeaderKind::ethernet);
    case 4: return advance(state, header_bytes, HeaderKind::nsh, 0, DecodeError::tunnel_truncated);
    case 5: return advance(state, header_bytes, HeaderKind::mpls, 0, DecodeError::tunnel_truncated);
    default: return DecodeError::tunnel_unknown;
  }
}

}  // namespace wirelap
