#include "wire/tunnel.h"

#include <algorithm>

#include "wire/ether.h"
#include "wire/gre.h"
#include "wire/l2tp.h"
#include "wire/mpls.h"
#include "wire/udp_tunnels.h"

namespace wirelap {
namespace {

/// Mixes the bits of a word: the finalizer of MurmurHash3.
constexpr std::uint64_t mix(std::uint64_t word) {
  word = (word ^ word >> 33) * 0xff51afd7ed558ccd;
  word = (word ^ word >> 33) * 0xc4ceb9fe1a85ec53;
  return word ^ word >> 33;
}

/// A hash of both addresses, equal for both directions.
std::uint64_t hash_of_addresses(const IpHeader& ip) {
  const Address source = ip.source(), destination = ip.destination();
  const Address& low = source <= destination ? source : destination;
  const Address& high = source <= destination ? destination : source;
  return mix(mix(mix(mix(low.high) ^ low.low) ^ high.high) ^ high.low);
}

/// Whether the tag of a tunnel contains the tunnel's identifier.
bool has_id(TunnelKind kind) {
  switch (kind) {
    case TunnelKind::vxlan:
    case TunnelKind::geneve:
    case TunnelKind::gre:
    case TunnelKind::erspan:
    case TunnelKind::backbone:
    case TunnelKind::pppoe: return true;
    default: return false;
  }
}

/// Whether the tag of a tunnel contains the outer addresses.
bool has_addresses(TunnelKind kind) {
  switch (kind) {
    case TunnelKind::gre:
    case TunnelKind::ip:
    case TunnelKind::pptp:
    case TunnelKind::gtp:
    case TunnelKind::l2tp:
    case TunnelKind::ayiya: return true;
    default: return false;
  }
}

}  // namespace

DecodeError enter_tunnel(DecodeState& state, TunnelKind kind, std::uint32_t id, HeaderKind inside, std::uint32_t type) {
  if (++state.tunnels > kMaxTunnels) return DecodeError::too_deep;
  const VlanTags& vlan = state.vlan;
  std::uint64_t hash = state.tunnel;
  if (vlan.count != 0) hash = mix(hash ^ vlan.packed());
  if (has_addresses(kind)) hash = mix(hash ^ hash_of_addresses(state.ip));
  // A tag: 8 bits of kind, 32 bits of identifier, 24 bits of hash; without an identifier, 56 bits of hash.
  constexpr int kHashBits = 24, kKindAt = 56;
  const std::uint64_t top = static_cast<std::uint64_t>(kind) << kKindAt;
  state.tunnel = has_id(kind) ? top | static_cast<std::uint64_t>(id) << kHashBits | hash >> (64 - kHashBits)
                              : top | hash >> (64 - kKindAt);
  state.layer.kind = inside;
  state.layer.type = type;
  return DecodeError::none;
}

DecodeError enter_tunnel_by_content(DecodeState& state, TunnelKind kind, std::uint32_t id) {
  const Layer& layer = state.layer;
  if (layer.bytes.empty()) return DecodeError::tunnel_truncated;
  if (looks_like_ip(layer.bytes, layer.length)) return enter_tunnel(state, kind, id, HeaderKind::ip);
  if (looks_like_ethernet(layer.bytes)) return enter_tunnel(state, kind, id, HeaderKind::ethernet);
  return DecodeError::tunnel_unknown;
}

bool is_tunnel_protocol(std::uint32_t protocol) {
  switch (protocol) {
    case kProtocolIpv4:
    case kProtocolUdp:
    case kProtocolIpv6:
    case kProtocolGre:
    case kProtocolL2tp:
    case kProtocolMpls: return true;
    default: return false;
  }
}

DecodeError decode_ip_protocol(DecodeState& state) {
  switch (state.layer.type) {
    case kProtocolUdp: return decode_udp(state);
    case kProtocolIpv4:
    case kProtocolIpv6: return enter_tunnel(state, TunnelKind::ip, 0, HeaderKind::ip);
    case kProtocolGre: return decode_gre(state);
    case kProtocolL2tp: return decode_l2tpv3_over_ip(state);
    case kProtocolMpls: return decode_mpls(state);
    default: return fail(state, DecodeError::not_tcp, state.layer.type);
  }
}

}  // namespace wirelap
