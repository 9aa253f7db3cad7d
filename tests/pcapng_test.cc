// capture/: pcapng (draft-ietf-opsawg-pcapng), block by block, and the errors of damaged captures.

#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "capture/pcapng.h"
#include "support/guarded.h"
#include "support/pcapng.h"
#include "support/read.h"

namespace wirelap::test {
namespace {

using Kind = Error::Kind;

constexpr std::uint64_t kSecond = 1'000'000;  // in the default unit of if_tsresol
constexpr std::uint64_t kStart = 1'700'000'000 * kSecond;

Buffer frame_of(std::size_t bytes, std::uint8_t fill) { return Buffer(bytes, fill); }

Nanos nanos(std::uint64_t micros) { return static_cast<Nanos>(micros) * kNanosPerMicro; }

/// A section in one byte order with a block of each kind.
void add_sample_section(PcapngWriter& writer) {
  const Buffer nothing;
  writer.interface(kLinkEthernet, joined({writer.option(2, bytes_of("eth0")), writer.end_of_options()}), 0);
  writer.enhanced(0, kStart, frame_of(61, 'a'), joined({writer.flags(1), writer.end_of_options()}));
  writer.block(4, Buffer(8));                                 // name resolution (4.5)
  writer.interface(kLinkRaw, writer.resolution(9), 100);
  writer.enhanced(1, (kStart + 1) * 1000 + 7, frame_of(100, 'b'), nothing, 9000);
  writer.obsolete(0, 3, kStart + 2, frame_of(2, 'c'), writer.flags(2));
  writer.block(5, Buffer(12));                                // interface statistics (4.6)
  writer.simple(frame_of(7, 'd'), 7);
  writer.block(10, Buffer(12));                               // secrets (4.7)
  writer.enhanced(0, kStart + 3, nothing);
  writer.block(0x77777777, Buffer(40));                       // unknown
}

std::vector<Copy> sample_records(std::uint64_t before = 0) {
  return {{nanos(kStart), before + 1, frame_of(61, 'a'), 61, kLinkEthernet},
          {nanos(kStart + 1) + 7, before + 2, frame_of(100, 'b'), 9000, kLinkRaw},
          {nanos(kStart + 2), before + 3, frame_of(2, 'c'), 2, kLinkEthernet},
          {nanos(kStart + 2), before + 4, frame_of(7, 'd'), 7, kLinkEthernet},
          {nanos(kStart + 3), before + 5, {}, 0, kLinkEthernet}};
}

PcapngWriter sample_capture(bool big_endian = false) {
  PcapngWriter writer(big_endian);
  add_sample_section(writer);
  return writer;
}

/// The error text of a capture with one interface and the blocks that `add` appends.
std::string damage_of(const std::function<void(PcapngWriter&)>& add, bool big_endian = false) {
  PcapngWriter writer(big_endian);
  writer.interface();
  add(writer);
  return read_error(writer.bytes());
}

TEST_CASE("pcapng: every kind of block is read in both byte orders; the sizes of windows and pipe pieces change nothing") {
  for (const bool big_endian : {false, true}) {
    CAPTURE(big_endian);
    const PcapngWriter capture = sample_capture(big_endian);
    const auto check = [](const ReadResult& result) {
      CHECK(result.records == sample_records());
      CHECK_FALSE(result.error);
      CHECK(result.decimals == 9);
    };
    for (const std::size_t window : {1, 12, 100, 4096, 1 << 20}) check(read_file_by(capture.bytes(), window));
    for (const std::size_t piece : {1, 2, 3, 7, 4096}) {
      for (const std::size_t window : {1, 100, 1 << 20}) check(read_pipe_by(capture.bytes(), piece, window));
    }
  }
}

// Section 4.1: interfaces are numbered from 0 in each section.
TEST_CASE("pcapng: each section has its own byte order and its own interfaces") {
  PcapngWriter writer(false);
  std::vector<Copy> expected;
  for (const bool big_endian : {true, true, false, true}) {
    writer.section(big_endian);
    add_sample_section(writer);
    const std::vector<Copy> more = sample_records(expected.size());
    expected.insert(expected.end(), more.begin(), more.end());
  }
  for (const ReadResult& result : {read_file_by(writer.bytes(), 1), read_pipe_by(writer.bytes(), 7)}) {
    CHECK(result.records == expected);
    CHECK_FALSE(result.error);
  }
  writer.section(false);
  writer.enhanced(0, 0, frame_of(1, 'x'));  // interface 0 of the previous section is not valid here
  const auto error = read_file(writer.bytes()).error;
  REQUIRE(error);
  CHECK(error->what == "damaged: the packet's interface is 0, the section describes 0 (numbered from 0)");
}

// Section 4.2, if_tsresol and if_tsoffset.
TEST_CASE("pcapng: timestamps of every resolution are converted to nanoseconds") {
  struct Case {
    std::string name;
    std::uint8_t resolution;
    std::int64_t offset_s;
    std::uint64_t units;
    Nanos time;
    int decimals;
  };
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  const Case cases[] = {
      {"seconds", 0, 0, 1'700'000'000, 1'700'000'000'000'000'000, 6},
      {"milliseconds", 3, 0, 1'700'000'000'123, 1'700'000'000'123'000'000, 6},
      {"microseconds", 6, 0, 1'700'000'000'123'456, 1'700'000'000'123'456'000, 6},
      {"ten to the -7", 7, 0, 17'000'000'001'234'567, 1'700'000'000'123'456'700, 7},
      {"nanoseconds", 9, 0, 1'700'000'000'123'456'789, 1'700'000'000'123'456'789, 9},
      {"picoseconds", 12, 1'700'000'000, 123'456'789'012, 1'700'000'000'123'456'789, 9},
      {"ten to the -28: 2^64 units are 1 ns", 28, 5, kMost, 5'000'000'001, 9},
      {"ten to the -29", 29, 5, kMost, 5'000'000'000, 9},
      {"ten to the -127", 127, 5, kMost, 5'000'000'000, 9},
      {"two to the 0", 0x80, 0, 3, 3'000'000'000, 9},
      {"halves", 0x81, 0, 3, 1'500'000'000, 9},
      {"1024ths", 0x8a, 0, 1'700'000'000 * 1024ull + 1, 1'700'000'000'000'976'562, 9},
      {"two to the -32, as in NTP", 0xa0, 0, 1'700'000'000ull << 32 | 0x80000000, 1'700'000'000'500'000'000, 9},
      {"two to the -64", 0xc0, 7, kMost, 7'999'999'999, 9},
      {"two to the -127", 0xff, 7, kMost, 7'000'000'000, 9},
      {"offset", 6, 1'000'000'000, 700'000'000'000'001, 1'700'000'000'000'001'000, 6},
      {"negative offset", 6, -10, 12'000'000, 2'000'000'000, 6},
      {"before 1970", 6, -13, 12'000'000, 0, 6},
      {"long before 1970", 6, INT64_MIN, 0, 0, 6},
      {"in 2107", 6, 0, 4'323'283'200'000'000, 4'323'283'200'000'000'000, 6},
      {"the latest time", 9, 0, 4'600'000'000'000'000'000, pcapng::kLatestTime, 9},
      {"after the latest time", 9, 0, 4'600'000'000'000'000'001, pcapng::kLatestTime, 9},
      {"long after the latest time", 0, INT64_MAX, kMost, pcapng::kLatestTime, 6},
  };
  for (const Case& test : cases) {
    for (const bool big_endian : {false, true}) {
      INFO(test.name);
      PcapngWriter writer(big_endian);
      writer.interface(kLinkEthernet, joined({writer.resolution(test.resolution), writer.offset(test.offset_s)}));
      writer.enhanced(0, test.units, frame_of(1, 'x'));
      const ReadResult result = read_file(writer.bytes());
      REQUIRE(result.records.size() == 1);
      CHECK(result.records[0].time == test.time);
      CHECK(result.decimals == test.decimals);
    }
  }
}

TEST_CASE("pcapng: timestamps without options are microseconds; the finest interface so far determines the decimals") {
  PcapngWriter writer;
  CHECK(read_file(writer.bytes()).decimals == 6);
  writer.interface();
  CHECK(read_file(writer.bytes()).decimals == 6);
  writer.interface(kLinkEthernet, writer.resolution(8));
  CHECK(read_file(writer.bytes()).decimals == 8);
  writer.section(true);
  writer.interface();
  writer.enhanced(0, 5, frame_of(1, 'x'));
  const ReadResult result = read_file(writer.bytes());
  CHECK(result.decimals == 8);
  REQUIRE(result.records.size() == 1);
  CHECK(result.records[0].time == 5000);
}

// Section 3.5: a list of options may end without opt_endofopt; bytes behind that are not options.
TEST_CASE("pcapng: option lists with and without an end are read; unknown options are skipped") {
  const PcapngWriter writer;
  struct Case {
    std::string name;
    Buffer options;
    Nanos time;  // of 1000 units
  };
  const Case cases[] = {
      {"none", {}, 1'000'000},
      {"without an end", writer.resolution(9), 1000},
      {"with an end", joined({writer.resolution(9), writer.end_of_options()}), 1000},
      {"an option behind the end", joined({writer.end_of_options(), writer.resolution(9)}), 1'000'000},
      {"other bytes behind the end", joined({writer.resolution(9), writer.end_of_options(), Buffer(4, 0xff)}), 1000},
      {"other options before it, with padding",
       joined({writer.option(1, bytes_of("comment")), writer.option(2, bytes_of("x")), writer.option(0x8bad, Buffer(9)),
               writer.option(3, {}), writer.resolution(9)}),
       1000},
      {"twice: the last one counts", joined({writer.resolution(3), writer.resolution(9)}), 1000},
      {"empty comment", joined({writer.option(1, {}), writer.resolution(9)}), 1000},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    PcapngWriter capture;
    capture.interface(kLinkEthernet, test.options);
    capture.enhanced(0, 1000, frame_of(3, 'x'));
    const ReadResult result = read_file(capture.bytes());
    CHECK_FALSE(result.error);
    REQUIRE(result.records.size() == 1);
    CHECK(result.records[0].time == test.time);
    CHECK(result.records[0].bytes == frame_of(3, 'x'));
  }
}

// Section 4.4: the captured length is the smaller of the packet's length and the first interface's snaplen.
TEST_CASE("pcapng: a simple packet has the time of the packet before it and the link type of the first interface") {
  struct Case {
    std::uint32_t snap_length, wire_length;
    std::size_t in_block, captured;
  };
  const Case cases[] = {{0, 10, 10, 10}, {64, 10, 10, 10}, {64, 64, 64, 64}, {64, 1500, 64, 64}, {3, 1500, 4, 3},
                        {0, 0, 0, 0},    {64, 10, 64, 10}};
  for (const Case& test : cases) {
    CAPTURE(test.snap_length);
    CAPTURE(test.wire_length);
    PcapngWriter writer;
    writer.interface(kLinkRaw, {}, test.snap_length);
    writer.interface(kLinkEthernet);
    writer.simple(frame_of(test.in_block, 's'), test.wire_length);
    writer.enhanced(1, kStart, frame_of(1, 'e'));
    writer.simple(frame_of(test.in_block, 's'), test.wire_length);
    const ReadResult result = read_file(writer.bytes());
    CHECK_FALSE(result.error);
    REQUIRE(result.records.size() == 3);
    const Buffer kept = frame_of(test.captured, 's');
    CHECK(result.records[0] == Copy{0, 1, kept, test.wire_length, kLinkRaw});
    CHECK(result.records[2] == Copy{nanos(kStart), 3, kept, test.wire_length, kLinkRaw});
  }
}

// if_fcslen (section 4.2) is in bits, but the draft's example is in bytes. epb_flags (section 4.3.1) are in bytes and
// take precedence.
TEST_CASE("pcapng: a frame check sequence is removed from the packet") {
  struct Case {
    std::string name;
    int fcs_length;  // -1: no option
    int flags;       // -1: no option
    std::size_t captured;
    int wire_length;
    std::size_t kept;
    std::uint32_t length;
  };
  const Case cases[] = {
      {"not recorded", -1, -1, 64, 64, 64, 64},
      {"none", 0, -1, 64, 64, 64, 64},
      {"32 bits", 32, -1, 64, 64, 60, 60},
      {"16 bits", 16, -1, 64, 64, 62, 62},
      {"4, which can only be bytes", 4, -1, 64, 64, 60, 60},
      {"in the packet's flags", -1, 2 << 5, 64, 64, 62, 62},
      {"the packet's flags take precedence", 32, 2 << 5, 64, 64, 62, 62},
      {"not in the packet's flags", 32, 1, 64, 64, 60, 60},
      {"not captured", 32, -1, 50, 64, 50, 60},
      {"captured in part", 32, -1, 62, 64, 60, 60},
      {"longer than the packet", 255, -1, 3, 3, 0, 0},
      {"a captured length greater than the length on the wire", 32, -1, 64, 10, 60, 60},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    PcapngWriter writer(true);
    Buffer of_interface, of_packet;
    if (test.fcs_length >= 0) of_interface = writer.option(13, Buffer{static_cast<std::uint8_t>(test.fcs_length)});
    if (test.flags >= 0) of_packet = writer.flags(static_cast<std::uint32_t>(test.flags));
    writer.interface(kLinkEthernet, of_interface);
    writer.enhanced(0, 0, frame_of(test.captured, 'x'), of_packet, test.wire_length);
    const ReadResult result = read_file(writer.bytes());
    REQUIRE(result.records.size() == 1);
    CHECK(result.records[0].bytes == frame_of(test.kept, 'x'));
    CHECK(result.records[0].length == test.length);
  }
}

// As in tshark 4.0.
TEST_CASE("pcapng: event blocks count when packets are numbered, other blocks do not") {
  struct Case {
    std::uint32_t type;
    std::uint64_t number;  // of the packet behind the block
  };
  const Case cases[] = {{4, 1}, {5, 1}, {9, 2}, {10, 1}, {0xbad, 2}, {0x40000bad, 2}, {0x204, 2}, {0x20, 1}, {0x80000001, 1}};
  for (const Case& test : cases) {
    CAPTURE(test.type);
    PcapngWriter writer;
    writer.interface();
    writer.block(test.type, Buffer(16));
    writer.enhanced(0, 0, frame_of(1, 'x'));
    const ReadResult result = read_file(writer.bytes());
    REQUIRE(result.records.size() == 1);
    CHECK(result.records[0].number == test.number);
  }
}

TEST_CASE("pcapng: the error of a damaged block has its number and offset; the blocks before it are read") {
  const auto body_of = [](const PcapngWriter& writer, std::initializer_list<std::uint32_t> fields) {
    Buffer body;
    for (const std::uint32_t field : fields) writer.put_32(body, field);
    return body;
  };
  struct Case {
    std::string name;
    std::function<void(PcapngWriter&)> add;
    std::string problem;
  };
  const auto length_of_last = [](PcapngWriter& writer, std::size_t from_start, std::uint32_t length) {
    Buffer field;
    writer.put_32(field, length);
    std::copy(field.begin(), field.end(), writer.bytes().begin() + static_cast<std::ptrdiff_t>(writer.starts().back() + from_start));
  };
  const Case cases[] = {
      {"a length over 16 MiB (the limit)",
       [&](PcapngWriter& writer) { writer.block(6, Buffer(20)); length_of_last(writer, 4, (16 << 20) + 4); },
       "the block's length is 16777220 bytes, the maximum is 16777216"},
      {"a length under 12 (3.1)",
       [&](PcapngWriter& writer) { writer.block(6, Buffer(20)); length_of_last(writer, 4, 8); },
       "the block's length is 8 bytes, the minimum is 12"},
      {"a length that is not a multiple of 4 (3.1)",
       [&](PcapngWriter& writer) { writer.block(6, Buffer(20)); length_of_last(writer, 4, 31); },
       "the block's length is 31 bytes, which is not a multiple of 4"},
      {"two different lengths (3.1)",
       [&](PcapngWriter& writer) { writer.block(6, Buffer(20)); length_of_last(writer, 28, 36); },
       "the block's length is 32 bytes at its start, 36 at its end"},
      {"a section without the byte-order magic (4.1)", [&](PcapngWriter& writer) { writer.block(0x0a0d0d0a, Buffer(16)); },
       "the section header has no byte-order magic"},
      {"a short section header (4.1)",
       [&](PcapngWriter& writer) { writer.block(0x0a0d0d0a, body_of(writer, {0x1a2b3c4d, 0, 0})); },
       "a section header has at least 28 bytes, this one has 24"},
      {"a section of another version (4.1)", [&](PcapngWriter& writer) { writer.section(true, 2, 7); },
       "the section's version is 2.7, wirelap reads 1.0"},
      {"a short interface description (4.2)", [&](PcapngWriter& writer) { writer.block(1, Buffer(4)); },
       "an interface description has at least 20 bytes, this one has 16"},
      {"a short enhanced packet (4.3)", [&](PcapngWriter& writer) { writer.block(6, Buffer(16)); },
       "an enhanced packet block has at least 32 bytes, this one has 28"},
      {"a short packet (A)", [&](PcapngWriter& writer) { writer.block(2, Buffer(16)); },
       "a packet block has at least 32 bytes, this one has 28"},
      {"a short simple packet (4.4)", [&](PcapngWriter& writer) { writer.block(3, {}); },
       "a simple packet block has at least 16 bytes, this one has 12"},
      {"an interface that does not exist (4.3)", [&](PcapngWriter& writer) { writer.enhanced(1, 0, frame_of(1, 'x')); },
       "the packet's interface is 1, the section describes 1 (numbered from 0)"},
      {"an interface that does not exist (A)", [&](PcapngWriter& writer) { writer.obsolete(65535, 0, 0, frame_of(1, 'x')); },
       "the packet's interface is 65535, the section describes 1 (numbered from 0)"},
      {"a captured length past the block's end (4.3)",
       [&](PcapngWriter& writer) { writer.block(6, body_of(writer, {0, 0, 0, 5, 5, 0})); },
       "the packet's captured length is 5 bytes, its block has room for 4"},
      {"a captured length far past the block's end (4.3)",
       [&](PcapngWriter& writer) { writer.block(6, body_of(writer, {0, 0, 0, 0xffffffff, 5, 0})); },
       "the packet's captured length is 4294967295 bytes, its block has room for 4"},
      {"a captured length past the block's end (4.4)",
       [&](PcapngWriter& writer) { writer.block(3, body_of(writer, {9, 0, 0})); },
       "the packet's captured length is 9 bytes, its block has room for 8"},
      {"an option longer than its block (3.5)",
       [&](PcapngWriter& writer) { writer.interface(1, Buffer{2, 0, 5, 0, 'l', 'o', 'n', 'g'}); },
       "the length of option 2 is 5 bytes, 4 are left in its block"},
      {"a packet's option longer than its block (4.3)",
       [&](PcapngWriter& writer) { writer.enhanced(0, 0, frame_of(4, 'x'), Buffer(4, 0xff)); },
       "the length of option 65535 is 65535 bytes, 0 are left in its block"},
      {"if_tsresol (4.2)", [&](PcapngWriter& writer) { writer.interface(1, writer.option(9, Buffer(2))); },
       "if_tsresol must have 1 byte, it has 2"},
      {"if_tsoffset (4.2)", [&](PcapngWriter& writer) { writer.interface(1, writer.option(14, Buffer(4))); },
       "if_tsoffset must have 8 bytes, it has 4"},
      {"if_fcslen (4.2)", [&](PcapngWriter& writer) { writer.interface(1, writer.option(13, {})); },
       "if_fcslen must have 1 byte, it has 0"},
      {"epb_flags (4.3.1)", [&](PcapngWriter& writer) { writer.enhanced(0, 0, {}, writer.option(2, Buffer(3))); },
       "the packet's flags option must have 4 bytes, it has 3"},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    PcapngWriter writer;
    writer.interface();
    writer.enhanced(0, kStart, frame_of(10, 'x'));
    const std::size_t at = writer.bytes().size();
    test.add(writer);
    writer.enhanced(0, kStart, frame_of(10, 'x'));
    CHECK(read_error(writer.bytes()) == "x.pcap: block 4 at byte " + std::to_string(at) + ": damaged: " + test.problem);
    const ReadResult result = read_file(writer.bytes());
    CHECK(result.records.size() == 1);
    REQUIRE(result.error);
    CHECK(result.error->kind == Kind::damaged);
    CHECK(result.error->record == 2);
  }
  CHECK(damage_of([&](PcapngWriter& writer) { writer.simple({}, 1); }, true) ==
        "x.pcap: block 3 at byte 48: damaged: the packet's captured length is 1 bytes, its block has room for 0");
  PcapngWriter without_interface;
  without_interface.simple({}, 0);
  CHECK(read_error(without_interface.bytes()) ==
        "x.pcap: block 2 at byte 28: damaged: the packet's interface is 0, the section describes 0 (numbered from 0)");
}

TEST_CASE("pcapng: a capture that is truncated at any byte delivers all complete records, and the error has the place") {
  const PcapngWriter writer = sample_capture(true);
  const Buffer& whole = writer.bytes();
  for (std::size_t held = 1; held <= whole.size(); ++held) {
    CAPTURE(held);
    const Bytes content = Bytes(whole).first(held);
    std::size_t block = 0;  // the incomplete block, or the number of blocks
    while (block < writer.starts().size() &&
           (block + 1 < writer.starts().size() ? writer.starts()[block + 1] : whole.size()) <= held) {
      ++block;
    }
    const std::size_t start = block < writer.starts().size() ? writer.starts()[block] : whole.size();
    const std::size_t end = block + 1 < writer.starts().size() ? writer.starts()[block + 1] : whole.size();
    const std::size_t rest = held - start;
    const std::string place = "x.pcap: block " + std::to_string(block + 1) + " at byte " + std::to_string(start);
    std::string expected;
    if (held < 4) {
      expected = "x.pcap: not a pcap or pcapng capture: a header has 24 bytes, the file has " + std::to_string(held);
    } else if (rest >= 12) {
      expected = place + ": truncated: the block has " + std::to_string(end - start) + " bytes, the capture ends after " +
                 std::to_string(rest);
    } else if (rest > 0) {
      expected = place + ": truncated: a block has at least 12 bytes, the capture ends after " + std::to_string(rest);
    }
    const std::size_t packets[] = {2, 5, 6, 8, 10};  // the indexes of blocks with a packet
    std::size_t complete = 0;
    while (complete < std::size(packets) && packets[complete] < block) ++complete;
    for (const ReadResult& result : {read_file_by(content, 1), read_pipe_by(content, 7)}) {
      CHECK(result.records.size() == complete);
      CHECK((result.error ? error_text(*result.error) : "") == expected);
      if (result.error) CHECK(result.error->kind == (held < 28 ? Kind::not_capture : Kind::truncated));
    }
  }
}

TEST_CASE("pcapng: no byte outside a block is read, whatever the block contains") {
  GuardedBuffer guarded;
  std::size_t damaged = 0;
  for (const bool big_endian : {false, true}) {
    const PcapngWriter writer = sample_capture(big_endian);
    for (std::size_t changed = 0; changed < writer.starts().size(); ++changed) {
      const std::size_t from = writer.starts()[changed];
      const std::size_t to = changed + 1 < writer.starts().size() ? writer.starts()[changed + 1] : writer.bytes().size();
      for (std::size_t at = from; at < to; ++at) {
        for (const std::uint8_t value : Buffer{0, 1, 3, 0x7f, 0xff}) {
          pcapng::Decoder decoder;
          bool is_valid = true;
          for (std::size_t block = 0; block < writer.starts().size() && is_valid; ++block) {
            const std::size_t start = writer.starts()[block];
            const std::size_t end = block + 1 < writer.starts().size() ? writer.starts()[block + 1] : writer.bytes().size();
            Buffer bytes(writer.bytes().begin() + static_cast<std::ptrdiff_t>(start),
                         writer.bytes().begin() + static_cast<std::ptrdiff_t>(end));
            if (block == changed) bytes[at - start] = value;
            const Bytes held = guarded.hold(bytes);
            pcapng::BlockHead head;
            is_valid = decoder.decode_head(held.data(), head) && head.length <= held.size();
            PacketRecord record;
            if (!is_valid) break;
            const Bytes whole = held.first(head.length);
            const auto content = decoder.decode_block(head, whole, record);
            is_valid = content != pcapng::Decoder::Content::malformed;
            if (content == pcapng::Decoder::Content::packet && !record.bytes.empty()) {
              const bool within = record.bytes.data() >= whole.data() &&
                                  record.bytes.data() + record.bytes.size() <= whole.data() + whole.size();
              if (!within) FAIL("bytes outside the block");
            }
          }
          damaged += is_valid ? 0 : 1;
        }
      }
    }
  }
  CHECK(damaged > 100);
}

TEST_CASE("pcapng: a block of the maximum length is read, of a known or unknown type") {
  PcapngWriter writer;
  writer.interface();
  writer.block(0x77, Buffer(pcapng::kMaxBlockBytes - 12));
  writer.enhanced(0, 0, Buffer(pcapng::kMaxBlockBytes - 32, 'x'));
  writer.enhanced(0, 0, frame_of(1, 'y'));
  const ReadResult result = read_file(writer.bytes());
  CHECK_FALSE(result.error);
  REQUIRE(result.records.size() == 2);
  CHECK(result.records[0].bytes.size() == pcapng::kMaxBlockBytes - 32);
  CHECK(result.records[1].bytes == frame_of(1, 'y'));
}

TEST_CASE("pcapng: a section has at most 65,536 interfaces") {
  PcapngWriter writer;
  for (std::size_t i = 0; i < pcapng::kMaxInterfaces; ++i) writer.interface();
  writer.enhanced(pcapng::kMaxInterfaces - 1, 0, frame_of(1, 'x'));
  CHECK(read_file(writer.bytes()).records.size() == 1);
  writer.interface();
  const auto error = read_file(writer.bytes()).error;
  REQUIRE(error);
  CHECK(error->what == "damaged: the section describes more than 65536 interfaces");
}

TEST_CASE("pcapng: a packet is delivered before the next read blocks") {
  const PcapngWriter writer = sample_capture();
  Pipe pipe;
  std::size_t written = 0, seen = 0;
  std::vector<std::size_t> seen_at_wait;
  Input::Options options;
  options.before_wait = [&] {
    seen_at_wait.push_back(seen);
    if (written == writer.starts().size()) return pipe.close_end(1);
    const std::size_t start = writer.starts()[written++];
    const std::size_t end = written < writer.starts().size() ? writer.starts()[written] : writer.bytes().size();
    pipe.write(Bytes(writer.bytes()).subspan(start, end - start));
  };
  Input input(options);
  input.attach(pipe.fds[0]);
  Reader reader(input, "x");
  REQUIRE(reader.start());
  for (PacketRecord record; reader.next(record);) ++seen;
  CHECK(seen == 5);
  const std::vector<std::size_t> expected = {0, 0, 0, 1, 1, 1, 2, 3, 3, 4, 4, 5, 5};
  CHECK(seen_at_wait == expected);
}

}  // namespace
}  // namespace wirelap::test
