// exchange, generic: captures of unknown protocols and of TLS through the engine.
// Where a turn begins and ends, what a lost packet costs, and where another
// protocol begins.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "app/generic/analyzer.h"
#include "engine.h"
#include "support/packets.h"
#include "support/records.h"
#include "support/two_ends.h"

namespace wirelap {
namespace {

using test::Buffer;
using test::SegmentSpec;

constexpr Nanos kMilli = 1'000'000;
constexpr Nanos kStart = 1'700'000'000 * kNanosPerSecond;

/// Returns the turns of a capture in the order of their numbers.
std::vector<Record> run(Bytes pcap, EngineOptions options) {
  test::Records records;
  Engine engine(std::move(options), records);
  test::run_bytes(engine, pcap);
  records.sort();
  for (const Record& record : records.exchanges) test::check_times(record);
  return std::move(records.exchanges);
}

EngineOptions with_tcp() {
  EngineOptions options;
  options.tcp = true;
  return options;
}

/// Makes the packets of one connection, one each millisecond. Both ends acknowledge all that the other has sent, except
/// in client_early() and server_early().
class Traffic {
 public:
  explicit Traffic(std::uint16_t client_port = 40000, std::uint16_t server_port = 6000)
      : ends_(client_port, server_port) {}

  Traffic& open() { return client({}, kSyn).server({}, kSyn | kAck).client(); }
  Traffic& client(std::string_view data = {}, unsigned flags = kAck) { return send(0, data, flags, 0); }
  Traffic& server(std::string_view data = {}, unsigned flags = kAck) { return send(1, data, flags, 0); }
  /// Sends before the last `unseen` bytes of the other end have arrived.
  Traffic& client_early(std::string_view data, std::uint32_t unseen) { return send(0, data, kAck, unseen); }
  Traffic& server_early(std::string_view data, std::uint32_t unseen) { return send(1, data, kAck, unseen); }
  Traffic& close() { return client({}, kFin | kAck).server({}, kFin | kAck).client(); }
  Traffic& pause(int milliseconds) {
    time_ += milliseconds * kMilli;
    return *this;
  }
  /// The last packet was not captured.
  Traffic& lose() {
    packets_.pop_back();
    return *this;
  }

  /// The last two packets were captured in the wrong order.
  Traffic& swap() {
    std::swap(packets_[packets_.size() - 1].second, packets_[packets_.size() - 2].second);
    return *this;
  }

  Buffer pcap() const {
    test::PcapWriter::Options nanoseconds;
    nanoseconds.decimals = 9;
    test::PcapWriter file(nanoseconds);
    for (const auto& [time, segment] : packets_) file.add(time, test::ethernet_frame(segment));
    return file.bytes();
  }

 private:
  Traffic& send(int from, std::string_view data, unsigned flags, std::uint32_t unseen) {
    packets_.emplace_back(time_ += kMilli, ends_.segment(from, data, flags, unseen));
    return *this;
  }

  std::vector<std::pair<Nanos, SegmentSpec>> packets_;
  test::TwoEnds ends_;
  Nanos time_ = kStart;
};

/// Returns a line for each turn, in milliseconds: [PROTOCOL] REQUEST-BYTES/RESPONSE-BYTES +WAIT OUTCOME
/// [-UNCAPTURED-BYTES]
std::string lines(const std::vector<Record>& turns) {
  std::string text;
  for (const Record& turn : turns) {
    if (turn.protocol != "tcp") text += std::string(turn.protocol) + " ";
    text += std::to_string(turn.request_bytes) + "/" + std::to_string(turn.response_bytes);
    text += " +" + (turn.wait == kUnknownTime ? "?" : std::to_string(turn.wait / kMilli)) + " ";
    text += turn.outcome;
    if (turn.missing_bytes != 0) text += " -" + std::to_string(turn.missing_bytes);
    text += "\n";
  }
  return text;
}

/// PostgreSQL's request for TLS.
const std::string kSslRequest("\0\0\0\x08\x04\xd2\x16\x2f", 8);
/// Hellos without extensions (RFC 8446, sections 4.1.2 and 4.1.3).
const std::string kClientHello = [] {
  const std::string body = "\x03\x03" + std::string(32, 'r') + std::string("\0\0\x02\x13\x01\x01\0", 7);
  return std::string("\x16\x03\x01\0\x2d\x01\0\0\x29", 9) + body;
}();
const std::string kServerHello = [] {
  const std::string body = "\x03\x03" + std::string(32, 'r') + std::string("\0\xc0\x2f\0", 4);
  return std::string("\x16\x03\x03\0\x2a\x02\0\0\x26", 9) + body;
}();
std::string record(char type, std::size_t length) {
  return {type + std::string("\x03\x03") + static_cast<char>(length >> 8) + static_cast<char>(length) +
          std::string(length, 'e')};
}
const std::string kFinished12 = record(20, 1) + record(22, 40);

struct Case {
  const char* name;
  void (*send)(Traffic&);
  const char* expected;
};

TEST_CASE("turns: acknowledgments show where a turn begins and ends") {
  const Case cases[] = {
      {"a request and its response are a turn",
       [](Traffic& t) { t.open().client("ab").server("xyz").client("abc").server("x").close(); },
       "2/3 +1 complete\n3/1 +1 complete\n"},
      {"several segments in each direction",
       [](Traffic& t) { t.open().client("ab").client("cd").server("xy").server("z").client("e").server("x").close(); },
       "4/3 +1 complete\n1/1 +1 complete\n"},
      {"what the client sends before it receives the response belongs to the same turn",
       [](Traffic& t) {
         t.open().client("ab").server("xy").client_early("cd", 2).server("z").client("e").server("x").close();
       },
       "4/3 +0 complete\n1/1 +1 complete\n"},
      {"what the server sends before it receives the next turn belongs to the turn before",
       [](Traffic& t) {
         t.open().client("ab").server("xy").client("cdef").server_early("more", 4).server("z").client().close();
       },
       "2/6 +1 complete\n4/1 +2 complete\n"},
      {"the server sends first: its greeting is a turn",
       [](Traffic& t) { t.open().pause(29).server("hello").client("ab").server("xyz").close(); },
       "0/5 +30 complete\n2/3 +1 complete\n"},
      {"the client's first bytes cross the greeting: they belong to its turn",
       [](Traffic& t) { t.open().server("hello").client_early("ab", 5).server("xyz").client("a").server("b").close(); },
       "2/8 +0 complete\n1/1 +1 complete\n"},
      {"a greeting alone", [](Traffic& t) { t.open().server("hello").close(); }, "0/5 +1 complete\n"},
      {"no response", [](Traffic& t) { t.open().client("a").server("b").client("ab").server().pause(30).close(); },
       "1/1 +1 complete\n2/0 +33 no_response\n"},
      {"last bytes of the client before its FIN are no turn",
       [](Traffic& t) { t.open().client("a").server("b").client("quit").close(); }, "1/1 +1 complete\n"},
      {"last bytes of the client that are answered are a turn",
       [](Traffic& t) {
         t.open().client("a").server("b").client("quit", kAck | kPsh).client({}, kFin | kAck).server("bye");
         t.server({}, kFin | kAck).client();
       },
       "1/1 +1 complete\n4/3 +2 complete\n"},
      {"reset before the response", [](Traffic& t) { t.open().client("ab").server({}, kRst | kAck); },
       "2/0 +1 reset\n"},
      {"reset inside the response", [](Traffic& t) { t.open().client("ab").server("xyz").client({}, kRst); },
       "2/3 +1 reset\n"},
      {"reset after the client's FIN",
       [](Traffic& t) { t.open().client("ab").server("xyz").client({}, kFin | kAck).server({}, kRst); },
       "2/3 +1 complete\n"},
      {"the capture ends before the response", [](Traffic& t) { t.open().client("ab").server("xyz").client("abc"); },
       "2/3 +1 complete\n3/0 +0 capture_end\n"},
      {"from the middle of a connection the first turn has the outcome gap",
       [](Traffic& t) { t.server("xyz").client("ab").server("xyz").client("abc").server("x").close(); },
       "2/3 +1 gap\n3/1 +1 complete\n"},
      {"from the middle of a connection, and the server answers what came before",
       [](Traffic& t) { t.client("ab").server_early("xyz", 2).server("xy").client("abc").server("x").close(); },
       "2/2 +2 gap\n3/1 +1 complete\n"},
      {"only the client's packets were captured",
       [](Traffic& t) {
         t.open().client("ab").server("xyz").lose().client().client("abc").server("x").lose().client().close();
       },
       "2/3 +2 gap -3\n3/1 +2 gap -1\n"},
      {"the beginning of a response was not captured",
       [](Traffic& t) {
         t.open().client("ab").server("xyz").lose().server("vw").client().client("a").server("b").close();
       },
       "2/5 +2 gap -3\n1/1 +1 complete\n"},
      {"the end of a response was not captured",
       [](Traffic& t) {
         t.open().client("ab").server("vw").server("xyz").lose().client().client("a").server("b").close();
       },
       "2/5 +1 complete -3\n1/1 +1 complete\n"},
      {"a request was not captured",
       [](Traffic& t) {
         t.open().client("ab").server("vw").client("abc").lose().server("xyz").client("a").server("b").close();
       },
       "2/2 +1 complete\n3/3 +? gap -3\n1/1 +1 complete\n"},
      {"a request was captured after its response",
       [](Traffic& t) {
         t.open().client("ab").server("vw").client("abc").server("xyz").swap().client().client("a").server("b").close();
       },
       "2/2 +1 complete\n3/3 +0 complete\n1/1 +1 complete\n"},
      {"HTTP is found in the middle: the bytes before it are no turn",
       [](Traffic& t) {
         t.client("body").server("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1").client("GET / HTTP/1.1\r\n\r\n");
         t.server("HTTP/1.1 204 x\r\n\r\n").close();
       },
       "http/1.1 0/39 +? gap\nhttp/1.1 18/18 +1 complete\n"},
      {"the first bytes look like HTTP",
       [](Traffic& t) {
         t.open().client("*").client("1\r\n$4\r\nPING\r\n").server("+PONG\r\n").client("a").server("b").close();
       },
       "14/7 +1 complete\n1/1 +1 complete\n"},
      {"the first bytes look like TLS",
       [](Traffic& t) { t.open().client(kClientHello).server("HTTP/1.1 400 Bad Request\r\n\r\n").close(); },
       "50/28 +1 complete\n"},
      {"TLS after a turn in clear text (PostgreSQL)",
       [](Traffic& t) {
         t.open().client(kSslRequest).server("S").client(kClientHello).server(kServerHello);
         t.client(kFinished12).server(kFinished12).client(record(23, 30)).server(record(23, 40)).close();
       },
       "8/1 +1 complete\ntls 35/45 +1 complete\n"},
      {"TLS directly after the client's request for it (MySQL)",
       [](Traffic& t) {
         t.open().server("8.0").client("ssl").client(kClientHello).server(kServerHello);
         t.client(kFinished12).server(kFinished12).client(record(23, 30)).server(record(23, 40)).close();
       },
       "0/3 +1 complete\ntls 35/45 +1 complete\n"},
      {"TLS after STARTTLS (RFC 3207)",
       [](Traffic& t) {
         t.open().server("220 x\r\n").client("STARTTLS\r\n").server("220 go\r\n").client(kClientHello);
         t.server(kServerHello).client(kFinished12).server(kFinished12).client(record(23, 30)).server(record(23, 40));
         t.close();
       },
       "0/7 +1 complete\n10/8 +1 complete\ntls 35/45 +1 complete\n"},
      {"the connection closes while its bytes may still begin HTTP",
       [](Traffic& t) { t.open().client("ab").pause(30).close(); }, "2/0 +32 no_response\n"},
  };
  for (const Case& one : cases) {
    CAPTURE(std::string(one.name));
    Traffic traffic;
    one.send(traffic);
    CHECK(lines(run(traffic.pcap(), with_tcp())) == std::string(one.expected));
  }
}

TEST_CASE("turns: without --tcp, turns of TLS are reported, also after STARTTLS, and others are not") {
  Traffic traffic;
  traffic.open().server("220 x\r\n").client("STARTTLS\r\n").server("220 go\r\n").client(kClientHello);
  traffic.server(kServerHello).client(kFinished12).server(kFinished12).client(record(23, 30)).server(record(23, 40));
  CHECK(lines(run(traffic.close().pcap(), {})) == "tls 35/45 +1 complete\n");
  Traffic plain;
  plain.open().server("220 x\r\n").client("NOOP\r\n").server("250\r\n").client("GET / HTTP/1.1\r\n\r\n").close();
  CHECK(run(plain.pcap(), {}).empty());
}

TEST_CASE("turns: TLS is found without its handshake, by whole records") {
  const Case cases[] = {
      {"the first turn may have begun before the capture",
       [](Traffic& t) {
         t.client(record(23, 30)).server(record(23, 400)).client(record(23, 50)).server(record(23, 60)).close();
       },
       "tls 35/405 +1 gap\ntls 55/65 +1 complete\n"},
      {"the capture begins inside a record of the server",
       [](Traffic& t) {
         t.server(std::string(300, 'e')).client(record(23, 30)).server(record(23, 400)).client(record(23, 50));
         t.server(record(23, 60)).close();
       },
       "tls 35/405 +1 gap\ntls 55/65 +1 complete\n"},
      {"a record header alone does not show TLS",
       [](Traffic& t) { t.client(record(23, 300).substr(0, 200)).server("xyz").close(); }, ""},
      {"an encrypted alert is no turn, whatever the version (RFC 8446, section 6.1)",
       [](Traffic& t) { t.client(record(23, 30)).server(record(23, 400)).client(record(23, 19)).close(); },
       "tls 35/405 +1 gap\n"},
  };
  for (const Case& one : cases) {
    CAPTURE(std::string(one.name));
    Traffic traffic;
    one.send(traffic);
    const std::vector<Record> turns = run(traffic.pcap(), {});
    CHECK(lines(turns) == std::string(one.expected));
    for (const Record& turn : turns) CHECK((turn.tls == (turn.exchange == 1 ? kUnknownTime : 0)));
  }
}

TEST_CASE("turns: where the handshake was not captured, the ports show which end is the client") {
  const auto client_port = [](std::uint16_t first_sender, std::uint16_t other, std::vector<std::uint16_t> ports) {
    Traffic traffic(first_sender, other);
    EngineOptions options = with_tcp();
    options.ports = std::move(ports);
    const std::vector<Record> turns = run(traffic.client("ab").server("xyz").client("a").server("b").pcap(), options);
    return turns.empty() ? 0 : turns[0].client_port;
  };
  CHECK(client_port(40000, 6000, {}) == 40000);  // the lower port is the server's
  CHECK(client_port(6000, 40000, {}) == 40000);
  CHECK(client_port(6000, 6000, {}) == 6000);
  CHECK(client_port(6000, 40000, {40000}) == 6000);  // --port 40000: that is the server's
  CHECK(client_port(40000, 6000, {80}) == 0);
}

TEST_CASE("turns: the wait for a greeting begins after the handshake; numbers and idle times continue in TLS") {
  Traffic traffic;
  traffic.open()
      .pause(9)
      .server("hi")
      .pause(4)
      .client(kSslRequest)
      .server("S")
      .client(kClientHello)
      .server(kServerHello);
  traffic.client(kFinished12).server(kFinished12).pause(6).client(record(23, 30)).server(record(23, 40)).close();
  const std::vector<Record> turns = run(traffic.pcap(), with_tcp());
  REQUIRE(turns.size() == 3);
  CHECK(turns[0].start == kStart + 3 * kMilli);  // the handshake's end
  CHECK(turns[0].wait == 10 * kMilli);
  CHECK(turns[0].idle == 0);
  CHECK(turns[1].idle == 5 * kMilli);
  CHECK(turns[2].exchange == 3);
  CHECK(turns[2].tls == 3 * kMilli);
  CHECK(turns[2].idle == 7 * kMilli);
}

/// Feeds an analyzer as the engine does, with each segment in two pieces, the first of `cut` bytes. Returns the turns:
/// REQUEST-BYTES/RESPONSE-BYTES@FIRST-PACKET-LAST-PACKET.
std::string fed_in_pieces(std::size_t cut) {
  Connection connection;
  connection.set_client(Side::low);
  Timing timing;
  connection.timing = &timing;
  connection.handshake.ack = 0;
  for (Stream& stream : connection.streams) {
    stream.start_at(0);
    stream.from_syn = true;
  }
  const Wanted wanted;
  ExchangePool pool(wanted);
  generic::Analyzer analyzer(StreamView(connection), pool, {Probe::Result::unsure, Direction::to_client});
  const std::size_t lengths[] = {9, 20, 7, 30, 5, 1};  // the server sends first, then each end in turn
  std::uint64_t packet = 0;
  for (const std::size_t length : lengths) {
    const Direction direction = packet % 2 == 0 ? Direction::to_client : Direction::to_server;
    Stream& from = connection.streams[static_cast<int>(direction)];
    const Stream& to = connection.streams[1 - static_cast<int>(direction)];
    const Arrival arrival{static_cast<Nanos>(++packet) * kMilli, packet, to.next};
    const Buffer bytes(length, 'x');
    for (const Bytes piece : {Bytes(bytes).first(std::min(cut, length)), Bytes(bytes).subspan(std::min(cut, length))}) {
      if (piece.empty()) continue;
      analyzer.feed(direction, {piece, piece.size()}, arrival);
      analyzer.log().confirm(Stream::kNever);
      from.advance(piece.size());
    }
  }
  analyzer.finish(Outcome::closed, static_cast<Nanos>(++packet) * kMilli);
  std::string text;
  while (Exchange* const turn = analyzer.log().next_finished()) {
    text += std::to_string(turn->request.bytes) + "/" + std::to_string(turn->response.bytes) + "@" +
            std::to_string(turn->first_packet) + "-" + std::to_string(turn->last_packet) + " ";
    pool.give_back(*turn);
  }
  return text;
}

TEST_CASE("turns: the generic analyzer finds the same turns however segments are cut") {
  for (std::size_t cut = 0; cut <= 30; ++cut) CHECK(fed_in_pieces(cut) == "0/9@1-1 20/7@2-3 30/5@4-5 1/0@6-6 ");
}

/// A pcap file, cut into its header and its records.
struct PcapFile {
  Buffer header;
  std::vector<Buffer> records;

  explicit PcapFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const Buffer all{std::istreambuf_iterator<char>(file), {}};
    header.assign(all.begin(), all.begin() + 24);
    for (std::size_t at = 24; at < all.size();) {
      const std::size_t length = 16 + (all[at + 8] | all[at + 9] << 8);
      records.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(at),
                           all.begin() + static_cast<std::ptrdiff_t>(at + length));
      at += length;
    }
  }
  /// The time of record `i`.
  Nanos time(std::size_t i) const {
    const auto load = [&](std::size_t at) {
      const Buffer& record = records[i];
      return record[at] | record[at + 1] << 8 | record[at + 2] << 16 | static_cast<Nanos>(record[at + 3]) << 24;
    };
    return load(0) * kNanosPerSecond + load(4) * 1000;
  }
  /// The file without `count` records from `from` on.
  Buffer without(std::size_t from, std::size_t count) const {
    Buffer bytes = header;
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (i < from || i >= from + count) test::append(bytes, records[i]);
    }
    return bytes;
  }
};

TEST_CASE("turns: a packet that was not captured costs only the turns around it") {
  for (const char* const name : {"tls12", "tls13", "tls-resumed", "tcp-redis", "tcp-postgresql", "tcp-mariadb"}) {
    const PcapFile capture(std::string("fixtures/") + name + ".pcap");
    const std::vector<Record> all = run(capture.without(0, 0), with_tcp());
    REQUIRE(all.size() > 2);
    for (std::size_t lost = 0; lost < capture.records.size(); ++lost) {
      CAPTURE(std::string(name));
      CAPTURE(lost + 1);
      const std::vector<Record> rest = run(capture.without(lost, 1), with_tcp());
      const Nanos time = capture.time(lost);
      std::size_t unaffected = 0, found = 0;
      for (std::size_t i = 0; i < all.size(); ++i) {
        const Record& turn = all[i];
        // The packet may belong to the turn if it lies between the beginnings of the turns before and after it.
        const bool first = i == 0 || all[i - 1].connection != turn.connection;
        const bool last = i + 1 == all.size() || all[i + 1].connection != turn.connection;
        if ((first || time >= all[i - 1].start) && (last || time <= all[i + 1].start)) continue;
        ++unaffected;
        found += static_cast<std::size_t>(std::count_if(rest.begin(), rest.end(), [&](const Record& other) {
          return other.start == turn.start && other.client_port == turn.client_port &&
                 (other.host.empty() || other.host == turn.host) && other.request_bytes == turn.request_bytes &&
                 other.response_bytes == turn.response_bytes && other.send == turn.send && other.wait == turn.wait &&
                 other.receive == turn.receive && other.outcome == turn.outcome;
        }));
      }
      CHECK(found == unaffected);
      // A turn that is reported as complete is a turn of the whole capture.
      for (const Record& turn : rest) {
        if (turn.outcome != "complete" || turn.missing_bytes != 0) continue;
        CAPTURE(lines({turn}));
        CHECK(std::any_of(all.begin(), all.end(), [&](const Record& other) {
          return other.start == turn.start && other.request_bytes == turn.request_bytes &&
                 other.response_bytes == turn.response_bytes;
        }));
      }
    }
  }
}

}  // namespace
}  // namespace wirelap
