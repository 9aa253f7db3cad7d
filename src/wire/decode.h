// wire: from a record to the TCP segment in it.
//
// In: a Record. Out: a Segment, filled in place and reused, so that decoding
// allocates nothing; or the reason why there is none. Tunnels are opened, and
// the innermost addresses count.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"
#include "capture/record.h"
#include "wire/ip.h"
#include "wire/layer.h"
#include "wire/link.h"
#include "wire/stop.h"
#include "wire/tcp.h"

namespace wirelap {

/// A TCP segment as captured. Its bytes live as long as the record's.
struct Segment {
  Nanos time = 0;
  std::uint64_t frame = 0;  ///< the record's number in its file
  VlanTags vlan;            ///< of the innermost frame
  TunnelTag tunnel = 0;     ///< that it came in; 0: none
  Packet ip;
  TcpHeader tcp;
  Bytes data;                     ///< payload, as far as captured
  std::uint32_t data_length = 0;  ///< payload bytes on the wire
};

/// Fills in what `segment` has from `record` and from its IP packet's payload.
/// Returns Stop::none, or why there is no TCP header; the fields then mean nothing.
inline Stop finish_segment(const Record& record, Segment& segment) {
  std::uint32_t header_bytes = 0;
  const Stop stop = decode_tcp(segment.ip.payload, segment.ip.payload_length, segment.tcp, header_bytes);
  if (stop != Stop::none) return stop;
  segment.time = record.time;
  segment.frame = record.number;
  const bool captured = segment.ip.payload.size() > header_bytes;
  segment.data = captured ? segment.ip.payload.subspan(header_bytes) : Bytes{};
  segment.data_length = segment.ip.payload_length - header_bytes;
  return Stop::none;
}

/// Reads an IPv4 header before a TCP segment that is in one piece; false for any other.
inline bool read_ipv4(const std::uint8_t* at, std::size_t captured, Packet& ip) {
  constexpr std::uint16_t kFragmentBits = 0x3fff;
  if (captured < kIpv4HeaderBytes || at[0] >> 4 != 4 || at[9] != kProtocolTcp) return false;
  if ((load_be16(at + 6) & kFragmentBits) != 0) return false;
  const std::uint32_t header_bytes = (at[0] & 0x0fu) * 4;
  const std::uint32_t total_length = load_be16(at + 2);
  if (header_bytes < kIpv4HeaderBytes || total_length < header_bytes || captured < header_bytes) return false;
  ip.source = {0, kIpv4Mapped | load_be32(at + 12)};
  ip.destination = {0, kIpv4Mapped | load_be32(at + 16)};
  ip.id = load_be16(at + 4);
  ip.version = 4;
  ip.payload_length = total_length - header_bytes;
  const std::size_t held = captured - header_bytes;
  ip.payload = {at + header_bytes, held < ip.payload_length ? held : ip.payload_length};
  return true;
}

/// Decodes the usual record: a TCP segment in IPv4 in Ethernet, without tags and in
/// one piece. False for all others, and where the TCP header is broken.
inline bool decode_plain(const Record& record, Segment& segment) {
  constexpr std::size_t kLinkBytes = 14;
  constexpr std::uint16_t kEthernetIpv4 = 0x0800;
  if (record.link_type != kLinkEthernet || record.bytes.size() < kLinkBytes + kIpv4HeaderBytes) return false;
  const std::uint8_t* const at = record.bytes.data() + kLinkBytes;
  if (load_be16(at - 2) != kEthernetIpv4) return false;
  if (!read_ipv4(at, record.bytes.size() - kLinkBytes, segment.ip)) return false;
  segment.vlan = {};
  segment.tunnel = 0;
  return finish_segment(record, segment) == Stop::none;
}

/// Decodes what is nearly as usual: in Ethernet or a Linux cooked capture, with VLAN
/// tags or without, IPv4 or IPv6 without extension headers. False for all
/// others: open_layers reads them, and says what is wrong with them.
bool decode_common(const Record& record, Segment& segment);

/// Begins a walk through the headers of `record`.
Walk begin_walk(const Record& record);

/// Opens headers from where `walk` is, down to the TCP segment of `record`.
/// Returns Stop::none, or what it found instead: then `walk.about` is the number
/// that goes with it, and `segment` means nothing.
Stop open_layers(Walk& walk, const Record& record, Segment& segment);

/// Decodes `record` into `segment`, alone: of an IP datagram in fragments the first
/// is read. Returns as open_layers.
inline Stop decode(const Record& record, Segment& segment) {
  if (decode_plain(record, segment) || decode_common(record, segment)) return Stop::none;
  Walk walk = begin_walk(record);
  return open_layers(walk, record, segment);
}

}  // namespace wirelap
