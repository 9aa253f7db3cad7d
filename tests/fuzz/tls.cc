// TLS: the records do not depend on how the bytes were cut into pieces, and the
// hellos are not read past their ends.
#include <string>

#include "app/tls/hello.h"
#include "app/tls/record_parser.h"
#include "base/bytes.h"
#include "fuzz/script.h"
#include "fuzz/target.h"

namespace wirelap::fuzz {
namespace {

/// Parses one direction and logs its records. Tries each fragment as a hello.
class RecordLog {
 public:
  explicit RecordLog(Direction direction) : parser_(direction, 0) {}

  void feed(Bytes bytes) { parser_.feed(bytes, *this); }
  void skip(std::uint64_t count) { parser_.skip(count, true, *this); }
  bool is_over() const { return !parser_.is_in_sync(); }
  bool operator==(const RecordLog& log) const { return text_ == log.text_; }

  void on_begin(Direction, std::uint64_t offset) { begin_ = offset; }
  void on_record(Direction, tls::ContentType type, std::uint16_t length) {
    text_ += std::to_string(begin_) + " " + std::to_string(static_cast<int>(type)) + " " + std::to_string(length);
  }
  void on_fragment(Direction, Bytes bytes) {
    content_ += bytes.size();
    for (const bool is_client : {true, false}) decode_hello(bytes, is_client);
  }
  void on_skipped(Direction, std::uint64_t count, bool) { skipped_ += count; }
  void on_end(Direction) {
    text_ += " " + std::to_string(content_) + " " + std::to_string(skipped_) + "\n";
    content_ = skipped_ = 0;
  }
  void on_unparsed(Direction, std::uint64_t, std::uint64_t, bool) {}

 private:
  static void decode_hello(Bytes bytes, bool is_client) {
    if (bytes.size() < tls::kHandshakeHeaderBytes) return;
    const Bytes body = bytes.subspan(tls::kHandshakeHeaderBytes);
    if (is_client) {
      if (const auto hello = tls::decode_client_hello(body)) require(hello->server_name.size() <= body.size());
    } else {
      if (const auto hello = tls::decode_server_hello(body)) require(hello->alpn.size() <= body.size());
    }
  }

  tls::RecordParser parser_;
  std::string text_;
  std::uint64_t begin_ = 0, content_ = 0, skipped_ = 0;
};

}  // namespace

void run_tls(Bytes input) {
  const Pieces script = split_script(input);
  check_parser<RecordLog>(script);
  play(script, {});
}

}  // namespace wirelap::fuzz
