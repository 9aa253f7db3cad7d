// Turns of TCP that is not known, through the engine: where one begins and ends,
// what a lost packet costs, and where another protocol takes over.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "engine.h"
#include "support/packets.h"
#include "support/records.h"
#include "app/generic/analyzer.h"

namespace wirelap {
namespace {

using test::Buffer;
using test::SegmentSpec;

constexpr Nanos kMilli = 1'000'000;
constexpr Nanos kStart = 1'700'000'000 * kNanosPerSecond;

/// The turns of a capture in the order of their numbers.
std::vector<Record> run(Bytes pcap, EngineOptions options) {
  test::Records records;
  Engine engine(std::move(options), records);
  test::run_bytes(engine, pcap);
  records.sort();
  return std::move(records.exchanges);
}

EngineOptions with_tcp() {
  EngineOptions options;
  options.tcp = true;
  return options;
}

/// One connection's packets, one a millisecond. Both ends acknowledge all that
/// the other has sent, unless told; the client waits half a minute where it must.
class Talk {
 public:
  explicit Talk(std::uint16_t client_port = 40000, std::uint16_t server_port = 6000)
      : ports_{client_port, server_port} {}

  Talk& open() { return client({}, kSyn).server({}, kSyn | kAck).client(); }
  Talk& client(std::string_view data = {}, unsigned flags = kAck) { return send(0, data, flags, next_[1]); }
  Talk& server(std::string_view data = {}, unsigned flags = kAck) { return send(1, data, flags, next_[0]); }
  /// Sent before the `unseen` last bytes of the other end arrived.
  Talk& client_early(std::string_view data, std::uint32_t unseen) { return send(0, data, kAck, next_[1] - unseen); }
  Talk& server_early(std::string_view data, std::uint32_t unseen) { return send(1, data, kAck, next_[0] - unseen); }
  Talk& close() { return client({}, kFin | kAck).server({}, kFin | kAck).client(); }
  Talk& pause(int milliseconds) {
    time_ += milliseconds * kMilli;
    return *this;
  }
  /// The last packet was not captured.
  Talk& lose() {
    packets_.pop_back();
    return *this;
  }

  /// The last two packets were captured in the wrong order.
  Talk& swap() {
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
  Talk& send(int from, std::string_view data, unsigned flags, std::uint32_t acknowledgment) {
    SegmentSpec segment;
    segment.source = from == 0 ? "10.0.0.1" : "10.0.0.2";
    segment.destination = from == 0 ? "10.0.0.2" : "10.0.0.1";
    segment.source_port = ports_[from];
    segment.destination_port = ports_[1 - from];
    segment.sequence = next_[from];
    segment.acknowledgment = (flags & kAck) != 0 ? acknowledgment : 0;
    segment.flags = static_cast<std::uint8_t>(flags);
    segment.payload = data;
    segment.ip_id = ++ip_id_[from];
    next_[from] += static_cast<std::uint32_t>(data.size()) + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);
    packets_.emplace_back(time_ += kMilli, segment);
    return *this;
  }

  std::vector<std::pair<Nanos, SegmentSpec>> packets_;
  std::uint16_t ports_[2];
  std::uint32_t next_[2] = {1000, 4'294'967'000};  // the server's wraps after 296 bytes
  std::uint16_t ip_id_[2] = {100, 200};
  Nanos time_ = kStart;
};

/// One line a turn: its bytes, "+wait" milliseconds, outcome.
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

/// As PostgreSQL asks for TLS, and a ClientHello without extensions (RFC 8446, section 4.1.2).
const std::string kSslRequest("\0\0\0\x08\x04\xd2\x16\x2f", 8);
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
  void (*talk)(Talk&);
  const char* turns;
};

TEST_CASE("turns: where they begin and how they end") {
  const Case cases[] = {
      {"asked and answered", [](Talk& t) { t.open().client("ab").server("xyz").client("abc").server("x").close(); },
       "2/3 +1 complete\n3/1 +1 complete\n"},
      {"several segments either way",
       [](Talk& t) { t.open().client("ab").client("cd").server("xy").server("z").client("e").server("x").close(); },
       "4/3 +1 complete\n1/1 +1 complete\n"},
      {"sent before the answer was seen: the same turn",
       [](Talk& t) {
         t.open().client("ab").server("xy").client_early("cd", 2).server("z").client("e").server("x").close();
       },
       "4/3 +0 complete\n1/1 +1 complete\n"},
      {"answered before the next turn was seen: the turn before's",
       [](Talk& t) {
         t.open().client("ab").server("xy").client("cdef").server_early("more", 4).server("z").client().close();
       },
       "2/6 +1 complete\n4/1 +2 complete\n"},
      {"a server that speaks first",
       [](Talk& t) { t.open().pause(29).server("hello").client("ab").server("xyz").close(); },
       "0/5 +30 complete\n2/3 +1 complete\n"},
      {"the client's greeting crosses the server's",
       [](Talk& t) { t.open().server("hello").client_early("ab", 5).server("xyz").client("a").server("b").close(); },
       "2/8 +0 complete\n1/1 +1 complete\n"},
      {"a greeting alone", [](Talk& t) { t.open().server("hello").close(); }, "0/5 +1 complete\n"},
      {"not answered", [](Talk& t) { t.open().client("a").server("b").client("ab").server().pause(30).close(); },
       "1/1 +1 complete\n2/0 +33 no_response\n"},
      {"a goodbye is no turn", [](Talk& t) { t.open().client("a").server("b").client("quit").close(); },
       "1/1 +1 complete\n"},
      {"one that is answered is",
       [](Talk& t) {
         t.open().client("a").server("b").client("quit", kAck | kPsh).client({}, kFin | kAck).server("bye");
         t.server({}, kFin | kAck).client();
       },
       "1/1 +1 complete\n4/3 +2 complete\n"},
      {"reset before the answer", [](Talk& t) { t.open().client("ab").server({}, kRst | kAck); }, "2/0 +1 reset\n"},
      {"reset in it", [](Talk& t) { t.open().client("ab").server("xyz").client({}, kRst); }, "2/3 +1 reset\n"},
      {"reset after the client's end",
       [](Talk& t) { t.open().client("ab").server("xyz").client({}, kFin | kAck).server({}, kRst); },
       "2/3 +1 complete\n"},
      {"the capture ends", [](Talk& t) { t.open().client("ab").server("xyz").client("abc"); },
       "2/3 +1 complete\n3/0 +0 capture_end\n"},
      {"no beginning: the first turn is a gap",
       [](Talk& t) { t.server("xyz").client("ab").server("xyz").client("abc").server("x").close(); },
       "2/3 +1 gap\n3/1 +1 complete\n"},
      {"no beginning, and an answer to what came before",
       [](Talk& t) { t.client("ab").server_early("xyz", 2).server("xy").client("abc").server("x").close(); },
       "2/2 +2 gap\n3/1 +1 complete\n"},
      {"the client alone",
       [](Talk& t) {
         t.open().client("ab").server("xyz").lose().client().client("abc").server("x").lose().client().close();
       },
       "2/3 +2 gap -3\n3/1 +2 gap -1\n"},
      {"an answer's beginning lost",
       [](Talk& t) {
         t.open().client("ab").server("xyz").lose().server("vw").client().client("a").server("b").close();
       },
       "2/5 +2 gap -3\n1/1 +1 complete\n"},
      {"an answer's end lost",
       [](Talk& t) {
         t.open().client("ab").server("vw").server("xyz").lose().client().client("a").server("b").close();
       },
       "2/5 +1 complete -3\n1/1 +1 complete\n"},
      {"a request lost",
       [](Talk& t) {
         t.open().client("ab").server("vw").client("abc").lose().server("xyz").client("a").server("b").close();
       },
       "2/2 +1 complete\n3/3 +? gap -3\n1/1 +1 complete\n"},
      {"a request captured after its answer",
       [](Talk& t) {
         t.open().client("ab").server("vw").client("abc").server("xyz").swap().client().client("a").server("b").close();
       },
       "2/2 +1 complete\n3/3 +0 complete\n1/1 +1 complete\n"},
      {"HTTP that begins within: nothing before it was a turn",
       [](Talk& t) {
         t.client("body").server("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1").client("GET / HTTP/1.1\r\n\r\n");
         t.server("HTTP/1.1 204 x\r\n\r\n").close();
       },
       "http/1.1 0/39 +? gap\nhttp/1.1 18/18 +1 complete\n"},
      {"taken for HTTP at first",
       [](Talk& t) {
         t.open().client("*").client("1\r\n$4\r\nPING\r\n").server("+PONG\r\n").client("a").server("b").close();
       },
       "14/7 +1 complete\n1/1 +1 complete\n"},
      {"taken for TLS at first",
       [](Talk& t) { t.open().client(kClientHello).server("HTTP/1.1 400 Bad Request\r\n\r\n").close(); },
       "50/28 +1 complete\n"},
      {"TLS after words in clear (PostgreSQL)",
       [](Talk& t) {
         t.open().client(kSslRequest).server("S").client(kClientHello).server(kServerHello);
         t.client(kFinished12).server(kFinished12).client(record(23, 30)).server(record(23, 40)).close();
       },
       "8/1 +1 complete\ntls 35/45 +1 complete\n"},
      {"TLS at once after asking for it (MySQL)",
       [](Talk& t) {
         t.open().server("8.0").client("ssl").client(kClientHello).server(kServerHello);
         t.client(kFinished12).server(kFinished12).client(record(23, 30)).server(record(23, 40)).close();
       },
       "0/3 +1 complete\ntls 35/45 +1 complete\n"},
      {"TLS after words in clear (RFC 3207)",
       [](Talk& t) {
         t.open().server("220 x\r\n").client("STARTTLS\r\n").server("220 go\r\n").client(kClientHello);
         t.server(kServerHello).client(kFinished12).server(kFinished12).client(record(23, 30)).server(record(23, 40));
         t.close();
       },
       "0/7 +1 complete\n10/8 +1 complete\ntls 35/45 +1 complete\n"},
      {"what may yet begin HTTP when it ends", [](Talk& t) { t.open().client("ab").pause(30).close(); },
       "2/0 +32 no_response\n"},
  };
  for (const Case& one : cases) {
    CAPTURE(std::string(one.name));
    Talk talk;
    one.talk(talk);
    CHECK(lines(run(talk.pcap(), with_tcp())) == std::string(one.turns));
  }
}

TEST_CASE("turns: without --tcp only what is known is told, with TLS after words in clear") {
  Talk talk;
  talk.open().server("220 x\r\n").client("STARTTLS\r\n").server("220 go\r\n").client(kClientHello);
  talk.server(kServerHello).client(kFinished12).server(kFinished12).client(record(23, 30)).server(record(23, 40));
  CHECK(lines(run(talk.close().pcap(), {})) == "tls 35/45 +1 complete\n");
  Talk plain;
  plain.open().server("220 x\r\n").client("NOOP\r\n").server("250\r\n").client("GET / HTTP/1.1\r\n\r\n").close();
  CHECK(run(plain.pcap(), {}).empty());
}

TEST_CASE("turns: TLS whose handshake is not in the capture") {
  const Case cases[] = {
      {"the first turn may have begun before",
       [](Talk& t) {
         t.client(record(23, 30)).server(record(23, 400)).client(record(23, 50)).server(record(23, 60)).close();
       },
       "tls 35/405 +1 gap\ntls 55/65 +1 complete\n"},
      {"in the middle of a record of the server's",
       [](Talk& t) {
         t.server(std::string(300, 'e')).client(record(23, 30)).server(record(23, 400)).client(record(23, 50));
         t.server(record(23, 60)).close();
       },
       "tls 35/405 +1 gap\ntls 55/65 +1 complete\n"},
      {"a header alone proves nothing", [](Talk& t) { t.client(record(23, 300).substr(0, 200)).server("xyz").close(); },
       ""},
      {"alerts are none, whatever the version (RFC 8446, section 6.1)",
       [](Talk& t) { t.client(record(23, 30)).server(record(23, 400)).client(record(23, 19)).close(); },
       "tls 35/405 +1 gap\n"},
  };
  for (const Case& one : cases) {
    CAPTURE(std::string(one.name));
    Talk talk;
    one.talk(talk);
    const std::vector<Record> turns = run(talk.pcap(), {});
    CHECK(lines(turns) == std::string(one.turns));
    for (const Record& turn : turns) CHECK((turn.tls == (turn.exchange == 1 ? kUnknownTime : 0)));
  }
}

TEST_CASE("turns: who is the client where the opening does not say") {
  const auto client_port = [](std::uint16_t asks, std::uint16_t answers, std::vector<std::uint16_t> ports) {
    Talk talk(asks, answers);
    EngineOptions options = with_tcp();
    options.ports = std::move(ports);
    const std::vector<Record> turns = run(talk.client("ab").server("xyz").client("a").server("b").pcap(), options);
    return turns.empty() ? 0 : turns[0].client_port;
  };
  CHECK(client_port(40000, 6000, {}) == 40000);  // the lower port is the server's
  CHECK(client_port(6000, 40000, {}) == 40000);
  CHECK(client_port(6000, 6000, {}) == 6000);
  CHECK(client_port(6000, 40000, {40000}) == 6000);  // -p says so
  CHECK(client_port(40000, 6000, {80}) == 0);
}

TEST_CASE("turns: idle time, a greeting's wait, and numbers that go on in TLS") {
  Talk talk;
  talk.open().pause(9).server("hi").pause(4).client(kSslRequest).server("S").client(kClientHello).server(kServerHello);
  talk.client(kFinished12).server(kFinished12).pause(6).client(record(23, 30)).server(record(23, 40)).close();
  const std::vector<Record> turns = run(talk.pcap(), with_tcp());
  REQUIRE(turns.size() == 3);
  CHECK(turns[0].start == kStart + 3 * kMilli);  // the handshake's end
  CHECK(turns[0].wait == 10 * kMilli);
  CHECK(turns[0].idle == 0);
  CHECK(turns[1].idle == 5 * kMilli);
  CHECK(turns[2].exchange == 3);
  CHECK(turns[2].tls == 3 * kMilli);
  CHECK(turns[2].idle == 7 * kMilli);
}

/// Feeds an analyzer as the engine does, each segment in two pieces cut at `cut`.
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
  const std::size_t lengths[] = {9, 20, 7, 30, 5, 1};  // the server's first
  std::uint64_t frame = 0;
  for (const std::size_t length : lengths) {
    const Direction direction = frame % 2 == 0 ? Direction::to_client : Direction::to_server;
    Stream& from = connection.streams[static_cast<int>(direction)];
    const Stream& to = connection.streams[1 - static_cast<int>(direction)];
    const Arrival arrival{static_cast<Nanos>(++frame) * kMilli, frame, to.next};
    const Buffer bytes(length, 'x');
    for (const Bytes piece : {Bytes(bytes).first(std::min(cut, length)), Bytes(bytes).subspan(std::min(cut, length))}) {
      if (piece.empty()) continue;
      analyzer.feed(direction, {piece, piece.size()}, arrival);
      analyzer.log().confirm(Stream::kNever);
      from.advance(piece.size());
    }
  }
  analyzer.finish(Outcome::closed, static_cast<Nanos>(++frame) * kMilli);
  std::string text;
  while (Exchange* const turn = analyzer.log().next_finished()) {
    text += std::to_string(turn->request.bytes) + "/" + std::to_string(turn->response.bytes) + "@" +
            std::to_string(turn->first_packet) + "-" + std::to_string(turn->last_packet) + " ";
    pool.give_back(*turn);
  }
  return text;
}

TEST_CASE("turns: told alike however segments are cut") {
  for (std::size_t cut = 0; cut <= 30; ++cut) CHECK(fed_in_pieces(cut) == "0/9@1-1 20/7@2-3 30/5@4-5 1/0@6-6 ");
}

/// A capture's file header and records.
struct Records {
  Buffer header;
  std::vector<Buffer> records;

  explicit Records(const std::string& path) {
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
  Nanos time(std::size_t i) const {
    const auto load = [&](std::size_t at) {
      const Buffer& record = records[i];
      return record[at] | record[at + 1] << 8 | record[at + 2] << 16 | static_cast<Nanos>(record[at + 3]) << 24;
    };
    return load(0) * kNanosPerSecond + load(4) * 1000;
  }
  Buffer without(std::size_t from, std::size_t count) const {
    Buffer bytes = header;
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (i < from || i >= from + count) test::append(bytes, records[i]);
    }
    return bytes;
  }
};

TEST_CASE("turns: any packet lost from a capture spoils its own turns alone") {
  for (const char* const name : {"tls12", "tls13", "tls-resumed", "tcp-redis", "tcp-postgresql", "tcp-mariadb"}) {
    const Records capture(std::string("fixtures/") + name + ".pcap");
    const std::vector<Record> all = run(capture.without(0, 0), with_tcp());
    REQUIRE(all.size() > 2);
    for (std::size_t lost = 0; lost < capture.records.size(); ++lost) {
      CAPTURE(std::string(name));
      CAPTURE(lost + 1);
      const std::vector<Record> rest = run(capture.without(lost, 1), with_tcp());
      const Nanos time = capture.time(lost);
      std::size_t untouched = 0, kept = 0;
      for (std::size_t i = 0; i < all.size(); ++i) {
        const Record& turn = all[i];
        // Its own packets lie between the end of the turn before and the begin of the next.
        const bool first = i == 0 || all[i - 1].connection != turn.connection;
        const bool last = i + 1 == all.size() || all[i + 1].connection != turn.connection;
        if ((first || time >= all[i - 1].start) && (last || time <= all[i + 1].start)) continue;
        ++untouched;
        kept += static_cast<std::size_t>(std::count_if(rest.begin(), rest.end(), [&](const Record& other) {
          return other.start == turn.start && other.client_port == turn.client_port &&
                 (other.host.empty() || other.host == turn.host) && other.request_bytes == turn.request_bytes &&
                 other.response_bytes == turn.response_bytes && other.send == turn.send && other.wait == turn.wait &&
                 other.receive == turn.receive && other.outcome == turn.outcome;
        }));
      }
      CHECK(kept == untouched);
      // What claims to be whole is.
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
