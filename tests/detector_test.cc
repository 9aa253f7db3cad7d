// app: which analyzer a connection has. First each analyzer's probe of the bytes at
// hand, then the detector with whole connections.
#include "app/detector.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wirelap {
namespace {

using namespace std::string_literals;

constexpr auto kToServer = Direction::to_server;
constexpr auto kToClient = Direction::to_client;

// ---- bytes

Bytes bytes_in(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";                     // RFC 9113, section 3.4
const std::string kSettings = "\0\0\0\4\0\0\0\0\0"s;                                 // SETTINGS without a value
const std::string kSettingsAck = "\0\0\0\4\1\0\0\0\0"s;                              // its acknowledgment
const std::string kGetHeaders = "\0\0\3\1\5\0\0\0\1\x82\x84\x86"s;                   // HEADERS: GET, /, http
const std::string kOkHeaders = "\0\0\1\1\4\0\0\0\1\x88"s;                            // HEADERS: 200
const std::string kDataFrame = "\0\0\4\0\1\0\0\0\1body"s;                            // DATA
const std::string kHelloBody = "\3\3" + std::string(32, 'r') + "\0\0\2\x13\1\1\0"s;  // RFC 8446, section 4.1.2
const std::string kClientHello = "\x16\3\1\0\x2d\1\0\0\x29"s + kHelloBody;
const std::string kServerHello = "\x16\3\3\0\x2d\2\0\0\x29"s + kHelloBody;
const std::string kDataRecord = "\x17\3\3\0\x14"s + std::string(20, 'e');  // RFC 8446, section 5.1
const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

// ---- probes

/// The first bytes of a connection, of which the capture shows the handshake.
Opening first(Direction direction, std::string_view bytes) {
  return {bytes_in(bytes), {.next = 0, .from_syn = true}, direction, direction};
}

/// Bytes that come after 100 bytes of the same direction.
Opening later(Direction direction, std::string_view bytes) {
  return {bytes_in(bytes), {.next = 100, .from_syn = true}, direction, direction};
}

/// The first bytes in a capture that begins in the middle of the connection. The client is not known; the ports suggest
/// `likely`.
Opening middle(std::string_view bytes, Direction likely = kToServer) {
  return {bytes_in(bytes), {.next = 0, .from_syn = false}, {}, likely};
}

std::string describe(const Probe& probe) {
  if (!probe.found()) return "not mine";
  return std::string(probe.result == Probe::Result::certain ? "certain" : "unsure") +
         (probe.direction == kToServer ? ", to server" : ", to client") + (probe.from_middle ? ", from middle" : "");
}

TEST_CASE("http1: probe() finds the start line of a message") {
  const auto probe = [](const Opening& opening) { return describe(http1::Analyzer::probe(opening)); };
  SUBCASE("at the start of a connection") {
    CHECK(probe(first(kToServer, kGet)) == "certain, to server");
    CHECK(probe(first(kToServer, "\r\n\r\nGET / HTTP/1.1\r\n")) == "certain, to server");  // RFC 9112, section 2.2
    CHECK(probe(first(kToServer, "GET /\r\n")) == "certain, to server");                   // HTTP/0.9
    CHECK(probe(first(kToServer, "GE")) == "unsure, to server");
    CHECK(probe(first(kToServer, "GET / HT")) == "unsure, to server");
    CHECK(probe(first(kToServer, "GET / SIP/2.0\r\n")) == "not mine");
    CHECK(probe(first(kToServer, "\x16\3\1")) == "not mine");
    CHECK(probe(first(kToServer, kOk)) == "not mine");
    CHECK(probe(first(kToClient, kOk)) == "certain, to client");
    CHECK(probe(first(kToClient, "HT")) == "unsure, to client");
    CHECK(probe(first(kToClient, "220 mail.example.org\r\n")) == "not mine");
    CHECK(probe(first(kToClient, kGet)) == "not mine");
  }
  SUBCASE("later, where a part of a start line is not enough") {
    CHECK(probe(later(kToServer, kGet)) == "certain, to server");
    CHECK(probe(later(kToServer, "of a field\r\n\r\n" + kGet)) == "certain, to server");
    CHECK(probe(later(kToServer, "GET / HT")) == "not mine");
    CHECK(probe(later(kToClient, kOk)) == "certain, to client");
    CHECK(probe(later(kToClient, "HTTP/1.1 2")) == "not mine");
  }
  SUBCASE("with an unknown client, whatever the ports suggest") {
    CHECK(probe(middle(kGet, kToClient)) == "certain, to server");
    CHECK(probe(middle(kOk, kToServer)) == "certain, to client");
    CHECK(probe(middle("GET / HT")) == "not mine");
  }
}

TEST_CASE("h2: probe() finds the preface, the server's SETTINGS, or HEADERS in the middle") {
  const auto probe = [](const Opening& opening) { return describe(h2::Analyzer::probe(opening)); };
  SUBCASE("at the start of a connection") {
    CHECK(probe(first(kToServer, kPreface)) == "certain, to server");
    CHECK(probe(first(kToServer, "PRI * H")) == "unsure, to server");
    CHECK(probe(first(kToServer, "PR")) == "not mine");  // as PROPFIND begins
    CHECK(probe(first(kToServer, "PRI * HTTP/1.1\r\n")) == "not mine");
    CHECK(probe(first(kToServer, kSettings)) == "not mine");
    CHECK(probe(first(kToClient, kSettings)) == "certain, to client");
    CHECK(probe(first(kToClient, kSettingsAck)) == "not mine");
  }
  SUBCASE("in the middle, where a field shows the direction") {
    CHECK(probe(middle(kGetHeaders, kToClient)) == "certain, to server, from middle");
    CHECK(probe(middle(kOkHeaders + kDataFrame, kToServer)) == "certain, to client, from middle");
    CHECK(probe(middle(kDataFrame)) == "not mine");
    CHECK(probe(later(kToClient, kGetHeaders)) == "not mine");
  }
}

TEST_CASE("tls: probe() finds a hello, or whole records of application data in the middle") {
  const auto probe = [](const Opening& opening) { return describe(tls::Analyzer::probe(opening)); };
  SUBCASE("at the start of a connection") {
    CHECK(probe(first(kToServer, kClientHello)) == "certain, to server");
    CHECK(probe(first(kToServer, kClientHello.substr(0, 5))) == "unsure, to server");
    CHECK(probe(first(kToServer, kServerHello)) == "not mine");
    CHECK(probe(first(kToServer, kDataRecord)) == "not mine");
    CHECK(probe(first(kToServer, kGet)) == "not mine");
    CHECK(probe(first(kToClient, kServerHello)) == "certain, to client");  // the client's hello was not captured
    CHECK(probe(first(kToClient, kClientHello)) == "not mine");
  }
  SUBCASE("later, after clear text") {
    CHECK(probe(later(kToServer, kClientHello)) == "certain, to server");
    CHECK(probe(later(kToServer, kClientHello.substr(0, 5))) == "not mine");
    CHECK(probe(later(kToClient, kServerHello)) == "not mine");
  }
  SUBCASE("in the middle of a connection") {
    CHECK(probe(middle(kClientHello)) == "certain, to server");
    CHECK(probe(middle(kClientHello.substr(0, 5))) == "not mine");
    CHECK(probe(middle(kDataRecord + kDataRecord)) == "certain, to server, from middle");
    CHECK(probe(middle(kDataRecord.substr(0, 20))) == "not mine");
    CHECK(probe(middle(kDataRecord, kToClient)) == "not mine");
  }
}

TEST_CASE("generic: probe() accepts any bytes, but is never certain") {
  const auto probe = [](const Opening& opening) { return describe(generic::Analyzer::probe(opening)); };
  CHECK(probe(first(kToServer, "ab")) == "unsure, to server");
  CHECK(probe(first(kToClient, "ab")) == "unsure, to client");
  CHECK(probe(middle("ab", kToClient)) == "unsure, to client, from middle");
}

const char* name_of(AnalyzerKind kind) {
  switch (kind) {
    case AnalyzerKind::http1: return "http1";
    case AnalyzerKind::h2: return "h2";
    case AnalyzerKind::tls: return "tls";
    case AnalyzerKind::generic: return "generic";
  }
  return "";
}

TEST_CASE("registry: probe_all() returns the analyzer that finds its protocol, else generic") {
  const auto found = [](const Opening& opening, bool tls_only = false) {
    return std::string(name_of(probe_all(opening, tls_only).kind));
  };
  CHECK(found(first(kToServer, kClientHello)) == "tls");
  CHECK(found(first(kToServer, kPreface)) == "h2");
  CHECK(found(first(kToServer, "PRI * H")) == "h2");  // may begin a request of HTTP/1 as well
  CHECK(found(first(kToServer, kGet)) == "http1");
  CHECK(found(first(kToServer, "ab\1")) == "generic");
  CHECK(found(first(kToServer, kGet), true) == "generic");
  CHECK(found(first(kToServer, kPreface), true) == "generic");
  CHECK(found(first(kToServer, kClientHello), true) == "tls");
}

// ---- the detector

/// The options, and where the capture begins.
struct Setting {
  bool tcp = false;                    ///< --tcp
  std::vector<std::uint16_t> ports{};  ///< --port
  bool from_middle = false;            ///< the capture does not show the handshake
};

/// One connection with its detector, fed as the dispatcher feeds it. client() sends from port 40000, server() from
/// port 80.
class Detection {
 public:
  explicit Detection(Setting setting = {}) : setting_(std::move(setting)) {
    connection_.timing = &timing_;
    connection_.key.ports[index(Side::low)] = 40000;
    connection_.key.ports[index(Side::high)] = 80;
    for (Stream& stream : connection_.streams) {
      stream.start_at(0);
      stream.from_syn = !setting_.from_middle;
    }
    if (setting_.from_middle) return;
    connection_.set_client(Side::low);
    connection_.handshake.syn_ack = connection_.handshake.ack = 0;
  }
  ~Detection() { Detector::drop(connection_); }
  Detection(const Detection&) = delete;
  Detection& operator=(const Detection&) = delete;

  Detection& client(std::string_view bytes) { return feed(Side::low, bytes); }
  Detection& server(std::string_view bytes) { return feed(Side::high, bytes); }

  /// `count` bytes of the client were not captured.
  Detection& lose_client(std::uint64_t count) {
    detector_.give_up_undecided(connection_, next_arrival(Side::low), true);
    if (Analyzer* const analyzer = Detector::analyzer_of(connection_))
      gap(*analyzer, kToServer, count, false, next_arrival(Side::low));
    stream(Side::low).advance(count);
    stream(Side::low).not_captured += count;
    return add();
  }

  /// The server sends its FIN.
  Detection& finish() {
    detector_.give_up_undecided(connection_, next_arrival(Side::high));
    return add();
  }

  /// The analyzer after each step: its name, with "?" where it is undecided; "-" where there is none; "ignored" where
  /// the connection's bytes are not looked at.
  const std::string& analyzers() const { return text_; }
  Side client_side() const { return connection_.client; }

 private:
  Stream& stream(Side side) { return connection_.stream(side); }
  Arrival next_arrival(Side sender) {
    connection_.last_time = ++time_;
    return {time_, ++packet_, stream(other(sender)).next};
  }

  Detection& feed(Side sender, std::string_view bytes) {
    const Arrival arrival = next_arrival(sender);
    const StreamData data{bytes_in(bytes), bytes.size()};
    if (!Detector::ignores(connection_, sender)) {
      detector_.choose(connection_, sender, data.bytes, arrival);
      if (Analyzer* const analyzer = Detector::analyzer_of(connection_)) {
        wirelap::feed(*analyzer, direction_of(connection_, sender), data, arrival);
        collect();
        if (detector_.reconsider(connection_, sender, data, arrival)) collect();
      }
    }
    stream(sender).advance(bytes.size());
    stream(sender).last_time = arrival.time;
    return add();
  }

  void collect() {
    ExchangeLog* const log = Detector::log_of(connection_);
    if (log == nullptr) return;
    while (Exchange* const exchange = log->next_finished()) pool_.give_back(*exchange);
  }

  Detection& add() {
    if (!text_.empty()) text_ += ' ';
    Analyzer* const analyzer = Detector::analyzer_of(connection_);
    if (analyzer == nullptr) {
      text_ += connection_.ignored ? "ignored" : "-";
    } else {
      text_ += name_of(static_cast<AnalyzerKind>(analyzer->kind));
      if (verdict_of(*analyzer) == Verdict::undecided) text_ += '?';
    }
    return *this;
  }

  const Setting setting_;
  Connection connection_;
  Timing timing_;
  const Wanted wanted_;
  ExchangePool pool_{wanted_};
  Detector detector_{setting_.ports, setting_.tcp, pool_};
  Nanos time_ = 0;
  std::uint64_t packet_ = 0;
  std::string text_;
};

const Setting kTcp = {.tcp = true};

TEST_CASE("detector: a connection keeps the analyzer that its first bytes show") {
  CHECK(Detection().client(kGet).server(kOk).client(kGet).analyzers() == "http1 http1 http1");
  CHECK(Detection().client(kPreface).server(kSettings).analyzers() == "h2 h2");
  CHECK(Detection().client(kClientHello).server(kServerHello).analyzers() == "tls tls");
  CHECK(Detection().server(kSettings).client(kPreface).analyzers() == "h2 h2");
  CHECK(Detection(kTcp).client("ab\1").server("cd").analyzers() == "generic generic");
}

TEST_CASE("detector: an unknown protocol has no analyzer without --tcp") {
  CHECK(Detection().client("ab\1").server("cd").analyzers() == "- -");
  CHECK(Detection().server("220 x\r\n").client("EHLO y\r\n").client(kGet).analyzers() == "- - -");
}

TEST_CASE("detector: TLS can begin after clear text") {
  CHECK(Detection().server("220 x\r\n").client("STARTTLS\r\n").server("220 go\r\n").client(kClientHello).analyzers() ==
        "- - - tls");
  CHECK(Detection(kTcp)
            .server("220 x\r\n")
            .client("STARTTLS\r\n")
            .server("220 go\r\n")
            .client(kClientHello)
            .analyzers() == "generic generic generic tls");
}

TEST_CASE("detector: bytes that may begin HTTP are undecided until more follow") {
  CHECK(Detection().client("GE").client("T / HTTP/1.1\r\n").analyzers() == "http1? http1");
  CHECK(Detection().client("GE").client("\1").server("x\1").analyzers() == "http1? http1 ignored");
  CHECK(Detection(kTcp).client("GE").client("\1").server("x\1").analyzers() == "http1? http1 generic");
  SUBCASE("or until nothing more can follow") {
    CHECK(Detection(kTcp).client("GE").finish().analyzers() == "http1? generic");
    CHECK(Detection().client("GE").finish().analyzers() == "http1? ignored");
  }
  SUBCASE("or until the next bytes were not captured") {
    CHECK(Detection(kTcp).client("GE").lose_client(10).analyzers() == "http1? generic");
    CHECK(Detection().client("GE").lose_client(10).analyzers() == "http1? http1");
  }
}

TEST_CASE("detector: a connection switches to HTTP/2 after a 101") {
  const std::string upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
  const std::string switching = "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
  CHECK(Detection().client(upgrade).server(switching + kSettings).client(kPreface).analyzers() == "http1 h2 h2");
  SUBCASE("also if the 101 was not captured") {
    CHECK(Detection().client(upgrade).client(kPreface).analyzers() == "http1 h2");
  }
  SUBCASE("but not inside a tunnel") {
    CHECK(Detection().client("CONNECT a:80 HTTP/1.1\r\n\r\n").server(kOk).client(kPreface).analyzers() ==
          "http1 http1 http1");
  }
}

TEST_CASE("detector: an HTTP/1 response to a ClientHello is read as HTTP/1, with --tcp as a turn") {
  const std::string refused = "HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n";
  CHECK(Detection().client(kClientHello).server(refused).analyzers() == "tls http1");
  CHECK(Detection(kTcp).client(kClientHello).server(refused).analyzers() == "tls generic");
  CHECK(Detection().client(kClientHello).server("220 x\r\n").analyzers() == "tls ignored");
}

TEST_CASE("detector: from the middle of a connection, the first message shows which end is the client") {
  const Setting middle = {.from_middle = true};
  SUBCASE("a request") {
    Detection detection(middle);
    CHECK(detection.server(kGet).analyzers() == "http1");  // the end with port 80 is the client
    CHECK(detection.client_side() == Side::high);
  }
  SUBCASE("a response") {
    Detection detection(middle);
    CHECK(detection.client("body").client(kOk).analyzers() == "- http1");
    CHECK(detection.client_side() == Side::high);
  }
  SUBCASE("with --tcp the ports decide, until a message shows it") {
    Detection detection({.tcp = true, .from_middle = true});
    CHECK(detection.client("ab\1").analyzers() == "generic");
    CHECK(detection.client_side() == Side::low);
    CHECK(detection.server(kGet).analyzers() == "generic http1");
    CHECK(detection.client_side() == Side::high);
  }
}

TEST_CASE("detector: --port ignores connections to other servers") {
  CHECK(Detection({.ports = {80}}).client(kGet).analyzers() == "http1");
  CHECK(Detection({.ports = {8080}}).client(kGet).server(kOk).analyzers() == "ignored ignored");
  CHECK(Detection({.ports = {40000}}).client(kGet).analyzers() == "ignored");  // the client's port
  CHECK(Detection({.tcp = true, .ports = {8080}}).client("ab\1").analyzers() == "ignored");
}

}  // namespace
}  // namespace wirelap
