// wire: the state of decoding one packet: its next header, and what the outer
// headers contained.
//
// Each kind of header has a function `decode_...(DecodeState&)`: it decodes the
// header at the start of `state.layer`, removes it, and sets the kind of the
// header that follows. A loop in decode.cc calls these functions from the
// outermost header inwards, without recursion.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "wire/decode_error.h"
#include "wire/ip.h"

namespace wirelap {

/// Kinds of headers, each with the meaning of `Layer::type` where it has one.
enum class HeaderKind : std::uint8_t {
  link,         ///< the outermost header; type: LINKTYPE_ value
  ethernet,     ///< IEEE 802.3, from the destination address on
  ether_type,   ///< the header that an EtherType announces; type: EtherType
  llc,          ///< IEEE 802.2
  ppp,          ///< RFC 1661, from the address field on, or from the protocol field on
  cisco_hdlc,   ///< from its address field on
  wlan,         ///< IEEE 802.11
  mpls,         ///< RFC 3032, from a label on
  nsh,          ///< RFC 8300
  ip,           ///< IPv4 or IPv6: the first four bits are the version
  ip_protocol,  ///< the payload of `DecodeState::ip`; type: IP protocol number
};

/// A header and all bytes that follow it in the packet.
struct Layer {
  HeaderKind kind = HeaderKind::link;
  Bytes bytes;               ///< the captured part
  std::uint32_t length = 0;  ///< bytes on the wire
  std::uint32_t type = 0;    ///< see HeaderKind; apart from `kind`, because g++ would load both at once, and that
                             ///< load waits until both stores have reached the cache

  /// Removes the first `count` bytes; at least that many must be captured.
  void skip(std::size_t count) {
    bytes = bytes.subspan(count);
    length = length > count ? length - static_cast<std::uint32_t>(count) : 0;
  }
};

/// VLAN identifiers of a frame, outermost first (IEEE 802.1Q, 802.1ad). Of more
/// than two tags the outer two are kept.
struct VlanTags {
  std::uint32_t count = 0;
  std::uint16_t ids[2] = {0, 0};

  /// Adds the tag with Tag Control Information `tci`.
  void add(std::uint16_t tci) {
    if (count < 2) ids[count++] = tci & 0x0fff;
  }
  /// Both identifiers (the outer one in the lowest 12 bits) and the count in 26 bits.
  std::uint32_t packed() const { return ids[0] | std::uint32_t{ids[1]} << 12 | count << 24; }
};

/// The most headers that a frame may have. VLAN tags and MPLS labels do not count.
inline constexpr int kMaxHeaders = 40;

/// The most tunnels that may be nested; a packet in more of them is not decoded.
inline constexpr int kMaxTunnels = 8;

/// Identifies the tunnels that a packet came through, by what both directions of
/// a connection have in common (tunnel.h). 0: no tunnel.
using TunnelTag = std::uint64_t;

/// The fields of an IP fragment's header (RFC 791, section 3.2; RFC 8200, section 4.5).
struct FragmentHeader {
  std::uint32_t id = 0;         ///< Identification
  std::uint32_t offset = 0;     ///< Fragment Offset, in bytes
  bool more_fragments = false;  ///< this fragment is not the datagram's last
};

/// How far the decoding of one packet has come.
struct DecodeState {
  Layer layer;                         ///< the next header
  IpHeader ip;                         ///< the innermost so far; not set before the first one
  VlanTags vlan;                       ///< of the innermost frame so far
  TunnelTag tunnel = 0;                ///< of all tunnels so far
  int tunnels = 0;                     ///< how many those are
  std::uint32_t error_detail = 0;      ///< after a DecodeError: its detail
  FragmentHeader fragment{};           ///< after DecodeError::fragment
  bool reassembles_fragments = false;  ///< the caller reassembles: a first fragment is a DecodeError::fragment, too
};

/// Sets the error's detail and returns the error.
inline DecodeError fail(DecodeState& state, DecodeError error, std::uint32_t detail) {
  state.error_detail = detail;
  return error;
}

/// Removes a header of `count` bytes; the next one is of `kind` and `type`.
/// Returns DecodeError::none, or `truncated` where fewer bytes are captured.
inline DecodeError advance(DecodeState& state, std::size_t count, HeaderKind kind, std::uint32_t type = 0,
                           DecodeError truncated = DecodeError::link_truncated) {
  if (state.layer.bytes.size() < count) return truncated;
  state.layer.skip(count);
  state.layer.kind = kind;
  state.layer.type = type;
  return DecodeError::none;
}

}  // namespace wirelap
