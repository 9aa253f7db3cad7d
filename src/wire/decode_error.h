// wire: decode errors: why a captured packet yields no TCP segment.
//
// In: one decode error per such packet, with the number that explains it (an
// EtherType, an IP protocol, ...). Out: counts, most frequent first, and a text
// for each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace wirelap {

/// Why decoding ended before a TCP segment. A malformed packet is data: it is
/// counted under its decode error and never ends a run. Some errors have a
/// detail, a number that is named below; for the others the detail is 0.
enum class DecodeError : std::uint8_t {
  none,                 ///< no error: the packet is a TCP segment
  link_unknown,         ///< wirelap does not decode this link type; detail: LINKTYPE_ value
  link_truncated,       ///< the captured bytes end inside a link-layer header, outer or tunnelled
  link_malformed,       ///< a link-layer header contradicts itself
  not_ip,               ///< the frame carries no IP (ARP, ...); detail: EtherType, 0 where the link has none
  not_ip_llc,           ///< an LLC header (IEEE 802.2) announces no IP; detail: destination SAP
  not_ip_ppp,           ///< PPP (RFC 1661) carries no IP; detail: PPP protocol number
  wlan_no_data,         ///< an 802.11 management or control frame, or a data frame without data
  wlan_encrypted,       ///< a protected 802.11 frame
  wlan_fragment,        ///< a fragment of an 802.11 frame; wirelap does not reassemble these
  ip_truncated,         ///< the captured bytes end inside the IP header
  ip_malformed,         ///< the IP header contradicts itself
  not_tcp,              ///< IP carries another protocol than TCP; detail: IP protocol number
  fragment,             ///< an IP fragment, reassembled with others
  fragment_incomplete,  ///< an IP fragment of a datagram that never became complete
  fragment_malformed,   ///< an IP fragment that cannot be part of any datagram
  tunnel_truncated,     ///< the captured bytes end inside a tunnel header
  tunnel_malformed,     ///< a tunnel header contradicts itself
  tunnel_control,       ///< a control message between the tunnel's ends
  tunnel_unknown,       ///< the tunnel's payload has an unknown type
  too_deep,             ///< more than kMaxHeaders headers, or more than kMaxTunnels nested tunnels
  tcp_truncated,        ///< the captured bytes end inside the TCP header
  tcp_malformed,        ///< the TCP header contradicts itself or its IP packet
};
inline constexpr int kDecodeErrorCount = static_cast<int>(DecodeError::tcp_malformed) + 1;

/// A count's detail where the count covers several details that have none of their own.
inline constexpr std::uint32_t kVariousDetails = 0xffffffff;

/// Returns a short text for an error and its detail, to print after a count:
/// "UDP", "EtherType 0x1234, not IP", "LLDP (EtherType 0x88cc, not IP)".
std::string decode_error_text(DecodeError error, std::uint32_t detail);

/// Counts records by decode error and detail.
class DecodeErrorCounts {
 public:
  struct Count {
    DecodeError error = DecodeError::none;
    std::uint32_t detail = 0;
    std::uint64_t records = 0;
  };

  /// Adds `records` records that failed with `error`. Memory is bounded: once
  /// kMaxDetails pairs of error and detail are known, further pairs are counted
  /// per error, under kVariousDetails.
  void add(DecodeError error, std::uint32_t detail, std::uint64_t records = 1);

  /// All records that were added.
  std::uint64_t total() const;

  /// The records that failed with `error`, whatever its detail.
  std::uint64_t total(DecodeError error) const;

  /// All counts that are not 0, the largest first.
  std::vector<Count> sorted() const;

 private:
  static constexpr std::size_t kSlots = 256;       // a power of two
  static constexpr std::size_t kMaxDetails = 128;  // fewer than kSlots, so that every search ends

  std::array<Count, kSlots> by_detail_{};  // a hash table with linear probing
  std::array<std::uint64_t, kDecodeErrorCount> various_{};
  std::size_t detail_count_ = 0;
};

}  // namespace wirelap
