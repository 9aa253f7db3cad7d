// timing: what one end has sent, and when it was acknowledged.
//
// In: segments of one sender with new bytes, and acknowledgments of these bytes. Out: when offsets were sent and
// acknowledged, and what the lengths and the spacing of segments show about their sender. It keeps a few points of
// history, and no packets.
#pragma once

#include <cstdint>
#include <memory_resource>

#include "base/time.h"
#include "flow/packet_identity.h"
#include "timing/ip_ids.h"
#include "timing/offset_log.h"
#include "timing/placed_segment.h"
#include "timing/receiver_window.h"

namespace wirelap {

/// The ticks from `earlier` to `later`, two TCP timestamps, which wrap.
inline std::int32_t tsval_distance(std::uint32_t earlier, std::uint32_t later) {
  return static_cast<std::int32_t>(later - earlier);
}

class SendHistory {
 public:
  /// Sets the longest payload of one segment, in bytes; 0: not known. To be called before all segments.
  void set_full_length(std::uint32_t bytes) { full_length_ = bytes; }
  std::uint32_t full_length() const { return full_length_; }

  const OffsetLog& sent() const { return sent_; }
  const OffsetLog& acknowledged() const { return acknowledged_; }

  /// Records a segment that brings new bytes, up to offset `end`. `window` is its receiver's, `ids` its
  /// window; `network`: all time that was attributed to the network so far.
  void record(std::uint64_t end, const PacketIdentity& packet, bool pushed, const ReceiverWindow& window,
              const IpIds& ids, Nanos grain, Nanos network, std::pmr::memory_resource* memory) {
    sent_.record(end, packet.time, grain, network, memory);
    latest_tsval_ = packet.tsval;
    last_short_ = is_short(packet.length, full_length_);
    if (last_short_ && (!pushed || packet.length > full_length_)) [[unlikely]]
      reconsider_short(packet.length, end == window.edge(), ids);
    last_pushed_ = pushed;
  }

  /// Records that the receiver has all bytes before `offset` since `time`.
  void record_acknowledged(std::uint64_t offset, Nanos time, Nanos grain, std::pmr::memory_resource* memory) {
    acknowledged_.record(offset, time, grain, 0, memory);
  }

  /// Records that the sender retransmits acknowledged bytes at `time`: the acknowledgment had not reached it.
  void record_unheard_acknowledgment(Nanos time) { unheard_until_ = time; }

  /// When the acknowledgment of all bytes before `offset` that reached the sender passed the capture point;
  /// kUnknownTime where there was none.
  Nanos acknowledgment_heard(std::uint64_t offset) const;

  /// Whether the latest packet was not a whole number of full segments.
  bool ended_short() const { return last_short_; }
  /// Whether the latest segment was the last one that the sender had ready.
  bool ended_burst() const { return last_short_ && last_pushed_; }

  /// The part of `pause`, the time from the latest segment to `packet`, that the network caused: by the sender's clock
  /// (TSval, RFC 7323) both were sent with less time between them, and a queue spread them.
  Nanos spread_by_network(const PacketIdentity& packet, Nanos pause) const;

  /// Whether the bytes before `next` filled a congestion window, so that their acknowledgment released the next
  /// segment. `late`: how long after its release that segment came.
  bool filled_congestion_window(std::uint64_t next, Nanos late) const;

  /// Whether a segment of `length` bytes, which came `gap` after the latest one, came at the rate of a busy link: the
  /// latest one came after the one before it at the same rate.
  bool is_at_line_rate(std::uint32_t length, Nanos gap) const;

 private:
  static bool is_short(std::uint32_t length, std::uint32_t full) {
    return length != full && full != 0 && (length < full || length % full != 0);
  }
  [[gnu::noinline]] void reconsider_short(std::uint32_t length, bool is_cut, const IpIds& ids);

  OffsetLog sent_{true};
  OffsetLog acknowledged_{true, 0};
  Nanos unheard_until_ = kUnknownTime;
  std::uint32_t full_length_ = 0;
  std::uint32_t latest_tsval_ = 0;  // 0: none
  bool last_pushed_ = false;        // the latest segment with new bytes had PSH or FIN
  bool last_short_ = false;
};

}  // namespace wirelap
