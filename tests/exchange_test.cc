// exchange: whole captures through the engine. Which response belongs to which
// request, when each part of an exchange took place, and what a lost packet costs.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

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

struct TimedSegment {
  Nanos time;
  SegmentSpec segment;
};
using Capture = std::vector<TimedSegment>;

/// Returns `capture` as a pcap file.
Buffer pcap_of(const Capture& capture) {
  test::PcapWriter::Options nanoseconds;
  nanoseconds.decimals = 9;
  test::PcapWriter file(nanoseconds);
  for (const TimedSegment& packet : capture) file.add(packet.time, test::ethernet_frame(packet.segment));
  return file.bytes();
}

/// Reads `captures` one after the other. Returns the exchanges in the order of their numbers.
std::vector<Record> run_all(const std::vector<Capture>& captures, EngineOptions options = {}) {
  test::Records records;
  Engine engine(std::move(options), records);
  for (const Capture& capture : captures) CHECK(!test::run_bytes(engine, pcap_of(capture)));
  records.sort();
  for (const Record& record : records.exchanges) test::check_times(record);
  return std::move(records.exchanges);
}

std::vector<Record> run(const Capture& capture, EngineOptions options = {}) {
  return run_all({capture}, std::move(options));
}

/// Returns a line for each exchange: CONNECTION.EXCHANGE REQUEST STATUS OUTCOME. `?`: the request is not known.
/// `-`: no response.
std::string pairs(const std::vector<Record>& records) {
  std::string text;
  for (const Record& record : records) {
    text += std::to_string(record.connection) + "." + std::to_string(record.exchange) + " ";
    text += (record.method.empty() ? "?" : record.method + " " + record.target) + " ";
    text += (record.status ? std::to_string(*record.status) : "-") + " " + std::string(record.outcome) + "\n";
  }
  return text;
}

/// Returns the phases and the idle time of `record`, in milliseconds.
std::string phases(const Record& record) {
  std::string text;
  const std::pair<const char*, Nanos> all[] = {{"connect ", record.connect}, {" send ", record.send},
                                               {" wait ", record.wait},      {" receive ", record.receive},
                                               {" total ", record.total},    {" idle ", record.idle}};
  for (const auto& [name, time] : all) {
    CHECK((time == kUnknownTime || time % kMilli == 0));
    text += name + (time == kUnknownTime ? "?" : std::to_string(time / kMilli));
  }
  return text;
}

/// Adds the packets of one connection to a capture. Both ends acknowledge all that the other has sent, whether it was
/// captured or not.
class Traffic {
 public:
  explicit Traffic(Capture& capture, std::uint16_t client_port = 40000, std::uint16_t server_port = 80)
      : capture_(capture), ends_(client_port, server_port) {}

  /// A segment that is captured at `milliseconds`; without data, an acknowledgment.
  Traffic& client(int milliseconds, std::string_view data = {}, unsigned flags = kAck) {
    return send(0, milliseconds, data, flags);
  }
  Traffic& server(int milliseconds, std::string_view data = {}, unsigned flags = kAck) {
    return send(1, milliseconds, data, flags);
  }
  /// The TCP handshake. Takes the times of its packets.
  Traffic& open(int syn, int syn_ack, int ack) {
    client(syn, {}, kSyn);
    server(syn_ack, {}, kSyn | kAck);
    return client(ack);
  }
  /// The last packet acknowledges `count` bytes fewer than the other end has sent.
  Traffic& acknowledge_less(std::uint32_t count) {
    capture_.back().segment.acknowledgment -= count;
    return *this;
  }
  /// Retransmits the packet before the last one at `milliseconds`.
  Traffic& retransmit(int milliseconds) {
    TimedSegment packet = capture_[capture_.size() - 2];
    packet.time = kStart + milliseconds * kMilli;
    packet.segment.ip_id = ends_.next_ip_id(packet.segment.source == "10.0.0.1" ? 0 : 1);
    capture_.push_back(packet);
    return *this;
  }
  /// The last packet was not captured.
  Traffic& lose() {
    capture_.pop_back();
    return *this;
  }
  /// The last two packets were captured in the wrong order.
  Traffic& swap() {
    std::swap(capture_[capture_.size() - 1].segment, capture_[capture_.size() - 2].segment);
    return *this;
  }

 private:
  Traffic& send(int from, int milliseconds, std::string_view data, unsigned flags) {
    capture_.push_back({kStart + milliseconds * kMilli, ends_.segment(from, data, flags)});
    return *this;
  }

  Capture& capture_;
  test::TwoEnds ends_;
};

std::string get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n"; }

std::string response(int status, std::size_t body_bytes = 0, std::string_view fields = {}) {
  const std::string length = "Content-Length: " + std::to_string(body_bytes) + "\r\n";
  return "HTTP/1.1 " + std::to_string(status) + " x\r\n" + std::string(fields) + length + "\r\n" +
         std::string(body_bytes, 'x');
}

// ---- times

TEST_CASE("exchange: phases and idle times are exact on a connection that is kept alive") {
  Capture capture;
  Traffic(capture)
      .open(0, 20, 21)
      .client(25, get("/a"))
      .server(26)
      .server(35, response(200, 100).substr(0, 50))
      .server(37, response(200, 100).substr(50))
      .client(38)
      .client(50, "PUT /b HTTP/1.1\r\nContent-Length: 4\r\n\r\nab")
      .client(53, "cd")
      .server(60, response(201))
      .client(61);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 GET /a 200 complete\n1.2 PUT /b 201 complete\n");
  CHECK(phases(records[0]) == "connect 21 send 0 wait 10 receive 2 total 33 idle 4");
  CHECK(phases(records[1]) == "connect 0 send 3 wait 7 receive 0 total 10 idle 13");
  CHECK(records[0].start == kStart + 25 * kMilli);
  CHECK(records[0].first_frame == 4);
  CHECK(records[0].last_frame == 7);
  CHECK(records[0].request_bytes == get("/a").size());
  CHECK(records[0].response_bytes == response(200, 100).size());
  CHECK(records[0].response_body_bytes == 100);
  CHECK(records[1].request_body_bytes == 4);
  CHECK(records[1].first_frame == 9);
  CHECK(records[1].last_frame == 11);
}

TEST_CASE("exchange: packets and max_gap cover the exchange alone, and the handshake in the first one") {
  Capture capture;
  Traffic(capture)
      .open(0, 20, 21)
      .client(25, get("/a"))
      .server(26)
      .server(35, response(200, 10))
      .client(36)
      .client(80, get("/b"))
      .server(82)
      .server(89, response(200, 99).substr(0, 60))
      .client(90)
      .server(93, response(200, 99).substr(60))
      .client(94);
  const auto records = run(capture);
  REQUIRE(records.size() == 2);
  CHECK(records[0].packets == 6);  // with the three of the handshake
  CHECK(records[0].max_gap == 20 * kMilli);
  CHECK(records[1].packets == 5);
  CHECK(records[1].max_gap == 7 * kMilli);
}

TEST_CASE("exchange: a response ends when the retransmission of its lost segment arrives") {
  Capture capture;
  Traffic traffic(capture);
  const std::string answer = response(200, 100);
  traffic.open(0, 1, 2).client(3, get("/a")).server(10, answer.substr(0, 80)).server(11, answer.substr(80));
  TimedSegment again = capture[4];
  capture.erase(capture.begin() + 4);
  again.time = kStart + 210 * kMilli;
  again.segment.ip_id = 300;
  capture.push_back(again);
  traffic.client(211);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 GET /a 200 complete\n");
  CHECK(phases(records[0]) == "connect 2 send 0 wait 207 receive 0 total 209 idle 1");
}

TEST_CASE("exchange: a response whose end gets lost after the capture point ends with its retransmission") {
  const std::string head = "HTTP/1.1 200 x\r\n";
  for (const bool closes : {false, true}) {
    CAPTURE(closes);
    Capture capture;
    Traffic traffic(capture);
    traffic.open(0, 0, 20).client(20, get("/a"));
    const std::string first = head + (closes ? "\r\n" : "Content-Length: 10\r\n\r\n") + "01234", last = "56789";
    traffic.server(21, first).server(22, last, closes ? kAck | kFin : kAck);
    traffic.client(41).acknowledge_less(closes ? 6 : 5).retransmit(222).client(242);
    const auto records = run(capture);
    CHECK(pairs(records) == "1.1 GET /a 200 complete\n");
    CHECK(phases(records[0]) == "connect 20 send 0 wait 1 receive 201 total 222 idle 0");
    CHECK(records[0].lost_packets == 1);
    CHECK(records[0].retransmitted_packets == 1);
    CHECK(records[0].loss >= 200 * kMilli);
  }
}

TEST_CASE("exchange: with TCP Fast Open, the time from SYN-ACK to response is the server's (RFC 7413)") {
  Capture capture;
  Traffic(capture)
      .client(0, get("/a"), kSyn)
      .server(10, {}, kSyn | kAck)
      .client(11)
      .server(1010, response(200))
      .client(1011);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 GET /a 200 complete\n");
  CHECK(records[0].total == 1010 * kMilli);
  CHECK(records[0].network == 10 * kMilli);
  CHECK(records[0].server_time == 1000 * kMilli);
}

TEST_CASE("exchange: the wait at a sequence gap that is never filled is loss, not the server's time") {
  Capture capture;
  const std::string answer = response(200, 300);
  Traffic traffic(capture);
  traffic.open(0, 20, 20).client(20, get("/a")).server(40, answer.substr(0, 100)).client(40);
  traffic.server(41, answer.substr(100, 100)).lose().server(42, answer.substr(200)).client(42).acknowledge_less(200);
  traffic.client(30'042, {}, kRst | kAck).acknowledge_less(200);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 GET /a 200 reset\n");
  CHECK(records[0].loss == 30'000 * kMilli);
  CHECK(records[0].server_time <= 2 * kMilli);
}

TEST_CASE("exchange: a 1xx response does not answer the request") {
  Capture capture;
  Traffic(capture)
      .open(0, 1, 2)
      .client(3, "PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
      .server(5, "HTTP/1.1 100 Continue\r\n\r\n")
      .client(7, "abc")
      .server(17, response(200, 1))
      .client(20, get("/b"))
      .server(21, "HTTP/1.1 103 Early Hints\r\n\r\n")
      .server(33, response(404, 3).substr(0, 20))
      .server(34, response(404, 3).substr(20))
      .client(35);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 PUT /a 200 complete\n1.2 GET /b 404 complete\n");
  CHECK(phases(records[0]) == "connect 2 send 4 wait 10 receive 0 total 16 idle 1");
  CHECK(phases(records[1]) == "connect 0 send 0 wait 13 receive 1 total 14 idle 3");
  CHECK(records[0].response_bytes == 25 + response(200, 1).size());
}

TEST_CASE("exchange: a request can continue while its response arrives") {
  Capture capture;
  Traffic(capture)
      .open(0, 1, 2)
      .client(3, "PUT /a HTTP/1.1\r\nContent-Length: 6\r\n\r\nab")
      .server(5, response(413, 10))
      .client(7, "cd")
      .client(9, "ef")
      .client(12, get("/b"))
      .server(13, response(200))
      .client(14);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 PUT /a 413 complete\n1.2 GET /b 200 complete\n");
  CHECK(phases(records[0]) == "connect 2 send 6 wait 0 receive 0 total 8 idle 1");
  CHECK(records[0].request_body_bytes == 6);
}

TEST_CASE("exchange: pipelined responses answer their requests in order, however they are cut") {
  const std::string all = response(201, 10) + response(202) + response(203, 30);
  for (std::size_t cut = 1; cut < all.size(); ++cut) {
    Capture capture;
    Traffic(capture)
        .open(0, 1, 2)
        .client(3, get("/1") + get("/2") + get("/3"))
        .server(10, all.substr(0, cut))
        .server(20, all.substr(cut))
        .client(21);
    const auto records = run(capture);
    REQUIRE(pairs(records) == "1.1 GET /1 201 complete\n1.2 GET /2 202 complete\n1.3 GET /3 203 complete\n");
    REQUIRE(records[0].response_body_bytes == 10);
    REQUIRE(records[2].response_body_bytes == 30);
    REQUIRE(records[2].send + records[2].wait + records[2].receive == 17 * kMilli);
    REQUIRE(records[1].idle == 0 * kMilli);
  }
}

// ---- ends

TEST_CASE("exchange: a 1xx response alone, whose request was not captured, makes no exchange") {
  Capture capture;
  Traffic(capture).server(1, "HTTP/1.1 100 Continue\r\n\r\n").client(2, {}, kFin | kAck).server(3, {}, kFin | kAck);
  CHECK(run(capture).empty());
}

TEST_CASE("exchange: the outcome shows how the exchange ended") {
  Capture capture;
  Traffic traffic(capture);
  traffic.open(0, 1, 2).client(3, get("/a"));
  SUBCASE("reset before the response") {
    traffic.server(9, {}, kRst | kAck);
    const auto records = run(capture);
    CHECK(pairs(records) == "1.1 GET /a - reset\n");
    CHECK(phases(records[0]) == "connect 2 send 0 wait 6 receive 0 total 8 idle 1");
  }
  SUBCASE("reset inside the response") {
    traffic.server(9, response(200, 5).substr(0, 40)).client(11, {}, kRst);
    const auto records = run(capture);
    CHECK(pairs(records) == "1.1 GET /a 200 reset\n");
    CHECK(phases(records[0]) == "connect 2 send 0 wait 6 receive 2 total 10 idle 1");
  }
  SUBCASE("closed without a response") {
    traffic.server(9, {}, kFin | kAck).client(10, {}, kFin | kAck);
    CHECK(pairs(run(capture)) == "1.1 GET /a - no_response\n");
  }
  SUBCASE("closed inside the response") {
    traffic.server(9, response(200, 5).substr(0, 40)).server(12, {}, kFin | kAck).client(13, {}, kFin | kAck);
    const auto records = run(capture);
    CHECK(pairs(records) == "1.1 GET /a 200 closed\n");
    CHECK(phases(records[0]) == "connect 2 send 0 wait 6 receive 3 total 11 idle 1");
  }
  SUBCASE("a body until the close") {
    traffic.server(9, "HTTP/1.0 200 x\r\n\r\nab").server(12, "cde", kFin | kAck).client(13, {}, kFin | kAck);
    const auto records = run(capture);
    CHECK(pairs(records) == "1.1 GET /a 200 complete\n");
    CHECK(records[0].response_body_bytes == 5);
    CHECK(records[0].receive == 3 * kMilli);
  }
  SUBCASE("the client sent its FIN before the response") {
    traffic.client(4, {}, kFin | kAck).server(9, response(200, 5)).server(10, {}, kFin | kAck).client(11);
    CHECK(pairs(run(capture)) == "1.1 GET /a 200 complete\n");
  }
  SUBCASE("the capture ends before the response") {
    traffic.server(4);
    const auto records = run(capture);
    CHECK(pairs(records) == "1.1 GET /a - capture_end\n");
    CHECK(records[0].wait == 1 * kMilli);
  }
  SUBCASE("the capture ends inside the response") {
    traffic.server(9, response(200, 5).substr(0, 40));
    CHECK(pairs(run(capture)) == "1.1 GET /a 200 capture_end\n");
  }
  SUBCASE("another connection uses the same ports") {
    Traffic(capture).open(100, 101, 102).client(103, get("/b")).server(105, response(204)).client(106);
    for (std::size_t i = 4; i < capture.size(); ++i) {
      SegmentSpec& segment = capture[i].segment;
      const bool client = segment.source_port == 40000;
      segment.sequence += client ? 500'000 : 900'000;
      if (segment.acknowledgment != 0) segment.acknowledgment += client ? 900'000 : 500'000;
    }
    CHECK(pairs(run(capture)) == "1.1 GET /a - no_response\n2.1 GET /b 204 complete\n");
  }
}

TEST_CASE("exchange: empty lines before the first request are skipped (RFC 9112, 2.2)") {
  for (const std::string empty : {"\n", "\r\n", "\r\n\r\n"}) {
    const std::string request = empty + get("/a");
    for (std::size_t cut = empty.size() + 1; cut <= request.size(); ++cut) {
      CAPTURE(cut);
      Capture capture;
      Traffic traffic(capture);
      traffic.open(0, 1, 2).client(3, request.substr(0, cut));
      if (cut != request.size()) traffic.client(4, request.substr(cut));
      traffic.server(9, response(200, 5)).client(10);
      CHECK(pairs(run(capture)) == "1.1 GET /a 200 complete\n");
    }
  }
}

TEST_CASE("exchange: an HTTP/0.9 response has no head and lasts until the close (RFC 1945, 6)") {
  Capture capture;
  Traffic traffic(capture);
  traffic.open(0, 1, 2).client(3, "GET /old\r\n").server(4, "<html>\n\n").server(6, "more");
  traffic.server(7, {}, kFin | kAck).client(8, {}, kFin | kAck).server(9);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 GET /old - complete\n");
  CHECK(records[0].response_body_bytes == 12);
  CHECK(phases(records[0]) == "connect 2 send 0 wait 1 receive 3 total 6 idle 1");
}

TEST_CASE("exchange: an HTTP response to a TLS ClientHello is a response without a request") {
  const std::string hello = std::string("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03", 11) + std::string(32, 'r') +
                            std::string("\x00\x00\x02\x13\x01\x01\x00\x00\x00", 9);
  const std::string answer = response(400, 5);
  for (std::size_t cut = 5; cut <= answer.size(); ++cut) {
    CAPTURE(cut);
    Capture capture;
    Traffic traffic(capture);
    traffic.open(0, 1, 2).client(3, hello).server(7, answer.substr(0, cut));
    if (cut != answer.size()) traffic.server(8, answer.substr(cut));
    traffic.server(9, {}, kFin | kAck).client(10, {}, kFin | kAck).server(11);
    const auto records = run(capture);
    CHECK(pairs(records) == "1.1 ? 400 gap\n");
    CHECK(records[0].response_body_bytes == 5);
    EngineOptions turns;
    turns.tcp = true;
    CHECK(pairs(run(capture, turns)) == "1.1 ? - complete\n");
  }
  // If the server's first bytes are not HTTP, there is no exchange.
  Capture other;
  Traffic(other).open(0, 1, 2).client(3, hello).server(7, "220 mail.example.org\r\n").server(8, answer);
  CHECK(run(other).empty());
}

TEST_CASE("exchange: all bytes after a 101 or CONNECT are one exchange (RFC 9110, 7.8 and 9.3.6)") {
  Capture capture;
  Traffic traffic(capture);
  traffic.open(0, 1, 2);
  SUBCASE("WebSocket") {
    traffic.client(3, "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    traffic.server(4, "HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n");
  }
  SUBCASE("CONNECT") {
    traffic.client(3, "CONNECT y:443 HTTP/1.1\r\nHost: y:443\r\n\r\n").server(4, "HTTP/1.1 200 x\r\n\r\n");
  }
  traffic.client(10, "GET / HTTP/1.1\r\n\r\n")
      .server(12, "HTTP/1.1 200 x\r\n\r\n")
      .server(20, "pushed")
      .client(22, "abc");
  traffic.client(30, {}, kFin | kAck).server(31, {}, kFin | kAck).client(32);
  const auto records = run(capture);
  REQUIRE(records.size() == 2);
  CHECK((records[0].status == 101 || records[0].status == 200));
  CHECK(records[0].outcome == "complete");
  CHECK(records[0].total == 3 * kMilli);
  CHECK(records[1].method.empty());
  CHECK(records[1].target == records[0].target);
  CHECK(records[1].outcome == "complete");
  CHECK(records[1].start == kStart + 10 * kMilli);
  CHECK(records[1].idle == 6 * kMilli);
  CHECK(records[1].request_bytes == 18 + 3);
  CHECK(records[1].response_bytes == 18 + 6);
}

TEST_CASE("exchange: a 101 that no bytes follow makes no second exchange") {
  Capture capture;
  Traffic traffic(capture);
  traffic.open(0, 1, 2)
      .client(3, "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n")
      .server(4, "HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n");
  CHECK(pairs(run(capture)) == "1.1 GET / 101 complete\n");
}

TEST_CASE("exchange: a request whose head goes on after the server's FIN has no response") {
  Capture capture;
  Traffic traffic(capture);
  traffic.open(0, 1, 2).client(3, "GET /a HTTP/1.1\r\nHost:").server(5, {}, kFin | kAck);
  SUBCASE("the head ends") { traffic.client(6, " x\r\n\r\n"); }
  SUBCASE("the head becomes longer than 64 KiB") {
    traffic.client(6, std::string(60'000, 'x')).client(7, std::string(9'000, 'x'));
  }
  SUBCASE("the rest of the head is not captured") {
    traffic.client(6, " x\r\n\r\n").lose().server(7).client(8, get("/b"));
  }
  traffic.client(9, {}, kFin | kAck);
  const auto records = run(capture);
  REQUIRE(!records.empty());
  CHECK(!records[0].status);
  CHECK(records[0].outcome == "no_response");
}

// ---- client and server, ports and numbers

TEST_CASE("exchange: in a capture from the middle of a connection, each message that begins in it is found") {
  Capture capture;
  Traffic traffic(capture);
  SUBCASE("the capture begins between exchanges") {
    traffic.client(3, get("/a")).server(9, response(200)).client(10);
    const auto records = run(capture);
    CHECK(pairs(records) == "1.1 GET /a 200 complete\n");
    CHECK(phases(records[0]) == "connect ? send 0 wait 6 receive 0 total 6 idle ?");
  }
  SUBCASE("the capture begins inside a response") {
    traffic.server(1, "rest of it").client(2).client(3, get("/a")).server(9, response(200)).client(10);
    CHECK(pairs(run(capture)) == "1.1 GET /a 200 complete\n");
  }
  SUBCASE("the capture begins before a response, whose request is not known") {
    traffic.server(1, response(302)).client(2, get("/a")).server(9, response(200)).client(10);
    const auto records = run(capture);
    CHECK(pairs(records) == "1.1 ? 302 gap\n1.2 GET /a 200 complete\n");
    CHECK(phases(records[0]) == "connect ? send ? wait ? receive 0 total 0 idle ?");
  }
  for (const Record& record : run(capture)) {
    CHECK(record.client_port == 40000);
    CHECK(record.server_port == 80);
  }
}

TEST_CASE("exchange: the client is the end that sends requests, whatever the ports") {
  for (const auto& [client_port, server_port] : {std::pair{80, 40000}, std::pair{8080, 8080}, std::pair{1, 65535}}) {
    Capture capture;
    Traffic traffic(capture, static_cast<std::uint16_t>(client_port), static_cast<std::uint16_t>(server_port));
    SUBCASE("shown by the handshake") { traffic.open(0, 1, 2); }
    SUBCASE("shown by the messages alone") {}
    traffic.client(3, get("/a")).server(4, response(200)).client(5);
    const auto records = run(capture);
    REQUIRE(pairs(records) == "1.1 GET /a 200 complete\n");
    CHECK(records[0].client_port == client_port);
    CHECK(records[0].server_port == server_port);
  }
}

TEST_CASE("exchange: interleaved connections are kept apart, and one without HTTP has no exchange") {
  Capture capture;
  Traffic a(capture, 40001), other(capture, 40002, 25), b(capture, 40003);
  a.open(0, 10, 11);
  other.open(1, 2, 3).server(4, "220 mail.example.org ESMTP\r\n").client(5, "EHLO x\r\n");
  b.open(12, 16, 17);
  a.client(18, get("/a"));
  b.client(19, get("/b"));
  b.server(22, response(202, 5));
  a.server(28, response(201, 5));
  b.client(30, get("/c")).server(31, response(203)).client(32);
  other.client(33, "GET /not HTTP\r\n").client(34, get("/not-here"));
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 GET /a 201 complete\n3.1 GET /b 202 complete\n3.2 GET /c 203 complete\n");
  CHECK(phases(records[0]) == "connect 11 send 0 wait 10 receive 0 total 21 idle 7");
  CHECK(phases(records[1]) == "connect 5 send 0 wait 3 receive 0 total 8 idle 2");
}

TEST_CASE("exchange: EngineOptions::ports selects the servers' ports") {
  Capture capture;
  for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{8080}, std::uint16_t{9000}}) {
    Traffic(capture, 40000, port).open(0, 1, 2).client(3, get("/a")).server(4, response(200)).client(5);
  }
  CHECK(run(capture).size() == 3);
  CHECK(pairs(run(capture, {{8080, 9000}, {}})) == "2.1 GET /a 200 complete\n3.1 GET /a 200 complete\n");
  CHECK(run(capture, {{40000}, {}}).empty());  // the client's port
}

TEST_CASE("exchange: the numbers of connections continue in the next capture, connections do not") {
  Capture first, second;
  Traffic a(first, 40001);
  a.open(0, 1, 2).client(3, get("/a")).server(4, response(200)).client(5, get("/b"));
  Traffic(first, 40002).open(6, 7, 8);
  Traffic(second, 40001).client(9, get("/c")).server(10, response(200)).client(11);
  CHECK(pairs(run_all({first, second})) ==
        "1.1 GET /a 200 complete\n1.2 GET /b - capture_end\n3.1 GET /c 200 complete\n");
}

// ---- bytes that were not captured

TEST_CASE("exchange: if one direction alone was captured, each message is an exchange of its own") {
  Capture capture;
  Traffic(capture)
      .open(0, 1, 2)
      .client(3, get("/a"))
      .server(4, response(201))
      .client(5)
      .client(6, get("/b"))
      .server(7, response(202))
      .client(8)
      .client(9, {}, kFin | kAck)
      .server(10, {}, kFin | kAck)
      .client(11);
  const auto keep = [&](std::uint16_t source_port) {
    std::erase_if(capture, [&](const TimedSegment& packet) { return packet.segment.source_port != source_port; });
    return run(capture);
  };
  SUBCASE("the client's packets") {
    const auto records = keep(40000);
    REQUIRE(records.size() == 2);
    for (const Record& record : records) {
      CHECK(!record.status);
      CHECK(record.outcome != "complete");
    }
    CHECK(records[0].target == "/a");
    CHECK(records[1].target == "/b");
  }
  SUBCASE("the server's packets") { CHECK(pairs(keep(80)) == "1.1 ? 201 gap\n1.2 ? 202 gap\n"); }
}

TEST_CASE("exchange: if the client's direction alone was captured, an exchange ends when the next request begins") {
  Capture capture;
  Traffic(capture)
      .client(0, get("/a"))
      .server(20, response(200))
      .lose()
      .client(33, get("/b"))
      .server(50, response(200))
      .lose()
      .client(60)
      .client(8000, {}, kFin | kAck);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 GET /a - gap\n1.2 GET /b - gap\n");
  CHECK(records[0].total == 33 * kMilli);
  CHECK(records[0].packets == 1);
}

TEST_CASE("exchange: a lost request costs only its own exchange") {
  Capture capture;
  Traffic traffic(capture);
  traffic.open(0, 1, 2).client(3, get("/1")).server(4, response(201)).client(5);
  traffic.client(6, get("/2")).lose();
  SUBCASE("its response comes in one segment") { traffic.server(8, response(202, 30)); }
  SUBCASE("its response comes in two segments") {
    traffic.server(8, response(202, 30).substr(0, 45)).server(9, response(202, 30).substr(45));
  }
  SUBCASE("its response comes in two segments, with an acknowledgment between") {
    traffic.server(8, response(202, 30).substr(0, 45)).client(8).server(9, response(202, 30).substr(45));
  }
  traffic.client(10, get("/3")).server(11, response(203)).client(12);
  traffic.client(13, get("/4")).server(14, response(204)).client(15);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 GET /1 201 complete\n1.2 ? 202 gap\n1.3 GET /3 203 complete\n1.4 GET /4 204 complete\n");
  CHECK(records[1].response_body_bytes == 30);
  CHECK(records[2].total == 1 * kMilli);
}

TEST_CASE("exchange: lost responses cost only their own exchanges") {
  for (const int lost : {1, 2, 3}) {
    Capture capture;
    Traffic traffic(capture);
    traffic.open(0, 1, 2);
    std::string expected;
    for (int i = 1; i <= 5; ++i) {
      const bool is_lost = i >= 2 && i < 2 + lost;
      traffic.client(10 * i, get("/" + std::to_string(i))).server(10 * i + 4, response(200 + i));
      if (is_lost) traffic.lose();
      traffic.client(10 * i + 5);
      expected += "1." + std::to_string(i) + " GET /" + std::to_string(i) +
                  (is_lost ? " - gap\n" : " " + std::to_string(200 + i) + " complete\n");
    }
    const auto records = run(capture);
    CHECK(pairs(records) == expected);
    CHECK(records.back().wait == 4 * kMilli);
    CHECK(records.back().total == 4 * kMilli);
  }
}

TEST_CASE("exchange: bytes of a body that were not captured are counted, and hide nothing else") {
  Capture capture;
  Traffic(capture)
      .open(0, 1, 2)
      .client(3, get("/1"))
      .server(5, response(201, 300).substr(0, 100))
      .server(6, response(201, 300).substr(100, 150))
      .lose()
      .server(7, response(201, 300).substr(250))
      .client(8)
      .client(9, get("/2"))
      .server(12, response(202))
      .client(13);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 GET /1 201 complete\n1.2 GET /2 202 complete\n");
  CHECK(records[0].missing_bytes == 150);
  CHECK(records[0].response_body_bytes == 300);
  CHECK(phases(records[0]) == "connect 2 send 0 wait 2 receive 2 total 6 idle 1");
  CHECK(records[1].missing_bytes == 0);
}

TEST_CASE("exchange: a response that was captured before its request is matched with it") {
  Capture capture;
  Traffic traffic(capture);
  traffic.open(0, 1, 2);
  SUBCASE("the response comes in two segments") {
    traffic.client(3, get("/1"))
        .server(4, response(201, 30).substr(0, 45))
        .swap()
        .server(5, response(201, 30).substr(45));
  }
  SUBCASE("the response comes in one segment") { traffic.client(3, get("/1")).server(4, response(201, 30)).swap(); }
  traffic.client(6).client(7, get("/2")).server(8, response(202)).swap().client(9);
  traffic.client(10, get("/3")).server(11, response(203)).client(12);
  const auto records = run(capture);
  CHECK(pairs(records) == "1.1 GET /1 201 complete\n1.2 GET /2 202 complete\n1.3 GET /3 203 complete\n");
}

/// A capture of one connection, and what its exchanges are.
struct Session {
  Capture capture;
  std::vector<std::vector<int>> owners;  ///< by packet: the exchanges whose bytes it carries
  std::vector<std::size_t> request_bodies, response_bodies;

  int count() const { return static_cast<int>(response_bodies.size()); }
  /// The packets since the last call carry bytes of `exchanges`.
  void own(const std::vector<int>& exchanges) { owners.resize(capture.size(), exchanges); }
};

/// A response has the number of its exchange in its status, a request in its target.
int status_of(int exchange) { return 400 + exchange; }

/// A connection without pipelining. Each request is one segment, each response one to four.
Session make_session() {
  Session session;
  Traffic traffic(session.capture);
  const auto owned_by = [&](int exchange) { session.own(exchange == -1 ? std::vector<int>{} : std::vector{exchange}); };
  traffic.open(0, 1, 2);
  owned_by(-1);
  int time = 3;
  for (int i = 0; i < 30; ++i) {
    const std::size_t request_body = i % 3 == 1 ? static_cast<std::size_t>(i) * 7 : 0;
    const std::size_t response_body = i % 5 == 0 ? 0 : static_cast<std::size_t>(i * i) + 1;
    session.request_bodies.push_back(request_body);
    session.response_bodies.push_back(response_body);
    const std::string length = "Content-Length: " + std::to_string(request_body) + "\r\n\r\n";
    traffic.client(time++, "POST /" + std::to_string(i) + " HTTP/1.1\r\n" + length + std::string(request_body, 'q'));
    owned_by(i);
    if (i % 3 == 0) traffic.server(time++);
    owned_by(-1);
    // Makes the first of four segments contain the whole status line, by which the response is found after a loss.
    const std::string server = "Server: " + std::string(100, 's') + "\r\n";
    std::string answer = response(status_of(i), response_body, server);
    if (i % 4 == 3) {
      const std::size_t half = response_body / 2;
      answer = "HTTP/1.1 " + std::to_string(status_of(i)) + " x\r\n" + server + "Transfer-Encoding: chunked\r\n\r\n";
      for (const std::size_t size : {half, response_body - half}) {
        char line[24];
        if (size == 0) continue;
        std::snprintf(line, sizeof line, "%zx\r\n", size);
        answer += line + std::string(size, 'x') + "\r\n";
      }
      answer += "0\r\n\r\n";
    }
    const std::size_t segments = 1 + static_cast<std::size_t>(i) % 4;
    const std::size_t size = answer.size() / segments + 1;
    for (std::size_t at = 0; at < answer.size(); at += size) traffic.server(time++, answer.substr(at, size));
    owned_by(i);
    if (i % 2 == 0) traffic.client(time++);
    owned_by(-1);
  }
  traffic.client(time, {}, kFin | kAck).server(time + 1, {}, kFin | kAck).client(time + 2);
  owned_by(-1);
  return session;
}

/// Checks that no request has a wrong response, and that all exchanges but `damaged` are complete and correct.
void check_session(const Session& session, const std::vector<Record>& records, const std::vector<int>& damaged) {
  std::vector<int> seen(session.response_bodies.size(), 0);
  for (const Record& record : records) {
    const int in_target = record.target.empty() ? -1 : std::stoi(record.target.substr(1));
    const int in_status = !record.status ? -1 : static_cast<int>(*record.status) - status_of(0);
    REQUIRE((in_target == -1 || in_status == -1 || in_target == in_status));
    const int exchange = std::max(in_target, in_status);
    REQUIRE(exchange >= 0);
    if (record.outcome == "complete") {
      const auto at = static_cast<std::size_t>(exchange);
      CHECK(record.request_body_bytes == session.request_bodies[at]);
      CHECK(record.response_body_bytes == session.response_bodies[at]);
    }
    if (std::find(damaged.begin(), damaged.end(), exchange) != damaged.end()) continue;
    CHECK(record.outcome == "complete");
    CHECK(record.missing_bytes == 0);
    CHECK(in_target == in_status);
    ++seen[static_cast<std::size_t>(exchange)];
  }
  for (int i = 0; i < session.count(); ++i) {
    const bool is_damaged = std::find(damaged.begin(), damaged.end(), i) != damaged.end();
    CHECK(seen[static_cast<std::size_t>(i)] == (is_damaged ? 0 : 1));
  }
}

/// Removes `packets` packets in a row from the capture, at each place in turn. They must cost only the exchanges whose
/// bytes they carry.
void check_each_loss(const Session& session, std::size_t packets) {
  check_session(session, run(session.capture), {});
  for (std::size_t lost = 0; lost + packets <= session.capture.size(); ++lost) {
    Capture rest = session.capture;
    const auto at = rest.begin() + static_cast<std::ptrdiff_t>(lost);
    rest.erase(at, at + static_cast<std::ptrdiff_t>(packets));
    std::vector<int> damaged;
    for (std::size_t i = lost; i < lost + packets; ++i) {
      damaged.insert(damaged.end(), session.owners[i].begin(), session.owners[i].end());
    }
    INFO("lost packet ", lost);
    check_session(session, run(rest), damaged);
  }
}

TEST_CASE("exchange: a packet that was not captured costs only its own exchange") {
  check_each_loss(make_session(), 1);
}

TEST_CASE("exchange: two packets in a row that were not captured cost only their own exchanges") {
  check_each_loss(make_session(), 2);
}

/// How a client pipelines: in bursts, each after all responses to the one before it, or with `window` requests
/// outstanding, so that each response lets it send the next request.
struct Pipeline {
  std::vector<int> bursts;    // their sizes, repeated until the last request
  int requests_per_segment;   // 0: segments end in the middle of requests
  int responses_per_segment;  // 0: segments end in the middle of responses
  int window = 0;             // 0: bursts
};

/// Passes `messages` to `send`, `per_segment` of them at a time. 0: each segment ends in the middle of a message.
template <class Send>
void send_messages(Session& session, const std::vector<std::pair<int, std::string>>& messages, int per_segment,
                   Send send) {
  if (per_segment == 0) {
    // A segment carries the second half of one message and the first half of the next.
    std::string bytes;
    std::vector<int> owners;
    for (const auto& [exchange, message] : messages) {
      owners.push_back(exchange);
      send(bytes + message.substr(0, message.size() / 2));
      session.own(owners);
      bytes = message.substr(message.size() / 2);
      owners = {exchange};
    }
    send(bytes);
    session.own(owners);
    return;
  }
  const auto each = static_cast<std::size_t>(per_segment);
  for (std::size_t at = 0; at < messages.size(); at += each) {
    std::string bytes;
    std::vector<int> owners;
    for (std::size_t i = at; i < std::min(at + each, messages.size()); ++i) {
      owners.push_back(messages[i].first);
      bytes += messages[i].second;
    }
    send(bytes);
    session.own(owners);
  }
}

Session make_pipelined(const Pipeline& pipeline, int count) {
  Session session;
  Traffic traffic(session.capture);
  int time = 0;
  traffic.open(time, time + 1, time + 2);
  time += 3;
  session.own({});
  std::vector<std::pair<int, std::string>> requests, responses;
  for (int i = 0; i < count; ++i) {
    const std::size_t body = i % 3 == 0 ? 0 : static_cast<std::size_t>(i % 40);
    session.request_bodies.push_back(0);
    session.response_bodies.push_back(body);
    requests.emplace_back(i, get("/" + std::to_string(i)));
    responses.emplace_back(i, response(status_of(i), body));
  }
  const auto client = [&](std::string_view data) { traffic.client(time++, data); };
  const auto server = [&](std::string_view data) { traffic.server(time++, data); };
  std::size_t sent = 0, answered = 0;  // requests
  for (std::size_t burst = 0; answered < responses.size(); ++burst) {
    const std::size_t size = pipeline.window != 0
                                 ? static_cast<std::size_t>(pipeline.window) - (sent - answered)
                                 : static_cast<std::size_t>(pipeline.bursts[burst % pipeline.bursts.size()]);
    const std::size_t last_sent = std::min(sent + size, requests.size());
    const auto at = [](auto& messages, std::size_t i) { return messages.begin() + static_cast<std::ptrdiff_t>(i); };
    send_messages(session, {at(requests, sent), at(requests, last_sent)}, pipeline.requests_per_segment, client);
    sent = last_sent;
    const std::size_t last_answered = pipeline.window != 0 ? answered + 1 : sent;
    send_messages(session, {at(responses, answered), at(responses, last_answered)}, pipeline.responses_per_segment,
                  server);
    answered = last_answered;
  }
  traffic.client(time, {}, kFin | kAck).server(time + 1, {}, kFin | kAck).client(time + 2);
  session.own({});
  return session;
}

TEST_CASE("exchange: with pipelining, a packet that was not captured costs only the exchanges in it" *
          doctest::test_suite("slow")) {
  SUBCASE("a segment for each message") { check_each_loss(make_pipelined({{1, 4, 1, 1, 6, 3}, 1, 1}, 200), 1); }
  SUBCASE("a segment for each burst of requests") { check_each_loss(make_pipelined({{4, 1, 8, 2}, 99, 1}, 200), 1); }
  SUBCASE("a segment for each burst of requests, one for each two responses") {
    check_each_loss(make_pipelined({{1, 1, 4, 5}, 99, 2}, 200), 1);
  }
  SUBCASE("segments end in the middle of messages") { check_each_loss(make_pipelined({{1, 3, 5}, 0, 0}, 200), 1); }
}

/// Checks that no request has a wrong response.
void check_pairs(const std::vector<Record>& records) {
  for (const Record& record : records) {
    if (!record.target.empty() && record.status)
      CHECK(std::stoi(record.target.substr(1)) == static_cast<int>(*record.status) - status_of(0));
  }
}

TEST_CASE("exchange: bursts from the first request on: a packet that was not captured makes no wrong pair") {
  for (const std::vector<int>& bursts : std::vector<std::vector<int>>{{2}, {3}, {1, 3}, {1, 1, 1, 2}, {4, 4}}) {
    for (const int per_segment : {0, 1, 99}) {
      const Session session = make_pipelined({bursts, per_segment, 1}, 12);
      for (std::size_t lost = 3; lost < session.capture.size(); ++lost) {
        INFO("first burst ", bursts[0], ", requests per segment ", per_segment, ", lost packet ", lost);
        Capture rest = session.capture;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(lost));
        check_pairs(run(rest));
      }
    }
  }
}

TEST_CASE("exchange: a client may omit an announced body after an early response (RFC 9110, 10.1.1)") {
  Capture capture;
  Traffic traffic(capture);
  traffic.open(0, 1, 2);
  const std::string put = "PUT /1 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  traffic.client(3, put).server(4, response(417));
  SUBCASE("it omits the body") { traffic.client(5, get("/2")).server(6, response(202)).client(7); }
  SUBCASE("it sends the body") { traffic.client(5, "abcde" + get("/2")).server(6, response(202)).client(7); }
  CHECK(pairs(run(capture)) == "1.1 PUT /1 417 complete\n1.2 GET /2 202 complete\n");
}

TEST_CASE("exchange: segments that their receiver discards end no exchange (RFC 9293, 3.10.7.4)") {
  Capture capture;
  Traffic traffic(capture);
  traffic.open(0, 1, 2).client(3, get("/1")).server(4, response(201)).client(5);
  SUBCASE("a RST outside the window") {
    traffic.server(6, {}, kRst);
    capture.back().segment.sequence += 5'000'000;
  }
  SUBCASE("a RST with an old sequence number") {
    traffic.server(6, {}, kRst);
    capture.back().segment.sequence -= 20;
  }
  SUBCASE("an acknowledgment of bytes that no window allowed") {
    traffic.server(6);
    capture.back().segment.acknowledgment += 1'000'000;
  }
  traffic.client(7, get("/2")).server(8, response(202)).client(9);
  CHECK(pairs(run(capture)) == "1.1 GET /1 201 complete\n1.2 GET /2 202 complete\n");
}

TEST_CASE("exchange: once a client has pipelined without waiting, packets that were not captured make no wrong pair" *
          doctest::test_suite("slow")) {
  for (const int window : {2, 3, 5}) {
    const Session session = make_pipelined({{}, 1, 1, window}, 60);
    check_session(session, run(session.capture), {});
    for (std::size_t first = 6 + static_cast<std::size_t>(window); first < session.capture.size(); ++first) {
      for (const std::size_t packets : {1u, 2u, 3u, 5u}) {
        if (first + packets > session.capture.size()) continue;
        Capture rest = session.capture;
        const auto at = rest.begin() + static_cast<std::ptrdiff_t>(first);
        rest.erase(at, at + static_cast<std::ptrdiff_t>(packets));
        INFO("window ", window, ", lost packets ", packets, " from ", first, " on");
        check_pairs(run(rest));
      }
    }
  }
}

TEST_CASE("exchange: two packets that were captured in the wrong order change no exchange") {
  const Session session = make_session();
  for (std::size_t at = 0; at + 1 < session.capture.size(); ++at) {
    INFO("packet ", at, " and the next one");
    Capture swapped = session.capture;
    std::swap(swapped[at].segment, swapped[at + 1].segment);
    check_session(session, run(swapped), {});
  }
}

}  // namespace
}  // namespace wirelap
