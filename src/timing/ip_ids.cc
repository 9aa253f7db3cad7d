#include "timing/ip_ids.h"

#include <algorithm>

namespace wirelap {

void IpIds::begin(const PacketIdentity& latest, bool own) {
  newest_ = latest.id;
  has_newest_ = latest.has_id;
  own_ = own;
  set_newest_length(latest);
}

void IpIds::process(const PacketIdentity& packet) {
  if (next_ != kNone) newest_ = static_cast<std::uint16_t>(next_ - 1);
  next_ = kNone;
  left_out_ = 0;
  is_late_ = false;
  if (!packet.has_id) return;
  step_to(packet.id);
  if (is_late_) return;
  set_newest_length(packet);
  const bool is_next_known = are_steady() && left_out_ == 0 && merged_ == 0;
  if (is_next_known) next_ = static_cast<std::uint16_t>(newest_ + 1);
}

/// Moves from the newest ID to `id`. The newest packet was n segments:
///
///   newest    ...  newest + n  ...  newest + n + k
///                  follows          k IDs are left out
void IpIds::step_to(std::uint16_t id) {
  const int step = has_newest_ ? id_distance(newest_, id) : 0;
  const int left_out = step - most_segments_of_newest();
  if (step > 0 && left_out <= 0) {
    if (merged_ != 0) learn_length(step);
    newest_ = id;
    if (steps_ < kMostSteps) steps_ += 1;
    return;
  }
  // If the sender counts IDs for each connection, a few IDs left out are those of packets that the capture point did
  // not see, and an ID a few steps back is that of a delayed packet.
  constexpr int kMostLost = 64;
  const bool was_steady = are_steady();
  is_late_ = was_steady && step < 0 && step >= -kMostLost;
  if (is_late_) return;
  const bool is_after_syn_ack = own_ && has_newest_ && newest_ == 0 && steps_ == 0;  // its ID is 0; counting begins now
  const bool counts_segments = own_ && steps_ > 0 && full_length_ != 0;
  newest_ = id;
  has_newest_ = true;
  if (left_out > 0 && step <= kMostLost && counts_segments) left_out_ = static_cast<std::uint16_t>(left_out);
  if (step > kMostLost || step < 0 || !was_steady) steps_ = is_after_syn_ack ? 1 : 0;
}

/// The highest number of segments that the packet with the newest ID can be.
int IpIds::most_segments_of_newest() const {
  if (merged_ == 0) return 1;
  // A tunnel on the path may require shorter segments, but hardly shorter than half the length that both ends allow.
  const std::uint32_t least = is_learned_ ? longest_single_ : full_length_ / 2 + 1;
  return static_cast<int>((merged_ + least - 1) / least);
}

void IpIds::set_newest_length(const PacketIdentity& newest) {
  merged_ = full_length_ != 0 && newest.length > longest_single_ ? newest.length : 0;
}

/// Learns the length of a segment: the packet with the newest ID was `segments` segments.
void IpIds::learn_length(int segments) {
  const std::uint32_t length = std::min(merged_ / static_cast<std::uint32_t>(segments), full_length_);
  longest_single_ = is_learned_ ? std::max(longest_single_, length) : length;
  is_learned_ = true;
}

}  // namespace wirelap
