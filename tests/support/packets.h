// Builds packets and captures in memory.
//
// Each layer is a function from its payload to bytes, so that a test can change any
// of them: link header ( IP header ( TCP header ( payload ) ) ). Checksums are 0:
// wirelap does not verify them.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "capture/packet_record.h"
#include "wire/decode.h"

namespace wirelap::test {

using Buffer = std::vector<std::uint8_t>;

inline Buffer bytes_of(std::string_view text) { return {text.begin(), text.end()}; }
inline std::string text_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

inline void append(Buffer& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
inline void put8(Buffer& to, unsigned value) { to.push_back(static_cast<std::uint8_t>(value)); }
inline void put16(Buffer& to, unsigned value) {
  put8(to, value >> 8 & 0xff);
  put8(to, value & 0xff);
}
inline void put32(Buffer& to, std::uint32_t value) {
  put16(to, value >> 16);
  put16(to, value & 0xffff);
}
/// Bytes from hexadecimal digits; spaces are ignored.
inline Buffer hex(std::string_view text) {
  Buffer bytes;
  std::string digits;
  for (const char c : text) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    put8(bytes, static_cast<unsigned>(std::stoul(digits, nullptr, 16)));
    digits.clear();
  }
  return bytes;
}

inline Buffer joined(std::initializer_list<Bytes> parts) {
  Buffer all;
  for (const Bytes part : parts) append(all, part);
  return all;
}

/// A TCP segment in IPv4 or IPv6 in Ethernet.
struct SegmentSpec {
  std::string source = "10.0.0.1";       ///< an address with a colon is IPv6; both are of one version
  std::string destination = "10.0.0.2";
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 80;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint8_t flags = kAck;             ///< TcpFlag bits
  std::uint16_t window = 65535;
  std::string payload;
  Buffer options;                        ///< of TCP; padded with zeros to a multiple of 4 bytes
  std::uint16_t ip_id = 0;               ///< IPv4 only
  std::vector<std::uint16_t> vlans;      ///< outermost first
};

/// TCP header and payload (RFC 9293, section 3.1).
inline Buffer tcp_segment(const SegmentSpec& spec) {
  Buffer options = spec.options;
  options.resize((options.size() + 3) / 4 * 4);
  Buffer segment;
  put16(segment, spec.source_port);
  put16(segment, spec.destination_port);
  put32(segment, spec.sequence);
  put32(segment, spec.acknowledgment);
  put8(segment, static_cast<unsigned>(5 + options.size() / 4) << 4);
  put8(segment, spec.flags);
  put16(segment, spec.window);
  put32(segment, 0);  // checksum, urgent pointer
  append(segment, options);
  append(segment, bytes_of(spec.payload));
  return segment;
}

/// The fields of an IPv4 or IPv6 header.
struct IpSpec {
  std::string source = "10.0.0.1";
  std::string destination = "10.0.0.2";
  std::uint8_t protocol = kProtocolTcp;  ///< IPv6: next header
  int length = -1;                       ///< the length field; -1: the correct value
  Buffer options = {};                   ///< IPv4 only; a multiple of 4 bytes
  std::uint16_t id = 0;                  ///< IPv4 only
  std::uint16_t fragment = 0;            ///< IPv4 only: flags and offset
};

inline Buffer address_bytes(int family, const std::string& text) {
  Buffer bytes(family == AF_INET ? 4 : 16);
  if (::inet_pton(family, text.c_str(), bytes.data()) != 1) std::abort();
  return bytes;
}

/// An IPv4 packet (RFC 791, section 3.1).
inline Buffer ipv4_packet(const IpSpec& spec, Bytes payload) {
  const std::size_t header_bytes = 20 + spec.options.size();
  Buffer packet;
  put8(packet, static_cast<unsigned>(0x40 | header_bytes / 4));
  put8(packet, 0);
  put16(packet, static_cast<unsigned>(spec.length < 0 ? static_cast<int>(header_bytes + payload.size()) : spec.length));
  put16(packet, spec.id);
  put16(packet, spec.fragment);
  put8(packet, 64);
  put8(packet, spec.protocol);
  put16(packet, 0);  // checksum
  append(packet, address_bytes(AF_INET, spec.source));
  append(packet, address_bytes(AF_INET, spec.destination));
  append(packet, spec.options);
  append(packet, payload);
  return packet;
}

/// An IPv6 packet (RFC 8200, section 3). Extension headers are part of `payload`.
inline Buffer ipv6_packet(const IpSpec& spec, Bytes payload) {
  Buffer packet;
  put32(packet, 0x60000000);
  put16(packet, static_cast<unsigned>(spec.length < 0 ? static_cast<int>(payload.size()) : spec.length));
  put8(packet, spec.protocol);
  put8(packet, 64);
  append(packet, address_bytes(AF_INET6, spec.source));
  append(packet, address_bytes(AF_INET6, spec.destination));
  append(packet, payload);
  return packet;
}

inline bool is_ipv6(const SegmentSpec& spec) { return spec.source.find(':') != std::string::npos; }

inline Buffer ip_packet(const SegmentSpec& spec) {
  IpSpec ip;
  ip.source = spec.source;
  ip.destination = spec.destination;
  ip.id = spec.ip_id;
  return is_ipv6(spec) ? ipv6_packet(ip, tcp_segment(spec)) : ipv4_packet(ip, tcp_segment(spec));
}

/// An Ethernet frame. `tags` are pairs of EtherType and VLAN identifier, outermost first.
inline Buffer ethernet(std::uint16_t ether_type, Bytes payload,
                       const std::vector<std::pair<std::uint16_t, std::uint16_t>>& tags = {}) {
  Buffer frame(12);
  for (const auto& [tag_type, id] : tags) {
    put16(frame, tag_type);
    put16(frame, id);
  }
  put16(frame, ether_type);
  append(frame, payload);
  return frame;
}

/// The segment in an Ethernet frame. The innermost VLAN tag is 802.1Q's, outer ones are 802.1ad's.
inline Buffer ethernet_frame(const SegmentSpec& spec) {
  std::vector<std::pair<std::uint16_t, std::uint16_t>> tags;
  for (std::size_t i = 0; i < spec.vlans.size(); ++i) {
    tags.emplace_back(i + 1 == spec.vlans.size() ? 0x8100 : 0x88a8, spec.vlans[i]);
  }
  return ethernet(is_ipv6(spec) ? 0x86dd : 0x0800, ip_packet(spec), tags);
}

/// A record as a Reader delivers it. `frame` is borrowed.
inline PacketRecord make_record(Bytes frame, Nanos time = 0, std::uint64_t number = 1,
                        std::uint32_t link_type = kLinkEthernet) {
  return {time, number, frame, static_cast<std::uint32_t>(frame.size()), link_type};
}

/// A pcap file in memory (draft-ietf-opsawg-pcap).
class PcapWriter {
 public:
  struct Options {
    bool big_endian = false;
    int decimals = 6;               ///< of timestamps: 6 or 9
    std::uint32_t link_type = kLinkEthernet;
    std::uint32_t fcs_bits = 0;     ///< the upper 16 bits of the link type field
    std::uint32_t snap_length = 262144;
    unsigned version_major = 2;
    unsigned version_minor = 4;
    bool modified = false;          ///< Kuznetzov's patch: record headers are 8 bytes longer
    bool captured_last = false;     ///< the captured length is the second of the two lengths
  };

  PcapWriter() : PcapWriter(Options{}) {}
  explicit PcapWriter(Options options) : options_(options) {
    put(options.modified ? 0xa1b2cd34 : options.decimals == 9 ? 0xa1b23c4d : 0xa1b2c3d4);
    put(options.big_endian ? options.version_major << 16 | options.version_minor
                           : options.version_minor << 16 | options.version_major);
    put(0);
    put(0);
    put(options.snap_length);
    put(options.fcs_bits << 16 | options.link_type);
  }

  /// Adds a record, truncated to the snap length. `wire_length` 0: the frame's length.
  void add(Nanos time, Bytes frame, std::size_t wire_length = 0) {
    starts_.push_back(bytes_.size());
    const Bytes captured = frame.first(std::min<std::size_t>(frame.size(), options_.snap_length));
    put(static_cast<std::uint32_t>(time / kNanosPerSecond));
    put(static_cast<std::uint32_t>(time % kNanosPerSecond / (options_.decimals == 9 ? 1 : kNanosPerMicro)));
    std::uint32_t lengths[] = {static_cast<std::uint32_t>(captured.size()),
                               static_cast<std::uint32_t>(wire_length == 0 ? frame.size() : wire_length)};
    if (options_.captured_last) std::swap(lengths[0], lengths[1]);
    put(lengths[0]);
    put(lengths[1]);
    if (options_.modified) append(bytes_, Buffer(8, 0xee));  // interface, protocol, packet type
    append(bytes_, captured);
  }

  const Buffer& bytes() const { return bytes_; }
  /// Offsets of the record headers.
  const std::vector<std::size_t>& starts() const { return starts_; }

 private:
  void put(std::uint32_t value) { put32(bytes_, options_.big_endian ? value : __builtin_bswap32(value)); }

  Options options_;
  Buffer bytes_;
  std::vector<std::size_t> starts_;
};

}  // namespace wirelap::test
