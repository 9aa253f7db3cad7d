// The program from outside: options, exit codes, signals, closed outputs.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "support/folder.h"
#include "support/run.h"

namespace wirelap {
namespace {

using test::program;
using test::slurp;
using test::has;
using test::run;
using test::RunResult;

const std::string kCapture = "fixtures/ipv6.pcap";

/// The program with a pipe as its input that stays open, as after a live tcpdump.
class Live {
 public:
  Live() {
    int in[2], out[2];
    REQUIRE(::pipe2(in, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::execl(program().c_str(), "wirelap", "-f", "ndjson", nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
  }
  ~Live() { ::close(from_); }

  void write(std::string_view bytes) { REQUIRE(::write(to_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())); }
  void signal(int number) { ::kill(child_, number); }
  void close_input() { ::close(to_); to_ = -1; }

  /// What it has written until `lines` lines are there or it stops writing.
  std::string read_lines(int lines) {
    std::string got;
    pollfd ready{from_, POLLIN, 0};
    while (std::count(got.begin(), got.end(), '\n') < lines && ::poll(&ready, 1, 10'000) > 0) {
      char piece[4096];
      const ssize_t count = ::read(from_, piece, sizeof piece);
      if (count <= 0) break;
      got.append(piece, static_cast<std::size_t>(count));
    }
    return got;
  }

  int wait() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    if (to_ >= 0) ::close(to_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t child_;
  int to_, from_;
};

TEST_CASE("a capture is an argument, the argument of -r, '-', or standard input") {
  const std::string all = run({program(), kCapture}).output;
  CHECK(std::count(all.begin(), all.end(), '\n') == 4);
  CHECK(run({program(), "-r", kCapture}).output == all);
  const std::string bytes = slurp(kCapture);
  const std::string piped = run({program()}, bytes).output;
  CHECK(run({program(), "-"}, bytes).output == piped);
  CHECK(has(piped, "\"capture\":\"-\""));
  const RunResult both = run({program(), kCapture, "-r", "fixtures/vlan.pcap"});
  CHECK(has(both.output, "ipv6.pcap"));
  CHECK(has(both.output, "vlan.pcap"));
}

TEST_CASE("bad usage: exit code 2, and a message") {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--nonsense"}, {"-f", "xml", kCapture}, {"-p", "0", kCapture},
        {"-p", "65536", kCapture}, {"-p", "80x", kCapture}, {"-o"}}) {
    std::vector<std::string> command{program()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const RunResult result = run(command);
    CAPTURE(arguments.front());
    CHECK(result.exit_code == 2);
    CHECK(result.output.empty());
    CHECK(has(result.errors, "--help"));
  }
}

TEST_CASE("--help fits on a screen of 24 lines and 80 columns") {
  const RunResult result = run({program(), "--help"});
  CHECK(result.exit_code == 0);
  CHECK(std::count(result.output.begin(), result.output.end(), '\n') <= 24);
  std::size_t widest = 0;
  for (std::size_t at = 0; at < result.output.size();) {
    const std::size_t end = result.output.find('\n', at);
    widest = std::max(widest, end - at);
    at = end + 1;
  }
  CHECK(widest <= 80);
}

TEST_CASE("a capture that cannot be read does not stop the others, and the exit code is 1") {
  const RunResult result = run({program(), "-q", "/nonexistent.pcap", "fixtures", "README.md", kCapture});
  CHECK(result.exit_code == 1);
  CHECK(std::count(result.output.begin(), result.output.end(), '\n') == 4);
  CHECK(std::count(result.errors.begin(), result.errors.end(), '\n') == 3);
  CHECK(has(result.errors, "README.md"));
}

TEST_CASE("a truncated last record is reported with its place, and the exit code is 0") {
  const RunResult cut = run({program(), "fixtures/cut.pcap"});
  CHECK(cut.exit_code == 0);
  CHECK(has(cut.errors, "record 35 at byte 31344"));
  std::string damaged = slurp(kCapture);
  damaged.replace(24 + 8, 4, std::string("\xff\xff\xff\x7f", 4));
  const RunResult damage = run({program()}, damaged);
  CHECK(damage.exit_code == 1);
  CHECK(has(damage.errors, "record 1 at byte 24"));
}

TEST_CASE("-p reports only exchanges with servers at these ports") {
  CHECK(run({program(), "-p", "81", kCapture}).output.empty());
  CHECK(run({program(), "-p", "81", "-p", "80", kCapture}).output == run({program(), kCapture}).output);
}

TEST_CASE("--packets adds inter-packet times") {
  const RunResult result = run({program(), "--packets", "fixtures/nanoseconds.pcap"});
  CHECK(has(result.output, "\"interpacket_times\":[[0.000000000,"));
  const RunResult csv = run({program(), "--packets", "-f", "csv", "fixtures/loss.pcap"});
  CHECK(has(csv.output, "outcome,interpacket_times\r\n"));
  // The segment that filled the gap made those after it available, too.
  CHECK(has(csv.output, " 0.024081:55024 "));
  CHECK(has(csv.output, " 0.000187:2896 "));
  CHECK(has(csv.output, ":60256\r\n"));
}

TEST_CASE("--header and --s3 add columns for headers of the request or the response") {
  const RunResult result = run({program(), "--header", "Range", "--header", "ETag", "--s3", "fixtures/s3-session.pcap"});
  CHECK(result.exit_code == 0);
  CHECK(has(result.output, "\"range\":\"bytes=1000-4999\",\"etag\":\"\\\""));
  CHECK(has(result.output, "\"x-amz-request-id\":"));
  const RunResult csv = run({program(), "--s3", "-f", "csv", kCapture});
  CHECK(has(csv.output, "outcome,x-amz-request-id,x-amz-id-2,range\r\n"));
  CHECK(run({program(), "--header", "a b", kCapture}).exit_code == 2);
  CHECK(run({program(), "--header", "", kCapture}).exit_code == 2);
}

TEST_CASE("-o writes to a file; a full disk is an error") {
  char path[] = "/tmp/wirelap-test-XXXXXX";
  ::close(::mkstemp(path));
  CHECK(run({program(), "-o", path, kCapture}).exit_code == 0);
  CHECK(slurp(path) == run({program(), kCapture}).output);
  ::unlink(path);
  const RunResult full = run({program(), "-o", "/dev/full", kCapture});
  CHECK(full.exit_code == 1);
  CHECK(has(full.errors, "No space left"));
}

TEST_CASE("several outputs: each gets all records in the format of its suffix, and standard output nothing") {
  const test::Folder folder;
  const std::string ndjson = folder / "a.ndjson", csv = folder / "b.csv", json = folder / "c.json",
                    plain = folder / "d";
  const RunResult result = run({program(), "-o", ndjson, "-o", csv, "-o", json, "-o", plain, kCapture});
  CHECK(result.exit_code == 0);
  CHECK(result.output.empty());
  CHECK(slurp(ndjson) == run({program(), "-f", "ndjson", kCapture}).output);
  CHECK(slurp(csv) == run({program(), "-f", "csv", kCapture}).output);
  CHECK(slurp(json) == run({program(), "-f", "json", kCapture}).output);
  CHECK(slurp(plain) == slurp(ndjson));
  const RunResult both = run({program(), "-f", "table", "-o", plain, "-o", csv, "-f", "json", kCapture});
  CHECK(both.output == slurp(json));
  CHECK(slurp(plain) == run({program(), "-f", "table", kCapture}).output);
  CHECK(run({program(), "-o", csv, "-o", "-", kCapture}).output == slurp(ndjson));
  CHECK(run({program(), "-f", "classic", "-o", plain, kCapture}).exit_code == 0);
  CHECK(slurp(plain) == run({program(), "-f", "classic", kCapture}).output);
}

TEST_CASE("several outputs: one that fails has its own message, and the others are complete") {
  const test::Folder folder;
  const std::string csv = folder / "b.csv";
  const RunResult full = run({program(), "-o", "/dev/full", "-o", csv, "-f", "ndjson", kCapture});
  CHECK(full.exit_code == 1);
  CHECK(full.errors == "wirelap: /dev/full: No space left on device\n");
  CHECK(full.output == run({program(), kCapture}).output);
  CHECK(slurp(csv) == run({program(), "-f", "csv", kCapture}).output);
  const RunResult none = run({program(), "-o", csv, "-o", "/does/not/exist.csv", kCapture});
  CHECK(none.exit_code == 1);
  CHECK(none.errors == "wirelap: /does/not/exist.csv: No such file or directory\n");
  // The reader of standard output leaves, and the file gets all records nevertheless.
  const std::string many = "fixtures/many-clients.pcap";
  run({"sh", "-c", program() + " -q -o " + csv + " -f ndjson " + many + " | head -n 1"});
  CHECK(slurp(csv) == run({program(), "-f", "csv", many}).output);
}

TEST_CASE("several outputs: a capture, or one file twice by whatever name, is a usage error") {
  const test::Folder folder;
  const std::string capture = folder.add("x.pcap", slurp(kCapture)), file = folder / "a.csv", link = folder / "b.csv";
  const RunResult read = run({program(), "-o", file, "-o", capture, capture});
  CHECK(read.exit_code == 2);
  CHECK(has(read.errors, "'" + capture + "' is a capture to be read"));
  CHECK(slurp(capture) == slurp(kCapture));
  REQUIRE(::symlink(file.c_str(), link.c_str()) == 0);
  const RunResult twice = run({program(), "-o", file, "-o", link, kCapture});
  CHECK(twice.exit_code == 2);
  CHECK(has(twice.errors, "two outputs go to '" + link + "'"));
  CHECK(run({"sh", "-c", program() + " -o " + file + " -f csv " + kCapture + " > " + file}).exit_code == 2);
  CHECK(run({program(), "-o", "/dev/null", "-f", "csv", "-o", "/dev/zero", kCapture}).exit_code == 0);
}

TEST_CASE("--columns lists every column of the records in their order, with tabs between the fields") {
  const RunResult result = run({program(), "--columns"});
  CHECK(result.exit_code == 0);
  std::string exchange, connection;
  std::istringstream lines(result.output);
  std::string line;
  REQUIRE(std::getline(lines, line));
  CHECK(line == "column\trecords\ttype\tnull\tunit\tdescription");
  while (std::getline(lines, line)) {
    CHECK(std::count(line.begin(), line.end(), '\t') == 5);
    const std::string name = line.substr(0, line.find('\t'));
    const std::string records = line.substr(name.size() + 1, line.find('\t', name.size() + 1) - name.size() - 1);
    if (has(records, "exchange")) exchange += name + ",";
    if (has(records, "connection")) connection += name + ",";
    CHECK(line.size() - line.rfind('\t') > 5);
  }
  const std::string csv = run({program(), "--packets", "-f", "csv", kCapture}).output;
  CHECK(exchange == csv.substr(0, csv.find('\r')) + ",");
  const std::string json = run({program(), "--connections", "fixtures/close.pcap"}).output;
  const std::string object = json.substr(json.find("{\"type\":\"connection\""));
  std::string names;
  for (std::size_t at = 1; object[at] == '"'; at = object.find_first_of(",}", at) + 1) {
    const std::size_t end = object.find("\":", at);
    names += object.substr(at + 1, end - at - 1) + ",";
    at = end;
  }
  CHECK(connection == names);
}

TEST_CASE("live: a record is written before the program waits for input") {
  Live live;
  live.write(slurp(kCapture));
  const std::string got = live.read_lines(4);
  CHECK(std::count(got.begin(), got.end(), '\n') == 4);
  live.close_input();
  CHECK(live.wait() == 0);
}

TEST_CASE("SIGINT and SIGTERM end the input: open exchanges are reported") {
  for (const int signal : {SIGINT, SIGTERM}) {
    Live live;
    const std::string capture = slurp("fixtures/cut.pcap");
    live.write(capture);
    CHECK(has(live.read_lines(1), "complete"));
    live.signal(signal);
    const std::string rest = live.read_lines(1);
    CHECK(has(rest, "capture_end"));
    CHECK(live.wait() == 0);
  }
}

TEST_CASE("a pipe whose reader has closed it ends the run without a message") {
  const RunResult result = run({"sh", "-c", program() + " fixtures/many-clients.pcap | head -n 1"});
  CHECK(std::count(result.output.begin(), result.output.end(), '\n') == 1);
  CHECK(result.errors.empty());
}

TEST_CASE("control characters in a file name are escaped in messages") {
  const RunResult result = run({program(), "/no\x1b[31m\nfile"});
  CHECK(has(result.errors, "\\x1b"));
  CHECK(result.errors.find('\x1b') == std::string::npos);
}

}  // namespace
}  // namespace wirelap
