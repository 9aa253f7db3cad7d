// capture/mapping: mapped files have the records of read files, and a file that shrinks while it is mapped is an error.
#include "capture/mapping.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

#include "support/packets.h"
#include "support/read.h"

namespace wirelap {
namespace {

using test::Buffer;
using test::Copy;
using test::File;
using test::PcapWriter;
using test::read_all;
using test::read_file;
using test::ReadResult;

/// Records of 1 to 200,000 bytes, small and large ones mixed.
PcapWriter large_records() {
  PcapWriter capture;
  std::uint32_t random = 1;
  for (int i = 0; i < 150; ++i) {
    random = random * 1664525 + 1013904223;
    const std::size_t most = i % 10 < 3 ? 200 : 200'000;
    Buffer frame(1 + (random >> 8) % most);
    for (std::size_t at = 0; at < frame.size(); ++at) frame[at] = static_cast<std::uint8_t>(at * 31 + random);
    capture.add(i * kNanosPerSecond, frame);
  }
  return capture;
}

/// Whether this process maps a test capture (a file of memfd_create).
bool maps_a_capture() {
  std::ifstream file("/proc/self/maps");
  const std::string maps((std::istreambuf_iterator<char>(file)), {});
  return maps.find("memfd:capture") != std::string::npos;
}

void touch(Bytes bytes) {
  [[maybe_unused]] volatile std::uint8_t seen = 0;
  for (const std::uint8_t byte : bytes) seen = byte;
}

TEST_CASE("mapping: large records are mapped, small ones are read, with the same result") {
  const PcapWriter capture = large_records();
  const std::size_t never = capture.bytes().size() + 1;
  const ReadResult read = read_file(capture.bytes(), {.map_threshold_bytes = never});
  REQUIRE(read.records.size() == 150);
  for (const std::size_t from : {1u, 100u, 5'000u, 16'384u, 100'000u}) {
    for (const std::size_t window : {1u, 4'000u, 262'144u}) {
      CAPTURE(from);
      CAPTURE(window);
      const ReadResult mapped = read_file(capture.bytes(), {.window_bytes = window, .map_threshold_bytes = from});
      CHECK(mapped.records == read.records);
      CHECK_FALSE(mapped.error);
    }
  }
  const File file(capture.bytes());
  Input input({});
  REQUIRE(input.open(file.path()) == 0);
  CHECK_FALSE(maps_a_capture());
  REQUIRE(input.ensure(5'000));
  CHECK_FALSE(maps_a_capture());
  REQUIRE(input.ensure(1'000'000));
  CHECK(maps_a_capture());
  input.consume(input.size());
  REQUIRE(input.ensure(10));
  CHECK_FALSE(maps_a_capture());
}

TEST_CASE("mapping: a file that was empty when it was opened is read to its new end") {
  const File file({});
  Input input({.window_bytes = 1, .map_threshold_bytes = 1});
  REQUIRE(input.open(file.path()) == 0);
  const Buffer bytes = large_records().bytes();
  constexpr std::size_t kBytes = 100'000;
  std::ofstream(file.path(), std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), kBytes);
  constexpr std::size_t kFront = 5'000;
  REQUIRE(input.ensure(kFront));
  input.consume(kFront);
  REQUIRE(input.ensure(kBytes - kFront));
  CHECK_FALSE(maps_a_capture());
  CHECK(Buffer(input.data(), input.data() + (kBytes - kFront)) ==
        Buffer(bytes.begin() + kFront, bytes.begin() + kBytes));
  CHECK_FALSE(input.ensure(kBytes - kFront + 1));
}

TEST_CASE("mapping: a truncated capture ends with the same error, mapped or read") {
  const Buffer capture = large_records().bytes();
  for (std::size_t length = capture.size() - 400'000; length < capture.size(); length += 7'919) {
    CAPTURE(length);
    const Bytes truncated = Bytes(capture).first(length);
    const ReadResult mapped = read_file(truncated, {.map_threshold_bytes = 1});
    const ReadResult read = read_file(truncated, {.map_threshold_bytes = capture.size()});
    CHECK(mapped.records == read.records);
    REQUIRE(mapped.error.has_value() == read.error.has_value());
    if (read.error) CHECK(error_text(*mapped.error) == error_text(*read.error));
  }
}

TEST_CASE("mapping: a file that shrinks while it is mapped ends with an error, not with SIGBUS") {
  Mapping::handle_bus_errors();
  const PcapWriter capture = large_records();
  const Buffer& bytes = capture.bytes();
  const std::vector<Copy> whole = read_file(bytes).records;
  constexpr std::size_t kRead = 60;
  const std::size_t at = capture.starts()[kRead];
  for (const std::size_t new_size : {at + 40'000, at + 4'096, at, at - 100'000, std::size_t{0}}) {
    CAPTURE(new_size);
    const File file(bytes);
    Input input({.map_threshold_bytes = 1});
    REQUIRE(input.open(file.path()) == 0);
    Reader reader(input, "x.pcap");
    REQUIRE(reader.start());
    PacketRecord record;
    for (std::size_t i = 0; i < kRead; ++i) {
      REQUIRE(reader.next(record));
      REQUIRE(Buffer(record.bytes.begin(), record.bytes.end()) == whole[i].bytes);
    }
    REQUIRE(maps_a_capture());
    REQUIRE(::truncate(file.path().c_str(), static_cast<off_t>(new_size)) == 0);
    // Zeros up to the page's end look like records of 16 bytes without a packet.
    std::size_t more = 0;
    while (reader.next(record)) {
      touch(record.bytes);
      more += 1;
    }
    CHECK(more <= 1 + 4'096 / 16);
    REQUIRE(reader.error());
    CHECK(reader.error()->kind == Error::Kind::unreadable);
    const std::string error = error_text(*reader.error());
    CHECK(error.find("the file shrank while it was read: from " + std::to_string(bytes.size()) + " to " +
                    std::to_string(new_size) + " bytes") != std::string::npos);
  }
  ::signal(SIGBUS, SIG_DFL);
}

}  // namespace
}  // namespace wirelap
