// wire/: frames of every link type are decoded to TCP segments; truncated and malformed frames give an error.

#include <doctest/doctest.h>

#include "flow/key.h"
#include "support/guarded.h"
#include "support/packets.h"

namespace wirelap::test {
namespace {

struct Decoded {
  DecodeError error = DecodeError::none;
  Segment segment;
};

/// Decodes `frame`. `wire_length` 0: the frame's size.
Decoded decode_frame(std::uint32_t link_type, Bytes frame, std::size_t wire_length = 0) {
  PacketRecord record = make_record(frame, 0, 1, link_type);
  if (wire_length != 0) record.length = static_cast<std::uint32_t>(wire_length);
  Decoded decoded;
  decoded.error = decode(record, decoded.segment);
  return decoded;
}

bool is_within(Bytes part, Bytes whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

/// The properties of every decoded segment, also of malformed frames.
bool is_consistent(const Segment& segment, Bytes frame) {
  const unsigned header_bytes = segment.tcp.data_offset / 16 * 4;
  const bool is_truncated = segment.tcp.options.size() + 20 < header_bytes;
  return is_within(segment.data, frame) && is_within(segment.tcp.options, frame) &&
         segment.data.size() <= segment.data_length && header_bytes >= 20 &&
         segment.tcp.options.size() + 20 <= header_bytes && (!is_truncated || segment.data.empty()) &&
         segment.data.data() == segment.tcp.options.data() + segment.tcp.options.size() && segment.vlan.count <= 2;
}

const SegmentSpec kSpec = [] {
  SegmentSpec spec;
  spec.source = "192.0.2.1";
  spec.destination = "198.51.100.7";
  spec.source_port = 40001;
  spec.destination_port = 8080;
  spec.sequence = 0xfedcba98;
  spec.acknowledgment = 0x01234567;
  spec.flags = kAck | kPsh;
  spec.window = 0xabcd;
  spec.ip_id = 0x1234;
  spec.payload = "GET / HTTP/1.1\r\n\r\n";
  return spec;
}();

const SegmentSpec kSpec6 = [] {
  SegmentSpec spec = kSpec;
  spec.source = "2001:db8::1";
  spec.destination = "2001:db8:0:1::ffff";
  return spec;
}();

IpSpec ip_of(const SegmentSpec& spec) {
  IpSpec ip;
  ip.source = spec.source;
  ip.destination = spec.destination;
  ip.id = spec.ip_id;
  return ip;
}

/// Checks that the segment has all values of `spec`.
void check_segment(const Decoded& decoded, const SegmentSpec& spec) {
  REQUIRE(decoded.error == DecodeError::none);
  const Segment& segment = decoded.segment;
  const bool v6 = is_ipv6(spec);
  const auto address = [&](const std::string& text) {
    const Buffer bytes = address_bytes(v6 ? AF_INET6 : AF_INET, text);
    return v6 ? Address{load_be64(&bytes[0]), load_be64(&bytes[8])} : Address{0, kIpv4Mapped | load_be32(&bytes[0])};
  };
  CHECK(segment.ip.version == (v6 ? 6 : 4));
  CHECK(segment.ip.source() == address(spec.source));
  CHECK(segment.ip.destination() == address(spec.destination));
  CHECK(segment.ip.id == (v6 ? 0 : spec.ip_id));
  CHECK(segment.tcp.source_port == spec.source_port);
  CHECK(segment.tcp.destination_port == spec.destination_port);
  CHECK(segment.tcp.sequence == spec.sequence);
  CHECK(segment.tcp.acknowledgment == spec.acknowledgment);
  CHECK(segment.tcp.flags == spec.flags);
  CHECK(segment.tcp.window == spec.window);
  CHECK(text_of(segment.data) == spec.payload);
  CHECK(segment.data_length == spec.payload.size());
}

/// A well-formed frame and the ends of its headers.
struct Sample {
  std::string name;
  std::uint32_t link_type;
  Buffer frame;
  std::size_t link_end;  ///< offset of the IP header
  std::size_t ip_end;    ///< offset of the TCP header
  std::vector<std::uint16_t> vlans = {};
  bool v6 = false;
};

/// A sample with a link header in hexadecimal.
Sample sample(std::string name, std::uint32_t link_type, std::string_view header, const Buffer& packet,
              std::vector<std::uint16_t> vlans = {}) {
  const Buffer link = hex(header);
  const bool v6 = packet[0] >> 4 == 6;
  const std::size_t ip_bytes = v6 ? 40 : (packet[0] & 0x0fu) * 4u;
  return {std::move(name), link_type, joined({link, packet}), link.size(), link.size() + ip_bytes, std::move(vlans), v6};
}

/// A sample of an IPv6 packet with `extensions` in hexadecimal; the first one is of type `first`.
Sample sample6(const std::string& name, std::uint8_t first, std::string_view extensions) {
  IpSpec ip = ip_of(kSpec6);
  ip.protocol = first;
  const Buffer headers = hex(extensions);
  Sample made = sample(name, kLinkRaw, "", ipv6_packet(ip, joined({headers, tcp_segment(kSpec6)})));
  made.ip_end += headers.size();
  return made;
}

constexpr const char* kEthernetAddresses = "0200 0000 0001 0200 0000 0002 ";
std::string ether(const std::string& rest) { return kEthernetAddresses + rest; }

/// Frames of all kinds that wirelap decodes. All contain the same segment.
const std::vector<Sample>& samples() {
  static const std::vector<Sample> all = [] {
    const Buffer v4 = ip_packet(kSpec), v6 = ip_packet(kSpec6);
    IpSpec with_options = ip_of(kSpec);
    with_options.options = hex("94040000 0101 0100 00000000");  // RFC 2113 router alert, no-operation, end
    IpSpec most_options = ip_of(kSpec);
    most_options.options = Buffer(40, 1);
    return std::vector<Sample>{
        // tcpdump.org/linktypes.html
        sample("Ethernet, IPv4", kLinkEthernet, ether("0800"), v4),
        sample("Ethernet, IPv6", kLinkEthernet, ether("86dd"), v6),
        sample("802.1Q", kLinkEthernet, ether("8100 0064 0800"), v4, {100}),
        sample("802.1Q, priority and DEI bits", kLinkEthernet, ether("8100 ffff 86dd"), v6, {0xfff}),
        sample("802.1Q, priority tag", kLinkEthernet, ether("8100 e000 0800"), v4, {0}),
        sample("802.1ad, QinQ", kLinkEthernet, ether("88a8 0064 8100 00c8 0800"), v4, {100, 200}),
        sample("QinQ by 0x9100", kLinkEthernet, ether("9100 0064 8100 00c8 0800"), v4, {100, 200}),
        sample("802.1Q in 802.1Q", kLinkEthernet, ether("8100 0001 8100 0002 86dd"), v6, {1, 2}),
        sample("three tags: the outer two count", kLinkEthernet, ether("88a8 0001 88a8 0002 8100 0003 0800"), v4, {1, 2}),
        sample("BSD loopback, little-endian IPv4", kLinkNull, "02000000", v4),
        sample("BSD loopback, big-endian IPv4", kLinkNull, "00000002", v4),
        sample("BSD loopback, IPv6 of NetBSD and OpenBSD", kLinkNull, "18000000", v6),
        sample("BSD loopback, IPv6 of FreeBSD", kLinkNull, "1c000000", v6),
        sample("BSD loopback, IPv6 of macOS", kLinkNull, "1e000000", v6),
        sample("BSD loopback, big-endian IPv6 of macOS", kLinkNull, "0000001e", v6),
        sample("BSD loopback, IPv6 of Linux", kLinkNull, "0a000000", v6),
        sample("OpenBSD loopback, IPv4", kLinkLoop, "00000002", v4),
        sample("OpenBSD loopback, IPv6", kLinkLoop, "00000018", v6),
        sample("raw IP, IPv4", kLinkRaw, "", v4),
        sample("raw IP, IPv6", kLinkRaw, "", v6),
        sample("raw IP, the BSD number", kLinkRawBsd, "", v4),
        sample("raw IP, the OpenBSD number", kLinkRawOpenBsd, "", v6),
        sample("LINKTYPE_IPV4", kLinkIpv4, "", v4),
        sample("LINKTYPE_IPV6", kLinkIpv6, "", v6),
        sample("Linux cooked, IPv4", kLinkLinuxSll, "0000 0001 0006 020000000001 0000 0800", v4),
        sample("Linux cooked, IPv6", kLinkLinuxSll, "0004 0304 0006 000000000000 0000 86dd", v6),
        sample("Linux cooked, 802.1Q", kLinkLinuxSll, "0000 0001 0006 020000000001 0000 8100 0064 0800", v4, {100}),
        sample("Linux cooked, QinQ", kLinkLinuxSll, "0000 0001 0006 020000000001 0000 88a8 0064 8100 00c8 0800", v4, {100, 200}),
        sample("Linux cooked v2, IPv4", kLinkLinuxSll2, "0800 0000 00000003 0001 00 06 0200000000010000", v4),
        sample("Linux cooked v2, IPv6", kLinkLinuxSll2, "86dd 0000 00000003 0304 04 06 0000000000000000", v6),
        sample("Linux cooked v2, 802.1Q", kLinkLinuxSll2, "8100 0000 00000003 0001 00 06 0200000000010000 0064 0800", v4, {100}),
        sample("Linux cooked v2, QinQ", kLinkLinuxSll2, "88a8 0000 00000003 0001 00 06 0200000000010000 0064 8100 00c8 86dd", v6, {100, 200}),
        // RFC 791, section 3.1
        sample("IPv4 options", kLinkRaw, "", ipv4_packet(with_options, tcp_segment(kSpec))),
        sample("IPv4 options, all 40 bytes", kLinkRaw, "", ipv4_packet(most_options, tcp_segment(kSpec))),
        // RFC 8200, section 4; RFC 4302; RFC 6275; RFC 7401; RFC 5533
        sample6("hop-by-hop options", 0, "06 00 010400000000"),
        sample6("hop-by-hop options of 24 bytes", 0, "06 02 011400000000 00000000 00000000 00000000 00000000"),
        sample6("routing", 43, "06 02 04 00 00000000 20010db8000000000000000000000099"),
        sample6("fragment header, whole packet (RFC 6946)", 44, "06 00 0000 01020304"),
        sample6("fragment header, first fragment", 44, "06 00 0001 01020304"),
        sample6("authentication, 12 bytes", 51, "06 01 0000 00000001 00000002"),
        sample6("authentication, 24 bytes", 51, "06 04 0000 00000001 00000002 0102030405060708090a0b0c"),
        sample6("destination options", 60, "06 00 010400000000"),
        sample6("mobility", 135, "06 00 0000 00000000"),
        sample6("host identity", 139, "06 00 0000 00000000"),
        sample6("shim6", 140, "06 00 0000 00000000"),
        sample6("the order that RFC 8200 4.1 recommends", 0,
                "3c 00 010400000000  2b 00 010400000000  2c 00 0400 00000000  33 00 0001 01020304 "
                "3c 01 0000 00000001 00000002  06 00 010400000000"),
    };
  }();
  return all;
}

TEST_CASE("wire: every link type is decoded, with VLAN tags, IP options and extension headers") {
  for (const Sample& test : samples()) {
    INFO(test.name);
    const Decoded decoded = decode_frame(test.link_type, test.frame);
    check_segment(decoded, test.v6 ? kSpec6 : kSpec);
    const VlanTags& vlan = decoded.segment.vlan;
    CHECK(std::vector<std::uint16_t>(vlan.ids, vlan.ids + vlan.count) == test.vlans);
    CHECK(is_consistent(decoded.segment, test.frame));
  }
}

// With a snaplen, a record has fewer bytes than its length on the wire; in a malformed record both may be short.
TEST_CASE("wire: a frame truncated at any byte gives an error, and no byte behind it is read") {
  GuardedBuffer guarded;
  for (const Sample& test : samples()) {
    INFO(test.name);
    const std::size_t payload_bytes = kSpec.payload.size();
    for (std::size_t held = 0; held <= test.frame.size(); ++held) {
      CAPTURE(held);
      const Bytes bytes = guarded.hold(Bytes(test.frame).first(held));
      const DecodeError expected = held < test.link_end      ? DecodeError::link_truncated
                            : held < test.ip_end      ? DecodeError::ip_truncated
                            : held < test.ip_end + 20 ? DecodeError::tcp_truncated
                                                      : DecodeError::none;
      for (const std::size_t wire_length : {test.frame.size(), held}) {
        const Decoded decoded = decode_frame(test.link_type, bytes, wire_length);
        REQUIRE(decoded.error == expected);
        if (expected != DecodeError::none) continue;
        REQUIRE(is_consistent(decoded.segment, bytes));
        REQUIRE(decoded.segment.data_length == payload_bytes);
        REQUIRE(decoded.segment.data.size() == held - test.ip_end - 20);
      }
    }
  }
}

// Malicious captures: for any value of any byte, a segment lies within the frame.
TEST_CASE("wire: any value of any byte of a frame gives an error or a segment within the frame") {
  SegmentSpec spec = kSpec;
  spec.options = hex("020405b4 0402 080a0000000100000002 010303070101050a 0000000100000002");
  spec.vlans = {100, 200};
  IpSpec ip = ip_of(kSpec6);
  ip.protocol = 0;
  const Buffer chain = hex("2c 00 010400000000 3c 00 0001 00000000 33 00 010400000000 06 01 0000 00000001 00000002");
  const std::pair<std::uint32_t, Buffer> frames[] = {
      {kLinkEthernet, ethernet_frame(spec)},
      {kLinkLinuxSll2, joined({hex("86dd 0000 00000003 0001 00 06 0200000000010000"),
                               ipv6_packet(ip, joined({chain, tcp_segment(spec)}))})}};
  GuardedBuffer guarded;
  for (const auto& [link_type, frame] : frames) {
    REQUIRE(decode_frame(link_type, frame).error == DecodeError::none);
    int segments = 0;
    for (std::size_t at = 0; at < frame.size(); ++at) {
      Buffer broken = frame;
      for (unsigned value = 0; value < 256; ++value) {
        broken[at] = static_cast<std::uint8_t>(value);
        const Bytes bytes = guarded.hold(broken);
        const Decoded decoded = decode_frame(link_type, bytes);
        if (decoded.error != DecodeError::none) continue;
        ++segments;
        const TcpOptions options = decode_tcp_options(decoded.segment.tcp.options);
        const bool is_valid = is_consistent(decoded.segment, bytes) && options.sack_blocks <= 4 && options.window_shift <= 14;
        if (!is_valid) FAIL("byte " << at << " set to " << value);
      }
    }
    CHECK(segments > static_cast<int>(frame.size()) * 100);
  }
}

TEST_CASE("wire: the error of a frame without IP names its protocol") {
  struct Case {
    std::string name;
    std::uint32_t link_type;
    std::string header;
    DecodeError error;
  };
  const Case cases[] = {
      {"ARP", kLinkEthernet, ether("0806"), DecodeError::not_ip},
      {"ARP in a VLAN", kLinkEthernet, ether("8100 0064 0806"), DecodeError::not_ip},
      {"802.3 length, spanning tree", kLinkEthernet, ether("0026 4242 03"), DecodeError::not_ip_llc},
      {"PPPoE discovery", kLinkEthernet, ether("8863 1109 0000 0004 01010000"), DecodeError::not_ip},
      {"PPPoE, no data", kLinkEthernet, ether("8864 11a7 0001 0000"), DecodeError::link_malformed},
      {"PPPoE, LCP", kLinkEthernet, ether("8864 1100 0001 0006 c021 0901 0004"), DecodeError::not_ip_ppp},
      {"Linux cooked, ARP", kLinkLinuxSll, "0000 0001 0006 020000000001 0000 0806", DecodeError::not_ip},
      {"Linux cooked v2, ARP", kLinkLinuxSll2, "0806 0000 00000003 0001 00 06 0200000000010000", DecodeError::not_ip},
      {"loopback, AppleTalk", kLinkNull, "10000000", DecodeError::not_ip},
      {"loopback, family in neither byte order", kLinkNull, "02000002", DecodeError::not_ip},
      {"loopback, zero", kLinkLoop, "00000000", DecodeError::not_ip},
      {"USB", 220, "", DecodeError::link_unknown},
      {"an unassigned link type", 0xffffffff, "", DecodeError::link_unknown},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    CHECK(decode_frame(test.link_type, joined({hex(test.header), ip_packet(kSpec)})).error == test.error);
  }
  // A frame of VLAN tags only: decoding ends, without an over-read.
  Buffer tags = hex(kEthernetAddresses);
  for (int i = 0; i < 500; ++i) put32(tags, 0x81000001);
  GuardedBuffer guarded;
  CHECK(decode_frame(kLinkEthernet, guarded.hold(tags)).error == DecodeError::link_truncated);
}

TEST_CASE("wire: the errors of IP headers without TCP and of malformed IP headers") {
  const auto v4 = [](auto change) {
    Buffer packet = ip_packet(kSpec);
    change(packet);
    return packet;
  };
  const auto v6 = [](auto change) {
    Buffer packet = ip_packet(kSpec6);
    change(packet);
    return packet;
  };
  struct Case {
    std::string name;
    Buffer packet;
    DecodeError error;
  };
  const auto set16 = [](std::size_t at, unsigned value) {
    return [=](Buffer& packet) {
      packet[at] = static_cast<std::uint8_t>(value >> 8);
      packet[at + 1] = static_cast<std::uint8_t>(value & 0xff);
    };
  };
  const auto set8 = [](std::size_t at, unsigned value) {
    return [=](Buffer& packet) { packet[at] = static_cast<std::uint8_t>(value); };
  };
  const auto extension = [](std::uint8_t first, std::string_view headers, int length = -1) {
    IpSpec ip = ip_of(kSpec6);
    ip.protocol = first;
    ip.length = length;
    return ipv6_packet(ip, joined({hex(headers), tcp_segment(kSpec6)}));
  };
  const Case cases[] = {
      // RFC 791, section 3.1
      {"version 0", v4(set8(0, 0x05)), DecodeError::ip_malformed},
      {"version 5", v4(set8(0, 0x55)), DecodeError::ip_malformed},
      {"version 15", v4(set8(0, 0xf5)), DecodeError::ip_malformed},
      {"IHL 0", v4(set8(0, 0x40)), DecodeError::ip_malformed},
      {"IHL 4", v4(set8(0, 0x44)), DecodeError::ip_malformed},
      {"IHL greater than the total length", v4(set16(2, 20)), DecodeError::tcp_malformed},
      {"total length less than the header length", v4(set16(2, 19)), DecodeError::ip_malformed},
      {"total length 1", v4(set16(2, 1)), DecodeError::ip_malformed},
      {"UDP", v4(set8(9, 17)), DecodeError::not_tcp},
      {"ICMP", v4(set8(9, 1)), DecodeError::not_tcp},
      {"a later fragment", v4(set16(6, 0x2001)), DecodeError::fragment},
      {"the last fragment", v4(set16(6, 0x0001)), DecodeError::fragment},
      {"the last possible fragment", v4(set16(6, 0x1fff)), DecodeError::fragment},
      {"a fragment by its highest offset bit", v4(set16(6, 0x1000)), DecodeError::fragment},
      {"first fragment", v4(set16(6, 0x2000)), DecodeError::none},
      {"don't fragment", v4(set16(6, 0x4000)), DecodeError::none},
      {"don't fragment and the reserved bit (RFC 3514)", v4(set16(6, 0xc000)), DecodeError::none},
      {"a later fragment of UDP", v4([&](Buffer& packet) { set8(9, 17)(packet); set16(6, 0x2001)(packet); }), DecodeError::fragment},
      {"a later fragment of ICMP", v4([&](Buffer& packet) { set8(9, 1)(packet); set16(6, 0x2001)(packet); }), DecodeError::not_tcp},
      // RFC 8200, sections 3 and 4
      {"UDP in IPv6", v6(set8(6, 17)), DecodeError::not_tcp},
      {"no next header (59)", v6(set8(6, 59)), DecodeError::not_tcp},
      {"ESP (50)", v6(set8(6, 50)), DecodeError::not_tcp},
      {"payload length less than a TCP header", v6(set16(4, 19)), DecodeError::tcp_malformed},
      {"ICMPv6 after an extension header", extension(0, "3a 00 010400000000"), DecodeError::not_tcp},
      {"a later fragment", extension(44, "06 00 0008 01020304"), DecodeError::fragment},
      {"the last possible fragment", extension(44, "06 00 fff8 01020304"), DecodeError::fragment},
      {"a later fragment after hop-by-hop", extension(0, "2c 00 010400000000 06 00 0009 01020304"), DecodeError::fragment},
      {"an extension header past the payload length", extension(0, "06 01 010400000000 0000000000000000", 8), DecodeError::ip_malformed},
      {"an extension header of 2048 bytes, which the packet does not have", extension(60, "06 ff 010400000000"), DecodeError::ip_malformed},
      {"authentication past the payload length", extension(51, "06 ff 0000 00000001 00000002"), DecodeError::ip_malformed},
      {"no bytes", {}, DecodeError::ip_truncated},
  };
  GuardedBuffer guarded;
  for (const Case& test : cases) {
    INFO(test.name);
    CHECK(decode_frame(kLinkRaw, guarded.hold(test.packet)).error == test.error);
  }
  // Decoding also ends for a packet of 64,000 bytes that consists of extension headers only.
  Buffer chain;
  for (int i = 0; i < 8000; ++i) append(chain, hex("3c 00 010400000000"));
  IpSpec ip = ip_of(kSpec6);
  ip.protocol = 60;
  CHECK(decode_frame(kLinkRaw, guarded.hold(ipv6_packet(ip, chain))).error != DecodeError::none);
}

TEST_CASE("wire: the IP header determines the payload's length, not the frame") {
  SegmentSpec spec = kSpec;
  for (const std::string payload : {"", "x", "payload"}) {
    for (const bool v6 : {false, true}) {
      for (const std::size_t trailer : {0, 1, 6, 46}) {
        CAPTURE(payload);
        CAPTURE(v6);
        CAPTURE(trailer);
        spec = v6 ? kSpec6 : kSpec;
        spec.payload = payload;
        // Padding to Ethernet's minimum of 60 bytes (IEEE 802.3, section 3.2.8), or a frame check sequence.
        const Buffer frame = joined({ethernet_frame(spec), Buffer(trailer, 0x99)});
        check_segment(decode_frame(kLinkEthernet, frame), spec);
      }
    }
  }
}

// Segmentation offload leaves IPv4's Total Length 0 at the sender. IPv6's Payload Length is 0 in jumbograms
// (RFC 2675) and in packets over 64 KB that offload built.
TEST_CASE("wire: for an IP length of 0, the length in the capture counts") {
  struct Case {
    std::string name;
    bool v6;
    std::string extensions;
    std::size_t payload_bytes;
  };
  const Case cases[] = {{"IPv4", false, "", 1000},
                        {"IPv4, more than 64 KB", false, "", 70'000},
                        {"IPv6", true, "", 1000},
                        {"IPv6, more than 64 KB", true, "", 70'000},
                        {"jumbogram", true, "06 00 c204 00011194", 70'000}};
  for (const Case& test : cases) {
    INFO(test.name);
    SegmentSpec spec = test.v6 ? kSpec6 : kSpec;
    spec.payload = std::string(test.payload_bytes, 'p');
    IpSpec ip = ip_of(spec);
    ip.length = 0;
    const Buffer extensions = hex(test.extensions);
    if (!extensions.empty()) ip.protocol = 0;
    const Buffer packet = joined({extensions, tcp_segment(spec)});
    const Buffer frame = test.v6 ? ethernet(0x86dd, ipv6_packet(ip, packet)) : ethernet(0x0800, ipv4_packet(ip, packet));
    check_segment(decode_frame(kLinkEthernet, frame), spec);

    const Decoded truncated = decode_frame(kLinkEthernet, Bytes(frame).first(200), frame.size());
    REQUIRE(truncated.error == DecodeError::none);
    CHECK(truncated.segment.data_length == test.payload_bytes);
    CHECK(truncated.segment.data.size() == 200 - (frame.size() - test.payload_bytes));
  }

  IpSpec ip = ip_of(kSpec);
  ip.length = 0;
  const Buffer frame = ethernet(0x0800, ipv4_packet(ip, tcp_segment(kSpec)));
  // The length in the capture is less than that of the headers.
  for (const std::size_t wire_length : {1, 14, 33}) {
    CAPTURE(wire_length);
    CHECK(decode_frame(kLinkEthernet, frame, wire_length).error == DecodeError::ip_malformed);
  }
  CHECK(decode_frame(kLinkEthernet, frame, 53).error == DecodeError::tcp_malformed);
  ip = ip_of(kSpec6);
  ip.length = 0;
  const Buffer frame6 = ethernet(0x86dd, ipv6_packet(ip, tcp_segment(kSpec6)));
  for (const std::size_t wire_length : {1, 14, 53, 54, 73}) {
    CAPTURE(wire_length);
    CHECK(decode_frame(kLinkEthernet, frame6, wire_length).error == DecodeError::tcp_malformed);
  }
}

TEST_CASE("wire: a snaplen limits the captured data of a segment, not their length") {
  SegmentSpec spec = kSpec;
  spec.payload = std::string(1448, 'd');
  spec.options = hex("0101 080a0000000100000002");
  const Buffer frame = ethernet_frame(spec);
  struct Case {
    std::size_t snap, held;
  };
  const Case cases[] = {{54, 0}, {60, 0}, {66, 0}, {67, 1}, {96, 30}, {1514, 1448}};
  for (const Case& test : cases) {
    CAPTURE(test.snap);
    const Decoded decoded = decode_frame(kLinkEthernet, Bytes(frame).first(test.snap), frame.size());
    REQUIRE(decoded.error == DecodeError::none);
    CHECK(decoded.segment.data_length == 1448);
    CHECK(decoded.segment.data.size() == test.held);
    CHECK(decoded.segment.tcp.options.size() == std::min<std::size_t>(12, test.snap - 54));
  }
}

TEST_CASE("wire: without reassembly, a first fragment is decoded with the bytes that it contains") {
  SegmentSpec spec = kSpec;
  spec.payload = std::string(40, 'f');
  IpSpec ip = ip_of(spec);
  ip.fragment = 0x2000;
  check_segment(decode_frame(kLinkRaw, ipv4_packet(ip, tcp_segment(spec))), spec);
}

TEST_CASE("wire: a reused Segment keeps no value of the previous packet") {
  SegmentSpec tagged = kSpec;
  tagged.vlans = {1, 2};
  tagged.options = hex("020405b4");
  const Buffer first = ethernet_frame(tagged), second = ethernet_frame(kSpec6);
  Segment segment;
  REQUIRE(decode(make_record(first, 5, 7), segment) == DecodeError::none);
  CHECK(segment.time == 5);
  CHECK(segment.packet == 7);
  Decoded decoded;
  decoded.error = decode(make_record(second, 6, 8), segment);
  decoded.segment = segment;
  check_segment(decoded, kSpec6);
  CHECK(segment.vlan.count == 0);
  CHECK(segment.tcp.options.empty());
  CHECK(segment.time == 6);
  CHECK(segment.packet == 8);
}

// RFC 9293, section 3.1
TEST_CASE("tcp: the header length is checked against the segment") {
  struct Case {
    std::string name;
    unsigned words;
    std::size_t held;
    std::uint32_t wire_length;
    DecodeError error;
  };
  const Case cases[] = {{"no options", 5, 20, 20, DecodeError::none},
                        {"data offset 0", 0, 60, 60, DecodeError::tcp_malformed},
                        {"data offset 4", 4, 60, 60, DecodeError::tcp_malformed},
                        {"all options", 15, 60, 60, DecodeError::none},
                        {"longer than the segment", 6, 23, 23, DecodeError::tcp_malformed},
                        {"longer than the segment on the wire", 15, 60, 59, DecodeError::tcp_malformed},
                        {"truncated options", 15, 20, 60, DecodeError::none},
                        {"truncated header", 5, 19, 20, DecodeError::tcp_truncated},
                        {"nothing captured", 5, 0, 20, DecodeError::tcp_truncated},
                        {"too short on the wire", 5, 19, 19, DecodeError::tcp_malformed},
                        {"nothing on the wire", 5, 0, 0, DecodeError::tcp_malformed}};
  GuardedBuffer guarded;
  for (const Case& test : cases) {
    INFO(test.name);
    Buffer bytes(60, 1);
    bytes[12] = static_cast<std::uint8_t>(test.words << 4 | 0x0f);  // the lower bits are reserved
    TcpHeader tcp;
    std::uint32_t header_bytes = 0;
    const DecodeError error = decode_tcp(guarded.hold(Bytes(bytes).first(test.held)), test.wire_length, tcp, header_bytes);
    CHECK(error == test.error);
    if (error != DecodeError::none) continue;
    CHECK(header_bytes == test.words * 4);
    CHECK(tcp.options.size() == std::min<std::size_t>(test.held, header_bytes) - 20);
  }
}

TEST_CASE("tcp: well-formed options are decoded, malformed ones end the list or are ignored") {
  struct Case {
    std::string name;
    std::string options;
    void (*expect)(TcpOptions&);
  };
  const auto nothing = [](TcpOptions&) {};
  const auto mss = [](TcpOptions& o) { o.max_segment_size = 1460; };
  const Case cases[] = {
      {"none", "", nothing},
      // RFC 9293, section 3.2
      {"maximum segment size", "020405b4", mss},
      {"maximum segment size 0", "02040000", nothing},
      {"after no-operations", "010101 020405b4", mss},
      {"before the end of the list", "020405b4 00 030307", mss},
      {"after the end of the list", "00 020405b4", nothing},
      {"twice: the last one counts", "02040001 020405b4", mss},
      {"of a wrong length", "020305 02050005b4 0202", nothing},
      // RFC 7323, sections 2.2, 2.3 and 3.2
      {"window scale 0", "030300", [](TcpOptions& o) { o.window_shift = 0; }},
      {"window scale 7", "030307", [](TcpOptions& o) { o.window_shift = 7; }},
      {"window scale 14", "03030e", [](TcpOptions& o) { o.window_shift = 14; }},
      {"window scale over 14 is 14", "03030f", [](TcpOptions& o) { o.window_shift = 14; }},
      {"window scale 255 is 14", "0303ff", [](TcpOptions& o) { o.window_shift = 14; }},
      {"window scale of a wrong length", "0302 03040707", nothing},
      {"timestamps", "080a 01020304 a0b0c0d0",
       [](TcpOptions& o) { o.has_timestamps = true; o.tsval = 0x01020304; o.tsecr = 0xa0b0c0d0; }},
      {"timestamps of a wrong length", "0809 01020304 a0b0c0 080b 01020304 a0b0c0d0 00", nothing},
      // RFC 2018, sections 2 and 3
      {"SACK permitted", "0402", [](TcpOptions& o) { o.sack_permitted = true; }},
      {"SACK, one block", "050a 00000001 00000002",
       [](TcpOptions& o) { o.sack_blocks = 1; o.sack[0] = {1, 2}; }},
      {"SACK, four blocks", "0522 00000001 00000002 00000003 00000004 00000005 00000006 fffffff0 0000000f",
       [](TcpOptions& o) { o.sack_blocks = 4; o.sack[0] = {1, 2}; o.sack[1] = {3, 4}; o.sack[2] = {5, 6}; o.sack[3] = {0xfffffff0, 15}; }},
      {"SACK without a block", "0502", nothing},
      {"SACK options of five blocks in all", "0522 00000001 00000002 00000001 00000002 00000001 00000002 00000001 00000002 "
       "050a 00000009 00000009",
       [](TcpOptions& o) { o.sack_blocks = 4; for (auto& block : o.sack) block = {1, 2}; }},
      // RFC 9293, section 3.1: unknown options are skipped by their length.
      {"unknown options in between", "fd04abcd 020405b4 1e0400 00 220a0102030405060708", mss},
      {"length 0", "020405b4 0300 030307", mss},
      {"length 1", "020405b4 0301 030307", mss},
      {"length past the end", "020405b4 0304 07", mss},
      {"a kind without a length", "020405b4 03", mss},
      {"a length without a body", "020405b4 080a", mss},
      {"Linux SYN", "020405b4 0402 080a 00000001 00000000 01 030307",
       [](TcpOptions& o) { o.max_segment_size = 1460; o.sack_permitted = true; o.has_timestamps = true; o.tsval = 1; o.window_shift = 7; }},
  };
  GuardedBuffer guarded;
  for (const Case& test : cases) {
    INFO(test.name);
    TcpOptions expected;
    test.expect(expected);
    const TcpOptions decoded = decode_tcp_options(guarded.hold(hex(test.options)));
    CHECK(decoded.max_segment_size == expected.max_segment_size);
    CHECK(int{decoded.window_shift} == int{expected.window_shift});
    CHECK(decoded.sack_permitted == expected.sack_permitted);
    CHECK(decoded.has_timestamps == expected.has_timestamps);
    CHECK(decoded.tsval == expected.tsval);
    CHECK(decoded.tsecr == expected.tsecr);
    REQUIRE(decoded.sack_blocks == expected.sack_blocks);
    for (int i = 0; i < decoded.sack_blocks; ++i) {
      CHECK(decoded.sack[i].left_edge == expected.sack[i].left_edge);
      CHECK(decoded.sack[i].right_edge == expected.sack[i].right_edge);
    }
  }
}

TEST_CASE("tcp: no byte behind a truncated or malformed option list is read") {
  const Buffer options = hex("020405b4 0402 080a0000000100000002 01 030307 0512 00000001 00000002 00000003 00000004 00 00");
  GuardedBuffer guarded;
  for (std::size_t held = 0; held <= options.size(); ++held) {
    Buffer prefix(options.begin(), options.begin() + static_cast<std::ptrdiff_t>(held));
    CHECK(decode_tcp_options(guarded.hold(prefix)).sack_blocks == (held >= 38 ? 2 : 0));
    for (std::uint8_t& byte : prefix) {
      const std::uint8_t kept = byte;
      for (unsigned value = 0; value < 256; ++value) {
        byte = static_cast<std::uint8_t>(value);
        const TcpOptions decoded = decode_tcp_options(guarded.hold(prefix));
        if (decoded.sack_blocks > 4 || decoded.window_shift > 14) FAIL("value " << value);
      }
      byte = kept;
    }
  }
}

TEST_CASE("bytes: integers are loaded at any alignment, in both byte orders") {
  GuardedBuffer guarded;
  for (std::size_t skipped = 0; skipped < 8; ++skipped) {
    CAPTURE(skipped);
    const Bytes held = guarded.hold(joined({hex("0102030405060708"), Buffer(skipped)}));
    CHECK(load_be16(held.data()) == 0x0102);
    CHECK(load_be32(held.data()) == 0x01020304);
    CHECK(load_be64(held.data()) == 0x0102030405060708);
    CHECK(load_le16(held.data()) == 0x0201);
    CHECK(load_le32(held.data()) == 0x04030201);
  }
}

TEST_CASE("key: both directions of a connection have the same key; different VLANs and IP versions have different keys") {
  const auto key_of = [](const SegmentSpec& spec, Side& sender) {
    const Buffer frame = ethernet_frame(spec);
    return make_flow_key(decode_frame(kLinkEthernet, frame).segment, sender);
  };
  SegmentSpec there = kSpec, back = kSpec;
  std::swap(back.source, back.destination);
  std::swap(back.source_port, back.destination_port);
  Side from_there{}, from_back{};
  const FlowKey key = key_of(there, from_there);
  CHECK(key == key_of(back, from_back));
  CHECK(from_there != from_back);
  Side side{};
  there.vlans = {100};
  const FlowKey tagged = key_of(there, side);
  CHECK_FALSE(tagged == key);
  there.vlans = {100, 0};
  CHECK_FALSE(key_of(there, side) == tagged);
  SegmentSpec v6 = kSpec;
  v6.source = "::ffff:192.0.2.1";
  v6.destination = "::ffff:198.51.100.7";
  CHECK_FALSE(key_of(v6, side) == key);
}

}  // namespace
}  // namespace wirelap::test
