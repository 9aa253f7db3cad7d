// flow: what distinguishes TCP connections, and its keyed hash.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "wire/decode.h"

namespace wirelap {

/// The two ends of a connection, by place in its key. Each also names the direction of what that end sends.
enum class Side : std::uint8_t { low = 0, high = 1 };
constexpr Side other(Side side) { return static_cast<Side>(static_cast<int>(side) ^ 1); }
constexpr int index(Side side) { return static_cast<int>(side); }

/// Returns `object`, one of two by a Side. Without this g++ computes its place again for each of its members.
template <class T>
T* hold(T* object) {
  asm("" : "+r"(object));
  return object;
}

/// A 5-tuple with the VLANs and the tunnel in which it was seen. It is the same for both directions: the smaller
/// endpoint (address, then port) is first.
struct FlowKey {
  Address addresses[2];             ///< by Side
  std::uint16_t ports[2] = {0, 0};  ///< by Side
  std::uint32_t tag = 0;            ///< IP version and VLAN identifiers, packed
  TunnelTag tunnel = 0;             ///< 0: none

  friend bool operator==(const FlowKey& a, const FlowKey& b) { return std::memcmp(&a, &b, sizeof a) == 0; }
};
static_assert(std::has_unique_object_representations_v<FlowKey>);

/// The addresses and ports of an IPv4 packet. One end's are in the upper halves.
struct Ipv4Ends {
  std::uint64_t addresses = 0;
  std::uint32_t ports = 0;

  Ipv4Ends reversed() const { return {std::rotl(addresses, 32), std::rotl(ports, 16)}; }

  /// Whether the end in the upper halves is the smaller one, as in a FlowKey.
  bool is_low_first() const {
    return ((addresses >> 32) << 16 | ports >> 16) <= ((addresses & 0xffffffff) << 16 | (ports & 0xffff));
  }

  friend bool operator==(const Ipv4Ends&, const Ipv4Ends&) = default;
};

/// The ends of an IPv4 segment, its sender first.
inline Ipv4Ends ipv4_ends(const Segment& segment) {
  return {load_be64(segment.ip.addresses),
          static_cast<std::uint32_t>(segment.tcp.source_port) << 16 | segment.tcp.destination_port};
}

/// The ends of an IPv4 connection, the low one first.
inline Ipv4Ends ipv4_ends(const FlowKey& key) {
  return {key.addresses[0].low << 32 | (key.addresses[1].low & 0xffffffff),
          static_cast<std::uint32_t>(key.ports[0]) << 16 | key.ports[1]};
}

/// Whether nothing but its ends distinguishes the connection of `segment` from others.
inline bool is_plain_ipv4(const Segment& segment) {
  return segment.ip.version == 4 && (segment.vlan.count | segment.tunnel) == 0;
}

/// The key of an IPv4 connection between `ends`, the low one first.
inline FlowKey make_flow_key(const Ipv4Ends& ends, std::uint32_t tag, TunnelTag tunnel) {
  return {{{0, kIpv4Mapped | ends.addresses >> 32}, {0, kIpv4Mapped | (ends.addresses & 0xffffffff)}},
          {static_cast<std::uint16_t>(ends.ports >> 16), static_cast<std::uint16_t>(ends.ports)},
          tag,
          tunnel};
}

/// The key of the connection of `segment`. Sets `sender` to the side that sent it.
inline FlowKey make_flow_key(const Segment& segment, Side& sender) {
  const std::uint32_t is_ipv6 = segment.ip.version == 6 ? 1 : 0;
  const std::uint32_t tag = segment.vlan.packed() | is_ipv6 << 26;
  if (segment.ip.version == 4) {
    const Ipv4Ends ends = ipv4_ends(segment);
    sender = ends.is_low_first() ? Side::low : Side::high;
    return make_flow_key(ends.is_low_first() ? ends : ends.reversed(), tag, segment.tunnel);
  }
  const Address source = segment.ip.source(), destination = segment.ip.destination();
  const std::uint16_t from = segment.tcp.source_port, to = segment.tcp.destination_port;
  const bool source_is_low = source < destination || (source == destination && from <= to);
  sender = source_is_low ? Side::low : Side::high;
  if (source_is_low) return {{source, destination}, {from, to}, tag, segment.tunnel};
  return {{destination, source}, {to, from}, tag, segment.tunnel};
}

/// The secret of one run's hash. Without it, the author of a capture could choose addresses that fall into one slot and
/// make the table slow.
struct HashSecret {
  std::uint64_t words[13];
};

/// A secret from the system's random source.
HashSecret make_hash_secret();

/// Hashes a key by pair-multiply-shift (Thorup, "High Speed Hashing for Integers and Strings", 2015, section 3.5): of
/// two keys that were chosen without the secret, each pair of hashes is equally likely. Against a capture's author, who
/// never sees a hash, that is as good as a cryptographic hash, for a fifth of the instructions.
class FlowHash {
 public:
  /// Begins with the parts that all keys have.
  FlowHash(const HashSecret& secret, const Ipv4Ends& ends, std::uint32_t tag) : words_(secret.words), sum_(words_[12]) {
    add(0, ends.addresses);
    add(2, static_cast<std::uint64_t>(ends.ports) << 32 | tag);
  }

  /// Adds a word, multiplied with two words of the secret from place `at` on, which no other word uses.
  void add(int at, std::uint64_t word) { sum_ += (words_[at] + (word >> 32)) * (words_[at + 1] + (word & 0xffffffff)); }

  /// Near values are spread: rows of numbers would make a table with open addressing slow.
  std::uint32_t value() const {
    auto hash = static_cast<std::uint32_t>(sum_ >> 32);
    hash = (hash ^ hash >> 16) * 0x7feb352d;
    return hash ^ hash >> 15;
  }

 private:
  const std::uint64_t* words_;
  std::uint64_t sum_;
};

/// The hash of `key`.
inline std::uint32_t hash_flow_key(const FlowKey& key, const HashSecret& secret) {
  const Address(&addresses)[2] = key.addresses;
  FlowHash hash(secret, ipv4_ends(key), key.tag);
  // These bits are the same in all IPv4 addresses.
  if (((addresses[0].low ^ kIpv4Mapped) | (addresses[1].low ^ kIpv4Mapped)) >> 32 != 0 ||
      (addresses[0].high | addresses[1].high) != 0) {
    hash.add(4, addresses[0].high);
    hash.add(6, addresses[1].high);
    hash.add(8, (addresses[0].low & ~0xffffffffull) | addresses[1].low >> 32);
  }
  if (key.tunnel != 0) [[unlikely]]
    hash.add(10, key.tunnel);
  return hash.value();
}

}  // namespace wirelap
