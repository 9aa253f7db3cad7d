// wire: IP fragments, put together (RFC 791, 3.2; RFC 815; RFC 8200, 4.5).
//
// In: a walk that stopped at a fragment. Out: the same walk, at the whole
// datagram's payload, once the last missing piece has come: its time is that
// piece's. What arrived first stays, whatever a later piece says of the same
// bytes. A piece that a snaplen cut ends what is there of its datagram, not the
// datagram's length. Memory is bounded; what has no place any more is counted.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "wire/layer.h"

namespace wirelap {

/// Keeps fragments until their datagrams are whole.
class Fragments {
 public:
  /// At most so many datagrams wait; the oldest goes first.
  static constexpr std::size_t kMaxDatagrams = 256;
  /// At most so many bytes of them wait; the same.
  static constexpr std::size_t kMaxBytes = 4 << 20;
  /// A datagram with more holes than this at once is given up.
  static constexpr std::size_t kMaxHoles = 64;
  /// How long a datagram waits for its pieces, by the capture's clock: as Linux
  /// does, and no longer than IP IDs take to come around.
  static constexpr Nanos kMaxAge = 30 * kNanosPerSecond;

  /// Fragments are counted in `counts` when it is clear what became of them; it outlives this.
  explicit Fragments(DecodeErrorCounts& counts) : counts_(counts) {}

  /// Takes the fragment that `walk` stopped at, captured at `time`. DecodeError::none:
  /// the datagram is whole, and `walk` goes on at its payload, whose bytes are
  /// valid until the next call. DecodeError::fragment: it waits, and will be counted.
  /// DecodeError::fragment_malformed: it was not kept.
  DecodeError take(DecodeState& walk, Nanos time);

  /// Gives up what still waits.
  void finish();

 private:
  /// Bytes that have not come, from `begin` on, before `end`.
  struct Hole {
    std::uint32_t begin, end;
  };
  /// A datagram that is not whole.
  struct Datagram {
    Address source, destination;
    TunnelTag tunnel = 0;
    VlanTags vlan;
    std::uint32_t id = 0;
    std::uint8_t version = 0;
    std::uint8_t protocol = 0;  // IPv4: part of the key; IPv6: of the first fragment
    Nanos began = 0;
    std::uint64_t number = 0;  // in the order of arrival
    std::uint32_t pieces = 0;
    bool end_known = false;
    std::uint32_t captured = kWholly;  // how far its bytes were captured
    std::vector<Hole> holes;
    std::vector<std::uint8_t> bytes;
  };
  static constexpr std::uint32_t kMaxPayload = 65535;
  static constexpr std::uint32_t kWholly = 0xffffffff;

  static bool belongs(const DecodeState& walk, const Datagram& datagram);
  static bool fill(Datagram& datagram, const FragmentHeader& header, Bytes bytes, std::uint32_t length);
  static void set_end(Datagram& datagram, std::uint32_t end);
  std::size_t find_or_add(const DecodeState& walk, Nanos time);
  void give_up_oldest(std::uint64_t spared);
  void give_up(std::size_t at);
  void remove(std::size_t at);

  DecodeErrorCounts& counts_;
  std::vector<Datagram> waiting_;
  std::size_t held_bytes_ = 0;
  std::uint64_t datagrams_ = 0;
  std::vector<std::uint8_t> whole_;  // the datagram handed out last
};

}  // namespace wirelap
