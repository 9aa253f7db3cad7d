// wire/: one real capture in every encapsulation. Link types and tunnels do not change
// the records, and connections of two tenants stay separate.
#include <doctest/doctest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "capture/reader.h"
#include "engine.h"
#include "support/guarded.h"
#include "support/packets.h"
#include "wire/decoder.h"
#include "wire/ether.h"
#include "wire/tunnel.h"

namespace wirelap::test {
namespace {

// ---- The packets of a real capture.

/// A packet of a fixture, from its IP header on.
struct RealPacket {
  Nanos time;
  Buffer packet;
  bool from_client;
};

/// The IP packets of a fixture in Ethernet with one client, which sends the first packet.
std::vector<RealPacket> real_packets(const std::string& fixture) {
  Input input({});
  REQUIRE(input.open("fixtures/" + fixture + ".pcap") == 0);
  Reader reader(input, fixture);
  REQUIRE(reader.start());
  std::vector<RealPacket> all;
  PacketRecord record;
  Segment segment;
  Address client;
  while (reader.next(record)) {
    if (decode(record, segment) != DecodeError::none) continue;
    if (all.empty()) client = segment.ip.source();
    const Bytes packet = record.bytes.subspan(14);
    all.push_back({record.time, {packet.begin(), packet.end()}, segment.ip.source() == client});
  }
  REQUIRE(all.size() > 20);
  return all;
}

/// The records, as ndjson, of frames of one link type.
struct Run {
  std::string records;
  DecodeCounts counts;
};
Run run_engine(std::uint32_t link_type, const std::vector<std::pair<Nanos, Buffer>>& frames) {
  PcapWriter::Options options;
  options.link_type = link_type;
  PcapWriter writer(options);
  for (const auto& [time, frame] : frames) writer.add(time, frame);
  const int fd = ::memfd_create("capture", MFD_CLOEXEC);
  REQUIRE(::write(fd, writer.bytes().data(), writer.bytes().size()) == static_cast<ssize_t>(writer.bytes().size()));
  ::lseek(fd, 0, SEEK_SET);
  Output output(-1);
  const Wanted wanted;
  const auto records = make_writer("ndjson", output, wanted);
  Input input({});
  input.attach(fd);
  Engine engine({}, *records);
  CHECK_FALSE(engine.run(input, "capture").has_value());
  ::close(fd);
  return {std::string(output.text()), engine.summary().decoded};
}

/// Records without these columns.
std::string without(std::string text, std::initializer_list<std::string_view> columns) {
  for (const std::string_view column : columns) {
    const std::string name = "\"" + std::string(column) + "\":";
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at)) {
      text.erase(at, text.find(',', at) + 1 - at);
    }
  }
  return text;
}
std::string without_numbers(std::string text) { return without(std::move(text), {"first_frame", "last_frame", "connection"}); }
std::string without_vlan(std::string text) { return without(std::move(text), {"vlan"}); }

// ---- Encapsulations.

bool is_v6(Bytes packet) { return packet[0] >> 4 == 6; }
unsigned ether_type_of(Bytes packet) { return is_v6(packet) ? 0x86dd : 0x0800; }
Buffer type_of(Bytes packet) {
  Buffer type;
  put16(type, ether_type_of(packet));
  return type;
}

/// A header in hexadecimal, and `packet`.
Buffer behind(std::string_view header, Bytes packet) { return joined({hex(header), packet}); }

/// An Ethernet frame; its addresses depend on the direction.
Buffer in_ethernet(unsigned ether_type, Bytes packet, bool forward = true) {
  Buffer frame = hex(forward ? "020000000001 020000000002" : "020000000002 020000000001");
  put16(frame, ether_type);
  append(frame, packet);
  return frame;
}
Buffer framed(Bytes packet, bool forward) { return in_ethernet(ether_type_of(packet), packet, forward); }

/// An outer IPv4 packet between two routers.
Buffer in_ipv4(std::uint8_t protocol, Bytes payload, bool forward, const std::string& far = "203.0.113.2") {
  IpSpec ip;
  ip.source = "203.0.113.1";
  ip.destination = far;
  if (!forward) std::swap(ip.source, ip.destination);
  ip.protocol = protocol;
  return ipv4_packet(ip, payload);
}
Buffer in_ipv6(std::uint8_t protocol, Bytes payload, bool forward) {
  IpSpec ip;
  ip.source = "2001:db8:ffff::1";
  ip.destination = "2001:db8:ffff::2";
  if (!forward) std::swap(ip.source, ip.destination);
  ip.protocol = protocol;
  return ipv6_packet(ip, payload);
}
/// A UDP datagram to `port` in an outer IPv4 packet.
Buffer in_udp(unsigned port, Bytes payload, bool forward) {
  Buffer datagram;
  put16(datagram, forward ? 51234 : 60001);
  put16(datagram, port);
  put16(datagram, static_cast<unsigned>(payload.size() + 8) & 0xffff);
  put16(datagram, 0);
  append(datagram, payload);
  return in_ipv4(17, datagram, forward);
}
Buffer in_gre(std::string_view header, Bytes payload, bool forward) { return in_ipv4(47, behind(header, payload), forward); }

constexpr std::string_view kSnap = "aaaa03 000000 ";

/// How a packet is sent, and the tunnel that the decoder must find.
struct Encapsulation {
  std::string name;
  std::uint32_t link_type;
  std::function<Buffer(Bytes packet, bool forward)> encapsulate;
  TunnelKind kind = TunnelKind::none;
  std::uint32_t id = 0;
};

/// A tunnel in Ethernet; `inside` returns the outer IP packet.
Encapsulation over_ethernet(std::string name, std::function<Buffer(Bytes, bool)> inside, TunnelKind kind, std::uint32_t id = 0) {
  const auto encapsulate = [inside = std::move(inside)](Bytes packet, bool forward) {
    return framed(inside(packet, forward), forward);
  };
  return {std::move(name), kLinkEthernet, encapsulate, kind, id};
}

/// A link type with the same header for all packets, except for an EtherType at its end.
Encapsulation typed(std::string name, std::uint32_t link_type, std::string header) {
  return {std::move(name), link_type, [header = std::move(header)](Bytes packet, bool) {
            return joined({hex(header), type_of(packet), packet});
          }};
}
/// A link type with the same header for all packets.
Encapsulation fixed(std::string name, std::uint32_t link_type, std::string header) {
  return {std::move(name), link_type,
          [header = std::move(header)](Bytes packet, bool) { return behind(header, packet); }};
}

/// Linux netfilter's log: `before` are the attributes before that of the packet, in either byte order.
Encapsulation nflog(std::string name, std::string before, bool big_endian = false) {
  return {std::move(name), kLinkNflog, [before = std::move(before), big_endian](Bytes packet, bool) {
            Buffer attribute = hex(before);
            const auto put = [&](unsigned value) { put16(attribute, big_endian ? value : (value >> 8 | value << 8) & 0xffff); };
            put(static_cast<unsigned>(packet.size() + 4));
            put(9);
            return joined({attribute, packet});
          }};
}

std::vector<Encapsulation> link_encapsulations() {
  const std::string wlan = "0801 0000 020000000001 020000000002 020000000003 1000 ";
  const std::string qos = "8801 0000 020000000001 020000000002 020000000003 1000 0000 ";
  const std::string snap{kSnap};
  return {
      // tcpdump.org/linktypes.html
      fixed("BSD loopback", kLinkNull, "02000000"),
      fixed("OpenBSD loopback", kLinkLoop, "00000002"),
      fixed("OpenBSD enc", kLinkEnc, "02000000 00001000 00000000"),
      fixed("OpenBSD packet filter log", kLinkPfLog,
            "3d02 00 00 656e3000000000000000000000000000 00000000000000000000000000000000 "
            "00000000 00000000 00000000 00000000 00000000 00000000 01 000000"),
      fixed("raw IP", kLinkRaw, ""),
      fixed("raw IP, 12", kLinkRawOpenBsd, ""),
      fixed("raw IP, 14", kLinkRawBsd, ""),
      fixed("raw IPv4", kLinkIpv4, ""),
      fixed("SLIP", kLinkSlip, "00 45000000000000000000000000 0000"),
      typed("Linux cooked", kLinkLinuxSll, "0000 0001 0006 0200000000010000"),
      {"Linux cooked 2", kLinkLinuxSll2,
       [](Bytes packet, bool) { return joined({type_of(packet), hex("0000 00000003 0001 00 06 0200000000010000"), packet}); }},
      fixed("Linux cooked, LLC", kLinkLinuxSll, "0000 0001 0006 0200000000010000 0004 aaaa03 000000 0800"),
      // RFC 1661, RFC 1662
      fixed("PPP", kLinkPpp, "ff03 0021"),
      fixed("PPP, no address", kLinkPpp, "0021"),
      fixed("PPP, short protocol", kLinkPpp, "21"),
      fixed("PPP, short protocol with address", kLinkPpp, "ff03 21"),
      fixed("PPP in HDLC", kLinkPppHdlc, "ff03 0021"),
      typed("Cisco HDLC under PPP's number", kLinkPppHdlc, "0f00"),
      {"PPP of pppd", kLinkPppPppd, [](Bytes packet, bool forward) { return behind(forward ? "01 03 0021" : "00 03 0021", packet); }},
      {"PPP with direction", kLinkPppWithDirection,
       [](Bytes packet, bool forward) { return behind(forward ? "01 ff03 0021" : "00 ff03 0021", packet); }},
      // RFC 2516
      {"PPPoE, link type", kLinkPppEther, [](Bytes packet, bool) { return behind("1100 0007 0500 0021", packet); },
       TunnelKind::pppoe, 7},
      {"PPPoE", kLinkEthernet,
       [](Bytes packet, bool forward) { return in_ethernet(0x8864, behind("1100 1234 0500 0021", packet), forward); },
       TunnelKind::pppoe, 0x1234},
      typed("Cisco HDLC", kLinkCiscoHdlc, "0f00"),
      typed("Cisco HDLC, multicast", kLinkCiscoHdlc, "8f00"),
      typed("Cisco HDLC with direction", kLinkCiscoHdlcWithDirection, "01 0f00"),
      // RFC 2427
      fixed("Frame Relay", kLinkFrameRelay, "1841 03 cc"),
      fixed("Frame Relay, SNAP", kLinkFrameRelay, "1841 03 00 80 000000 0800"),
      fixed("Frame Relay, address of 4 bytes", kLinkFrameRelay, "18400201 03 cc"),
      typed("Frame Relay, Cisco's", kLinkFrameRelay, "1841"),
      {"Frame Relay, bridged", kLinkFrameRelay,
       [](Bytes packet, bool forward) { return behind("1841 03 00 80 0080c2 0007", framed(packet, forward)); }},
      typed("ATM, LLC", kLinkAtmLlc, "aaaa03 000000"),
      // IEEE 802.11, 9.3.2
      typed("802.11", kLinkWlan, wlan + snap),
      typed("802.11, QoS", kLinkWlan, qos + snap),
      typed("802.11, QoS and HT control", kLinkWlan,
            "8881 0000 020000000001 020000000002 020000000003 1000 0000 00000000 " + snap),
      typed("802.11, four addresses", kLinkWlan,
            "0803 0000 020000000001 020000000002 020000000003 1000 020000000004 " + snap),
      typed("802.11, four addresses and QoS", kLinkWlan,
            "8803 0000 020000000001 020000000002 020000000003 1000 020000000004 0000 " + snap),
      typed("802.11, aggregate of one", kLinkWlan,
            "8801 0000 020000000001 020000000002 020000000003 1000 8000 020000000001 020000000002 0400 " + snap),
      typed("radiotap", kLinkRadiotap, "00 00 0800 00000000 " + wlan + snap),
      typed("radiotap, flags", kLinkRadiotap, "00 00 0900 02000000 10 " + wlan + snap),
      typed("radiotap, timer and flags, filler behind the header", kLinkRadiotap,
            "00 00 1100 03000000 0102030405060708 20 " + qos + "0000" + snap),
      typed("radiotap, two words of fields", kLinkRadiotap, "00 00 1900 030000a0 00000020 00000000 0102030405060708 00 " + wlan + snap),
      typed("Prism", kLinkPrism, "44000000 90000000" + std::string(136 * 2, '0') + wlan + snap),
      typed("AVS under Prism's number", kLinkPrism, "80211001 00000040" + std::string(56 * 2, '0') + wlan + snap),
      typed("AVS", kLinkAvs, "80211001 00000040" + std::string(56 * 2, '0') + wlan + snap),
      typed("PPI", kLinkPpi, "00 00 0c00 69000000 00000000" + wlan + snap),
      typed("PPI, Ethernet", kLinkPpi, "00 00 0800 01000000 020000000001 020000000002"),
      nflog("NFLOG", "02 00 0000 0800 0100 0800 01 00 0800 0500 00000002 0a00 0a00 746573747400 0000"),
      nflog("NFLOG, big-endian", "02 00 0000 0008 0001 0800 01 00", true),
      nflog("NFLOG, bridge", "07 00 0000 0800 0100 0800 01 00"),
      typed("NetAnalyzer", kLinkNetAnalyzer, "00000000 020000000001 020000000002"),
      typed("Token Ring", kLinkTokenRing, "1040 020000000001 020000000002 " + snap),
      typed("Token Ring with a route", kLinkTokenRing, "1040 020000000001 820000000002 0630 0011 0022 " + snap),
      typed("FDDI", kLinkFddi, "50 020000000001 020000000002 " + snap),
      // IEEE 802.2
      typed("802.3 with LLC and SNAP", kLinkEthernet, "020000000001 020000000002 0400 " + snap),
      typed("802.3 with SNAP of 802.1H", kLinkEthernet, "020000000001 020000000002 0400 aaaa03 0000f8 "),
      fixed("802.3 with IP's own SAP", kLinkEthernet, "020000000001 020000000002 0400 060603"),
      typed("VN-Tag", kLinkEthernet, "020000000001 020000000002 8926 00010002"),
      typed("802.1BR", kLinkEthernet, "020000000001 020000000002 893f 000100020000"),
  };
}

/// Tunnels. The kind is TunnelKind::none where the tunnel has no identifier that both directions share.
std::vector<Encapsulation> tunnel_encapsulations() {
  using Kind = TunnelKind;
  const auto gre = [](std::string header, bool bridged = false) {
    return [header = std::move(header), bridged](Bytes packet, bool forward) {
      return in_gre(header, bridged ? framed(packet, forward) : Buffer(packet.begin(), packet.end()), forward);
    };
  };
  const auto udp = [](unsigned port, std::string header, bool bridged = false) {
    return [port, header = std::move(header), bridged](Bytes packet, bool forward) {
      return in_udp(port, behind(header, bridged ? framed(packet, forward) : Buffer(packet.begin(), packet.end())), forward);
    };
  };
  /// Headers whose identifier names the receiving end, so that each direction has its own.
  const auto two_way_udp = [](unsigned port, std::string to, std::string fro) {
    return [=](Bytes packet, bool forward) { return in_udp(port, behind(forward ? to : fro, packet), forward); };
  };
  const auto mpls = [](std::string to, std::string fro) {
    return [=](Bytes packet, bool forward) { return in_ethernet(0x8847, behind(forward ? to : fro, packet), forward); };
  };
  const auto pseudowire = [](std::string to, std::string fro) {
    return [=](Bytes packet, bool forward) {
      return in_ethernet(0x8847, behind(forward ? to : fro, framed(packet, forward)), forward);
    };
  };
  std::vector<Encapsulation> all = {
      // RFC 2003, RFC 2473
      over_ethernet("IP in IP", [](Bytes p, bool forward) { return in_ipv4(4, p, forward); }, Kind::ip),
      over_ethernet("IPv4 in IPv6", [](Bytes p, bool forward) { return in_ipv6(4, p, forward); }, Kind::ip),
      over_ethernet("IP in IP in IP", [](Bytes p, bool forward) { return in_ipv4(4, in_ipv6(4, p, forward), forward); }, Kind::ip),
      over_ethernet("IP in IP behind an authentication header (RFC 4302)",
                    [](Bytes p, bool forward) {
                      return in_ipv4(51, behind("04 04 0000 00000001 00000002 0102030405060708090a0b0c", p), forward);
                    }, Kind::ip),
      // RFC 2784, RFC 2890
      over_ethernet("GRE", gre("0000 0800"), Kind::gre),
      over_ethernet("GRE, checksum", gre("8000 0800 12340000"), Kind::gre),
      over_ethernet("GRE, key", gre("2000 0800 0000002a"), Kind::gre, 42),
      over_ethernet("GRE, sequence", gre("1000 0800 00000007"), Kind::gre),
      over_ethernet("GRE, checksum, key and sequence", gre("b000 0800 12340000 ffffffff 00000007"), Kind::gre, 0xffffffff),
      over_ethernet("GRE, source routes (RFC 1701)", gre("4000 0800 00000000 0800 0004 0a000001 0000 0000"), Kind::gre),
      over_ethernet("GRE, bridging", gre("0000 6558", true), Kind::gre),
      over_ethernet("NVGRE (RFC 7637)", gre("2000 6558 00123401", true), Kind::gre, 0x123401),
      over_ethernet("GRE, MPLS", gre("0000 8847 00010140"), Kind::gre),
      over_ethernet("GRE, PPP", gre("0000 880b ff03 0021"), Kind::gre),
      over_ethernet("GRE, Cisco's redirection", gre("0000 883e 00000000"), Kind::gre),
      over_ethernet("GRE, Cisco's redirection 1", gre("0000 883e"), Kind::gre),
      over_ethernet("GRE, 802.11 of Aruba",
                    gre("0000 8200 0801 0000 020000000001 020000000002 020000000003 1000 aaaa03 000000 0800"), Kind::gre),
      over_ethernet("GRE over UDP (RFC 8086)", udp(4754, "2000 0800 00000009"), Kind::gre, 9),
      // RFC 2637, 4.1
      over_ethernet("PPTP",
                    [](Bytes p, bool forward) {
                      return forward ? in_gre("3001 880b 0500 0007 00000001 ff03 0021", p, forward)
                                   : in_gre("3081 880b 0500 0008 00000001 00000001 21", p, forward);
                    }, Kind::pptp),
      // draft-foschiano-erspan
      over_ethernet("ERSPAN I", gre("0000 88be", true), Kind::erspan),
      over_ethernet("ERSPAN II", gre("1000 88be 00000001 1000 0064 00000005", true), Kind::erspan, 100),
      over_ethernet("ERSPAN III", gre("1000 22eb 00000001 2000 0065 00000000 0000 0000", true), Kind::erspan, 101),
      over_ethernet("ERSPAN III, 8 bytes of the platform's", gre("1000 22eb 00000001 2000 03ff 00000000 0000 0001 0000000000000000", true),
                    Kind::erspan, 0x3ff),
      over_ethernet("ERSPAN III, IP", gre("1000 22eb 00000001 2000 0065 00000000 0000 0800"), Kind::erspan, 101),
      // RFC 7348
      over_ethernet("VXLAN", udp(4789, "08000000 00002a00", true), Kind::vxlan, 42),
      over_ethernet("VXLAN, Linux's port", udp(8472, "08000000 ffffff00", true), Kind::vxlan, 0xffffff),
      over_ethernet("VXLAN, group policy", udp(4789, "88000007 00002a00", true), Kind::vxlan, 42),
      // draft-ietf-nvo3-vxlan-gpe
      over_ethernet("VXLAN-GPE, IP", udp(4790, "0c000001 00002a00"), Kind::vxlan, 42),
      over_ethernet("VXLAN-GPE, Ethernet", udp(4790, "0c000003 00002a00", true), Kind::vxlan, 42),
      over_ethernet("VXLAN-GPE, NSH (RFC 8300)", udp(4790, "0c000004 00002a00 0fc2 02 01 000001ff"), Kind::vxlan, 42),
      over_ethernet("VXLAN-GPE, MPLS", udp(4790, "0c000005 00002a00 00010140"), Kind::vxlan, 42),
      // RFC 8926
      over_ethernet("GENEVE", udp(6081, "00 00 6558 00002b00", true), Kind::geneve, 43),
      over_ethernet("GENEVE, options", udp(6081, "04 40 6558 00002b00 0102 0103 00000000 0000 0000 00000000", true), Kind::geneve, 43),
      over_ethernet("GENEVE, IP", udp(6081, "00 00 0800 00002b00"), Kind::geneve, 43),
      // 3GPP TS 29.281, 5.1 and 5.2: the TEID is the receiver's
      over_ethernet("GTP-U", two_way_udp(2152, "30 ff 0500 00001111", "30 ff 0500 00002222"), Kind::gtp),
      over_ethernet("GTP-U, sequence", two_way_udp(2152, "32 ff 0500 00001111 0001 00 00", "32 ff 0500 00002222 0001 00 00"), Kind::gtp),
      over_ethernet("GTP-U, extensions (5G)",
                    two_way_udp(2152, "34 ff 0500 00001111 0000 00 85 01 1009 00",
                                "34 ff 0500 00002222 0000 00 c0 01 0001 85 02 000900000000 00"),
                    Kind::gtp),
      // RFC 3931, 4.1; RFC 4719: the session is the receiver's
      over_ethernet("L2TPv3, Ethernet",
                    [](Bytes p, bool forward) {
                      return in_ipv4(115, behind(forward ? "00000001" : "00000002", framed(p, forward)), forward);
                    }, Kind::l2tp),
      over_ethernet("L2TPv3, Ethernet with sublayer and cookie",
                    [](Bytes p, bool forward) {
                      return in_ipv4(115, behind(forward ? "00000001 0102030405060708 40000001" : "00000002 1112131415161718 40000001",
                                                 framed(p, forward)), forward);
                    }, Kind::l2tp),
      over_ethernet("L2TPv3 over UDP, Ethernet",
                    [](Bytes p, bool forward) {
                      return in_udp(1701, behind(forward ? "0003 0000 00000001 00000000" : "0003 0000 00000002 00000000", framed(p, forward)), forward);
                    }, Kind::l2tp),
      over_ethernet("L2TPv3, PPP",
                    [](Bytes p, bool forward) { return in_ipv4(115, behind(forward ? "00000001 ff03 0021" : "00000002 ff03 0021", p), forward); },
                    Kind::l2tp),
      // RFC 2661, 3.1
      over_ethernet("L2TPv2", two_way_udp(1701, "0002 0001 0001 ff03 0021", "0002 0005 0006 0021"), Kind::l2tp),
      over_ethernet("L2TPv2, length, sequence, offset",
                    two_way_udp(1701, "4a02 0500 0001 0001 0001 0002 0002 abcd ff03 0021", "4802 0500 0005 0006 0001 0002 ff03 0021"),
                    Kind::l2tp),
      // RFC 3032, RFC 4023, RFC 7510
      {"MPLS", kLinkEthernet, mpls("00010140", "00020140")},
      {"MPLS, three labels", kLinkEthernet, mpls("00010040 00011040 00012140", "00020140")},
      {"MPLS, one direction without (RFC 3032, 3.10)", kLinkEthernet,
       [](Bytes p, bool forward) { return forward ? in_ethernet(0x8847, behind("00010140", p), true) : framed(p, false); }},
      over_ethernet("MPLS in IP", [](Bytes p, bool forward) { return in_ipv4(137, behind("00010140", p), forward); }, Kind::none),
      over_ethernet("MPLS over UDP", udp(6635, "00010140"), Kind::none),
      // RFC 4448
      {"MPLS, Ethernet", kLinkEthernet, pseudowire("00010140", "00020140"), Kind::mpls},
      {"MPLS, Ethernet behind a control word", kLinkEthernet, pseudowire("00010140 00000000", "00020140 00000007"), Kind::mpls},
      {"MPLS in PPP", kLinkPpp, [](Bytes p, bool) { return behind("ff03 0281 00010140", p); }},
      // IEEE 802.1Q, 9.7
      {"PBB", kLinkEthernet,
       [](Bytes p, bool forward) { return in_ethernet(0x88e7, behind("00000064", framed(p, forward)), forward); }, Kind::backbone, 100},
      // Nested tunnels
      over_ethernet("VXLAN in GRE in GTP-U",
                    [=](Bytes p, bool forward) {
                      const Buffer vxlan = in_udp(4789, behind("08000000 00002a00", framed(p, forward)), forward);
                      return in_udp(2152, behind(forward ? "30 ff 0500 00001111" : "30 ff 0500 00002222",
                                                 in_gre("0000 0800", vxlan, forward)), forward);
                    }, Kind::vxlan, 42),
      {"IP in IP over PPPoE over 802.11", kLinkRadiotap,
       [](Bytes p, bool forward) {
         return behind("00 00 0800 00000000 0801 0000 020000000001 020000000002 020000000003 1000 aaaa03 000000 8864 1100 0009 0500 0021",
                       in_ipv4(4, p, forward));
       }, Kind::ip},
  };
  return all;
}

std::vector<Encapsulation> all_encapsulations() {
  std::vector<Encapsulation> all = link_encapsulations();
  for (Encapsulation& encapsulation : tunnel_encapsulations()) all.push_back(std::move(encapsulation));
  return all;
}

std::string plain_records(const std::vector<RealPacket>& packets) {
  std::vector<std::pair<Nanos, Buffer>> frames;
  for (const RealPacket& real : packets) frames.emplace_back(real.time, framed(real.packet, real.from_client));
  return run_engine(kLinkEthernet, frames).records;
}

TEST_CASE("tunnel: a capture in every encapsulation has the same exchanges") {
  const std::vector<RealPacket> packets = real_packets("curl-nginx-10ms");
  const std::string plain = plain_records(packets);
  REQUIRE(std::count(plain.begin(), plain.end(), '\n') == 5);
  for (const Encapsulation& encapsulation : all_encapsulations()) {
    INFO(encapsulation.name);
    std::vector<std::pair<Nanos, Buffer>> frames;
    for (const RealPacket& real : packets) frames.emplace_back(real.time, encapsulation.encapsulate(real.packet, real.from_client));
    const Run run = run_engine(encapsulation.link_type, frames);
    CHECK(run.records == plain);
    CHECK(run.counts.errors.total() == 0);

    Decoder decoder;
    Segment segment;
    REQUIRE(decoder.decode(make_record(frames[0].second, 0, 1, encapsulation.link_type), segment));
    CHECK(static_cast<int>(tunnel_kind(segment.tunnel)) == static_cast<int>(encapsulation.kind));
    if (encapsulation.id != 0) CHECK(tunnel_id(segment.tunnel) == encapsulation.id);
  }
}

TEST_CASE("tunnel: IPv6 is decoded in the encapsulations that also carry IPv4") {
  const std::vector<RealPacket> packets = real_packets("ipv6");
  const std::string plain = plain_records(packets);
  const std::vector<Encapsulation> encapsulations = {
      fixed("PPP", kLinkPpp, "ff03 0057"),
      fixed("Frame Relay", kLinkFrameRelay, "1841 03 8e"),
      fixed("raw IPv6", kLinkIpv6, ""),
      nflog("NFLOG", "0a 00 0000"),
      over_ethernet("6in4 (RFC 4213)", [](Bytes p, bool forward) { return in_ipv4(41, p, forward); }, TunnelKind::ip),
      over_ethernet("IPv6 in IPv6", [](Bytes p, bool forward) { return in_ipv6(41, p, forward); }, TunnelKind::ip),
      over_ethernet("GRE", [](Bytes p, bool forward) { return in_gre("2000 86dd 00000001", p, forward); }, TunnelKind::gre),
      over_ethernet("GTP-U", [](Bytes p, bool forward) { return in_udp(2152, behind("30 ff 0500 00001111", p), forward); }, TunnelKind::gtp),
      over_ethernet("VXLAN", [](Bytes p, bool forward) { return in_udp(4789, behind("08000000 00002a00", framed(p, forward)), forward); },
                    TunnelKind::vxlan),
      // RFC 4380, 5.1.1
      over_ethernet("Teredo", [](Bytes p, bool forward) { return in_udp(3544, p, forward); }, TunnelKind::teredo),
      over_ethernet("Teredo, authentication and origin",
                    [](Bytes p, bool forward) {
                      return in_udp(3544, behind("0001 04 00 61626364 0102030405060708 00 0000 9c40 f5fffffe", p), forward);
                    }, TunnelKind::teredo),
      // draft-massar-v6ops-ayiya-02, section 3: an identity of 16 bytes and a signature of 20 bytes, or neither
      over_ethernet("AYIYA",
                    [](Bytes p, bool forward) {
                      const std::string fixed = forward ? "41 52 11 29 4b000001" : "41 52 11 29 4b000002";
                      return in_udp(5072, behind(fixed + " 20010db8000000000000000000000001" + std::string(40, '7'), p), forward);
                    }, TunnelKind::ayiya),
      over_ethernet("AYIYA with the shortest header", [](Bytes p, bool forward) { return in_udp(5072, behind("00 00 01 29 4b000001 00", p), forward); },
                    TunnelKind::ayiya),
      {"MPLS", kLinkEthernet, [](Bytes p, bool forward) { return in_ethernet(0x8847, behind("00010140", p), forward); }},
  };
  for (const Encapsulation& encapsulation : encapsulations) {
    INFO(encapsulation.name);
    std::vector<std::pair<Nanos, Buffer>> frames;
    for (const RealPacket& real : packets) frames.emplace_back(real.time, encapsulation.encapsulate(real.packet, real.from_client));
    CHECK(run_engine(encapsulation.link_type, frames).records == plain);
  }
}

// ---- Tenants.

TEST_CASE("tunnel: connections of two tenants with the same addresses stay separate") {
  const std::vector<RealPacket> packets = real_packets("curl-nginx-10ms");
  const std::string plain = without_vlan(without_numbers(plain_records(packets)));
  struct Case {
    std::string name;
    std::function<Buffer(Bytes packet, bool forward, int tenant)> encapsulate;
  };
  const auto digit = [](int tenant) { return std::to_string(tenant + 1); };
  const auto tagged = [](unsigned id, Bytes frame) {
    Buffer all(frame.begin(), frame.begin() + 12);
    put16(all, 0x8100);
    put16(all, id);
    append(all, frame.subspan(12));
    return all;
  };
  const std::string far[] = {"203.0.113.2", "203.0.113.3"};
  const Case cases[] = {
      {"VXLAN", [&](Bytes p, bool t, int n) { return framed(in_udp(4789, behind("08000000 00000" + digit(n) + "00", framed(p, t)), t), t); }},
      {"GENEVE", [&](Bytes p, bool t, int n) { return framed(in_udp(6081, behind("00 00 6558 00000" + digit(n) + "00", framed(p, t)), t), t); }},
      {"VXLAN-GPE", [&](Bytes p, bool t, int n) { return framed(in_udp(4790, behind("0c000001 00000" + digit(n) + "00", p), t), t); }},
      {"one in VXLAN, one in GENEVE", [&](Bytes p, bool t, int n) {
         return framed(n == 0 ? in_udp(4789, behind("08000000 00000100", framed(p, t)), t)
                              : in_udp(6081, behind("00 00 6558 00000100", framed(p, t)), t), t); }},
      {"one in VXLAN, one not", [&](Bytes p, bool t, int n) {
         return n == 0 ? framed(in_udp(4789, behind("08000000 00000100", framed(p, t)), t), t) : framed(p, t); }},
      {"GRE keys", [&](Bytes p, bool t, int n) { return framed(in_gre("2000 0800 0000000" + digit(n), p, t), t); }},
      {"GRE, one key 0, one without a key and elsewhere", [&](Bytes p, bool t, int n) {
         return framed(in_ipv4(47, behind(n == 0 ? "2000 0800 00000000" : "0000 0800", p), t, far[n]), t); }},
      {"IP in IP between others", [&](Bytes p, bool t, int n) { return framed(in_ipv4(4, p, t, far[n]), t); }},
      {"GTP-U between others", [&](Bytes p, bool t, int n) {
         Buffer datagram = hex("0868 0868 0000 0000 30 ff 0500 00001111");
         append(datagram, p);
         return framed(in_ipv4(17, datagram, t, far[n]), t); }},
      {"ERSPAN sessions", [&](Bytes p, bool t, int n) { return framed(in_gre("1000 88be 00000001 1000 000" + digit(n) + " 00000005", framed(p, t), t), t); }},
      {"PPPoE sessions", [&](Bytes p, bool t, int n) { return in_ethernet(0x8864, behind("1100 000" + digit(n) + " 0500 0021", p), t); }},
      {"PBB services", [&](Bytes p, bool t, int n) { return in_ethernet(0x88e7, behind("0000000" + digit(n), framed(p, t)), t); }},
      {"VLANs inside VXLAN", [&](Bytes p, bool t, int n) {
         return framed(in_udp(4789, behind("08000000 00000100", tagged(static_cast<unsigned>(n + 1), framed(p, t))), t), t); }},
      {"VLANs around VXLAN", [&](Bytes p, bool t, int n) {
         return tagged(static_cast<unsigned>(n + 1), framed(in_udp(4789, behind("08000000 00000100", framed(p, t)), t), t)); }},
      {"VLANs around IP in IP", [&](Bytes p, bool t, int n) { return tagged(static_cast<unsigned>(n + 1), framed(in_ipv4(4, p, t), t)); }},
      {"VNI of the outer of two tunnels", [&](Bytes p, bool t, int n) {
         return framed(in_udp(4789, behind("08000000 00000" + digit(n) + "00", framed(in_ipv4(4, p, t), t)), t), t); }},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    std::vector<std::pair<Nanos, Buffer>> frames;
    for (const RealPacket& real : packets) {
      for (const int tenant : {0, 1}) frames.emplace_back(real.time, test.encapsulate(real.packet, real.from_client, tenant));
    }
    // The packets of the tenants alternate, so their records do too.
    std::string twice;
    for (std::size_t at = 0; at < plain.size();) {
      const std::size_t end = plain.find('\n', at) + 1;
      for (int i = 0; i < 2; ++i) twice += plain.substr(at, end - at);
      at = end;
    }
    CHECK(without_vlan(without_numbers(run_engine(kLinkEthernet, frames).records)) == twice);
  }
}

TEST_CASE("tunnel: the column vlan has the VLAN of the innermost frame") {
  const std::vector<RealPacket> packets = real_packets("curl-nginx-10ms");
  std::vector<std::pair<Nanos, Buffer>> frames;
  for (const RealPacket& real : packets) {
    const Buffer inner = ethernet(0x0800, real.packet, {{0x8100, 7}});
    const Buffer outer = in_udp(4789, behind("08000000 00000100", inner), real.from_client);
    frames.emplace_back(real.time, ethernet(0x0800, outer, {{0x8100, 99}}));
  }
  const std::string text = run_engine(kLinkEthernet, frames).records;
  CHECK(text.find("\"vlan\":7,") != std::string::npos);
  CHECK(text.find("99") == std::string::npos);
}

// ---- Truncated and malicious frames.

bool is_within(Bytes part, Bytes whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}
bool is_consistent(const Segment& segment, Bytes frame) {
  return is_within(segment.data, frame) && is_within(segment.tcp.options, frame) &&
         segment.data.size() <= segment.data_length && segment.vlan.count <= 2;
}

const Buffer& small_packet() {
  static const Buffer packet = [] {
    SegmentSpec spec;
    spec.payload = "GET / HTTP/1.1\r\n\r\n";
    return ip_packet(spec);
  }();
  return packet;
}

TEST_CASE("tunnel: a frame truncated at any byte gives an error, and no byte behind it is read") {
  GuardedBuffer guarded;
  const std::size_t packet_bytes = small_packet().size();
  for (const Encapsulation& encapsulation : all_encapsulations()) {
    INFO(encapsulation.name);
    const Buffer frame = encapsulation.encapsulate(small_packet(), true);
    const std::size_t headers_end = frame.size() - packet_bytes + 40;
    for (std::size_t held = 0; held <= frame.size(); ++held) {
      CAPTURE(held);
      const Bytes bytes = guarded.hold(Bytes(frame).first(held));
      PacketRecord record = make_record(bytes, 0, 1, encapsulation.link_type);
      record.length = static_cast<std::uint32_t>(frame.size());
      Segment segment;
      const DecodeError error = decode(record, segment);
      if (held < headers_end) {
        REQUIRE(error != DecodeError::none);
        continue;
      }
      REQUIRE(error == DecodeError::none);
      REQUIRE(is_consistent(segment, bytes));
      REQUIRE(segment.data_length == 18);
      REQUIRE(segment.data.size() == held - headers_end);
    }
  }
}

TEST_CASE("tunnel: a malicious value of any header byte gives an error or a segment within the frame") {
  constexpr std::uint8_t kValues[] = {0, 1, 2, 3, 4, 6, 0x0f, 0x10, 0x2f, 0x40, 0x45, 0x60, 0x7f, 0x80, 0xaa, 0xff};
  GuardedBuffer guarded;
  for (const Encapsulation& encapsulation : all_encapsulations()) {
    INFO(encapsulation.name);
    const Buffer frame = encapsulation.encapsulate(small_packet(), true);
    Decoder decoder;
    int segments = 0;
    for (std::size_t at = 0; at < frame.size(); ++at) {
      Buffer broken = frame;
      for (const std::uint8_t value : kValues) {
        broken[at] = value;
        const Bytes bytes = guarded.hold(broken);
        Segment segment;
        const PacketRecord record = make_record(bytes, 0, 1, encapsulation.link_type);
        if (decode(record, segment) == DecodeError::none) {
          ++segments;
          if (!is_consistent(segment, bytes)) FAIL("byte " << at << " set to " << int{value});
        }
        decoder.decode(record, segment);
      }
    }
    CHECK(segments > 0);
    decoder.finish();
    CHECK(decoder.counts().records == frame.size() * std::size(kValues));
  }
}

// RFC 4380, section 2.6: Teredo clients may use any port among themselves.
TEST_CASE("tunnel: Teredo between clients is recognized by its prefix and its length") {
  SegmentSpec spec;
  spec.source = "2001:0:4136:e378:8000:63bf:3fff:fdd2";
  spec.destination = "2001:db8::1";
  spec.payload = "GET / HTTP/1.1\r\n\r\n";
  const auto error_of = [](const Buffer& packet) {
    Segment segment;
    const Buffer frame = framed(in_udp(50'000, packet, true), true);
    return decode(make_record(frame), segment);
  };
  const Buffer packet = ip_packet(spec);
  CHECK(error_of(packet) == DecodeError::none);
  CHECK(error_of(joined({packet, hex("00")})) == DecodeError::not_tcp);
  std::swap(spec.source, spec.destination);
  CHECK(error_of(ip_packet(spec)) == DecodeError::none);
  spec.destination = "2001:db8::2";
  CHECK(error_of(ip_packet(spec)) == DecodeError::not_tcp);
}

TEST_CASE("tunnel: the number of nested tunnels and headers is bounded") {
  Segment segment;
  Buffer packet = small_packet();
  for (int depth = 1; depth <= kMaxTunnels + 2; ++depth) {
    packet = in_ipv4(4, packet, true);
    CAPTURE(depth);
    CHECK(decode(make_record(packet, 0, 1, kLinkRaw), segment) == (depth <= kMaxTunnels ? DecodeError::none : DecodeError::too_deep));
  }
  // Nested headers that are not tunnels: PPI in PPI.
  Buffer nested = small_packet();
  for (int i = 0; i < 500; ++i) nested = behind("0000 0800 c0000000", nested);
  CHECK(decode(make_record(nested, 0, 1, kLinkPpi), segment) == DecodeError::too_deep);
  // Any number of labels counts as one header; decoding ends at the frame's end.
  Buffer labels = in_ethernet(0x8847, {});
  for (int i = 0; i < 5000; ++i) put32(labels, 0x00010040);
  GuardedBuffer guarded;
  CHECK(decode(make_record(guarded.hold(labels)), segment) == DecodeError::link_truncated);
}

TEST_CASE("tunnel: the error and its detail name why a packet is not decoded") {
  struct Case {
    std::string name;
    std::uint32_t link_type;
    Buffer frame;
    DecodeError error;
    std::uint32_t detail = 0;
  };
  const Buffer& p = small_packet();
  const auto udp = [&](unsigned port, std::string_view header) { return framed(in_udp(port, behind(header, p), true), true); };
  const auto gre = [&](std::string_view header) { return framed(in_gre(header, p, true), true); };
  const std::string wlan = " 0000 020000000001 020000000002 020000000003 1000 aaaa03 000000 0800";
  const Case cases[] = {
      {"ARP", kLinkEthernet, in_ethernet(0x0806, p), DecodeError::not_ip, 0x0806},
      {"a link type", 147, p, DecodeError::link_unknown, 147},
      {"a link type in PPI", kLinkPpi, behind("0000 0800 93000000", p), DecodeError::link_unknown, 147},
      {"PPI in a wrong length", kLinkPpi, behind("0000 0700 01000000", p), DecodeError::link_malformed},
      {"UDP", kLinkEthernet, udp(53, ""), DecodeError::not_tcp, 17},
      {"ESP", kLinkEthernet, framed(in_ipv4(50, p, true), true), DecodeError::not_tcp, 50},
      {"ICMPv6", kLinkEthernet, framed(in_ipv6(58, p, true), true), DecodeError::not_tcp, 58},
      {"VXLAN's port, but no VXLAN", kLinkEthernet, udp(4789, "00000000 00000100"), DecodeError::not_tcp, 17},
      {"VXLAN-GPE, operation and maintenance", kLinkEthernet, udp(4790, "0d000001 00000100"), DecodeError::tunnel_control},
      {"VXLAN-GPE, an unknown protocol", kLinkEthernet, udp(4790, "0c000009 00000100"), DecodeError::tunnel_unknown},
      {"GENEVE, control", kLinkEthernet, udp(6081, "00 80 6558 00000100"), DecodeError::tunnel_control},
      {"GENEVE, a later version", kLinkEthernet, udp(6081, "40 00 6558 00000100"), DecodeError::not_tcp, 17},
      {"GENEVE, options past the end", kLinkEthernet, udp(6081, "3f 00 6558 00000100"), DecodeError::tunnel_malformed},
      {"GENEVE, LLDP inside", kLinkEthernet, udp(6081, "00 00 88cc 00000100"), DecodeError::not_ip, 0x88cc},
      {"GTP-U, echo", kLinkEthernet, udp(2152, "32 01 0004 00000000 0000 0000"), DecodeError::tunnel_control},
      {"GTP', not GTP", kLinkEthernet, udp(2152, "0e ff 0004 00000000"), DecodeError::not_tcp, 17},
      {"GTP-U, an extension of length 0", kLinkEthernet, udp(2152, "34 ff 0004 00000001 0000 00 85 00"), DecodeError::tunnel_malformed},
      {"GTP-U, no packet", kLinkEthernet, udp(2152, "30 ff 0004 00000001 99"), DecodeError::tunnel_unknown},
      {"Teredo's port, IPv4", kLinkEthernet, udp(3544, ""), DecodeError::not_tcp, 17},
      {"AYIYA, heartbeat", kLinkEthernet, udp(5072, "00 00 00 3b 4b000001 00"), DecodeError::tunnel_control},
      {"AYIYA, neither IPv4 nor IPv6", kLinkEthernet, udp(5072, "00 00 01 3b 4b000001 00"), DecodeError::tunnel_unknown},
      {"AYIYA's port, SIP", kLinkEthernet, udp(5072, "494e56495445 20"), DecodeError::not_tcp, 17},
      {"AYIYA's port, an identity past the end", kLinkEthernet, udp(5072, "f0 00 01 29 4b000001 00"), DecodeError::not_tcp, 17},
      {"L2TP, control", kLinkEthernet, udp(1701, "c802 0014 0001 0000 0000 0000"), DecodeError::tunnel_control},
      {"L2TP, version 1", kLinkEthernet, udp(1701, "0001 0014"), DecodeError::not_tcp, 17},
      {"L2TPv3, control", kLinkEthernet, framed(in_ipv4(115, behind("00000000", p), true), true), DecodeError::tunnel_control},
      {"L2TPv3, nothing known", kLinkEthernet, framed(in_ipv4(115, behind("00000001", Buffer(60)), true), true), DecodeError::tunnel_unknown},
      {"GRE, version 2", kLinkEthernet, gre("0002 0800"), DecodeError::tunnel_malformed},
      {"GRE, keepalive", kLinkEthernet, gre("0000 0000"), DecodeError::tunnel_control},
      {"GRE, NHRP", kLinkEthernet, gre("0000 2001"), DecodeError::tunnel_control},
      {"GRE, IS-IS", kLinkEthernet, gre("0000 00fe"), DecodeError::not_ip, 0xfe},
      {"PPTP, acknowledgment alone", kLinkEthernet, gre("2081 880b 0000 0007 00000001"), DecodeError::tunnel_control},
      {"PPTP, compressed PPP", kLinkEthernet, gre("3001 880b 0500 0007 00000001 00fd"), DecodeError::not_ip_ppp, 0xfd},
      {"ERSPAN III, an unknown frame type", kLinkEthernet, gre("1000 22eb 00000001 2000 0065 00000000 0000 1c00"), DecodeError::tunnel_unknown},
      {"MPLS, a control channel (RFC 5586)", kLinkEthernet, in_ethernet(0x8847, hex("00010140 10000007 0001")), DecodeError::tunnel_unknown},
      {"802.11, beacon", kLinkWlan, hex("8000" + wlan), DecodeError::wlan_no_data},
      {"802.11, null", kLinkWlan, hex("4801" + wlan), DecodeError::wlan_no_data},
      {"802.11, protected", kLinkWlan, hex("0841" + wlan), DecodeError::wlan_encrypted},
      {"802.11, more fragments", kLinkWlan, hex("0805" + wlan), DecodeError::wlan_fragment},
      {"802.11, version 1", kLinkWlan, hex("0901" + wlan), DecodeError::link_malformed},
      {"radiotap, length 7", kLinkRadiotap, behind("0000 0700 00000000", p), DecodeError::link_malformed},
      {"radiotap, fields without end", kLinkRadiotap, behind("0000 0c00 00000080 00000080", p), DecodeError::link_malformed},
      {"NFLOG, an attribute of 3 bytes", kLinkNflog, behind("02 00 0000 0300 0900", p), DecodeError::link_malformed},
      {"NFLOG, no packet", kLinkNflog, hex("02 00 0000 0800 0500 00000002"), DecodeError::link_truncated},
      {"Frame Relay, an address of 5 bytes", kLinkFrameRelay, behind("18404040 03 cc", p), DecodeError::link_malformed},
      {"MACsec", kLinkEthernet, in_ethernet(0x88e5, p), DecodeError::not_ip, 0x88e5},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    Decoder decoder;
    Segment segment;
    CHECK_FALSE(decoder.decode(make_record(test.frame, 0, 1, test.link_type), segment));
    const auto errors = decoder.counts().errors.sorted();
    REQUIRE(errors.size() == 1);
    CHECK(static_cast<int>(errors[0].error) == static_cast<int>(test.error));
    CHECK(errors[0].detail == test.detail);
    CHECK(errors[0].records == 1);
    CHECK_FALSE(decode_error_text(errors[0].error, errors[0].detail).empty());
  }
}

TEST_CASE("decode error: counts are sorted, complete, and bounded in memory") {
  CHECK(decode_error_text(DecodeError::not_ip, 0x0806) == "ARP (EtherType 0x0806, not IP)");
  CHECK(decode_error_text(DecodeError::not_ip, 0x1234) == "EtherType 0x1234, not IP");
  CHECK(decode_error_text(DecodeError::not_ip, 0) == "not IP");
  CHECK(decode_error_text(DecodeError::not_tcp, 17) == "UDP");
  CHECK(decode_error_text(DecodeError::not_tcp, 200) == "IP protocol 200");
  CHECK(decode_error_text(DecodeError::link_unknown, 147) == "link type 147, not decoded");
  for (int i = 0; i < kDecodeErrorCount; ++i) {
    CHECK_FALSE(decode_error_text(static_cast<DecodeError>(i), 0).empty());
    CHECK_FALSE(decode_error_text(static_cast<DecodeError>(i), kVariousDetails).empty());
  }
  DecodeErrorCounts counts;
  CHECK(counts.sorted().empty());
  counts.add(DecodeError::not_tcp, 17, 5);
  for (std::uint32_t type = 0; type < 70'000; ++type) counts.add(DecodeError::not_ip, type * 65'537);
  counts.add(DecodeError::ip_truncated, 0, 7);
  CHECK(counts.total() == 70'012);
  CHECK(counts.total(DecodeError::not_ip) == 70'000);
  CHECK(counts.total(DecodeError::ip_truncated) == 7);
  const auto sorted = counts.sorted();
  CHECK(sorted.size() < 200);
  CHECK(sorted[0].detail == kVariousDetails);
  for (std::size_t i = 1; i < sorted.size(); ++i) CHECK(sorted[i].records <= sorted[i - 1].records);
}

}  // namespace
}  // namespace wirelap::test
