#include "timing/observer.h"

#include <algorithm>

namespace wirelap {

namespace {

/// The longest payload of a segment that either end accepts; 0: one did not announce it.
std::uint32_t full_length(const Connection& connection) {
  constexpr std::uint32_t kTimestampBytes = 12;  // RFC 7323, appendix A
  const Offer* const offers = connection.offers;
  const std::uint32_t least = std::min(offers[0].max_segment_size, offers[1].max_segment_size);
  const std::uint32_t options = offers[0].timestamps && offers[1].timestamps ? kTimestampBytes : 0;
  return least > options ? least - options : 0;
}

}  // namespace

void set_agreed(Timing& timing, const Connection& connection) {
  if (!connection.has_both_offers()) return;
  timing.set_full_lengths(full_length(connection));
  const Handshake& handshake = connection.handshake;
  timing.record_round_trip(connection.client, handshake.client_rtt());
  timing.record_round_trip(other(connection.client), handshake.server_rtt());
}

Owned<Timing> make_timing(const Connection& connection, Side sender, std::pmr::memory_resource* memory) {
  Owned<Timing> made = make_in<Timing>(memory);
  Timing& timing = *made;
  const Nanos opened = connection.handshake.ack;
  if (opened != kUnknownTime && sender != connection.client) timing.begin_with_server(connection.client, opened);
  const bool agreed = connection.has_both_offers();
  set_agreed(timing, connection);
  for (const Side side : {Side::low, Side::high}) {
    timing.begin_stream(side, connection.latest_packets[index(side)], agreed && connection.offers[index(side)].own_ids);
    const std::uint64_t edge = connection.stream(side).right_edge;
    if (edge != 0) timing.set_right_edge(side, edge, connection.last_time);
  }
  return made;
}

bool has_duplicate_sack(const TcpHeader& tcp) {
  const TcpOptions options = decode_tcp_options(tcp.options);
  return options.sack_blocks > 0 && static_cast<std::int32_t>(options.sack[0].right_edge - tcp.acknowledgment) <= 0;
}

}  // namespace wirelap
