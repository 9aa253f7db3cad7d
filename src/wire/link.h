// wire: link layers: from a captured frame to the IP packet in it.
//
// In: a frame and its link type. Out: where the IP packet starts, and the VLAN
// tags on the way. Addresses of the link are ignored: flows are told apart by
// IP addresses and VLANs.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/stop.h"

namespace wirelap {

/// Link types that are decoded (tcpdump.org/linktypes.html).
enum LinkType : std::uint32_t {
  kLinkNull = 0,
  kLinkEthernet = 1,
  kLinkRawOpenBsd = 12,
  kLinkRawBsd = 14,
  kLinkRaw = 101,
  kLinkLoop = 108,
  kLinkLinuxSll = 113,
  kLinkIpv4 = 228,
  kLinkIpv6 = 229,
  kLinkLinuxSll2 = 276,
};

/// VLAN identifiers of a frame, outermost first (IEEE 802.1Q, 802.1ad); of more
/// than two tags the outer two.
struct VlanTags {
  std::uint8_t count = 0;
  std::uint16_t ids[2] = {0, 0};
};

/// A frame's content.
struct Frame {
  Bytes ip;  ///< from the IP header on, as far as captured
  VlanTags vlan;
};

/// Finds the IP packet in `bytes`, a frame of type `link_type`.
/// Returns Stop::none, or what kept it from finding one; then `frame.ip` is void.
Stop decode_link(std::uint32_t link_type, Bytes bytes, Frame& frame);

}  // namespace wirelap
