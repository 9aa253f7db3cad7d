// wire/fragments: IP datagrams are reassembled from fragments in any order, also from malicious ones.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "support/packets.h"
#include "wire/decoder.h"
#include "wire/tunnel.h"

namespace wirelap::test {
namespace {

constexpr std::size_t kTcpBytes = 20;

SegmentSpec spec_with(std::size_t payload_bytes) {
  SegmentSpec spec;
  for (std::size_t i = 0; i < payload_bytes; ++i) spec.payload += static_cast<char>('a' + i * 7 % 26);
  return spec;
}

/// A range of the payload of an IP datagram, to be sent as one fragment.
struct Piece {
  std::size_t begin, end;
  bool more_fragments;
};

/// Divides a payload into ranges of `step` bytes.
std::vector<Piece> cut(std::size_t payload_bytes, std::size_t step) {
  std::vector<Piece> pieces;
  for (std::size_t at = 0; at < payload_bytes; at += step) {
    const std::size_t end = std::min(at + step, payload_bytes);
    pieces.push_back({at, end, end < payload_bytes});
  }
  return pieces;
}

/// An IPv4 fragment (RFC 791, section 3.1).
Buffer fragment4(Bytes payload, std::size_t offset, bool more_fragments, std::uint16_t id = 7, std::uint8_t protocol = 6,
                 const std::string& source = "10.0.0.1") {
  IpSpec ip;
  ip.source = source;
  ip.protocol = protocol;
  ip.id = id;
  ip.fragment = static_cast<std::uint16_t>((more_fragments ? 0x2000u : 0u) | offset / 8);
  return ipv4_packet(ip, payload);
}
/// An IPv6 fragment (RFC 8200, section 4.5).
Buffer fragment6(Bytes payload, std::size_t offset, bool more_fragments, std::uint32_t id = 7, std::uint8_t next = 6) {
  IpSpec ip;
  ip.source = "2001:db8::1";
  ip.destination = "2001:db8::2";
  ip.protocol = 44;
  Buffer header;
  put8(header, next);
  put8(header, 0);
  put16(header, static_cast<unsigned>(offset | more_fragments));
  put32(header, id);
  return ipv6_packet(ip, joined({header, payload}));
}

/// A decoder and the segments that it returned.
struct DecoderRun {
  Decoder decoder;
  std::vector<Segment> segments;
  std::vector<std::string> data;
  std::uint64_t packets = 0;

  void feed(Bytes packet, Nanos time = 0, std::size_t captured = ~std::size_t{0}, std::uint32_t link_type = kLinkRaw) {
    // In a buffer of its own, so that the sanitizers detect a use after this call.
    const Buffer held(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(std::min(captured, packet.size())));
    PacketRecord record = make_record(held, time, ++packets, link_type);
    record.length = static_cast<std::uint32_t>(packet.size());
    Segment segment;
    if (!decoder.decode(record, segment)) return;
    data.push_back(text_of(segment.data));
    segment.data = segment.tcp.options = {};
    segments.push_back(segment);
  }
  std::uint64_t count(DecodeError error) const { return decoder.counts().errors.total(error); }
};

TEST_CASE("fragments: a datagram is reassembled from fragments in any order, of IPv4 and IPv6") {
  const SegmentSpec spec = spec_with(100 - kTcpBytes);
  const Buffer whole = tcp_segment(spec);
  for (const bool v6 : {false, true}) {
    for (const std::size_t step : {24, 40, 48, 56, 96}) {
      const std::vector<Piece> pieces = cut(whole.size(), step);
      std::vector<std::size_t> order(pieces.size());
      std::iota(order.begin(), order.end(), 0);
      do {
        DecoderRun run;
        Nanos time = 0;
        for (const std::size_t place : order) {
          CHECK(run.segments.empty());
          const auto [begin, end, more_fragments] = pieces[place];
          const Bytes bytes = Bytes(whole).subspan(begin, end - begin);
          run.feed(v6 ? fragment6(bytes, begin, more_fragments) : fragment4(bytes, begin, more_fragments), ++time);
        }
        REQUIRE(run.segments.size() == 1);
        const Segment& segment = run.segments[0];
        CHECK(run.data[0] == spec.payload);
        CHECK(segment.data_length == spec.payload.size());
        CHECK(segment.tcp.source_port == spec.source_port);
        CHECK(segment.ip.version == (v6 ? 6 : 4));
        // Time and number are those of the fragment that arrived last.
        CHECK(segment.time == time);
        CHECK(segment.packet == pieces.size());
        CHECK(run.count(DecodeError::fragment) == pieces.size() - 1);
        run.decoder.finish();
        CHECK(run.decoder.counts().segments() == 1);
      } while (std::next_permutation(order.begin(), order.end()));
    }
  }
}

TEST_CASE("fragments: overlapping, missing and malformed fragments cannot change the bytes that arrived first") {
  const Buffer whole = tcp_segment(spec_with(64 - kTcpBytes));
  const Bytes bytes(whole);
  const Buffer other(64, 'X');
  const Bytes foreign(other);  // bytes that must not be in the datagram
  struct Case {
    std::string name;
    std::vector<Buffer> packets;
    std::string data;  ///< of the segment; "-": no segment
    std::uint64_t joined, incomplete, malformed;  ///< fragments, by DecodeError
  };
  const std::string payload = text_of(bytes.subspan(kTcpBytes));
  const auto f = [&](Bytes from, std::size_t begin, std::size_t end, bool more_fragments, std::uint16_t id = 7) {
    return fragment4(from.subspan(begin, end - begin), begin, more_fragments, id);
  };
  const Case cases[] = {
      {"complete", {f(bytes, 0, 32, true), f(bytes, 32, 64, false)}, payload, 1, 0, 0},
      {"no first fragment", {f(bytes, 32, 64, false)}, "-", 0, 1, 0},
      {"no last fragment", {f(bytes, 0, 32, true), f(bytes, 32, 48, true)}, "-", 0, 2, 0},
      {"a gap", {f(bytes, 0, 24, true), f(bytes, 32, 64, false)}, "-", 0, 2, 0},
      {"a repeated fragment", {f(bytes, 0, 32, true), f(bytes, 0, 32, true), f(bytes, 32, 64, false)}, payload, 2, 0, 0},
      // RFC 1858, RFC 3128: of overlapping bytes, those that arrived first are kept.
      {"overlap over the header", {f(bytes, 0, 32, true), f(foreign, 8, 32, true), f(bytes, 32, 64, false)}, payload, 2, 0, 0},
      {"overlap inside", {f(bytes, 0, 40, true), f(foreign, 32, 40, true), f(bytes, 40, 64, false)}, payload, 2, 0, 0},
      {"overlap of the end (teardrop)", {f(bytes, 32, 64, false), f(foreign, 56, 64, true), f(bytes, 0, 32, true)}, payload, 2, 0, 0},
      {"a fragment over all gaps", {f(bytes, 0, 8, true), f(bytes, 48, 64, false), f(bytes, 24, 32, true),
                              f(bytes, 0, 64, true)}, payload, 3, 0, 0},
      {"a second end: the first counts", {f(bytes, 32, 64, false), f(foreign, 32, 40, false), f(bytes, 0, 32, true)}, payload, 2, 0, 0},
      {"an end before earlier fragments", {f(bytes, 32, 64, true), f(foreign, 8, 16, false), f(bytes, 0, 32, true)}, "-", 0, 3, 0},
      {"data past the end are ignored", {f(bytes, 32, 64, false), fragment4(foreign.first(16), 64, true), f(bytes, 0, 32, true)}, payload, 2, 0, 0},
      {"a length that is not a multiple of 8", {f(bytes, 0, 31, true), f(bytes, 32, 64, false)}, "-", 0, 1, 1},
      {"no bytes", {fragment4({}, 0, true), f(bytes, 32, 64, false)}, "-", 0, 1, 1},
      {"past 65,535 (ping of death)", {fragment4(foreign, 65528, false), f(bytes, 0, 32, true)}, "-", 0, 1, 1},
      {"different IDs", {f(bytes, 0, 32, true, 7), f(bytes, 32, 64, false, 8)}, "-", 0, 2, 0},
      {"different protocols", {f(bytes, 0, 32, true), fragment4(bytes.subspan(32), 32, false, 7, 17)}, "-", 0, 2, 0},
      {"different senders", {f(bytes, 0, 32, true), fragment4(bytes.subspan(32), 32, false, 7, 6, "10.0.0.9")}, "-", 0, 2, 0},
      {"a TCP header in several fragments (RFC 1858, tiny fragments)",
       {f(bytes, 0, 8, true), f(bytes, 8, 16, true), f(bytes, 16, 64, false)}, payload, 2, 0, 0},
      {"an unfragmented datagram in between", {f(bytes, 0, 32, true), fragment4(bytes, 0, false, 7), f(bytes, 32, 64, false)}, payload, 1, 0, 0},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    DecoderRun run;
    for (const Buffer& packet : test.packets) run.feed(packet);
    run.decoder.finish();
    CHECK((run.data.empty() ? "-" : run.data.back()) == test.data);
    CHECK(run.count(DecodeError::fragment) == test.joined);
    CHECK(run.count(DecodeError::fragment_incomplete) == test.incomplete);
    CHECK(run.count(DecodeError::fragment_malformed) == test.malformed);
    CHECK(run.decoder.counts().records == test.packets.size());
  }
  // RFC 8200, section 4.5: the Next Header field of the first fragment counts.
  DecoderRun run;
  run.feed(fragment6(bytes.subspan(32), 32, false, 7, 60));
  run.feed(fragment6(bytes.first(32), 0, true, 7, 6));
  REQUIRE(run.data.size() == 1);
  CHECK(run.data[0] == payload);
}

// The reference stores, for each byte of the datagram, the value that arrived first.
TEST_CASE("fragments: random overlapping fragments give the datagram of a simple reference") {
  std::uint32_t random = 12345;
  const auto next = [&random](std::uint32_t below) {
    random = random * 1664525 + 1013904223;
    return (random >> 8) % below;
  };
  for (int round = 0; round < 400; ++round) {
    CAPTURE(round);
    constexpr std::size_t kUnits = 24;
    std::string map(kUnits * 8, '\0');
    std::vector<bool> known(map.size());
    DecoderRun run;
    bool has_end = false;
    for (int sent = 0; run.data.empty() && sent < 2000; ++sent) {
      const std::size_t begin = next(kUnits) * 8;
      const std::size_t end = std::min(map.size(), begin + 8 + next(6) * 8);
      const bool more_fragments = end < map.size();
      Buffer bytes;
      for (std::size_t at = begin; at < end; ++at) {
        // All fragments have the same TCP header; other bytes identify their fragment.
        const auto value = static_cast<std::uint8_t>(at == 12 ? 0x50 : at < kTcpBytes ? 0 : 1 + sent % 255);
        put8(bytes, value);
        if (known[at]) continue;
        known[at] = true;
        map[at] = static_cast<char>(value);
      }
      has_end |= !more_fragments;
      run.feed(fragment4(bytes, begin, more_fragments));
      const bool complete = has_end && std::find(known.begin(), known.end(), false) == known.end();
      REQUIRE(run.data.empty() != complete);
    }
    REQUIRE(run.data.size() == 1);
    CHECK(run.data[0] == map.substr(kTcpBytes));
  }
}

TEST_CASE("fragments: a snaplen limits the captured data of a datagram, not its length") {
  const SegmentSpec spec = spec_with(200 - kTcpBytes);
  const Buffer whole = tcp_segment(spec);
  struct Case {
    std::string name;
    std::size_t captured[3];  // captured bytes of the fragments of 80, 80 and 40 bytes
    std::size_t held;         // captured bytes of the segment's data
  };
  const Case cases[] = {{"none truncated", {80, 80, 40}, 180},     {"the first truncated", {50, 80, 40}, 30},
                        {"the second truncated", {80, 8, 40}, 68},    {"the last truncated", {80, 80, 39}, 179},
                        {"the second without data", {80, 0, 40}, 60}, {"all truncated", {30, 30, 30}, 10}};
  for (const Case& test : cases) {
    for (const bool backwards : {false, true}) {
      INFO(test.name);
      CAPTURE(backwards);
      std::vector<Piece> pieces = cut(whole.size(), 80);
      std::vector<std::size_t> order = {0, 1, 2};
      if (backwards) std::reverse(order.begin(), order.end());
      DecoderRun run;
      for (const std::size_t place : order) {
        const auto [begin, end, more_fragments] = pieces[place];
        run.feed(fragment4(Bytes(whole).subspan(begin, end - begin), begin, more_fragments), 0, 20 + test.captured[place]);
      }
      REQUIRE(run.data.size() == 1);
      CHECK(run.data[0] == spec.payload.substr(0, test.held));
      CHECK(run.segments[0].data_length == 180);
    }
  }
}

TEST_CASE("fragments: incomplete datagrams are bounded in number, bytes, gaps and time") {
  const Buffer whole = tcp_segment(spec_with(64 - kTcpBytes));
  const Bytes bytes(whole);
  SUBCASE("number: the oldest datagram is discarded") {
    DecoderRun run;
    for (std::uint16_t id = 0; id <= FragmentReassembler::kMaxDatagrams; ++id) run.feed(fragment4(bytes.first(32), 0, true, id));
    CHECK(run.count(DecodeError::fragment_incomplete) == 1);
    run.feed(fragment4(bytes.subspan(32), 32, false, 0));
    CHECK(run.data.empty());
    run.feed(fragment4(bytes.subspan(32), 32, false, 200));
    CHECK(run.data.size() == 1);
  }
  SUBCASE("bytes: the oldest datagrams are discarded") {
    DecoderRun run;
    const std::size_t most = FragmentReassembler::kMaxBytes / 65'000 + 2;
    for (std::size_t id = 0; id < most; ++id) run.feed(fragment4(bytes.first(32), 65'000, true, static_cast<std::uint16_t>(id)));
    CHECK(run.count(DecodeError::fragment_incomplete) >= 1);
    CHECK(run.count(DecodeError::fragment_incomplete) <= 3);
  }
  SUBCASE("gaps: a datagram with too many is discarded") {
    DecoderRun run;
    for (std::size_t i = 0; i <= FragmentReassembler::kMaxGaps; ++i) run.feed(fragment4(bytes.first(8), i * 16 + 8, true));
    CHECK(run.count(DecodeError::fragment_incomplete) >= FragmentReassembler::kMaxGaps);
  }
  SUBCASE("time: a repeated ID starts a new datagram") {
    DecoderRun run;
    const Buffer other(32, 'X');
    run.feed(fragment4(other, 0, true), 0);
    run.feed(fragment4(bytes.first(32), 0, true), FragmentReassembler::kMaxAge + 1);
    CHECK(run.count(DecodeError::fragment_incomplete) == 1);
    run.feed(fragment4(bytes.subspan(32), 32, false), FragmentReassembler::kMaxAge + 2);
    REQUIRE(run.data.size() == 1);
    CHECK(run.data[0] == text_of(bytes.subspan(kTcpBytes)));
  }
  SUBCASE("time: a clock that goes backwards discards no datagram") {
    DecoderRun run;
    run.feed(fragment4(bytes.first(32), 0, true), 100 * kNanosPerSecond);
    run.feed(fragment4(bytes.subspan(32), 32, false), 0);
    CHECK(run.data.size() == 1);
  }
}

TEST_CASE("fragments: datagrams are reassembled outside and inside of tunnels") {
  const SegmentSpec spec = spec_with(600);
  const Buffer whole = tcp_segment(spec);
  IpSpec outer;
  outer.source = "203.0.113.1";
  outer.destination = "203.0.113.2";
  const auto in_vxlan = [&](Bytes packet, unsigned vni) {
    Buffer datagram;
    for (const unsigned word : {50'000u, 4789u, 0u, 0u, 0x0800u, 0u}) put16(datagram, word);
    put32(datagram, vni << 8);
    append(datagram, ethernet(0x0800, packet));
    return datagram;
  };
  const auto in_pieces = [&](Bytes datagram, std::uint8_t protocol, std::size_t step, std::uint16_t id) {
    std::vector<Buffer> packets;
    for (const auto& [begin, end, more_fragments] : cut(datagram.size(), step)) {
      packets.push_back(fragment4(datagram.subspan(begin, end - begin), begin, more_fragments, id, protocol, "203.0.113.1"));
    }
    return packets;
  };
  IpSpec inner;
  SUBCASE("the outer datagram is fragmented") {
    DecoderRun run;
    for (const Buffer& packet : in_pieces(in_vxlan(ipv4_packet(inner, whole), 5), 17, 256, 1)) run.feed(packet);
    REQUIRE(run.data.size() == 1);
    CHECK(run.data[0] == spec.payload);
    CHECK(tunnel_id(run.segments[0].tunnel) == 5);
  }
  SUBCASE("the inner datagrams of two tenants are fragmented, with the same ID") {
    DecoderRun run;
    outer.protocol = 17;
    for (const auto& [begin, end, more_fragments] : cut(whole.size(), 256)) {
      for (const unsigned vni : {5u, 6u}) {
        run.feed(ipv4_packet(outer, in_vxlan(fragment4(Bytes(whole).subspan(begin, end - begin), begin, more_fragments), vni)));
      }
    }
    REQUIRE(run.data.size() == 2);
    CHECK(run.data[0] == spec.payload);
    CHECK(run.data[1] == spec.payload);
    CHECK(tunnel_id(run.segments[0].tunnel) == 5);
    CHECK(tunnel_id(run.segments[1].tunnel) == 6);
  }
  SUBCASE("both are fragmented, and the inner fragments arrive in any order") {
    for (const bool backwards : {false, true}) {
      DecoderRun run;
      std::vector<Piece> pieces = cut(whole.size(), 320);
      if (backwards) std::reverse(pieces.begin(), pieces.end());
      std::uint16_t id = 1;
      for (const auto& [begin, end, more_fragments] : pieces) {
        const Buffer piece = fragment4(Bytes(whole).subspan(begin, end - begin), begin, more_fragments);
        for (const Buffer& packet : in_pieces(in_vxlan(piece, 5), 17, 128, id)) run.feed(packet);
        ++id;
      }
      REQUIRE(run.data.size() == 1);
      CHECK(run.data[0] == spec.payload);
      run.decoder.finish();
      CHECK(run.decoder.counts().segments() == 1);
    }
  }
}

}  // namespace
}  // namespace wirelap::test
