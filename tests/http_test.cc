// The HTTP/1 parser: messages fed whole, byte by byte and cut at every place
// are told alike; holes cost what they hide and nothing else.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/http1/head.h"
#include "app/http1/lines.h"
#include "app/http1/parser.h"

namespace wirelap::http1 {
namespace {

using namespace std::string_literals;

/// Tells each message in a line: offset, start line, bytes, body and how it ended.
class Log {
 public:
  explicit Log(std::string method = "GET") : method_(std::move(method)) {}

  const std::string& text() {
    if (!how_.empty()) close("open");
    if (tunnel_ != 0) text_ += "tunnel " + std::to_string(std::exchange(tunnel_, 0)) + "\n";
    return text_;
  }

  void on_begin(Direction, std::uint64_t offset, bool) {
    CHECK(how_.empty());
    *this = Log(method_, std::move(text_));
    begin_ = offset;
    how_ = "?";
  }
  Framing on_head(Direction direction, const Head& head) {
    if (direction == Direction::to_server) {
      how_ = std::string(head.method) + " " + std::string(head.target);
      if (!head.host.empty()) how_ += " host=" + std::string(head.host);
      return request_framing(head);
    }
    how_ = std::to_string(head.status);
    const bool interim = head.status < 200 && head.status != 101;
    return interim ? Framing{} : response_framing(head, method_);
  }
  void on_bytes(Direction, std::uint64_t count, std::uint64_t body) {
    bytes_ += count;
    body_ += body;
    CHECK(body_ <= bytes_);
  }
  void on_not_captured(Direction, std::uint64_t count) { missing_ += count; }
  void on_end(Direction) { close("end"); }
  void on_stray(Direction, std::uint64_t, bool) {}
  void on_held(Direction) {}
  void on_tunnel(Direction, std::uint64_t count, bool) { tunnel_ += count; }
  bool is_headless(Direction) const { return method_ == "0.9"; }
  bool may_begin_inside(Direction) const { return true; }
  void on_start_line(Direction direction, const Head& head) {
    how_ = direction == Direction::to_client ? std::to_string(head.status)
                                  : std::string(head.method) + " " + std::string(head.target);
  }
  void on_lost(Direction) {
    if (how_.empty()) {
      text_ += "lost\n";
    } else {
      close("lost");
    }
  }
  void on_garbage(Direction) {
    how_.clear();
    text_ += "garbage\n";
  }

 private:
  Log(std::string method, std::string text) : method_(std::move(method)), text_(std::move(text)) {}

  void close(std::string_view end) {
    text_ += "@" + std::to_string(begin_) + " " + how_ + " " + std::to_string(bytes_) + "/" + std::to_string(body_);
    if (missing_ != 0) text_ += " missing " + std::to_string(missing_);
    text_ += " " + std::string(end) + "\n";
    how_.clear();
  }

  std::string method_;  // of the request that the responses answer
  std::string text_;
  std::string how_;  // the message being read; empty between messages
  std::uint64_t begin_ = 0, bytes_ = 0, body_ = 0, missing_ = 0, tunnel_ = 0;
};

/// Feeds a copy of just its size, so that the sanitizer sees a byte read too far.
void feed(Parser& parser, std::string_view piece, Log& log) {
  const auto copy = std::make_unique<std::uint8_t[]>(piece.size());
  std::copy(piece.begin(), piece.end(), copy.get());
  parser.feed({copy.get(), piece.size()}, log);
}

struct Case {
  std::string name;
  Direction direction;
  std::string bytes;
  std::string expected;
  bool ends = false;  // with the end of the stream
  std::string method = "GET";
};

/// `test` fed in pieces that begin at 0 and at each of `cuts`.
template <class Cuts>
std::string parse_cut(const Case& test, const Cuts& cuts) {
  Parser parser(test.direction, 0, true);
  Log log(test.method);
  std::size_t from = 0;
  const std::string_view bytes = test.bytes;
  for (const std::size_t cut : cuts) {
    feed(parser, bytes.substr(from, cut - from), log);
    from = cut;
  }
  feed(parser, bytes.substr(from), log);
  if (test.ends) parser.finish(log);
  return log.text();
}

std::string parse_whole(const Case& test) { return parse_cut(test, std::vector<std::size_t>{}); }

std::string parse_byte_by_byte(const Case& test) {
  std::vector<std::size_t> cuts;
  for (std::size_t cut = 1; cut < test.bytes.size(); ++cut) cuts.push_back(cut);
  return parse_cut(test, cuts);
}

bool is_right(const Case& test, std::initializer_list<std::size_t> cuts) {
  const std::string got = parse_cut(test, cuts);
  if (got == test.expected) return true;
  for (const std::size_t cut : cuts) MESSAGE("cut at " << cut);
  CHECK(got == test.expected);
  return false;
}

/// Stops at the first wrong cut of a case.
void check_every_cut(const Case& test) {
  INFO(test.name);
  CHECK(parse_whole(test) == test.expected);
  CHECK(parse_byte_by_byte(test) == test.expected);
  const std::size_t size = test.bytes.size();
  const std::size_t last_second = size <= 100 ? size : 0;  // pairs of cuts are for the short ones
  for (std::size_t first = 0; first <= size; ++first) {
    if (!is_right(test, {first})) return;
    for (std::size_t second = first + 1; second < last_second; ++second) {
      if (!is_right(test, {first, second})) return;
    }
  }
}

constexpr Direction kRequest = Direction::to_server;
constexpr Direction kResponse = Direction::to_client;

TEST_CASE("line ends are those that a search for each finds") {
  for (std::size_t size = 0; size <= 150; size += 3) {
    for (std::size_t step = 1; step <= size + 1; step += 5) {
      std::string text(size, 'x');
      for (std::size_t at = step - 1; at < size; at += step) text[at] = '\n';
      for (std::size_t from = 0; from <= size; ++from) {
        LineEnds ends(text, from);
        std::size_t at = text.find('\n', from);
        for (; at != std::string::npos; at = text.find('\n', at + 1)) REQUIRE(ends.pass() == at + 1);
        REQUIRE(ends.pass() == size);
      }
    }
  }
}

TEST_CASE("requests, cut anywhere (RFC 9112)") {
  const Case cases[] = {
      {"GET", kRequest, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "@0 GET /a host=x 28/0 end\n"},
      {"two in a row", kRequest, "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
       "@0 GET /a 19/0 end\n@19 GET /b 19/0 end\n"},
      {"2.2: empty lines before a request", kRequest, "\r\n\nGET / HTTP/1.1\r\n\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
       "@3 GET / 18/0 end\n@23 GET /b 19/0 end\n"},
      {"2.2: bare LF", kRequest, "GET /a HTTP/1.1\nHost: x\n\nGET /b HTTP/1.1\n\r\n",
       "@0 GET /a host=x 25/0 end\n@25 GET /b 18/0 end\n"},
      {"2.3: a version of three numbers", kRequest, "GET /a HTTP/1.0.8\r\n\r\n", "@0 GET /a 21/0 end\n"},
      {"2.3: a version in lower case, as peers take it", kRequest, "GET /a http/1.1\r\n\r\n", "@0 GET /a 19/0 end\n"},
      {"2.3: a version without its last digit", kRequest, "GET /a HTTP/1.\r\n\r\n", "@0 GET /a 18/0 end\n"},
      {"3: spaces in the target", kRequest, "GET /a b  c HTTP/1.1\r\n\r\n", "@0 GET /a b  c 24/0 end\n"},
      {"3.2.2: absolute form", kRequest, "GET http://x:8080/a?b#c HTTP/1.1\r\nHost: y\r\n\r\n",
       "@0 GET http://x:8080/a?b#c host=y 45/0 end\n"},
      {"3.2.3: authority form", kRequest, "CONNECT x:443 HTTP/1.1\r\n\r\n", "@0 CONNECT x:443 26/0 end\n"},
      {"3.2.4: asterisk form", kRequest, "OPTIONS * HTTP/1.1\r\n\r\n", "@0 OPTIONS * 22/0 end\n"},
      {"9110, 9.1: a method is any token", kRequest, "M-SEARCH! * HTTP/1.1\r\n\r\n", "@0 M-SEARCH! * 24/0 end\n"},
      {"5: names in any case", kRequest, "PUT / HTTP/1.1\r\nCONTENT-length: 3\r\nhOST:x\r\n\r\nabc",
       "@0 PUT / host=x 48/3 end\n"},
      {"5.1: blanks around the value", kRequest, "PUT / HTTP/1.1\r\nContent-Length: \t3 \t\r\nHost: \r\n\r\nabc",
       "@0 PUT / 51/3 end\n"},
      {"5.2: a folded line goes on with its field", kRequest,
       "PUT / HTTP/1.1\r\nX: a\r\n Content-Length: 9\r\n\thost: y\r\nContent-Length: 3\r\n\r\nabc",
       "@0 PUT / 76/3 end\n"},
      {"5.2: a folded value", kRequest, "PUT / HTTP/1.1\r\nContent-Length:\r\n 3\r\n\r\nabc", "@0 PUT / 42/3 end\n"},
      {"6.2: Content-Length", kRequest, "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /GET / HTTP/1.1\r\n\r\n",
       "@0 PUT / 42/5 end\n@42 GET / 18/0 end\n"},
      {"6.3: Content-Length said twice", kRequest,
       "PUT / HTTP/1.1\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\n\r\n",
       "@0 PUT / 61/2 end\n@61 GET / 18/0 end\n"},
      {"6.3: chunked over Content-Length", kRequest,
       "PUT / HTTP/1.1\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "@0 PUT / 77/1 end\n"},
      {"9110, 5.6.1: empty elements of a list", kRequest,
       "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked, ,\r\nTransfer-Encoding:\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "@0 PUT / 80/1 end\n"},
      {"RFC 2616, 3.6: identity is no coding", kRequest,
       "PUT / HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", "@0 PUT / 67/1 end\n"},
      {"7.1: chunked", kRequest,
       "PUT / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\nGET / "
       "HTTP/1.1\r\n\r\n",
       "@0 PUT / 75/13 end\n@75 GET / 18/0 end\n"},
      {"RFC 1945, 5.1: HTTP/0.9", kRequest, "GET /a\r\n", "@0 GET /a 8/0 end\n"},
      {"RFC 1945, 5.1: nothing comes after it", kRequest, "GET /a?b\nHost: x\n\nGET / HTTP/1.1\r\n\r\n",
       "@0 GET /a?b 9/0 end\n"},
      {"RFC 1945, 5.1: a method that HTTP/0.9 does not know", kRequest, "POST /a\n", "@0 POST /a 8/0 end\n"},
      {"RFC 1945, 5.1: no space before the version", kRequest, "HEAD /HTTP/1.1\r\nHost: x\r\n\r\n",
       "@0 HEAD /HTTP/1.1 16/0 end\n"},
      {"6.3, 6: the longest body", kRequest, "PUT / HTTP/1.1\r\nContent-Length: 9223372036854775807\r\n\r\nab",
       "@0 PUT / 57/2 open\n"},
  };
  for (const Case& test : cases) check_every_cut(test);
}

TEST_CASE("requests whose end nobody can tell (RFC 9112, 6.3)") {
  const std::string lengths[] = {
      "Content-Length: -1",          "Content-Length: +1",
      "Content-Length: 1f",          "Content-Length: 1, 2",
      "Content-Length:",             "Content-Length: 18446744073709551617",
      "Content-Length: 18446744073709551615", "Content-Length: 9223372036854775808",
      "Content-Length: 1 2",         "Content-Length: 1\r\nContent-Length: 2",
      "Content-Length: ,1",          "Transfer-Encoding: gzip",
      "Transfer-Encoding: chunked, gzip", "Content-Length: 3\r\nTransfer-Encoding: xchunked",
  };
  for (const std::string& length : lengths) {
    INFO(length);
    const std::string head = "PUT / HTTP/1.1\r\n" + length + "\r\n\r\n";
    const std::string lost = "@0 PUT / " + std::to_string(head.size()) + "/0 lost\n";
    CHECK(parse_whole({"", kRequest, head + "abc", ""}) == lost);
    CHECK(parse_byte_by_byte({"", kRequest, head + "abc", ""}) == lost);
    const Case next{"", kRequest, head + "abc\r\n\r\nGET /b HTTP/1.1\r\n\r\n", ""};
    CHECK(parse_whole(next) == lost + "@" + std::to_string(head.size() + 7) + " GET /b 19/0 end\n");
  }
}

TEST_CASE("responses, cut anywhere (RFC 9112)") {
  const Case cases[] = {
      {"Content-Length", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 204 x\r\n\r\n",
       "@0 200 41/3 end\n@41 204 18/0 end\n"},
      {"Content-Length: 0", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "@0 200 38/0 end\n"},
      {"2.2: bare LF", kResponse, "HTTP/1.1 200 OK\nContent-Length: 1\n\n\n", "@0 200 36/1 end\n"},
      {"4: no reason phrase", kResponse, "HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\nx", "@0 404 37/1 end\n"},
      {"4: nor the space before it", kResponse, "HTTP/1.1 404\r\nContent-Length: 1\r\n\r\nx", "@0 404 36/1 end\n"},
      {"4: a tab for the space", kResponse, "HTTP/1.1\t404\tx\r\nContent-Length: 1\r\n\r\nx", "@0 404 38/1 end\n"},
      {"2.3: a version in lower case, as clients take it", kResponse,
       "http/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHtTp/1.0 204 x\r\n\r\n", "@0 200 39/1 end\n@39 204 18/0 end\n"},
      {"2.2: a bare CR stands for a space", kResponse, "HTTP/1.1 404\rX: y\r\nContent-Length: 1\r\n\r\nx",
       "@0 404 41/1 end\n"},
      {"4: a reason of any bytes", kResponse, "HTTP/1.1 500 a: \xe4\xf6 b\r\nContent-Length: 1\r\n\r\nx",
       "@0 500 44/1 end\n"},
      {"5.2: folded", kResponse, "HTTP/1.1 200 OK\r\nX: y,\r\n \tz\r\nContent-Length:\r\n\t 1\r\n\r\nx",
       "@0 200 54/1 end\n"},
      {"6.3, 1: HEAD", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 404 x\r\n\r\n",
       "@0 200 38/0 end\n@38 404 18/0 end\n", false, "HEAD"},
      {"6.3, 1: HEAD, chunked", kResponse, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "@0 200 47/0 end\n",
       false, "HEAD"},
      {"6.3, 1: 204 and 304", kResponse,
       "HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n",
       "@0 304 37/0 end\n@37 204 46/0 end\n"},
      {"6.3, 1: 1xx, then the final one", kResponse,
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
       "1\r\n\r\nx",
       "@0 100 25/0 end\n@25 103 31/0 end\n@56 200 39/1 end\n"},
      {"RFC 2518, 10.1: 102", kResponse, "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
       "@0 102 27/0 end\n@27 102 18/0 end\n@45 204 18/0 end\n"},
      {"RFC 1945, 6: HTTP/0.9", kResponse, "<html>\n\nHTTP/1.1 200 OK\r\n\r\n", "@0 ? 27/27 end\n", true, "0.9"},
      {"RFC 1945, 6: HTTP/0.9 that begins like more", kResponse, "HTTP/what?\n", "@0 ? 11/11 open\n", false, "0.9"},
      {"RFC 1945, 6: asked in HTTP/0.9, answered in HTTP/1", kResponse, "HTTP/1.0 400 x\r\n\r\nab", "@0 400 20/2 end\n",
       true, "0.9"},
      {"9110, 15.2.2: 101 leaves HTTP", kResponse, "HTTP/1.1 101 x\r\n\r\nHTTP/1.1 200",
       "@0 101 18/0 end\ntunnel 12\n"},
      {"6.3, 2: CONNECT", kResponse, "HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\nabc", "@0 200 37/0 end\ntunnel 3\n",
       true, "CONNECT"},
      {"6.3, 2: CONNECT refused", kResponse, "HTTP/1.1 403 x\r\nContent-Length: 1\r\n\r\na", "@0 403 38/1 end\n", true,
       "CONNECT"},
      {"6.3, 3: chunked over Content-Length", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "@0 200 77/1 end\n"},
      {"6.3, 4: chunked comes last", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "@0 200 64/1 end\n"},
      {"6.3, 4: chunked in a second field", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "@0 200 83/1 end\n"},
      {"6.3, 4: chunked is not last", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\nContent-Length: 1\r\n\r\nabc", "@0 200 75/3 end\n",
       true},
      {"6.3, 5: two lengths", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nabc", "@0 200 44/3 end\n",
       true},
      {"6.3, 5: two fields", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc",
       "@0 200 60/3 end\n", true},
      {"6.3, 5: negative", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc", "@0 200 42/3 end\n", true},
      {"6.3, 5: a sign", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nabc", "@0 200 42/3 end\n", true},
      {"6.3, 5: more than 2^64", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\na",
       "@0 200 58/1 end\n", true},
      {"6.3, 5: hexadecimal", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 1f\r\n\r\nabc", "@0 200 42/3 end\n", true},
      {"6.3, 8: until close", kResponse, "HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "@0 200 38/19 end\n", true},
      {"6.3, 8: until close, not yet", kResponse, "HTTP/1.0 200 OK\r\n\r\nab", "@0 200 21/2 open\n"},
      {"7.1: extensions and trailers", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\"b\";c\r\nxy\r\n1 \t;d\r\nz\r\n000;e\r\nT: "
       "u\r\nV:\r\n\r\n",
       "@0 200 91/3 end\n"},
      {"7.1: bare LF", kResponse, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1;x\na\n0\n\n", "@0 200 53/1 end\n"},
      {"7.1: body bytes that look like framing", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "@0 200 64/7 end\n"},
      {"8: a message cut by the stream's end", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na",
       "@0 200 39/1 open\n", true},
  };
  for (const Case& test : cases) check_every_cut(test);
}

TEST_CASE("data sizes that are none") {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";  // 53 bytes
  const char* const sizes[] = {
      "x", "\r\n", ";a", " 1\r\n", "-1\r\n", "1x", "0x1", "8000000000000000", "fffffffffffffffff", "1\r\naX"};
  for (const char* const size : sizes) {
    const Case test{size, kResponse, head + size, ""};
    INFO(size);
    for (const std::string& log : {parse_whole(test), parse_byte_by_byte(test)}) {
      CHECK(log.starts_with("@0 200 "));
      CHECK(log.ends_with(" lost\n"));
    }
  }
  // The largest that is believed.
  const Case huge{"", kResponse, head + "7fffffffffffffff\r\nab", "@0 200 73/3 open\n"};
  check_every_cut(huge);
}

TEST_CASE("what is no message is garbage") {
  const Case cases[] = {
      {"bytes", kRequest, "\x16\x03\x01\x02\x00\x01"s, ""},
      {"no method", kRequest, " / HTTP/1.1\r\n\r\n", ""},
      {"long method", kRequest, std::string(40, 'A'), ""},
      {"version", kRequest, "GET / HTTP/x\r\n\r\n", ""},
      {"HTTP/0.9, no path", kRequest, "GET x\r\n", ""},
      {"HTTP/0.9, two words", kRequest, "GET / x\r\n", ""},
      {"version, no number", kRequest, "GET / HTTP/.1\r\n\r\n", ""},
      {"version, two dots", kRequest, "GET / HTTP/1..1\r\n\r\n", ""},
      {"HTTP/0.9, a method that nobody knows (RFC 1945, 5)", kRequest, "FETCH /\r\n", ""},
      {"HTTP/0.9, a method in lower case", kRequest, "get /key\r\n", ""},
      {"HTTP/0.9, no method", kRequest, " /\r\n", ""},
      {"SIP (RFC 3261)", kRequest, "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP y\r\n\r\n", ""},
      {"RTSP (RFC 7826)", kRequest, "OPTIONS rtsp://x RTSP/2.0\r\nCSeq: 1\r\n\r\n", ""},
      {"SMTP (RFC 5321)", kRequest, "EHLO mail.example.org\r\n", ""},
      {"SSH", kRequest, "SSH-2.0-OpenSSH_9.2\r\n", ""},
      {"SIP", kResponse, "SIP/2.0 200 OK\r\n\r\n", ""},
      {"RTSP", kResponse, "RTSP/2.0 200 OK\r\n\r\n", ""},
      {"SMTP", kResponse, "220 mail.example.org ESMTP\r\n", ""},
      {"short status", kResponse, "HTTP/1.1 20 OK\r\n\r\n", ""},
      {"long status", kResponse, "HTTP/1.1 2000 OK\r\n\r\n", ""},
      {"no status", kResponse, "HTTP/1.1\r\n\r\n", ""},
      {"letters", kResponse, "HTTP/1.1 OK 200\r\n\r\n", ""},
      {"a request", kResponse, "GET / HTTP/1.1\r\n\r\n", ""},
      {"a response", kRequest, "HTTP/1.1 200 OK\r\n\r\n", ""},
  };
  for (Case test : cases) {
    test.expected = "garbage\n";
    check_every_cut(test);
  }
}

TEST_CASE("after garbage, a later piece may begin a message") {
  Parser parser(kRequest, 0, true);
  Log log;
  feed(parser, "\x01\x02GET /a HTTP/1.1\r\n\r\n", log);
  CHECK(parser.lost());
  feed(parser, "still none", log);
  CHECK(parser.lost());
  feed(parser, "GET /b HTTP/1.1\r\n\r\n", log);
  CHECK(!parser.lost());
  CHECK(log.text() == "garbage\n@31 GET /b 19/0 end\n");
}

TEST_CASE("a head of 64 KiB is taken, the end of a longer one is not known") {
  const std::string start = "GET /a HTTP/1.1\r\nX: ";
  const auto head_of = [&](std::size_t size) { return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n"; };
  const auto pieces_of = [](const std::string& bytes, std::size_t step) {
    Parser parser(kRequest, 0, true);
    Log log;
    for (std::size_t at = 0; at < bytes.size(); at += step) feed(parser, std::string_view(bytes).substr(at, step), log);
    return log.text();
  };
  const std::string fits = head_of(Parser::kMaxHeadBytes);
  const std::string too_long = head_of(Parser::kMaxHeadBytes + 1);
  const std::string next = "GET /b HTTP/1.1\r\n\r\n";
  const std::string both = "@0 GET /a 65536/0 end\n@65536 GET /b 19/0 end\n";
  for (const std::size_t step : {1000u, 1460u, 65535u, 65536u, 1u << 20}) {
    INFO("pieces of ", step);
    CHECK(pieces_of(fits + next, step) == both);
    const std::string cut_off = "@0 GET /a 65536/0 lost\n";
    CHECK(pieces_of(too_long, step) == cut_off);
    CHECK(pieces_of(start + std::string(200'000, 'x'), step) == cut_off);
    CHECK(pieces_of(start + std::string(200'000, 'x') + "\r\n\r\n" + next, step).ends_with(" GET /b 19/0 end\n"));
    CHECK(pieces_of("GET /" + std::string(200'000, 'x'), step) == "garbage\n");
  }
  for (const std::size_t cut : {1u, 65533u, 65534u, 65535u}) {
    const Case test{"", kRequest, fits + next, ""};
    CHECK(parse_cut(test, std::vector{cut}) == both);
  }
}

/// Pieces to feed, and holes: a number is that many bytes missing, a negative one kept by nobody.
struct Piece {
  std::string bytes;
  int hole = 0;
};

std::string parse_pieces(Direction direction, const std::vector<Piece>& pieces, bool in_sync = true) {
  Parser parser(direction, 0, in_sync);
  Log log;
  for (const Piece& piece : pieces) {
    if (piece.hole == 0) {
      feed(parser, piece.bytes, log);
    } else {
      parser.skip(static_cast<std::uint64_t>(std::abs(piece.hole)), piece.hole > 0, log);
    }
  }
  return log.text();
}

TEST_CASE("a hole inside a body hides nothing else") {
  const std::string head = "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n";  // 37 bytes
  const std::string next = "HTTP/1.1 204 x\r\n\r\n";
  CHECK(parse_pieces(kResponse, {{head + "ab"}, {"", 4}, {"ghi" + next}}) ==
        "@0 200 46/9 missing 4 end\n@46 204 18/0 end\n");
  CHECK(parse_pieces(kResponse, {{head}, {"", 9}, {next}}) == "@0 200 46/9 missing 9 end\n@46 204 18/0 end\n");
  CHECK(parse_pieces(kResponse, {{head}, {"", -5}, {"", 4}, {next}}) ==
        "@0 200 46/9 missing 4 end\n@46 204 18/0 end\n");
  CHECK(parse_pieces(kResponse, {{head}, {"", -9}, {next}}) == "@0 200 46/9 end\n@46 204 18/0 end\n");
  const std::string endless = "HTTP/1.0 200 x\r\n\r\n";
  CHECK(parse_pieces(kResponse, {{endless + "a"}, {"", 5}, {"", -2}, {next}}) == "@0 200 44/26 missing 5 open\n");
}

TEST_CASE("a hole over a message's end") {
  const std::string head = "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n";
  // The body's end is known; only what begins after it is lost.
  CHECK(parse_pieces(kResponse, {{head + "ab"}, {"", 10}, {"rest"}, {head + "abcdefghi"}}) ==
        "@0 200 46/9 missing 7 end\nlost\n@53 200 46/9 end\n");
}

TEST_CASE("a hole in a head") {
  CHECK(parse_pieces(kRequest, {{"GET /a HTTP/1.1\r\nHo"}, {"", 10}, {"x: y\r\n\r\n"}, {"GET /b HTTP/1.1\r\n\r\n"}}) ==
        "@0 GET /a 29/0 missing 10 lost\n@37 GET /b 19/0 end\n");
}

TEST_CASE("a hole in data framing") {
  const std::string head = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n";  // 46 bytes
  const std::string next = "HTTP/1.1 204 x\r\n\r\n";
  CHECK(parse_pieces(kResponse, {{head + "5\r\na"}, {"", 3}, {"e\r\n0\r\n\r\n" + next}}) ==
        "@0 200 61/5 missing 3 end\n@61 204 18/0 end\n");
  CHECK(parse_pieces(kResponse, {{head + "5\r\n"}, {"", 5}, {"\r\n0\r\n\r\n" + next}}) ==
        "@0 200 61/5 missing 5 end\n@61 204 18/0 end\n");
  // Inside a data what is missing of its data is still known.
  CHECK(parse_pieces(kResponse, {{head + "5\r\na"}, {"", 6}, {"3\r\nabc\r\n0\r\n\r\n"}, {next}}) ==
        "@0 200 56/5 missing 6 lost\n@69 204 18/0 end\n");
  for (const char* const before : {"", "5", "5;x", "1\r\na", "1\r\na\r", "0\r\n", "0\r\nT: u"}) {
    INFO(before);
    const std::string log = parse_pieces(kResponse, {{head + before}, {"", 2}, {"junk"}, {next}});
    CHECK(log.find(" missing 2 lost\n@") != std::string::npos);
    CHECK(log.ends_with(" 204 18/0 end\n"));
  }
}

TEST_CASE("a hole between messages") {
  const std::string next = "GET /b HTTP/1.1\r\n\r\n";
  CHECK(parse_pieces(kRequest, {{"GET /a HTTP/1.1\r\n\r\n"}, {"", 100}, {"rest"}, {next}}) ==
        "@0 GET /a 19/0 end\nlost\n@123 GET /b 19/0 end\n");
  CHECK(parse_pieces(kRequest, {{"", 7}, {next}}) == "lost\n@7 GET /b 19/0 end\n");
}

TEST_CASE("a stream whose start was not seen is searched at each piece") {
  const std::string next = "GET /b HTTP/1.1\r\n\r\n";
  CHECK(parse_pieces(kRequest, {{"x\r\n" + next}, {next + next}}, false) ==
        "@22 GET /b 19/0 end\n@41 GET /b 19/0 end\n");
  CHECK(parse_pieces(kRequest, {{"x\r\n\r\n" + next}}, false) == "@5 GET /b 19/0 end\n");
  CHECK(parse_pieces(kRequest, {{"", 5}, {next}}, false) == "@5 GET /b 19/0 end\n");
}

TEST_CASE("after a hole the next message is found wherever it begins, and however it is cut") {
  struct {
    const char* what;
    Direction direction;
    std::string before, lost_rest, next, expected;
  } const cases[] = {
      {"a response after the rest of a body", kResponse, "HTTP/1.1 200 x\r\n", "bodyHHTTP", "HTTP/1.1 204 x\r\n\r\n",
       "@0 200 26/0 missing 10 lost\n@35 204 18/0 end\n"},
      {"a response after its likeness", kResponse, "HTTP/1.1 200 x\r\n", "HTTP/1.1 is a protocol\n",
       "HTTP/1.1 204 x\r\n\r\n", "@0 200 26/0 missing 10 lost\n@49 204 18/0 end\n"},
      {"a request after the rest of a head", kRequest, "GET /a HTTP/1.1\r\nHo", "st: x\r\nVia: GET / HTTP/1.1\r\n\r\n",
       "GET /b HTTP/1.1\r\n\r\n", "@0 GET /a 29/0 missing 10 lost\n@59 GET /b 19/0 end\n"},
      {"a request after bare line ends", kRequest, "GET /a HTTP/1.1\nHo", "st: x\n\n", "OPTIONS * HTTP/1.1\n\n",
       "@0 GET /a 28/0 missing 10 lost\n@35 OPTIONS * 20/0 end\n"},
  };
  for (const auto& test : cases) {
    INFO(test.what);
    const std::string rest = test.lost_rest + test.next;
    for (std::size_t cut = 0; cut <= rest.size(); ++cut) {
      INFO("cut ", cut);
      // Where a piece begins with it, the likeness of a start line could be one.
      if (test.direction == kRequest && rest.substr(cut).starts_with("GET / ")) continue;
      CHECK(parse_pieces(test.direction, {{test.before}, {"", 10}, {rest.substr(0, cut)}, {rest.substr(cut)}}) ==
            test.expected);
    }
    std::vector<Piece> bytes{{test.before}, {"", 10}};
    for (const char byte : rest) bytes.push_back({std::string(1, byte)});
    if (test.direction == kResponse) CHECK(parse_pieces(test.direction, bytes) == test.expected);
  }
}

TEST_CASE("whether a response to an unknown request has a body (RFC 9112, 6.3, 1)") {
  const std::string next = "HTTP/1.1 204 x\r\n\r\n";
  const auto parsed = [&](const std::string& fields, const std::string& body, bool apart) {
    Parser parser(kResponse, 0, true);
    Log log("");
    const std::string head = "HTTP/1.1 200 x\r\n" + fields + "\r\n";
    if (apart) {
      feed(parser, head, log);
      feed(parser, body + next, log);
    } else {
      feed(parser, head + body + next, log);
    }
    return log.text();
  };
  for (const bool apart : {false, true}) {
    INFO(apart);
    CHECK(parsed("Content-Length: 3\r\n", "", apart) == "@0 200 37/0 end\n@37 204 18/0 end\n");
    CHECK(parsed("Content-Length: 3\r\n", "HTT", apart) == "@0 200 40/3 end\n@40 204 18/0 end\n");
    CHECK(parsed("Transfer-Encoding: chunked\r\n", "", apart) == "@0 200 46/0 end\n@46 204 18/0 end\n");
    CHECK(parsed("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", apart) == "@0 200 51/0 end\n@51 204 18/0 end\n");
    CHECK(parsed("", "", apart) == "@0 200 18/0 end\n@18 204 18/0 end\n");
    CHECK(parsed("", "x", apart) == "@0 200 37/19 open\n");
  }
}

TEST_CASE("what was kept back before another hole is no start") {
  const std::string next = "HTTP/1.1 204 x\r\n\r\n";
  CHECK(parse_pieces(kResponse, {{"", 5}, {"HTTP/1.1 2"}, {"", 5}, {"00 x\r\n\r\n"}, {next}}) ==
        "lost\n@28 204 18/0 end\n");
}

TEST_CASE("skippable is the rest of the body or data, at every byte") {
  const std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();
  struct {
    std::string before, body, after;
    std::uint64_t more;  // of the body, after `body`
  } const cases[] = {
      {"HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n", "abcde", "HTTP", 0},
      {"HTTP/1.1 200 x\r\nContent-Length: 1000000000005\r\n\r\n", "abcde", "", 1'000'000'000'000},
      {"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\n", "abcde", "\r\n0\r\n\r\n", 0},
      {"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n5\r\n", "abcde", "\r\n1\r\n", 0},
  };
  for (const auto& test : cases) {
    const std::string bytes = test.before + test.body + test.after;
    for (std::size_t at = 0; at <= bytes.size(); ++at) {
      Parser parser(kResponse, 0, true);
      Log log;
      feed(parser, std::string_view(bytes).substr(0, at), log);
      const bool one_byte_chunk = at > 0 && bytes.substr(0, at).ends_with("\r\n1\r\n");
      const bool inside = at >= test.before.size() && at <= test.before.size() + test.body.size();
      const std::uint64_t rest = inside ? test.before.size() + test.body.size() - at + test.more : 0;
      INFO(bytes, " at ", at);
      CHECK(parser.skippable() == (one_byte_chunk ? 1 : rest));
    }
  }
  Parser parser(kResponse, 0, true);
  Log log;
  feed(parser, "HTTP/1.0 200 x\r\n\r\nabc", log);
  CHECK(parser.skippable() == endless);
}

TEST_CASE("content that is taken without being fed counts as the same") {
  const Case cases[] = {
      {"a length, and what follows", kResponse,
       "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789HTTP/1.1 204 x\r\n\r\n",
       "@0 200 47/9 end\n@47 204 18/0 end\n"},
      {"chunks", kRequest, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
       "@0 PUT / 59/3 end\n@59 GET / 18/0 end\n"},
      {"until the end", kResponse, "HTTP/1.1 200 OK\r\n\r\nabc", "@0 200 22/3 end\n", true},
      {"a tunnel's bytes are none", kResponse, "HTTP/1.1 101 x\r\n\r\nabc", "@0 101 18/0 end\ntunnel 3\n"},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    const std::string_view bytes = test.bytes;
    const std::size_t head = bytes.find("\r\n\r\n") + 4;
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
      Parser parser(test.direction, 0, true);
      Log log(test.method);
      std::size_t taken = 0, at = std::min(head, step);
      feed(parser, bytes.substr(0, at), log);
      for (; at < bytes.size(); at += step) {
        const std::string_view piece = bytes.substr(at, step);
        if (parser.pass_content(piece.size())) {
          log.on_bytes(test.direction, piece.size(), piece.size());
          ++taken;
        } else {
          feed(parser, piece, log);
        }
      }
      if (test.ends) parser.finish(log);
      CAPTURE(step);
      CHECK(log.text() == test.expected);
      if (step == 1) CHECK((taken != 0) == (test.expected.find("tunnel") == std::string::npos));
    }
  }
  // Whether HEAD was asked is not known: the next bytes tell whether they are content.
  Parser parser(kResponse, 0, true);
  Log log("");
  feed(parser, "HTTP/1.1 200 x\r\nContent-Length: 99\r\n\r\n", log);
  CHECK_FALSE(parser.pass_content(5));
  feed(parser, "abcde", log);
  CHECK(parser.pass_content(5));
}

TEST_CASE("where a head ends") {
  CHECK(find_head_end("GET / HTTP/1.1\r\n\r\nbody", 0) == 18);
  CHECK(find_head_end("a\n\nb", 0) == 3);
  CHECK(find_head_end("a\n\r\nb", 0) == 4);
  CHECK(find_head_end("a\r\n\r", 0) == std::string_view::npos);
  CHECK(find_head_end("a\r\nb\r\n", 0) == std::string_view::npos);
  CHECK(find_head_end("", 0) == std::string_view::npos);
}

TEST_CASE("how much of a start line it takes to know") {
  CHECK(looks_like_start("GE", kRequest) == Likeness::maybe);
  CHECK(looks_like_start("GET ", kRequest) == Likeness::yes);
  CHECK(looks_like_start("GE\x01", kRequest) == Likeness::no);
  CHECK(looks_like_start("HTT", kResponse) == Likeness::maybe);
  CHECK(looks_like_start("HTTX", kResponse) == Likeness::no);
  CHECK(looks_like_start("htt", kResponse) == Likeness::maybe);
  CHECK(looks_like_start("http/", kResponse) == Likeness::yes);
  CHECK(is_start_line("GET / HTTP/1.1\r", kRequest) == Likeness::maybe);
  CHECK(is_start_line("GET / HTTP/1.1\r\n", kRequest) == Likeness::yes);
  CHECK(is_start_line("GET / SIP/2.0\r\n", kRequest) == Likeness::no);
  CHECK(is_start_line("HTTP/1.1 200\r\n", kResponse) == Likeness::yes);
  CHECK(is_start_line("", kResponse) == Likeness::maybe);
}

}  // namespace
}  // namespace wirelap::http1
