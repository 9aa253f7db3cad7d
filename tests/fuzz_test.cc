// fuzz: the corpus, and each input that once made a target fail, as ordinary
// tests. A target that finds an error aborts.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "fuzz/target.h"
#include "support/json.h"

namespace wirelap {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void replay(const fuzz::Target& target, const fs::path& path) {
  CAPTURE(path);
  const std::string input = read_file(path);
  target.run({reinterpret_cast<const std::uint8_t*>(input.data()), input.size()});
}

TEST_CASE("fuzz: each target accepts its corpus") {
  for (const fuzz::Target& target : fuzz::kTargets) {
    CAPTURE(target.name);
    int inputs = 0;
    for (const auto& entry : fs::directory_iterator(fs::path("fixtures/corpus") / target.name)) {
      replay(target, entry.path());
      ++inputs;
    }
    CHECK(inputs > 5);
    target.run({});
  }
}

/// Changes one byte in the first 80 bytes of each packet, or cuts the packet there.
void change_packets(std::string& capture, std::mt19937& random) {
  constexpr std::size_t kFileHeaderBytes = 24, kRecordHeaderBytes = 16, kHeadersBytes = 80;
  for (std::size_t at = kFileHeaderBytes; at + kRecordHeaderBytes <= capture.size();) {
    const auto* const header = reinterpret_cast<const std::uint8_t*>(&capture[at]);
    const std::size_t captured = load_le32(header + 8), packet = at + kRecordHeaderBytes;
    if (captured > capture.size() - packet) return;
    at = packet + captured;
    if (captured == 0) continue;
    const std::size_t place = random() % std::min(captured, kHeadersBytes);
    if (random() % 4 != 0) {
      capture[packet + place] = static_cast<char>(random());
    } else {
      capture.erase(packet + place, captured - place);
      capture[packet - 8] = static_cast<char>(place);  // the record's captured length
      capture[packet - 7] = capture[packet - 6] = capture[packet - 5] = 0;
      at = packet + place;
    }
  }
}

TEST_CASE("fuzz: the fast and the slow path of decoding agree on all fixtures, whole, changed and cut") {
  std::mt19937 random(4);
  int captures = 0;
  for (const auto& entry : fs::directory_iterator("fixtures")) {
    if (entry.path().extension() != ".pcap") continue;
    CAPTURE(entry.path());
    ++captures;
    const std::string whole = read_file(entry.path());
    for (int round = 0; round < 6; ++round) {
      std::string capture = whole;
      if (round != 0) change_packets(capture, random);
      fuzz::run_decode({reinterpret_cast<const std::uint8_t*>(capture.data()), capture.size()});
    }
  }
  CHECK(captures > 5);
}

TEST_CASE("fuzz: inputs that once made a target fail are accepted") {
  int inputs = 0;
  for (const auto& entry : fs::directory_iterator("fixtures/crashes")) {
    const std::string name = entry.path().filename();
    if (name == "README.md") continue;
    for (const fuzz::Target& target : fuzz::kTargets) {
      if (!name.starts_with(std::string(target.name) + "-")) continue;
      replay(target, entry.path());
      ++inputs;
    }
  }
  CHECK(inputs > 0);
}

TEST_CASE("support: is_json() accepts valid JSON alone (RFC 8259)") {
  for (const char* const good : {"{}", "[]", " [1, -0.5e+3 ,0] ", "null", "true",
                                 R"({"a":{"b":[[]]},"c":"\u00e9\ud83d\ude00\n\/"})", "\"\xc3\xa9\xf0\x9f\x98\x80\""}) {
    INFO(good);
    CHECK(test::is_json(good));
  }
  for (const char* const bad : {"",
                                "{",
                                "[1,]",
                                "{\"a\":1,}",
                                "{\"a\":1,\"a\":2}",
                                "{a:1}",
                                "01",
                                "+1",
                                "1.",
                                ".5",
                                "1e",
                                "-",
                                "nul",
                                "\"\t\"",
                                "\"\\x\"",
                                "\"\\u12\"",
                                "\"\\ud800\"",
                                "\"\\ude00\"",
                                "\"\xc3\"",
                                "\"\xc0\x80\"",
                                "\"\xed\xa0\x80\"",
                                "\"\xf4\x90\x80\x80\"",
                                "\"\xff\"",
                                "\"a",
                                "1 2",
                                "[1 2]",
                                "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]"}) {
    INFO(bad);
    CHECK(!test::is_json(bad));
  }
}

}  // namespace
}  // namespace wirelap
