// HTTP/2 in clear text: HPACK, frames in pieces of any size, streams that overlap,
// and what a packet that was not captured may change.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/h2/frame_parser.h"
#include "app/h2/hpack.h"
#include "app/h2/huffman.h"
#include "exchange/log.h"
#include "support/packets.h"
#include "support/records.h"
#include "support/run.h"

namespace wirelap::h2 {
namespace {

using test::slurp;

using namespace std::string_literals;
using test::Buffer;

Bytes as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

/// The bytes that these hexadecimal digits stand for. Spaces are ignored.
std::string hex(std::string_view digits) {
  std::string bytes;
  int high = -1;
  for (const char digit : digits) {
    if (digit == ' ') continue;
    const int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
    if (high >= 0) bytes.push_back(static_cast<char>(high << 4 | value));
    high = high < 0 ? value : -1;
  }
  return bytes;
}

const std::vector<std::string> kWanted = {"custom-key", "password",         "cache-control", "date",
                                          "location",   "content-encoding", "set-cookie",    ":scheme"};

/// The fields of a section on one line, pseudo-header fields first. "?": there is an unknown field.
std::string text_of(const FieldSection& section) {
  static constexpr std::string_view names[] = {":method", ":authority", ":path", ":status", "host", "grpc-status"};
  std::string text;
  for (std::size_t i = 0; i < kFields; ++i) {
    if (section.has[i]) text += std::string(names[i]) + "=" + section.values[i] + " ";
  }
  for (std::size_t i = 0; i < section.wanted.size(); ++i) {
    if (section.wanted[i]) text += kWanted[i] + "=" + *section.wanted[i] + " ";
  }
  if (section.has_unknown) text += "? ";
  if (!text.empty()) text.pop_back();
  return text;
}

/// A field block in hexadecimal digits, its fields, and the size of the dynamic table after it.
struct Block {
  std::string name, bytes, fields;
  std::uint64_t table_bytes;
};

void check_blocks(const std::vector<Block>& blocks, HpackDecoder& decoder) {
  FieldSection section;
  for (const Block& block : blocks) {
    INFO(block.name);
    CHECK(decoder.decode(as_bytes(hex(block.bytes)), section));
    CHECK(text_of(section) == block.fields);
    CHECK(decoder.table_bytes() == block.table_bytes);
  }
}

TEST_CASE("hpack: the examples of RFC 7541, appendix C, are decoded") {
  const std::string first = ":method=GET :authority=www.example.com :path=/ :scheme=http";
  const std::string second = ":method=GET :authority=www.example.com :path=/ cache-control=no-cache :scheme=http";
  const std::string third =
      ":method=GET :authority=www.example.com :path=/index.html custom-key=custom-value :scheme=https";
  const std::string reply = "cache-control=private date=Mon, 21 Oct 2013 20:13:21 GMT location=https://www.example.com";
  const std::string last =
      ":status=200 cache-control=private date=Mon, 21 Oct 2013 20:13:22 GMT location=https://www.example.com "
      "content-encoding=gzip set-cookie=foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
  const std::vector<Block> runs[] = {
      {{"C.2.1", "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key=custom-header", 55}},
      {{"C.2.2", "040c 2f73 616d 706c 652f 7061 7468", ":path=/sample/path", 0}},
      {{"C.2.3", "1008 7061 7373 776f 7264 0673 6563 7265 74", "password=secret", 0}},
      {{"C.2.4", "82", ":method=GET", 0}},
      {{"C.3.1", "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", first, 57},
       {"C.3.2", "8286 84be 5808 6e6f 2d63 6163 6865", second, 110},
       {"C.3.3", "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", third, 164}},
      {{"C.4.1", "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", first, 57},
       {"C.4.2", "8286 84be 5886 a8eb 1064 9cbf", second, 110},
       {"C.4.3", "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", third, 164}},
      {{"C.5: a table of 256 bytes", "3fe1 01", "", 0},
       {"C.5.1",
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d "
        "546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        ":status=302 " + reply, 222},
       {"C.5.2", "4803 3330 37c1 c0bf", ":status=307 " + reply, 222},
       {"C.5.3",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f "
        "6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b "
        "2076 6572 7369 6f6e 3d31",
        last, 215}},
      {{"C.6: a table of 256 bytes", "3fe1 01", "", 0},
       {"C.6.1",
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 "
        "8f0b 97c8 e9ae 82ae 43d3",
        ":status=302 " + reply, 222},
       {"C.6.2", "4883 640e ffc1 c0bf", ":status=307 " + reply, 222},
       {"C.6.3",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 "
        "dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        last, 215}},
  };
  for (const std::vector<Block>& run : runs) {
    HpackDecoder decoder(kWanted);
    check_blocks(run, decoder);
  }
}

TEST_CASE("hpack: a malformed block is an error, and the dynamic table is forgotten (RFC 7541)") {
  const std::pair<const char*, std::string> cases[] = {
      {"6.1: an index of 0", "80"},
      {"2.3.3: an index past both tables", "be"},
      {"2.3.3: the index of a name past both tables", "7f00 0161"},
      {"5.1: an integer without an end", "ff ff"},
      {"5.1: an integer with too many octets", "ff 80 80 80 80 80 00"},
      {"5.1: an integer that is too large", "ff ff ff ff ff 0f"},
      {"5.2: a string longer than the block", "40 0a 61"},
      {"5.2: a name without a value", "40 01 61"},
      {"5.2: a literal without strings", "40"},
      {"5.2: a string that contains EOS", "40 84 ff ff ff ff 00"},
      {"5.2: padding of 8 bits", "40 82 1f ff 00"},
      {"5.2: padding of bits that are 0", "40 81 18 00"},
      {"6.3: a table size above the limit of the receiver", "3f e2 1f"},
      {"4.2: a table size update after a field", "82 20"},
  };
  for (const auto& [name, bytes] : cases) {
    INFO(name);
    HpackDecoder decoder(kWanted);
    FieldSection section;
    CHECK(decoder.decode(as_bytes(hex("4001 6101 62")), section));
    if (bytes != "be") CHECK_FALSE(decoder.decode(as_bytes(hex(bytes)), section));
    if (bytes == "be") CHECK_FALSE(decoder.decode(as_bytes(hex("bf")), section));
    CHECK_FALSE(decoder.is_table_known());
    CHECK(decoder.entries() == 0);
    // Each prefix can be decoded without a crash.
    const std::string whole = hex(bytes);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      HpackDecoder cut(kWanted);
      cut.decode(as_bytes(whole.substr(0, size)), section);
    }
  }
}

TEST_CASE("hpack: Huffman codes of each length are decoded") {
  // Some codes of RFC 7541, appendix B.
  const std::pair<std::string, char> codes[] = {
      {"00000", '0'},
      {"01001", 't'},
      {"010100", ' '},
      {"101101", 'u'},
      {"1011100", ':'},
      {"1111011", 'z'},
      {"11111000", '&'},
      {"11111101", 'Z'},
      {"1111111000", '!'},
      {"1111111100", '?'},
      {"11111111010", '\''},
      {"111111111010", '#'},
      {"1111111111000", '\0'},
      {"1111111111101", '~'},
      {"11111111111100", '^'},
      {"111111111111100", '<'},
      {"1111111111111110000", '\\'},
      {"11111111111111100110", '\x80'},
      {"111111111111111111111111111100", '\n'},
  };
  for (const auto& [bits, symbol] : codes) {
    std::string padded = bits;
    while (padded.size() % 8 != 0) padded.push_back('1');
    std::string bytes;
    for (std::size_t at = 0; at < padded.size(); at += 8) {
      bytes.push_back(static_cast<char>(std::stoi(padded.substr(at, 8), nullptr, 2)));
    }
    Text text;
    INFO(bits);
    CHECK(decode_huffman(as_bytes(bytes), text));
    CHECK(std::string(text) == std::string(1, symbol));
  }
}

/// A literal field whose name is in the static table. It is added to the dynamic table unless `pattern` is 0.
std::string literal(int name_index, std::string_view value, int pattern = 0x40) {
  std::string bytes(1, static_cast<char>(pattern | name_index));
  bytes.push_back(static_cast<char>(value.size()));
  return bytes.append(value);
}

TEST_CASE("hpack: of a section and of a dynamic table at most 64 KiB are kept") {
  HpackDecoder decoder(kWanted);
  FieldSection section;
  // 201 times a field of 2900 bytes: the table stays known, and the section is cut (RFC 9113, section 10.5.1).
  const std::string value(2900, 'v');
  std::string block = "\x44\x7f"s + "\xd5\x15"s + value;  // :path, 127 + 2773
  block += std::string(200, '\xbe');
  block += literal(8, "200");
  CHECK(decoder.decode(as_bytes(block), section));
  CHECK(section.find(Field::path)->size() == 2900);
  CHECK(section.find(Field::status) == nullptr);
  CHECK(decoder.entries() == 2);
  CHECK(decoder.is_table_known());
  // The receiver allows a table that is larger than what is kept. Entries that were not kept are unknown.
  decoder.allow_table(1 << 20);
  CHECK(decoder.decode(as_bytes(hex("3fe1ff3f")), section));  // a table of 2^20
  for (int i = 0; i < 30; ++i) CHECK(decoder.decode(as_bytes(block.substr(0, 4 + value.size())), section));
  CHECK(decoder.table_bytes() <= HpackDecoder::kMaxTableBytes);
  CHECK(decoder.decode(as_bytes(hex("be")), section));
  CHECK(section.find(Field::path)->size() == 2900);
  CHECK(decoder.decode(as_bytes(hex("da")), section));
  CHECK(text_of(section) == "?");
}

TEST_CASE("hpack: after a lost block a field is correct or unknown") {
  std::mt19937 random(1);
  int known = 0, unknown = 0;
  for (int run = 0; run < 300; ++run) {
    HpackDecoder whole(kWanted), lossy(kWanted);
    FieldSection truth, seen;
    std::size_t entries = 0;
    for (int block = 0; block < 30; ++block) {
      std::string bytes;
      // Table size updates: to 0 and 4096 bytes, or to 128 bytes.
      if (random() % 10 == 0) bytes = random() % 2 != 0 ? hex("20 3fe11f") : hex("3f61");
      for (int field = 0; field < 4; ++field) {
        const bool can_refer = entries > 2 && field > 0;
        if (can_refer && random() % 2 != 0) {
          bytes.push_back(static_cast<char>(0x80 | (62 + random() % 2)));
        } else {
          bytes += literal(4, "/" + std::to_string(random() % 1000), random() % 4 == 0 ? 0 : 0x40);
        }
      }
      const bool good = whole.decode(as_bytes(bytes), truth);
      entries = whole.entries();
      if (!good) break;  // it refers to an entry that was evicted
      if (random() % 5 == 0) {
        lossy.forget_table();
        continue;
      }
      CHECK(lossy.decode(as_bytes(bytes), seen));
      if (seen.has_unknown) {
        ++unknown;
      } else {
        ++known;
        CHECK(text_of(seen) == text_of(truth));
      }
    }
  }
  CHECK(known > 1000);
  CHECK(unknown > 100);
}

// ------------------------------------------------------------------ frames

std::string frame(FrameType type, int flags, std::uint32_t stream, std::string_view payload = {}) {
  std::string bytes;
  const auto length = static_cast<std::uint32_t>(payload.size());
  for (const int shift : {16, 8, 0}) bytes.push_back(static_cast<char>(length >> shift & 0xff));
  bytes.push_back(static_cast<char>(type));
  bytes.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<char>(stream >> shift & 0xff));
  return bytes.append(payload);
}

std::string number(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

/// Logs each frame on one line:
///
///     @offset type/flags on stream, what its fields contain, [field block], bytes/content, missing bytes
class FrameLog {
 public:
  std::string text;

  void on_preface(Direction) { text += "preface\n"; }
  void on_begin(Direction, std::uint64_t offset) { begin_ = offset; }
  void on_frame(Direction, const FrameHeader& header) {
    text += "@" + std::to_string(begin_) + " " + std::to_string(header.type) + "/" + std::to_string(header.flags) +
            " on " + std::to_string(header.stream_identifier);
    bytes_ = content_ = not_captured_ = 0;
    fragment_.clear();
  }
  void on_setting(Direction, std::uint16_t id, std::uint32_t value) {
    text += " " + std::to_string(id) + "=" + std::to_string(value);
  }
  void on_promise(Direction, std::uint32_t stream) { text += " promises " + std::to_string(stream); }
  void on_goaway(Direction, std::uint32_t last) { text += " last " + std::to_string(last); }
  void on_fragment(Direction, Bytes bytes) { fragment_ += as_text(bytes); }
  void on_bytes(Direction, std::uint64_t count, std::uint64_t content, bool not_captured) {
    CHECK(content <= count);
    bytes_ += count;
    content_ += content;
    not_captured_ += not_captured ? count : 0;
  }
  void on_incomplete(Direction) { text += " incomplete"; }
  void on_end(Direction) {
    if (!fragment_.empty()) text += " [" + fragment_ + "]";
    text += " " + std::to_string(bytes_) + "/" + std::to_string(content_);
    if (not_captured_ != 0) text += " missing " + std::to_string(not_captured_);
    text += "\n";
  }
  void on_sync_lost(Direction, bool) {
    if (!text.empty() && text.back() != '\n') text += " ";
    text += "out of sync\n";
  }

 private:
  std::uint64_t begin_ = 0, bytes_ = 0, content_ = 0, not_captured_ = 0;
  std::string fragment_;
};

struct Case {
  std::string name;
  Direction direction;
  Start start;
  std::string bytes, expected;
};

/// Parses the bytes of `test` in pieces that end at these offsets.
std::string parse_cut(const Case& test, const std::vector<std::size_t>& cuts) {
  FrameParser parser(test.direction, 0, test.start);
  FrameLog log;
  std::size_t from = 0;
  const auto feed = [&](std::size_t to) {
    // A copy of this size, so that the sanitizer detects a read past the end.
    const Buffer copy(test.bytes.begin() + static_cast<std::ptrdiff_t>(from),
                      test.bytes.begin() + static_cast<std::ptrdiff_t>(to));
    parser.feed(copy, log);
    from = to;
  };
  for (const std::size_t cut : cuts) feed(cut);
  feed(test.bytes.size());
  return log.text;
}

constexpr Direction kRequest = Direction::to_server;
constexpr Direction kResponse = Direction::to_client;

TEST_CASE("h2: frames are parsed the same however they are cut (RFC 9113)") {
  const std::string settings = frame(FrameType::settings, 0, 0, hex("0001 00001000 0005 00004000"));
  const Case cases[] = {
      {"3.4: frames follow the preface", kRequest, Start::preface, std::string(kPreface) + settings,
       "preface\n@24 4/0 on 0 1=4096 5=16384 12/0\n"},
      {"3.4: the first bytes are not the preface", kRequest, Start::preface, "PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n",
       "out of sync\n"},
      {"6.1: DATA is content", kResponse, Start::frame, frame(FrameType::data, 1, 1, "abc"), "@0 0/1 on 1 3/3\n"},
      {"6.1: DATA may be empty", kResponse, Start::frame,
       frame(FrameType::data, 1, 1) + frame(FrameType::data, 0, 3, "x"), "@0 0/1 on 1 0/0\n@9 0/0 on 3 1/1\n"},
      {"6.1: padding is not content", kResponse, Start::frame, frame(FrameType::data, 8, 1, "\2abc\0\0"s),
       "@0 0/8 on 1 6/3\n"},
      {"6.1: DATA may consist of padding", kResponse, Start::frame, frame(FrameType::data, 8, 1, "\2\0\0"s),
       "@0 0/8 on 1 3/0\n"},
      {"6.1: padding longer than the frame is an error", kResponse, Start::frame,
       frame(FrameType::data, 8, 1, "\3\0\0"s) + "x", "@0 0/8 on 1 out of sync\n"},
      {"6.1: a padded frame without Pad Length is an error", kResponse, Start::frame,
       frame(FrameType::data, 8, 1) + "x", "out of sync\n"},
      {"6.1: DATA on stream 0 is an error", kResponse, Start::frame, frame(FrameType::data, 0, 0, "x"),
       "out of sync\n"},
      {"6.2: HEADERS has a field block", kRequest, Start::frame, frame(FrameType::headers, 5, 1, "abc"),
       "@0 1/5 on 1 [abc] 3/0\n"},
      {"6.2: padding and priority are not in the field block", kRequest, Start::frame,
       frame(FrameType::headers, 0x2d, 3, "\1" + number(1) + "\x10" + "abc" + "\0"s), "@0 1/45 on 3 [abc] 10/0\n"},
      {"6.2: HEADERS shorter than its priority fields is an error", kRequest, Start::frame,
       frame(FrameType::headers, 0x24, 3, "abc"), "out of sync\n"},
      {"6.3: PRIORITY is passed", kRequest, Start::frame, frame(FrameType::priority, 0, 3, number(0) + "x"),
       "@0 2/0 on 3 5/0\n"},
      {"6.4: RST_STREAM is passed", kRequest, Start::frame, frame(FrameType::rst_stream, 0, 3, number(8)),
       "@0 3/0 on 3 4/0\n"},
      {"6.5: SETTINGS with ACK is empty", kRequest, Start::frame, frame(FrameType::settings, 1, 0),
       "@0 4/1 on 0 0/0\n"},
      {"6.5: a length of SETTINGS that 6 does not divide is an error", kRequest, Start::frame,
       frame(FrameType::settings, 0, 0, "abc"), "out of sync\n"},
      {"6.6: PUSH_PROMISE has a promised stream and a field block", kResponse, Start::frame,
       frame(FrameType::push_promise, 4, 1, number(2) + "abc"), "@0 5/4 on 1 promises 2 [abc] 7/0\n"},
      {"6.6: PUSH_PROMISE of a client is an error", kRequest, Start::frame,
       frame(FrameType::push_promise, 4, 1, number(2) + "abc"), "out of sync\n"},
      {"6.7: PING is passed", kRequest, Start::frame, frame(FrameType::ping, 0, 0, "12345678"), "@0 6/0 on 0 8/0\n"},
      {"6.8: GOAWAY has a last stream", kResponse, Start::frame,
       frame(FrameType::goaway, 0, 0, number(5) + number(0) + "bye"), "@0 7/0 on 0 last 5 11/0\n"},
      {"6.9: WINDOW_UPDATE is passed", kResponse, Start::frame, frame(FrameType::window_update, 0, 0, number(5)),
       "@0 8/0 on 0 4/0\n"},
      {"6.10: CONTINUATION has a fragment of a field block", kRequest, Start::frame,
       frame(FrameType::headers, 1, 1, "ab") + frame(FrameType::continuation, 0, 1, "cd") +
           frame(FrameType::continuation, 4, 1),
       "@0 1/1 on 1 [ab] 2/0\n@11 9/0 on 1 [cd] 2/0\n@22 9/4 on 1 0/0\n"},
      {"6.10: CONTINUATION of another stream is an error", kRequest, Start::frame,
       frame(FrameType::headers, 1, 1, "ab") + frame(FrameType::continuation, 4, 3, "cd"),
       "@0 1/1 on 1 [ab] 2/0\nout of sync\n"},
      {"6.10: CONTINUATION without a field block before it is an error", kRequest, Start::frame,
       frame(FrameType::continuation, 4, 3, "cd"), "out of sync\n"},
      {"6.2: a frame inside a field block is an error", kRequest, Start::frame,
       frame(FrameType::headers, 1, 1, "ab") + frame(FrameType::ping, 0, 0, "12345678"),
       "@0 1/1 on 1 [ab] 2/0\nout of sync\n"},
      {"4.1: a frame of an unknown type is passed", kRequest, Start::frame,
       frame(static_cast<FrameType>(0xfa), 255, 9, "abc"), "@0 250/255 on 9 3/0\n"},
      {"4.2: a frame longer than allowed is an error", kRequest, Start::frame,
       frame(FrameType::data, 0, 1, std::string(16385, 'x')), "out of sync\n"},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    if (test.bytes.size() > 1000) {
      CHECK(parse_cut(test, {}) == test.expected);
      continue;
    }
    std::vector<std::size_t> every;
    for (std::size_t cut = 1; cut < test.bytes.size(); ++cut) every.push_back(cut);
    CHECK(parse_cut(test, {}) == test.expected);
    CHECK(parse_cut(test, every) == test.expected);
    for (const std::size_t cut : every) {
      CHECK(parse_cut(test, {cut}) == test.expected);
      for (std::size_t second = cut + 1; second < test.bytes.size(); ++second) {
        CHECK(parse_cut(test, {cut, second}) == test.expected);
      }
    }
  }
}

TEST_CASE("h2: a gap inside a frame is passed by its length, and a gap over its end needs a new boundary") {
  const std::string bytes = frame(FrameType::data, 8, 1, "\2abcdef\0\0"s) + frame(FrameType::headers, 5, 3, "xyz") +
                            frame(FrameType::settings, 0, 0, std::string(12, '\0')) +
                            frame(FrameType::data, 1, 3, "12345");
  struct Gap {
    std::size_t begin, end;
    std::string expected;
  };
  const std::string headers = "@18 1/5 on 3 [xyz] 3/0\n", settings = "@30 4/0 on 0 0=0 0=0 12/0\n";
  const std::string data = "@0 0/8 on 1 9/6\n", last = "@51 0/1 on 3 5/5\n";
  const Gap gaps[] = {
      // In the content, and in the content and the padding.
      {12, 15, "@0 0/8 on 1 9/6 missing 3\n" + headers + settings + last},
      {12, 18, "@0 0/8 on 1 9/6 missing 6\n" + headers + settings + last},
      // Over the Pad Length: the padding counts as content.
      {9, 12, "@0 0/8 on 1 incomplete 9/9 missing 3\n" + headers + settings + last},
      // In a field block, and in a setting.
      {28, 30, data + "@18 1/5 on 3 incomplete [x] 3/0 missing 2\n" + settings + last},
      {45, 47, data + headers + "@30 4/0 on 0 0=0 incomplete 12/0 missing 2\n" + last},
      // Over the end of a frame. The second piece after it begins with two headers.
      {15, 19, "@0 0/8 on 1 9/6 missing 3\nout of sync\n@30 4/0 on 0 0=0 0=0 12/0\n" + last},
  };
  for (const Gap& gap : gaps) {
    INFO(gap.begin);
    FrameParser parser(kResponse, 0, Start::frame);
    FrameLog log;
    parser.feed(as_bytes(bytes.substr(0, gap.begin)), log);
    parser.skip(gap.end - gap.begin, true, log);
    const std::size_t piece = gap.begin == 15 ? 30 : gap.end;
    parser.feed(as_bytes(bytes.substr(gap.end, piece - gap.end)), log);
    parser.feed(as_bytes(bytes.substr(piece)), log);
    CHECK(log.text == gap.expected);
  }
}

TEST_CASE("h2: three frame headers in a row prove a boundary, in pieces of any size") {
  const std::string chain = frame(FrameType::data, 0, 5, std::string(300, 'a')) +
                            frame(FrameType::data, 0, 7, std::string(300, 'b')) + frame(FrameType::data, 1, 5, "end") +
                            frame(FrameType::ping, 0, 0, "12345678");
  const std::string bytes = std::string(100, '\0') + "\0\0\4\10\0\0\0\0\0"s + chain;
  for (std::size_t piece = 1; piece < 40; ++piece) {
    INFO(piece);
    FrameParser parser(kResponse, 0, Start::unknown);
    parser.limit_stream(1000);
    FrameLog log;
    for (std::size_t at = 0; at < bytes.size(); at += piece) parser.feed(as_bytes(bytes.substr(at, piece)), log);
    CHECK(log.text == "@727 0/1 on 5 3/3\n@739 6/0 on 0 8/0\n");
  }
}

TEST_CASE("h2: zeros, text, counters and noise do not prove a boundary") {
  std::string counters;
  for (std::uint32_t i = 0; i < 5000; ++i) counters += number(i);
  std::mt19937 random(3);
  std::string noise;
  for (int i = 0; i < 100'000; ++i) noise.push_back(static_cast<char>(random()));
  for (const std::string& other : {std::string(20'000, '\0'), std::string(20'000, 'x'), counters, noise}) {
    FrameParser parser(kResponse, 0, Start::unknown);
    parser.limit_stream(1 << 16);
    FrameLog log;
    for (std::size_t at = 0; at < other.size(); at += 1448) parser.feed(as_bytes(other.substr(at, 1448)), log);
    CHECK(log.text.empty());
  }
}

// ------------------------------------------------------------- connections

constexpr bool kClient = true;
constexpr bool kServer = false;

/// Bytes that one end sends, a millisecond after those before.
struct Sent {
  bool client;
  std::string bytes;
  bool not_captured = false;
};

/// A connection.
struct Script {
  std::vector<Sent> sent;
  bool from_syn = true;         // the handshake is captured
  std::size_t piece = 100'000;  // largest payload of a segment
};

/// Makes a capture of the connection and returns its exchanges.
std::vector<Record> run(const Script& script) {
  test::PcapWriter::Options nanoseconds;
  nanoseconds.decimals = 9;
  test::PcapWriter file(nanoseconds);
  Nanos time = kNanosPerSecond;
  std::uint32_t next[2] = {1001, 2001};  // of server, client
  const auto add = [&](bool client, std::uint8_t flags, std::uint32_t sequence, std::string_view payload) {
    test::SegmentSpec spec;
    if (!client) {
      std::swap(spec.source, spec.destination);
      std::swap(spec.source_port, spec.destination_port);
    }
    spec.sequence = sequence;
    spec.acknowledgment = next[client ? 0 : 1];
    spec.flags = flags;
    spec.payload = std::string(payload);
    file.add(time, test::ethernet_frame(spec));
  };
  if (script.from_syn) {
    add(kClient, kSyn, 2000, "");
    add(kServer, kSyn | kAck, 1000, "");
    add(kClient, kAck, 2001, "");
  }
  for (const Sent& sent : script.sent) {
    time += 1'000'000;
    for (std::size_t at = 0; at < sent.bytes.size(); at += script.piece) {
      const std::string_view piece = std::string_view(sent.bytes).substr(at, script.piece);
      std::uint32_t& sequence = next[sent.client ? 1 : 0];
      if (!sent.not_captured) add(sent.client, kAck | kPsh, sequence, piece);
      sequence += static_cast<std::uint32_t>(piece.size());
    }
  }
  return test::exchanges_of(file.bytes());
}

/// A line for each exchange, in the order of their ends: stream, method, target, status and outcome.
std::string lines(const std::vector<Record>& records) {
  std::string text;
  for (const Record& record : records) {
    text += std::to_string(record.stream) + " " + (record.method.empty() ? "?" : record.method) + " " +
            (record.target.empty() ? "?" : record.target) + " " +
            (record.status ? std::to_string(*record.status) : "-") + " " + std::string(record.outcome);
    if (record.grpc_status) text += " grpc " + std::to_string(*record.grpc_status);
    text += "\n";
  }
  return text;
}

/// The first bytes of both ends (RFC 9113, section 3.4). The server also acknowledges the client's SETTINGS.
const std::string kClientPreface = std::string(kPreface) + frame(FrameType::settings, 0, 0);
const std::string kServerPreface = frame(FrameType::settings, 0, 0) + frame(FrameType::settings, 1, 0);

/// HEADERS of a request that do not use the dynamic table: GET or, where a body follows, POST.
std::string request(std::uint32_t stream, std::string_view path, bool ends = true) {
  return frame(FrameType::headers, kEndHeaders | (ends ? kEndStream : 0), stream,
               (ends ? "\x82"s : "\x83"s) + "\x86" + literal(1, "x", 0) + literal(4, path, 0));
}
std::string response(std::uint32_t stream, std::string_view status, bool ends = false) {
  return frame(FrameType::headers, kEndHeaders | (ends ? kEndStream : 0), stream, literal(8, status, 0));
}
std::string data(std::uint32_t stream, std::string_view bytes, bool ends = true) {
  return frame(FrameType::data, ends ? kEndStream : 0, stream, bytes);
}
std::string trailer(std::uint32_t stream, std::string_view name, std::string_view value) {
  std::string block(2, '\0');
  block[1] = static_cast<char>(name.size());
  block += std::string(name) + static_cast<char>(value.size()) + std::string(value);
  return frame(FrameType::headers, kEndHeaders | kEndStream, stream, block);
}
std::string reset(std::uint32_t stream) { return frame(FrameType::rst_stream, 0, stream, number(8)); }

TEST_CASE("h2: each stream is an exchange, and its frames show how it ends (RFC 9113)") {
  struct Test {
    std::string name;
    std::vector<Sent> sent;
    std::string expected;
  };
  const std::string push = frame(FrameType::push_promise, kEndHeaders, 1,
                                 number(2) + "\x82\x86" + literal(1, "x", 0) + literal(4, "/pushed", 0));
  const Test tests[] = {
      {"a request and its response are one exchange",
       {{kClient, kClientPreface + request(1, "/a")}, {kServer, kServerPreface + response(1, "200") + data(1, "abc")}},
       "1 GET /a 200 complete\n"},
      {"interleaved streams are exchanges of their own",
       {{kClient, kClientPreface + request(1, "/a") + request(3, "/b")},
        {kServer, kServerPreface + response(3, "200") + response(1, "404") + data(1, "a", false) + data(3, "b")},
        {kServer, data(1, "c")}},
       "3 GET /b 200 complete\n1 GET /a 404 complete\n"},
      {"the server may send its SETTINGS first",
       {{kServer, frame(FrameType::settings, 0, 0)},
        {kClient, kClientPreface + request(1, "/a")},
        {kServer, response(1, "204", true)}},
       "1 GET /a 204 complete\n"},
      {"8.1: an interim response does not end the request",
       {{kClient, kClientPreface + request(1, "/a")},
        {kServer, kServerPreface + response(1, "100") + response(1, "103")},
        {kServer, response(1, "200", true)}},
       "1 GET /a 200 complete\n"},
      {"8.1: trailers do not change the request, and contain grpc-status",
       {{kClient, kClientPreface + request(1, "/a", false) + data(1, "body", false) + trailer(1, ":method", "PUT")},
        {kServer, kServerPreface + response(1, "200") + data(1, "x", false) + trailer(1, "grpc-status", "13")}},
       "1 POST /a 200 complete grpc 13\n"},
      {"gRPC: a response may consist of its trailers",
       {{kClient, kClientPreface + request(1, "/a")},
        {kServer, kServerPreface + frame(FrameType::headers, 5, 1,
                                         "\x88\0\x0bgrpc-status\1"
                                         "5"s)}},
       "1 GET /a 200 complete grpc 5\n"},
      {"gRPC: a grpc-status that is no number is ignored",
       {{kClient, kClientPreface + request(1, "/a")},
        {kServer, kServerPreface + response(1, "200") + trailer(1, "grpc-status", "-1")}},
       "1 GET /a 200 complete\n"},
      {"8.1: a reset after the whole response completes the exchange",
       {{kClient, kClientPreface + request(1, "/a", false)},
        {kServer, kServerPreface + response(1, "413", true) + reset(1)},
        {kClient, data(1, "late")}},
       "1 POST /a 413 complete\n"},
      {"6.4: a reset by the client ends the stream",
       {{kClient, kClientPreface + request(1, "/a") + request(3, "/b")},
        {kClient, reset(1)},
        {kServer, kServerPreface + response(1, "200") + data(1, "late") + response(3, "200", true)}},
       "1 GET /a - reset\n3 GET /b 200 complete\n"},
      {"6.4: a reset by the server ends the response",
       {{kClient, kClientPreface + request(1, "/a")},
        {kServer, kServerPreface + response(1, "200") + data(1, "x", false) + reset(1)}},
       "1 GET /a 200 reset\n"},
      {"6.8: a GOAWAY ends the streams above its last stream id",
       {{kClient, kClientPreface + request(1, "/a") + request(3, "/b") + request(5, "/c")},
        {kServer, kServerPreface + frame(FrameType::goaway, 0, 0, number(3) + number(0)) + response(1, "200", true)}},
       "5 GET /c - no_response\n1 GET /a 200 complete\n3 GET /b - capture_end\n"},
      {"8.4: a pushed response has the request of its promise",
       {{kClient, kClientPreface + request(1, "/a")},
        {kServer, kServerPreface + push + response(1, "200", true)},
        {kServer, response(2, "200") + data(2, "pushed")}},
       "1 GET /a 200 complete\n2 GET /pushed 200 complete\n"},
      {"8.5: the target of CONNECT is its authority",
       {{kClient, kClientPreface + frame(FrameType::headers, 4, 1, literal(2, "CONNECT", 0) + literal(1, "x:443", 0))},
        {kServer, kServerPreface + response(1, "200") + data(1, "x", false)}},
       "1 CONNECT x:443 200 capture_end\n"},
      {"6.10: CONTINUATION belongs to the field block",
       {{kClient, kClientPreface + frame(FrameType::headers, 1, 1, "\x82\x86" + literal(1, "x", 0)) +
                      frame(FrameType::continuation, 4, 1, literal(4, "/a", 0))},
        {kServer, kServerPreface + response(1, "200", true)}},
       "1 GET /a 200 complete\n"},
      {"5.1.1: HEADERS of an ended or lower stream begin no exchange",
       {{kClient, kClientPreface + request(3, "/a")},
        {kServer, kServerPreface + response(3, "200", true)},
        {kClient, request(3, "/b") + request(1, "/c") + request(5, "/d")},
        {kServer, response(1, "200", true) + response(5, "200", true)}},
       "3 GET /a 200 complete\n5 GET /d 200 complete\n"},
      {"3.4: a server that answers in HTTP/1 has no exchange",
       {{kClient, kClientPreface}, {kServer, "HTTP/1.1 400 Bad Request\r\n\r\n"}},
       ""},
      {"3.4: a client that sends no preface has no exchange",
       {{kServer, frame(FrameType::settings, 0, 0)}, {kClient, "EHLO x\r\n"}},
       ""},
  };
  for (const Test& test : tests) {
    INFO(test.name);
    CHECK(lines(run({test.sent})) == test.expected);
    for (const std::size_t piece : {3, 7, 10}) {
      // Where the server sends first, a piece shorter than a frame header does not show HTTP/2.
      if (!test.sent[0].client && piece < kFrameHeaderBytes) continue;
      CHECK(lines(run({test.sent, true, piece})) == test.expected);
    }
  }
}

TEST_CASE("h2: times and bytes of an exchange are those of its own frames") {
  const std::vector<Record> records = run({{{kClient, kClientPreface + request(1, "/a", false)},
                                            {kClient, request(3, "/b")},
                                            {kServer, kServerPreface + response(3, "100")},
                                            {kClient, data(1, "body")},
                                            {kServer, response(3, "200") + response(1, "200")},
                                            {kServer, frame(FrameType::data, kPadded, 3, "\2ab\0\0"s)},
                                            {kServer, data(1, "xyz")},
                                            {kServer, data(3, "c")}}});
  REQUIRE(records.size() == 2);
  constexpr Nanos kMilli = 1'000'000;
  const Record& upload = records[0];
  CHECK(upload.stream == 1);
  CHECK(upload.send == 3 * kMilli);
  CHECK(upload.wait == 1 * kMilli);
  CHECK(upload.receive == 2 * kMilli);
  CHECK(upload.request_bytes == request(1, "/a", false).size() + 9 + 4);
  CHECK(upload.request_body_bytes == 4);
  CHECK(upload.response_bytes == response(1, "200").size() + 9 + 3);
  CHECK(upload.response_body_bytes == 3);
  const Record& reordered = records[1];
  CHECK(reordered.stream == 3);
  CHECK(reordered.send == 0);
  CHECK(reordered.wait == 3 * kMilli);  // up to the final response
  CHECK(reordered.receive == 3 * kMilli);
  CHECK(reordered.response_bytes == response(3, "100").size() + response(3, "200").size() + 9 + 5 + 9 + 1);
  CHECK(reordered.response_body_bytes == 3);
  CHECK(reordered.protocol == "h2");
}

TEST_CASE("h2: after an upgrade the response to the HTTP/1 request comes on stream 1 (RFC 7540, section 3.2)") {
  const std::string get = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n";
  const std::string switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
  for (const bool apart : {false, true}) {  // the 101 response and the server's first frames
    std::vector<Sent> sent{{kClient, get}};
    sent.push_back({kServer, switching + (apart ? "" : kServerPreface)});
    if (apart) sent.push_back({kServer, kServerPreface});
    sent.push_back({kClient, kClientPreface + request(3, "/b")});
    sent.push_back({kServer, response(3, "404", true) + response(1, "200") + data(1, "abc")});
    for (const std::size_t piece : {100'000, 11, 3}) {
      const std::vector<Record> records = run({sent, true, piece});
      CHECK(lines(records) == "3 GET /b 404 complete\n1 GET /a 200 complete\n");
      REQUIRE(records.size() == 2);
      CHECK(records[1].protocol == "h2");
      CHECK(records[1].host == "x");
      CHECK(records[1].request_bytes == get.size());
      CHECK(records[1].response_bytes == switching.size() + response(1, "200").size() + 9 + 3);
      CHECK(records[1].wait == (apart ? 4 : 3) * 1'000'000);
    }
  }
  // A server that refuses the upgrade goes on with HTTP/1.
  const std::string refused = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  CHECK(lines(run({{{kClient, get}, {kServer, refused}, {kClient, get}, {kServer, refused}}})) ==
        "0 GET /a 200 complete\n0 GET /a 200 complete\n");
}

TEST_CASE("h2: frames that were not captured affect only their streams and the fields that refer to them") {
  // Requests that add fields to the dynamic table, and requests that refer to them.
  const auto adds = [](std::uint32_t stream, std::string_view path) {
    return frame(FrameType::headers, 5, stream, "\x82\x86" + literal(1, "x") + literal(4, path));
  };
  const auto refers = [](std::uint32_t stream) { return frame(FrameType::headers, 5, stream, "\x82\x86\xbf\xbe"); };
  struct Test {
    std::string name;
    Script script;
    std::string expected;
  };
  const Test tests[] = {
      {"a field that refers to an entry in a block that was not captured is unknown",
       {{{kClient, kClientPreface},
         {kServer, kServerPreface},
         {kClient, adds(1, "/a"), true},
         {kServer, response(1, "200", true)},
         {kClient, refers(3)},
         {kServer, response(3, "200", true)},
         {kClient, adds(5, "/b")},
         {kServer, response(5, "200", true)},
         {kClient, refers(7)},
         {kServer, response(7, "200", true)}}},
       "1 ? ? 200 gap\n3 GET ? 200 complete\n5 GET /b 200 complete\n7 GET /b 200 complete\n"},
      {"the beginning of a response",
       {{{kClient, kClientPreface + request(1, "/a") + request(3, "/b")},
         {kServer, kServerPreface},
         {kServer, response(1, "200"), true},
         {kServer, data(1, "abc") + response(3, "200") + data(3, "x")}}},
       "1 GET /a - gap\n3 GET /b 200 complete\n"},
      {"the end of a response",
       {{{kClient, kClientPreface + request(1, "/a") + request(3, "/b")},
         {kServer, kServerPreface + response(1, "200")},
         {kServer, data(1, "abc"), true},
         {kServer, response(3, "200") + data(3, "x")}}},
       "3 GET /b 200 complete\n1 GET /a 200 gap\n"},
      {"a whole response",
       {{{kClient, kClientPreface + request(1, "/a") + request(3, "/b")},
         {kServer, kServerPreface},
         {kServer, response(1, "200", true), true},
         {kServer, response(3, "200") + data(3, "x")}}},
       "3 GET /b 200 complete\n1 GET /a - gap\n"},
      {"a part of the content of DATA",
       {{{kClient, kClientPreface + request(1, "/a")},
         {kServer, kServerPreface + response(1, "200") + data(1, std::string(100, 'x')).substr(0, 50)},
         {kServer, std::string(50, 'x'), true},
         {kServer, std::string(9, 'x')}}},
       "1 GET /a 200 complete\n"},
      {"the body of a request",
       {{{kClient, kClientPreface + request(1, "/a", false)},
         {kClient, data(1, "abc"), true},
         {kClient, request(3, "/b")},
         {kServer, kServerPreface + response(1, "200", true) + response(3, "200", true)}}},
       "1 POST /a 200 gap\n3 GET /b 200 complete\n"},
      {"everything before a request",
       {{{kClient, request(7, "/a")},
         {kServer, response(7, "200") + data(7, "x")},
         {kClient, request(9, "/b")},
         {kServer, response(9, "200", true)}},
        false},
       "7 GET /a 200 complete\n9 GET /b 200 complete\n"},
      {"everything before a response",
       {{{kServer, response(7, "200") + data(7, "x")}, {kClient, adds(9, "/b")}, {kServer, response(9, "200", true)}},
        false},
       "7 ? ? 200 gap\n9 GET /b 200 complete\n"},
      {"everything before fields that refer to the dynamic table",
       {{{kClient, request(7, "/a")},
         {kServer, response(7, "200", true)},
         {kClient, refers(9)},
         {kServer, frame(FrameType::headers, 5, 9, "\xbe")}},
        false},
       "7 GET /a 200 complete\n9 GET ? - complete\n"},
      {"the TCP handshake before the preface",
       {{{kClient, kClientPreface + adds(1, "/a")},
         {kServer, kServerPreface + response(1, "200", true)},
         {kClient, refers(3)},
         {kServer, response(3, "200", true)}},
        false},
       "1 GET /a 200 complete\n3 GET /a 200 complete\n"},
  };
  for (const Test& test : tests) {
    INFO(test.name);
    CHECK(lines(run(test.script)) == test.expected);
  }
}

// ---------------------------------------------------------------- fixtures

/// The capture without one of its packets or, if `snap_length` is not 0, with that packet cut to this length.
std::string without(const std::string& capture, std::size_t packet, std::size_t snap_length) {
  std::string out = capture.substr(0, 24);
  std::size_t number = 1;
  for (std::size_t at = 24; at < capture.size(); ++number) {
    const auto* const header = reinterpret_cast<const std::uint8_t*>(capture.data()) + at;
    const std::uint32_t length = load_le32(header + 8);
    if (number != packet) {
      out += capture.substr(at, 16 + length);
    } else if (snap_length != 0) {
      const auto kept = static_cast<std::uint32_t>(std::min<std::size_t>(length, snap_length));
      out += capture.substr(at, 8);
      for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(kept >> shift));
      out += capture.substr(at + 12, 4 + kept);
    }
    at += 16 + length;
  }
  return out;
}

/// The client's port and the stream.
using Key = std::pair<std::uint64_t, std::uint32_t>;

/// Checks that everything in `record` is unknown or the same as in the record of the whole capture.
void check_nothing_wrong(const Record& record, const Record& whole) {
  CHECK((record.method.empty() || record.method == whole.method));
  CHECK((record.host.empty() || record.host == whole.host));
  CHECK((record.target.empty() || record.target == whole.target));
  CHECK((!record.status || record.status == whole.status));
  CHECK((!record.grpc_status || record.grpc_status == whole.grpc_status));
  if (record.outcome != whole.outcome) {
    CHECK(record.outcome == "gap");
  } else if (record.outcome == "complete") {
    CHECK(record.response_bytes == whole.response_bytes);
    CHECK(record.request_bytes == whole.request_bytes);
    if (record.missing_bytes == 0) CHECK(record.response_body_bytes == whole.response_body_bytes);
  }
}

TEST_CASE("h2: a packet that is removed or cut changes only the exchanges that it belongs to") {
  for (const std::string name : {"h2", "h2c", "grpc"}) {
    const std::string capture = slurp("fixtures/" + name + ".pcap");
    const std::vector<Record> exchanges = test::exchanges_of(as_bytes(capture));
    std::map<Key, Record> whole;
    for (const Record& record : exchanges) whole.emplace(Key{record.client_port, record.stream}, record);
    REQUIRE(whole.size() == exchanges.size());
    REQUIRE(exchanges.size() > 4);
    std::size_t packets = 0, changed = 0;
    for (std::size_t at = 24; at < capture.size(); ++packets) {
      at += 16 + load_le32(reinterpret_cast<const std::uint8_t*>(capture.data()) + at + 8);
    }
    const std::size_t step = packets > 200 ? 3 : 1;
    for (std::size_t packet = 1; packet <= packets; packet += step) {
      for (const std::size_t snap_length : {0, 66 + 20}) {
        CAPTURE(name);
        CAPTURE(packet);
        CAPTURE(snap_length);
        std::map<Key, std::string> outcomes;
        for (const Record& record : test::exchanges_of(as_bytes(without(capture, packet, snap_length)))) {
          // Without the 101 response the upgrade is not known, and its exchange is one of HTTP/1, without a stream.
          const auto found = whole.find({record.client_port, std::max<std::uint32_t>(record.stream, 1)});
          REQUIRE(found != whole.end());
          CHECK(outcomes.emplace(found->first, record.outcome).second);
          CAPTURE(record.stream);
          check_nothing_wrong(record, found->second);
        }
        const auto is_touched = [&](const Record& record) {
          return record.first_frame <= packet && packet <= record.last_frame;
        };
        for (const auto& [key, record] : whole) {
          const auto upgraded = whole.find({record.client_port, 1});
          const bool upgrade = name == "h2c" && upgraded != whole.end() && is_touched(upgraded->second);
          const bool touched = is_touched(record) || upgrade;
          const bool same = outcomes.count(key) != 0 && outcomes[key] == record.outcome;
          CAPTURE(key.second);
          CHECK((touched || same));
          changed += same ? 0 : 1;
        }
      }
    }
    CHECK(changed < packets);
  }
}

TEST_CASE("h2: the oldest streams are evicted when too many are open") {
  test::PcapWriter file;
  std::uint32_t sequence = 2001;
  const auto add = [&](const std::string& payload, std::uint8_t flags) {
    test::SegmentSpec spec;
    spec.sequence = sequence;
    spec.flags = flags;
    sequence += static_cast<std::uint32_t>(payload.size()) + ((flags & kSyn) != 0 ? 1 : 0);
    spec.payload = payload;
    file.add(kNanosPerSecond, test::ethernet_frame(spec));
  };
  sequence = 2000;
  add("", kSyn);
  std::string bytes = kClientPreface;
  for (std::uint32_t stream = 1; stream < 40'000; stream += 2) {
    bytes += frame(FrameType::headers, 5, stream, "\x82\x84");
    if (bytes.size() > 30'000) add(std::exchange(bytes, {}), kAck);
  }
  add(bytes, kAck);
  const std::vector<Record> records = test::exchanges_of(file.bytes());
  CHECK(records.size() == 20'000);
  CHECK(std::count_if(records.begin(), records.end(), [](const Record& record) {
          return record.outcome == "evicted";
        }) == 20'000 - static_cast<std::ptrdiff_t>(ExchangeLog::kMaxOpen));
}

}  // namespace
}  // namespace wirelap::h2
