// Truncated captures: fixtures cut at every byte, and with every snaplen, run through
// all stages under the sanitizers. By default only small fixtures; with
// WIRELAP_TRUNCATION (make check-truncation), which takes minutes, all of them.
//
// With the smallest window, the buffer of an Input is as large as the largest record
// so far. In a capture with a snaplen, each truncated record ends where that buffer
// ends, so that the sanitizers detect an over-read of one byte.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "engine.h"
#include "fuzz/memory_file.h"
#include "fuzz/pieces.h"
#include "fuzz/records.h"
#include "support/guarded.h"
#include "wire/decoder.h"

namespace wirelap {
namespace {

namespace fs = std::filesystem;
using fuzz::Buffer;
using fuzz::Piece;
using fuzz::Pieces;

Buffer slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool are_all_wanted() { return std::getenv("WIRELAP_TRUNCATION") != nullptr; }

/// The fixtures of at most `most` bytes, or all where WIRELAP_TRUNCATION is set.
std::vector<fs::path> small_fixtures(std::uintmax_t most) {
  if (are_all_wanted()) most = ~std::uintmax_t{0};
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator("fixtures")) {
    if (entry.path().extension() == ".pcap" && entry.file_size() <= most) found.push_back(entry.path());
  }
  return found;
}

/// Runs all stages over `capture` and checks each record. Returns the error that ended the reading.
std::optional<Error> report(Bytes capture) {
  EngineOptions options;
  options.tcp = options.wanted.connections = true;
  options.wanted.headers = {"content-type"};
  fuzz::CheckedRecords records(options.wanted, "csv");
  Input::Options reading;
  reading.window_bytes = 1;
  Input input(reading);
  const fuzz::MemoryFile file(capture);
  file.read(input);
  return Engine(options, records).run(input, "capture");
}

/// `capture` with at most `snap` bytes of each packet.
Buffer snapped(Pieces capture, std::size_t snap) {
  for (Piece& piece : capture.all) piece.bytes.resize(std::min(piece.bytes.size(), snap));
  return fuzz::put_together(capture, fuzz::kCaptureLayout, ~std::size_t{0});
}

std::size_t longest_record(const Pieces& capture) {
  std::size_t longest = 0;
  for (const Piece& piece : capture.all) longest = std::max(longest, piece.bytes.size());
  return longest;
}

TEST_CASE("truncation: a fixture cut at any byte is read up to the cut" * doctest::test_suite("truncation")) {
  int captures = 0;
  for (const fs::path& path : small_fixtures(4000)) {
    if (fs::file_size(path) > 10'000) continue;  // would take long: the time of this test is quadratic in the size
    CAPTURE(path);
    const Buffer capture = slurp(path);
    std::size_t complete = 0;  // cuts between two records
    for (std::size_t cut = 0; cut <= capture.size(); ++cut) complete += !report(Bytes(capture).first(cut));
    CHECK(complete == fuzz::split_pieces(capture, fuzz::kCaptureLayout).all.size() + 1);
    ++captures;
  }
  CHECK(captures > 1);
}

TEST_CASE("truncation: each record of a fixture may be cut at any byte" * doctest::test_suite("truncation")) {
  std::size_t cuts = 0;
  for (const fs::path& path : small_fixtures(6000)) {
    CAPTURE(path);
    const Pieces capture = fuzz::split_pieces(slurp(path), fuzz::kCaptureLayout);
    std::size_t before = 0;  // bytes of the previous record with its header
    for (std::size_t at = 0; at < capture.all.size(); ++at) {
      CAPTURE(at);
      Pieces two{capture.head,
                 {capture.all.begin() + static_cast<std::ptrdiff_t>(at == 0 ? 0 : at - 1),
                  capture.all.begin() + static_cast<std::ptrdiff_t>(at + 1)}};
      const Buffer whole = fuzz::put_together(two, fuzz::kCaptureLayout, ~std::size_t{0});
      const std::size_t begin = fuzz::kCaptureLayout.head_bytes + before;
      for (std::size_t cut = begin; cut <= whole.size(); ++cut, ++cuts) {
        const bool is_good = cut == begin || cut == whole.size();
        if (report(Bytes(whole).first(cut)).has_value() == is_good) FAIL("cut at " << cut);
      }
      before = whole.size() - begin;
    }
  }
  CHECK(cuts > 1000);
}

TEST_CASE("truncation: a fixture is read with any snaplen" * doctest::test_suite("truncation")) {
  int captures = 0;
  for (const fs::path& path : small_fixtures(21'000)) {
    CAPTURE(path);
    const Pieces capture = fuzz::split_pieces(slurp(path), fuzz::kCaptureLayout);
    const std::size_t longest = longest_record(capture);
    // Behind the headers and the first lines of messages, every seventh length suffices.
    const std::size_t step = are_all_wanted() ? 1 : 7;
    for (std::size_t snap = 0; snap <= longest; snap += snap < 160 ? 1 : step) {
      CAPTURE(snap);
      CHECK(!report(snapped(capture, snap)));
    }
    ++captures;
  }
  CHECK(captures > 5);
}

TEST_CASE("truncation: no byte behind a truncated frame is read" * doctest::test_suite("truncation")) {
  test::GuardedBuffer guarded;
  for (const fs::path& path : small_fixtures(~std::uintmax_t{0})) {
    CAPTURE(path);
    const Pieces capture = fuzz::split_pieces(slurp(path), fuzz::kCaptureLayout);
    Decoder decoder;
    PacketRecord record;
    record.link_type = load_le32(&capture.head[20]) & 0xffff;
    std::size_t frames = 0;
    for (const Piece& piece : capture.all) {
      if (++frames > 60 && !are_all_wanted()) break;
      record.number = frames;
      record.length = piece.load(12);
      // Bytes behind the headers are not read here.
      const std::size_t most = std::min<std::size_t>(piece.bytes.size(), are_all_wanted() ? 65'535 : 200);
      for (std::size_t held = 0; held <= most; ++held) {
        record.bytes = guarded.hold(Bytes(piece.bytes).first(held));
        Segment segment;
        if (!decoder.decode(record, segment)) continue;
        REQUIRE(segment.data.size() <= segment.data_length);
        if (!segment.data.empty()) REQUIRE(&segment.data.back() < record.bytes.data() + held);
      }
    }
  }
}

}  // namespace
}  // namespace wirelap
