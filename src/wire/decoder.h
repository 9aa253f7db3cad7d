// wire: decodes one capture: segments, fragment reassembly and counts.
//
// In: the capture's records, in order. Out: one Segment per record that contains
// one, and at the end how many records contained none, by DecodeError.
#pragma once

#include <cstdint>

#include "wire/decode.h"
#include "wire/fragments.h"

namespace wirelap {

/// How many records of a capture were decoded, and how many were not.
struct DecodeCounts {
  std::uint64_t records = 0;
  std::uint64_t truncated = 0;  ///< records with fewer bytes than the packet had, because of a snaplen
  std::uint64_t large = 0;      ///< records larger than kMaxFrameBytes: segmentation offload, or jumbo frames
  DecodeErrorCounts errors;     ///< records that contained no segment

  /// Bytes of an Ethernet frame with 1,500 bytes of payload, two VLAN tags and a frame check sequence.
  static constexpr std::uint32_t kMaxFrameBytes = 1526;

  /// Records that contained a segment.
  std::uint64_t segments() const { return records - errors.total(); }
};

/// Decodes the records of one capture, in order.
class Decoder {
 public:
  /// Decodes the next record. Returns true when it contains, or completes, a TCP segment:
  /// `segment` is then set, and its bytes are valid until the next call, or until the record's
  /// bytes change. Otherwise `segment` has no meaning, and the record is counted by its error.
  bool decode(const PacketRecord& record, Segment& segment) {
    ++counts_.records;
    if (record.bytes.size() < record.length) [[unlikely]]
      ++counts_.truncated;
    if (record.length > DecodeCounts::kMaxFrameBytes) [[unlikely]]
      ++counts_.large;
    return decode_plain(record, segment) || decode_slowly(record, segment);
  }

  /// To be called after the last record: counts the fragments that are still waiting.
  void finish() { fragments_.finish(); }

  /// The counts so far; complete after finish().
  const DecodeCounts& counts() const { return counts_; }

 private:
  bool decode_slowly(const PacketRecord& record, Segment& segment);

  DecodeCounts counts_;
  FragmentReassembler fragments_{counts_.errors};
};

}  // namespace wirelap
