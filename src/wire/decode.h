// wire: decodes a record into the TCP segment that it contains.
//
// In: a PacketRecord. Out: a Segment, or the DecodeError that explains why there
// is none. The caller reuses one Segment, so that decoding allocates nothing.
// Tunnels are decoded too: the segment is that of the innermost IP packet.
//
// There are three paths, each slower than the one before and for more kinds of
// packets: decode_plain (the fast path), decode_common and decode_headers (all). For
// the same packet they have the same result.
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

/// A TCP segment as captured. `data` and `tcp.options` point into the record's bytes.
struct Segment {
  Nanos time = 0;            ///< when it was captured
  std::uint64_t packet = 0;  ///< packet number
  VlanTags vlan;             ///< of the innermost frame
  TunnelTag tunnel = 0;      ///< of the tunnels around the packet; 0: none
  IpHeader ip;               ///< the innermost IP header
  TcpHeader tcp;
  Bytes data;                     ///< the captured part of the payload
  std::uint32_t data_length = 0;  ///< payload bytes on the wire
};

/// Decodes the TCP header in `payload` and sets `segment`'s time, packet, tcp, data and
/// data_length. On an error these members have no meaning.
inline DecodeError set_segment(const PacketRecord& record, const Payload& payload, Segment& segment) {
  std::uint32_t header_bytes = 0;
  const DecodeError error = decode_tcp(payload.bytes, payload.length, segment.tcp, header_bytes);
  if (error != DecodeError::none) return error;
  segment.time = record.time;
  segment.packet = record.number;
  segment.data = payload.bytes.subspan(kTcpHeaderBytes + segment.tcp.options.size());
  segment.data_length = payload.length - header_bytes;
  return DecodeError::none;
}

/// Decodes an IPv4 header of `header_bytes` bytes at `at`, where `captured` bytes (at least
/// kIpv4HeaderBytes) are readable. Returns false unless the packet is not fragmented and contains TCP
/// with 20 header bytes captured; the caller then takes the slow path.
inline bool decode_tcp_over_ipv4(const std::uint8_t* at, std::uint32_t header_bytes, std::size_t captured, IpHeader& ip,
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

/// The fast path: decodes TCP in IPv4 in Ethernet, without VLAN tags, IP options and fragments.
/// Returns false for all other packets, and for a malformed TCP header.
inline bool decode_plain(const PacketRecord& record, Segment& segment) {
  constexpr std::size_t kLinkBytes = 14;
  constexpr std::uint16_t kEthernetIpv4 = 0x0800;
  constexpr std::uint8_t kVersionAndLength = 0x45;
  const Bytes bytes = record.bytes;
  if (record.link_type != kLinkEthernet || bytes.size() < kLinkBytes + kIpv4HeaderBytes) return false;
  const std::uint8_t* const at = bytes.data() + kLinkBytes;
  if (load_be16(at - 2) != kEthernetIpv4 || at[0] != kVersionAndLength) return false;
  Payload payload;
  if (!decode_tcp_over_ipv4(at, kIpv4HeaderBytes, bytes.size() - kLinkBytes, segment.ip, payload)) return false;
  segment.vlan = {};
  segment.tunnel = 0;
  return set_segment(record, payload, segment) == DecodeError::none;
}

/// Decodes the next most frequent packets: in Ethernet or a Linux cooked capture, with or
/// without VLAN tags, TCP in IPv4 with or without options, or in IPv6 without extension
/// headers. Returns false for all others. decode_headers decodes these packets too, so a
/// new link type belongs in link.cc alone.
bool decode_common(const PacketRecord& record, Segment& segment);

/// The state before the first header of `record`, whose bytes it borrows.
DecodeState initial_state(const PacketRecord& record);

/// The slow path: decodes all headers from `state` on, down to the TCP segment of `record`.
/// On an error `state.error_detail` is set, and `segment` has no meaning. After
/// DecodeError::fragment the caller may complete `state` with the reassembled datagram's
/// payload and call this again.
DecodeError decode_headers(DecodeState& state, const PacketRecord& record, Segment& segment);

/// Decodes `record` without other records: of a fragmented IP datagram, the first fragment.
/// On an error `segment` has no meaning.
inline DecodeError decode(const PacketRecord& record, Segment& segment) {
  if (decode_plain(record, segment) || decode_common(record, segment)) return DecodeError::none;
  DecodeState state = initial_state(record);
  return decode_headers(state, record, segment);
}

}  // namespace wirelap
