// wire: IP fragment reassembly (RFC 791, section 3.2; RFC 815; RFC 8200, section 4.5).
//
// In: decode states that ended at a fragment. Out: when a fragment completes its
// datagram, that state, set to the whole datagram's payload; its time is that of
// the completing fragment. Where fragments overlap, the bytes that arrived first
// are kept. A fragment that a snaplen truncated limits the captured part of its
// datagram, not the datagram's length. Memory is bounded: what does not fit is
// discarded and counted.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "wire/layer.h"

namespace wirelap {

/// Stores fragments until their datagrams are complete.
class FragmentReassembler {
 public:
  /// The most incomplete datagrams; the oldest is discarded for a new one.
  static constexpr std::size_t kMaxDatagrams = 256;
  /// The most bytes of incomplete datagrams; the oldest datagrams are discarded for new bytes.
  static constexpr std::size_t kMaxBytes = 4 << 20;
  /// A datagram with more gaps at once than this is discarded.
  static constexpr std::size_t kMaxGaps = 64;
  /// How long a datagram may stay incomplete, in capture time. Linux waits equally long, and
  /// IP IDs do not repeat sooner.
  static constexpr Nanos kMaxAge = 30 * kNanosPerSecond;

  /// `counts` is borrowed: each fragment that yields no segment of its own is counted there,
  /// once it is clear whether its datagram became complete.
  explicit FragmentReassembler(DecodeErrorCounts& counts) : counts_(counts) {}

  /// Adds the fragment at which `state` ended; `time` is its record's. Returns
  /// - DecodeError::none: the datagram is complete, and `state` continues with its payload,
  ///   whose bytes are valid until the next call;
  /// - DecodeError::fragment: the fragment is stored, or discarded; it is counted, now or later;
  /// - DecodeError::fragment_malformed: the fragment is ignored; the caller counts it.
  DecodeError add(DecodeState& state, Nanos time);

  /// To be called after the last record: discards the incomplete datagrams.
  void finish();

 private:
  /// Bytes of a datagram that have not arrived: from `begin` to before `end`.
  struct Gap {
    std::uint32_t begin, end;
  };
  /// An incomplete datagram. The members up to `protocol` are the key (RFC 791; RFC 8200).
  struct Datagram {
    Address source, destination;
    TunnelTag tunnel = 0;
    VlanTags vlan;
    std::uint32_t id = 0;
    std::uint8_t version = 0;
    std::uint8_t protocol = 0;  // IPv4: part of the key; IPv6: that of the first fragment
    Nanos first_time = 0;       // of the fragment that arrived first
    std::uint64_t number = 0;   // in the order of arrival
    std::uint32_t fragments = 0;
    bool end_known = false;                     // the last fragment has arrived
    std::uint32_t captured_end = kAllCaptured;  // bytes from here on are not all captured
    std::vector<Gap> gaps;
    std::vector<std::uint8_t> bytes;
  };
  static constexpr std::uint32_t kMaxPayload = 65535;
  static constexpr std::uint32_t kAllCaptured = 0xffffffff;

  static bool belongs(const DecodeState& state, const Datagram& datagram);
  static bool fill_gaps(Datagram& datagram, const FragmentHeader& header, Bytes bytes, std::uint32_t length);
  static void set_end(Datagram& datagram, std::uint32_t end);
  std::size_t find_or_create(const DecodeState& state, Nanos time);
  std::size_t make_room(std::size_t at, std::size_t bytes);
  void complete(DecodeState& state, std::size_t at);
  void discard_oldest(std::uint64_t except_number);
  void discard(std::size_t at);
  void remove(std::size_t at);

  DecodeErrorCounts& counts_;
  std::vector<Datagram> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t datagram_count_ = 0;
  std::vector<std::uint8_t> completed_;  // the payload that the last call returned
};

}  // namespace wirelap
