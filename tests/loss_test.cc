// A capture of real peers without each of its packets in turn: no response gets
// another's request, and nothing is lost but what that packet carried.
#include <doctest/doctest.h>

#include <sys/mman.h>
#include <unistd.h>

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
#include "record/row.h"
#include "wire/decode.h"

namespace wirelap {
namespace {

/// Offsets of one stream.
struct Range {
  std::uint64_t begin, end;
  bool meets(const Range& other) const { return begin < other.end && other.begin < end; }
};

struct Kept {
  std::string asked;     // target of the request
  std::string answered;  // of the request that the response says it answers
  std::string outcome;
  std::uint64_t connection;
  int status;
  std::uint64_t missing;
  Range request, response;
};

class Keeper : public Sink {
 public:
  void write(const Row& row) override {
    const Exchange& exchange = row.exchange;
    const bool says = !exchange.headers.empty() && exchange.headers[0].has_value();
    rows.push_back({exchange.target, says ? *exchange.headers[0] : "", std::string(name_of(exchange.outcome)),
                    row.connection.number, exchange.status, exchange.missing_bytes,
                    {exchange.request.begin, exchange.request.end()},
                    {exchange.response.begin, exchange.response.end()}});
  }
  std::vector<Kept> rows;
};

/// A capture file's bytes, and where its records are.
struct Pcap {
  explicit Pcap(const char* path) {
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

  std::string bytes;
  std::vector<std::size_t> begins;
};

/// An input that reads `bytes`.
class Memory {
 public:
  explicit Memory(const std::string& bytes) : fd_(::memfd_create("capture", 0)) {
    REQUIRE(::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    REQUIRE(::lseek(fd_, 0, SEEK_SET) == 0);
    input.attach(fd_);
  }
  ~Memory() { ::close(fd_); }
  Input input{{}};

 private:
  int fd_;
};

std::vector<Kept> rows_of(const std::string& capture) {
  Keeper keeper;
  EngineOptions options;
  options.wanted.headers = {"x-uri"};
  Engine engine(options, keeper);
  Memory memory(capture);
  CHECK(!engine.run(memory.input, "test"));
  return keeper.rows;
}

/// The targets of the exchanges of which each record carries bytes.
std::vector<std::set<std::string>> carried(const Pcap& pcap, const std::vector<Kept>& rows) {
  using End = std::tuple<std::string, std::uint16_t>;
  std::map<std::pair<End, End>, std::uint32_t> starts;  // of each stream's sequence numbers
  std::map<std::pair<End, End>, std::uint64_t> numbers;  // of its connection
  std::vector<std::set<std::string>> found;
  Memory memory(pcap.bytes);
  Reader reader(memory.input, "test");
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
    const Range range{begin, begin + segment.data_length};
    const bool is_request = segment.tcp.destination_port == 8000;
    for (const Kept& row : rows) {
      if (row.connection == numbers[stream] && range.meets(is_request ? row.request : row.response)) {
        found.back().insert(row.asked);
      }
    }
  }
  return found;
}

TEST_CASE("200 exchanges without each of their packets in turn") {
  const Pcap pcap("fixtures/exchanges-200.pcap");
  const std::vector<Kept> all = rows_of(pcap.bytes);
  REQUIRE(all.size() == 200);
  std::map<std::string, Kept> whole;
  for (const Kept& row : all) {
    CHECK(row.outcome == "complete");
    CHECK(row.asked == row.answered);
    whole.emplace(row.asked, row);
  }
  REQUIRE(whole.size() == 200);
  const auto touched = carried(pcap, all);
  REQUIRE(touched.size() == pcap.count());
  std::size_t carriers = 0;
  for (std::size_t lost = 0; lost < pcap.count(); ++lost) {
    INFO("without record ", lost + 1);
    carriers += touched[lost].empty() ? 0 : 1;
    std::size_t untouched = 0;
    for (const Kept& row : rows_of(pcap.without(lost))) {
      if (!row.asked.empty() && !row.answered.empty()) CHECK(row.asked == row.answered);
      const std::string& target = row.asked.empty() ? row.answered : row.asked;
      if (target.empty() || touched[lost].count(target) != 0) continue;
      INFO(target);
      const Kept& right = whole.at(target);
      ++untouched;
      CHECK(row.outcome == "complete");
      CHECK(row.asked == row.answered);
      CHECK(row.status == right.status);
      CHECK(row.missing == 0);
      CHECK(row.request.end - row.request.begin == right.request.end - right.request.begin);
      CHECK(row.response.end - row.response.begin == right.response.end - right.response.begin);
    }
    CHECK(untouched == whole.size() - touched[lost].size());
  }
  CHECK(carriers > 200);
}

}  // namespace
}  // namespace wirelap
