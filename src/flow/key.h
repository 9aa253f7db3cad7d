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
  static constexpr int kWords = 12;
  std::uint64_t words[kWords];
};

/// A secret from the system's random source.
HashSecret make_hash_secret();

/// hash_flow_key of a key with a tunnel: each tunnel makes a secret of its own.
std::uint32_t hash_in_tunnel(const FlowKey& key, const HashSecret& secret);

/// Multilinear hashing (Lemire and Kaser, "Strongly universal string hashing is fast", 2014) of a key's
/// words of 32 bits, each with a secret word of its own: whatever two keys a capture was written with, the
/// chance that they have one hash is below 2^-30. A last multiplication spreads ports that stand in a row.
/// The IPv4-mapped prefix says nothing and is left out, which spares most keys four of five products.
inline std::uint32_t hash_flow_key(const FlowKey& key, const HashSecret& secret) {
  if (key.tunnel != 0) [[unlikely]]
    return hash_in_tunnel(key, secret);
  const std::uint64_t* const words = secret.words;
  const auto product = [&](int at, std::uint64_t first, std::uint64_t second) {
    return (words[at] + (first & 0xffffffff)) * (words[at + 1] + (second & 0xffffffff));
  };
  const Address(&ends)[2] = key.addresses;
  std::uint64_t sum = product(0, static_cast<std::uint32_t>(key.ports[0]) << 16 | key.ports[1], key.tag);
  sum += product(2, ends[0].low, ends[1].low);
  constexpr std::uint64_t kMapped = kIpv4Mapped >> 32;
  if ((ends[0].high | ends[1].high | (ends[0].low >> 32 ^ kMapped) | (ends[1].low >> 32 ^ kMapped)) != 0) {
    sum += product(4, ends[0].low >> 32, ends[1].low >> 32);
    sum += product(6, ends[0].high, ends[0].high >> 32) + product(8, ends[1].high, ends[1].high >> 32);
  }
  return static_cast<std::uint32_t>(((sum ^ sum >> 32) + words[10]) * (words[11] | 1) >> 32);
}

}  // namespace wirelap
