// wire: the stage as a whole: decoding, with what it has to remember.
//
// In: a capture's records, in order. Out: segments, in place, and at the end
// what became of the records that held none.
#pragma once

#include <cstdint>

#include "wire/decode.h"
#include "wire/fragments.h"

namespace wirelap {

/// What became of a capture's records.
struct DecodeCounts {
  std::uint64_t records = 0;
  std::uint64_t truncated = 0;  ///< those of which a snaplen cut off a part
  std::uint64_t large = 0;      ///< those larger than kLargestFrame: segmentation offload, or jumbo frames
  DecodeErrorCounts errors;     ///< those that gave no segment, by reason

  /// An Ethernet frame of 1,500 bytes, with two VLAN tags and its check sequence.
  static constexpr std::uint32_t kLargestFrame = 1526;

  /// Those that gave a segment.
  std::uint64_t segments() const { return records - errors.total(); }
};

/// Decodes one capture.
class Decoder {
 public:
  /// Decodes the next record. True: `segment` is filled, its bytes valid until the
  /// next call or as long as the record's. False: it holds no segment, or a
  /// part of one, and is counted.
  bool decode(const PacketRecord& record, Segment& segment) {
    ++counts_.records;
    if (record.bytes.size() < record.length) [[unlikely]]
      ++counts_.truncated;
    if (record.length > DecodeCounts::kLargestFrame) [[unlikely]]
      ++counts_.large;
    return decode_plain(record, segment) || decode_rest(record, segment);
  }

  /// Tells that no record follows.
  void finish() { fragments_.finish(); }

  /// So far; complete after finish().
  const DecodeCounts& counts() const { return counts_; }

 private:
  bool decode_rest(const PacketRecord& record, Segment& segment);

  DecodeCounts counts_;
  Fragments fragments_{counts_.errors};
};

}  // namespace wirelap
