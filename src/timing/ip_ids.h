// timing: what the IPv4 Identifications of one sender's packets show.
//
// In: the ID and the payload's length of each packet, in the order of the capture. Out: how many IDs were left out just
// before the latest packet, which the capture point did not see, and whether the packet comes late.
//
// A sender that counts its IDs by connection, as Linux does, gives each segment the next one (RFC 6864 asks for no
// order). Segmentation offload shows several segments as one packet with the first one's ID: the next packet's ID is
// then ahead by as many as were merged. The length of these segments has to be found out.
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

  /// The longest payload of one segment, as found out from IDs; 0: not found out.
  std::uint32_t learned_length() const { return is_learned_ ? longest_single_ : 0; }

  /// Sets the latest packet so far (without an ID where there was none). `own`: the sender counts its IDs by
  /// connection, not over all that it sends.
  void begin(const PacketIdentity& latest, bool own);

  /// Processes a packet whose ID follows the latest one, and that cannot be several segments. Returns false, and does
  /// nothing, where it may be another.
  bool process_next(const PacketIdentity& packet) {
    if (packet.id != next_ || packet.length > longest_single_) return false;
    next_ = static_cast<std::uint16_t>(packet.id + 1);
    return true;
  }

  /// Processes any packet.
  void process(const PacketIdentity& packet);

  /// IDs left out just before the latest packet: at most 63, and 0 where the sender may have used them for other
  /// connections.
  std::uint16_t left_out() const { return left_out_; }
  /// Whether the latest packet was sent before another that came first.
  bool is_late() const { return is_late_; }
  /// Whether the IDs count up, over this connection or over all that the sender sends.
  bool are_steady() const { return steps_ >= (own_ ? 1 : kMostSteps); }

 private:
  static constexpr std::uint8_t kMostSteps = 3;  // that are counted
  static constexpr std::uint32_t kNone = 1 << 16;

  void step_to(std::uint16_t id);
  int most_segments_of_newest() const;
  void set_newest_length(const PacketIdentity& newest);
  void learn_length(int segments);

  std::uint32_t next_ = kNone;  // the ID that process_next() accepts; kNone: none
  std::uint16_t newest_ = 0;    // the highest ID so far, where has_newest_, and where next_ is kNone
  std::uint16_t left_out_ = 0;
  std::uint8_t steps_ = 0;  // packets in a row whose IDs followed
  bool has_newest_ = false;
  bool is_late_ = false;
  bool own_ = false;
  bool is_learned_ = false;           // longest_single_ was found out from IDs
  std::uint32_t full_length_ = 0;     // of a segment's payload, as both ends allow
  std::uint32_t longest_single_ = 0;  // payload of a packet with one ID
  std::uint32_t merged_ = 0;          // payload of the packet with the newest ID, where that may be several segments
};

}  // namespace wirelap
