#include "app/h2/probe.h"

#include <algorithm>
#include <optional>

#include "app/h2/resync.h"

namespace wirelap::h2 {
namespace {

/// The direction of a field block by its first byte; empty where the byte does not show it. Pseudo-header fields come
/// first (RFC 9113, section 8.3), and most of them are in the static table: 1 to 7 of requests, 8 to 14 of responses.
std::optional<Direction> direction_of_fields(std::uint8_t first) {
  const unsigned prefix = (first & 0x80) != 0 ? 0x7f : (first & 0x40) != 0 ? 0x3f : (first & 0x20) != 0 ? 0 : 0x0f;
  const unsigned static_index = first & prefix;
  if (static_index >= 1 && static_index <= 7) return Direction::to_server;
  if (static_index >= 8 && static_index <= 14) return Direction::to_client;
  return std::nullopt;
}

/// The direction of the frames in `bytes`, by the first HEADERS frame that shows it.
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

/// Whether `opening` is the client's preface, or a first part of it.
Probe probe_preface(const Opening& opening) {
  constexpr std::size_t kDistinctBytes = 3;  // no HTTP/1 method begins with PRI
  const Bytes bytes = opening.bytes;
  const std::size_t count = std::min(bytes.size(), kPreface.size());
  if (as_text(bytes.first(count)) != kPreface.substr(0, count)) return {};
  if (begins_with_preface(bytes, Direction::to_server)) return {Probe::Result::certain, Direction::to_server};
  const bool may_be = opening.position.at_start() && count >= kDistinctBytes;
  return {may_be ? Probe::Result::unsure : Probe::Result::not_mine, Direction::to_server};
}

/// Whether `bytes`, the first that the server sends, begin with its SETTINGS.
Probe probe_settings(Bytes bytes) {
  constexpr std::uint32_t kMaxSettingsBytes = 32 * 6;
  const FrameHeader first = decode_frame_header(bytes.data());
  const bool are_settings =
      first.is(FrameType::settings) && first.flags == 0 && first.length <= kMaxSettingsBytes &&
      PlausibilityCheck{Direction::to_client, kMinMaxFrameSize, kMaxStreamIdentifier}.passes(first);
  return {are_settings ? Probe::Result::certain : Probe::Result::not_mine, Direction::to_client};
}

}  // namespace

Probe probe(const Opening& opening) {
  const Bytes bytes = opening.bytes;
  if (opening.may_be(Direction::to_server)) {
    if (const Probe preface = probe_preface(opening); preface.found()) return preface;
  }
  if (bytes.size() < kFrameHeaderBytes) return {};
  if (opening.position.at_start()) return opening.may_be(Direction::to_server) ? Probe{} : probe_settings(bytes);
  if (bytes[0] != 0) return {};
  // Where the direction is not known the check is that of a server, which may send more types of frames than a client.
  const Direction direction = opening.direction.value_or(Direction::to_client);
  if (!begins_with_frame(bytes, {direction, kMinMaxFrameSize, kMaxStreamIdentifier})) return {};
  const std::optional<Direction> shown = direction_of_frames(bytes);
  if (!shown || (opening.direction && *opening.direction != *shown)) return {};
  return {Probe::Result::certain, *shown, true};
}

}  // namespace wirelap::h2
