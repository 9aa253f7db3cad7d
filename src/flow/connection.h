// flow: what is known of one TCP connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time.h"
#include "flow/counts.h"
#include "flow/handshake.h"
#include "flow/key.h"
#include "flow/packet_identity.h"
#include "flow/stream.h"

namespace wirelap {

class Timing;

/// Why a connection is no more.
enum class Ending : std::uint8_t {
  closed,       ///< FIN from both ends
  reset,        ///< RST
  refused,      ///< RST in answer to its SYN
  capture_end,  ///< the capture ended first
  replaced,     ///< a SYN began a new one with its ports
  evicted,      ///< given up for want of memory
};

/// What the consumer of a connection's bytes keeps with it. Owned by the consumer.
struct Attachment {
 protected:
  ~Attachment() = default;
};

/// One connection, from its first packet on. What each packet needs stands first.
struct alignas(64) Connection {
  FlowKey key;
  Timing* timing = nullptr;  ///< from the first payload until the end; owned by TimingObserver, not used here
  Attachment* attachment = nullptr;
  Stream streams[2];                 ///< by the Side that sends
  PacketIdentity latest_packets[2];  ///< by the Side that sent them
  Nanos last_time = 0;               ///< of its latest packet
  std::uint64_t last_packet = 0;
  std::uint64_t packets[2] = {0, 0};    ///< by the Side that sent them; late ones after its end, too
  bool opening = false;                 ///< a SYN was seen, and the handshake's `ack` not yet
  std::int8_t scales[2] = {-1, -1};     ///< of windows, by the Side that says them; -1: not known
  Side client = Side::low;              ///< has a meaning only with client_known
  bool client_known = false;            ///< by SYN or SYN-ACK, or by what the consumer saw
  bool has_payload = false;             ///< a segment with payload was reported
  bool closed = false;                  ///< both FINs or a reset: what still comes is not its data
  bool ignored = false;                 ///< the consumer wants none of its bytes; its own to set
  bool greeted = false;                 ///< the server spoke first, nothing that is known; the consumer's own to set
  bool gone = false;                    ///< its late packets are counted, too, and its consumer knows
  bool has_ender = false;               ///< FIN or RST was seen
  Side ender = Side::low;               ///< who sent the first FIN, or the RST where that ended it
  Ending ending = Ending::capture_end;  ///< has a meaning only with `closed`
  std::uint32_t hash = 0;               ///< of `key`, in the table; the table's own to set
  TcpCounts counts;
  static constexpr std::size_t kHotBytes = 320;  ///< most of the above
  std::uint64_t number = 0;                      ///< in the run, from 1, in the order of first packets
  Nanos first_time = 0;                          ///< of its first packet
  std::uint64_t first_packet = 0;
  Handshake handshake;
  Offer offers[2];              ///< by the Side that made them
  std::uint64_t exchanges = 0;  ///< that the consumer has reported; its own to set
  std::string_view protocol;    ///< of them, a name that outlives all; the consumer's own to set

  void set_client(Side side) {
    client = side;
    client_known = true;
  }
  /// True where both SYNs were seen: what they agreed on is known.
  bool agreed() const { return offers[0].seen && offers[1].seen; }
  void set_ender(Side side) {
    ender = side;
    has_ender = true;
  }
  /// Its SYN is all that there is: nobody answered.
  bool is_unanswered() const { return client_known && offers[index(client)].seen && !stream(other(client)).started; }
  Stream& stream(Side side) { return *hold(&streams[index(side)]); }
  const Stream& stream(Side side) const { return *hold(&streams[index(side)]); }
};

}  // namespace wirelap
