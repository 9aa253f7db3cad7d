// wire: the stage as a whole: decoding, with what it has to remember.
//
// In: a capture's records, in order. Out: segments, in place, and at the end
// what became of the records that held none.
#pragma once

#include <cstdint>

#include "wire/decode.h"
#include "wire/fragments.h"

namespace wirelap {

/// Decodes one capture.
class Decoder {
 public:
  /// Decodes the next record. True: `segment` is filled, its bytes valid until the
  /// next call or as long as the record's. False: it holds no segment, or a
  /// part of one, and is counted.
  bool decode(const Record& record, Segment& segment) {
    cut_ += record.bytes.size() < record.length;
    large_ += record.length > kLargestFrame;
    return decode_plain(record, segment) || decode_rest(record, segment);
  }

  /// Tells that no record follows.
  void finish() { fragments_.finish(); }

  /// Records without a segment, by reason; all of them after finish().
  const StopCounts& stops() const { return stops_; }

  /// Records of which a snaplen cut off a part.
  std::uint64_t cut() const { return cut_; }

  /// An Ethernet frame of 1,500 bytes, with two VLAN tags and its check sequence.
  static constexpr std::uint32_t kLargestFrame = 1526;
  /// Records larger than that on the wire: segmentation offload, or jumbo frames.
  std::uint64_t large() const { return large_; }

 private:
  bool decode_rest(const Record& record, Segment& segment);

  StopCounts stops_;
  Fragments fragments_{stops_};
  std::uint64_t cut_ = 0;
  std::uint64_t large_ = 0;
};

}  // namespace wirelap
