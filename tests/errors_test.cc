// Errors of the system during a run: input files that change, outputs that are full or
// closed, system calls that are interrupted, fail or transfer less than requested, and
// inputs that cannot be read.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <utility>
#include <vector>

#include "support/folder.h"
#include "support/packets.h"
#include "support/process.h"
#include "support/run.h"
#include "support/shim.h"

namespace wirelap::test {
namespace {

constexpr std::size_t kPacketsEach = 6;

/// A capture of `count` consecutive connections, each with one exchange.
PcapWriter many_exchanges(unsigned count) {
  PcapWriter writer;
  Nanos time = 1'700'000'000 * kNanosPerSecond;
  const std::string request = "GET /one HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + std::string(200, 'x');
  const auto add = [&](bool from_client, unsigned port, std::uint32_t sequence, std::uint32_t acknowledgment, unsigned flags,
                       const std::string& payload) {
    SegmentSpec spec;
    if (!from_client) std::swap(spec.source, spec.destination);
    spec.source_port = static_cast<std::uint16_t>(from_client ? port : 80);
    spec.destination_port = static_cast<std::uint16_t>(from_client ? 80 : port);
    spec.sequence = sequence;
    spec.acknowledgment = acknowledgment;
    spec.flags = static_cast<std::uint8_t>(flags);
    spec.payload = payload;
    writer.add(time += 1000 * kNanosPerMicro, ethernet_frame(spec));
  };
  for (unsigned i = 0; i < count; ++i) {
    const unsigned port = 2000 + i;
    const auto request_end = static_cast<std::uint32_t>(1 + request.size());
    const auto response_end = static_cast<std::uint32_t>(1 + response.size());
    add(true, port, 0, 0, kSyn, "");
    add(false, port, 0, 1, kSyn | kAck, "");
    add(true, port, 1, 1, kAck | kPsh, request);
    add(false, port, 1, request_end, kAck | kPsh, response);
    add(true, port, request_end, response_end, kAck | kFin, "");
    add(false, port, response_end, request_end + 1, kAck | kFin, "");
  }
  return writer;
}

constexpr unsigned kExchanges = 2000;
const PcapWriter& large_capture() {
  static const PcapWriter capture = many_exchanges(kExchanges);
  return capture;
}

std::vector<std::string> formats() { return {"ndjson", "json", "csv", "table"}; }

/// Whether `text` is a prefix of `whole` that ends at the end of a line, or is empty.
bool is_whole_lines_of(const std::string& text, const std::string& whole) {
  return whole.starts_with(text) && (text.empty() || text.ends_with('\n'));
}

std::ptrdiff_t count_lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

// ---- Input files that change while they are read.

/// Runs the program on `path`. It blocks in the middle of the file, because nobody reads its output.
struct Stalled {
  explicit Stalled(const std::string& path, std::vector<std::string> more = {}) : process(command(path, std::move(more))) {
    ::fcntl(process.output(), F_SETPIPE_SZ, 4096);
    process.await_output();  // it is then writing its first 64 KiB, which do not fit into the pipe
  }
  static std::vector<std::string> command(const std::string& path, std::vector<std::string> more) {
    std::vector<std::string> all = {program(), "-q", "-f", "ndjson", path};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Process process;
};

TEST_CASE("errors: a file that shrinks while it is read ends with one line of error and exit code 1") {
  const PcapWriter& capture = large_capture();
  const std::size_t size = capture.bytes().size();
  const Folder folder;
  const std::string whole = run({program(), "-q", "-f", "ndjson", folder.add("x.pcap", text_of(capture.bytes()))}).output;
  REQUIRE(count_lines(whole) == kExchanges);
  REQUIRE(size > 1'000'000);
  const std::size_t record = kPacketsEach * 1500 + 2;  // within a connection before its request
  struct Case {
    const char* name;
    std::size_t new_size;
    bool is_exact;  // the program has not read so far when the file shrinks
  };
  const Case cases[] = {{"in the middle of a record", capture.starts()[record] + 20, true},
                        {"between two records", capture.starts()[record], true},
                        {"in a record's header", capture.starts()[record] + 3, true},
                        {"before what was read", 100'000, false},
                        {"to nothing", 0, false}};
  for (const Case& test : cases) {
    INFO(test.name);
    const std::string path = folder.add("x.pcap", text_of(capture.bytes()));
    Stalled reader(path);
    REQUIRE(::truncate(path.c_str(), static_cast<off_t>(test.new_size)) == 0);
    const std::string output = reader.process.read_all();
    CHECK(reader.process.wait() == 1);
    const std::string errors = reader.process.errors();
    const std::string error = "the file shrank while it was read: from " + std::to_string(size) + " to " +
                              std::to_string(test.new_size) + " bytes\n";
    CHECK(errors.starts_with("wirelap: " + path + ": record "));
    CHECK(errors.ends_with(error));
    CHECK(count_lines(errors) == 1);
    if (test.is_exact) {
      CHECK(errors == "wirelap: " + path + ": record " + std::to_string(record + 1) + " at byte " +
                          std::to_string(capture.starts()[record]) + ": " + error);
      CHECK(count_lines(output) == 1500);
      CHECK(is_whole_lines_of(output, whole));
    } else {
      // All that was read is reported; the unfinished exchange as at the end of a capture.
      const std::size_t end = output.find("\"outcome\":\"capture_end\"");
      const std::size_t complete = end == std::string::npos ? output.size() : output.rfind('\n', end) + 1;
      CHECK(is_whole_lines_of(output.substr(0, complete), whole));
      CHECK(output.ends_with('\n'));
      CHECK(count_lines(output.substr(complete)) <= 1);
      CHECK(count_lines(output) > 100);
    }
  }
}

TEST_CASE("errors: after a file that shrinks, the next file is read, even where it was deleted after the start") {
  const Folder folder;
  const std::string first = folder.add("a.pcap", text_of(large_capture().bytes()));
  const std::string second = folder.add("b.pcap", slurp("fixtures/ipv6.pcap"));
  Stalled reader(first, {second});
  REQUIRE(::truncate(first.c_str(), 0) == 0);
  REQUIRE(::unlink(second.c_str()) == 0);
  const std::string output = reader.process.read_all();
  CHECK(reader.process.wait() == 1);
  CHECK(has(output, "b.pcap\",\"connection\":"));
  CHECK(count_lines(reader.process.errors()) == 1);
}

TEST_CASE("errors: a file that grows is read up to its size at the start") {
  const Folder folder;
  const std::string path = folder.add("x.pcap", text_of(large_capture().bytes()));
  Stalled reader(path);
  std::ofstream(path, std::ios::binary | std::ios::app) << text_of(large_capture().bytes());
  CHECK(count_lines(reader.process.read_all()) == kExchanges);
  CHECK(reader.process.wait() == 0);
  CHECK(reader.process.errors() == "");
}

TEST_CASE("errors: standard input that is a file is read from its current offset") {
  const Folder folder;
  const std::string path = folder.add("x.pcap", "noise" + slurp("fixtures/ipv6.pcap"));
  const std::string compressed = folder.add("x.gz", "noise" + slurp("fixtures/dress/nanoseconds.pcap.gz"));
  const RunResult plain = run({"sh", "-c", "{ head -c 5 > /dev/null; " + program() + " -q -; } < " + path});
  CHECK(plain.errors == "");
  CHECK(count_lines(plain.output) == 4);
  const std::string skip = "{ dd bs=5 count=1 status=none > /dev/null; ";
  CHECK(run({"sh", "-c", skip + program() + " -q -; } < " + path}).output == plain.output);
  if (run({"sh", "-c", "command -v gzip"}).exit_code != 0) return;
  const RunResult decompressed = run({"sh", "-c", skip + program() + " -q; } < " + compressed});
  CHECK(decompressed.errors == "");
  CHECK(count_lines(decompressed.output) == 3);
}

// ---- Outputs.

TEST_CASE("errors: an output that exceeds the file size limit ends with a complete line, in every format") {
  const Folder folder;
  const std::string capture = folder.add("x.pcap", text_of(many_exchanges(200).bytes()));
  const std::string path = folder.path() + "/out";
  for (const std::string& format : formats()) {
    const std::vector<std::string> command = {program(), "-f", format, "-o", path, capture};
    REQUIRE(run(command).exit_code == 0);
    const std::string whole = slurp(path);
    for (const rlim_t limit : {0, 10, 700, 10'000, 66'000}) {
      if (limit >= whole.size()) continue;
      INFO(format, " ", limit);
      Process process(command, with_limit(RLIMIT_FSIZE, limit, limit));
      CHECK(process.wait() == 1);
      // Standard error is a file too: its size has the same limit.
      CHECK(process.errors() == ("wirelap: " + path + ": File too large\n").substr(0, limit));
      const std::string written = slurp(path);
      CHECK(is_whole_lines_of(written, whole));
      CHECK(whole.find('\n', written.size()) >= limit);  // every complete line that fits is there
    }
  }
}

TEST_CASE("errors: only incomplete output of wirelap is removed from a file that is appended to") {
  const Folder folder;
  const std::string path = folder.add("out", "an older line\nand half of one");
  const std::string whole = run({program(), "-q", "fixtures/ipv6.pcap"}).output;
  const auto append = [&] {
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND);
    ::dup2(fd, STDOUT_FILENO);
    with_limit(RLIMIT_FSIZE, 2500, 2500)();
  };
  Process process({program(), "-q", "fixtures/ipv6.pcap"}, append);
  CHECK(process.wait() == 1);
  const std::string written = slurp(path);
  REQUIRE(written.starts_with("an older line\nand half of one"));
  CHECK(is_whole_lines_of(written.substr(29), whole));
  CHECK(count_lines(written) >= 2);
}

TEST_CASE("errors: an output on a full file system ends with a complete line") {
  const Folder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k,mode=0777") != 0) {
    MESSAGE("skipped: mounting needs root");
    return;
  }
  const std::string path = folder.path() + "/out";
  const Folder captures;
  const std::string capture = captures.add("x.pcap", text_of(many_exchanges(200).bytes()));
  for (const std::string format : {"ndjson", "json", "csv"}) {
    INFO(format);
    const std::string whole = run({program(), "-q", "-f", format, capture}).output;
    const RunResult result = run({program(), "-q", "-f", format, "-o", path, capture});
    CHECK(result.exit_code == 1);
    CHECK(result.errors == "wirelap: " + path + ": No space left on device\n");
    const std::string written = slurp(path);
    CHECK(is_whole_lines_of(written, whole));
    CHECK(written.size() > 60'000);
  }
  ::umount2(folder.path().c_str(), MNT_DETACH);
}

TEST_CASE("errors: a closed or unwritable output ends the run with exit code 1") {
  CHECK(run({"/bin/sh", "-c", program() + " -q fixtures/ipv6.pcap >&-"}).errors == "wirelap: output: Bad file descriptor\n");
  CHECK(run({"/bin/sh", "-c", program() + " -q fixtures/ipv6.pcap >&-"}).exit_code == 1);
  CHECK(run({program(), "-o", "/does/not/exist", "fixtures/ipv6.pcap"}).errors ==
        "wirelap: /does/not/exist: No such file or directory\n");
  CHECK(run({program(), "-o", "fixtures", "fixtures/ipv6.pcap"}).errors == "wirelap: fixtures: Is a directory\n");
  CHECK(run({"/bin/sh", "-c", program() + " --help > /dev/full"}).exit_code == 1);
  // Where standard error cannot be written, only the exit code reports the error.
  CHECK(run({"/bin/sh", "-c", program() + " /does/not/exist 2>&-"}).exit_code == 1);
  CHECK(run({"/bin/sh", "-c", program() + " -q fixtures/ipv6.pcap > /dev/full 2> /dev/full"}).exit_code == 1);
}

TEST_CASE("errors: a reader that closes the pipe ends the run with exit code 1, without a signal") {
  const Folder folder;
  const std::string capture = folder.add("x.pcap", text_of(large_capture().bytes()));
  for (const std::string& format : formats()) {
    INFO(format);
    Process process({program(), "-f", format, capture});
    CHECK(count_lines(process.read_lines(1)) >= 1);
    process.close_output();
    CHECK(process.wait() == 1);
    CHECK(process.errors() == "");
  }
  Process help({program(), "--help"}, [] {
    int pipe[2];
    if (::pipe(pipe) != 0) ::_exit(126);
    ::close(pipe[0]);
    ::dup2(pipe[1], STDOUT_FILENO);
  });
  CHECK(help.wait() == 1);
}

TEST_CASE("errors: a slow reader of a small pipe gets every byte, with blocking and non-blocking writes") {
  const Folder folder;
  const std::string capture = folder.add("x.pcap", text_of(many_exchanges(300).bytes()));
  const std::string whole = run({program(), "-q", "-f", "csv", capture}).output;
  for (const bool blocking : {true, false}) {
    CAPTURE(blocking);
    Process process({program(), "-q", "-f", "csv", capture}, [&] {
      ::fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 4096);
      if (!blocking) ::fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
    });
    CHECK((process.read_all(100) == whole));
    CHECK(process.wait() == 0);
  }
}

TEST_CASE("errors: SIGINT in the middle of a file ends the run; what was read is reported in complete lines") {
  const Folder folder;
  const std::string capture = folder.add("x.pcap", text_of(large_capture().bytes()));
  const std::string whole = run({program(), "-q", "-f", "ndjson", capture}).output;
  for (const int signal : {SIGINT, SIGTERM}) {
    Stalled reader(capture);
    ::kill(reader.process.id(), signal);
    const std::string output = reader.process.read_all();
    CHECK(reader.process.wait() == 0);
    CHECK(reader.process.errors() == "");
    CHECK(count_lines(output) > 60);
    CHECK(count_lines(output) < kExchanges);
    const std::size_t open = output.find("\"capture_end\"");
    const std::string closed = open == std::string::npos ? output : output.substr(0, output.rfind('\n', open) + 1);
    CHECK(is_whole_lines_of(closed, whole));
    CHECK(output.ends_with('\n'));
  }
}

// ---- System calls that are interrupted, fail, or transfer less than requested.

TEST_CASE("errors: interrupted calls, short reads and short writes do not change the output") {
  if (!has_shim()) return;
  const bool has_gzip = run({"sh", "-c", "command -v gzip"}).exit_code == 0;
  for (const std::string path : {"fixtures/vlan.pcap", "fixtures/dress/nanoseconds.pcapng", "fixtures/dress/nanoseconds.pcap.gz"}) {
    if (path.ends_with(".gz") && !has_gzip) continue;
    for (const std::string failures : {"interrupt", "short", "interrupt short"}) {
      for (const std::string format : {"ndjson", "csv"}) {
        INFO(path, " ", failures, " ", format);
        const RunResult expected = run({program(), "-f", format, path});
        const RunResult file = run(shimmed(failures, {"-f", format, path}));
        CHECK(file.exit_code == 0);
        CHECK(file.output == expected.output);
        CHECK(file.errors == expected.errors);
        if (format != "ndjson") continue;
        const RunResult pipe = run(shimmed(failures, {"-f", format}), slurp(path));
        CHECK(pipe.exit_code == 0);
        CHECK(pipe.errors == expected.errors);
        CHECK(pipe.output.size() + (path.size() - 1) * static_cast<std::size_t>(count_lines(pipe.output)) == expected.output.size());
      }
    }
  }
}

TEST_CASE("errors: a failed read is reported with its place, after all earlier records") {
  if (!has_shim()) return;
  const Folder folder;
  const PcapWriter& capture = large_capture();
  const std::string path = folder.add("x.pcap", text_of(capture.bytes()));
  const std::string whole = run({program(), "-q", path}).output;
  const RunResult result = run(shimmed("read=3", {"-q", path}));
  CHECK(result.exit_code == 1);
  const std::string prefix = "wirelap: " + path + ": record ";
  REQUIRE(result.errors.starts_with(prefix));
  CHECK(result.errors.ends_with(": read failed: Input/output error\n"));
  const std::size_t record = std::stoul(result.errors.substr(prefix.size()));
  CHECK(has(result.errors, " at byte " + std::to_string(capture.starts()[record - 1]) + ":"));
  CHECK(count_lines(result.output) >= static_cast<std::ptrdiff_t>((record - 1) / kPacketsEach));
  CHECK(result.output.ends_with('\n'));
  // The first two reads are the 4 KiB of the file's start and one window.
  CHECK(capture.starts()[record - 1] <= 4096 + (256 << 10));
  CHECK(capture.starts()[record] > (256 << 10));
}

TEST_CASE("errors: a failed write and a failed close of the output are reported") {
  if (!has_shim()) return;
  const Folder folder;
  const std::string path = folder.add("x.pcap", text_of(large_capture().bytes()));
  const std::string whole = run({program(), "-q", path}).output;
  const RunResult failed = run(shimmed("write=3", {"-q", path}));
  CHECK(failed.exit_code == 1);
  CHECK(failed.errors == "wirelap: output: Input/output error\n");
  CHECK(is_whole_lines_of(failed.output, whole));
  CHECK(count_lines(failed.output) > 100);
  const RunResult incomplete = run(shimmed("short write=30", {"-q", path}));
  CHECK(incomplete.exit_code == 1);
  CHECK(incomplete.output == "");  // the 145 bytes that were written are one incomplete line
  const RunResult late = run(shimmed("late", {"-q", "fixtures/ipv6.pcap"}));
  CHECK(late.exit_code == 1);
  CHECK(late.errors == "wirelap: output: No space left on device\n");
}

// ---- Inputs that cannot be read, and unusual inputs.

TEST_CASE("errors: an input that cannot be read is reported, and the other inputs are read") {
  const Folder folder;
  const std::string socket = folder.path() + "/socket";
  const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(socket.begin(), socket.end(), address.sun_path);
  REQUIRE(::bind(listening, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::string empty = folder.add("empty.pcap", ""), loop = folder.path() + "/loop";
  REQUIRE(::symlink(loop.c_str(), loop.c_str()) == 0);
  const RunResult result = run({program(), "-q", folder.path(), socket, empty, loop, "/does/not/exist", "fixtures/ipv6.pcap"});
  ::close(listening);
  CHECK(result.exit_code == 1);
  CHECK(result.errors == "wirelap: " + folder.path() + ": Is a directory\n" +
                             "wirelap: " + socket + ": No such device or address\n" +
                             "wirelap: " + empty + ": empty: a capture starts with a header of 24 bytes\n" +
                             "wirelap: " + loop + ": Too many levels of symbolic links\n" +
                             "wirelap: /does/not/exist: No such file or directory\n");
  CHECK(count_lines(result.output) == 4);
}

TEST_CASE("errors: standard input may be a socket; a directory or a closed descriptor is an error") {
  CHECK(run({"/bin/sh", "-c", program() + " - < fixtures"}).errors == "wirelap: -: read failed: Is a directory\n");
  const RunResult closed = run({"/bin/sh", "-c", program() + " - <&-"});
  CHECK(closed.exit_code == 1);
  CHECK(closed.errors == "wirelap: -: empty: a capture starts with a header of 24 bytes\n");
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  Process process({program(), "-q", "-f", "ndjson"}, [&] { ::dup2(ends[1], STDIN_FILENO); });
  const std::string capture = slurp("fixtures/ipv6.pcap");
  REQUIRE(::send(ends[0], capture.data(), capture.size(), 0) == static_cast<ssize_t>(capture.size()));
  ::close(ends[1]);
  ::close(ends[0]);
  CHECK(count_lines(process.read_all()) == 4);
  CHECK(process.wait() == 0);
}

TEST_CASE("errors: a file without read permission is an error") {
  const Folder folder;
  const std::string path = folder.add("x.pcap", slurp("fixtures/ipv6.pcap"), 0);
  const int executable = ::open(program().c_str(), O_RDONLY);
  Process process({program()}, [&] {
    // Root may read every file.
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(126);
    char name[] = "wirelap";
    char* const arguments[] = {name, const_cast<char*>(path.c_str()), nullptr};
    ::fexecve(executable, arguments, environ);
    ::_exit(127);
  });
  ::close(executable);
  CHECK(process.wait() == 1);
  CHECK(process.errors() == "wirelap: " + path + ": Permission denied\n");
}

TEST_CASE("errors: FIFOs are read in the order of the command line; a FIFO whose writer closes it is empty") {
  const Folder folder;
  const std::string capture = slurp("fixtures/ipv6.pcap");
  std::vector<std::string> paths;
  for (const char* const name : {"/a", "/b", "/c"}) {
    paths.push_back(folder.path() + name);
    REQUIRE(::mkfifo(paths.back().c_str(), 0666) == 0);
  }
  const auto write = [&](const std::string& path, const std::string& bytes) {
    feed_pipe(::open(path.c_str(), O_WRONLY | O_CLOEXEC), bytes);
  };
  Process process({program(), "-q", "-f", "ndjson", paths[0], paths[1], paths[2]});
  write(paths[1], capture);
  write(paths[0], capture);
  write(paths[2], "");
  const std::string output = process.read_all();
  CHECK(process.wait() == 1);
  CHECK(count_lines(output) == 8);
  CHECK(output.find(paths[1]) > output.rfind(paths[0]));
  CHECK(process.errors() == "wirelap: " + paths[2] + ": empty: a capture starts with a header of 24 bytes\n");

  // A signal ends the wait for a writer.
  Process waiting({program(), "-q", "-f", "ndjson", "fixtures/ipv6.pcap", paths[0]});
  CHECK(count_lines(waiting.read_lines(4)) == 4);
  ::kill(waiting.id(), SIGTERM);
  CHECK(waiting.wait() == 0);
  CHECK(waiting.errors() == "");
}

TEST_CASE("errors: more captures than the soft limit of open files are read; over the hard limit the rest are errors") {
  std::vector<std::string> command = {program(), "-q", "-f", "csv"};
  for (int i = 0; i < 300; ++i) command.emplace_back("fixtures/ipv6.pcap");
  Process many(command, with_limit(RLIMIT_NOFILE, 64, 1024));
  CHECK(count_lines(many.read_all()) == 1 + 300 * 4);
  CHECK(many.wait() == 0);
  CHECK(many.errors() == "");
  Process too_many(command, with_limit(RLIMIT_NOFILE, 64, 64));  // 24 of them are reserved for other uses
  const std::ptrdiff_t lines = count_lines(too_many.read_all());
  CHECK(too_many.wait() == 1);
  const std::string errors = too_many.errors();
  CHECK(errors.ends_with("wirelap: fixtures/ipv6.pcap: Too many open files\n"));
  CHECK(lines == 1 + (300 - count_lines(errors)) * 4);
  CHECK(lines == 1 + 40 * 4);
}

// ---- Decompressors. container_test.cc tests their exit codes and messages.

TEST_CASE("errors: a decompressor that does not exit after the end of its output is killed") {
  const Folder programs;
  programs.add("gzip", "#!/bin/sh\ncat " + programs.add("capture", slurp("fixtures/ipv6.pcap")) + "; exec sleep 1000 >&-\n", 0755);
  const std::string path = programs.add("x.gz", std::string("\x1f\x8b\x08", 3) + std::string(40, '\0'));
  const RunResult result = run({"/usr/bin/env", "PATH=" + programs.path() + ":/usr/bin:/bin", program(), "-q", path});
  CHECK(result.exit_code == 1);
  CHECK(count_lines(result.output) == 4);
  CHECK(result.errors == "wirelap: " + path + ": record 36 at byte 25531 decompressed: decompression failed: gzip -dc was ended by signal 9\n");
}

TEST_CASE("errors: many compressed captures run one decompressor at a time") {
  if (run({"sh", "-c", "command -v gzip"}).exit_code != 0) return;
  std::vector<std::string> command = {program(), "-q", "-f", "csv"};
  for (int i = 0; i < 100; ++i) command.emplace_back(i % 3 == 0 ? "fixtures/ipv6.pcap" : "fixtures/dress/nanoseconds.pcap.gz");
  Process many(command, with_limit(RLIMIT_NOFILE, 140, 140));
  CHECK(count_lines(many.read_all()) == 1 + 34 * 4 + 66 * 3);
  CHECK(many.wait() == 0);
  CHECK(many.errors() == "");
}

}  // namespace
}  // namespace wirelap::test
