// flow: the state of one TCP connection.
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

/// How a connection ended.
enum class Ending : std::uint8_t {
  closed,       ///< FIN from both ends
  reset,        ///< RST
  refused,      ///< RST answered its SYN
  capture_end,  ///< the capture ended first
  replaced,     ///< a SYN began a new one between the same ports
  evicted,      ///< given up because memory was scarce
};

/// What the consumer keeps with a connection. Owned by the consumer.
struct Attachment {
 protected:
  ~Attachment() = default;
};

/// One connection, from its first packet on. The members that each packet needs are first.
struct alignas(64) Connection {
  FlowKey key;
  Timing* timing = nullptr;  ///< from its first payload to its end. Owned by TimingObserver, not used here
  Attachment* attachment = nullptr;
  Stream streams[2];                 ///< by the Side that sends
  PacketIdentity latest_packets[2];  ///< by the Side that sent them
  Nanos last_time = 0;               ///< of its latest packet
  std::uint64_t last_packet = 0;
  std::uint64_t packets[2] = {0, 0};    ///< by the Side that sent them; late ones after its end, too
  bool opening = false;                 ///< a SYN was seen, and not yet the handshake's `ack`
  std::int8_t scales[2] = {-1, -1};     ///< of windows, by the Side that advertises them; -1: not known
  Side client = Side::low;              ///< valid where client_known
  bool client_known = false;            ///< from SYN or SYN-ACK, or from the bytes (set by the consumer)
  bool has_payload = false;             ///< a segment with payload was reported
  bool closed = false;                  ///< it has ended: packets that still come carry none of its data
  bool ignored = false;                 ///< the consumer needs none of its bytes. Set by the consumer
  bool greeted = false;                 ///< the server sent first, in no known protocol. Set by the consumer
  bool gone = false;                    ///< on_gone was reported
  bool has_ender = false;               ///< FIN or RST was seen
  Side ender = Side::low;               ///< who sent the first FIN, or the RST that ended it; valid where has_ender
  Ending ending = Ending::capture_end;  ///< valid where `closed`
  std::uint32_t hash = 0;               ///< of `key`. Set by the table
  TcpCounts counts;
  static constexpr std::size_t kHotBytes = 320;  ///< holds most of the above
  std::uint64_t number = 0;                      ///< in the run, from 1, in the order of first packets
  Nanos first_time = 0;                          ///< of its first packet
  std::uint64_t first_packet = 0;
  Handshake handshake;
  Offer offers[2];              ///< by the Side that made them
  std::uint64_t exchanges = 0;  ///< reported so far. Set by the consumer
  std::string_view protocol;    ///< of the exchanges; static text. Set by the consumer

  void set_client(Side side) {
    client = side;
    client_known = true;
  }
  /// Whether both SYNs were seen: what the ends agreed on is known.
  bool has_both_offers() const { return offers[0].seen && offers[1].seen; }
  void set_ender(Side side) {
    ender = side;
    has_ender = true;
  }
  /// Whether nothing but its SYN was seen.
  bool is_unanswered() const { return client_known && offers[index(client)].seen && !stream(other(client)).started; }
  Stream& stream(Side side) { return *hold(&streams[index(side)]); }
  const Stream& stream(Side side) const { return *hold(&streams[index(side)]); }
};

}  // namespace wirelap
