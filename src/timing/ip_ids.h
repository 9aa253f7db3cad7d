// timing: what the IPv4 Identifications of one sender's packets tell.
//
// In: the ID and the payload's length of each of its packets, in the order of the capture. Out: whether
// packets were left out just before the latest, which the capture point never saw, and whether it comes late.
//
// An end that counts its IDs by connection, as Linux does, gives each segment the next one (RFC 6864 asks
// for no order). Segmentation offload shows several segments as one packet with the first one's ID: the
// next ID is then as many further as it has segments, of a length that has to be found out.
#pragma once

#include <cstdint>

#include "flow/packet_identity.h"

namespace wirelap {

/// How far `later` is ahead of `earlier` on the circle of IDs.
inline int id_distance(std::uint16_t earlier, std::uint16_t later) {
  return static_cast<std::int16_t>(later - earlier);
}

class IpIds {
 public:
  /// Before all others: the longest payload that one segment may have, in bytes; 0: not known.
  void set_full_length(std::uint32_t bytes) { full_length_ = longest_single_ = bytes; }

  /// As set.
  std::uint32_t full_length() const { return full_length_; }

  /// The longest payload of one segment, as IDs have shown; 0 where they have not.
  std::uint32_t shown_length() const { return shown_ ? longest_single_ : 0; }

  /// The latest packet so far (without an ID where there was none), and whether the sender counts its IDs
  /// by connection, not over all that it sends.
  void begin(const PacketIdentity& latest, bool own);

  /// The next packet, where its ID follows and nothing is to be told; false where nothing is done, since
  /// it may be another.
  bool process_next(const PacketIdentity& mark) {
    if (mark.id != next_ || mark.length > longest_single_) return false;
    next_ = static_cast<std::uint16_t>(mark.id + 1);
    return true;
  }

  /// Any packet.
  void process(const PacketIdentity& mark);

  /// IDs left out just before the latest packet: at most 63, and none where the sender may have used them for others.
  std::uint16_t left_out() const { return left_out_; }
  /// The latest packet was sent before another that came first.
  bool is_late() const { return late_; }
  /// They count up, over this connection or over all that the sender sends.
  bool are_steady() const { return steps_ >= (own_ ? 1 : kMostSteps); }

 private:
  static constexpr std::uint8_t kMostSteps = 3;  // that are counted
  static constexpr std::uint32_t kNone = 1 << 16;

  void step_to(std::uint16_t id);
  int most_of_newest() const;
  void note_merged(const PacketIdentity& newest);
  void note_segments(int count);

  std::uint32_t next_ = kNone;  // the only ID that changes nothing but this; kNone where each does
  std::uint16_t newest_ = 0;    // the highest so far, where has_newest_ and next_ does not tell it
  std::uint16_t left_out_ = 0;
  std::uint8_t steps_ = 0;  // packets in a row whose IDs followed
  bool has_newest_ = false;
  bool late_ = false;
  bool own_ = false;
  bool shown_ = false;                // longest_single_ was found out from IDs
  std::uint32_t full_length_ = 0;     // of a segment's payload, as both ends allow
  std::uint32_t longest_single_ = 0;  // payload with one ID
  std::uint32_t merged_ = 0;          // payload of the packet with the newest ID, where it may have several; else 0
};

}  // namespace wirelap
