// wire: what kept a captured frame from becoming a TCP segment, and how often.
//
// In: the reason that decoding gave for a frame, with the number that it is
// about. Out: counts, most frequent first, each with its words.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace wirelap {

/// Why decoding went no further. A malformed packet is data: it is counted
/// under its reason and never stops a run. Some reasons are about a number (see
/// each); the others have 0.
enum class DecodeError : std::uint8_t {
  none,                 ///< a TCP segment
  link_unknown,         ///< a link type that is not decoded: LINKTYPE_ value
  link_truncated,       ///< the captured bytes end inside a link header, or in one that a tunnel carries
  link_malformed,       ///< a link header that contradicts itself
  not_ip,               ///< another protocol than IP in the frame (ARP, ...): EtherType, 0 where the link has none
  not_ip_llc,           ///< the same behind an LLC header (IEEE 802.2): destination SAP
  not_ip_ppp,           ///< the same in PPP (RFC 1661): PPP protocol number
  wlan_no_data,         ///< an 802.11 frame for management or control, or without data
  wlan_encrypted,       ///< a protected 802.11 frame
  wlan_fragment,        ///< a fragment of an 802.11 frame; these are not put together
  ip_truncated,         ///< the captured bytes end inside the IP header
  ip_malformed,         ///< the IP header contradicts itself
  not_tcp,              ///< IP, but not TCP: IP protocol number
  fragment,             ///< an IP fragment, put together with others
  fragment_incomplete,  ///< an IP fragment whose datagram never came whole
  fragment_malformed,   ///< an IP fragment that is no part of any datagram
  tunnel_truncated,     ///< the captured bytes end inside a tunnel's header
  tunnel_malformed,     ///< a tunnel's header contradicts itself
  tunnel_control,       ///< a message between a tunnel's ends
  tunnel_unknown,       ///< what a tunnel carries is not known
  too_deep,             ///< more headers, or more tunnels one in another, than are looked into
  tcp_truncated,        ///< the captured bytes end inside the TCP header
  tcp_malformed,        ///< the TCP header contradicts itself or its IP packet
};
inline constexpr int kDecodeErrorCount = static_cast<int>(DecodeError::tcp_malformed) + 1;

/// In the place of a DecodeError's number: of several, which are not told apart.
inline constexpr std::uint32_t kVariousDetails = 0xffffffff;

/// What `stop` means, in a few words that stand behind a count, as "UDP" or
/// "EtherType 0x88cc, not IP". `about`: its number.
std::string decode_error_text(DecodeError stop, std::uint32_t about);

/// How many frames stopped at what.
class DecodeErrorCounts {
 public:
  struct Count {
    DecodeError error = DecodeError::none;
    std::uint32_t detail = 0;
    std::uint64_t records = 0;
  };

  /// Counts `frames` frames that `stop` ended. Memory is bounded: what finds no
  /// place of its own is counted under kVariousDetails.
  void add(DecodeError stop, std::uint32_t about, std::uint64_t frames = 1);

  /// All frames that were added.
  std::uint64_t total() const;

  /// Those that stopped at `stop`, whatever the number.
  std::uint64_t total(DecodeError stop) const;

  /// Every reason that occurred, the most frequent first.
  std::vector<Count> sorted() const;

 private:
  static constexpr std::size_t kPlaces = 256;       // a power of two
  static constexpr std::size_t kMostNumbers = 128;  // fewer than places, so that every search ends

  std::array<Count, kPlaces> numbered_{};
  std::array<std::uint64_t, kDecodeErrorCount> various_{};
  std::size_t numbers_ = 0;
};

}  // namespace wirelap
