// wire: 802.11 frames (IEEE 802.11, sections 9.2 and 9.3.2), and the headers that
// capture programs put before them: radiotap, Prism, AVS.
//
// In: a frame, with such a header or without. Out: the LLC header behind. Of an
// aggregate (A-MSDU) only the first frame is decoded. Encrypted frames are not
// decoded, and fragments are not reassembled.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// Decodes the header of an 802.11 data frame, up to the LLC header.
DecodeError decode_wlan(DecodeState& state);

/// Decodes a radiotap header (radiotap.org), and the 802.11 header where padding follows it.
DecodeError decode_radiotap(DecodeState& state);

/// Decodes a Prism header, or an AVS header: Prism's link type is used for both.
DecodeError decode_prism(DecodeState& state);

/// Decodes an AVS header.
DecodeError decode_avs(DecodeState& state);

}  // namespace wirelap
