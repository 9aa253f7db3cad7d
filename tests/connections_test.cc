// Records of connections: how each began, what it carried, how it ended and by whom.
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
using test::Buffer;
using test::SegmentSpec;
using test::shown;

/// Checks that the record of a connection comes once, and after those of its exchanges, which it counts.
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
  /// The highest number of a connection that has a record.
  std::uint64_t last() const { return *ended_.rbegin(); }

 private:
  std::set<std::uint64_t> ended_;
  std::map<std::uint64_t, std::uint64_t> exchanges_;
};

EngineOptions with_connections(std::vector<std::uint16_t> ports = {}) {
  EngineOptions options;
  options.ports = std::move(ports);
  options.wanted.connections = true;
  return options;
}

std::vector<Record> read_fixture(const fs::path& path) {
  Input input({});
  REQUIRE(input.open(path) == 0);
  Connections connections;
  Engine(with_connections(), connections).run(input, "test");
  CHECK(connections.last() == connections.connections.size());
  return std::move(connections.connections);
}

// ---- connections made up

Buffer syn_options(unsigned mss, int shift, bool sack, bool timestamps) {
  Buffer options;
  if (mss != 0)
    test::append(options, Buffer{2, 4, static_cast<std::uint8_t>(mss >> 8), static_cast<std::uint8_t>(mss)});
  if (shift >= 0) test::append(options, Buffer{1, 3, 3, static_cast<std::uint8_t>(shift)});
  if (sack) test::append(options, Buffer{1, 1, 4, 2});
  if (timestamps) test::append(options, Buffer{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0});
  return options;
}

constexpr Nanos kMilli = 1'000'000;

/// A capture of a client, port 40000, and a server, port 80; a packet each 10 ms.
/// Sequence numbers are offsets from the first byte after the SYN.
class Talk {
 public:
  Talk& client(int at, int acknowledged, std::string payload = {}, unsigned flags = kAck, Buffer options = {}) {
    return send(0, at, acknowledged, std::move(payload), flags, std::move(options));
  }
  Talk& server(int at, int acknowledged, std::string payload = {}, unsigned flags = kAck, Buffer options = {}) {
    return send(1, at, acknowledged, std::move(payload), flags, std::move(options));
  }
  Talk& syn() { return client(-1, 0, {}, kSyn); }
  Talk& syn_ack() { return server(-1, 0, {}, kSyn | kAck); }
  Talk& open() { return syn().syn_ack().client(0, 0); }
  Talk& wait(Nanos time) {
    time_ += time;
    return *this;
  }
  /// What follows begins with other sequence numbers.
  Talk& reuse() {
    starts_[0] += 1'000'000;
    starts_[1] += 1'000'000;
    return *this;
  }
  Talk& between(std::uint16_t client_port, std::uint16_t server_port) {
    ports_[0] = client_port;
    ports_[1] = server_port;
    return *this;
  }

  std::vector<Record> read(EngineOptions options = with_connections()) {
    Connections connections;
    Engine engine(std::move(options), connections);
    test::run_bytes(engine, file_.bytes());
    return std::move(connections.connections);
  }

 private:
  Talk& send(int from, int at, int acknowledged, std::string payload, unsigned flags, Buffer options) {
    const std::string addresses[] = {"10.0.0.1", "10.0.0.2"};
    SegmentSpec spec;
    spec.source = addresses[from];
    spec.destination = addresses[1 - from];
    spec.source_port = ports_[from];
    spec.destination_port = ports_[1 - from];
    spec.sequence = starts_[from] + static_cast<std::uint32_t>(at);
    spec.acknowledgment = (flags & kAck) != 0 ? starts_[1 - from] + static_cast<std::uint32_t>(acknowledged) : 0;
    spec.flags = static_cast<std::uint8_t>(flags);
    spec.payload = std::move(payload);
    spec.options = std::move(options);
    spec.ip_id = ++id_;
    time_ += 10 * kMilli;
    file_.add(time_, test::ethernet_frame(spec));
    return *this;
  }

  test::PcapWriter file_;
  Nanos time_ = 1'700'000'000 * kNanosPerSecond;
  std::uint16_t ports_[2] = {40000, 80};
  std::uint32_t starts_[2] = {0xfffffff0, 5000};  // the client's wrap
  std::uint16_t id_ = 0;
};

std::string endings(const std::vector<Record>& connections) {
  std::string text;
  for (const Record& record : connections) {
    text += shown(record, {"connection", "ending", "ended_by", "client_packets", "server_packets"}) + "\n";
  }
  return text;
}

TEST_CASE("each way in which a connection ends (RFC 9293, section 3.6)") {
  struct Case {
    const char* name;
    Talk talk;
    const char* expected;
  };
  const unsigned fin = kFin | kAck, reset = kRst | kAck;
  const Case cases[] = {
      {"client closes", Talk().open().client(0, 0, {}, fin).server(0, 1, {}, fin).client(1, 1), "1 fin client 4 2\n"},
      {"server closes", Talk().open().server(0, 0, {}, fin).client(0, 1, {}, fin).server(1, 1), "1 fin server 3 3\n"},
      {"three segments", Talk().open().server(0, 0, {}, fin).client(0, 1, {}, fin), "1 fin server 3 2\n"},
      {"one half closed", Talk().open().client(0, 0, {}, fin).server(0, 1), "1 capture_end client 3 2\n"},
      {"open", Talk().open().client(0, 0, "x"), "1 capture_end null 3 1\n"},
      {"client resets", Talk().open().client(0, 0, {}, reset), "1 reset client 3 1\n"},
      {"server resets after FIN", Talk().open().client(0, 0, {}, fin).server(0, 1, {}, reset), "1 reset server 3 2\n"},
      {"reset after the end", Talk().open().client(0, 0, {}, fin).server(0, 1, {}, fin).client(1, 1, {}, reset),
       "1 fin client 4 2\n"},
      {"refused", Talk().syn().server(0, 0, {}, reset), "1 refused server 1 1\n"},
      {"refused twice", Talk().syn().server(0, 0, {}, reset).syn().server(0, 0, {}, reset), "1 refused server 2 2\n"},
      {"SYN scan", Talk().syn().syn_ack().client(0, 0, {}, kRst), "1 reset client 2 1\n"},
      {"nobody answers", Talk().syn().syn().syn(), "1 unanswered null 3 0\n"},
      {"Fast Open, nobody answers (RFC 7413)", Talk().client(-1, 0, "GET / HTTP/1.1\r\n\r\n", kSyn),
       "1 unanswered null 1 0\n"},
      {"reset of a connection whose SYN-ACK was not captured", Talk().syn().client(0, 0).server(0, 0, {}, reset),
       "1 reset server 2 1\n"},
      {"one direction captured", Talk().syn().client(0, 0).client(0, 0, "x"), "1 capture_end null 3 0\n"},
      {"replaced while open", Talk().open().reuse().open(), "1 replaced null 2 1\n2 capture_end null 2 1\n"},
      {"replaced when half closed", Talk().open().client(0, 0, {}, fin).reuse().syn(),
       "1 replaced client 3 1\n2 unanswered null 1 0\n"},
      {"unanswered, then another", Talk().syn().reuse().open(), "1 unanswered null 1 0\n2 capture_end null 2 1\n"},
      {"ports used again", Talk().open().client(0, 0, {}, fin).server(0, 1, {}, fin).client(1, 1).reuse().open(),
       "1 fin client 4 2\n2 capture_end null 2 1\n"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.name);
    CHECK(endings(Talk(one.talk).read()) == one.expected);
  }
}

TEST_CASE("what was agreed in the SYNs (RFC 9293, 3.7.1; RFC 7323; RFC 2018)") {
  const std::vector<std::string> names = {"client_mss",          "server_mss", "client_window_scale",
                                          "server_window_scale", "sack",       "timestamps"};
  struct Case {
    Buffer client, server;
    const char* expected;
  };
  const Case cases[] = {
      {syn_options(1460, 7, true, true), syn_options(1400, 0, true, true), "1460 1400 7 0 true true"},
      {syn_options(1460, 7, true, true), syn_options(536, -1, true, false), "1460 536 7 null true false"},
      {syn_options(1460, 15, true, true), syn_options(0, 3, false, true), "1460 null 14 3 false true"},
      {{}, {}, "null null null null false false"},
  };
  for (const Case& one : cases) {
    Talk talk;
    talk.client(-1, 0, {}, kSyn, one.client).server(-1, 0, {}, kSyn | kAck, one.server).client(0, 0);
    const std::vector<Record> connections = talk.read();
    REQUIRE(connections.size() == 1);
    CHECK(shown(connections[0], names) == one.expected);
    CHECK(shown(connections[0], {"connect_s", "rtt_s", "server_rtt_s", "client_rtt_s"}) ==
          "0.020000 0.020000 0.010000 0.010000");
  }
  // One SYN alone says what its end offered, not what was agreed.
  Talk half;
  half.client(-1, 0, {}, kSyn, syn_options(1460, 7, true, true)).client(0, 0);
  CHECK(shown(half.read().at(0), names) == "1460 null 7 null null null");
}

/// TSval and TSecr, beside a longest segment.
Buffer clocked(std::uint32_t value, std::uint32_t echo) {
  Buffer options = {2, 4, 5, 0xb4, 1, 1, 8, 10};
  for (const std::uint32_t number : {value, echo}) {
    for (int shift = 24; shift >= 0; shift -= 8) options.push_back(static_cast<std::uint8_t>(number >> shift));
  }
  return options;
}

TEST_CASE(
    "a SYN or SYN-ACK sent again while its answer is on its way tells no round trip (RFC 6298, 3; RFC 7323, 4.1)") {
  const std::vector<std::string> names = {"connect_s", "server_rtt_s", "client_rtt_s", "lost_packets"};
  struct Case {
    const char* name;
    Talk talk;
    const char* expected;
  };
  // 10 ms between packets, beside what they wait; clocks are milliseconds.
  const auto syn = [](std::uint32_t value) { return Talk().client(-1, 0, {}, kSyn, clocked(value, 0)); };
  const auto answer = [](Talk& talk, std::uint32_t value, std::uint32_t echo) -> Talk& {
    return talk.server(-1, 0, {}, kSyn | kAck, clocked(value, echo));
  };
  const auto again = [](Talk& talk, std::uint32_t value) -> Talk& {
    return talk.wait(990 * kMilli).client(-1, 0, {}, kSyn, clocked(value, 0));
  };
  const auto opened = [](Talk& talk, std::uint32_t echo) -> Talk& {
    return talk.client(0, 0, {}, kAck, clocked(9, echo));
  };
  Talk at_once = syn(100), second = syn(100), crossed = syn(100), resent = syn(100), first = syn(100);
  opened(answer(at_once, 500, 100), 500);
  opened(answer(again(second, 1100), 1500, 1100), 1500);
  opened(answer(again(crossed, 1100), 1500, 100), 1500);
  // The server, too, had sent it again by itself, 10 ms before it had the second SYN.
  opened(answer(again(answer(answer(resent, 500, 100).wait(990 * kMilli), 1500, 100), 2510), 2510, 2510), 1500);
  opened(again(answer(first, 500, 100), 1100), 500);
  const Case cases[] = {
      {"one each", at_once, "0.020000 0.010000 0.010000 0"},
      {"the second SYN is answered", second, "1.020000 0.010000 0.010000 1"},
      {"the first SYN is answered, again", crossed, "1.020000 null 0.010000 1"},
      {"the last SYN-ACK but one is answered", resent, "2.030000 0.010000 1.020000 1"},
      {"a SYN that comes again, but no other answer", first, "1.020000 0.010000 1.010000 0"},
  };
  for (const Case& one : cases) {
    INFO(one.name);
    Talk talk = one.talk;
    CHECK(shown(talk.read().at(0), names) == one.expected);
  }
}

TEST_CASE("bytes are counted once each, and those that the capture lacks are missing") {
  const std::vector<std::string> names = {"client_bytes", "server_bytes", "missing_bytes", "retransmitted_packets"};
  struct Case {
    const char* name;
    Talk talk;
    const char* expected;
  };
  const unsigned fin = kFin | kAck;
  const Case cases[] = {
      {"in order", Talk().open().client(0, 0, "SSH-2.0-a").server(0, 9, "SSH-2.0-bb"), "9 10 0 0"},
      {"sent again", Talk().open().client(0, 0, "abc").client(0, 0, "abc").client(0, 0, "abcde"), "5 0 0 1"},
      {"a hole that was acknowledged", Talk().open().server(5, 0, "fgh").client(0, 8).client(0, 8, "x"), "1 8 5 0"},
      {"a hole when the capture ends", Talk().open().server(5, 0, "fgh").client(0, 0), "0 8 5 0"},
      {"a hole when it is reset", Talk().open().server(5, 0, "fgh").client(0, 0, {}, kRst), "0 8 5 0"},
      {"one direction captured", Talk().syn().client(0, 0).client(0, 700), "0 700 700 0"},
      {"the same, replaced", Talk().syn().client(0, 0).client(0, 700).reuse().syn(), "0 700 700 0"},
      {"FIN is no byte", Talk().open().client(0, 0, "ab", fin).server(0, 3, "c", fin).client(3, 2), "2 1 0 0"},
      {"after the reset nothing counts", Talk().open().client(0, 0, {}, kRst).server(0, 0, "late"), "0 0 0 0"},
      {"FIN and data sent again after the end",
       Talk().open().client(0, 0, "ab", fin).server(0, 3, {}, fin).server(0, 3, {}, fin).client(0, 1, "ab"), "2 0 0 2"},
      {"FIN sent again", Talk().open().client(0, 0, {}, fin).client(0, 0, {}, fin), "0 0 0 1"},
      {"SYN sent again", Talk().syn().syn(), "0 0 0 1"},
      {"keep-alive (RFC 9293, 3.8.4)", Talk().open().client(0, 0, "a").client(0, 0).server(0, 1), "1 0 0 0"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.name);
    const std::vector<Record> connections = Talk(one.talk).read();
    REQUIRE(!connections.empty());
    CHECK(shown(connections[0], names) == one.expected);
  }
}

TEST_CASE("late packets are counted for two seconds, and the record waits no longer") {
  const unsigned fin = kFin | kAck;
  for (const bool late : {false, true}) {
    Talk talk;
    talk.open().client(0, 0, {}, fin).server(0, 1, {}, fin).wait((late ? 2000 : 1980) * kMilli).client(1, 1);
    CHECK(endings(talk.read()) == (late ? "1 fin client 3 2\n" : "1 fin client 4 2\n"));
  }
  // Another connection's packet makes the record due.
  Talk talk;
  talk.open().client(0, 0, {}, fin).server(0, 1, {}, fin).client(1, 1).between(50000, 80).syn();
  talk.wait(2000 * kMilli).syn_ack();
  const std::vector<Record> connections = talk.read();
  CHECK(endings(connections) == "1 fin client 4 2\n2 capture_end null 1 1\n");
}

TEST_CASE("more ends at once than are remembered: each has its record") {
  Talk talk;
  for (std::uint16_t port = 10000; port < 15000; ++port) talk.between(port, 80).syn().server(0, 0, {}, kRst | kAck);
  const std::vector<Record> connections = talk.read();
  CHECK(connections.size() == 5000);
}

TEST_CASE("a client that nothing tells has the higher port, unless -p names it") {
  struct Case {
    std::uint16_t client, server;
    std::vector<std::uint16_t> ports;
    const char* expected;
  };
  const Case cases[] = {
      {40000, 22, {}, "40000 22"},      {22, 40000, {}, "40000 22"}, {40000, 22, {22}, "40000 22"},
      {40000, 22, {40000}, "22 40000"}, {40000, 22, {80}, ""},       {40000, 22, {22, 40000}, "40000 22"},
  };
  for (const Case& one : cases) {
    Talk talk;
    talk.between(one.client, one.server).client(0, 0, "\x01\x02").server(0, 2);
    const std::vector<Record> connections = talk.read(with_connections(one.ports));
    REQUIRE(connections.size() == (*one.expected != 0));
    if (!connections.empty()) CHECK(shown(connections[0], {"client_port", "server_port"}) == one.expected);
  }
}

TEST_CASE("with -p only connections to that port have a record") {
  Talk talk;
  talk.between(40000, 80).open().between(40001, 81).syn().server(0, 0, {}, kRst | kAck).between(81, 8080).open();
  CHECK(endings(talk.read(with_connections({81}))) == "2 refused server 1 1\n");
  CHECK(talk.read(with_connections()).size() == 3);
  EngineOptions without;
  CHECK(talk.read(without).empty());
}

// ---- real ones

std::string summary(const fs::path& fixture, const std::vector<std::string>& names) {
  std::string text;
  for (const Record& record : read_fixture(fixture)) text += shown(record, names) + "\n";
  return text;
}

TEST_CASE("real connections: what they were and how they ended") {
  const std::vector<std::string> names = {"connection", "protocol", "exchanges", "ending", "ended_by"};
  CHECK(summary("fixtures/close.pcap", names) ==
        "1 http/1.1 1 fin server\n2 http/1.1 1 fin client\n3 http/1.1 1 reset client\n4 http/1.1 1 fin server\n"
        "5 http/1.1 1 fin server\n6 http/1.1 1 reset server\n7 null 0 refused server\n");
  CHECK(summary("fixtures/mid-connection.pcap", names) == "1 http/1.1 1 fin client\n2 http/1.1 4 fin client\n");
  CHECK(summary("fixtures/tls13.pcap", names).find("tls 0 ") != std::string::npos);  // s_client without a request
}

TEST_CASE("packets and bytes of real connections are those that tshark counts") {
  const std::vector<std::string> names = {"connection",   "client_packets", "server_packets", "client_bytes",
                                          "server_bytes", "missing_bytes",  "last_frame"};
  CHECK(summary("fixtures/loss.pcap", names) == "1 42 46 165 61095 0 88\n");
  CHECK(summary("fixtures/ipv6.pcap", names) == "1 14 21 428 21493 0 35\n");
}

TEST_CASE("each connection of each fixture has one record, and its packets are those of both ends") {
  for (const auto& entry : fs::recursive_directory_iterator("fixtures")) {
    if (entry.path().extension() != ".pcap") continue;
    CAPTURE(entry.path());
    const std::vector<Record> connections = read_fixture(entry.path());
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
