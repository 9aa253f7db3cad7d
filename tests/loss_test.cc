// Packets that are missing from a capture: a capture of real peers is read without each of its packets in turn. No
// response is matched to another request, and the records of exchanges that had no byte in that packet are the same.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "capture/reader.h"
#include "engine.h"
#include "support/records.h"
#include "wire/decode.h"

namespace wirelap {
namespace {

/// The bytes of a pcap file, and the offsets of its records.
struct Pcap {
  explicit Pcap(const char* file_path) : path(file_path) {
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
    constexpr std::size_t kFileHeader = 24, kRecordHeader = 16, kCaptured = 8;
    for (std::size_t at = kFileHeader; at < bytes.size();) {
      std::uint32_t captured = 0;
      bytes.copy(reinterpret_cast<char*>(&captured), sizeof captured, at + kCaptured);
      begins.push_back(at);
      at += kRecordHeader + captured;
    }
    begins.push_back(bytes.size());
  }
  std::size_t count() const { return begins.size() - 1; }
  std::string without(std::size_t record) const {
    return bytes.substr(0, begins[record]) + bytes.substr(begins[record + 1]);
  }

  const char* path;
  std::string bytes;
  std::vector<std::size_t> begins;
};

/// The target of the request that the server answered: the server returns it in a header.
const std::string& answered(const Record& record) { return record.headers[0].value; }

std::vector<Record> exchanges_of(const std::string& capture) {
  EngineOptions options;
  options.wanted.headers = {"x-uri"};
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(capture.data()), capture.size());
  return test::exchanges_of(bytes, options);
}

/// For each record of the capture, the targets of the exchanges whose bytes it carries.
std::vector<std::set<std::string>> carried(const Pcap& pcap, const std::vector<Record>& rows) {
  using End = std::tuple<std::string, std::uint16_t>;
  std::map<std::pair<End, End>, std::uint32_t> starts;   // sequence number of offset 0, by stream
  std::map<std::pair<End, End>, std::uint64_t> numbers;  // number of the connection, by stream
  std::vector<std::set<std::string>> found;
  Input input({});
  REQUIRE(input.open(pcap.path) == 0);
  Reader reader(input, "test");
  REQUIRE(reader.start());
  PacketRecord record;
  Segment segment;
  std::uint64_t connections = 0;
  while (reader.next(record)) {
    found.emplace_back();
    if (decode(record, segment) != DecodeError::none) continue;
    const auto end_of = [](const auto& address, std::uint16_t port) {
      return End{std::string(reinterpret_cast<const char*>(&address), sizeof address), port};
    };
    const End from = end_of(segment.ip.source(), segment.tcp.source_port);
    const End to = end_of(segment.ip.destination(), segment.tcp.destination_port);
    const std::pair stream{from, to};
    if ((segment.tcp.flags & kSyn) != 0) {
      starts[stream] = segment.tcp.sequence + 1;
      numbers[stream] = numbers.count({to, from}) != 0 ? numbers[{to, from}] : ++connections;
    }
    const std::uint64_t begin = segment.tcp.sequence - starts[stream];
    const std::uint64_t end = begin + segment.data_length;
    const bool is_request = segment.tcp.destination_port == 8000;
    for (const Record& row : rows) {
      const MessageExtent& message = is_request ? row.request_extent : row.response_extent;
      if (row.connection == numbers[stream] && begin < message.end && message.begin < end) {
        found.back().insert(row.target);
      }
    }
  }
  return found;
}

TEST_CASE("loss: a missing packet affects only the exchanges whose bytes it carried") {
  const Pcap pcap("fixtures/exchanges-200.pcap");
  const std::vector<Record> all = exchanges_of(pcap.bytes);
  REQUIRE(all.size() == 200);
  std::map<std::string, Record> whole;
  for (const Record& row : all) {
    CHECK(row.outcome == "complete");
    CHECK(row.target == answered(row));
    whole.emplace(row.target, row);
  }
  REQUIRE(whole.size() == 200);
  const auto touched = carried(pcap, all);
  REQUIRE(touched.size() == pcap.count());
  std::size_t carriers = 0;
  for (std::size_t lost = 0; lost < pcap.count(); ++lost) {
    INFO("without record ", lost + 1);
    carriers += touched[lost].empty() ? 0 : 1;
    std::size_t untouched = 0;
    for (const Record& row : exchanges_of(pcap.without(lost))) {
      if (!row.target.empty() && !answered(row).empty()) CHECK(row.target == answered(row));
      const std::string& target = row.target.empty() ? answered(row) : row.target;
      if (target.empty() || touched[lost].count(target) != 0) continue;
      INFO(target);
      const Record& right = whole.at(target);
      ++untouched;
      CHECK(row.outcome == "complete");
      CHECK(row.target == answered(row));
      CHECK(row.status == right.status);
      CHECK(row.missing_bytes == 0);
      CHECK(row.request_bytes == right.request_bytes);
      CHECK(row.response_bytes == right.response_bytes);
    }
    CHECK(untouched == whole.size() - touched[lost].size());
  }
  CHECK(carriers > 200);
}

}  // namespace
}  // namespace wirelap
