#include "wire/decoder.h"

namespace wirelap {

[[gnu::noinline]] bool Decoder::decode_slowly(const PacketRecord& record, Segment& segment) {
  if (decode_common(record, segment)) return true;
  DecodeState state = initial_state(record);
  state.reassembles_fragments = true;
  // A reassembled datagram may be a tunnel that carries a fragment of another datagram.
  for (int datagrams = 0; datagrams <= kMaxTunnels; ++datagrams) {
    DecodeError error = decode_headers(state, record, segment);
    if (error == DecodeError::none) return true;
    if (error == DecodeError::fragment) error = fragments_.add(state, record.time);
    if (error == DecodeError::none) continue;
    if (error != DecodeError::fragment) counts_.errors.add(error, state.error_detail);
    return false;
  }
  counts_.errors.add(DecodeError::too_deep, 0);
  return false;
}

}  // namespace wirelap
