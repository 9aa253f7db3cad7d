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
  std::uint64_t words[2];
};

/// A secret from the system's random source.
HashSecret make_hash_secret();

/// hash_flow_key of a key with a tunnel: each tunnel makes a secret of its own.
std::uint32_t hash_in_tunnel(const FlowKey& key, const HashSecret& secret);

/// SipHash-1-3 (Aumasson and Bernstein, 2012) of a key. The IPv4-mapped prefix
/// says nothing and is left out, which spares most keys three of five rounds.
inline std::uint32_t hash_flow_key(const FlowKey& key, const HashSecret& secret) {
  if (key.tunnel != 0) [[unlikely]]
    return hash_in_tunnel(key, secret);
  std::uint64_t v0 = secret.words[0] ^ 0x736f6d6570736575, v1 = secret.words[1] ^ 0x646f72616e646f6d;
  std::uint64_t v2 = secret.words[0] ^ 0x6c7967656e657261, v3 = secret.words[1] ^ 0x7465646279746573;
  const auto rotate = [](std::uint64_t v, int by) { return v << by | v >> (64 - by); };
  const auto round = [&] {
    v0 += v1;
    v1 = rotate(v1, 13) ^ v0;
    v0 = rotate(v0, 32);
    v2 += v3;
    v3 = rotate(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotate(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotate(v1, 17) ^ v2;
    v2 = rotate(v2, 32);
  };
  const auto mix = [&](std::uint64_t word) {
    v3 ^= word;
    round();
    v0 ^= word;
  };
  const std::uint64_t ports =
      static_cast<std::uint64_t>(key.ports[0]) << 48 | static_cast<std::uint64_t>(key.ports[1]) << 32 | key.tag;
  if (key.addresses[0].high == 0 && key.addresses[1].high == 0 && key.addresses[0].low >> 32 == kIpv4Mapped >> 32 &&
      key.addresses[1].low >> 32 == kIpv4Mapped >> 32) {
    mix(key.addresses[0].low << 32 | (key.addresses[1].low & 0xffffffff));
  } else {
    for (const Address& address : key.addresses) {
      mix(address.high);
      mix(address.low);
    }
  }
  mix(ports);
  v2 ^= 0xff;
  round();
  round();
  round();
  return static_cast<std::uint32_t>(v0 ^ v1 ^ v2 ^ v3);
}

}  // namespace wirelap
