// The program from outside, a run as a whole: joined pieces, clocks that step, the summary and the progress line.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "output/progress.h"
#include "output/summary.h"
#include "support/folder.h"
#include "support/packets.h"
#include "support/run.h"
#include "support/shim.h"

namespace wirelap {
namespace {

using test::program;
using test::slurp;
using test::has;
using test::run;
using test::Folder;
using test::RunResult;

void spill(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

/// Offsets of a classic pcap's records, and of its end.
std::vector<std::size_t> records_of(const std::string& pcap) {
  std::vector<std::size_t> begins;
  std::size_t at = 24;
  while (at < pcap.size()) {
    begins.push_back(at);
    std::uint32_t captured = 0;
    std::memcpy(&captured, &pcap[at + 8], sizeof captured);
    at += 16 + captured;
  }
  begins.push_back(at);
  return begins;
}

/// Records without the columns that depend on the file in which a packet is.
std::string anywhere(const std::string& ndjson) {
  std::string text;
  for (std::size_t at = 0; at < ndjson.size();) {
    const std::size_t capture = ndjson.find("\"capture\":", at);
    if (capture == std::string::npos) break;
    const std::size_t connection = ndjson.find("\"connection\":", capture);
    const std::size_t frame = ndjson.find("\"first_frame\":", connection);
    const std::size_t start = ndjson.find("\"start\":", frame);
    const std::size_t end = ndjson.find('\n', start);
    text += ndjson.substr(connection, frame - connection) + ndjson.substr(start, end + 1 - start);
    at = end + 1;
  }
  return text;
}

TEST_CASE("--join: the pieces of a capture give the same records as the whole") {
  const Folder folder;
  for (const std::string fixture : {"curl-nginx-10ms", "pipelined", "tls13", "loss"}) {
    INFO(fixture);
    const std::string whole = slurp("fixtures/" + fixture + ".pcap");
    const std::vector<std::size_t> records = records_of(whole);
    const std::string expected = anywhere(run({program(), "fixtures/" + fixture + ".pcap"}).output);
    REQUIRE(has(expected, "complete"));
    const std::size_t count = records.size() - 1;
    for (std::size_t cut = 1; cut < count; cut += 1 + count / 12) {
      INFO("cut after record ", cut);
      const std::size_t second = cut + (count - cut) / 2;
      const std::string header = whole.substr(0, 24);
      spill(folder / "a.pcap", whole.substr(0, records[cut]));
      spill(folder / "b.pcap", header + whole.substr(records[cut], records[second] - records[cut]));
      spill(folder / "c.pcap", header + whole.substr(records[second]));
      const RunResult joined = run({program(), "--join", folder / "a.pcap", folder / "b.pcap", folder / "c.pcap"});
      CHECK(joined.exit_code == 0);
      CHECK(anywhere(joined.output) == expected);
      CHECK(!has(joined.errors, "order"));
    }
  }
}

TEST_CASE("--join: first_frame counts within its file") {
  const Folder folder;
  const std::string whole = slurp("fixtures/pipelined.pcap");
  const std::vector<std::size_t> records = records_of(whole);
  // The first request is in record 4; cut before it.
  spill(folder / "a.pcap", whole.substr(0, records[3]));
  spill(folder / "b.pcap", whole.substr(0, 24) + whole.substr(records[3]));
  const RunResult alone = run({program(), "fixtures/pipelined.pcap"});
  REQUIRE(has(alone.output, "\"first_frame\":4,"));
  const RunResult joined = run({program(), "--join", folder / "a.pcap", folder / "b.pcap"});
  CHECK(has(joined.output, "b.pcap\",\"connection\":1,\"exchange\":1,\"first_frame\":1,"));
}

TEST_CASE("several files without --join are separate captures; one that fails does not stop the others") {
  const RunResult result = run({program(), "fixtures/vlan.pcap", "/does/not/exist", "fixtures/ipv6.pcap"});
  CHECK(result.exit_code == 1);
  CHECK(has(result.errors, "wirelap: /does/not/exist: "));
  CHECK(has(result.output, "fixtures/vlan.pcap"));
  CHECK(has(result.output, "fixtures/ipv6.pcap"));
  CHECK(!has(result.errors, "order"));
}

TEST_CASE("--join: pieces in the wrong order are reported") {
  const Folder folder;
  const std::string whole = slurp("fixtures/pipelined.pcap");
  const std::vector<std::size_t> records = records_of(whole);
  spill(folder / "a.pcap", whole.substr(0, records[9]));
  spill(folder / "b.pcap", whole.substr(0, 24) + whole.substr(records[9]));
  const RunResult result = run({program(), "-q", "--join", folder / "b.pcap", folder / "a.pcap"});
  CHECK(has(result.errors, "a.pcap: begins before the previous piece ends"));
}

TEST_CASE("classic: options that it does not support are usage errors") {
  for (const std::vector<std::string>& option : std::vector<std::vector<std::string>>{
           {"--join"}, {"--packets"}, {"--header", "host"}, {"--s3"}, {"--connections"}, {"--tcp"}, {"--memory", "64M"}}) {
    std::vector<std::string> arguments = {program(), "fixtures/vlan.pcap", "-f", "classic"};
    arguments.insert(arguments.end(), option.begin(), option.end());
    const RunResult result = run(arguments);
    CHECK(result.exit_code == 2);
    CHECK(has(result.errors, "wirelap: " + option[0] + " is not available with format 'classic'"));
  }
}

TEST_CASE("summary: a run without exchanges points to --connections") {
  const Folder folder;
  const std::string whole = slurp("fixtures/pipelined.pcap");
  spill(folder / "handshake.pcap", whole.substr(0, records_of(whole)[3]));
  const std::string hint = "no exchange found: --connections reports the connections";
  CHECK(has(run({program(), folder / "handshake.pcap"}).errors, hint));
  CHECK(!has(run({program(), "--connections", folder / "handshake.pcap"}).errors, hint));
  CHECK(!has(run({program(), "fixtures/pipelined.pcap"}).errors, hint));
  const RunResult elsewhere = run({program(), "-p", "81", "fixtures/pipelined.pcap"});
  CHECK(has(elsewhere.errors, "no exchange with a server at the ports of -p"));
  CHECK(!has(elsewhere.errors, hint));
}

TEST_CASE("summary: connections that were refused or not answered are counted") {
  const Folder folder;
  const std::string whole = slurp("fixtures/pipelined.pcap");
  spill(folder / "syn.pcap", whole.substr(0, records_of(whole)[1]));
  const std::string line = "1 connection refused or not answered: --connections reports each";
  CHECK(has(run({program(), folder / "syn.pcap"}).errors, line));
  CHECK(has(run({program(), "fixtures/close.pcap"}).errors, line));  // refused
  CHECK(!has(run({program(), "fixtures/pipelined.pcap"}).errors, "not answered"));
}

TEST_CASE("a capture that is the standard output, too, is a usage error") {
  const Folder folder;
  const std::string capture = folder / "x.pcap", before = slurp("fixtures/ipv6.pcap");
  spill(capture, before);
  const RunResult result = run({"/bin/sh", "-c", program() + " " + capture + " >> " + capture});
  CHECK(result.exit_code == 2);
  CHECK(has(result.errors, "is a capture to be read: it cannot be an output too"));
  CHECK(slurp(capture) == before);
}

TEST_CASE("a capture without packets has a summary; --version fails on a full device") {
  const Folder folder;
  spill(folder / "none.pcap", slurp("fixtures/vlan.pcap").substr(0, 24));
  CHECK(run({program(), folder / "none.pcap"}).errors == "wirelap: 0 packets, 0 of TCP in 0 connections, 0 exchanges\n");
  CHECK(run({"/bin/sh", "-c", program() + " --version > /dev/full"}).exit_code == 1);
}

TEST_CASE("summary: skipped packets are counted by reason; -q suppresses the summary") {
  const RunResult result = run({program(), "fixtures/vlan.pcap"});
  CHECK(result.errors == "wirelap: 41 packets, 33 of TCP in 2 connections, 3 exchanges\n"
                         "wirelap: 6 packets skipped: ICMPv6\n"
                         "wirelap: 2 packets skipped: ARP (EtherType 0x0806, not IP)\n");
  CHECK(run({program(), "-q", "fixtures/vlan.pcap"}).errors.empty());
  CHECK(run({program(), "--quiet", "fixtures/vlan.pcap"}).errors.empty());
  CHECK(has(run({program(), "fixtures/snaplen.pcap"}).errors, " truncated by the snaplen of the capture\n"));
  CHECK(has(run({program(), "fixtures/offload.pcap"}).errors, " larger than a frame on the wire"));
  CHECK(has(run({program(), "fixtures/vlan.pcap", "fixtures/vlan.pcap"}).errors, "wirelap: 82 packets, 66 of TCP in 4 "));
}

/// A fixture, its records' times changed by `change`.
template <class Change>
std::string with_times(const std::string& pcap, Change change) {
  std::string changed = pcap;
  const std::vector<std::size_t> records = records_of(pcap);
  for (std::size_t i = 0; i + 1 < records.size(); ++i) {
    std::uint32_t seconds = 0;
    std::memcpy(&seconds, &pcap[records[i]], sizeof seconds);
    seconds = change(i, seconds);
    std::memcpy(&changed[records[i]], &seconds, sizeof seconds);
  }
  return changed;
}

TEST_CASE("clocks: a step back is reported once, and no duration is negative") {
  const Folder folder;
  const std::string whole = slurp("fixtures/pipelined.pcap");
  struct {
    const char* what;
    std::uint32_t (*change)(std::size_t, std::uint32_t);
    const char* message;
  } const cases[] = {
      {"an hour back in the middle", [](std::size_t i, std::uint32_t s) { return i < 8 ? s : s - 3600; },
       "wirelap: the clock went back 1 time, by up to "},
      {"back and forth", [](std::size_t i, std::uint32_t s) { return i % 2 == 0 ? s : s - 3600; },
       "wirelap: the clock went back "},
      {"never set", [](std::size_t i, std::uint32_t) { return static_cast<std::uint32_t>(i / 8); },
       " from before 1990: the clock was not set\n"},
      {"all zero", [](std::size_t, std::uint32_t) { return 0u; }, " from before 1990: the clock was not set\n"},
      {"years ahead", [](std::size_t i, std::uint32_t s) { return i < 8 ? s : s + 2'000'000'000; }, "exchange"},
  };
  for (const auto& test : cases) {
    INFO(test.what);
    spill(folder / "odd.pcap", with_times(whole, test.change));
    const RunResult result = run({program(), "--connections", folder / "odd.pcap"});
    CHECK(result.exit_code == 0);
    CHECK(has(result.errors, test.message));
    CHECK(result.errors.find("the clock") == result.errors.rfind("the clock"));
    CHECK(has(result.output, "_s\":"));
    CHECK(!has(result.output, "_s\":-"));
  }
}

TEST_CASE("summary: singular and plural") {
  Summary summary;
  CHECK(describe(summary) == std::vector<std::string>{"0 packets, 0 of TCP in 0 connections, 0 exchanges"});
  summary.decoded.records = summary.connections = summary.exchanges = summary.gaps = summary.missing_bytes = 1;
  summary.duplicates = summary.decoded.truncated = summary.decoded.large = summary.steps_back = summary.undated = 1;
  summary.largest_step_back = 1'500'000'000;
  const std::vector<std::string> lines = describe(summary);
  REQUIRE(lines.size() == 7);
  CHECK(lines[0] == "1 packet, 1 of TCP in 1 connection, 1 exchange");
  CHECK(lines[1] == "1 byte in 1 sequence gap not captured, but received: acknowledgments show it");
  CHECK(lines[5].starts_with("the clock went back 1 time, by up to 1.50s"));
}

TEST_CASE("progress: bar, share, rate and time left in the given width") {
  constexpr Nanos kSecond = kNanosPerSecond;
  CHECK(describe_progress(1'000'000'000, 4'000'000'000, kSecond, 52) ==
        "[#####               ]  25% 1.0G/s, 3.00s left");
  for (const std::size_t columns : {40u, 52u, 79u, 200u}) {
    for (const std::uint64_t done : {1ull, 999ull, 123'456'789ull, 4'000'000'000'000ull}) {
      const std::string line = describe_progress(done, 4'000'000'000'000, 5 * kSecond, columns);
      CHECK(line.size() <= columns);
    }
  }
  CHECK(has(describe_progress(7, 5, kSecond, 80), "100%"));  // a file that has grown
}

/// What the command `arguments` writes to a terminal that is its standard error.
std::string on_terminal(std::vector<std::string> arguments) {
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, STDOUT_FILENO);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  std::string text;
  char piece[4096];
  for (ssize_t got; (got = ::read(terminal, piece, sizeof piece)) > 0;) text.append(piece, static_cast<std::size_t>(got));
  ::close(terminal);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  return text;
}

TEST_CASE("progress: a terminal shows it while a file is read, and not after that") {
  if (!test::has_shim()) return;
  const test::Folder folder;
  std::string capture = slurp("fixtures/vlan.pcap");
  const std::string records = capture.substr(24);
  while (capture.size() < 1'000'000) capture += records;
  const std::string path = folder.add("large.pcap", capture);
  const std::string text = on_terminal(test::shimmed("clock", {"-f", "csv", path}));
  CHECK(has(text, "\r[#"));
  CHECK(has(text, "% "));
  CHECK(has(text, "/s, "));
  CHECK(has(text, " left\x1b[K\r"));
  // The summary stays, on a line that was cleared.
  const std::size_t last = text.rfind("\r\x1b[K");
  REQUIRE(last != std::string::npos);
  CHECK(text.substr(last + 4).starts_with("wirelap: "));
  CHECK(text.find('[', last + 4) == std::string::npos);
  CHECK(!has(on_terminal(test::shimmed("clock", {"-q", "-f", "csv", path})), "["));
}

TEST_CASE("progress: a file that takes less than a second has none") {
  CHECK(!has(on_terminal({program(), "fixtures/vlan.pcap"}), "["));
}

}  // namespace
}  // namespace wirelap
