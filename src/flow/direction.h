// flow: the two directions of a connection whose client is known.
#pragma once

#include <cstdint>

namespace wirelap {

/// Where bytes go: a request to the server, its response to the client.
enum class Direction : std::uint8_t { to_server, to_client };

/// 0 for to_server, 1 for to_client.
constexpr int index(Direction direction) { return static_cast<int>(direction); }

constexpr Direction opposite(Direction direction) {
  return direction == Direction::to_server ? Direction::to_client : Direction::to_server;
}

}  // namespace wirelap
