// The segments of one TCP connection between two well-behaved ends: the client 10.0.0.1 and the server 10.0.0.2.
#pragma once

#include <cstdint>
#include <string_view>

#include "support/packets.h"

namespace wirelap::test {

/// Numbers the segments of both ends. End 0 is the client, end 1 the server.
class TwoEnds {
 public:
  TwoEnds(std::uint16_t client_port, std::uint16_t server_port) : ports_{client_port, server_port} {}

  /// The next segment of end `from`. With ACK, it acknowledges all bytes of the other end except the last `unseen`.
  SegmentSpec segment(int from, std::string_view data, unsigned flags, std::uint32_t unseen = 0) {
    SegmentSpec segment;
    segment.source = from == 0 ? "10.0.0.1" : "10.0.0.2";
    segment.destination = from == 0 ? "10.0.0.2" : "10.0.0.1";
    segment.source_port = ports_[from];
    segment.destination_port = ports_[1 - from];
    segment.sequence = next_[from];
    segment.acknowledgment = (flags & kAck) != 0 ? next_[1 - from] - unseen : 0;
    segment.flags = static_cast<std::uint8_t>(flags);
    segment.payload = data;
    segment.ip_id = next_ip_id(from);
    next_[from] += static_cast<std::uint32_t>(data.size()) + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);
    return segment;
  }

  std::uint16_t next_ip_id(int from) { return ++ip_ids_[from]; }

 private:
  std::uint16_t ports_[2];
  std::uint32_t next_[2] = {1000, 4'294'967'000};  // the server's sequence numbers wrap after 296 bytes
  std::uint16_t ip_ids_[2] = {100, 200};
};

}  // namespace wirelap::test
