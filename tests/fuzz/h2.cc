// HTTP/2: the frames do not depend on how the bytes were cut into pieces, and a
// field block that is cut off has no field that the whole block does not have.
#include <string>
#include <vector>

#include "app/h2/frame_parser.h"
#include "app/h2/hpack.h"
#include "fuzz/script.h"
#include "fuzz/target.h"

namespace wirelap::fuzz {
namespace {

const std::vector<std::string> kWanted = {"content-type"};

std::string text_of(const h2::FieldSection& section) {
  std::string text = section.has_unknown ? "unknown" : "";
  for (std::size_t i = 0; i < h2::kFields; ++i) text += section.has[i] ? "|" + std::string(section.values[i]) : "|-";
  for (const auto& value : section.wanted) text += "|" + (value ? std::string(*value) : "-");
  return text;
}

/// Checks that each field of the first part of a block is also in the whole block.
void check_prefix(const h2::FieldSection& prefix, const h2::FieldSection& whole) {
  for (std::size_t i = 0; i < h2::kFields; ++i) {
    if (prefix.has[i]) require(whole.has[i] && whole.values[i] == prefix.values[i]);
  }
}

/// Parses one direction and logs the events of its frames.
class FrameLog {
 public:
  explicit FrameLog(Direction direction)
      : parser_(direction, 0, direction == Direction::to_server ? h2::Start::preface : h2::Start::frame),
        decoder_(kWanted) {}

  void feed(Bytes bytes) { parser_.feed(bytes, *this); }
  void skip(std::uint64_t count) { parser_.skip(count, true, *this); }
  bool is_over() const { return over_; }
  bool operator==(const FrameLog& log) const { return text_ == log.text_; }

  void on_preface(Direction) { add("preface"); }
  void on_begin(Direction, std::uint64_t offset) { begin_ = offset; }
  void on_frame(Direction, const h2::FrameHeader& header) {
    add("frame", {begin_, header.length, header.type, header.flags, header.stream_identifier});
    if (header.is(h2::FrameType::headers) || header.is(h2::FrameType::push_promise)) block_.clear();
    ends_block_ = header.carries_fields() && header.has(h2::kEndHeaders);
  }
  void on_setting(Direction, std::uint16_t identifier, std::uint32_t value) {
    add("setting", {identifier, value});
    if (identifier == 1) decoder_.allow_table(value);
    if (identifier == 5) parser_.allow_frame_size(value);
  }
  void on_promise(Direction, std::uint32_t promised_stream) { add("promise", {promised_stream}); }
  void on_goaway(Direction, std::uint32_t last_stream) { add("goaway", {last_stream}); }
  void on_fragment(Direction, Bytes bytes) { test::append(block_, bytes); }
  void on_bytes(Direction, std::uint64_t count, std::uint64_t content, bool not_captured) {
    require(content <= count);
    bytes_ += count;
    content_ += content;
    not_captured_ += not_captured ? count : 0;
  }
  void on_incomplete(Direction) { add("incomplete"); }
  void on_end(Direction) {
    if (ends_block_) decode();
    ends_block_ = false;
    add("end", {bytes_, content_, not_captured_});
    bytes_ = content_ = not_captured_ = 0;
  }
  void on_sync_lost(Direction, bool not_captured) {
    if (not_captured) add("out of sync");
    over_ = true;  // where the parser finds a boundary again depends on the pieces
  }

 private:
  void add(const std::string& event, std::initializer_list<std::uint64_t> numbers = {}) {
    if (over_) return;
    text_ += event;
    for (const std::uint64_t number : numbers) text_ += ' ' + std::to_string(number);
    text_ += '\n';
  }
  void decode() {
    static test::GuardedBuffer guarded;
    if (block_.size() > 60'000) return;
    h2::HpackDecoder copy = decoder_;
    h2::FieldSection whole, prefix;
    const std::size_t part = block_.size() * (block_.empty() ? 0 : block_.back()) / 256;
    copy.decode_prefix(guarded.hold(Bytes(block_).first(part)), prefix);
    const bool good = decoder_.decode(guarded.hold(block_), whole);
    check_prefix(prefix, whole);
    require(decoder_.table_bytes() <= h2::HpackDecoder::kMaxTableBytes);
    add((good ? "fields " : "malformed ") + text_of(whole));
  }

  h2::FrameParser parser_;
  h2::HpackDecoder decoder_;
  Buffer block_;
  std::string text_;
  std::uint64_t begin_ = 0, bytes_ = 0, content_ = 0, not_captured_ = 0;
  bool ends_block_ = false, over_ = false;
};

}  // namespace

void run_h2(Bytes input) {
  const Pieces script = split_script(input);
  check_parser<FrameLog>(script);
  EngineOptions options;
  options.wanted.headers = kWanted;
  play(script, options);
}

}  // namespace wirelap::fuzz
