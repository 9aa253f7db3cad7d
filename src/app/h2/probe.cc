#include "app/h2/probe.h"

#include <algorithm>
#include <optional>

#include "app/h2/resync.h"

namespace wirelap::h2 {
namespace {

/// Which message a field block is of, by its first byte: pseudo-header fields
/// come first (RFC 9113, section 8.3), and most are in the static table.
std::optional<Direction> direction_of_fields(std::uint8_t first) {
  const unsigned prefix = (first & 0x80) != 0 ? 0x7f : (first & 0x40) != 0 ? 0x3f : (first & 0x20) != 0 ? 0 : 0x0f;
  const unsigned static_index = first & prefix;
  if (static_index >= 1 && static_index <= 7) return Direction::to_server;
  if (static_index >= 8 && static_index <= 14) return Direction::to_client;
  return std::nullopt;
}

/// Whose the whole frames in `bytes` are, as the first HEADERS tells that does.
std::optional<Direction> direction_of_frames(Bytes bytes) {
  while (bytes.size() >= kFrameHeaderBytes) {
    const FrameHeader header = decode_frame_header(bytes.data());
    bytes = bytes.subspan(kFrameHeaderBytes);
    const std::size_t before = (header.is_padded() ? 1U : 0U) + (header.has(kPriority) ? 5U : 0U);
    if (header.is(FrameType::headers) && before < std::min<std::size_t>(bytes.size(), header.length)) {
      if (const auto direction = direction_of_fields(bytes[before])) return direction;
    }
    bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), header.length));
  }
  return std::nullopt;
}

}  // namespace

bool may_begin(Connection& connection, Side sender, Bytes bytes) {
  const bool may_be_client = !connection.client_known || sender == connection.client;
  const bool at_start = connection.stream(sender).at_start();
  if (may_be_client) {
    constexpr std::size_t kEnough = 3;  // no other method begins with PRI
    const std::size_t count = std::min(bytes.size(), kPreface.size());
    const bool told = as_text(bytes.first(count)) == kPreface.substr(0, count);
    if (told && (begins_with_preface(bytes, Direction::to_server) || (at_start && count >= kEnough))) {
      connection.set_client(sender);
      return true;
    }
  }
  if (bytes.size() < kFrameHeaderBytes) return false;
  if (at_start) {
    if (may_be_client) return false;
    constexpr std::uint32_t kMostSettings = 32 * 6;
    const FrameHeader first = decode_frame_header(bytes.data());
    return first.is(FrameType::settings) && first.flags == 0 && first.length <= kMostSettings &&
           Plausible{Direction::to_client, kMinMaxFrameSize, kMaxStream}(first);
  }
  if (bytes[0] != 0) return false;
  const Direction most = may_be_client && connection.client_known ? Direction::to_server : Direction::to_client;
  if (!frames_fill(bytes, {most, kMinMaxFrameSize, kMaxStream})) return false;
  const std::optional<Direction> direction = direction_of_frames(bytes);
  if (!direction) return false;
  if (connection.client_known) return may_be_client == (*direction == Direction::to_server);
  connection.set_client(*direction == Direction::to_server ? sender : other(sender));
  return true;
}

}  // namespace wirelap::h2
