// fuzz: HTTP/1 messages do not depend on how their bytes are cut.
#include <string>

#include "app/http1/parser.h"
#include "fuzz/script.h"
#include "fuzz/target.h"

namespace wirelap::fuzz {
namespace {

using http1::Framing;
using http1::Head;

/// Writes the parser's events, until it is lost.
class HttpLog {
 public:
  explicit HttpLog(Direction direction) : parser_(direction, 0, true) {}

  void feed(Bytes bytes) { parser_.feed(bytes, *this); }
  void skip(std::uint64_t count) { parser_.skip(count, true, *this); }
  bool is_over() const { return over_; }
  bool operator==(const HttpLog& log) const { return text_ == log.text_; }

  void on_begin(Direction, std::uint64_t offset, bool) { add("begin " + std::to_string(offset)); }
  void on_held(Direction) {}
  Framing on_head(Direction direction, const Head& head) {
    on_start_line(direction, head);
    add(std::string(head.host) + " " + std::string(head.fields));
    Framing framing =
        direction == Direction::to_server ? http1::request_framing(head) : http1::response_framing(head, "GET");
    if (direction == Direction::to_client && head.is_interim()) framing = {};
    framing.doubtful = false;
    return framing;
  }
  void on_start_line(Direction, const Head& head) {
    add(std::string(head.method) + " " + std::string(head.target) + " " + std::to_string(head.status));
  }
  void on_bytes(Direction, std::uint64_t count, std::uint64_t body) {
    require(body <= count);
    bytes_ += count;
    body_ += body;
  }
  void on_not_captured(Direction, std::uint64_t count) { uncaptured_ += count; }
  void on_end(Direction) { close("end"); }
  void on_sync_lost(Direction) {
    close("lost");
    over_ = true;
  }
  void on_unparsed(Direction, std::uint64_t, bool) {}
  void on_tunnel(Direction, std::uint64_t count, bool) { tunnel_ += count; }
  void on_garbage(Direction) {
    add("garbage");
    over_ = true;
  }
  bool is_headless(Direction) const { return false; }
  bool may_begin_inside(Direction) const { return true; }

 private:
  void add(const std::string& line) {
    if (!over_) text_ += line + '\n';
  }
  void close(const std::string& end) {
    add(end + " " + std::to_string(bytes_) + " " + std::to_string(body_) + " " + std::to_string(uncaptured_));
    bytes_ = body_ = uncaptured_ = 0;
  }

  http1::Parser parser_;
  std::string text_;
  std::uint64_t bytes_ = 0, body_ = 0, uncaptured_ = 0, tunnel_ = 0;
  bool over_ = false;
};

}  // namespace

void run_http(Bytes input) {
  const Pieces script = split_script(input);
  check_parser<HttpLog>(script);
  EngineOptions options;
  options.wanted.headers = {"content-type"};
  options.wanted.steps = true;
  play(script, options);
}

}  // namespace wirelap::fuzz
