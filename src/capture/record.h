// capture: what a reader hands on: one captured packet, still undecoded.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"

namespace wirelap {

/// One record of a capture file.
struct Record {
  Nanos time = 0;               ///< when it was captured
  std::uint64_t number = 0;     ///< in its file, from 1, as Wireshark shows it
  Bytes bytes;                  ///< what was captured; valid until the reader's next call
  std::uint32_t length = 0;     ///< bytes on the wire, at least bytes.size() unless the file lies
  std::uint32_t link_type = 0;  ///< LINKTYPE_ value (tcpdump.org/linktypes.html)
};

}  // namespace wirelap
