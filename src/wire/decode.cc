#include "wire/decode.h"

#include "wire/ether.h"
#include "wire/ppp.h"
#include "wire/tunnel.h"
#include "wire/wlan.h"

namespace wirelap {
namespace {

/// True for what IPv6 has between its header and its payload, and IPv4 of that.
bool is_between(const Walk& walk) {
  constexpr std::uint32_t kAuthentication = 51;
  return walk.ip.version == 6 ? is_extension(walk.layer.type) : walk.layer.type == kAuthentication;
}

Stop open_header(Walk& walk) {
  switch (walk.layer.kind) {
    case Kind::link: return open_link(walk);
    case Kind::ethernet: return open_ethernet(walk);
    case Kind::ether_type: return open_ether_type(walk);
    case Kind::llc: return open_llc(walk);
    case Kind::ppp: return open_ppp(walk);
    case Kind::cisco_hdlc: return open_cisco_hdlc(walk);
    case Kind::wlan: return open_wlan(walk);
    case Kind::mpls: return open_mpls(walk);
    case Kind::nsh: return open_nsh(walk);
    case Kind::ip: return open_ip(walk);
    case Kind::protocol: return is_between(walk) ? open_extension(walk) : open_protocol(walk);
  }
  return Stop::too_deep;
}

}  // namespace

Walk begin_walk(const Record& record) {
  Walk walk;
  walk.layer = {Kind::link, record.link_type, record.bytes, record.length};
  return walk;
}

Stop open_layers(Walk& walk, const Record& record, Segment& segment) {
  for (int headers = 0; headers < kMaxHeaders; ++headers) {
    const Layer& layer = walk.layer;
    if (layer.kind == Kind::protocol && layer.type == kProtocolTcp) {
      segment.ip = walk.ip;
      segment.ip.payload = layer.bytes;
      segment.ip.payload_length = layer.length;
      segment.vlan = walk.vlan;
      segment.tunnel = walk.tunnel;
      return finish_segment(record, segment);
    }
    walk.about = 0;
    if (const Stop stop = open_header(walk); stop != Stop::none) return stop;
  }
  return Stop::too_deep;
}

}  // namespace wirelap
