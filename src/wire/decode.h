// wire: from a record to the TCP segment in it.
//
// In: a Record. Out: a Segment, filled in place and reused, so that decoding
// allocates nothing; or the reason why there is none.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"
#include "capture/record.h"
#include "wire/ip.h"
#include "wire/link.h"
#include "wire/stop.h"
#include "wire/tcp.h"

namespace wirelap {

/// A TCP segment as captured. Its bytes live as long as the record's.
struct Segment {
  Nanos time = 0;
  std::uint64_t frame = 0;  ///< the record's number in its file
  VlanTags vlan;
  Packet ip;
  TcpHeader tcp;
  Bytes data;                     ///< payload, as far as captured
  std::uint32_t data_length = 0;  ///< payload bytes on the wire
};

/// Decodes `record` into `segment`. Returns Stop::none, or what it found instead
/// of TCP; the segment's fields then mean nothing.
inline Stop decode(const Record& record, Segment& segment) {
  Frame frame;
  Stop stop = decode_link(record.link_type, record.bytes, frame);
  if (stop != Stop::none) return stop;
  const auto link_bytes = static_cast<std::uint32_t>(record.bytes.size() - frame.ip.size());
  const std::uint32_t on_wire = record.length > link_bytes ? record.length - link_bytes : 0;
  stop = decode_ip(frame.ip, on_wire, segment.ip);
  if (stop != Stop::none) return stop;
  std::uint32_t header_bytes = 0;
  stop = decode_tcp(segment.ip.payload, segment.ip.payload_length, segment.tcp, header_bytes);
  if (stop != Stop::none) return stop;
  segment.time = record.time;
  segment.frame = record.number;
  segment.vlan = frame.vlan;
  const bool captured = segment.ip.payload.size() > header_bytes;
  segment.data = captured ? segment.ip.payload.subspan(header_bytes) : Bytes{};
  segment.data_length = segment.ip.payload_length - header_bytes;
  return Stop::none;
}

}  // namespace wirelap
