#include "timing/ip_ids.h"

#include <algorithm>

namespace wirelap {

void IpIds::begin(const PacketIdentity& latest, bool own) {
  newest_ = latest.id;
  has_newest_ = latest.has_id;
  own_ = own;
  note_merged(latest);
}

void IpIds::process(const PacketIdentity& mark) {
  if (next_ != kNone) newest_ = static_cast<std::uint16_t>(next_ - 1);
  next_ = kNone;
  left_out_ = 0;
  late_ = false;
  if (!mark.has_id) return;
  step_to(mark.id);
  if (late_) return;
  note_merged(mark);
  const bool calm = are_steady() && left_out_ == 0 && merged_ == 0;
  if (calm) next_ = static_cast<std::uint16_t>(newest_ + 1);
}

void IpIds::step_to(std::uint16_t id) {
  const int step = has_newest_ ? id_distance(newest_, id) : 0;
  const int skipped = step - most_of_newest();
  if (step > 0 && skipped <= 0) {
    if (merged_ != 0) note_segments(step);
    newest_ = id;
    if (steps_ < kMostSteps) steps_ += 1;
    return;
  }
  // A few left out are packets that the capture point never saw, where the
  // sender counts this connection's alone; a few back is one that comes late.
  constexpr int kMostLost = 64;
  const bool steady = are_steady();
  // A SYN-ACK has 0, and the count begins after it.
  const bool begins = own_ && has_newest_ && newest_ == 0 && steps_ == 0;
  late_ = steady && step < 0 && step >= -kMostLost;
  if (late_) return;
  newest_ = id;
  has_newest_ = true;
  const bool counts_segments = own_ && steps_ > 0 && full_length_ != 0;
  if (skipped > 0 && step <= kMostLost && counts_segments) left_out_ = static_cast<std::uint16_t>(skipped);
  if (step > kMostLost || step < 0 || !steady) steps_ = begins ? 1 : 0;
}

/// The most IDs that the packet with the newest one may have.
int IpIds::most_of_newest() const {
  if (merged_ == 0) return 1;
  // Shorter than half as long as both allow they are not even where a tunnel on the path asks for it.
  const std::uint32_t least = shown_ ? longest_single_ : full_length_ / 2 + 1;
  return static_cast<int>((merged_ + least - 1) / least);
}

void IpIds::note_merged(const PacketIdentity& newest) {
  merged_ = full_length_ != 0 && newest.length > longest_single_ ? newest.length : 0;
}

/// The packet with the newest ID, which is merged, had `count` of them.
void IpIds::note_segments(int count) {
  const std::uint32_t length = std::min(merged_ / static_cast<std::uint32_t>(count), full_length_);
  longest_single_ = shown_ ? std::max(longest_single_, length) : length;
  shown_ = true;
}

}  // namespace wirelap
