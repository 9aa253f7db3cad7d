// capture/: formats that are recognized by their magic numbers: pcap variants, compressed captures, and the formats of
// other programs.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <sys/stat.h>
#include <sys/wait.h>
#include <vector>

#include "support/folder.h"
#include "support/golden.h"
#include "support/pcapng.h"
#include "support/read.h"
#include "support/run.h"

namespace wirelap::test {
namespace {

using test::golden_records;
using test::program;
using test::slurp;

namespace fs = std::filesystem;
using Kind = Error::Kind;

bool has_program(const std::string& name) {
  for (const char* const folder : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
    if (::access((folder + name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

/// Runs wirelap with a PATH whose first folder is `programs`.
RunResult run_with(const Folder& programs, std::vector<std::string> arguments, std::string_view input = {}) {
  std::vector<std::string> command = {"/usr/bin/env", "PATH=" + programs.path() + ":/usr/bin:/bin", program(), "-q", "-f", "ndjson"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(command, input);
}

/// A line of ndjson without the columns `names`.
std::string without(std::string line, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    const std::size_t begin = line.find("\"" + std::string(name) + "\":");
    if (begin != std::string::npos) line.erase(begin, line.find(",\"", begin) + 1 - begin);
  }
  return line;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::string line;
  for (std::istringstream rest(text); std::getline(rest, line);) lines.push_back(line);
  return lines;
}

/// The records without the column `capture`.
std::vector<std::string> without_name(const std::string& ndjson) {
  std::vector<std::string> records;
  for (const std::string& line : lines_of(ndjson)) records.push_back(without(line, {"capture"}));
  return records;
}

/// The records as a set, without the columns that depend on their place in the capture.
std::multiset<std::string> without_place(const std::string& ndjson) {
  std::multiset<std::string> records;
  for (const std::string& line : lines_of(ndjson)) {
    records.insert(without(line, {"capture", "connection", "exchange", "first_frame", "last_frame"}));
  }
  return records;
}

/// Shortens the times in `ndjson` from nine to six decimals, where the last three are 000.
std::string in_microseconds(std::string ndjson) {
  for (std::size_t at = 0; (at = ndjson.find('.', at)) != std::string::npos; ++at) {
    const auto end = ndjson.find_first_not_of("0123456789", at + 1);
    if (end == at + 10 && ndjson.compare(at + 7, 3, "000") == 0) ndjson.erase(at + 7, 3);
  }
  return ndjson;
}

std::string text_of_capture(const std::string& name) { return slurp("fixtures/dress/" + name); }

TEST_CASE("container: a capture has the same exchanges in every format, from a file and from a pipe") {
  struct Case {
    std::string converted, plain;
  };
  const Case cases[] = {{"ipv6.pcapng", "ipv6"},
                        {"ipv6-modpcap.pcap", "ipv6"},
                        {"ipv6-nsecpcap.pcap", "ipv6"},
                        {"nanoseconds.pcapng", "nanoseconds"}};
  for (const Case& test : cases) {
    CAPTURE(test.converted);
    const std::string path = "fixtures/dress/" + test.converted;
    const std::vector<std::string> expected = without_name(golden_records(test.plain));
    for (const RunResult& result : {run({program(), "-q", "-f", "ndjson", path}), run({program(), "-q", "-f", "ndjson"}, slurp(path))}) {
      CHECK(result.exit_code == 0);
      CHECK(result.errors == "");
      const bool nanoseconds = test.converted == "ipv6-nsecpcap.pcap";
      CHECK(without_name(nanoseconds ? in_microseconds(result.output) : result.output) == expected);
    }
  }
}

TEST_CASE("container: captures compressed by each program are read; the error without the program has advice") {
  struct Case {
    std::string ending, program, package;
  };
  const std::vector<std::string> expected = without_name(golden_records("nanoseconds"));
  REQUIRE(expected.size() == 3);
  const Folder nothing;
  for (const Case& test : {Case{"gz", "a gzip", "gzip"}, Case{"zst", "a zstd", "zstd"}, Case{"xz", "an xz", "xz-utils"},
                           Case{"lz4", "an lz4", "lz4"}, Case{"bz2", "a bzip2", "bzip2"}}) {
    const std::string name = test.program.substr(test.program.find(' ') + 1);
    const std::string without = test.program + " file, but PATH has no " + name + ": install it (apt-get install " +
                                test.package + "), or decompress elsewhere: " + name + " -dc FILE | wirelap\n";
    for (const std::string inner : {"nanoseconds.pcap", "nanoseconds.pcapng"}) {
      const std::string path = "fixtures/dress/" + inner + "." + test.ending;
      CAPTURE(path);
      for (const RunResult& result : {run_with(nothing, {path}), run_with(nothing, {}, slurp(path))}) {
        // On a machine without the program this tests the error, else the records.
        const bool is_installed = has_program(name);
        CHECK(result.exit_code == (is_installed ? 0 : 1));
        CHECK(without_name(result.output) == (is_installed ? expected : std::vector<std::string>{}));
        if (is_installed) CHECK(result.errors == "");
        else CHECK(result.errors.ends_with(": " + without));
      }
      const RunResult nowhere = run({"/usr/bin/env", "PATH=" + nothing.path(), program(), path});
      CHECK(nowhere.exit_code == 1);
      CHECK(nowhere.output == "");
      CHECK(nowhere.errors == "wirelap: " + path + ": " + without);
    }
  }
}

TEST_CASE("container: a merge of two captures with different link types has the records of both") {
  std::multiset<std::string> expected = without_place(golden_records("any-sll2"));
  expected.merge(without_place(golden_records("vlan")));
  CHECK(expected.size() == 8);
  const RunResult merged = run({program(), "-f", "ndjson", "fixtures/dress/merged.pcapng"});
  CHECK(merged.exit_code == 0);
  CHECK(without_place(merged.output) == expected);
}

// On lo the kernel takes a timestamp for each capturing socket, on other interfaces one per packet.
TEST_CASE("container: dumpcap's capture of two interfaces has the records of tcpdump's captures of each") {
  const auto records_of = [](const std::string& name, bool with_times) {
    std::multiset<std::string> records;
    for (std::string line : without_place(run({program(), "-f", "ndjson", "fixtures/dress/" + name}).output)) {
      if (!with_times) {
        line = without(line, {"start", "connect_s", "wait_s", "total_s", "idle_s", "ttfb_s", "network_s", "server_s", "rtt_s",
                              "server_rtt_s", "client_rtt_s", "max_gap_s"});
      }
      records.insert(line);
    }
    return records;
  };
  std::multiset<std::string> expected = records_of("dumpcap-eth0.pcap", false);
  expected.merge(records_of("dumpcap-lo.pcap", false));
  CHECK(expected.size() == 5);
  CHECK(records_of("dumpcap.pcapng", false) == expected);
  const std::multiset<std::string> both = records_of("dumpcap.pcapng", true), one = records_of("dumpcap-eth0.pcap", true);
  CHECK(one.size() == 3);
  CHECK(std::includes(both.begin(), both.end(), one.begin(), one.end()));
}

TEST_CASE("container: the sizes of pipe pieces do not change the records of a pcapng fixture") {
  const std::string capture = text_of_capture("nanoseconds.pcapng");
  const Bytes bytes{reinterpret_cast<const std::uint8_t*>(capture.data()), capture.size()};
  const ReadResult whole = read_file(bytes);
  CHECK(whole.records.size() == 14);
  CHECK_FALSE(whole.error);
  for (const std::size_t piece : {1, 2, 3, 7, 4096}) CHECK(read_pipe_by(bytes, piece).records == whole.records);
}

/// A shell script that replaces gzip.
struct Stub {
  explicit Stub(const std::string& script) { programs.add("gzip", "#!/bin/sh\n" + script + "\n", 0755); }
  Folder programs;
};

const std::string kGzipMagic = std::string("\x1f\x8b\x08", 3) + std::string(40, '\0');

TEST_CASE("container: the error of a decompressor is reported, after all records of its output") {
  const Folder captures;  // readable for the user nobody
  const std::string capture = captures.add("ipv6.pcap", slurp("fixtures/ipv6.pcap"));
  struct Case {
    std::string name, script;
    int exit_code;
    std::ptrdiff_t records;
    std::string error;
  };
  const std::string place = "record 36 at byte 25531 decompressed: decompression failed: gzip -dc ";
  const Case cases[] = {
      {"status 0", "exec cat " + capture, 0, 4, ""},
      {"status 3", "cat " + capture + "; exit 3", 1, 4, place + "exited with status 3"},
      {"status 3 with a message", "cat " + capture + "; echo 'gzip: is broken' >&2; echo more >&2; exit 3", 1, 4,
       place + "exited with status 3: gzip: is broken"},
      {"a message with control characters", "cat " + capture + "; printf '\\033[2Jx\\n' >&2; exit 1", 1, 4,
       place + "exited with status 1: \\x1b[2Jx"},
      {"a signal", "cat " + capture + "; kill -9 $$", 1, 4, place + "was ended by signal 9"},
      {"status 0 with a message", "cat " + capture + "; echo careful >&2", 0, 4, ""},
      {"a long message", "cat " + capture + "; head -c 300000 /dev/zero | tr '\\0' y >&2; exit 1", 1, 4,
       place + "exited with status 1: " + std::string(200, 'y')},
      {"status 1 within a record", "head -c 25000 " + capture + "; exit 1", 1, 4,
       "record 31 at byte 24728 decompressed: decompression failed: gzip -dc exited with status 1"},
      {"status 0 within a record", "head -c 25000 " + capture, 0, 4,
       "record 31 at byte 24728 decompressed: truncated: the record's packet has 379 bytes, the capture ends after 256"},
      {"status 1 without output", "exit 1", 1, 0, "decompression failed: gzip -dc exited with status 1"},
      {"status 0 without output", "exit 0", 1, 0, "empty: a capture starts with a header of 24 bytes"},
      {"other output than a capture", "echo hello, this is no capture at all", 1, 0,
       "not a pcap or pcapng capture: unknown magic number"},
      {"other output than a capture, without an end", "echo hello, this is no capture at all but long enough for every magic number that there is in this world, and then some; exec sleep 1000", 1, 0,
       "not a pcap or pcapng capture: unknown magic number"},
      {"a compressed file as output", "printf '\\037\\213\\010abcdefghijklmnopqrstuvwxyz'; exec sleep 1000", 1, 0,
       "compressed twice: it contains a gzip file; decompress it once first"},
      {"a compressed file as output, without reading its input", "printf 'BZh9abcdefghijklmnopqrstuvwxyz'; exec sleep 1000", 1, 0,
       "compressed twice: it contains a bzip2 file; decompress it once first"},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    const Stub stub(test.script);
    const std::string path = stub.programs.add("x.gz", kGzipMagic);
    for (const bool piped : {false, true}) {
      CAPTURE(piped);
      const std::string long_input = kGzipMagic + std::string(1 << 20, 'z');  // more than the pipe buffers hold
      const RunResult result = piped ? run_with(stub.programs, {}, long_input) : run_with(stub.programs, {path});
      CHECK(result.exit_code == test.exit_code);
      CHECK(std::count(result.output.begin(), result.output.end(), '\n') == test.records);
      CHECK(result.errors == (test.error.empty() ? "" : "wirelap: " + (piped ? "-" : path) + ": " + test.error + "\n"));
    }
  }
}

TEST_CASE("container: a decompressor gets every byte of the input, the option -dc, and no settings of the user") {
  const Folder results;
  const std::string input = results.path() + "/input", arguments = results.path() + "/arguments";
  const Stub stub("cat > " + input + "; { echo \"$@\"; echo \"$GZIP$XZ_OPT$LC_ALL\"; } > " + arguments + "; cat " +
                  results.add("capture", slurp("fixtures/nanoseconds.pcap")));
  std::string content = kGzipMagic;
  for (unsigned i = 0; content.size() < 700'000; ++i) content += std::to_string(i);
  const std::string path = stub.programs.add("x.gz", content);
  ::setenv("GZIP", "-9", 1);
  for (const bool piped : {false, true}) {
    CAPTURE(piped);
    fs::remove(input);
    const RunResult result = piped ? run_with(stub.programs, {"-"}, content) : run_with(stub.programs, {path});
    CHECK(result.exit_code == 0);
    CHECK((slurp(input) == content));
    CHECK(slurp(arguments) == "-dc\nC\n");
  }
  ::unsetenv("GZIP");
}

/// The number of this process's children, including zombies.
std::size_t count_children() {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    if (std::atoi(entry.path().filename().c_str()) == 0) continue;  // not a process
    const std::string status = slurp(entry.path() / "stat");
    const std::size_t name_end = status.rfind(')');
    if (name_end == std::string::npos || name_end + 4 >= status.size()) continue;
    count += std::atoi(status.c_str() + name_end + 4) == ::getpid() ? 1 : 0;
  }
  return count;
}

int open_descriptors() {
  return static_cast<int>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

/// Puts a folder in front of PATH; the destructor restores PATH.
class PathGuard {
 public:
  explicit PathGuard(const Folder& folder) : before_(std::getenv("PATH")) {
    ::setenv("PATH", (folder.path() + ":" + before_).c_str(), 1);
  }
  ~PathGuard() { ::setenv("PATH", before_.c_str(), 1); }
  PathGuard(const PathGuard&) = delete;

 private:
  std::string before_;
};

TEST_CASE("container: after the destruction of an Input, no process and no descriptor is left") {
  const std::size_t children = count_children();
  const int descriptors = open_descriptors();
  struct Case {
    const char* script;
    int records;  // that are read before the destruction
    bool ends;    // whether decompressor and feeder end by themselves
  };
  const Case cases[] = {{"cat fixtures/dress/nanoseconds.pcapng; exec sleep 1000", 0, false},
                        {"cat fixtures/dress/nanoseconds.pcapng; exec sleep 1000", 5, false},
                        {"cat fixtures/dress/nanoseconds.pcapng; exec cat > /dev/null", 14, false},
                        {"cat fixtures/dress/nanoseconds.pcapng; exec cat > /dev/null", 14, true},
                        {"cat fixtures/dress/nanoseconds.pcapng", 14, true}};
  for (const Case& test : cases) {
    for (const bool piped : {false, true}) {
      CAPTURE(test.script);
      CAPTURE(test.records);
      CAPTURE(piped);
      {
        const Stub stub(test.script);
        const PathGuard path(stub.programs);
        const File file(bytes_of(kGzipMagic));
        Pipe pipe;
        pipe.write(bytes_of(kGzipMagic));
        if (test.ends) pipe.close_end(1);
        Input input({});
        if (piped) input.attach(pipe.fds[0]);
        else REQUIRE(input.open(file.path()) == 0);
        Reader reader(input, "x");
        REQUIRE(reader.start());
        PacketRecord record;
        for (int i = 0; i < test.records; ++i) REQUIRE(reader.next(record));
        if (test.ends) CHECK_FALSE(reader.next(record));
        CHECK_FALSE(reader.error());
      }
      CHECK(count_children() == children);
      CHECK(open_descriptors() == descriptors);
    }
  }
}

TEST_CASE("container: stop_fd ends a decompressor that produces no output") {
  const std::size_t children = count_children();
  const Folder marks;
  const std::string produced = marks.path() + "/produced";
  const Stub stub("cat fixtures/dress/nanoseconds.pcapng; touch " + produced + "; exec sleep 1000");
  const PathGuard path(stub.programs);
  Pipe pipe, stop;
  pipe.write(bytes_of(kGzipMagic + std::string(100, 'z')));
  bool stopped = false;
  Input::Options options;
  options.stop_fd = stop.fds[0];
  options.before_wait = [&] {
    while (::access(produced.c_str(), F_OK) != 0) ::usleep(1000);
    if (!std::exchange(stopped, true)) stop.write(Buffer{0});
  };
  {
    Input input(options);
    input.attach(pipe.fds[0]);
    const ReadResult result = read_all(input);
    CHECK(result.stopped);
    CHECK(result.records.size() == 14);
    CHECK_FALSE(result.error);
  }
  CHECK(count_children() == children);
}

TEST_CASE("container: the error of an unsupported format has its name and advice") {
  struct Case {
    std::string name;
    std::string start;
    std::string error;
  };
  const std::string editcap = "; convert it to pcap: editcap -F pcap IN OUT";
  const auto text = [](const char* bytes, std::size_t count) { return std::string(bytes, count); };
  std::string etl(0x50, '\0'), erf(24, '\0');
  etl.replace(0, 12, text("\0\0\1\0\x98\5\0\0\x98\5\0\0", 12));
  etl.replace(0x48, 4, text("\2\0\2\xc0", 4));
  erf.replace(0, 16, text("\0\0\0\x80\0\0\x54\x65\2\4\0\x5c\0\0\0\x4a", 16));
  const Case cases[] = {
      // The first bytes are those of editcap 4.0, where it writes the format.
      {"snoop", text("snoop\0\0\0\0\0\0\2\0\0\0\4", 16), "a snoop capture" + editcap},
      {"netmon1", text("RTSS\1\1\1\0", 8), "a Network Monitor 1 capture" + editcap},
      {"netmon2", text("GMBU\0\2\1\0", 8), "a Network Monitor 2 capture" + editcap},
      {"lanalyzer", text("\1\x10\x4c\0\1\5Trace", 11), "a LANalyzer capture" + editcap},
      {"ngsniffer", text("TRSNIFF data    \x1a\1\0\x12", 20), "a Sniffer capture" + editcap},
      {"ngwsniffer", text("XCP\0" "002.001\0", 12), "a NetXRay or Sniffer capture" + editcap},
      {"visual", text("\5VNF#\0\0\0", 8), "a Visual Networks capture" + editcap},
      {"5views", text("\xaa\xaa\xaa\xaa\x20\0\0\0", 8), "a 5View capture" + editcap},
      {"nettl", text("TR\0d\0\0\0\0", 8), "an HP-UX nettl capture" + editcap},
      {"observer", "ObserverPktBufferVersion=15.00", "an Observer capture" + editcap},
      {"k12text", "+---------+---------------+----------+\r\n", "a K12 text" + editcap},
      {"iptrace", "iptrace 2.0", "an iptrace capture" + editcap},
      {"TCPIPtrace", "TCPIPtrace TCP", "a TCPIPtrace text from VMS" + editcap},
      {"btsnoop", text("btsnoop\0\0\0\0\1", 12), "a Bluetooth capture (btsnoop); it contains no TCP over IP"},
      {"ETL", etl, "a Windows event trace (ETL); convert it to pcapng: etl2pcapng IN OUT, or on Windows: pktmon etl2pcap IN"},
      {"ERF", erf, "possibly an ERF capture" + editcap},
      {"zip", text("PK\3\4\x14\0", 6), "a zip archive; extract the capture: unzip -p FILE | wirelap"},
      {"text", "GET / HTTP/1.1\r\nHost: a", "not a pcap or pcapng capture: unknown magic number"},
      {"zeros", "", "not a pcap or pcapng capture: unknown magic number"},
      {"the text of tcpdump", "12:00:00.000000 IP 10.0.0.1.1 > 10.0.0.2.80: Flags [S]",
       "not a pcap or pcapng capture: unknown magic number"},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    const Buffer content = bytes_of(test.start + std::string(60, '\0'));
    CHECK(read_error(content) == "x.pcap: " + test.error);
    const auto error = read_file(content).error;
    REQUIRE(error);
    CHECK(error->kind == Kind::not_capture);
    CHECK(error->record == 0);
    CHECK(error->offset == 0);
  }
  CHECK(read_error(bytes_of("short")) == "x.pcap: not a pcap or pcapng capture: a header has 24 bytes, the file has 5");
}

}  // namespace
}  // namespace wirelap::test
