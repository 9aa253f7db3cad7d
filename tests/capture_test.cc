// capture/: the records of pcap files and pipes, and the errors of captures that cannot be read.

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "base/error.h"
#include "capture/reader.h"
#include "support/packets.h"
#include "support/read.h"
#include "support/run.h"

namespace wirelap::test {
namespace {

using Kind = Error::Kind;

constexpr Nanos kStart = 1'700'000'000 * kNanosPerSecond;

/// Records of several sizes; one is empty, and one is larger than a page.
std::vector<Buffer> sample_frames() {
  std::vector<Buffer> frames;
  for (const std::size_t payload_bytes : {0, 1, 100, 5000, 33}) {
    SegmentSpec spec;
    spec.payload = std::string(payload_bytes, static_cast<char>('a' + frames.size()));
    frames.push_back(ethernet_frame(spec));
  }
  frames.insert(frames.begin() + 2, Buffer{});
  return frames;
}

PcapWriter sample_capture(PcapWriter::Options options = {}) {
  PcapWriter writer(options);
  Nanos time = kStart;
  for (const Buffer& frame : sample_frames()) writer.add(time += 1'234'567'891, frame);
  return writer;
}

std::vector<Copy> sample_records(const PcapWriter::Options& options = {}) {
  std::vector<Copy> records;
  Nanos time = kStart;
  for (const Buffer& frame : sample_frames()) {
    time += 1'234'567'891;
    const Nanos kept = options.decimals == 9 ? time : time / kNanosPerMicro * kNanosPerMicro;
    records.push_back({kept, records.size() + 1, frame, static_cast<std::uint32_t>(frame.size()), options.link_type});
  }
  return records;
}

TEST_CASE("capture: the sizes of windows and pipe pieces do not change the records") {
  const PcapWriter capture = sample_capture();
  const std::vector<Copy> expected = sample_records();
  const auto check = [&](const ReadResult& result) {
    CHECK(result.records == expected);
    CHECK_FALSE(result.error);
    CHECK_FALSE(result.stopped);
  };
  for (const std::size_t window : {1, 16, 24, 100, 4095, 4096, 4097, 8192, 1 << 20}) {
    CAPTURE(window);
    check(read_file_by(capture.bytes(), window));
  }
  for (const std::size_t piece : {1, 2, 3, 7, 4096, 65536}) {
    for (const std::size_t window : {1, 100, 1 << 20}) {
      CAPTURE(piece);
      CAPTURE(window);
      check(read_pipe_by(capture.bytes(), piece, window));
    }
  }
}

TEST_CASE("capture: a window moves over a capture of many pages") {
  PcapWriter writer;
  for (Nanos i = 0; i < 3000; ++i) writer.add(i * kNanosPerMicro, Buffer(static_cast<std::size_t>(i % 97), static_cast<std::uint8_t>(i)));
  for (const std::size_t window : {1, 4096, 10000}) {
    CAPTURE(window);
    const ReadResult result = read_file_by(writer.bytes(), window);
    REQUIRE(result.records.size() == 3000);
    CHECK_FALSE(result.error);
    for (std::size_t i = 0; i < 3000; ++i) {
      const Copy& record = result.records[i];
      const bool same = record.number == i + 1 && record.bytes == Buffer(i % 97, static_cast<std::uint8_t>(i)) &&
                        record.time == static_cast<Nanos>(i) * kNanosPerMicro;
      if (!same) FAIL("record " << i + 1);
    }
  }
}

// draft-ietf-opsawg-pcap, section 4: the magic number determines byte order and unit.
TEST_CASE("capture: both byte orders are read, with microseconds and nanoseconds") {
  struct Case {
    std::string name;
    bool big_endian;
    int decimals;
    const char* magic;
  };
  const Case cases[] = {{"little-endian, us", false, 6, "\xd4\xc3\xb2\xa1"},
                        {"little-endian, ns", false, 9, "\x4d\x3c\xb2\xa1"},
                        {"big-endian, us", true, 6, "\xa1\xb2\xc3\xd4"},
                        {"big-endian, ns", true, 9, "\xa1\xb2\x3c\x4d"}};
  for (const Case& test : cases) {
    INFO(test.name);
    PcapWriter::Options options;
    options.big_endian = test.big_endian;
    options.decimals = test.decimals;
    const PcapWriter capture = sample_capture(options);
    REQUIRE(std::memcmp(capture.bytes().data(), test.magic, 4) == 0);
    const ReadResult result = read_file(capture.bytes());
    CHECK(result.records == sample_records(options));
    CHECK(result.decimals == test.decimals);
    CHECK_FALSE(result.error);
  }
}

// draft-ietf-opsawg-pcap, section 4: above the 16-bit link type, 4 bits are the length of the FCS in
// units of 16 bits, where the sixth bit is set.
TEST_CASE("capture: a frame check sequence is removed from each packet, for every link type") {
  struct Case {
    std::uint32_t bits;
    std::uint32_t fcs_bytes;
  };
  for (const std::uint32_t link_type : {0u, 1u, 101u, 113u, 276u, 0xffffu}) {
    for (const Case& test : {Case{0, 0}, Case{0x2400, 4}, Case{0x1400, 2}, Case{0x0400, 0}, Case{0xf000, 0}, Case{0xfbff, 0},
                             Case{0xffff, 30}}) {
      for (const bool big_endian : {false, true}) {
        CAPTURE(link_type);
        CAPTURE(test.bits);
        PcapWriter::Options options;
        options.link_type = link_type;
        options.fcs_bits = test.bits;
        options.big_endian = big_endian;
        std::vector<Copy> expected = sample_records(options);
        for (Copy& record : expected) {
          record.length -= std::min(record.length, test.fcs_bytes);
          record.bytes.resize(record.length);
        }
        CHECK(read_file(sample_capture(options).bytes()).records == expected);
      }
    }
  }
}

TEST_CASE("capture: only the captured part of a frame check sequence is removed") {
  PcapWriter::Options options;
  options.fcs_bits = 0x2400;
  options.snap_length = 62;
  PcapWriter writer(options);
  for (const std::size_t length : {60, 62, 64, 66, 1500, 3}) writer.add(0, Buffer(length, 7));
  const ReadResult result = read_file(writer.bytes());
  const std::pair<std::size_t, std::uint32_t> expected[] = {{56, 56}, {58, 58}, {60, 60}, {62, 62}, {62, 1496}, {0, 0}};
  REQUIRE(result.records.size() == std::size(expected));
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    CHECK(std::pair(result.records[i].bytes.size(), result.records[i].length) == expected[i]);
  }
}

// The patched libpcap of Alexey Kuznetzov: record headers are 8 bytes longer.
TEST_CASE("capture: modified pcap is read in both byte orders, and when it is truncated at any byte") {
  for (const bool big_endian : {false, true}) {
    PcapWriter::Options options;
    options.big_endian = big_endian;
    options.modified = true;
    const PcapWriter capture = sample_capture(options);
    for (const ReadResult& result : {read_file_by(capture.bytes(), 1), read_pipe_by(capture.bytes(), 7)}) {
      CHECK(result.records == sample_records());
      CHECK_FALSE(result.error);
    }
    const Bytes whole = capture.bytes();
    for (std::size_t held = 24; held < capture.starts()[3]; ++held) {
      const std::size_t complete = held >= capture.starts()[2] ? 2 : held >= capture.starts()[1] ? 1 : 0;
      const ReadResult result = read_file_by(whole.first(held), 1);
      CHECK(result.records.size() == (held >= capture.starts()[3] ? 3 : complete));
      if (result.error) CHECK(result.error->offset == capture.starts()[complete]);
      else CHECK(held == (complete == 0 ? 24 : capture.starts()[complete]));
    }
  }
  PcapWriter::Options options;
  options.modified = true;
  CHECK(read_error(Bytes(sample_capture(options).bytes()).first(44)) ==
        "x.pcap: record 1 at byte 24: truncated: a record header has 24 bytes, the capture ends after 20");
}

// As in libpcap: before version 2.3 the length on the wire came first, in 2.3 either one. DG/UX's version
// 543.0 is like those before 2.3.
TEST_CASE("capture: old pcap versions have the two lengths of a record in the other order") {
  struct Case {
    unsigned major, minor;
    bool captured_last;
    bool readable;
  };
  const Case cases[] = {{2, 4, false, true}, {2, 3, false, true}, {2, 3, true, true},  {2, 2, true, true},
                        {2, 1, true, true},  {2, 0, true, true},  {543, 0, true, true}, {2, 5, false, true},
                        {1, 4, false, false}, {3, 0, false, false}, {0, 0, false, false}};
  for (const Case& test : cases) {
    for (const bool big_endian : {false, true}) {
      CAPTURE(test.major);
      CAPTURE(test.minor);
      PcapWriter::Options options;
      options.big_endian = big_endian;
      options.version_major = test.major;
      options.version_minor = test.minor;
      options.captured_last = test.captured_last;
      options.snap_length = 60;
      PcapWriter writer(options);
      writer.add(kStart, Buffer(40, 1));
      writer.add(kStart, Buffer(1500, 2));
      const ReadResult result = read_file(writer.bytes());
      if (!test.readable) {
        REQUIRE(result.error);
        CHECK(error_text(*result.error) == "x.pcap: unsupported pcap version " + std::to_string(test.major) + "." +
                                             std::to_string(test.minor) + ": wirelap reads 2.0 to 2.4");
        continue;
      }
      const std::vector<Copy> expected = {{kStart, 1, Buffer(40, 1), 40, kLinkEthernet},
                                          {kStart, 2, Buffer(60, 2), 1500, kLinkEthernet}};
      CHECK(result.records == expected);
      CHECK_FALSE(result.error);
    }
  }
}

// As in Wireshark: AIX writes version 2.2 with interface types (RFC 1573), nanoseconds, and lengths in today's order.
TEST_CASE("capture: the pcap variant of AIX is read") {
  struct Case {
    std::uint32_t interface_type, link_type;
  };
  for (const Case& test : {Case{6, kLinkEthernet}, Case{24, kLinkNull}, Case{9, 6}, Case{15, 10}}) {
    PcapWriter::Options options;
    options.big_endian = true;
    options.version_minor = 2;
    options.link_type = test.interface_type;
    options.snap_length = 60;
    PcapWriter writer(options);
    writer.add(5 * kNanosPerSecond + 123'000, Buffer(1500, 2));
    const ReadResult result = read_file(writer.bytes());
    CHECK(result.records == std::vector<Copy>{{5 * kNanosPerSecond + 123, 1, Buffer(60, 2), 1500, test.link_type}});
    CHECK(result.decimals == 9);
  }
}

// draft-ietf-opsawg-pcap, section 5: seconds are unsigned, so that times after 2038 are possible.
TEST_CASE("capture: the smallest and largest timestamps are read correctly") {
  struct Case {
    std::string name;
    int decimals;
    std::uint32_t seconds, fraction;
    Nanos time;
  };
  const Case cases[] = {{"zero", 6, 0, 0, 0},
                        {"last microsecond", 6, 1, 999'999, 1'999'999'000},
                        {"last nanosecond", 9, 1, 999'999'999, 1'999'999'999},
                        {"after 2038", 6, 0x80000000, 1, 2'147'483'648'000'001'000},
                        {"last second", 9, 0xffffffff, 999'999'999, 4'294'967'295'999'999'999},
                        {"more microseconds than a second has", 6, 5, 0xffffffff, 4'299'967'295'000}};
  for (const Case& test : cases) {
    INFO(test.name);
    PcapWriter::Options options;
    options.big_endian = true;
    options.decimals = test.decimals;
    Buffer capture = PcapWriter(options).bytes();
    for (const std::uint32_t field : {test.seconds, test.fraction, 0u, 0u}) put32(capture, field);
    const ReadResult result = read_file(capture);
    REQUIRE(result.records.size() == 1);
    CHECK(result.records[0].time == test.time);
  }
}

TEST_CASE("capture: the lengths of records are those in the file, even where they contradict each other") {
  PcapWriter::Options options;
  options.snap_length = 60;
  PcapWriter writer(options);
  const Buffer frame(100, 7);
  writer.add(0, frame);
  writer.add(0, frame, 9000);
  writer.add(0, frame, 20);  // malformed: the captured length is greater than the length on the wire
  const ReadResult result = read_file(writer.bytes());
  REQUIRE(result.records.size() == 3);
  CHECK_FALSE(result.error);
  const std::uint32_t lengths[] = {100, 9000, 20};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(result.records[i].bytes.size() == 60);
    CHECK(result.records[i].length == lengths[i]);
  }
}

TEST_CASE("capture: a capture that is truncated at any byte delivers all complete records, and the error has the place") {
  PcapWriter writer;
  const std::size_t sizes[] = {60, 0, 1, 90};
  for (const std::size_t size : sizes) writer.add(kStart, Buffer(size, 0x55));
  const Buffer& whole = writer.bytes();
  const std::vector<Copy> all = read_file(whole).records;
  REQUIRE(all.size() == std::size(sizes));

  for (std::size_t held = 0; held <= whole.size(); ++held) {
    CAPTURE(held);
    const Bytes content = Bytes(whole).first(held);
    std::size_t complete = 0;
    while (complete < all.size() && writer.starts()[complete] + 16 + sizes[complete] <= held) ++complete;
    std::string expected;
    if (held == 0) {
      expected = "x.pcap: empty: a capture starts with a header of 24 bytes";
    } else if (held < 24) {
      expected = "x.pcap: not a pcap or pcapng capture: a header has 24 bytes, the file has " + std::to_string(held);
    } else {
      const std::size_t start = complete < all.size() ? writer.starts()[complete] : whole.size();
      const std::size_t rest = held - start;
      const std::string place = "x.pcap: record " + std::to_string(complete + 1) + " at byte " + std::to_string(start);
      if (rest >= 16) {
        expected = place + ": truncated: the record's packet has " + std::to_string(sizes[complete]) +
                   " bytes, the capture ends after " + std::to_string(rest - 16);
      } else if (rest > 0) {
        expected = place + ": truncated: a record header has 16 bytes, the capture ends after " + std::to_string(rest);
      }
    }
    for (const ReadResult& result : {read_file_by(content, 1), read_pipe_by(content, 7)}) {
      CHECK(result.records == std::vector<Copy>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(complete)));
      CHECK((result.error ? error_text(*result.error) : "") == expected);
      if (result.error) CHECK(result.error->kind == (held < 24 ? Kind::not_capture : Kind::truncated));
      CHECK_FALSE(result.stopped);
    }
  }
}

TEST_CASE("capture: a record of the maximum length is read, a longer one is damaged") {
  PcapWriter writer;
  writer.add(0, Buffer(10));
  writer.add(0, Buffer(pcap::kMaxCapturedBytes, 3));
  writer.add(0, Buffer(10));
  for (const ReadResult& result : {read_file_by(writer.bytes(), 1), read_pipe_by(writer.bytes(), 4096)}) {
    REQUIRE(result.records.size() == 3);
    CHECK(result.records[1].bytes == Buffer(pcap::kMaxCapturedBytes, 3));
    CHECK_FALSE(result.error);
  }

  for (const std::uint32_t captured : {pcap::kMaxCapturedBytes + 1, 0x80000000u, 0xffffffffu}) {
    CAPTURE(captured);
    PcapWriter::Options options;
    options.big_endian = true;
    PcapWriter good(options);
    good.add(0, Buffer(10));
    Buffer damaged = good.bytes();
    for (const std::uint32_t field : {0u, 0u, captured, captured}) put32(damaged, field);
    damaged.resize(damaged.size() + 500);
    const ReadResult result = read_file(damaged);
    CHECK(result.records.size() == 1);
    REQUIRE(result.error);
    CHECK(result.error->kind == Kind::damaged);
    CHECK(result.error->record == 2);
    CHECK(result.error->offset == 24 + 16 + 10);
    CHECK(read_error(damaged) == "x.pcap: record 2 at byte 50: damaged: the record's captured length is " +
                                    std::to_string(captured) + " bytes, the maximum is 262144");
  }
}

TEST_CASE("capture: an error in the first record has the place of that record") {
  PcapWriter writer;
  writer.add(0, Buffer(10));
  CHECK(read_error(Bytes(writer.bytes()).first(30)) ==
        "x.pcap: record 1 at byte 24: truncated: a record header has 16 bytes, the capture ends after 6");
}

TEST_CASE("capture: errors of opening and reading are reported") {
  CHECK(Input({}).open("no/such/file") == ENOENT);
  CHECK(Input({}).open(".") == EISDIR);
  CHECK(Input({}).open("") == ENOENT);

  Input device({});
  REQUIRE(device.open("/dev/null") == 0);
  const ReadResult empty = read_all(device);
  REQUIRE(empty.error);
  CHECK(error_text(*empty.error) == "x.pcap: empty: a capture starts with a header of 24 bytes");

  const int directory = ::open(".", O_RDONLY | O_CLOEXEC);
  Input unreadable({});
  unreadable.attach(directory);
  const ReadResult failed = read_all(unreadable);
  ::close(directory);
  REQUIRE(failed.error);
  CHECK(failed.error->kind == Kind::unreadable);
  CHECK(error_text(*failed.error) == "x.pcap: read failed: Is a directory");
}

TEST_CASE("capture: a named pipe is read") {
  Pipe pipe;
  pipe.write(sample_capture().bytes());
  Input input({});
  REQUIRE(input.open(path_of(pipe.fds[0])) == 0);
  pipe.close_end(1);
  CHECK(read_all(input).records == sample_records());
}

TEST_CASE("capture: a descriptor that the caller attached is not closed") {
  Pipe pipe;
  { Input input({}); input.attach(pipe.fds[0]); }
  CHECK(::fcntl(pipe.fds[0], F_GETFD) != -1);
}

TEST_CASE("capture: stop_fd ends a blocking read without an error") {
  const PcapWriter capture = sample_capture();
  const std::size_t last = capture.starts().back();
  for (const std::size_t held : {last, last + 5, last + 20}) {  // between records, inside a header, inside a record
    CAPTURE(held);
    Pipe pipe, stop;
    pipe.write(Bytes(capture.bytes()).first(held));
    Input::Options options;
    options.stop_fd = stop.fds[0];
    int waits = 0;
    options.before_wait = [&] {
      ++waits;
      stop.write(Buffer{0});
    };
    Input input(options);
    input.attach(pipe.fds[0]);
    const ReadResult result = read_all(input);
    CHECK(waits == 1);
    CHECK(result.stopped);
    CHECK_FALSE(result.error);
    CHECK(result.records.size() == sample_records().size() - 1);
  }
}

TEST_CASE("capture: data that arrive directly after the stop are read") {
  Pipe pipe, stop;
  const Buffer capture = sample_capture().bytes();
  Input::Options options;
  options.stop_fd = stop.fds[0];
  options.before_wait = [&] {
    stop.write(Buffer{0});
    pipe.write(capture);
    pipe.close_end(1);
  };
  Input input(options);
  input.attach(pipe.fds[0]);
  const ReadResult result = read_all(input);
  CHECK(result.records == sample_records());
  CHECK_FALSE(result.error);
}

TEST_CASE("capture: stop_fd ends the reading of a file at the next window") {
  Pipe stop;
  stop.write(Buffer{0});
  Input::Options options;
  options.stop_fd = stop.fds[0];
  const ReadResult result = read_file(sample_capture().bytes(), options);
  CHECK(result.stopped);
  CHECK_FALSE(result.started);
  CHECK_FALSE(result.error);
}

TEST_CASE("capture: should_continue ends the reading of a file or pipe without an error") {
  for (const bool piped : {false, true}) {
    CAPTURE(piped);
    Pipe pipe;
    const Buffer capture = sample_capture().bytes();
    pipe.write(capture);
    const File file(capture);
    Input::Options options;
    options.window_bytes = 1;
    int calls = 0;
    options.should_continue = [&] { return ++calls < 4; };
    Input input(options);
    if (piped) input.attach(pipe.fds[0]);
    else REQUIRE(input.open(file.path()) == 0);
    const ReadResult result = read_all(input);
    CHECK(calls == 4);
    CHECK(result.stopped);
    CHECK_FALSE(result.error);
    CHECK(result.records.size() < sample_records().size());
  }
}

TEST_CASE("capture: offset() is the offset in the capture, for files and pipes") {
  const Buffer content = [] {
    Buffer bytes;
    for (unsigned i = 0; i < 10000; ++i) put8(bytes, i * 7 & 0xff);
    return bytes;
  }();
  for (const bool piped : {false, true}) {
    CAPTURE(piped);
    const File file(content);
    Pipe pipe;
    pipe.write(content);
    pipe.close_end(1);
    Input::Options options;
    options.window_bytes = 1;
    Input input(options);
    if (piped) input.attach(pipe.fds[0]);
    else REQUIRE(input.open(file.path()) == 0);
    std::size_t at = 0;
    for (std::size_t step = 1; input.ensure(step); step = step * 5 % 311 + 1) {
      REQUIRE(input.offset() == at);
      REQUIRE(std::memcmp(input.data(), &content[at], step) == 0);
      input.consume(step);
      at += step;
    }
    CHECK(input.offset() == at);
    CHECK(at + input.size() == content.size());  // the rest stays available
  }
}

TEST_CASE("error: control characters in file names are escaped") {
  struct Case {
    std::string text, printable;
  };
  const Case cases[] = {{"plain name-1.pcap", "plain name-1.pcap"},
                        {"\x1b[2J", "\\x1b[2J"},
                        {std::string("a\0b", 3), "a\\x00b"},
                        {"\r\n\t", "\\x0d\\x0a\\x09"},
                        {"\x7f\x80\xc3\xa4\xff", "\\x7f\\x80\\xc3\\xa4\\xff"},
                        {"", ""}};
  for (const Case& test : cases) CHECK(printable(test.text) == test.printable);
  CHECK(error_text({Kind::unreadable, "\x1b.pcap", "why", 0, 0}) == "\\x1b.pcap: why");
  CHECK(error_text({Kind::damaged, "a", "why", 7, 5120}) == "a: record 7 at byte 5120: why");
}

TEST_CASE("program: errors are written to standard error, and the exit code is 1 or 2") {
  const char* const program = std::getenv("WIRELAP");
  if (program == nullptr) return;
  const std::string whole = text_of(sample_capture().bytes());
  struct Case {
    std::string name;
    std::vector<std::string> arguments;
    std::string input;
    int exit_code;
    std::string errors;
  };
  const Case cases[] = {
      {"whole", {"-"}, whole, 0, ""},
      {"standard input without a name", {}, whole, 0, ""},
      {"empty", {"-"}, "", 1, "wirelap: -: empty: a capture starts with a header of 24 bytes\n"},
      {"missing", {"no/such/file"}, "", 1, "wirelap: no/such/file: No such file or directory\n"},
      {"directory", {"."}, "", 1, "wirelap: .: Is a directory\n"},
      {"no capture", {"-"}, std::string(24, 'x'), 1, "wirelap: -: not a pcap or pcapng capture: unknown magic number\n"},
      {"unknown format", {"-f", "xml"}, "", 2,
       "wirelap: unknown format 'xml': expected one of table, ndjson, json, csv, classic\nTry 'wirelap --help'.\n"},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    std::vector<std::string> arguments = {program, "-q"};
    arguments.insert(arguments.end(), test.arguments.begin(), test.arguments.end());
    const RunResult result = run(arguments, test.input);
    CHECK(result.exit_code == test.exit_code);
    CHECK(result.errors == test.errors);
    CHECK(result.output == "");
  }
}

}  // namespace
}  // namespace wirelap::test
