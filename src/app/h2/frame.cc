#include "app/h2/frame.h"

#include <algorithm>

namespace wirelap::h2 {

FrameHeader decode_frame_header(const std::uint8_t* at) {
  const std::uint32_t stream = load_be32(at + 5);
  return {load_be32(at) >> 8, at[3], at[4], stream & kMaxStreamIdentifier, stream > kMaxStreamIdentifier};
}

bool is_possible(const FrameHeader& header, Direction direction, std::uint32_t max_frame_size) {
  if (header.length > max_frame_size) return false;
  const bool on_stream = header.stream_identifier != 0;
  const std::uint32_t pad_length = header.is_padded() ? 1 : 0;
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::data: return on_stream && header.length >= pad_length;
    case FrameType::headers: return on_stream && header.length >= pad_length + (header.has(kPriority) ? 5U : 0U);
    case FrameType::priority: return on_stream && header.length == 5;
    case FrameType::rst_stream: return on_stream && header.length == 4;
    case FrameType::settings:
      return !on_stream && header.length % 6 == 0 && (!header.has(kAckFlag) || header.length == 0);
    case FrameType::push_promise:
      return on_stream && direction == Direction::to_client && header.length >= pad_length + 4;
    case FrameType::ping: return !on_stream && header.length == 8;
    case FrameType::goaway: return !on_stream && header.length >= 8;
    case FrameType::window_update: return header.length == 4;
    case FrameType::continuation: return on_stream;
  }
  return true;
}

bool begins_with_preface(Bytes bytes, Direction direction) {
  constexpr std::size_t kRequestLineBytes = 16;
  if (direction != Direction::to_server || bytes.size() < kRequestLineBytes) return false;
  const std::size_t count = std::min(bytes.size(), kPreface.size());
  return as_text(bytes.first(count)) == kPreface.substr(0, count);
}

}  // namespace wirelap::h2
