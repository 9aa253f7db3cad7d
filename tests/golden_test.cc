// Every fixture against its files in fixtures/golden: read from a file, and through a pipe in pieces of any size.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "engine.h"
#include "record/schema.h"
#include "support/golden.h"
#include "support/run.h"

namespace wirelap {
namespace {

using test::program;
using test::slurp;

namespace fs = std::filesystem;

struct Golden {
  std::string file;  ///< in fixtures/golden; its suffix is the format
  std::string capture;
  std::vector<std::string> options = {};
};

/// What tests/golden.sh makes.
std::vector<Golden> goldens() {
  std::vector<Golden> all;
  for (const fs::path& fixture : test::fixtures()) {
    const std::vector<std::string> options(test::wants_tcp(fixture) ? 1 : 0, "--tcp");
    for (const std::string format : {"table", "records"})
      all.push_back({fixture.stem().string() + "." + format, fixture.string(), options});
    all.push_back({fixture.stem().string() + ".classic", fixture.string(), {"-p", "80", "-p", "4568", "-p", "8080"}});
  }
  const std::vector<std::string> extra = {"--s3", "--packets", "--header", "content-type"};
  for (const std::string format : {"ndjson", "json", "csv"}) {
    all.push_back({"loss." + format, "fixtures/loss.pcap"});
    all.push_back({"close.connections." + format, "fixtures/close.pcap", {"--connections"}});
    all.push_back({"s3-session.extra." + format, "fixtures/s3-session.pcap", extra});
  }
  all.push_back({"s3-session.extra.records", "fixtures/s3-session.pcap", extra});
  for (const std::string format : {"table", "records"}) {
    for (const std::string name : {"close", "vlan"})
      all.push_back({name + ".connections." + format, "fixtures/" + name + ".pcap", {"--connections"}});
    for (const std::string name : {"reordered-24ms", "reordered-farther-48ms", "slow-reader-14ms"}) {
      all.push_back({name + ".connections." + format, "fixtures/causes/" + name + "/client.pcap", {"--connections"}});
    }
  }
  return all;
}

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
  const auto records = make_writer("ndjson", output, wanted);
  Input input({});
  input.attach(ends[0]);
  EngineOptions options;
  options.tcp = test::wants_tcp(name);
  Engine(options, *records).run(input, name);
  writer.join();
  ::close(ends[0]);
  return std::string(output.text());
}

TEST_CASE("golden: the program's outputs are those in fixtures/golden") {
  std::set<std::string> compared;
  for (const Golden& golden : goldens()) {
    CAPTURE(golden.file);
    const fs::path file(golden.file);
    const std::string suffix = file.extension().string().substr(1);
    std::vector<std::string> command{program(), "-q", "-f", suffix == "records" ? "ndjson" : suffix, golden.capture};
    command.insert(command.end(), golden.options.begin(), golden.options.end());
    const test::RunResult result = test::run(command);
    CHECK(result.exit_code == 0);
    const std::string expected =
        suffix == "records" ? test::golden_records(file.stem().string()) : slurp("fixtures/golden/" + golden.file);
    CHECK(test::difference(expected, result.output) == "");
    compared.insert(golden.file);
  }
  for (const auto& entry : fs::directory_iterator("fixtures/golden")) {
    CAPTURE(entry.path());
    CHECK(compared.count(entry.path().filename().string()) == 1);
  }
}

TEST_CASE("golden: every column of every type of record has a value in a golden file") {
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator("fixtures/golden")) {
    if (entry.path().extension() != ".records") continue;
    std::istringstream lines(slurp(entry.path()));
    std::string line, type;
    while (std::getline(lines, line)) {
      if (line.starts_with("type: ")) type = line.substr(7, line.size() - 8);
      if (!line.ends_with(": null")) found.insert(type + " " + line.substr(0, line.find(':')));
    }
  }
  for (const RecordType type : {RecordType::exchange, RecordType::connection}) {
    for (const Column& column : kColumns) {
      if (!column.is_in(type)) continue;
      const std::string wanted = std::string(name_of(type)) + " " + std::string(column.name);
      CAPTURE(wanted);
      CHECK(found.count(wanted) == 1);
    }
  }
}

TEST_CASE("golden: a pipe gives the same records as a file, in pieces of any size") {
  for (const fs::path& fixture : test::fixtures()) {
    const std::string capture = slurp(fixture);
    const std::string golden = test::golden_records(fixture.stem().string());
    CAPTURE(fixture);
    for (const std::size_t piece : {7, 4096}) CHECK(through_pipe(capture, fixture.string(), piece) == golden);
    if (capture.size() > 40'000) continue;  // every byte is a system call
    for (const std::size_t piece : {1, 2, 3}) CHECK(through_pipe(capture, fixture.string(), piece) == golden);
  }
}

}  // namespace
}  // namespace wirelap
