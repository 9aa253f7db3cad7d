// What fuzzing found before, as ordinary tests: the corpus, and each input that
// once crashed a target. A target that finds a error aborts.
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

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void replay(const fuzz::Target& target, const fs::path& path) {
  CAPTURE(path);
  const std::string input = slurp(path);
  target.run({reinterpret_cast<const std::uint8_t*>(input.data()), input.size()});
}

TEST_CASE("fuzz: each target runs through its corpus") {
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

/// Changes a byte of each frame's headers, or cuts the frame there.
void change_frames(std::string& capture, std::mt19937& random) {
  constexpr std::size_t kFileHeaderBytes = 24, kRecordHeaderBytes = 16, kHeadersBytes = 80;
  for (std::size_t at = kFileHeaderBytes; at + kRecordHeaderBytes <= capture.size();) {
    const auto* const header = reinterpret_cast<const std::uint8_t*>(&capture[at]);
    const std::size_t captured = load_le32(header + 8), frame = at + kRecordHeaderBytes;
    if (captured > capture.size() - frame) return;
    at = frame + captured;
    if (captured == 0) continue;
    const std::size_t place = random() % std::min(captured, kHeadersBytes);
    if (random() % 4 != 0) {
      capture[frame + place] = static_cast<char>(random());
    } else {
      capture.erase(frame + place, captured - place);
      capture[frame - 8] = static_cast<char>(place);
      capture[frame - 7] = capture[frame - 6] = capture[frame - 5] = 0;
      at = frame + place;
    }
  }
}

TEST_CASE("the quick ways of decoding do as the thorough one with all fixtures, whole, changed and cut") {
  std::mt19937 random(4);
  int captures = 0;
  for (const auto& entry : fs::directory_iterator("fixtures")) {
    if (entry.path().extension() != ".pcap") continue;
    CAPTURE(entry.path());
    ++captures;
    const std::string whole = slurp(entry.path());
    for (int round = 0; round < 6; ++round) {
      std::string capture = whole;
      if (round != 0) change_frames(capture, random);
      fuzz::run_decode({reinterpret_cast<const std::uint8_t*>(capture.data()), capture.size()});
    }
  }
  CHECK(captures > 5);
}

TEST_CASE("fuzz: what crashed a target once does so no more") {
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

TEST_CASE("the checker of JSON takes what RFC 8259 does, and nothing else") {
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
