// flow: counts of what happened to the packets of one connection.
#pragma once

#include <cstdint>

namespace wirelap {

/// Counts that only grow. The counts of an exchange are the difference between two states. Counts of rare events have
/// 32 bits: an overflow would take 2^32 packets of one connection.
struct TcpCounts {
  std::uint64_t packets = 0;
  std::uint32_t zero_windows = 0;
  std::uint32_t retransmitted = 0;  ///< retransmissions, including spurious ones
  std::uint32_t lost = 0;           ///< segments counted as lost, including those that were retransmitted spuriously
  std::uint32_t spurious = 0;       ///< segments counted as lost that had arrived
  std::uint32_t out_of_order = 0;   ///< segments that the network reordered
  std::uint32_t duplicate = 0;      ///< packets that the network or the capture duplicated

  TcpCounts operator-(const TcpCounts& earlier) const {
    return {packets - earlier.packets,    zero_windows - earlier.zero_windows, retransmitted - earlier.retransmitted,
            lost - earlier.lost,          spurious - earlier.spurious,         out_of_order - earlier.out_of_order,
            duplicate - earlier.duplicate};
  }
  /// Segments that never arrived.
  std::uint32_t truly_lost() const { return lost > spurious ? lost - spurious : 0; }
};

}  // namespace wirelap
