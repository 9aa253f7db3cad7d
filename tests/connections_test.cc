// Records of connections in real captures, and of many that end at once. How a connection begins and ends, and what is
// counted of it, is in tests/timelines: handshake.md, ends.md, counts.md, client.md.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine.h"
#include "support/packets.h"
#include "support/records.h"

namespace wirelap {
namespace {

namespace fs = std::filesystem;
using test::SegmentSpec;
using test::shown;

/// Keeps records. Checks that each connection has one, after those of its exchanges, with their number.
class Connections : public test::Records {
 public:
  void write(const Record& record) override {
    const bool is_exchange = record.type == RecordType::exchange;
    CHECK(ended_.count(record.connection) == 0);
    if (is_exchange) {
      exchanges_[record.connection] += 1;
    } else {
      CHECK(record.exchanges == exchanges_[record.connection]);
      ended_.insert(record.connection);
    }
    Records::write(record);
  }
  /// The highest number of the connections that have a record.
  std::uint64_t last() const { return *ended_.rbegin(); }

 private:
  std::set<std::uint64_t> ended_;
  std::map<std::uint64_t, std::uint64_t> exchanges_;
};

/// The records of the connections in `input`.
std::vector<Record> connections_of(Input& input) {
  EngineOptions options;
  options.wanted.connections = true;
  Connections connections;
  Engine(options, connections).run(input, "test");
  CHECK(connections.last() == connections.connections.size());
  return std::move(connections.connections);
}

std::vector<Record> connections_of(const fs::path& path) {
  Input input({});
  REQUIRE(input.open(path) == 0);
  return connections_of(input);
}

/// The values of `columns` in each connection's record of a capture, one line for each.
std::string summary(const fs::path& path, const std::vector<std::string>& columns) {
  std::string text;
  for (const Record& record : connections_of(path)) text += shown(record, columns) + "\n";
  return text;
}

TEST_CASE("connections: each has a record, where more end at once than are remembered") {
  test::PcapWriter file;
  Nanos time = 1'700'000'000 * kNanosPerSecond;
  for (std::uint16_t port = 10000; port < 15000; ++port) {
    SegmentSpec syn, reset;
    syn.source_port = reset.destination_port = port;
    syn.flags = kSyn;
    reset.source = syn.destination;
    reset.destination = syn.source;
    reset.source_port = syn.destination_port;
    reset.acknowledgment = 1;
    reset.flags = kRst | kAck;
    for (const SegmentSpec& spec : {syn, reset}) file.add(time += 1'000'000, test::ethernet_frame(spec));
  }
  Input input({});
  input.provide(file.bytes(), true);
  CHECK(connections_of(input).size() == 5000);
}

TEST_CASE("connections: the protocol, the ending and who ended it, in real captures") {
  const std::vector<std::string> names = {"connection", "protocol", "exchanges", "ending", "ended_by"};
  CHECK(summary("fixtures/close.pcap", names) ==
        "1 http/1.1 1 fin server\n2 http/1.1 1 fin client\n3 http/1.1 1 reset client\n4 http/1.1 1 fin server\n"
        "5 http/1.1 1 fin server\n6 http/1.1 1 reset server\n7 null 0 refused server\n");
  CHECK(summary("fixtures/mid-connection.pcap", names) == "1 http/1.1 1 fin client\n2 http/1.1 4 fin client\n");
  CHECK(summary("fixtures/tls13.pcap", names).find("tls 0 ") != std::string::npos);  // s_client without a request
}

TEST_CASE("connections: packets and bytes of real captures are those that tshark counts") {
  const std::vector<std::string> names = {"connection",   "client_packets", "server_packets", "client_bytes",
                                          "server_bytes", "missing_bytes",  "last_frame"};
  CHECK(summary("fixtures/loss.pcap", names) == "1 42 46 165 61095 0 88\n");
  CHECK(summary("fixtures/ipv6.pcap", names) == "1 14 21 428 21493 0 35\n");
}

TEST_CASE("connections: each connection of each fixture has one record, whose packets are those of both ends") {
  for (const auto& entry : fs::recursive_directory_iterator("fixtures")) {
    if (entry.path().extension() != ".pcap") continue;
    CAPTURE(entry.path());
    const std::vector<Record> connections = connections_of(entry.path());
    REQUIRE(!connections.empty());
    for (const Record& record : connections) {
      CHECK(record.packets == record.client_packets + record.server_packets);
      CHECK(record.missing_bytes <= record.client_bytes + record.server_bytes);
      CHECK(record.first_frame <= record.last_frame);
    }
  }
}

}  // namespace
}  // namespace wirelap
