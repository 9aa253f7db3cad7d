// Golden files: fixtures/golden/NAME.FORMAT, made by tests/golden.sh. NAME.records contains ndjson with one column a
// line, as `name: value`, and a blank line after each record, so that a difference can be read.
#pragma once

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "run.h"

namespace wirelap::test {

/// The captures in fixtures/, not in its folders.
inline std::vector<std::filesystem::path> fixtures() {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator("fixtures")) {
    if (entry.path().extension() == ".pcap") found.push_back(entry.path());
  }
  return found;
}

/// Whether a fixture's golden files were made with --tcp.
inline bool wants_tcp(const std::filesystem::path& fixture) { return fixture.stem().string().starts_with("tcp-"); }

/// The ndjson that fixtures/golden/NAME.records contains.
inline std::string golden_records(const std::string& name) {
  std::istringstream lines(slurp("fixtures/golden/" + name + ".records"));
  std::string ndjson, line;
  bool is_first = true;
  while (std::getline(lines, line)) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) {
      ndjson += "}\n";
      is_first = true;
      continue;
    }
    ndjson += (is_first ? "{\"" : ",\"") + line.substr(0, colon) + "\":" + line.substr(colon + 2);
    is_first = false;
  }
  return ndjson;
}

/// Where `output` first differs from `golden`, with the text around it in both; empty if they are the same.
inline std::string difference(const std::string& golden, const std::string& output) {
  if (golden == output) return {};
  const auto at = static_cast<std::size_t>(std::mismatch(golden.begin(), golden.end(), output.begin(), output.end()).first -
                                           golden.begin());
  const auto line = std::count(golden.begin(), golden.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
  const std::size_t begin = at - std::min<std::size_t>(at, 60);
  return "line " + std::to_string(line) + "\n  golden: " + golden.substr(begin, 120) + "\n  output: " + output.substr(begin, 120);
}

}  // namespace wirelap::test
