// flow: counts of what happened to the packets of one connection.
#pragma once

#include <cstdint>

namespace wirelap {

/// Counts that only grow. An exchange's own counts are the difference between two states.
/// Rare events have 32 bits: an overflow takes 2^32 packets of one connection.
struct TcpCounts {
  std::uint64_t packets = 0;
  std::uint32_t zero_windows = 0;
  std::uint32_t retransmitted = 0;  ///< retransmissions, spurious ones among them
  std::uint32_t lost = 0;           ///< lost segments, and spuriously retransmitted ones
  std::uint32_t spurious = 0;       ///< segments counted as lost that had arrived
  std::uint32_t out_of_order = 0;   ///< segments reordered on the way
  std::uint32_t duplicate = 0;      ///< duplicates of a packet, made on the way or by the capture

  TcpCounts operator-(const TcpCounts& earlier) const {
    return {packets - earlier.packets,    zero_windows - earlier.zero_windows, retransmitted - earlier.retransmitted,
            lost - earlier.lost,          spurious - earlier.spurious,         out_of_order - earlier.out_of_order,
            duplicate - earlier.duplicate};
  }
  /// Segments that never arrived.
  std::uint32_t truly_lost() const { return lost > spurious ? lost - spurious : 0; }
};

}  // namespace wirelap
