// wire: a header that is still to be decoded, and the way that led to it.
//
// Every kind of header has a function `open_...(DecodeState&)`: it takes the header at
// `walk.layer` off and leaves there what follows it. So the headers of a frame
// are opened one by one, from outside in, by a loop (decode.cc) and without
// recursion.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "wire/decode_error.h"
#include "wire/ip.h"

namespace wirelap {

/// Kinds of headers, each with what Layer::type says of it.
enum class Kind : std::uint8_t {
  link,        ///< the outermost header: LINKTYPE_ value
  ethernet,    ///< IEEE 802.3, from the destination address on
  ether_type,  ///< what an EtherType announced: EtherType
  llc,         ///< IEEE 802.2
  ppp,         ///< RFC 1661, from the address or the protocol field on
  cisco_hdlc,  ///< from its address on
  wlan,        ///< IEEE 802.11
  mpls,        ///< RFC 3032, from a label on
  nsh,         ///< RFC 8300
  ip,          ///< IPv4 or IPv6, as its first four bits say
  protocol,    ///< what IP carries: IP protocol number. `walk.ip` is the packet
};

/// A header and all behind it.
struct Layer {
  Kind kind = Kind::link;
  Bytes bytes;               ///< as far as captured
  std::uint32_t length = 0;  ///< on the wire
  std::uint32_t type = 0;    ///< apart from `kind`: g++ would read both at once, and wait until both are in the cache

  /// Takes `count` bytes off, which must be there.
  void skip(std::size_t count) {
    bytes = bytes.subspan(count);
    length = length > count ? length - static_cast<std::uint32_t>(count) : 0;
  }
};

/// VLAN identifiers of a frame, outermost first (IEEE 802.1Q, 802.1ad); of more
/// than two tags the outer two.
struct VlanTags {
  std::uint32_t count = 0;
  std::uint16_t ids[2] = {0, 0};

  void add(std::uint16_t tci) {
    if (count < 2) ids[count++] = tci & 0x0fff;
  }
  /// All of them in 26 bits: the identifiers, the outermost lowest, and how many.
  std::uint32_t packed() const { return ids[0] | std::uint32_t{ids[1]} << 12 | count << 24; }
};

/// Headers that one frame may have; VLAN tags and labels do not count.
inline constexpr int kMaxHeaders = 40;

/// Tunnels one in another; what is in one more is not looked into.
inline constexpr int kMaxTunnels = 8;

/// The tunnel that a packet came in, as far as both directions have the same
/// (tunnel.h). 0: none.
using TunnelTag = std::uint64_t;

/// What the header of an IP fragment says (RFC 791, 3.2; RFC 8200, 4.5).
struct FragmentHeader {
  std::uint32_t id = 0;
  std::uint32_t offset = 0;  ///< in bytes
  bool more = false;         ///< this is not the last one
};

/// How far decoding has come in one frame.
struct DecodeState {
  Layer layer;
  IpHeader ip;                   ///< the innermost so far
  VlanTags vlan;                 ///< of the innermost frame
  TunnelTag tunnel = 0;          ///< all tunnels so far
  int tunnels = 0;               ///< how many
  std::uint32_t about = 0;       ///< where it stopped: the number that DecodeError is about
  FragmentHeader fragment{};     ///< of the latest fragment
  bool joins_fragments = false;  ///< first fragments are stopped at too
};

/// Stops a walk at something with a number.
inline DecodeError stop_at(DecodeState& walk, DecodeError stop, std::uint32_t about) {
  walk.about = about;
  return stop;
}

/// Goes on behind a header of `count` bytes, with a header of kind `kind`.
/// Returns DecodeError::none, or `cut` where the header is not all there.
inline DecodeError go_on(DecodeState& walk, std::size_t count, Kind kind, std::uint32_t type = 0,
                         DecodeError cut = DecodeError::link_truncated) {
  if (walk.layer.bytes.size() < count) return cut;
  walk.layer.skip(count);
  walk.layer.kind = kind;
  walk.layer.type = type;
  return DecodeError::none;
}

}  // namespace wirelap
