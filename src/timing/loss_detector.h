// timing: which segments of one sender were lost before the capture point, and which were reordered.
//
// In: the packets of one sender, and the sequence gaps in its stream. Out: whether a segment is a retransmission, or
// the original, late; counts of both. What was lost beyond the capture point shows without this: it is seen twice.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "flow/counts.h"
#include "flow/packet_identity.h"
#include "timing/ip_ids.h"
#include "timing/placed_segment.h"

namespace wirelap {

class LossDetector {
 public:
  /// No retransmission follows sooner after the segment before it.
  static constexpr Nanos kSoonestRetransmission = 2'000'000;

  const IpIds& ids() const { return ids_; }
  IpIds& ids() { return ids_; }

  /// Processes any packet of the sender, with or without payload, that is no duplicate.
  void process_packet(const PacketIdentity& packet) {
    if (ids_.process_next(packet)) [[likely]]
      return;
    ids_.process(packet);
    left_out_ids_ = static_cast<std::uint16_t>(left_out_ids_ + ids_.left_out());
  }

  /// Records that the sender has sent all bytes before `offset`: a segment without payload stands there.
  void record_position(std::uint64_t offset) {
    if (offset > announced_) announced_ = offset;
  }
  /// Whether the sender has shown that it had sent bytes from `next` on.
  bool has_announced(std::uint64_t next) const { return announced_ > next; }

  /// IDs that were left out stand for no loss: the packets were not captured, or had no payload.
  void forget_left_out_ids() { left_out_ids_ = 0; }

  /// Whether a segment that came in order is a retransmission: lost before the capture point at first, with nothing
  /// after it to show a sequence gap. The sender was `waited` for; `is_turn_start`: the other end sent before.
  bool looks_retransmitted(const PlacedSegment& segment, Nanos waited, bool is_turn_start, Nanos round_trip) const;

  /// Counts such a segment, and all others that IDs were left out for.
  void count_retransmission(TcpCounts& counts);

  /// Records that `packet` is the first after a sequence gap.
  void begin_gap(const PacketIdentity& packet) {
    first_after_gap_ = {packet.id, packet.tsval, packet.time};
    has_gap_ = true;
  }
  bool has_gap() const { return has_gap_; }
  void end_gap() { has_gap_ = false; }

  /// Whether more IDs were left out before the latest packet than `bytes` in segments of `full_length` had.
  bool left_out_more_than(std::uint64_t bytes, std::uint32_t full_length) const;

  /// Counts a segment that fills a sequence gap, whole or in part. Returns whether it was reordered; else it is a
  /// retransmission.
  bool fill_gap(const PlacedSegment& segment, Nanos round_trip, TcpCounts& counts);

 private:
  /// What shows which of two packets was sent first.
  struct Clocks {
    std::uint16_t id = 0;
    std::uint32_t tsval = 0;
    Nanos time = kUnknownTime;
  };

  bool was_reordered(const PacketIdentity& packet, Nanos round_trip) const;
  void count_left_out(TcpCounts& counts);

  IpIds ids_;
  Clocks first_after_gap_;
  std::uint64_t announced_ = 0;
  std::uint16_t left_out_ids_ = 0;  // that no retransmission explains yet
  bool is_recovering_ = false;      // a part of the present gap was retransmitted
  bool has_gap_ = false;
};

}  // namespace wirelap
