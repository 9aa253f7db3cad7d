#include "wire/decoder.h"

namespace wirelap {

[[gnu::noinline]] bool Decoder::decode_rest(const PacketRecord& record, Segment& segment) {
  if (decode_common(record, segment)) return true;
  DecodeState walk = initial_state(record);
  walk.joins_fragments = true;
  // A datagram put together may be a fragment of another, which came in a tunnel.
  for (int datagrams = 0; datagrams <= kMaxTunnels; ++datagrams) {
    DecodeError stop = decode_headers(walk, record, segment);
    if (stop == DecodeError::none) return true;
    if (stop == DecodeError::fragment) stop = fragments_.take(walk, record.time);
    if (stop == DecodeError::none) continue;
    if (stop != DecodeError::fragment) counts_.errors.add(stop, walk.about);
    return false;
  }
  counts_.errors.add(DecodeError::too_deep, 0);
  return false;
}

}  // namespace wirelap
