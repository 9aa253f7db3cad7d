// wire: link types: the outermost header of a captured frame.
//
// In: a frame and its link type. Out: the header behind the outermost one.
// Link-layer addresses are ignored: IP addresses, VLANs and tunnels identify a flow.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// The link types that wirelap decodes, by LINKTYPE_ value (tcpdump.org/linktypes.html).
enum LinkType : std::uint32_t {
  kLinkNull = 0,
  kLinkEthernet = 1,
  kLinkTokenRing = 6,
  kLinkSlip = 8,
  kLinkPpp = 9,
  kLinkFddi = 10,
  kLinkRawOpenBsd = 12,
  kLinkRawBsd = 14,
  kLinkPppHdlc = 50,
  kLinkPppEther = 51,
  kLinkRaw = 101,
  kLinkCiscoHdlc = 104,
  kLinkWlan = 105,
  kLinkAtmLlc = 106,
  kLinkFrameRelay = 107,
  kLinkLoop = 108,
  kLinkEnc = 109,
  kLinkLinuxSll = 113,
  kLinkPfLog = 117,
  kLinkPrism = 119,
  kLinkRadiotap = 127,
  kLinkAvs = 163,
  kLinkPppPppd = 166,
  kLinkPpi = 192,
  kLinkPppWithDirection = 204,
  kLinkCiscoHdlcWithDirection = 205,
  kLinkFrameRelayWithDirection = 206,
  kLinkIpv4 = 228,
  kLinkIpv6 = 229,
  kLinkNflog = 239,
  kLinkNetAnalyzer = 240,
  kLinkLinuxSll2 = 276,
};

/// Decodes the header of link type `state.layer.type`.
DecodeError decode_link(DecodeState& state);

}  // namespace wirelap
