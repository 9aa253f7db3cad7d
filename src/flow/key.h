// flow: what tells one TCP connection from another, and its keyed hash.
#pragma once

#include <cstdint>

#include "wire/decode.h"

namespace wirelap {

/// The two ends of a connection, by place in its key; each is also the
/// direction of what that end sends.
enum class Side : std::uint8_t { low = 0, high = 1 };
constexpr Side other(Side side) { return side == Side::low ? Side::high : Side::low; }
constexpr int index(Side side) { return static_cast<int>(side); }

/// `object`, one of two by a Side: g++ would else find its place anew for each of its members.
template <class T>
T* hold(T* object) {
  asm("" : "+r"(object));
  return object;
}

/// A 5-tuple with the VLANs and the tunnel that it was seen in, the same for both
/// directions: the smaller endpoint (address, then port) stands first.
struct FlowKey {
  Address addresses[2];             ///< by Side
  std::uint16_t ports[2] = {0, 0};  ///< by Side
  std::uint32_t tag = 0;            ///< IP version and VLAN identifiers, packed
  TunnelTag tunnel = 0;             ///< 0: none

  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

/// The key of `segment`'s connection; `sender` is set to the side that sent it.
inline FlowKey make_flow_key(const Segment& segment, Side& sender) {
  const Packet& ip = segment.ip;
  const TcpHeader& tcp = segment.tcp;
  const bool source_is_low =
      ip.source < ip.destination || (ip.source == ip.destination && tcp.source_port <= tcp.destination_port);
  sender = source_is_low ? Side::low : Side::high;
  const VlanTags& vlan = segment.vlan;
  const auto tag =
      static_cast<std::uint32_t>(vlan.ids[0] | vlan.ids[1] << 12 | vlan.count << 24 | (ip.version == 6) << 26);
  if (source_is_low) return {{ip.source, ip.destination}, {tcp.source_port, tcp.destination_port}, tag, segment.tunnel};
  return {{ip.destination, ip.source}, {tcp.destination_port, tcp.source_port}, tag, segment.tunnel};
}

/// The secret of one run's hash. Captures are written by strangers: without it,
/// chosen addresses could fall into one slot and make the table slow.
struct HashSecret {
  std::uint64_t words[13];
};

/// A secret from the system's random source.
HashSecret make_hash_secret();

/// Hashes a key by pair-multiply-shift (Thorup, "High Speed Hashing for Integers
/// and Strings", 2015, section 3.5): of two keys chosen without knowing the secret, each pair
/// of hashes is as likely as any other. That serves as well against a capture's author as
/// a hash for secrets would, for a fifth of its instructions: what he gets to see is no hash.
inline std::uint32_t hash_flow_key(const FlowKey& key, const HashSecret& secret) {
  const std::uint64_t* const words = secret.words;
  const auto pair = [words](int at, std::uint64_t both) {
    return (words[at] + (both >> 32)) * (words[at + 1] + (both & 0xffffffff));
  };
  const Address(&addresses)[2] = key.addresses;
  std::uint64_t sum = words[12] + pair(0, addresses[0].low << 32 | (addresses[1].low & 0xffffffff)) +
                      pair(2, static_cast<std::uint64_t>(key.ports[0] << 16 | key.ports[1]) << 32 | key.tag);
  // All IPv4 addresses have these bits alike.
  if (((addresses[0].low ^ kIpv4Mapped) | (addresses[1].low ^ kIpv4Mapped)) >> 32 != 0 ||
      (addresses[0].high | addresses[1].high) != 0) {
    sum += pair(4, addresses[0].high) + pair(6, addresses[1].high) +
           pair(8, (addresses[0].low & ~0xffffffffull) | addresses[1].low >> 32);
  }
  if (key.tunnel != 0) [[unlikely]]
    sum += pair(10, key.tunnel);
  // Neighbours are spread: a table with open addressing does badly on rows of numbers.
  auto hash = static_cast<std::uint32_t>(sum >> 32);
  hash = (hash ^ hash >> 16) * 0x7feb352d;
  return hash ^ hash >> 15;
}

}  // namespace wirelap
