// wire: 802.11 frames (IEEE 802.11, 9.2 and 9.3.2), and the headers that
// capturing programs put before them: radiotap, Prism, AVS.
//
// Of an aggregate (A-MSDU) the first frame is read. Encrypted frames stay
// closed, and fragments are not put together.
#pragma once

#include "wire/layer.h"

namespace wirelap {

/// Takes off an 802.11 data frame's header, up to LLC's.
DecodeError open_wlan(DecodeState& walk);

/// Takes off a radiotap header (radiotap.org) and the filler that it tells of.
DecodeError open_radiotap(DecodeState& walk);

/// Takes off a Prism header, or an AVS one: either may stand under Prism's link type.
DecodeError open_prism(DecodeState& walk);

/// Takes off an AVS header.
DecodeError open_avs(DecodeState& walk);

}  // namespace wirelap
