// Every fixture in every format, against fixtures/golden; read from a file, and
// through a pipe in pieces, which must not matter.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "engine.h"
#include "support/run.h"

namespace wirelap {
namespace {

using test::program;
using test::slurp;

namespace fs = std::filesystem;

std::vector<fs::path> fixtures() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator("fixtures")) {
    if (entry.path().extension() == ".pcap") found.push_back(entry.path());
  }
  return found;
}

/// Those made for --tcp are named so.
bool wants_tcp(const fs::path& fixture) { return fixture.stem().string().starts_with("tcp-"); }

/// The ndjson of a capture that comes through a pipe, `piece` bytes a write.
std::string through_pipe(const std::string& capture, const std::string& name, std::size_t piece) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  std::thread writer([&] {
    for (std::size_t at = 0; at < capture.size(); at += piece) {
      const std::size_t count = std::min(piece, capture.size() - at);
      if (::write(ends[1], capture.data() + at, count) != static_cast<ssize_t>(count)) break;
    }
    ::close(ends[1]);
  });
  Output output(-1);
  const Wanted wanted;
  const auto records = make_writer(Format::ndjson, output, wanted);
  Input input({});
  input.attach(ends[0]);
  EngineOptions options;
  options.tcp = wants_tcp(name);
  Engine(options, *records).run(input, name);
  writer.join();
  ::close(ends[0]);
  return std::string(output.text());
}

TEST_CASE("each fixture in each format is as its golden file has it") {
  REQUIRE(fixtures().size() > 20);
  for (const fs::path& fixture : fixtures()) {
    for (const std::string format : {"ndjson", "json", "csv", "table", "classic"}) {
      CAPTURE(fixture);
      CAPTURE(format);
      std::vector<std::string> command{program(), "--format", format, fixture.string()};
      if (format == "classic") {
        for (const char* const port : {"80", "4568", "8080"}) command.insert(command.end(), {"--port", port});
      } else if (wants_tcp(fixture)) {
        command.push_back("--tcp");
      }
      const test::RunResult result = test::run(command);
      CHECK(result.exit_code == 0);
      CHECK(result.output == slurp("fixtures/golden" / fixture.stem().concat("." + format)));
    }
  }
}

TEST_CASE("records of connections are as their golden files have them") {
  for (const std::string format : {"ndjson", "json", "csv", "table"}) {
    CAPTURE(format);
    const test::RunResult result = test::run({program(), "--connections", "--format", format, "fixtures/close.pcap"});
    CHECK(result.exit_code == 0);
    CHECK(result.output == slurp("fixtures/golden/close.connections." + format));
  }
}

TEST_CASE("a pipe gives what the file gives, in pieces of any size") {
  for (const fs::path& fixture : fixtures()) {
    const std::string capture = slurp(fixture);
    const std::string golden = slurp("fixtures/golden" / fixture.stem().concat(".ndjson"));
    CAPTURE(fixture);
    for (const std::size_t piece : {7, 4096}) CHECK(through_pipe(capture, fixture.string(), piece) == golden);
    if (capture.size() > 40'000) continue;  // every byte is a system call
    for (const std::size_t piece : {1, 2, 3}) CHECK(through_pipe(capture, fixture.string(), piece) == golden);
  }
}

}  // namespace
}  // namespace wirelap
