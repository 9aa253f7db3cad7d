// wire: from a record to the TCP segment in it.
//
// In: a PacketRecord. Out: a Segment, filled in place and reused, so that decoding
// allocates nothing; or the reason why there is none. Tunnels are opened, and
// the innermost addresses count.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"
#include "capture/packet_record.h"
#include "wire/decode_error.h"
#include "wire/ip.h"
#include "wire/layer.h"
#include "wire/link.h"
#include "wire/tcp.h"

namespace wirelap {

/// A TCP segment as captured. Its bytes live as long as the record's.
struct Segment {
  Nanos time = 0;
  std::uint64_t packet = 0;  ///< the record's number in its file
  VlanTags vlan;             ///< of the innermost frame
  TunnelTag tunnel = 0;      ///< that it came in; 0: none
  IpHeader ip;
  TcpHeader tcp;
  Bytes data;                     ///< payload, as far as captured
  std::uint32_t data_length = 0;  ///< payload bytes on the wire
};

/// Fills in what `segment` has from `record` and from its IP packet's `payload`.
/// Returns DecodeError::none, or why there is no TCP header; the fields then mean nothing.
inline DecodeError finish_segment(const PacketRecord& record, const Payload& payload, Segment& segment) {
  std::uint32_t header_bytes = 0;
  const DecodeError stop = decode_tcp(payload.bytes, payload.length, segment.tcp, header_bytes);
  if (stop != DecodeError::none) return stop;
  segment.time = record.time;
  segment.packet = record.number;
  segment.data = payload.bytes.subspan(kTcpHeaderBytes + segment.tcp.options.size());
  segment.data_length = payload.length - header_bytes;
  return DecodeError::none;
}

/// Reads an IPv4 header of `header_bytes` before a TCP segment that is in one piece, with its header;
/// false for any other. Of it and what is behind it `captured` bytes are there, at least kIpv4HeaderBytes.
inline bool read_ipv4(const std::uint8_t* at, std::uint32_t header_bytes, std::size_t captured, IpHeader& ip,
                      Payload& payload) {
  constexpr std::uint32_t kFragmentBits = 0x3fff0000, kProtocolBits = 0xff;
  if ((load_be32(at + 6) & (kFragmentBits | kProtocolBits)) != kProtocolTcp) return false;
  const std::uint32_t length_and_id = load_be32(at + 2);
  const std::uint32_t total_length = length_and_id >> 16;
  const std::size_t held = captured < total_length ? captured : total_length;
  if (held < header_bytes + kTcpHeaderBytes) return false;
  std::memcpy(ip.addresses, at + 12, 8);
  ip.id = static_cast<std::uint16_t>(length_and_id);
  ip.version = 4;
  payload = {{at + header_bytes, held - header_bytes}, total_length - header_bytes};
  return true;
}

/// Decodes the usual record: a TCP segment in IPv4 in Ethernet, without tags and IP options and in
/// one piece. False for all others, and where the TCP header is broken.
inline bool decode_plain(const PacketRecord& record, Segment& segment) {
  constexpr std::size_t kLinkBytes = 14;
  constexpr std::uint16_t kEthernetIpv4 = 0x0800;
  constexpr std::uint8_t kVersionAndLength = 0x45;
  const Bytes bytes = record.bytes;
  if (record.link_type != kLinkEthernet || bytes.size() < kLinkBytes + kIpv4HeaderBytes) return false;
  const std::uint8_t* const at = bytes.data() + kLinkBytes;
  if (load_be16(at - 2) != kEthernetIpv4 || at[0] != kVersionAndLength) return false;
  Payload payload;
  if (!read_ipv4(at, kIpv4HeaderBytes, bytes.size() - kLinkBytes, segment.ip, payload)) return false;
  segment.vlan = {};
  segment.tunnel = 0;
  return finish_segment(record, payload, segment) == DecodeError::none;
}

/// Decodes what is nearly as usual: in Ethernet or a Linux cooked capture, with VLAN
/// tags or without, IPv4 or IPv6 without extension headers. False for all
/// others: decode_headers reads them, too, and says what is wrong with them. So a link type
/// has to be in link.cc, and need not be here.
bool decode_common(const PacketRecord& record, Segment& segment);

/// Begins a walk through the headers of `record`.
DecodeState initial_state(const PacketRecord& record);

/// Opens headers from where `walk` is, down to the TCP segment of `record`.
/// Returns DecodeError::none, or what it found instead: then `walk.about` is the number
/// that goes with it, and `segment` means nothing.
DecodeError decode_headers(DecodeState& walk, const PacketRecord& record, Segment& segment);

/// Decodes `record` into `segment`, alone: of an IP datagram in fragments the first
/// is read. Returns as decode_headers.
inline DecodeError decode(const PacketRecord& record, Segment& segment) {
  if (decode_plain(record, segment) || decode_common(record, segment)) return DecodeError::none;
  DecodeState walk = initial_state(record);
  return decode_headers(walk, record, segment);
}

}  // namespace wirelap
