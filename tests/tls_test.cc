// TLS: records in pieces of any size, hellos, and which records belong to turns.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "app/tls/analyzer.h"
#include "app/tls/hello.h"
#include "app/tls/record_parser.h"
#include "exchange/log.h"
#include "support/guarded.h"
#include "support/packets.h"

namespace wirelap::tls {
namespace {

using test::append;
using test::Buffer;
using test::bytes_of;
using test::joined;
using test::put16;
using test::put8;

/// A record (RFC 8446, section 5.1).
Buffer record(unsigned type, Bytes fragment) {
  Buffer bytes;
  put8(bytes, type);
  put16(bytes, 0x0303);
  put16(bytes, static_cast<unsigned>(fragment.size()));
  append(bytes, fragment);
  return bytes;
}
Buffer data(std::size_t length) { return record(23, Buffer(length, 0xaa)); }
const Buffer kChangeCipherSpec = record(20, Buffer{1});
const Buffer kFinished12 = record(22, Buffer(40, 0xbb));

/// A handshake message: msg_type, length and `body` (RFC 8446, section 4).
Buffer handshake(unsigned type, Bytes body) {
  Buffer message;
  test::put32(message, type << 24 | static_cast<std::uint32_t>(body.size()));
  append(message, body);
  return message;
}
Buffer extension(unsigned type, Bytes content) {
  Buffer bytes;
  put16(bytes, type);
  put16(bytes, static_cast<unsigned>(content.size()));
  append(bytes, content);
  return bytes;
}
Buffer vector16(Bytes content) {
  Buffer bytes;
  put16(bytes, static_cast<unsigned>(content.size()));
  append(bytes, content);
  return bytes;
}
Buffer server_name(std::string_view name) {
  return extension(0, vector16(joined({Buffer{0}, vector16(bytes_of(name))})));
}
Buffer alpn(std::string_view name) {
  return extension(16, vector16(joined({Buffer{static_cast<std::uint8_t>(name.size())}, bytes_of(name)})));
}
Buffer client_hello_body(Bytes extensions) {
  return joined({Buffer{3, 3}, Buffer(32, 7), Buffer{0}, Buffer{0, 2, 0x13, 1}, Buffer{1, 0}, vector16(extensions)});
}
const Buffer kTls13Selected = extension(43, Buffer{3, 4});
Buffer server_hello_body(Bytes extensions, Bytes random = Buffer(32, 9)) {
  return joined({Buffer{3, 3}, random, Buffer{0}, Buffer{0x13, 1}, Buffer{0}, vector16(extensions)});
}
const Buffer kClientHelloRecord = record(22, handshake(1, client_hello_body(server_name("a.example"))));
const Buffer kServerHello13 = record(22, handshake(2, server_hello_body(kTls13Selected)));
const Buffer kServerHello12 = record(22, handshake(2, server_hello_body({})));

/// Logs each record on one line:
///
///     @offset type:length bytes of the fragment that came or were skippable+bytes that were not captured
struct RecordLog {
  void on_begin(Direction, std::uint64_t offset) { text += "@" + std::to_string(offset) + " "; }
  void on_record(Direction, ContentType type, std::uint16_t length) {
    text += std::to_string(static_cast<int>(type)) + ":" + std::to_string(length);
    captured = 0;
  }
  void on_fragment(Direction, Bytes bytes) { captured += bytes.size(); }
  void on_skipped(Direction, std::uint64_t count, bool is_not_captured) {
    (is_not_captured ? not_captured : captured) += count;
  }
  void on_end(Direction) {
    text += " " + std::to_string(captured) + (not_captured != 0 ? "+" + std::to_string(not_captured) : "") + "\n";
    not_captured = 0;
  }
  void on_unparsed(Direction, std::uint64_t, std::uint64_t count, bool) { unparsed += count; }
  std::string text;
  std::uint64_t captured = 0, not_captured = 0, unparsed = 0;
};

TEST_CASE("tls: records are parsed the same however they are cut") {
  test::GuardedBuffer guarded;
  const Buffer all =
      joined({kClientHelloRecord, kChangeCipherSpec, data(0), data(53), record(21, Buffer{1, 0}), data(300)});
  RecordLog whole;
  RecordParser parser(Direction::to_server, 0);
  parser.feed(guarded.hold(all), whole);
  CHECK(whole.text.find("23:0 0\n") != std::string::npos);
  CHECK(whole.text.ends_with("23:300 300\n"));
  CHECK_FALSE(parser.in_record());
  RecordLog bytewise;
  RecordParser slow(Direction::to_server, 0);
  for (const std::uint8_t byte : all) slow.feed(guarded.hold(Buffer{byte}), bytewise);
  CHECK(bytewise.text == whole.text);
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    RecordLog log;
    RecordParser halves(Direction::to_server, 0);
    halves.feed(guarded.hold(Bytes(all).first(cut)), log);
    halves.feed(guarded.hold(Bytes(all).subspan(cut)), log);
    CHECK(log.text == whole.text);
  }
}

TEST_CASE("tls: a gap inside a record is passed by its length; after a gap over its end a piece can begin a record") {
  RecordLog log;
  RecordParser parser(Direction::to_client, 0);
  const Buffer first = data(100);
  parser.feed(Bytes(first).first(20), log);
  parser.skip(85, true, log);
  CHECK(log.text == "@0 23:100 15+85\n");
  parser.feed(Bytes(first).first(20), log);
  parser.skip(200, true, log);
  CHECK_FALSE(parser.is_in_sync());
  parser.feed(bytes_of("no record"), log);
  CHECK(log.unparsed == 115 + 9);
  parser.feed(data(7), log);
  CHECK(log.text.ends_with("@334 23:7 7\n"));
}

TEST_CASE("tls: a record header has a known type, version 3 and a valid length (RFC 8446, 5.1; RFC 5246, 6.2.3)") {
  for (const Buffer& header : {Buffer{25}, Buffer{19}, Buffer{22, 2}, Buffer{22, 3, 5}, Buffer{22, 3, 1, 0, 0},
                               Buffer{23, 3, 3, 0x48, 1}, Buffer{'G', 'E', 'T'}}) {
    CHECK_FALSE(is_record_header(header.data(), header.size()));
  }
  for (const Buffer& header :
       {Buffer{}, Buffer{22}, Buffer{22, 3, 1}, Buffer{23, 3, 3, 0, 0}, Buffer{23, 3, 3, 0x48, 0}})
    CHECK(is_record_header(header.data(), header.size()));
}

TEST_CASE("tls: hellos are decoded, and not past their ends") {
  test::GuardedBuffer guarded;
  SUBCASE("a ClientHello has a name, a protocol and early data (RFC 8446, 4.1.2; RFC 6066, 3; RFC 7301, 3.1)") {
    const Buffer body = client_hello_body(joined({alpn("h2"), server_name("a.example"), extension(42, {})}));
    const auto hello = decode_client_hello(guarded.hold(body));
    REQUIRE(hello);
    CHECK(hello->server_name == "a.example");
    CHECK(hello->alpn == "h2");
    CHECK(hello->early_data);
    for (std::size_t cut = 0; cut < body.size(); ++cut) {
      const auto part = decode_client_hello(guarded.hold(Bytes(body).first(cut)));
      // Without any byte of the list of extensions it is complete.
      CHECK(part.has_value() == (cut == 2 + 32 + 1 + 4 + 2));
    }
  }
  SUBCASE("a ServerHello has a version and a cipher suite (RFC 8446, 4.1.3)") {
    const Buffer body = server_hello_body(joined({kTls13Selected, extension(41, Buffer{0, 0})}));
    const auto hello = decode_server_hello(guarded.hold(body));
    REQUIRE(hello);
    CHECK(hello->version == kTls13);
    CHECK(hello->cipher_suite == 0x1301);
    CHECK(hello->resumed);
    CHECK_FALSE(hello->is_retry_request);
    for (std::size_t cut = 0; cut < body.size(); ++cut) decode_server_hello(guarded.hold(Bytes(body).first(cut)));
  }
  SUBCASE("a ServerHello of TLS 1.2 has its version in legacy_version (RFC 5246, 7.4.1.3)") {
    const Buffer body = server_hello_body(alpn("http/1.1"));
    const auto hello = decode_server_hello(guarded.hold(body));
    REQUIRE(hello);
    CHECK(hello->version == kTls12);
    CHECK(hello->alpn == "http/1.1");
  }
  SUBCASE("an extension whose inner length does not fit has no value") {
    for (const Buffer& invalid : {extension(0, Buffer{0xff, 0xff, 0}), extension(0, Buffer{0, 3, 0, 0xff, 0xff}),
                                  extension(16, Buffer{0, 1, 0xff}), extension(0, {}), extension(16, {})}) {
      const Buffer body = client_hello_body(invalid);
      const auto hello = decode_client_hello(guarded.hold(body));
      REQUIRE(hello);
      CHECK(hello->server_name.empty());
      CHECK(hello->alpn.empty());
    }
  }
}

constexpr Nanos kMilli = 1'000'000;

/// Feeds an analyzer the segments of one connection, a millisecond apart, and logs its exchanges.
class ScriptedConnection {
 public:
  /// Feeds each segment in pieces of at most `piece` bytes.
  explicit ScriptedConnection(std::size_t piece = 1 << 20) : piece_(piece) {
    connection_.set_client(Side::low);
    connection_.timing = &timing_;
    for (const Side side : {Side::low, Side::high}) {
      connection_.stream(side).start_at(0);
      connection_.stream(side).from_syn = true;
    }
    connection_.handshake.ack = 0;
    analyzer_ =
        std::make_unique<Analyzer>(StreamView(connection_), pool_, Probe{Probe::Result::certain, Direction::to_server});
  }

  /// Sends a segment that acknowledges the other stream up to offset `acknowledged`; by default all of it.
  ScriptedConnection& client(Bytes bytes, std::uint64_t acknowledged = Stream::kNever) {
    return send(Direction::to_server, bytes, acknowledged);
  }
  ScriptedConnection& server(Bytes bytes, std::uint64_t acknowledged = Stream::kNever) {
    return send(Direction::to_client, bytes, acknowledged);
  }
  /// Passes bytes that were not captured.
  ScriptedConnection& gap(Direction direction, std::uint64_t count) {
    const Arrival arrival = next(direction, Stream::kNever);
    analyzer_->gap(direction, count, false, arrival);
    stream(direction).advance(count);
    return collect();
  }
  /// The handshake of TLS 1.3 up to the server's Finished.
  ScriptedConnection& handshake13() {
    return client(kClientHelloRecord).server(joined({kServerHello13, kChangeCipherSpec, data(500), data(53)}));
  }
  /// The whole handshake of TLS 1.2.
  ScriptedConnection& handshake12() {
    client(kClientHelloRecord).server(joined({kServerHello12, record(22, Buffer(900, 11))}));
    return client(joined({record(22, Buffer(37, 16)), kChangeCipherSpec, kFinished12}))
        .server(joined({kChangeCipherSpec, kFinished12}));
  }
  std::uint64_t client_bytes() { return connection_.streams[0].next; }

  /// Ends the connection. Returns a line for each exchange: request/response bytes, outcome, -missing bytes.
  std::string end(Outcome outcome = Outcome::closed) {
    analyzer_->finish(outcome, time_ + kMilli);
    collect();
    return text_;
  }
  ~ScriptedConnection() {
    for (Exchange* const exchange : exchanges_) pool_.give_back(*exchange);
  }

  Analyzer& analyzer() { return *analyzer_; }
  const Exchange& exchange(std::size_t i) { return *exchanges_.at(i); }

 private:
  Stream& stream(Direction direction) { return connection_.streams[static_cast<int>(direction)]; }
  Arrival next(Direction direction, std::uint64_t acknowledged) {
    time_ += kMilli;
    const std::uint64_t other = connection_.streams[1 - static_cast<int>(direction)].next;
    return {time_, ++packet_, std::min(acknowledged, other)};
  }
  ScriptedConnection& send(Direction direction, Bytes bytes, std::uint64_t acknowledged) {
    const Arrival arrival = next(direction, acknowledged);
    while (!bytes.empty()) {
      const std::size_t count = std::min(piece_, bytes.size());
      analyzer_->feed(direction, {guarded_.hold(bytes.first(count)), count}, arrival);
      stream(direction).advance(count);
      bytes = bytes.subspan(count);
    }
    connection_.last_time = time_;
    return collect();
  }
  ScriptedConnection& collect() {
    analyzer_->log().confirm(Stream::kNever);
    while (Exchange* const exchange = analyzer_->log().next_finished()) {
      exchanges_.push_back(exchange);
      text_ += std::to_string(exchange->request.bytes) + "/" + std::to_string(exchange->response.bytes) + " " +
               names_[static_cast<int>(exchange->outcome)];
      if (exchange->missing_bytes != 0) text_ += " -" + std::to_string(exchange->missing_bytes);
      text_ += "\n";
    }
    return *this;
  }

  static constexpr const char* names_[] = {"complete", "no_response", "reset",  "closed",
                                           "gap",      "capture_end", "evicted"};
  std::size_t piece_;
  test::GuardedBuffer guarded_;
  Timing timing_;
  Connection connection_;
  Wanted wanted_;
  ExchangePool pool_{wanted_};
  std::unique_ptr<Analyzer> analyzer_;
  std::vector<Exchange*> exchanges_;
  std::string text_;
  Nanos time_ = 0;
  std::uint64_t packet_ = 0;
};

TEST_CASE("tls: a turn consists of application data, without handshakes, tickets, key updates and alerts") {
  struct Case {
    const char* name;
    void (*run)(ScriptedConnection&);
    const char* exchanges;
  };
  const Case cases[] = {
      {"TLS 1.2: after both Finished come turns (RFC 5246, 7.3)",
       [](ScriptedConnection& c) {
         c.handshake12().client(data(100)).server(data(300)).client(data(50)).server(data(60));
       },
       "105/305 complete\n55/65 complete\n"},
      {"TLS 1.2, abbreviated handshake: the client's Finished is the last (RFC 5246, 7.3)",
       [](ScriptedConnection& c) {
         c.client(kClientHelloRecord).server(joined({kServerHello12, kChangeCipherSpec, kFinished12}));
         c.client(joined({kChangeCipherSpec, kFinished12, data(100)})).server(data(300));
       },
       "105/305 complete\n"},
      {"TLS 1.2: renegotiation and close_notify are no turns (RFC 5246, 7.2.1)",
       [](ScriptedConnection& c) {
         c.handshake12().client(data(100)).server(data(300));
         c.client(record(22, Buffer(80, 1))).server(record(21, Buffer(24, 1))).client(record(21, Buffer(24, 1)));
       },
       "105/305 complete\n"},
      {"TLS 1.3: tickets that the server sent before it had received the request are ignored (RFC 8446, 4.6.1)",
       [](ScriptedConnection& c) {
         c.handshake13().client(joined({kChangeCipherSpec, data(53)}));
         const std::uint64_t finished = c.client_bytes();
         c.client(data(100)).server(joined({data(255), data(255)}), finished).server(data(300));
       },
       "105/305 complete\n"},
      {"two records of the same length before the answer are tickets",
       [](ScriptedConnection& c) {
         c.handshake13()
             .client(joined({kChangeCipherSpec, data(53), data(100)}))
             .server(joined({data(255), data(255), data(300)}));
       },
       "105/305 complete\n"},
      {"a single record as long as a ticket is the answer",
       [](ScriptedConnection& c) {
         c.handshake13().client(joined({data(53), data(100)})).server(data(255)).client(data(99)).server(data(9));
       },
       "105/260 complete\n104/14 complete\n"},
      {"tickets and closing alerts are no turn (RFC 8446, 6.1)",
       [](ScriptedConnection& c) {
         c.handshake13().client(data(53)).server(joined({data(255), data(255)})).client(data(19)).server(data(19));
       },
       ""},
      {"alerts at the end are not part of the turn (RFC 8446, 6.1)",
       [](ScriptedConnection& c) {
         c.handshake13().client(joined({data(53), data(100)})).server(joined({data(30), data(19)})).client(data(19));
       },
       "105/35 complete\n"},
      {"records as long as an alert are data if more data follows",
       [](ScriptedConnection& c) {
         c.handshake13().client(joined({data(53), data(19)})).server(data(19)).client(data(100)).server(data(200));
       },
       "24/24 complete\n105/205 complete\n"},
      {"key updates of both ends are no turn (RFC 8446, 4.6.3)",
       [](ScriptedConnection& c) {
         c.handshake13().client(joined({data(53), data(100)})).server(data(700)).client(data(22)).server(data(22));
         c.client(data(100)).server(data(200));
       },
       "105/705 complete\n105/205 complete\n"},
      {"a client certificate belongs to the handshake (RFC 8446, 4.4.2)",
       [](ScriptedConnection& c) {
         c.handshake13().client(joined({data(800), data(281), data(53)}));
         c.client(data(100)).server(data(700));
       },
       "105/705 complete\n"},
      {"data that the client sends before it has received an answer is part of the turn",
       [](ScriptedConnection& c) {
         c.handshake12().client(data(100)).server(data(300)).client(data(50), 1005).server(data(60));
       },
       "160/370 complete\n"},
      {"a request without an answer has the outcome no_response",
       [](ScriptedConnection& c) { c.handshake12().client(data(100)); }, "105/0 no_response\n"},
      {"a HelloRetryRequest is followed by two more hellos (RFC 8446, 4.1.4)",
       [](ScriptedConnection& c) {
         const Buffer random = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
         c.client(kClientHelloRecord);
         c.server(joined({record(22, handshake(2, server_hello_body(kTls13Selected, random))), kChangeCipherSpec}));
         c.client(joined({kChangeCipherSpec, kClientHelloRecord}))
             .server(joined({kServerHello13, data(500), data(53)}));
         c.client(joined({data(53), data(100)})).server(data(700));
       },
       "105/705 complete\n"},
      {"early data begins the first turn (RFC 8446, 2.3)",
       [](ScriptedConnection& c) {
         const Buffer hello = client_hello_body(joined({server_name("a.example"), extension(42, {})}));
         c.client(joined({record(22, handshake(1, hello)), kChangeCipherSpec, data(100)}));
         c.server(joined({kServerHello13, kChangeCipherSpec, data(30), data(53)}));
         c.client(joined({data(21), data(53)})).server(data(700)).client(data(50)).server(data(60));
       },
       "105/705 complete\n55/65 complete\n"},
      {"a handshake that fails has no turn",
       [](ScriptedConnection& c) {
         c.client(kClientHelloRecord).server(record(21, Buffer{2, 70}));
       },
       ""},
  };
  for (const Case& test : cases) {
    for (std::size_t piece = 1; piece < 1200; piece += piece < 120 ? 1 : 97) {
      CAPTURE(std::string(test.name));
      CAPTURE(piece);
      ScriptedConnection connection(piece);
      test.run(connection);
      CHECK(connection.end() == std::string(test.exchanges));
      if (connection.end().empty()) continue;
      CHECK(connection.exchange(0).host == "a.example");
      CHECK(connection.exchange(0).protocol == "tls");
    }
  }
}

TEST_CASE("tls: the time of the handshake belongs to the first exchange, and idle time to none") {
  ScriptedConnection connection;
  connection.handshake13().client(joined({kChangeCipherSpec, data(53)}));  // at 1, 2 and 3 ms
  connection.client(data(100)).server(data(700)).client(data(100)).server(data(700));
  connection.end();
  CHECK(connection.exchange(0).tls == 2 * kMilli);
  CHECK(connection.exchange(0).idle == kMilli);
  CHECK(connection.exchange(1).tls == 0);
  CHECK(connection.exchange(1).idle == kMilli);
  CHECK(connection.analyzer().version() == kTls13);
}

TEST_CASE("tls: bytes that were not captured are counted, and the turn goes on") {
  SUBCASE("inside an answer, over the ends of records") {
    ScriptedConnection connection;
    connection.handshake12().client(data(100)).server(data(300)).gap(Direction::to_client, 1000).server(data(300));
    CHECK(connection.client(data(50)).server(data(60)).end() == "105/1610 complete -1000\n55/65 complete\n");
  }
  SUBCASE("a whole request") {
    ScriptedConnection connection;
    connection.handshake12().client(data(100)).server(data(300)).gap(Direction::to_server, 200).server(data(300));
    CHECK(connection.end() == "105/305 complete\n200/305 gap -200\n");
  }
  SUBCASE("the end of the client's handshake") {
    ScriptedConnection connection;
    connection.handshake13().gap(Direction::to_server, 58).client(data(100)).server(data(700));
    CHECK(connection.end() == "105/705 gap\n");
    CHECK(connection.exchange(0).tls == kUnknownTime);
    CHECK(connection.exchange(0).idle == kUnknownTime);
  }
}

TEST_CASE("tls: a hello that is too long is ignored, and the exchanges have no host") {
  ScriptedConnection connection(1000);
  Buffer hello = handshake(1, client_hello_body(joined({extension(21, Buffer(20000)), server_name("a.example")})));
  Buffer records;
  for (std::size_t at = 0; at < hello.size(); at += 16000) {
    append(records, record(22, Bytes(hello).subspan(at, std::min<std::size_t>(16000, hello.size() - at))));
  }
  connection.client(records).server(joined({kServerHello13, data(500), data(53)}));
  CHECK(connection.client(joined({data(53), data(100)})).server(data(700)).end() == "105/705 complete\n");
  CHECK(connection.exchange(0).host.empty());
}

TEST_CASE("tls: an HTTP/1 response to a ClientHello shows that the connection is not TLS") {
  ScriptedConnection connection;
  connection.client(kClientHelloRecord).server(bytes_of("HTTP/1.1 400 Bad Request\r\n\r\n"));
  CHECK(connection.analyzer().verdict() == Verdict::not_mine);
}

TEST_CASE("tls: a connection that begins with a hello is TLS") {
  using enum Probe::Result;
  const auto probe = [](Direction direction, Bytes bytes) {
    const Probe found = Analyzer::probe({bytes, {.from_syn = true}, direction, direction});
    CHECK((!found.found() || (found.direction == direction && !found.from_middle)));
    return found.result;
  };
  CHECK(probe(Direction::to_server, bytes_of("GET / HTTP/1.1\r\n")) == not_mine);
  CHECK(probe(Direction::to_server, data(100)) == not_mine);
  CHECK(probe(Direction::to_client, kClientHelloRecord) == not_mine);
  CHECK(probe(Direction::to_client, kServerHello13) == certain);
  CHECK(probe(Direction::to_server, kClientHelloRecord) == certain);
  CHECK(probe(Direction::to_server, Bytes(kClientHelloRecord).first(1)) == unsure);
}

}  // namespace
}  // namespace wirelap::tls
