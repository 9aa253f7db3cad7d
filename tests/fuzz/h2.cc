// HTTP/2: frames do not depend on how their bytes were cut, and a field block
// that is cut off gives no field that the whole one does not.
#include <string>
#include <vector>

#include "app/h2/frame.h"
#include "app/h2/hpack.h"
#include "fuzz/script.h"
#include "fuzz/target.h"

namespace wirelap::fuzz {
namespace {

const std::vector<std::string> kWanted = {"content-type"};

std::string text_of(const h2::FieldSection& section) {
  std::string text = section.unknown ? "unknown" : "";
  for (std::size_t i = 0; i < h2::kFields; ++i) text += section.has[i] ? "|" + std::string(section.values[i]) : "|-";
  for (const auto& value : section.wanted) text += "|" + (value ? std::string(*value) : "-");
  return text;
}

/// Each field that the start of a block has is the whole block's, too.
void check_cut(const h2::FieldSection& cut, const h2::FieldSection& whole) {
  for (std::size_t i = 0; i < h2::kFields; ++i) {
    if (cut.has[i]) require(whole.has[i] && whole.values[i] == cut.values[i]);
  }
}

class H2Log {
 public:
  explicit H2Log(Direction direction)
      : parser_(direction, 0, direction == Direction::to_server ? h2::Start::preface : h2::Start::boundary),
        decoder_(kWanted) {}

  void feed(Bytes bytes) { parser_.feed(bytes, *this); }
  void skip(std::uint64_t count) { parser_.skip(count, true, *this); }
  bool is_over() const { return over_; }
  bool operator==(const H2Log& log) const { return text_ == log.text_; }

  void on_preface(Direction) { say("preface"); }
  void on_begin(Direction, std::uint64_t offset) { begin_ = offset; }
  void on_frame(Direction, const h2::FrameHeader& header) {
    say("frame", {begin_, header.length, header.type, header.flags, header.stream});
    if (header.is(h2::FrameType::headers) || header.is(h2::FrameType::push_promise)) block_.clear();
    ends_block_ = header.carries_fields() && header.has(h2::kEndHeaders);
  }
  void on_setting(Direction, std::uint16_t identifier, std::uint32_t value) {
    say("setting", {identifier, value});
    if (identifier == 1) decoder_.allow_table(value);
    if (identifier == 5) parser_.allow_frame_size(value);
  }
  void on_promise(Direction, std::uint32_t stream) { say("promise", {stream}); }
  void on_goaway(Direction, std::uint32_t last_stream) { say("goaway", {last_stream}); }
  void on_fragment(Direction, Bytes bytes) { test::append(block_, bytes); }
  void on_bytes(Direction, std::uint64_t count, std::uint64_t content, bool missing) {
    require(content <= count);
    bytes_ += count;
    content_ += content;
    missing_ += missing ? count : 0;
  }
  void on_damage(Direction) { say("damage"); }
  void on_end(Direction) {
    if (ends_block_) decode();
    ends_block_ = false;
    say("end", {bytes_, content_, missing_});
    bytes_ = content_ = missing_ = 0;
  }
  void on_lost(Direction, bool missing) {
    if (missing) say("lost");
    over_ = true;  // a boundary that is found again depends on pieces
  }

 private:
  void say(const std::string& what, std::initializer_list<std::uint64_t> numbers = {}) {
    if (over_) return;
    text_ += what;
    for (const std::uint64_t number : numbers) text_ += ' ' + std::to_string(number);
    text_ += '\n';
  }
  void decode() {
    static test::GuardedBuffer guarded;
    if (block_.size() > 60'000) return;
    h2::HpackDecoder copy = decoder_;
    h2::FieldSection whole, cut;
    const std::size_t part = block_.size() * (block_.empty() ? 0 : block_.back()) / 256;
    copy.decode_cut(guarded.hold(Bytes(block_).first(part)), cut);
    const bool good = decoder_.decode(guarded.hold(block_), whole);
    check_cut(cut, whole);
    require(decoder_.table_bytes() <= h2::HpackDecoder::kMaxTableBytes);
    say((good ? "fields " : "malformed ") + text_of(whole));
  }

  h2::FrameParser parser_;
  h2::HpackDecoder decoder_;
  Buffer block_;
  std::string text_;
  std::uint64_t begin_ = 0, bytes_ = 0, content_ = 0, missing_ = 0;
  bool ends_block_ = false, over_ = false;
};

}  // namespace

void run_h2(Bytes input) {
  const Pieces script = take_script(input);
  check_parser<H2Log>(script);
  EngineOptions options;
  options.wanted.headers = kWanted;
  play(script, options);
}

}  // namespace wirelap::fuzz
