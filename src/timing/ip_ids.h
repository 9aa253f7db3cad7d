// timing: what the IPv4 Identifications of one sender's packets show.
//
// In: the ID and the payload's length of each packet, in the order of the capture. Out: how many IDs were left out just
// before the latest packet (packets that the capture point did not see), and whether the packet was delayed.
//
// A sender that counts IDs for each connection, as Linux does, gives each segment the next ID (RFC 6864 does not
// require an order). Segmentation offload shows several segments as one packet with the ID of the first one: the next
// packet's ID is then higher by the number of merged segments. Their length is learned from such IDs.
#pragma once

#include <cstdint>

#include "flow/packet_identity.h"

namespace wirelap {

/// The steps from `earlier` to `later` among the IDs, which wrap.
inline int id_distance(std::uint16_t earlier, std::uint16_t later) {
  return static_cast<std::int16_t>(later - earlier);
}

class IpIds {
 public:
  /// Sets the longest payload that one segment may have, in bytes; 0: not known. To be called before all others.
  void set_full_length(std::uint32_t bytes) { full_length_ = longest_single_ = bytes; }

  std::uint32_t full_length() const { return full_length_; }

  /// The longest payload of one segment, as learned from IDs; 0: not learned.
  std::uint32_t learned_length() const { return is_learned_ ? longest_single_ : 0; }

  /// Sets the latest packet so far; one without an ID where there was none. `own`: the sender counts IDs for each
  /// connection, not for all its connections together.
  void begin(const PacketIdentity& latest, bool own);

  /// The fast path of process(), for a packet whose ID follows the latest one and that is one segment. Returns false
  /// and does nothing for all others.
  bool process_next(const PacketIdentity& packet) {
    if (packet.id != next_ || packet.length > longest_single_) return false;
    next_ = static_cast<std::uint16_t>(packet.id + 1);
    return true;
  }

  /// Processes any packet.
  void process(const PacketIdentity& packet);

  /// How many IDs were left out just before the latest packet: at most 63; 0 where the sender may have used them for
  /// other connections.
  std::uint16_t left_out() const { return left_out_; }
  /// Whether the latest packet was sent before a packet that was captured before it.
  bool is_late() const { return is_late_; }
  /// Whether the sender counts its IDs up, for this connection or for all its connections together.
  bool are_steady() const { return steps_ >= (own_ ? 1 : kMostSteps); }

 private:
  static constexpr std::uint8_t kMostSteps = 3;  // steps_ does not count further
  static constexpr std::uint32_t kNone = 1 << 16;

  void step_to(std::uint16_t id);
  int most_segments_of_newest() const;
  void set_newest_length(const PacketIdentity& newest);
  void learn_length(int segments);

  std::uint32_t next_ = kNone;  // the ID that process_next() accepts; kNone: none
  std::uint16_t newest_ = 0;    // the highest ID so far; has a meaning with has_newest_, and where next_ is kNone
  std::uint16_t left_out_ = 0;
  std::uint8_t steps_ = 0;  // packets in a row whose IDs followed
  bool has_newest_ = false;
  bool is_late_ = false;
  bool own_ = false;
  bool is_learned_ = false;           // longest_single_ was learned from IDs
  std::uint32_t full_length_ = 0;     // the longest payload of a segment that both ends allow
  std::uint32_t longest_single_ = 0;  // the longest payload of a packet that used one ID
  std::uint32_t merged_ = 0;          // payload of the packet with the newest ID, if it may be several segments; else 0
};

}  // namespace wirelap
