// Analyzers see a connection through a StreamView alone. Here a second view numbers the bytes of each direction in its
// own way, as a decrypting adapter does: TCP carries records of a header and scrambled content, and the analyzer gets
// the content. Its exchanges are those of the same bytes without records.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/generic/analyzer.h"
#include "app/h2/analyzer.h"
#include "app/http1/analyzer.h"
#include "app/registry.h"
#include "support/packets.h"

namespace wirelap {
namespace {

using test::Buffer;
using test::bytes_of;

constexpr Nanos kMillis = 1'000'000;
constexpr std::size_t kHeaderBytes = 5;
constexpr std::size_t kTrailerBytes = 16;

/// One segment.
struct Sent {
  Direction direction;
  std::string content;  ///< that the analyzer is to see; empty: an acknowledgment alone
  bool captured = true;
};

/// One line an exchange: all that the log knows of it but packet bytes of the framing.
std::string describe(const Exchange& exchange) {
  std::string text = std::string(exchange.protocol) + " " + std::string(exchange.method) + " " +
                     std::string(exchange.target) + " " + std::to_string(exchange.status) + " outcome " +
                     std::to_string(static_cast<int>(exchange.outcome)) + " packets " +
                     std::to_string(exchange.first_packet) + "-" + std::to_string(exchange.last_packet) + " missing " +
                     std::to_string(exchange.missing_bytes) + " ended " + std::to_string(exchange.ended) + " idle " +
                     std::to_string(exchange.idle);
  for (const Message* message : {&exchange.request, &exchange.response}) {
    text += " | at " + std::to_string(message->begin) + " bytes " + std::to_string(message->bytes) + "/" +
            std::to_string(message->body_bytes) + " " + std::to_string(message->first) + ".." +
            std::to_string(message->last);
  }
  return text + "\n";
}

/// Connects an analyzer with a connection. The base of the two ways below.
class Path {
 public:
  Path() : pool_(wanted_) {
    connection_.set_client(Side::low);
    connection_.timing = &timing_;
    connection_.handshake.ack = 0;
    for (Stream& stream : connection_.streams) {
      stream.start_at(0);
      stream.from_syn = true;
    }
  }
  virtual ~Path() = default;

  /// Feeds the segments in turn, a millisecond apart. Each acknowledges all that came before it. `late`: the one with
  /// this number gets lost after the capture point, and reaches its receiver by a retransmission.
  std::string play(const std::vector<Sent>& script, AnalyzerKind kind, std::size_t late) {
    analyzer_ = &make_analyzer(kind, view(), pool_, {Probe::Result::certain, script.front().direction});
    for (const Sent& sent : script) {
      time_ += kMillis;
      ++packet_;
      const std::uint64_t begin = stream(sent.direction).next;
      const Direction back = opposite(sent.direction);
      stream(back).acknowledged = stream(back).next;
      acknowledge(back);
      if (!sent.content.empty()) feed(sent, {time_, packet_, stream(back).next});
      if (packet_ == late) retransmit(sent.direction, begin, time_ + kMillis / 2);
      connection_.last_time = time_;
      connection_.counts.packets += 1;
      collect();
    }
    for (const Direction direction : {Direction::to_server, Direction::to_client})
      finish(*analyzer_, direction, {time_ + 200 * kMillis, packet_, 0});
    finish(*analyzer_, Outcome::closed, time_ + 300 * kMillis);
    collect();
    destroy(*analyzer_);
    return text_;
  }

 protected:
  virtual StreamView view() = 0;
  virtual void feed(const Sent& sent, const Arrival& arrival) = 0;
  virtual void acknowledge(Direction direction) = 0;
  virtual void retransmit(Direction direction, std::uint64_t begin, Nanos time) = 0;

  Stream& stream(Direction direction) { return connection_.streams[index(direction)]; }
  Analyzer& analyzer() { return *analyzer_; }

  Connection connection_;

 private:
  void collect() {
    while (Exchange* const exchange = analyzer_->log().next_finished()) {
      text_ += describe(*exchange);
      pool_.give_back(*exchange);
    }
  }

  Timing timing_;
  const Wanted wanted_;
  ExchangePool pool_;
  Analyzer* analyzer_ = nullptr;
  Nanos time_ = 0;
  std::uint64_t packet_ = 0;
  std::string text_;
};

/// TCP carries the content itself.
class Plain : public Path {
 protected:
  StreamView view() override { return StreamView(connection_); }
  void feed(const Sent& sent, const Arrival& arrival) override {
    const std::size_t count = sent.content.size();
    if (sent.captured) {
      wirelap::feed(analyzer(), sent.direction, {bytes_of(sent.content), count}, arrival);
    } else {
      gap(analyzer(), sent.direction, count, false, arrival);
    }
    stream(sent.direction).advance(count);
  }
  void acknowledge(Direction direction) override {
    if (direction == Direction::to_client) analyzer().log().confirm(stream(direction).acknowledged);
  }
  void retransmit(Direction direction, std::uint64_t begin, Nanos time) override {
    analyzer().log().record_retransmission(direction, begin, time);
  }
};

/// TCP carries records. This is the adapter: it maps the offsets and acknowledgments of TCP to those of the content.
class Framed : public Path {
 protected:
  StreamView view() override {
    return {StreamView(connection_), content_[index(Direction::to_server)], content_[index(Direction::to_client)]};
  }

  void feed(const Sent& sent, const Arrival& arrival) override {
    Buffer record(kHeaderBytes, 0x17);
    for (const char c : sent.content) record.push_back(static_cast<std::uint8_t>(c ^ 0x5a));
    record.resize(record.size() + kTrailerBytes, 0xee);
    receive(sent.direction, record, sent.captured, arrival);
    stream(sent.direction).advance(record.size());
  }

  void acknowledge(Direction direction) override {
    StreamPosition& content = content_[index(direction)];
    content.acknowledged = content_before(direction, stream(direction).acknowledged);
    if (direction == Direction::to_client) analyzer().log().confirm(content.acknowledged);
  }
  void retransmit(Direction direction, std::uint64_t begin, Nanos time) override {
    analyzer().log().record_retransmission(direction, content_before(direction, begin), time);
  }

 private:
  /// Where a record ends in TCP's stream and in the content.
  struct End {
    std::uint64_t tcp, content;
  };

  void receive(Direction direction, const Buffer& record, bool captured, Arrival arrival) {
    arrival.acknowledged = content_before(opposite(direction), arrival.acknowledged);
    StreamPosition& position = content_[index(direction)];
    Buffer content(record.begin() + kHeaderBytes, record.end() - kTrailerBytes);
    for (std::uint8_t& byte : content) byte ^= 0x5a;
    if (captured) {
      wirelap::feed(analyzer(), direction, {content, content.size()}, arrival);
    } else {
      gap(analyzer(), direction, content.size(), false, arrival);
    }
    position.next += content.size();
    ends_[index(direction)].push_back({stream(direction).next + record.size(), position.next});
  }

  /// The content of all records that end at `tcp_offset` or before.
  std::uint64_t content_before(Direction direction, std::uint64_t tcp_offset) const {
    std::uint64_t content = 0;
    for (const End& end : ends_[index(direction)]) {
      if (end.tcp <= tcp_offset) content = end.content;
    }
    return content;
  }

  StreamPosition content_[2] = {{.from_syn = true}, {.from_syn = true}};
  std::vector<End> ends_[2];
};

std::string play_plain(const std::vector<Sent>& script, AnalyzerKind kind, std::size_t late) {
  return Plain().play(script, kind, late);
}
std::string play_framed(const std::vector<Sent>& script, AnalyzerKind kind, std::size_t late) {
  return Framed().play(script, kind, late);
}

const std::string kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string kPipelined = "GET /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string kHead = "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n";
const std::string kChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
constexpr auto kUp = Direction::to_server;
constexpr auto kDown = Direction::to_client;

const std::vector<Sent> kHttp1 = {{kUp, kGet},
                                  {kDown, kHead + std::string(1000, 'x')},
                                  {kUp, ""},
                                  {kDown, std::string(1000, 'x')},
                                  {kDown, std::string(1000, 'x')},
                                  {kUp, kPipelined},
                                  {kDown, kChunked},
                                  {kDown, "0\r\n\r\n" + kHead},
                                  {kDown, std::string(3000, 'y')},
                                  {kUp, kGet.substr(0, 9)},
                                  {kUp, kGet.substr(9)},
                                  {kDown, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
                                  {kUp, ""}};

TEST_CASE("stream view: an analyzer that is fed through other offsets finds the same exchanges") {
  const std::string plain = play_plain(kHttp1, AnalyzerKind::http1, 0);
  CHECK(std::count(plain.begin(), plain.end(), '\n') == 4);
  CHECK(plain.find("GET /c 200 outcome 0") != std::string::npos);
  CHECK(play_framed(kHttp1, AnalyzerKind::http1, 0) == plain);
}

TEST_CASE("stream view: bytes that were not captured cost the same through other offsets") {
  for (std::size_t lost = 0; lost < kHttp1.size(); ++lost) {
    CAPTURE(lost);
    std::vector<Sent> script = kHttp1;
    script[lost].captured = false;
    for (const AnalyzerKind kind : {AnalyzerKind::http1, AnalyzerKind::generic}) {
      CHECK(play_framed(script, kind, 0) == play_plain(script, kind, 0));
    }
  }
}

TEST_CASE("stream view: a retransmission moves the end of the same exchanges through other offsets") {
  const std::string in_time = play_plain(kHttp1, AnalyzerKind::http1, 0);
  bool moved = false;
  for (std::size_t late = 1; late <= kHttp1.size(); ++late) {
    CAPTURE(late);
    const std::string plain = play_plain(kHttp1, AnalyzerKind::http1, late);
    moved = moved || plain != in_time;
    CHECK(play_framed(kHttp1, AnalyzerKind::http1, late) == plain);
  }
  CHECK(moved);
}

TEST_CASE("stream view: HTTP/2 and turns of an unknown protocol, through other offsets") {
  const std::vector<Sent> turns = {{kUp, "hello"}, {kDown, "who is there?"},        {kUp, "me"},
                                   {kUp, "again"}, {kDown, std::string(5000, 'z')}, {kUp, "bye"}};
  const std::string plain = play_plain(turns, AnalyzerKind::generic, 0);
  CHECK(std::count(plain.begin(), plain.end(), '\n') >= 2);
  CHECK(play_framed(turns, AnalyzerKind::generic, 0) == plain);

  using namespace std::string_literals;
  const std::string settings = "\0\0\0\4\0\0\0\0\0"s;
  // HEADERS with ":method GET", ":path /", ":scheme http"; then ":status 200" and DATA that ends the stream.
  const std::vector<Sent> h2 = {{kUp, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings},
                                {kDown, settings},
                                {kUp, "\0\0\3\1\5\0\0\0\1\x82\x84\x86"s},
                                {kDown, "\0\0\1\1\4\0\0\0\1\x88"s},
                                {kDown, "\0\0\4\0\1\0\0\0\1body"s}};
  const std::string streams = play_plain(h2, AnalyzerKind::h2, 0);
  CHECK(streams.find("h2 GET / 200 outcome 0") != std::string::npos);
  CHECK(play_framed(h2, AnalyzerKind::h2, 0) == streams);
}

}  // namespace
}  // namespace wirelap
