// timing: which segments of one sender were lost before the capture point, and which were reordered.
//
// In: the packets of one sender, and the sequence gaps in its stream. Out: whether a segment is a retransmission or a
// delayed original, and counts of both. Segments lost after the capture point are captured twice and do not need this.
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
  /// The shortest time between a segment and a retransmission after it.
  static constexpr Nanos kSoonestRetransmission = 2'000'000;

  const IpIds& ids() const { return ids_; }
  IpIds& ids() { return ids_; }

  /// Processes a packet of the sender, with or without payload, that is not a duplicate.
  void process_packet(const PacketIdentity& packet) {
    if (ids_.process_next(packet)) [[likely]]
      return;
    ids_.process(packet);
    left_out_ids_ = static_cast<std::uint16_t>(left_out_ids_ + ids_.left_out());
  }

  /// Records that the sender has sent all bytes before `offset`, as the sequence number of a segment without payload
  /// shows.
  void record_position(std::uint64_t offset) {
    if (offset > announced_) announced_ = offset;
  }
  /// Whether such a segment has shown that the sender had sent bytes from `next` on.
  bool has_announced(std::uint64_t next) const { return announced_ > next; }

  /// Ignores the IDs that were left out so far: their packets were not lost, but had no payload or were not captured.
  void forget_left_out_ids() { left_out_ids_ = 0; }

  /// Whether a segment in order is the retransmission of one that was lost before the capture point, when no segment
  /// came after it and showed a sequence gap. `waited`: how long the sender was waited for; `is_turn_start`: the other
  /// end sent before.
  bool looks_retransmitted(const PlacedSegment& segment, Nanos waited, bool is_turn_start, Nanos round_trip) const;

  /// Counts such a segment, and all others whose IDs were left out.
  void count_retransmission(TcpCounts& counts);

  /// Records that `packet` is the first after a sequence gap.
  void begin_gap(const PacketIdentity& packet) {
    first_after_gap_ = {packet.id, packet.tsval, packet.time};
    has_gap_ = true;
  }
  bool has_gap() const { return has_gap_; }
  void end_gap() { has_gap_ = false; }

  /// Whether more IDs were left out before the latest packet than `bytes` bytes in segments of `full_length` need.
  bool left_out_more_than(std::uint64_t bytes, std::uint32_t full_length) const;

  /// Counts a segment that fills a sequence gap or a part of it. Returns whether it was reordered; otherwise it is a
  /// retransmission.
  bool fill_gap(const PlacedSegment& segment, Nanos round_trip, TcpCounts& counts);

 private:
  /// The values that show which of two packets was sent first.
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
  std::uint16_t left_out_ids_ = 0;  // IDs left out, without a retransmission so far
  bool is_recovering_ = false;      // a part of the present gap was retransmitted
  bool has_gap_ = false;
};

}  // namespace wirelap
