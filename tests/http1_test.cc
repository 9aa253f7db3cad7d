// http1: the parser finds the same messages however their bytes are cut: whole,
// byte by byte, and at each place. A gap costs the messages that it hides, and no
// others.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
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

/// Writes a line for each message:
///
///     @OFFSET START-LINE BYTES/CONTENT-BYTES [uncaptured BYTES] end|lost|open
///
/// The start line is `?` where the head has not ended. `open`: the message goes on. Further lines are `lost` where the
/// parser lost its place between messages, `garbage`, and `tunnel BYTES`.
class Log {
 public:
  explicit Log(std::string method = "GET") : method_(std::move(method)) {}

  const std::string& text() {
    if (!start_line_.empty()) close("open");
    if (tunnel_ != 0) text_ += "tunnel " + std::to_string(std::exchange(tunnel_, 0)) + "\n";
    return text_;
  }

  void on_begin(Direction, std::uint64_t offset, bool) {
    CHECK(start_line_.empty());
    *this = Log(method_, std::move(text_));
    begin_ = offset;
    start_line_ = "?";
  }
  Framing on_head(Direction direction, const Head& head) {
    if (direction == Direction::to_server) {
      start_line_ = std::string(head.method) + " " + std::string(head.target);
      if (!head.host.empty()) start_line_ += " host=" + std::string(head.host);
      return request_framing(head);
    }
    start_line_ = std::to_string(head.status);
    const bool interim = head.status < 200 && head.status != 101;
    return interim ? Framing{} : response_framing(head, method_);
  }
  void on_bytes(Direction, std::uint64_t count, std::uint64_t body) {
    bytes_ += count;
    body_ += body;
    CHECK(body_ <= bytes_);
  }
  void on_not_captured(Direction, std::uint64_t count) { uncaptured_ += count; }
  void on_end(Direction) { close("end"); }
  void on_unparsed(Direction, std::uint64_t, bool) {}
  void on_held(Direction) {}
  void on_tunnel(Direction, std::uint64_t count, bool) { tunnel_ += count; }
  bool is_headless(Direction) const { return method_ == "0.9"; }
  bool may_begin_inside(Direction) const { return true; }
  void on_start_line(Direction direction, const Head& head) {
    start_line_ = direction == Direction::to_client ? std::to_string(head.status)
                                                    : std::string(head.method) + " " + std::string(head.target);
  }
  void on_sync_lost(Direction) {
    if (start_line_.empty()) {
      text_ += "lost\n";
    } else {
      close("lost");
    }
  }
  void on_garbage(Direction) {
    start_line_.clear();
    text_ += "garbage\n";
  }

 private:
  Log(std::string method, std::string text) : method_(std::move(method)), text_(std::move(text)) {}

  void close(std::string_view end) {
    text_ +=
        "@" + std::to_string(begin_) + " " + start_line_ + " " + std::to_string(bytes_) + "/" + std::to_string(body_);
    if (uncaptured_ != 0) text_ += " uncaptured " + std::to_string(uncaptured_);
    text_ += " " + std::string(end) + "\n";
    start_line_.clear();
  }

  std::string method_;  // of the request that the responses answer
  std::string text_;
  std::string start_line_;  // of the message being read; empty between messages
  std::uint64_t begin_ = 0, bytes_ = 0, body_ = 0, uncaptured_ = 0, tunnel_ = 0;
};

/// Feeds a copy of the size of `piece`, so that AddressSanitizer detects a read past its end.
void feed(Parser& parser, std::string_view piece, Log& log) {
  const auto copy = std::make_unique<std::uint8_t[]>(piece.size());
  std::copy(piece.begin(), piece.end(), copy.get());
  parser.feed({copy.get(), piece.size()}, log);
}

struct Case {
  std::string name;  // begins with the section and the item of RFC 9112 that it tests
  Direction direction;
  std::string bytes;
  std::string expected;
  bool finished = false;       // the stream ends after the bytes
  std::string method = "GET";  // of the request that a response answers; "0.9": a request of HTTP/0.9
};

/// Feeds `test` in pieces that begin at 0 and at each of `cuts`. Returns the log.
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
  if (test.finished) parser.finish(log);
  return log.text();
}

std::string parse_whole(const Case& test) { return parse_cut(test, std::vector<std::size_t>{}); }

std::string parse_byte_by_byte(const Case& test) {
  std::vector<std::size_t> cuts;
  for (std::size_t cut = 1; cut < test.bytes.size(); ++cut) cuts.push_back(cut);
  return parse_cut(test, cuts);
}

/// Checks `test` cut at `cuts`. Returns whether it was right.
bool check_cut(const Case& test, std::initializer_list<std::size_t> cuts) {
  const std::string got = parse_cut(test, cuts);
  if (got == test.expected) return true;
  for (const std::size_t cut : cuts) MESSAGE("cut at " << cut);
  CHECK(got == test.expected);
  return false;
}

/// Checks `test` whole, byte by byte, cut at each place and, if it is short, at each two places. Stops at the first
/// wrong result.
void check_every_cut(const Case& test) {
  INFO(test.name);
  CHECK(parse_whole(test) == test.expected);
  CHECK(parse_byte_by_byte(test) == test.expected);
  const std::size_t size = test.bytes.size();
  const std::size_t last_second = size <= 100 ? size : 0;
  for (std::size_t first = 0; first <= size; ++first) {
    if (!check_cut(test, {first})) return;
    for (std::size_t second = first + 1; second < last_second; ++second) {
      if (!check_cut(test, {first, second})) return;
    }
  }
}

constexpr Direction kRequest = Direction::to_server;
constexpr Direction kResponse = Direction::to_client;

TEST_CASE("http1: LineEnds returns the offset after each line feed") {
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

TEST_CASE("http1: requests are parsed the same however they are cut (RFC 9112)") {
  const Case cases[] = {
      {"GET", kRequest, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "@0 GET /a host=x 28/0 end\n"},
      {"two requests in a row", kRequest, "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
       "@0 GET /a 19/0 end\n@19 GET /b 19/0 end\n"},
      {"2.2: empty lines before a request", kRequest, "\r\n\nGET / HTTP/1.1\r\n\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
       "@3 GET / 18/0 end\n@23 GET /b 19/0 end\n"},
      {"2.2: bare LF", kRequest, "GET /a HTTP/1.1\nHost: x\n\nGET /b HTTP/1.1\n\r\n",
       "@0 GET /a host=x 25/0 end\n@25 GET /b 18/0 end\n"},
      {"2.3: a version with three numbers", kRequest, "GET /a HTTP/1.0.8\r\n\r\n", "@0 GET /a 21/0 end\n"},
      {"2.3: a version in lower case, which servers accept", kRequest, "GET /a http/1.1\r\n\r\n",
       "@0 GET /a 19/0 end\n"},
      {"2.3: a version without its last digit", kRequest, "GET /a HTTP/1.\r\n\r\n", "@0 GET /a 18/0 end\n"},
      {"3: spaces in the target", kRequest, "GET /a b  c HTTP/1.1\r\n\r\n", "@0 GET /a b  c 24/0 end\n"},
      {"3.2.2: absolute form", kRequest, "GET http://x:8080/a?b#c HTTP/1.1\r\nHost: y\r\n\r\n",
       "@0 GET http://x:8080/a?b#c host=y 45/0 end\n"},
      {"3.2.3: authority form", kRequest, "CONNECT x:443 HTTP/1.1\r\n\r\n", "@0 CONNECT x:443 26/0 end\n"},
      {"3.2.4: asterisk form", kRequest, "OPTIONS * HTTP/1.1\r\n\r\n", "@0 OPTIONS * 22/0 end\n"},
      {"9110, 9.1: a method is any token", kRequest, "M-SEARCH! * HTTP/1.1\r\n\r\n", "@0 M-SEARCH! * 24/0 end\n"},
      {"5: field names in any case", kRequest, "PUT / HTTP/1.1\r\nCONTENT-length: 3\r\nhOST:x\r\n\r\nabc",
       "@0 PUT / host=x 48/3 end\n"},
      {"5.1: white space around the value", kRequest, "PUT / HTTP/1.1\r\nContent-Length: \t3 \t\r\nHost: \r\n\r\nabc",
       "@0 PUT / 51/3 end\n"},
      {"5.2: a folded line continues its field", kRequest,
       "PUT / HTTP/1.1\r\nX: a\r\n Content-Length: 9\r\n\thost: y\r\nContent-Length: 3\r\n\r\nabc",
       "@0 PUT / 76/3 end\n"},
      {"5.2: a value on a folded line", kRequest, "PUT / HTTP/1.1\r\nContent-Length:\r\n 3\r\n\r\nabc",
       "@0 PUT / 42/3 end\n"},
      {"6.2: Content-Length", kRequest, "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /GET / HTTP/1.1\r\n\r\n",
       "@0 PUT / 42/5 end\n@42 GET / 18/0 end\n"},
      {"6.3: the same Content-Length twice", kRequest,
       "PUT / HTTP/1.1\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\n\r\n",
       "@0 PUT / 61/2 end\n@61 GET / 18/0 end\n"},
      {"6.3: chunked overrides Content-Length", kRequest,
       "PUT / HTTP/1.1\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "@0 PUT / 77/1 end\n"},
      {"9110, 5.6.1: empty elements of a list", kRequest,
       "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked, ,\r\nTransfer-Encoding:\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "@0 PUT / 80/1 end\n"},
      {"RFC 2616, 3.6: identity does not change the body", kRequest,
       "PUT / HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", "@0 PUT / 67/1 end\n"},
      {"7.1: chunked", kRequest,
       "PUT / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\nGET / "
       "HTTP/1.1\r\n\r\n",
       "@0 PUT / 75/13 end\n@75 GET / 18/0 end\n"},
      {"RFC 1945, 5.1: HTTP/0.9", kRequest, "GET /a\r\n", "@0 GET /a 8/0 end\n"},
      {"RFC 1945, 5.1: bytes after an HTTP/0.9 request are ignored", kRequest,
       "GET /a?b\nHost: x\n\nGET / HTTP/1.1\r\n\r\n", "@0 GET /a?b 9/0 end\n"},
      {"RFC 1945, 5.1: a method that HTTP/0.9 does not have", kRequest, "POST /a\n", "@0 POST /a 8/0 end\n"},
      {"RFC 1945, 5.1: no space before the version", kRequest, "HEAD /HTTP/1.1\r\nHost: x\r\n\r\n",
       "@0 HEAD /HTTP/1.1 16/0 end\n"},
      {"6.3, 6: the largest Content-Length", kRequest,
       "PUT / HTTP/1.1\r\nContent-Length: 9223372036854775807\r\n\r\nab", "@0 PUT / 57/2 open\n"},
  };
  for (const Case& test : cases) check_every_cut(test);
}

TEST_CASE("http1: an invalid length hides where its request ends (RFC 9112, 6.3)") {
  const std::string lengths[] = {
      "Content-Length: -1",
      "Content-Length: +1",
      "Content-Length: 1f",
      "Content-Length: 1, 2",
      "Content-Length:",
      "Content-Length: 18446744073709551617",
      "Content-Length: 18446744073709551615",
      "Content-Length: 9223372036854775808",
      "Content-Length: 1 2",
      "Content-Length: 1\r\nContent-Length: 2",
      "Content-Length: ,1",
      "Transfer-Encoding: gzip",
      "Transfer-Encoding: chunked, gzip",
      "Content-Length: 3\r\nTransfer-Encoding: xchunked",
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

TEST_CASE("http1: responses are parsed the same however they are cut (RFC 9112)") {
  const Case cases[] = {
      {"Content-Length", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 204 x\r\n\r\n",
       "@0 200 41/3 end\n@41 204 18/0 end\n"},
      {"Content-Length: 0", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "@0 200 38/0 end\n"},
      {"2.2: bare LF", kResponse, "HTTP/1.1 200 OK\nContent-Length: 1\n\n\n", "@0 200 36/1 end\n"},
      {"4: no reason phrase", kResponse, "HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\nx", "@0 404 37/1 end\n"},
      {"4: no reason phrase and no space before it", kResponse, "HTTP/1.1 404\r\nContent-Length: 1\r\n\r\nx",
       "@0 404 36/1 end\n"},
      {"4: tabs instead of spaces", kResponse, "HTTP/1.1\t404\tx\r\nContent-Length: 1\r\n\r\nx", "@0 404 38/1 end\n"},
      {"2.3: a version in lower case, which clients accept", kResponse,
       "http/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHtTp/1.0 204 x\r\n\r\n", "@0 200 39/1 end\n@39 204 18/0 end\n"},
      {"2.2: a bare CR counts as a space", kResponse, "HTTP/1.1 404\rX: y\r\nContent-Length: 1\r\n\r\nx",
       "@0 404 41/1 end\n"},
      {"4: a reason phrase with bytes above 127", kResponse, "HTTP/1.1 500 a: \xe4\xf6 b\r\nContent-Length: 1\r\n\r\nx",
       "@0 500 44/1 end\n"},
      {"5.2: folded lines", kResponse, "HTTP/1.1 200 OK\r\nX: y,\r\n \tz\r\nContent-Length:\r\n\t 1\r\n\r\nx",
       "@0 200 54/1 end\n"},
      {"6.3, 1: a response to HEAD has no body", kResponse,
       "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 404 x\r\n\r\n", "@0 200 38/0 end\n@38 404 18/0 end\n",
       false, "HEAD"},
      {"6.3, 1: a chunked response to HEAD has no body", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "@0 200 47/0 end\n", false, "HEAD"},
      {"6.3, 1: 204 and 304 have no body", kResponse,
       "HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n",
       "@0 304 37/0 end\n@37 204 46/0 end\n"},
      {"6.3, 1: 1xx responses before the final one", kResponse,
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
       "1\r\n\r\nx",
       "@0 100 25/0 end\n@25 103 31/0 end\n@56 200 39/1 end\n"},
      {"RFC 2518, 10.1: 102 before the final response", kResponse,
       "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
       "@0 102 27/0 end\n@27 102 18/0 end\n@45 204 18/0 end\n"},
      {"RFC 1945, 6: an HTTP/0.9 response is all body", kResponse, "<html>\n\nHTTP/1.1 200 OK\r\n\r\n",
       "@0 ? 27/27 end\n", true, "0.9"},
      {"RFC 1945, 6: an HTTP/0.9 response that begins like a status line", kResponse, "HTTP/what?\n",
       "@0 ? 11/11 open\n", false, "0.9"},
      {"RFC 1945, 6: an HTTP/1.0 response to an HTTP/0.9 request", kResponse, "HTTP/1.0 400 x\r\n\r\nab",
       "@0 400 20/2 end\n", true, "0.9"},
      {"9110, 15.2.2: the bytes after a 101 are a tunnel", kResponse, "HTTP/1.1 101 x\r\n\r\nHTTP/1.1 200",
       "@0 101 18/0 end\ntunnel 12\n"},
      {"6.3, 2: the bytes after a 2xx to CONNECT are a tunnel", kResponse,
       "HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\nabc", "@0 200 37/0 end\ntunnel 3\n", true, "CONNECT"},
      {"6.3, 2: a 403 to CONNECT has a body", kResponse, "HTTP/1.1 403 x\r\nContent-Length: 1\r\n\r\na",
       "@0 403 38/1 end\n", true, "CONNECT"},
      {"6.3, 3: chunked overrides Content-Length", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "@0 200 77/1 end\n"},
      {"6.3, 4: chunked is the last coding", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "@0 200 64/1 end\n"},
      {"6.3, 4: chunked in a second field", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "@0 200 83/1 end\n"},
      {"6.3, 4: chunked is not the last coding: the body lasts until the close", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\nContent-Length: 1\r\n\r\nabc", "@0 200 75/3 end\n",
       true},
      {"6.3, 5: two lengths in one field", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nabc",
       "@0 200 44/3 end\n", true},
      {"6.3, 5: two lengths in two fields", kResponse,
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc", "@0 200 60/3 end\n", true},
      {"6.3, 5: a negative length", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc", "@0 200 42/3 end\n",
       true},
      {"6.3, 5: a length with a plus sign", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nabc",
       "@0 200 42/3 end\n", true},
      {"6.3, 5: a length of more than 2^64", kResponse,
       "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\na", "@0 200 58/1 end\n", true},
      {"6.3, 5: a hexadecimal length", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 1f\r\n\r\nabc",
       "@0 200 42/3 end\n", true},
      {"6.3, 8: the body lasts until the close", kResponse, "HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
       "@0 200 38/19 end\n", true},
      {"6.3, 8: a body until the close that has not come yet", kResponse, "HTTP/1.0 200 OK\r\n\r\nab",
       "@0 200 21/2 open\n"},
      {"7.1: chunk extensions and trailer fields", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\"b\";c\r\nxy\r\n1 \t;d\r\nz\r\n000;e\r\nT: "
       "u\r\nV:\r\n\r\n",
       "@0 200 91/3 end\n"},
      {"7.1: bare LF in chunk framing", kResponse, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1;x\na\n0\n\n",
       "@0 200 53/1 end\n"},
      {"7.1: content that looks like chunk framing", kResponse,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "@0 200 64/7 end\n"},
      {"8: the stream ends inside a body", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na",
       "@0 200 39/1 open\n", true},
  };
  for (const Case& test : cases) check_every_cut(test);
}

TEST_CASE("http1: an invalid chunk size hides where its message ends") {
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
  // The largest valid size.
  const Case huge{"", kResponse, head + "7fffffffffffffff\r\nab", "@0 200 73/3 open\n"};
  check_every_cut(huge);
}

TEST_CASE("http1: bytes that begin no message are reported as garbage") {
  const Case cases[] = {
      {"binary data", kRequest, "\x16\x03\x01\x02\x00\x01"s, ""},
      {"no method", kRequest, " / HTTP/1.1\r\n\r\n", ""},
      {"a method that is too long", kRequest, std::string(40, 'A'), ""},
      {"a version without a number", kRequest, "GET / HTTP/x\r\n\r\n", ""},
      {"HTTP/0.9: the target is no path", kRequest, "GET x\r\n", ""},
      {"HTTP/0.9: a word after the path", kRequest, "GET / x\r\n", ""},
      {"a version that begins with a dot", kRequest, "GET / HTTP/.1\r\n\r\n", ""},
      {"a version with two dots in a row", kRequest, "GET / HTTP/1..1\r\n\r\n", ""},
      {"HTTP/0.9: an unknown method (RFC 1945, 5)", kRequest, "FETCH /\r\n", ""},
      {"HTTP/0.9: a method in lower case", kRequest, "get /key\r\n", ""},
      {"HTTP/0.9: no method", kRequest, " /\r\n", ""},
      {"SIP (RFC 3261)", kRequest, "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP y\r\n\r\n", ""},
      {"RTSP (RFC 7826)", kRequest, "OPTIONS rtsp://x RTSP/2.0\r\nCSeq: 1\r\n\r\n", ""},
      {"SMTP (RFC 5321)", kRequest, "EHLO mail.example.org\r\n", ""},
      {"SSH", kRequest, "SSH-2.0-OpenSSH_9.2\r\n", ""},
      {"a SIP response", kResponse, "SIP/2.0 200 OK\r\n\r\n", ""},
      {"an RTSP response", kResponse, "RTSP/2.0 200 OK\r\n\r\n", ""},
      {"an SMTP reply", kResponse, "220 mail.example.org ESMTP\r\n", ""},
      {"a status of two digits", kResponse, "HTTP/1.1 20 OK\r\n\r\n", ""},
      {"a status of four digits", kResponse, "HTTP/1.1 2000 OK\r\n\r\n", ""},
      {"no status", kResponse, "HTTP/1.1\r\n\r\n", ""},
      {"a status of letters", kResponse, "HTTP/1.1 OK 200\r\n\r\n", ""},
      {"a request from the server", kResponse, "GET / HTTP/1.1\r\n\r\n", ""},
      {"a response from the client", kRequest, "HTTP/1.1 200 OK\r\n\r\n", ""},
  };
  for (Case test : cases) {
    test.expected = "garbage\n";
    check_every_cut(test);
  }
}

TEST_CASE("http1: after garbage, a later piece can begin a message") {
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

TEST_CASE("http1: a head of 64 KiB is parsed; a longer one hides where its message ends") {
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

/// Bytes to feed, or a gap in them.
struct Piece {
  std::string bytes;
  std::uint64_t gap_bytes = 0;  ///< not 0: the piece is a gap
  bool captured = false;        ///< the gap's bytes were captured, and are skipped since only their number matters
};

/// A gap of `count` bytes that were not captured.
Piece gap(std::uint64_t count) { return {"", count, false}; }
/// A gap of `count` bytes that were captured and skipped.
Piece skipped(std::uint64_t count) { return {"", count, true}; }

std::string parse_pieces(Direction direction, const std::vector<Piece>& pieces, bool is_in_sync = true) {
  Parser parser(direction, 0, is_in_sync);
  Log log;
  for (const Piece& piece : pieces) {
    if (piece.gap_bytes == 0) {
      feed(parser, piece.bytes, log);
    } else {
      parser.skip(piece.gap_bytes, !piece.captured, log);
    }
  }
  return log.text();
}

TEST_CASE("http1: a gap inside a body hides nothing else") {
  const std::string head = "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n";  // 37 bytes
  const std::string next = "HTTP/1.1 204 x\r\n\r\n";
  CHECK(parse_pieces(kResponse, {{head + "ab"}, gap(4), {"ghi" + next}}) ==
        "@0 200 46/9 uncaptured 4 end\n@46 204 18/0 end\n");
  CHECK(parse_pieces(kResponse, {{head}, gap(9), {next}}) == "@0 200 46/9 uncaptured 9 end\n@46 204 18/0 end\n");
  CHECK(parse_pieces(kResponse, {{head}, skipped(5), gap(4), {next}}) ==
        "@0 200 46/9 uncaptured 4 end\n@46 204 18/0 end\n");
  CHECK(parse_pieces(kResponse, {{head}, skipped(9), {next}}) == "@0 200 46/9 end\n@46 204 18/0 end\n");
  const std::string endless = "HTTP/1.0 200 x\r\n\r\n";
  CHECK(parse_pieces(kResponse, {{endless + "a"}, gap(5), skipped(2), {next}}) == "@0 200 44/26 uncaptured 5 open\n");
}

TEST_CASE("http1: a gap over the end of a body hides the beginning of the next message") {
  const std::string head = "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n";
  // The end of the body is known; the gap ends 3 bytes after it.
  CHECK(parse_pieces(kResponse, {{head + "ab"}, gap(10), {"rest"}, {head + "abcdefghi"}}) ==
        "@0 200 46/9 uncaptured 7 end\nlost\n@53 200 46/9 end\n");
}

TEST_CASE("http1: a gap in a head hides where its message ends") {
  CHECK(parse_pieces(kRequest, {{"GET /a HTTP/1.1\r\nHo"}, gap(10), {"x: y\r\n\r\n"}, {"GET /b HTTP/1.1\r\n\r\n"}}) ==
        "@0 GET /a 29/0 uncaptured 10 lost\n@37 GET /b 19/0 end\n");
}

TEST_CASE("http1: a gap in chunk framing hides where the message ends, a gap in chunk data does not") {
  const std::string head = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n";  // 46 bytes
  const std::string next = "HTTP/1.1 204 x\r\n\r\n";
  CHECK(parse_pieces(kResponse, {{head + "5\r\na"}, gap(3), {"e\r\n0\r\n\r\n" + next}}) ==
        "@0 200 61/5 uncaptured 3 end\n@61 204 18/0 end\n");
  CHECK(parse_pieces(kResponse, {{head + "5\r\n"}, gap(5), {"\r\n0\r\n\r\n" + next}}) ==
        "@0 200 61/5 uncaptured 5 end\n@61 204 18/0 end\n");
  // If a gap begins inside a chunk, the rest of this chunk still counts as content.
  CHECK(parse_pieces(kResponse, {{head + "5\r\na"}, gap(6), {"3\r\nabc\r\n0\r\n\r\n"}, {next}}) ==
        "@0 200 56/5 uncaptured 6 lost\n@69 204 18/0 end\n");
  for (const char* const before : {"", "5", "5;x", "1\r\na", "1\r\na\r", "0\r\n", "0\r\nT: u"}) {
    INFO(before);
    const std::string log = parse_pieces(kResponse, {{head + before}, gap(2), {"junk"}, {next}});
    CHECK(log.find(" uncaptured 2 lost\n@") != std::string::npos);
    CHECK(log.ends_with(" 204 18/0 end\n"));
  }
}

TEST_CASE("http1: a gap between messages may hide others") {
  const std::string next = "GET /b HTTP/1.1\r\n\r\n";
  CHECK(parse_pieces(kRequest, {{"GET /a HTTP/1.1\r\n\r\n"}, gap(100), {"rest"}, {next}}) ==
        "@0 GET /a 19/0 end\nlost\n@123 GET /b 19/0 end\n");
  CHECK(parse_pieces(kRequest, {gap(7), {next}}) == "lost\n@7 GET /b 19/0 end\n");
}

TEST_CASE("http1: in the middle of a stream, a request is found at the beginning of a piece or after an empty line") {
  const std::string next = "GET /b HTTP/1.1\r\n\r\n";
  CHECK(parse_pieces(kRequest, {{"x\r\n" + next}, {next + next}}, false) ==
        "@22 GET /b 19/0 end\n@41 GET /b 19/0 end\n");
  CHECK(parse_pieces(kRequest, {{"x\r\n\r\n" + next}}, false) == "@5 GET /b 19/0 end\n");
  CHECK(parse_pieces(kRequest, {gap(5), {next}}, false) == "@5 GET /b 19/0 end\n");
}

TEST_CASE("http1: after a gap the next message is found wherever it begins and however it is cut") {
  struct {
    const char* what;
    Direction direction;
    std::string before, lost_rest, next, expected;
  } const cases[] = {
      {"a response after the rest of a body", kResponse, "HTTP/1.1 200 x\r\n", "bodyHHTTP", "HTTP/1.1 204 x\r\n\r\n",
       "@0 200 26/0 uncaptured 10 lost\n@35 204 18/0 end\n"},
      {"a response after bytes that resemble a status line", kResponse, "HTTP/1.1 200 x\r\n",
       "HTTP/1.1 is a protocol\n", "HTTP/1.1 204 x\r\n\r\n", "@0 200 26/0 uncaptured 10 lost\n@49 204 18/0 end\n"},
      {"a request after the rest of a head", kRequest, "GET /a HTTP/1.1\r\nHo", "st: x\r\nVia: GET / HTTP/1.1\r\n\r\n",
       "GET /b HTTP/1.1\r\n\r\n", "@0 GET /a 29/0 uncaptured 10 lost\n@59 GET /b 19/0 end\n"},
      {"a request after a head with bare LF", kRequest, "GET /a HTTP/1.1\nHo", "st: x\n\n", "OPTIONS * HTTP/1.1\n\n",
       "@0 GET /a 28/0 uncaptured 10 lost\n@35 OPTIONS * 20/0 end\n"},
  };
  for (const auto& test : cases) {
    INFO(test.what);
    const std::string rest = test.lost_rest + test.next;
    for (std::size_t cut = 0; cut <= rest.size(); ++cut) {
      INFO("cut ", cut);
      // The Via field contains a request line. At the beginning of a piece it counts as a request.
      if (test.direction == kRequest && rest.substr(cut).starts_with("GET / ")) continue;
      CHECK(parse_pieces(test.direction, {{test.before}, gap(10), {rest.substr(0, cut)}, {rest.substr(cut)}}) ==
            test.expected);
    }
    std::vector<Piece> bytes{{test.before}, gap(10)};
    for (const char byte : rest) bytes.push_back({std::string(1, byte)});
    // Byte by byte, one piece begins there, so only responses are checked.
    if (test.direction == kResponse) CHECK(parse_pieces(test.direction, bytes) == test.expected);
  }
}

TEST_CASE("http1: a response to an unknown request has no body if a status line follows its head (RFC 9112, 6.3, 1)") {
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

TEST_CASE("http1: bytes held back before a gap begin no message") {
  const std::string next = "HTTP/1.1 204 x\r\n\r\n";
  CHECK(parse_pieces(kResponse, {gap(5), {"HTTP/1.1 2"}, gap(5), {"00 x\r\n\r\n"}, {next}}) ==
        "lost\n@28 204 18/0 end\n");
}

TEST_CASE("http1: skippable() returns the rest of the body or chunk at every byte") {
  const std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();
  struct {
    std::string before, body, after;
    std::uint64_t more;  // bytes of the body after `body`
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

TEST_CASE("http1: pass_content() counts content as feed() does") {
  const Case cases[] = {
      {"Content-Length, and another message", kResponse,
       "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789HTTP/1.1 204 x\r\n\r\n",
       "@0 200 47/9 end\n@47 204 18/0 end\n"},
      {"chunks", kRequest,
       "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
       "@0 PUT / 59/3 end\n@59 GET / 18/0 end\n"},
      {"a body until the close", kResponse, "HTTP/1.1 200 OK\r\n\r\nabc", "@0 200 22/3 end\n", true},
      {"the bytes of a tunnel are not content", kResponse, "HTTP/1.1 101 x\r\n\r\nabc", "@0 101 18/0 end\ntunnel 3\n"},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    const std::string_view bytes = test.bytes;
    const std::size_t head = bytes.find("\r\n\r\n") + 4;
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
      Parser parser(test.direction, 0, true);
      Log log(test.method);
      std::size_t passed = 0, at = std::min(head, step);
      feed(parser, bytes.substr(0, at), log);
      for (; at < bytes.size(); at += step) {
        const std::string_view piece = bytes.substr(at, step);
        if (parser.pass_content(piece.size())) {
          log.on_bytes(test.direction, piece.size(), piece.size());
          ++passed;
        } else {
          feed(parser, piece, log);
        }
      }
      if (test.finished) parser.finish(log);
      CAPTURE(step);
      CHECK(log.text() == test.expected);
      if (step == 1) CHECK((passed != 0) == (test.expected.find("tunnel") == std::string::npos));
    }
  }
  // The request is not known and may be a HEAD: the next bytes decide whether they are content.
  Parser parser(kResponse, 0, true);
  Log log("");
  feed(parser, "HTTP/1.1 200 x\r\nContent-Length: 99\r\n\r\n", log);
  CHECK_FALSE(parser.pass_content(5));
  feed(parser, "abcde", log);
  CHECK(parser.pass_content(5));
}

TEST_CASE("http1: find_head_end() returns the offset after the empty line") {
  CHECK(find_head_end("GET / HTTP/1.1\r\n\r\nbody", 0) == 18);
  CHECK(find_head_end("a\n\nb", 0) == 3);
  CHECK(find_head_end("a\n\r\nb", 0) == 4);
  CHECK(find_head_end("a\r\n\r", 0) == std::string_view::npos);
  CHECK(find_head_end("a\r\nb\r\n", 0) == std::string_view::npos);
  CHECK(find_head_end("", 0) == std::string_view::npos);
}

TEST_CASE("http1: looks_like_start() and is_start_line() return maybe until the bytes decide") {
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
