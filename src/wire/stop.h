// wire: what kept a captured frame from becoming a TCP segment.
#pragma once

#include <cstdint>

namespace wirelap {

/// Why decoding went no further. A malformed packet is data: it is counted
/// under its reason and never stops a run.
enum class Stop : std::uint8_t {
  none,           ///< a TCP segment
  link_unknown,   ///< a link type that is not decoded
  link_cut,       ///< the frame ends inside its link header
  not_ip,         ///< another protocol than IP in the frame (ARP, ...)
  ip_cut,         ///< the captured bytes end inside the IP header
  ip_malformed,   ///< the IP header contradicts itself
  not_tcp,        ///< IP, but not TCP
  fragment,       ///< a later IP fragment: it has no TCP header
  tcp_cut,        ///< the captured bytes end inside the TCP header
  tcp_malformed,  ///< the TCP header contradicts itself or its IP packet
};
inline constexpr int kStopCount = static_cast<int>(Stop::tcp_malformed) + 1;

}  // namespace wirelap
