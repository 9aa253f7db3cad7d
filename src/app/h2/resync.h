// h2: where a frame begins, after the frame boundaries were lost.
//
// In: the bytes of a stream after a sequence gap, or from its middle. Out: a frame
// boundary that is proved. There are three proofs:
// - frames fill a piece of the stream from its first byte to its last;
// - a piece begins with two frame headers in a row;
// - there are three frame headers in a row anywhere.
// In a row: each header is where the frame of the one before it ends. Each must be
// plausible (PlausibilityCheck).
#pragma once

#include <cstddef>
#include <cstdint>

#include "app/h2/frame.h"
#include "base/bytes.h"
#include "flow/direction.h"

namespace wirelap::h2 {

/// Decides whether a frame header is plausible, and so a part of a proof. These must all be true:
/// - Its sender may send it (is_possible()), and its type is known.
/// - Its type defines all flags that are set. The reserved bit is not set.
/// - Its stream is at most `max_stream_identifier`, and is not a pushed one.
/// - HEADERS has a payload, and so has DATA that does not end its stream.
struct PlausibilityCheck {
  Direction direction;
  std::uint32_t max_frame_size;
  std::uint32_t max_stream_identifier;

  bool passes(const FrameHeader& header) const;
};

/// Whether a frame begins with the first of `bytes`, as the first two proofs show.
bool begins_with_frame(Bytes bytes, const PlausibilityCheck& check);

/// Searches a stream for three frame headers in a row.
class BoundarySearch {
 public:
  /// Starts again at this offset of the stream, after bytes that were not searched. Keeps the chains whose
  /// next header is expected there or later.
  void restart(std::uint64_t offset);

  /// Searches the next bytes, which have this offset in the stream. Returns how many were used: all, or those up to the
  /// end of the third header, which is then in `header`.
  std::size_t feed(Bytes bytes, std::uint64_t offset, const PlausibilityCheck& check, FrameHeader& header);

  /// Whether the latest feed() found the third header.
  bool found() const { return found_; }

 private:
  static constexpr int kHeadersForProof = 3;
  static constexpr int kMaxChains = 4;  // that are followed at the same time

  /// Plausible headers, each where the frame of the one before it ends.
  struct Chain {
    std::uint64_t next = 0;  // offset at which its next header is expected
    int headers = 0;         // so far; 0: the chain is unused
  };

  bool completes_chain(const std::uint8_t* bytes, std::uint64_t offset, const PlausibilityCheck& check,
                       FrameHeader& header);
  void finish() {
    *this = {};
    found_ = true;
  }

  Chain chains_[kMaxChains];
  std::uint8_t tail_[kFrameHeaderBytes - 1] = {};  // the latest bytes, with which a header may begin
  std::size_t tail_bytes_ = 0;
  bool found_ = false;
};

}  // namespace wirelap::h2
