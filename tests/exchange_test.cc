// Whole captures through the engine: which response belongs to which request,
// when each part of an exchange was, and what a lost packet costs.
#include <doctest/doctest.h>

#include <sys/mman.h>
#include <unistd.h>

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

/// A pcap of `capture` in memory, to be read from its start.
int open_capture(const Capture& capture) {
  test::PcapWriter::Options nanoseconds;
  nanoseconds.decimals = 9;
  test::PcapWriter file(nanoseconds);
  for (const TimedSegment& packet : capture) file.add(packet.time, test::ethernet_frame(packet.segment));
  const int fd = ::memfd_create("capture", 0);
  REQUIRE(fd >= 0);
  REQUIRE(::write(fd, file.bytes().data(), file.bytes().size()) == static_cast<ssize_t>(file.bytes().size()));
  REQUIRE(::lseek(fd, 0, SEEK_SET) == 0);
  return fd;
}

/// The rows of `captures`, read one after the other, in the order of their numbers.
std::vector<Record> run_all(const std::vector<Capture>& captures, EngineOptions options = {}) {
  test::Records records;
  Engine engine(std::move(options), records);
  for (const Capture& capture : captures) {
    const int fd = open_capture(capture);
    Input input({});
    input.attach(fd);
    CHECK(!engine.run(input, "test"));
    ::close(fd);
  }
  records.sort();
  return std::move(records.exchanges);
}

std::vector<Record> run(const Capture& capture, EngineOptions options = {}) {
  return run_all({capture}, std::move(options));
}

/// One line a row: connection.exchange, request, status, outcome.
std::string pairs(const std::vector<Record>& rows) {
  std::string text;
  for (const Record& row : rows) {
    text += std::to_string(row.connection) + "." + std::to_string(row.exchange) + " ";
    text += (row.method.empty() ? "?" : row.method + " " + row.target) + " ";
    text += (row.status ? std::to_string(*row.status) : "-") + " " + std::string(row.outcome) + "\n";
  }
  return text;
}

std::string phases(const Record& row) {
  std::string text;
  const std::pair<const char*, Nanos> all[] = {{"connect ", row.connect}, {" send ", row.send}, {" wait ", row.wait},
                                               {" receive ", row.receive}, {" total ", row.total}, {" idle ", row.idle}};
  for (const auto& [name, time] : all) {
    CHECK((time == kUnknownTime || time % kMilli == 0));
    text += name + (time == kUnknownTime ? "?" : std::to_string(time / kMilli));
  }
  return text;
}

/// One connection's packets. Both ends acknowledge all that the other has sent,
/// whether or not it gets into the capture.
class Talk {
 public:
  explicit Talk(Capture& capture, std::uint16_t client_port = 40000, std::uint16_t server_port = 80)
      : capture_(capture), ports_{client_port, server_port} {}

  /// A segment at `milliseconds`; without data, an acknowledgment.
  Talk& client(int milliseconds, std::string_view data = {}, unsigned flags = kAck) {
    return send(0, milliseconds, data, flags);
  }
  Talk& server(int milliseconds, std::string_view data = {}, unsigned flags = kAck) {
    return send(1, milliseconds, data, flags);
  }
  /// The handshake, at three times.
  Talk& open(int syn, int syn_ack, int ack) {
    client(syn, {}, kSyn);
    server(syn_ack, {}, kSyn | kAck);
    return client(ack);
  }
  /// The last packet does not acknowledge the latest `count` of what the other end has sent.
  Talk& acknowledge_less(std::uint32_t count) {
    capture_.back().segment.acknowledgment -= count;
    return *this;
  }
  /// The packet before last, sent once more at `milliseconds`.
  Talk& again(int milliseconds) {
    TimedSegment packet = capture_[capture_.size() - 2];
    packet.time = kStart + milliseconds * kMilli;
    packet.segment.ip_id = ++ip_id_[packet.segment.source == "10.0.0.1" ? 0 : 1];
    capture_.push_back(packet);
    return *this;
  }
  /// The last packet was not captured.
  Talk& lose() {
    capture_.pop_back();
    return *this;
  }
  /// The last two packets were captured in the wrong order.
  Talk& swap() {
    std::swap(capture_[capture_.size() - 1].segment, capture_[capture_.size() - 2].segment);
    return *this;
  }

 private:
  Talk& send(int from, int milliseconds, std::string_view data, unsigned flags) {
    SegmentSpec segment;
    segment.source = from == 0 ? "10.0.0.1" : "10.0.0.2";
    segment.destination = from == 0 ? "10.0.0.2" : "10.0.0.1";
    segment.source_port = ports_[from];
    segment.destination_port = ports_[1 - from];
    segment.sequence = next_[from];
    segment.acknowledgment = (flags & kAck) != 0 ? next_[1 - from] : 0;
    segment.flags = static_cast<std::uint8_t>(flags);
    segment.payload = data;
    segment.ip_id = ++ip_id_[from];
    next_[from] += static_cast<std::uint32_t>(data.size()) + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);
    capture_.push_back({kStart + milliseconds * kMilli, segment});
    return *this;
  }

  Capture& capture_;
  std::uint16_t ports_[2];
  std::uint32_t next_[2] = {1000, 4'294'967'000};  // the server's wraps after 296 bytes
  std::uint16_t ip_id_[2] = {100, 200};
};

std::string get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n"; }

std::string response(int status, std::size_t body_bytes = 0, std::string_view fields = {}) {
  const std::string length = "Content-Length: " + std::to_string(body_bytes) + "\r\n";
  return "HTTP/1.1 " + std::to_string(status) + " x\r\n" + std::string(fields) + length + "\r\n" +
         std::string(body_bytes, 'x');
}

// ---- times

TEST_CASE("keep-alive: each exchange's phases, to the nanosecond") {
  Capture capture;
  Talk(capture)
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
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 GET /a 200 complete\n1.2 PUT /b 201 complete\n");
  CHECK(phases(rows[0]) == "connect 21 send 0 wait 10 receive 2 total 33 idle 4");
  CHECK(phases(rows[1]) == "connect 0 send 3 wait 7 receive 0 total 10 idle 13");
  CHECK(rows[0].start == kStart + 25 * kMilli);
  CHECK(rows[0].first_frame == 4);
  CHECK(rows[0].last_frame == 7);
  CHECK(rows[0].request_bytes == get("/a").size());
  CHECK(rows[0].response_bytes == response(200, 100).size());
  CHECK(rows[0].response_body_bytes == 100);
  CHECK(rows[1].request_body_bytes == 4);
  CHECK(rows[1].first_frame == 9);
  CHECK(rows[1].last_frame == 11);
}

TEST_CASE("packets and the longest gap are those inside the exchange") {
  Capture capture;
  Talk(capture)
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
  const auto rows = run(capture);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].packets == 6);  // with the handshake's
  CHECK(rows[0].max_gap == 20 * kMilli);
  CHECK(rows[1].packets == 5);
  CHECK(rows[1].max_gap == 7 * kMilli);
}

TEST_CASE("a response that is whole only when a lost segment comes again") {
  Capture capture;
  Talk talk(capture);
  const std::string answer = response(200, 100);
  talk.open(0, 1, 2).client(3, get("/a")).server(10, answer.substr(0, 80)).server(11, answer.substr(80));
  TimedSegment again = capture[4];
  capture.erase(capture.begin() + 4);
  again.time = kStart + 210 * kMilli;
  again.segment.ip_id = 300;
  capture.push_back(again);
  talk.client(211);
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 GET /a 200 complete\n");
  CHECK(phases(rows[0]) == "connect 2 send 0 wait 207 receive 0 total 209 idle 1");
}

TEST_CASE("a tail that is lost behind the capture point is waited for, its FIN seen or not") {
  const std::string head = "HTTP/1.1 200 x\r\n";
  for (const bool closes : {false, true}) {
    CAPTURE(closes);
    Capture capture;
    Talk talk(capture);
    talk.open(0, 0, 20).client(20, get("/a"));
    const std::string first = head + (closes ? "\r\n" : "Content-Length: 10\r\n\r\n") + "01234", last = "56789";
    talk.server(21, first).server(22, last, closes ? kAck | kFin : kAck);
    talk.client(41).acknowledge_less(closes ? 6 : 5).again(222).client(242);
    const auto rows = run(capture);
    CHECK(pairs(rows) == "1.1 GET /a 200 complete\n");
    CHECK(phases(rows[0]) == "connect 20 send 0 wait 1 receive 201 total 222 idle 0");
    CHECK(rows[0].lost_packets == 1);
    CHECK(rows[0].retransmitted_packets == 1);
    CHECK(rows[0].loss >= 200 * kMilli);
  }
}

TEST_CASE("Fast Open: the server thinks, and its path is known by its SYN-ACK (RFC 7413)") {
  Capture capture;
  Talk(capture)
      .client(0, get("/a"), kSyn)
      .server(10, {}, kSyn | kAck)
      .client(11)
      .server(1010, response(200))
      .client(1011);
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 GET /a 200 complete\n");
  CHECK(rows[0].total == 1010 * kMilli);
  CHECK(rows[0].network == 10 * kMilli);
  CHECK(rows[0].server_time == 1000 * kMilli);
}

TEST_CASE("a hole that nothing fills: what was sent past it waits for that, not for the server") {
  Capture capture;
  const std::string answer = response(200, 300);
  Talk talk(capture);
  talk.open(0, 20, 20).client(20, get("/a")).server(40, answer.substr(0, 100)).client(40);
  talk.server(41, answer.substr(100, 100)).lose().server(42, answer.substr(200)).client(42).acknowledge_less(200);
  talk.client(30'042, {}, kRst | kAck).acknowledge_less(200);
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 GET /a 200 reset\n");
  CHECK(rows[0].loss == 30'000 * kMilli);
  CHECK(rows[0].server_time <= 2 * kMilli);
}

TEST_CASE("interim responses are no answer: their time is not the response's") {
  Capture capture;
  Talk(capture)
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
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 PUT /a 200 complete\n1.2 GET /b 404 complete\n");
  CHECK(phases(rows[0]) == "connect 2 send 4 wait 10 receive 0 total 16 idle 1");
  CHECK(phases(rows[1]) == "connect 0 send 0 wait 13 receive 1 total 14 idle 3");
  CHECK(rows[0].response_bytes == 25 + response(200, 1).size());
}

TEST_CASE("an early response: the request goes on while it comes") {
  Capture capture;
  Talk(capture)
      .open(0, 1, 2)
      .client(3, "PUT /a HTTP/1.1\r\nContent-Length: 6\r\n\r\nab")
      .server(5, response(413, 10))
      .client(7, "cd")
      .client(9, "ef")
      .client(12, get("/b"))
      .server(13, response(200))
      .client(14);
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 PUT /a 413 complete\n1.2 GET /b 200 complete\n");
  CHECK(phases(rows[0]) == "connect 2 send 6 wait 0 receive 0 total 8 idle 1");
  CHECK(rows[0].request_body_bytes == 6);
}

TEST_CASE("pipelining: requests in one segment, responses cut anywhere") {
  const std::string all = response(201, 10) + response(202) + response(203, 30);
  for (std::size_t cut = 1; cut < all.size(); ++cut) {
    Capture capture;
    Talk(capture)
        .open(0, 1, 2)
        .client(3, get("/1") + get("/2") + get("/3"))
        .server(10, all.substr(0, cut))
        .server(20, all.substr(cut))
        .client(21);
    const auto rows = run(capture);
    REQUIRE(pairs(rows) == "1.1 GET /1 201 complete\n1.2 GET /2 202 complete\n1.3 GET /3 203 complete\n");
    REQUIRE(rows[0].response_body_bytes == 10);
    REQUIRE(rows[2].response_body_bytes == 30);
    REQUIRE(rows[2].send + rows[2].wait + rows[2].receive == 17 * kMilli);
    REQUIRE(rows[1].idle == 0 * kMilli);
  }
}

// ---- ends

TEST_CASE("an interim response alone, to a request that was not captured, is no exchange") {
  Capture capture;
  Talk(capture).server(1, "HTTP/1.1 100 Continue\r\n\r\n").client(2, {}, kFin | kAck).server(3, {}, kFin | kAck);
  CHECK(run(capture).empty());
}

TEST_CASE("how an exchange ends") {
  Capture capture;
  Talk talk(capture);
  talk.open(0, 1, 2).client(3, get("/a"));
  SUBCASE("reset before the response") {
    talk.server(9, {}, kRst | kAck);
    const auto rows = run(capture);
    CHECK(pairs(rows) == "1.1 GET /a - reset\n");
    CHECK(phases(rows[0]) == "connect 2 send 0 wait 6 receive 0 total 8 idle 1");
  }
  SUBCASE("reset inside it") {
    talk.server(9, response(200, 5).substr(0, 40)).client(11, {}, kRst);
    const auto rows = run(capture);
    CHECK(pairs(rows) == "1.1 GET /a 200 reset\n");
    CHECK(phases(rows[0]) == "connect 2 send 0 wait 6 receive 2 total 10 idle 1");
  }
  SUBCASE("closed without one") {
    talk.server(9, {}, kFin | kAck).client(10, {}, kFin | kAck);
    CHECK(pairs(run(capture)) == "1.1 GET /a - no_response\n");
  }
  SUBCASE("closed inside it") {
    talk.server(9, response(200, 5).substr(0, 40)).server(12, {}, kFin | kAck).client(13, {}, kFin | kAck);
    const auto rows = run(capture);
    CHECK(pairs(rows) == "1.1 GET /a 200 closed\n");
    CHECK(phases(rows[0]) == "connect 2 send 0 wait 6 receive 3 total 11 idle 1");
  }
  SUBCASE("a body until the close") {
    talk.server(9, "HTTP/1.0 200 x\r\n\r\nab").server(12, "cde", kFin | kAck).client(13, {}, kFin | kAck);
    const auto rows = run(capture);
    CHECK(pairs(rows) == "1.1 GET /a 200 complete\n");
    CHECK(rows[0].response_body_bytes == 5);
    CHECK(rows[0].receive == 3 * kMilli);
  }
  SUBCASE("the client has closed its half already") {
    talk.client(4, {}, kFin | kAck).server(9, response(200, 5)).server(10, {}, kFin | kAck).client(11);
    CHECK(pairs(run(capture)) == "1.1 GET /a 200 complete\n");
  }
  SUBCASE("with the capture, before the response") {
    talk.server(4);
    const auto rows = run(capture);
    CHECK(pairs(rows) == "1.1 GET /a - capture_end\n");
    CHECK(rows[0].wait == 1 * kMilli);
  }
  SUBCASE("with the capture, inside it") {
    talk.server(9, response(200, 5).substr(0, 40));
    CHECK(pairs(run(capture)) == "1.1 GET /a 200 capture_end\n");
  }
  SUBCASE("with its ports used again") {
    Talk(capture).open(100, 101, 102).client(103, get("/b")).server(105, response(204)).client(106);
    for (std::size_t i = 4; i < capture.size(); ++i) {
      SegmentSpec& segment = capture[i].segment;
      const bool client = segment.source_port == 40000;
      segment.sequence += client ? 500'000 : 900'000;
      if (segment.acknowledgment != 0) segment.acknowledgment += client ? 900'000 : 500'000;
    }
    CHECK(pairs(run(capture)) == "1.1 GET /a - no_response\n2.1 GET /b 204 complete\n");
  }
}

TEST_CASE("empty lines before a connection's first request are passed over (RFC 9112, 2.2)") {
  for (const std::string empty : {"\n", "\r\n", "\r\n\r\n"}) {
    const std::string asked = empty + get("/a");
    for (std::size_t cut = empty.size() + 1; cut <= asked.size(); ++cut) {
      CAPTURE(cut);
      Capture capture;
      Talk talk(capture);
      talk.open(0, 1, 2).client(3, asked.substr(0, cut));
      if (cut != asked.size()) talk.client(4, asked.substr(cut));
      talk.server(9, response(200, 5)).client(10);
      CHECK(pairs(run(capture)) == "1.1 GET /a 200 complete\n");
    }
  }
}

TEST_CASE("HTTP/0.9: an answer without a head, until the close (RFC 1945, 6)") {
  Capture capture;
  Talk talk(capture);
  talk.open(0, 1, 2).client(3, "GET /old\r\n").server(4, "<html>\n\n").server(6, "more");
  talk.server(7, {}, kFin | kAck).client(8, {}, kFin | kAck).server(9);
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 GET /old - complete\n");
  CHECK(rows[0].response_body_bytes == 12);
  CHECK(phases(rows[0]) == "connect 2 send 0 wait 1 receive 3 total 6 idle 1");
}

TEST_CASE("a hello of TLS that is answered in clear: a response without a request") {
  const std::string hello = std::string("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03", 11) + std::string(32, 'r') +
                            std::string("\x00\x00\x02\x13\x01\x01\x00\x00\x00", 9);
  const std::string answer = response(400, 5);
  for (std::size_t cut = 5; cut <= answer.size(); ++cut) {
    CAPTURE(cut);
    Capture capture;
    Talk talk(capture);
    talk.open(0, 1, 2).client(3, hello).server(7, answer.substr(0, cut));
    if (cut != answer.size()) talk.server(8, answer.substr(cut));
    talk.server(9, {}, kFin | kAck).client(10, {}, kFin | kAck).server(11);
    const auto rows = run(capture);
    CHECK(pairs(rows) == "1.1 ? 400 gap\n");
    CHECK(rows[0].response_body_bytes == 5);
    EngineOptions turns;
    turns.tcp = true;
    CHECK(pairs(run(capture, turns)) == "1.1 ? - complete\n");
  }
  // What is no HTTP is none.
  Capture other;
  Talk(other).open(0, 1, 2).client(3, hello).server(7, "220 mail.example.org\r\n").server(8, answer);
  CHECK(run(other).empty());
}

TEST_CASE("what follows 101 or CONNECT is one exchange (RFC 9110, 7.8 and 9.3.6)") {
  Capture capture;
  Talk talk(capture);
  talk.open(0, 1, 2);
  SUBCASE("WebSocket") {
    talk.client(3, "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    talk.server(4, "HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n");
  }
  SUBCASE("CONNECT") {
    talk.client(3, "CONNECT y:443 HTTP/1.1\r\nHost: y:443\r\n\r\n").server(4, "HTTP/1.1 200 x\r\n\r\n");
  }
  talk.client(10, "GET / HTTP/1.1\r\n\r\n").server(12, "HTTP/1.1 200 x\r\n\r\n").server(20, "pushed").client(22, "abc");
  talk.client(30, {}, kFin | kAck).server(31, {}, kFin | kAck).client(32);
  const auto rows = run(capture);
  REQUIRE(rows.size() == 2);
  CHECK((rows[0].status == 101 || rows[0].status == 200));
  CHECK(rows[0].outcome == "complete");
  CHECK(rows[0].total == 3 * kMilli);
  CHECK(rows[1].method.empty());
  CHECK(rows[1].target == rows[0].target);
  CHECK(rows[1].outcome == "complete");
  CHECK(rows[1].start == kStart + 10 * kMilli);
  CHECK(rows[1].idle == 6 * kMilli);
  CHECK(rows[1].request_bytes == 18 + 3);
  CHECK(rows[1].response_bytes == 18 + 6);
}

TEST_CASE("an upgrade of which nothing follows is no tunnel") {
  Capture capture;
  Talk talk(capture);
  talk.open(0, 1, 2).client(3, "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n").server(4, "HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n");
  CHECK(pairs(run(capture)) == "1.1 GET / 101 complete\n");
}

TEST_CASE("the server closes while a request's head is on its way") {
  Capture capture;
  Talk talk(capture);
  talk.open(0, 1, 2).client(3, "GET /a HTTP/1.1\r\nHost:").server(5, {}, kFin | kAck);
  SUBCASE("which goes on") { talk.client(6, " x\r\n\r\n"); }
  SUBCASE("which turns to garbage") { talk.client(6, std::string(60'000, 'x')).client(7, std::string(9'000, 'x')); }
  SUBCASE("and is lost") { talk.client(6, " x\r\n\r\n").lose().server(7).client(8, get("/b")); }
  talk.client(9, {}, kFin | kAck);
  const auto rows = run(capture);
  REQUIRE(!rows.empty());
  CHECK(!rows[0].status);
  CHECK(rows[0].outcome == "no_response");
}

// ---- roles, ports and numbers

TEST_CASE("a capture that starts inside a connection") {
  Capture capture;
  Talk talk(capture);
  SUBCASE("between exchanges") {
    talk.client(3, get("/a")).server(9, response(200)).client(10);
    const auto rows = run(capture);
    CHECK(pairs(rows) == "1.1 GET /a 200 complete\n");
    CHECK(phases(rows[0]) == "connect ? send 0 wait 6 receive 0 total 6 idle ?");
  }
  SUBCASE("inside a response") {
    talk.server(1, "rest of it").client(2).client(3, get("/a")).server(9, response(200)).client(10);
    CHECK(pairs(run(capture)) == "1.1 GET /a 200 complete\n");
  }
  SUBCASE("before a response: its request is not known") {
    talk.server(1, response(302)).client(2, get("/a")).server(9, response(200)).client(10);
    const auto rows = run(capture);
    CHECK(pairs(rows) == "1.1 ? 302 gap\n1.2 GET /a 200 complete\n");
    CHECK(phases(rows[0]) == "connect ? send ? wait ? receive 0 total 0 idle ?");
  }
  for (const Record& row : run(capture)) {
    CHECK(row.client_port == 40000);
    CHECK(row.server_port == 80);
  }
}

TEST_CASE("the client is who asks, whatever the ports and addresses") {
  for (const auto& [client_port, server_port] : {std::pair{80, 40000}, std::pair{8080, 8080}, std::pair{1, 65535}}) {
    Capture capture;
    Talk talk(capture, static_cast<std::uint16_t>(client_port), static_cast<std::uint16_t>(server_port));
    SUBCASE("told by the handshake") { talk.open(0, 1, 2); }
    SUBCASE("told by the messages") {}
    talk.client(3, get("/a")).server(4, response(200)).client(5);
    const auto rows = run(capture);
    REQUIRE(pairs(rows) == "1.1 GET /a 200 complete\n");
    CHECK(rows[0].client_port == client_port);
    CHECK(rows[0].server_port == server_port);
  }
}

TEST_CASE("two connections interleaved, and one that speaks no HTTP") {
  Capture capture;
  Talk a(capture, 40001), other(capture, 40002, 25), b(capture, 40003);
  a.open(0, 10, 11);
  other.open(1, 2, 3).server(4, "220 mail.example.org ESMTP\r\n").client(5, "EHLO x\r\n");
  b.open(12, 16, 17);
  a.client(18, get("/a"));
  b.client(19, get("/b"));
  b.server(22, response(202, 5));
  a.server(28, response(201, 5));
  b.client(30, get("/c")).server(31, response(203)).client(32);
  other.client(33, "GET /not HTTP\r\n").client(34, get("/not-here"));
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 GET /a 201 complete\n3.1 GET /b 202 complete\n3.2 GET /c 203 complete\n");
  CHECK(phases(rows[0]) == "connect 11 send 0 wait 10 receive 0 total 21 idle 7");
  CHECK(phases(rows[1]) == "connect 5 send 0 wait 3 receive 0 total 8 idle 2");
}

TEST_CASE("only the ports asked for") {
  Capture capture;
  for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{8080}, std::uint16_t{9000}}) {
    Talk(capture, 40000, port).open(0, 1, 2).client(3, get("/a")).server(4, response(200)).client(5);
  }
  CHECK(run(capture).size() == 3);
  CHECK(pairs(run(capture, {{8080, 9000}, {}})) == "2.1 GET /a 200 complete\n3.1 GET /a 200 complete\n");
  CHECK(run(capture, {{40000}, {}}).empty());  // a client's
}

TEST_CASE("connections are numbered on from one capture to the next, and end with theirs") {
  Capture first, second;
  Talk a(first, 40001);
  a.open(0, 1, 2).client(3, get("/a")).server(4, response(200)).client(5, get("/b"));
  Talk(first, 40002).open(6, 7, 8);
  Talk(second, 40001).client(9, get("/c")).server(10, response(200)).client(11);
  CHECK(pairs(run_all({first, second})) ==
        "1.1 GET /a 200 complete\n1.2 GET /b - capture_end\n3.1 GET /c 200 complete\n");
}

// ---- what the capture does not hold

TEST_CASE("one direction alone") {
  Capture capture;
  Talk(capture)
      .open(0, 1, 2)
      .client(3, get("/a")).server(4, response(201)).client(5)
      .client(6, get("/b")).server(7, response(202)).client(8)
      .client(9, {}, kFin | kAck).server(10, {}, kFin | kAck).client(11);
  const auto keep = [&](std::uint16_t source_port) {
    std::erase_if(capture, [&](const TimedSegment& packet) { return packet.segment.source_port != source_port; });
    return run(capture);
  };
  SUBCASE("of the client") {
    const auto rows = keep(40000);
    REQUIRE(rows.size() == 2);
    for (const Record& row : rows) {
      CHECK(!row.status);
      CHECK(row.outcome != "complete");
    }
    CHECK(rows[0].target == "/a");
    CHECK(rows[1].target == "/b");
  }
  SUBCASE("of the server") { CHECK(pairs(keep(80)) == "1.1 ? 201 gap\n1.2 ? 202 gap\n"); }
}

TEST_CASE("one direction alone: an answer was over when the client went on") {
  Capture capture;
  Talk(capture)
      .client(0, get("/a"))
      .server(20, response(200))
      .lose()
      .client(33, get("/b"))
      .server(50, response(200))
      .lose()
      .client(60)
      .client(8000, {}, kFin | kAck);
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 GET /a - gap\n1.2 GET /b - gap\n");
  CHECK(rows[0].total == 33 * kMilli);
  CHECK(rows[0].packets == 1);
}

TEST_CASE("a lost request: the other pairs stay right") {
  Capture capture;
  Talk talk(capture);
  talk.open(0, 1, 2).client(3, get("/1")).server(4, response(201)).client(5);
  talk.client(6, get("/2")).lose();
  SUBCASE("its response in one segment") { talk.server(8, response(202, 30)); }
  SUBCASE("in two") { talk.server(8, response(202, 30).substr(0, 45)).server(9, response(202, 30).substr(45)); }
  SUBCASE("in two, acknowledged between") {
    talk.server(8, response(202, 30).substr(0, 45)).client(8).server(9, response(202, 30).substr(45));
  }
  talk.client(10, get("/3")).server(11, response(203)).client(12);
  talk.client(13, get("/4")).server(14, response(204)).client(15);
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 GET /1 201 complete\n1.2 ? 202 gap\n1.3 GET /3 203 complete\n1.4 GET /4 204 complete\n");
  CHECK(rows[1].response_body_bytes == 30);
  CHECK(rows[2].total == 1 * kMilli);
}

TEST_CASE("a lost response: the other pairs stay right") {
  for (const int lost : {1, 2, 3}) {
    Capture capture;
    Talk talk(capture);
    talk.open(0, 1, 2);
    std::string expected;
    for (int i = 1; i <= 5; ++i) {
      const bool is_lost = i >= 2 && i < 2 + lost;
      talk.client(10 * i, get("/" + std::to_string(i))).server(10 * i + 4, response(200 + i));
      if (is_lost) talk.lose();
      talk.client(10 * i + 5);
      expected += "1." + std::to_string(i) + " GET /" + std::to_string(i) +
                  (is_lost ? " - gap\n" : " " + std::to_string(200 + i) + " complete\n");
    }
    const auto rows = run(capture);
    CHECK(pairs(rows) == expected);
    CHECK(rows.back().wait == 4 * kMilli);
    CHECK(rows.back().total == 4 * kMilli);
  }
}

TEST_CASE("a hole inside a body is counted, and hides nothing") {
  Capture capture;
  Talk(capture)
      .open(0, 1, 2)
      .client(3, get("/1"))
      .server(5, response(201, 300).substr(0, 100))
      .server(6, response(201, 300).substr(100, 150)).lose()
      .server(7, response(201, 300).substr(250))
      .client(8)
      .client(9, get("/2"))
      .server(12, response(202))
      .client(13);
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 GET /1 201 complete\n1.2 GET /2 202 complete\n");
  CHECK(rows[0].missing_bytes == 150);
  CHECK(rows[0].response_body_bytes == 300);
  CHECK(phases(rows[0]) == "connect 2 send 0 wait 2 receive 2 total 6 idle 1");
  CHECK(rows[1].missing_bytes == 0);
}

TEST_CASE("a response captured before its request") {
  Capture capture;
  Talk talk(capture);
  talk.open(0, 1, 2);
  SUBCASE("in pieces") {
    talk.client(3, get("/1")).server(4, response(201, 30).substr(0, 45)).swap().server(5, response(201, 30).substr(45));
  }
  SUBCASE("whole") { talk.client(3, get("/1")).server(4, response(201, 30)).swap(); }
  talk.client(6).client(7, get("/2")).server(8, response(202)).swap().client(9);
  talk.client(10, get("/3")).server(11, response(203)).client(12);
  const auto rows = run(capture);
  CHECK(pairs(rows) == "1.1 GET /1 201 complete\n1.2 GET /2 202 complete\n1.3 GET /3 203 complete\n");
}

/// Of a capture: what each exchange is, and whose bytes each packet carries.
struct Session {
  Capture capture;
  std::vector<std::vector<int>> owners;
  std::vector<std::size_t> request_bodies, response_bodies;

  int count() const { return static_cast<int>(response_bodies.size()); }
  /// The packets since the last call are of `exchanges`.
  void own(const std::vector<int>& exchanges) { owners.resize(capture.size(), exchanges); }
};

int status_of(int exchange) { return 400 + exchange; }

/// Keep-alive; each request is a segment, each response one to four.
Session make_session() {
  Session session;
  Talk talk(session.capture);
  const auto owned_by = [&](int exchange) { session.own(exchange == -1 ? std::vector<int>{} : std::vector{exchange}); };
  talk.open(0, 1, 2);
  owned_by(-1);
  int time = 3;
  for (int i = 0; i < 30; ++i) {
    const std::size_t request_body = i % 3 == 1 ? static_cast<std::size_t>(i) * 7 : 0;
    const std::size_t response_body = i % 5 == 0 ? 0 : static_cast<std::size_t>(i * i) + 1;
    session.request_bodies.push_back(request_body);
    session.response_bodies.push_back(response_body);
    const std::string length = "Content-Length: " + std::to_string(request_body) + "\r\n\r\n";
    talk.client(time++, "POST /" + std::to_string(i) + " HTTP/1.1\r\n" + length + std::string(request_body, 'q'));
    owned_by(i);
    if (i % 3 == 0) talk.server(time++);
    owned_by(-1);
    // A quarter of it holds a start line, without which a lost message is not followed by the next.
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
    for (std::size_t at = 0; at < answer.size(); at += size) talk.server(time++, answer.substr(at, size));
    owned_by(i);
    if (i % 2 == 0) talk.client(time++);
    owned_by(-1);
  }
  talk.client(time, {}, kFin | kAck).server(time + 1, {}, kFin | kAck).client(time + 2);
  owned_by(-1);
  return session;
}

/// No pair is wrong, and exchanges other than `touched` are whole and right.
void check_session(const Session& session, const std::vector<Record>& rows, const std::vector<int>& touched) {
  std::vector<int> seen(session.response_bodies.size(), 0);
  for (const Record& row : rows) {
    const int asked = row.target.empty() ? -1 : std::stoi(row.target.substr(1));
    const int answered = !row.status ? -1 : static_cast<int>(*row.status) - status_of(0);
    REQUIRE((asked == -1 || answered == -1 || asked == answered));
    const int exchange = std::max(asked, answered);
    REQUIRE(exchange >= 0);
    if (row.outcome == "complete") {
      const auto at = static_cast<std::size_t>(exchange);
      CHECK(row.request_body_bytes == session.request_bodies[at]);
      CHECK(row.response_body_bytes == session.response_bodies[at]);
    }
    if (std::find(touched.begin(), touched.end(), exchange) != touched.end()) continue;
    CHECK(row.outcome == "complete");
    CHECK(row.missing_bytes == 0);
    CHECK(asked == answered);
    ++seen[static_cast<std::size_t>(exchange)];
  }
  for (int i = 0; i < session.count(); ++i) {
    const bool is_touched = std::find(touched.begin(), touched.end(), i) != touched.end();
    CHECK(seen[static_cast<std::size_t>(i)] == (is_touched ? 0 : 1));
  }
}

/// The capture without each packet in turn, or each `packets` in a row.
void check_each_loss(const Session& session, std::size_t packets) {
  check_session(session, run(session.capture), {});
  for (std::size_t lost = 0; lost + packets <= session.capture.size(); ++lost) {
    Capture rest = session.capture;
    const auto at = rest.begin() + static_cast<std::ptrdiff_t>(lost);
    rest.erase(at, at + static_cast<std::ptrdiff_t>(packets));
    std::vector<int> touched;
    for (std::size_t i = lost; i < lost + packets; ++i) {
      touched.insert(touched.end(), session.owners[i].begin(), session.owners[i].end());
    }
    INFO("lost packet ", lost);
    check_session(session, run(rest), touched);
  }
}

TEST_CASE("any packet lost from a capture spoils its own exchange alone") { check_each_loss(make_session(), 1); }

TEST_CASE("any two packets in a row lost spoil their own exchanges alone") { check_each_loss(make_session(), 2); }

/// How a client asks on: in bursts, when it has all answers, or with so many
/// outstanding, whenever it has one.
struct Pipeline {
  std::vector<int> bursts;   // sizes, again and again
  int requests_a_segment;    // 0: they are cut in the middle of a head
  int responses_a_segment;   // 0: likewise
  int window = 0;            // 0: bursts
};

/// One message or more a segment; `cut`: a segment ends in the middle of a message.
template <class Send>
void send_messages(Session& session, const std::vector<std::pair<int, std::string>>& messages, int a_segment, Send send) {
  if (a_segment == 0) {
    // Of every message the second half goes with the first of the next.
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
  const auto each = static_cast<std::size_t>(a_segment);
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
  Talk talk(session.capture);
  int time = 0;
  talk.open(time, time + 1, time + 2);
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
  const auto client = [&](std::string_view data) { talk.client(time++, data); };
  const auto server = [&](std::string_view data) { talk.server(time++, data); };
  std::size_t asked = 0, answered = 0;
  for (std::size_t burst = 0; answered < responses.size(); ++burst) {
    const std::size_t size = pipeline.window != 0 ? static_cast<std::size_t>(pipeline.window) - (asked - answered)
                                                  : static_cast<std::size_t>(pipeline.bursts[burst % pipeline.bursts.size()]);
    const std::size_t ask = std::min(asked + size, requests.size());
    const auto at = [](auto& messages, std::size_t i) { return messages.begin() + static_cast<std::ptrdiff_t>(i); };
    send_messages(session, {at(requests, asked), at(requests, ask)}, pipeline.requests_a_segment, client);
    asked = ask;
    const std::size_t answer = pipeline.window != 0 ? answered + 1 : asked;
    send_messages(session, {at(responses, answered), at(responses, answer)}, pipeline.responses_a_segment, server);
    answered = answer;
  }
  talk.client(time, {}, kFin | kAck).server(time + 1, {}, kFin | kAck).client(time + 2);
  session.own({});
  return session;
}

TEST_CASE("200 exchanges, pipelined and kept alive: any packet lost spoils those in it alone" * doctest::test_suite("slow")) {
  SUBCASE("a request and a response a segment") { check_each_loss(make_pipelined({{1, 4, 1, 1, 6, 3}, 1, 1}, 200), 1); }
  SUBCASE("a burst a segment") { check_each_loss(make_pipelined({{4, 1, 8, 2}, 99, 1}, 200), 1); }
  SUBCASE("responses together, too") { check_each_loss(make_pipelined({{1, 1, 4, 5}, 99, 2}, 200), 1); }
  SUBCASE("cut anywhere") { check_each_loss(make_pipelined({{1, 3, 5}, 0, 0}, 200), 1); }
}

/// No pair is wrong, whatever is lost.
void check_pairs(const std::vector<Record>& rows) {
  for (const Record& row : rows) {
    if (!row.target.empty() && row.status) CHECK(std::stoi(row.target.substr(1)) == static_cast<int>(*row.status) - status_of(0));
  }
}

TEST_CASE("bursts from a connection's first request on: no packet lost makes a wrong pair") {
  for (const std::vector<int>& bursts : std::vector<std::vector<int>>{{2}, {3}, {1, 3}, {1, 1, 1, 2}, {4, 4}}) {
    for (const int a_segment : {0, 1, 99}) {
      const Session session = make_pipelined({bursts, a_segment, 1}, 12);
      for (std::size_t lost = 3; lost < session.capture.size(); ++lost) {
        INFO("bursts of ", bursts[0], " and on, requests a segment ", a_segment, ", lost packet ", lost);
        Capture rest = session.capture;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(lost));
        check_pairs(run(rest));
      }
    }
  }
}

TEST_CASE("an answer before the body that was announced: the client may leave that out (RFC 9110, 10.1.1)") {
  Capture capture;
  Talk talk(capture);
  talk.open(0, 1, 2);
  const std::string put = "PUT /1 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  talk.client(3, put).server(4, response(417));
  SUBCASE("it does") { talk.client(5, get("/2")).server(6, response(202)).client(7); }
  SUBCASE("it does not") { talk.client(5, "abcde" + get("/2")).server(6, response(202)).client(7); }
  CHECK(pairs(run(capture)) == "1.1 PUT /1 417 complete\n1.2 GET /2 202 complete\n");
}

TEST_CASE("segments that no receiver takes end nothing (RFC 9293, 3.10.7.4)") {
  Capture capture;
  Talk talk(capture);
  talk.open(0, 1, 2).client(3, get("/1")).server(4, response(201)).client(5);
  SUBCASE("a reset outside the window") {
    talk.server(6, {}, kRst);
    capture.back().segment.sequence += 5'000'000;
  }
  SUBCASE("an old reset") {
    talk.server(6, {}, kRst);
    capture.back().segment.sequence -= 20;
  }
  SUBCASE("an acknowledgment of what was never allowed") {
    talk.server(6);
    capture.back().segment.acknowledgment += 1'000'000;
  }
  talk.client(7, get("/2")).server(8, response(202)).client(9);
  CHECK(pairs(run(capture)) == "1.1 GET /1 201 complete\n1.2 GET /2 202 complete\n");
}

TEST_CASE("a client that pipelines without waiting: no loss after that is seen makes a wrong pair" * doctest::test_suite("slow")) {
  for (const int window : {2, 3, 5}) {
    const Session session = make_pipelined({{}, 1, 1, window}, 60);
    check_session(session, run(session.capture), {});
    for (std::size_t first = 6 + static_cast<std::size_t>(window); first < session.capture.size(); ++first) {
      for (const std::size_t packets : {1u, 2u, 3u, 5u}) {
        if (first + packets > session.capture.size()) continue;
        Capture rest = session.capture;
        const auto at = rest.begin() + static_cast<std::ptrdiff_t>(first);
        rest.erase(at, at + static_cast<std::ptrdiff_t>(packets));
        INFO("window ", window, ", lost packet ", first, " and on: ", packets);
        check_pairs(run(rest));
      }
    }
  }
}

TEST_CASE("any two neighbours captured in the wrong order spoil nothing") {
  const Session session = make_session();
  for (std::size_t at = 0; at + 1 < session.capture.size(); ++at) {
    INFO("packets ", at, " and the next");
    Capture swapped = session.capture;
    std::swap(swapped[at].segment, swapped[at + 1].segment);
    check_session(session, run(swapped), {});
  }
}

}  // namespace
}  // namespace wirelap
