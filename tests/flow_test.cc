// Connections and their streams: keys, the table, and the tracker against a
// naive model of which bytes were there when.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flow/key.h"
#include "flow/lookahead.h"
#include "flow/stream.h"
#include "flow/table.h"
#include "flow/consumer.h"
#include "flow/tracker.h"
#include "support/addresses.h"

namespace wirelap {
namespace {

Bytes bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

Address ipv4(std::uint32_t address) { return {0, kIpv4Mapped | address}; }

Segment segment_between(Address from, std::uint16_t from_port, Address to, std::uint16_t to_port) {
  Segment segment;
  segment.ip.version = from.high == 0 ? 4 : 6;
  test::put_addresses(segment.ip, from, to);
  segment.tcp.source_port = from_port;
  segment.tcp.destination_port = to_port;
  segment.tcp.window = 1000;
  return segment;
}

Segment from_client() { return segment_between(ipv4(1), 40000, ipv4(2), 80); }
Segment from_server() { return segment_between(ipv4(2), 80, ipv4(1), 40000); }

FlowKey key_of(const Segment& segment) {
  Side side;
  return make_flow_key(segment, side);
}

// ---- keys and table

TEST_CASE("a key is the same in both directions") {
  const Address addresses[] = {ipv4(1), ipv4(2), {0x2001, 1}, {0x2001, 2}};
  for (const Address& a : addresses) {
    for (const Address& b : addresses) {
      for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{40000}}) {
        if (a == b && port == 80) continue;
        if ((a.high == 0) != (b.high == 0)) continue;
        Side there, back;
        const FlowKey key = make_flow_key(segment_between(a, port, b, 80), there);
        CHECK(key == make_flow_key(segment_between(b, 80, a, port), back));
        CHECK(there == other(back));
        CHECK(key.addresses[index(there)] == a);
        CHECK(key.ports[index(there)] == port);
      }
    }
  }
}

TEST_CASE("VLANs, ports and IP versions keep connections apart") {
  std::vector<Segment> all(7, segment_between(ipv4(1), 40000, ipv4(2), 80));
  all[1].vlan = {1, {5, 0}};
  all[2].vlan = {2, {5, 0}};
  all[3].vlan = {2, {0, 5}};
  all[4].vlan = {1, {0, 0}};
  all[5].tcp.source_port = 40001;
  all[6].ip.version = 6;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < all.size(); ++j) CHECK((key_of(all[i]) == key_of(all[j])) == (i == j));
  }
}

TEST_CASE("a hash depends on its secret and on every part of its key") {
  const HashSecret secret = make_hash_secret();
  for (const Address& base : {ipv4(1), Address{0x2001, 1}}) {
    const FlowKey key = key_of(segment_between(base, 40000, {base.high, base.low + 1}, 80));
    const std::uint32_t hash = hash_flow_key(key, secret);
    CHECK(hash == hash_flow_key(key, secret));
    FlowKey changed[7];
    std::fill(std::begin(changed), std::end(changed), key);
    changed[0].addresses[0].low ^= 1 << 8;
    changed[1].addresses[1].low ^= 1 << 8;
    changed[2].addresses[0].high ^= 1;
    changed[3].ports[0] ^= 1;
    changed[4].ports[1] ^= 1;
    changed[5].tag ^= 1;
    changed[6].tunnel ^= 1;
    for (const FlowKey& other_key : changed) CHECK(hash != hash_flow_key(other_key, secret));
  }
  const HashSecret a = make_hash_secret(), b = make_hash_secret();
  const FlowKey key = key_of(segment_between(ipv4(1), 40000, ipv4(2), 80));
  CHECK(hash_flow_key(key, a) != hash_flow_key(key, b));
}

TEST_CASE("the table holds what a map holds") {
  std::mt19937 random(1);
  FlowTable table;
  std::map<std::uint32_t, Connection*> model;
  const auto key_number = [](std::uint32_t i) { return key_of(segment_between(ipv4(i / 4), 40000, ipv4(9), i % 4)); };
  for (int step = 0; step < 30'000; ++step) {
    // It grows at first and shrinks at the end.
    const auto key = static_cast<std::uint32_t>(random() % 2000);
    const bool erase = random() % 30'000 < static_cast<unsigned>(step);
    const auto known = model.find(key);
    if (erase && known != model.end()) {
      table.erase(*known->second);
      model.erase(known);
      continue;
    }
    bool added;
    Connection& connection = table.find_or_add(key_number(key), added);
    REQUIRE(added == (known == model.end()));
    if (added) {
      CHECK(connection.number == 0);
      CHECK(connection.key == key_number(key));
      connection.number = key + 1;
      model[key] = &connection;
    }
    REQUIRE(&connection == model[key]);
    REQUIRE(connection.number == key + 1);
    REQUIRE(table.size() == model.size());
  }
  std::size_t visited = 0;
  table.for_each([&](Connection& connection) {
    ++visited;
    CHECK(model.at(static_cast<std::uint32_t>(connection.number - 1)) == &connection);
  });
  CHECK(visited == model.size());
}

TEST_CASE("the table finds a segment's connection as it finds its key's") {
  std::mt19937 random(3);
  FlowTable table;
  std::map<std::uint32_t, Connection*> model;
  // More than are remembered as recent; some of them differ in nothing but version, VLAN or tunnel.
  const auto segment_of = [](std::uint32_t i, bool back) {
    const std::uint32_t kind = i % 8;
    const Address a = kind == 1 ? Address{0x2001, i / 8} : ipv4(i / 8), b = kind == 1 ? Address{0x2001, 9} : ipv4(9);
    const auto port = static_cast<std::uint16_t>(kind < 4 ? 80 : 40000 + kind);
    Segment segment = back ? segment_between(b, 80, a, port) : segment_between(a, port, b, 80);
    if (kind == 2) segment.vlan = {1, {5, 0}};
    if (kind == 3) segment.tunnel = 1;
    return segment;
  };
  for (int step = 0; step < 60'000; ++step) {
    const auto which = static_cast<std::uint32_t>(random() % (step % 2 == 0 ? 100 : 4000));
    const auto known = model.find(which);
    if (random() % 8 == 0 && known != model.end()) {
      table.erase(*known->second);
      model.erase(known);
      continue;
    }
    const Segment segment = segment_of(which, random() % 2 == 0);
    Side sender, sender_of_key;
    const FlowKey key = make_flow_key(segment, sender_of_key);
    bool added;
    Connection& connection = table.find_or_add(segment, sender, added);
    REQUIRE(added == (known == model.end()));
    REQUIRE(connection.key == key);
    REQUIRE(sender == sender_of_key);
    if (added) model[which] = &connection;
    REQUIRE(&connection == model[which]);
    REQUIRE(&connection == &table.find_or_add(key, added));
    REQUIRE(!added);
  }
  CHECK(table.size() == model.size());
}

// ---- segments ahead of a hole

TEST_CASE("what is ahead of a hole comes back in order, each byte where it was") {
  std::mt19937 random(2);
  for (int run = 0; run < 300; ++run) {
    std::string original(200, ' ');
    for (char& c : original) c = static_cast<char>('a' + random() % 26);
    std::string model(original.size(), 0), got = model;  // 0: not there
    OutOfOrderQueue store;
    for (int i = 0; i < 20; ++i) {
      const std::size_t begin = random() % original.size();
      const std::string_view piece = std::string_view(original).substr(begin, random() % 40);
      store.add(begin, {bytes_of(piece), piece.size()}, false, {i, 0, 0});
      model.replace(begin, piece.size(), piece);
    }
    std::uint64_t last = 0;
    for (; !store.empty(); store.pop_front()) {
      const OutOfOrderQueue::Item& item = store.front();
      CHECK(item.begin >= last);
      last = item.end();
      CHECK(item.bytes.size() == item.length);
      got.replace(item.begin, item.length, std::string(item.bytes.begin(), item.bytes.end()));
    }
    CHECK(got == model);
  }
}

// ---- the tracker

/// Writes what the tracker tells as lines: "c> 'abc' t3" are bytes of the client
/// (here always the end with port 40000) that were there at time 3.
class Recorder : public IdleConsumer {
 public:
  std::string text;
  std::uint64_t skippable_bytes = 0;

  void on_bytes(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    std::string bytes(data.bytes.begin(), data.bytes.end());
    if (data.length != data.bytes.size()) bytes += "+" + std::to_string(data.length - data.bytes.size());
    line(connection, sender, "'" + bytes + "'", arrival);
  }
  void on_skipped(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    line(connection, sender, "skipped " + std::to_string(count), arrival);
  }
  void on_not_captured(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    line(connection, sender, "missing " + std::to_string(count), arrival);
  }
  void on_fin(Connection& connection, Side sender, const Arrival& arrival) { line(connection, sender, "fin", arrival); }
  void on_ending(Connection& connection, Ending ending, Nanos time) {
    const char* const names[] = {"closed", "reset", "refused", "capture end", "replaced"};
    text +=
        std::to_string(connection.number) + " " + names[static_cast<int>(ending)] + " t" + std::to_string(time) + "\n";
  }
  std::uint64_t skippable(Connection&, Side) const { return skippable_bytes; }

 private:
  void line(const Connection& connection, Side sender, const std::string& what, const Arrival& arrival) {
    text += connection.key.ports[index(sender)] == 80 ? "s> " : "c> ";
    text += what + " t" + std::to_string(arrival.time) + "\n";
  }
};

/// A client 40000 and a server 80, whose packets are at times 1, 2, 3, ...
/// Sequence numbers are given as offsets from the first byte after the SYN.
class Wire {
 public:
  explicit Wire(std::uint32_t client_start = 1000, std::uint32_t server_start = 5000)
      : starts_{client_start, server_start} {}

  void client(int offset, int acknowledged, std::string_view data, unsigned flags = kAck,
              std::uint32_t uncaptured = 0) {
    send(0, offset, acknowledged, data, flags, uncaptured);
  }
  void server(int offset, int acknowledged, std::string_view data, unsigned flags = kAck,
              std::uint32_t uncaptured = 0) {
    send(1, offset, acknowledged, data, flags, uncaptured);
  }
  void syn() { client(-1, 0, "", kSyn); }
  void syn_ack() { server(-1, 0, "", kSyn | kAck); }
  void open() {
    syn();
    syn_ack();
    client(0, 0, "");
  }
  /// What was told since the last call.
  std::string told() { return std::exchange(recorder.text, {}); }
  std::string gone_at_end() {
    tracker.finish(++time);
    return told();
  }
  void restart(std::uint32_t client_start, std::uint32_t server_start) {
    starts_[0] = client_start;
    starts_[1] = server_start;
  }

  Recorder recorder;
  Tracker<Recorder> tracker{recorder, 0};
  Nanos time = 0;
  std::uint16_t client_port = 40000;

 private:
  void send(int from, int offset, int acknowledged, std::string_view data, unsigned flags, std::uint32_t uncaptured) {
    const Address addresses[] = {ipv4(1), ipv4(2)};
    const std::uint16_t ports[] = {client_port, 80};
    Segment segment = segment_between(addresses[from], ports[from], addresses[1 - from], ports[1 - from]);
    segment.time = ++time;
    segment.packet = static_cast<std::uint64_t>(time);
    segment.ip.id = static_cast<std::uint16_t>(time);
    segment.tcp.sequence = starts_[from] + static_cast<std::uint32_t>(offset);
    segment.tcp.acknowledgment = starts_[1 - from] + static_cast<std::uint32_t>(acknowledged);
    segment.tcp.flags = static_cast<std::uint8_t>(flags);
    segment.data = bytes_of(data);
    segment.data_length = static_cast<std::uint32_t>(data.size()) + uncaptured;
    tracker.process(segment);
  }

  std::uint32_t starts_[2];
};

TEST_CASE("bytes in order pass through") {
  Wire wire;
  wire.open();
  wire.client(0, 0, "abc");
  wire.server(0, 3, "xy");
  wire.client(3, 2, "def");
  CHECK(wire.told() == "c> 'abc' t4\ns> 'xy' t5\nc> 'def' t6\n");
  CHECK(wire.gone_at_end() == "1 capture end t7\n");
}

TEST_CASE("a hole that fills late: its bytes and those behind it were there then") {
  Wire wire;
  wire.open();
  wire.server(3, 0, "def");  // t4
  wire.server(6, 0, "ghi");
  wire.client(0, 0, "");
  CHECK(wire.told().empty());
  wire.server(0, 0, "abc");  // t7
  CHECK(wire.told() == "s> 'abc' t7\ns> 'def' t7\ns> 'ghi' t7\n");
}

TEST_CASE("a hole that was acknowledged and never came is missing; what waited keeps its own time") {
  Wire wire;
  wire.open();
  wire.server(3, 0, "def");  // t4
  wire.server(6, 0, "ghi");  // t5
  wire.client(0, 9, "");
  CHECK(wire.told().empty());
  SUBCASE("when the sender goes on") {
    wire.server(9, 0, "j");  // t7
    CHECK(wire.told() == "s> missing 3 t4\ns> 'def' t4\ns> 'ghi' t5\ns> 'j' t7\n");
  }
  SUBCASE("when the receiver sends") {
    wire.client(0, 9, "q");
    CHECK(wire.told() == "s> missing 3 t4\ns> 'def' t4\ns> 'ghi' t5\nc> 'q' t7\n");
  }
  SUBCASE("when the capture ends") {
    CHECK(wire.gone_at_end() == "s> missing 3 t4\ns> 'def' t4\ns> 'ghi' t5\n1 capture end t7\n");
  }
  SUBCASE("when it is reset") {
    wire.client(0, 0, "", kRst);
    CHECK(wire.told() == "s> missing 3 t4\ns> 'def' t4\ns> 'ghi' t5\n1 reset t7\n");
  }
  SUBCASE("the missing bytes come too late") {
    wire.server(9, 0, "j");
    wire.told();
    wire.server(0, 0, "abc");
    CHECK(wire.told().empty());
  }
}

TEST_CASE("two acknowledged holes with a stream's end behind them") {
  Wire wire;
  wire.open();
  wire.server(2, 0, "cd");               // t4
  wire.server(6, 0, "gh", kAck | kFin);  // t5
  wire.client(0, 9, "");
  wire.client(0, 9, "q");
  CHECK(wire.told() == "s> missing 2 t4\ns> 'cd' t4\ns> missing 2 t5\ns> 'gh' t5\ns> fin t5\nc> 'q' t7\n");
}

TEST_CASE("a hole that nobody acknowledged is waited for") {
  Wire wire;
  wire.open();
  wire.server(3, 0, "def");
  wire.client(0, 0, "q");
  wire.server(6, 1, "ghi");
  CHECK(wire.told() == "c> 'q' t5\n");
  wire.server(0, 1, "abc");
  CHECK(wire.told() == "s> 'abc' t7\ns> 'def' t7\ns> 'ghi' t7\n");
}

TEST_CASE("what was lost at a stream's end is missing once it is acknowledged") {
  Wire wire;
  wire.open();
  wire.server(0, 0, "abc");
  wire.client(0, 7, "");
  wire.client(0, 7, "q");
  CHECK(wire.told() == "s> 'abc' t4\ns> missing 4 t5\nc> 'q' t6\n");
}

TEST_CASE("duplicates and overlaps") {
  Wire wire;
  wire.open();
  wire.client(0, 0, "abcd");
  wire.client(0, 0, "abcd");
  wire.client(2, 0, "cdef");
  wire.client(1, 0, "b");
  wire.client(8, 0, "ij");
  wire.client(7, 0, "hijk");
  wire.client(4, 0, "efgh");
  CHECK(wire.told() == "c> 'abcd' t4\nc> 'ef' t6\nc> 'gh' t10\nc> 'ij' t10\nc> 'k' t10\n");
}

TEST_CASE("an acknowledgment past the windows that were captured counts when the next one says as much") {
  Wire wire;  // whose windows are of 1000 bytes
  wire.open();
  wire.client(0, 0, "ab");
  wire.server(0, 2, "cd");
  wire.told();
  wire.client(2, 50'000, "");  // made up, or what let the server send so much was not captured
  wire.server(50'000, 2, "x");
  CHECK(wire.told() == "");
  wire.client(2, 50'001, "");
  wire.server(50'001, 2, "y");
  CHECK(wire.told() == "s> missing 49998 t7\ns> 'x' t7\ns> 'y' t9\n");
}

TEST_CASE("bytes that a snap length cut off are counted, in order and ahead") {
  Wire wire;
  wire.open();
  wire.client(0, 0, "ab", kAck, 3);
  wire.client(8, 0, "ij", kAck, 2);
  wire.client(5, 0, "f", kAck, 3);  // reaches into the one ahead, which has what is cut off here
  CHECK(wire.told() == "c> 'ab+3' t4\nc> 'f+2' t6\nc> 'ij+2' t6\n");
}

TEST_CASE("bytes ahead that nobody needs to see are counted, not kept") {
  Wire wire;
  wire.open();
  wire.recorder.skippable_bytes = 6;
  wire.client(2, 0, "cd");
  wire.client(4, 0, "efg");  // ends past them
  wire.client(7, 0, "h", kAck, 1);
  wire.client(0, 0, "ab");
  CHECK(wire.told() == "c> 'ab' t7\nc> skipped 2 t7\nc> 'efg' t7\nc> 'h+1' t7\n");
  wire.recorder.skippable_bytes = Stream::kNever;  // an endless body
  wire.client(10, 0, "kl");
  wire.client(9, 0, "j");
  CHECK(wire.told() == "c> 'j' t9\nc> skipped 2 t9\n");
}

TEST_CASE("SYN and SYN-ACK sent again") {
  Wire wire;
  wire.syn();
  wire.syn();
  wire.syn_ack();
  wire.syn_ack();
  wire.client(0, 0, "");
  wire.client(0, 0, "a");
  wire.syn();  // a late copy
  wire.client(1, 0, "b");
  CHECK(wire.told() == "c> 'a' t6\nc> 'b' t8\n");
  CHECK(wire.tracker.connections() == 1);
}

/// Keeps the last connection's handshake.
struct HandshakeRecorder : Recorder {
  Handshake handshake;
  bool client_is_40000 = false;
  void on_packet(Connection& connection, Side, const Segment&) { handshake = connection.handshake; }
  void on_bytes(Connection& connection, Side, const StreamData&, const Arrival&) {
    handshake = connection.handshake;
    client_is_40000 = connection.client_known && connection.key.ports[index(connection.client)] == 40000;
  }
};

TEST_CASE("times of a handshake") {
  HandshakeRecorder recorder;
  Tracker<HandshakeRecorder> tracker(recorder, 0);
  const auto send = [&](Nanos time, bool client, std::uint32_t sequence, unsigned flags, std::string_view data = {}) {
    Segment segment = client ? from_client() : from_server();
    segment.time = time;
    segment.ip.id = static_cast<std::uint16_t>(time);
    segment.tcp.sequence = sequence;
    segment.tcp.acknowledgment = client ? 501 : 101;
    segment.tcp.flags = static_cast<std::uint8_t>(flags);
    segment.data = bytes_of(data);
    segment.data_length = static_cast<std::uint32_t>(data.size());
    tracker.process(segment);
  };
  SUBCASE("with every packet sent again") {
    send(10, true, 100, kSyn);
    send(1010, true, 100, kSyn);
    send(1060, false, 500, kSyn | kAck);
    send(2060, false, 500, kSyn | kAck);
    send(2065, true, 101, kAck);
    send(2066, true, 101, kAck, "a");
    send(2067, true, 100, kSyn);
    send(2068, true, 102, kAck, "b");
    CHECK(recorder.handshake.first_syn == 10);
    CHECK(recorder.handshake.last_syn == 1010);
    CHECK(recorder.handshake.syn_ack == 2060);
    CHECK(recorder.handshake.ack == 2065);
    CHECK(recorder.handshake.max_gap == 1000);
    CHECK(recorder.handshake.duration() == 2055);
    CHECK(recorder.handshake.client_rtt() == 5);
  }
  SUBCASE("SYN-ACK first") {
    send(20, false, 500, kSyn | kAck);
    send(21, true, 100, kSyn);
    send(22, true, 101, kAck, "a");
    CHECK(recorder.handshake.ack == 22);
    CHECK(recorder.handshake.duration() == 1);
    CHECK(recorder.handshake.server_rtt() <= 0);
  }
  SUBCASE("without the SYN") {
    send(20, false, 500, kSyn | kAck);
    send(22, true, 101, kAck, "a");
    CHECK(recorder.handshake.duration() == kUnknownTime);
    CHECK(recorder.handshake.client_rtt() == 2);
  }
  CHECK(recorder.client_is_40000);
}

TEST_CASE("SYN-ACK captured before the SYN") {
  Wire wire;
  wire.syn_ack();
  wire.syn();
  wire.client(0, 0, "");
  wire.client(0, 0, "abc");
  wire.server(0, 3, "x");
  CHECK(wire.told() == "c> 'abc' t4\ns> 'x' t5\n");
  CHECK(wire.tracker.connections() == 1);
}

TEST_CASE("Fast Open: data in the SYN (RFC 7413)") {
  Wire wire;
  wire.client(-1, 0, "ab", kSyn);
  SUBCASE("taken") { wire.server(-1, 2, "", kSyn | kAck); }
  SUBCASE("not taken, and sent again") {
    wire.server(-1, 0, "", kSyn | kAck);
    wire.client(0, 0, "ab");
  }
  wire.client(2, 0, "c");
  CHECK(wire.told() == "c> 'ab' t1\nc> 'c' t" + std::to_string(wire.time) + "\n");
}

TEST_CASE("ports used again: a new SYN is a new connection") {
  Wire wire;
  wire.open();
  wire.client(0, 0, "old");
  SUBCASE("after a close") {
    wire.client(3, 0, "", kFin | kAck);
    wire.server(0, 4, "", kFin | kAck);
    CHECK(wire.told() == "c> 'old' t4\nc> fin t5\ns> fin t6\n1 closed t6\n");
  }
  SUBCASE("after a reset") {
    wire.server(0, 0, "", kRst);
    CHECK(wire.told() == "c> 'old' t4\n1 reset t5\n");
  }
  SUBCASE("the close was not captured") { wire.told(); }
  wire.restart(900'000, 4'000'000'000);
  wire.syn();
  const std::string reused = wire.told();
  CHECK((reused.empty() || reused == "1 replaced t5\n"));
  wire.syn_ack();
  wire.client(0, 0, "new");
  wire.server(0, 3, "x");
  const auto t = [&](int back) { return " t" + std::to_string(wire.time - back) + "\n"; };
  CHECK(wire.told() == "c> 'new'" + t(1) + "s> 'x'" + t(0));
  CHECK(wire.tracker.connections() == 2);
  CHECK(wire.gone_at_end() == "2 capture end" + t(-1));
}

TEST_CASE("ports used again, the SYN-ACK captured first") {
  Wire wire;
  wire.open();
  wire.server(0, 0, "", kRst);
  wire.restart(900'000, 4'000'000'000);
  wire.syn_ack();
  wire.syn();
  wire.client(0, 0, "new");
  CHECK(wire.told() == "1 reset t4\nc> 'new' t7\n");
  CHECK(wire.tracker.connections() == 2);
}

TEST_CASE("FIN") {
  Wire wire;
  wire.open();
  wire.client(0, 0, "ab");
  wire.told();
  SUBCASE("with data, out of order") {
    wire.client(4, 0, "ef", kFin | kAck);
    CHECK(wire.told().empty());
    wire.client(2, 0, "cd");
    CHECK(wire.told() == "c> 'cd' t6\nc> 'ef' t6\nc> fin t6\n");
  }
  SUBCASE("alone, out of order") {
    wire.client(4, 0, "", kFin | kAck);
    wire.client(2, 0, "cd");
    CHECK(wire.told() == "c> 'cd' t6\nc> fin t6\n");
  }
  SUBCASE("sent again is told once") {
    wire.client(2, 0, "", kFin | kAck);
    wire.client(2, 0, "", kFin | kAck);
    CHECK(wire.told() == "c> fin t5\n");
  }
  SUBCASE("one half closed: the other goes on") {
    wire.client(2, 0, "", kFin | kAck);
    wire.server(0, 3, "xy");
    wire.server(2, 3, "z", kFin | kAck);
    CHECK(wire.told() == "c> fin t5\ns> 'xy' t6\ns> 'z' t7\ns> fin t7\n1 closed t7\n");
  }
  SUBCASE("from both at once (RFC 9293, 3.6)") {
    wire.client(2, 0, "", kFin | kAck);
    wire.server(0, 2, "", kFin | kAck);
    wire.client(3, 1, "");
    wire.server(1, 3, "");
    CHECK(wire.told() == "c> fin t5\ns> fin t6\n1 closed t6\n");
  }
  SUBCASE("the acknowledgment of a FIN makes no byte missing") {
    wire.client(2, 0, "", kFin | kAck);
    wire.server(0, 3, "x");
    wire.server(1, 3, "y");
    CHECK(wire.told() == "c> fin t5\ns> 'x' t6\ns> 'y' t7\n");
  }
  SUBCASE("data after the close is ignored") {
    wire.client(2, 0, "", kFin | kAck);
    wire.server(0, 3, "", kFin | kAck);
    wire.told();
    wire.client(3, 1, "late");
    wire.server(1, 3, "late", kFin | kAck);
    wire.server(0, 0, "", kRst);
    CHECK(wire.told().empty());
    CHECK(wire.gone_at_end().empty());
    CHECK(wire.tracker.connections() == 1);
  }
}

TEST_CASE("RST") {
  Wire wire;
  wire.open();
  wire.client(0, 0, "ab");
  wire.server(0, 2, "", kRst | kAck);
  wire.client(2, 0, "late");
  wire.server(0, 0, "", kRst);
  CHECK(wire.told() == "c> 'ab' t4\n1 reset t5\n");
  CHECK(wire.gone_at_end().empty());
}

TEST_CASE("a connection refused") {
  Wire wire;
  wire.syn();
  wire.server(0, 0, "", kRst | kAck);
  CHECK(wire.told() == "1 refused t2\n");
}

TEST_CASE("a capture that starts inside a connection") {
  Wire wire;
  SUBCASE("with data") {
    wire.client(100, 50, "ab");
    wire.server(50, 102, "x");
    CHECK(wire.told() == "c> 'ab' t1\ns> 'x' t2\n");
  }
  SUBCASE("with an acknowledgment, after which the other end goes on") {
    wire.client(100, 50, "");
    wire.server(50, 100, "x");
    wire.client(100, 51, "ab");
    CHECK(wire.told() == "s> 'x' t2\nc> 'ab' t3\n");
  }
  SUBCASE("data that was sent before it is no hole of ours") {
    wire.client(100, 50, "");
    wire.server(40, 100, "old bytes");  // 40 to 49
    CHECK(wire.told().empty());
  }
  SUBCASE("one direction alone") {
    wire.server(50, 100, "x");
    wire.server(51, 100, "y");
    CHECK(wire.told() == "s> 'x' t1\ns> 'y' t2\n");
  }
}

TEST_CASE("a capture that starts with a keep-alive probe misses nothing (RFC 9293, 3.8.4)") {
  Stream stream;
  stream.start_at(999);  // by a segment without payload
  CHECK(stream.record_acknowledgment(1000, false) == 0);
  CHECK(stream.next_sequence == 1000);
  CHECK_FALSE(stream.lacks_acknowledged());
  CHECK(stream.record_acknowledgment(1003, false) == 3);  // these were sent
  CHECK(stream.lacks_acknowledged());
}

TEST_CASE("a keep-alive probe is no data (RFC 9293, 3.8.4)") {
  Wire wire;
  wire.open();
  wire.client(-1, 0, "");
  wire.client(-1, 0, "\0");
  wire.client(0, 0, "ab");
  wire.client(1, 0, "");
  wire.client(1, 0, "?");
  wire.client(2, 0, "c");
  CHECK(wire.told() == "c> 'ab' t6\nc> 'c' t9\n");
}

TEST_CASE("closed connections are forgotten in the end") {
  Wire wire;
  wire.open();
  wire.server(0, 0, "", kRst);
  wire.client(0, 0, "late");
  CHECK(wire.tracker.connections() == 1);
  for (std::uint16_t i = 1; i <= 5000; ++i) {
    wire.client_port = static_cast<std::uint16_t>(40000 + i);
    wire.syn();
    wire.server(0, 0, "", kRst | kAck);
  }
  wire.client_port = 40000;
  wire.told();
  wire.client(0, 0, "new");  // so long after, it may be another
  CHECK(wire.told() == "c> 'new' t" + std::to_string(wire.time) + "\n");
  CHECK(wire.tracker.connections() == 5002);
}

TEST_CASE("memory for what is ahead is bounded: the oldest hole is given up") {
  Wire wire;
  wire.open();
  const std::string piece(1 << 16, 'x');
  const auto send = [&](int offset) { wire.client(offset, 0, piece); };
  SUBCASE("by bytes") {
    int offset = 1;
    const auto kept = static_cast<int>(OutOfOrderQueue::kMaxBytes);
    for (; offset <= kept; offset += 1 << 16) send(offset);
    CHECK(wire.told() == "");
    send(offset);
    const std::string told = wire.told();
    CHECK(told.starts_with("c> missing 1 t4\nc> 'xxx"));
    CHECK(static_cast<std::size_t>(std::count(told.begin(), told.end(), '\n')) ==
          OutOfOrderQueue::kMaxBytes / piece.size() + 2);
  }
  SUBCASE("bytes that are not kept do not count") {
    wire.recorder.skippable_bytes = std::uint64_t{1} << 30;
    for (int offset = 1; offset < 1 << 25; offset += 1 << 16) send(offset);
    CHECK(wire.told() == "");
    wire.client(0, 0, "a");
    CHECK(wire.told().starts_with("c> 'a'"));
  }
  SUBCASE("by segments") {
    const auto most = static_cast<int>(OutOfOrderQueue::kMaxSegments);
    for (int i = 1; i < most; ++i) wire.client(2 * i, 0, "x");
    CHECK(wire.told() == "");
    wire.client(2 * most, 0, "x");
    CHECK(wire.told() == "c> missing 2 t4\nc> 'x' t4\n");
  }
}

// ---- against a model

/// What a stream delivered, byte by byte.
struct Delivered : IdleConsumer {
  struct Byte {
    char value;
    Nanos time;
    friend bool operator==(const Byte&, const Byte&) = default;
  };
  static constexpr char kMissing = '?';
  std::vector<Byte> bytes;
  int fins = 0;

  void on_bytes(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    CHECK(connection.stream(sender).next == bytes.size());
    for (const std::uint8_t byte : data.bytes) bytes.push_back({static_cast<char>(byte), arrival.time});
  }
  void on_not_captured(Connection& connection, Side sender, std::uint64_t count, const Arrival&) {
    CHECK(connection.stream(sender).next == bytes.size());
    bytes.insert(bytes.end(), count, {kMissing, 0});
  }
  void on_fin(Connection&, Side, const Arrival&) { ++fins; }
};

/// A random stream of one sender: segments out of order, twice, overlapping,
/// some never captured. Its receiver acknowledges what it has.
void check_random_stream(std::mt19937& random) {
  const std::size_t size = 1 + random() % 400;
  const auto start = static_cast<std::uint32_t>(0 - random() % 500);  // wraps past 2^32 inside
  std::string original(size, 0);
  for (char& c : original) c = static_cast<char>('a' + random() % 26);

  struct Range {
    std::size_t begin, end;
  };
  std::vector<Range> to_send;
  std::vector<bool> never(size);  // sent, but not captured
  for (std::size_t at = 0; at < size;) {
    const std::size_t end = std::min(size, at + 1 + random() % 20);
    if (random() % 8 == 0) {
      for (std::size_t i = at; i < end; ++i) never[i] = true;
    } else {
      to_send.push_back({at, end});
    }
    at = end;
  }
  const std::size_t distinct = to_send.size();
  for (std::size_t i = 0; i < distinct / 3; ++i) {
    // Once more, and reaching into its neighbours where those are captured.
    Range again = to_send[random() % distinct];
    while (again.end < size && !never[again.end] && random() % 10 != 0) ++again.end;
    while (again.begin > 0 && !never[again.begin - 1] && random() % 3 != 0) --again.begin;
    to_send.push_back(again);
  }
  const std::size_t reach = 1 + random() % 8;  // how far segments change places
  for (std::size_t i = 0; i + 1 < to_send.size(); ++i) {
    std::swap(to_send[i], to_send[std::min(i + random() % reach, to_send.size() - 1)]);
  }

  Delivered got;
  Tracker<Delivered> tracker(got, 0);
  Nanos time = 0;
  const auto send = [&](bool sender, std::uint32_t sequence, std::string_view data, unsigned flags,
                        std::size_t acknowledged) {
    Segment segment = sender ? from_client() : from_server();
    segment.time = ++time;
    segment.ip.id = static_cast<std::uint16_t>(time);
    segment.tcp.sequence = sequence;
    segment.tcp.acknowledgment = sender ? 1 : start + static_cast<std::uint32_t>(acknowledged);
    segment.tcp.flags = static_cast<std::uint8_t>(flags);
    segment.data = bytes_of(data);
    segment.data_length = static_cast<std::uint32_t>(data.size());
    tracker.process(segment);
  };
  send(true, start - 1, {}, kSyn, 0);
  send(false, 0, {}, kSyn | kAck, 0);

  constexpr Nanos kNotYet = 0;
  std::vector<Nanos> first_seen(size, kNotYet);
  for (const Range& range : to_send) {
    const std::string_view data = std::string_view(original).substr(range.begin, range.end - range.begin);
    send(true, start + static_cast<std::uint32_t>(range.begin), data, kAck, 0);
    for (std::size_t i = range.begin; i < range.end; ++i) {
      if (first_seen[i] == kNotYet) first_seen[i] = time;
    }
    if (random() % 3 != 0) continue;
    std::size_t acknowledged = 0;  // all that was not captured has arrived
    while (acknowledged < size && (never[acknowledged] || first_seen[acknowledged] != kNotYet)) ++acknowledged;
    send(false, 1, {}, kAck, acknowledged);
  }
  const bool fin = random() % 2 == 0;
  if (fin) {
    send(true, start + static_cast<std::uint32_t>(size), {}, kFin | kAck, 0);
    send(false, 1, {}, kAck, size + 1);
  } else {
    send(false, 1, {}, kAck, size);
  }
  tracker.finish(++time);

  std::vector<Delivered::Byte> expected;
  Nanos in_order = 0;
  for (std::size_t i = 0; i < size; ++i) {
    in_order = std::max(in_order, first_seen[i]);
    expected.push_back(never[i] ? Delivered::Byte{Delivered::kMissing, 0} : Delivered::Byte{original[i], in_order});
  }
  REQUIRE(got.bytes == expected);
  REQUIRE(got.fins == (fin ? 1 : 0));
}

TEST_CASE("a stream is what the bitmap says: its bytes, their times and what is missing") {
  for (unsigned seed = 0; seed < 1500; ++seed) {
    INFO("seed ", seed);
    std::mt19937 random(seed);
    check_random_stream(random);
  }
}

// ---- looking ahead

/// What a tracker told, in order.
struct Diary : IdleConsumer {
  std::vector<std::string> entries;
  void note(const char* what, const Connection& connection, Side sender, std::uint64_t number) {
    entries.push_back(std::string(what) + " " + std::to_string(connection.number) + " " +
                      std::to_string(index(sender)) + " " + std::to_string(number));
  }
  void on_packet(Connection& connection, Side sender, const Segment& segment) {
    note("packet", connection, sender, segment.packet);
  }
  void on_bytes(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    note(std::string(data.bytes.begin(), data.bytes.end()).c_str(), connection, sender, arrival.packet);
  }
  void on_skipped(Connection&, Side, std::uint64_t, const Arrival&) {}
  void on_not_captured(Connection& connection, Side sender, std::uint64_t count, const Arrival&) {
    note("missing", connection, sender, count);
  }
  void on_retransmitted(Connection&, Side, std::uint64_t, const Arrival&) {}
  void on_spurious(Connection&, Side) {}
  void on_acknowledged(Connection&, Side, const Acknowledgment&) {}
  void on_fin(Connection& connection, Side sender, const Arrival&) { note("fin", connection, sender, 0); }
  void on_ending(Connection& connection, Ending ending, Nanos) {
    note("end", connection, Side::low, static_cast<std::uint64_t>(ending));
  }
  void on_gone(Connection& connection) { note("gone", connection, Side::low, 0); }
};

TEST_CASE("segments that wait for memory reach the tracker as they would at once") {
  constexpr std::uint32_t kConnections = 12'000;  // more than a cache holds: is_large()
  constexpr std::uint64_t kDrainEvery = 1000;     // as where the reader moves on
  Diary at_once, later;
  Tracker<Diary> direct(at_once, 0), behind(later, 0);
  Lookahead<Diary> lookahead(behind);
  std::mt19937 random(11);
  std::vector<std::uint32_t> sent(kConnections, 0);
  bool waited = false;
  for (std::uint64_t frame = 1; frame <= 4 * kConnections; ++frame) {
    const auto which = static_cast<std::uint32_t>(frame <= kConnections ? frame - 1 : random() % kConnections);
    const auto port = static_cast<std::uint16_t>(1024 + which % 50'000);
    Segment segment = segment_between(ipv4(10 + which), port, ipv4(2), 80);
    const bool ends = sent[which] == 5;
    segment.time = static_cast<Nanos>(frame) * 1'000'000;
    segment.packet = frame;
    segment.tcp.sequence = 100 + sent[which];
    segment.tcp.flags = static_cast<std::uint8_t>(sent[which] == 0 ? +kSyn : ends ? kRst | kAck : +kAck);
    if (sent[which] != 0 && !ends) {
      segment.data = bytes_of("x");
      segment.data_length = 1;
    }
    sent[which] = ends ? 0 : sent[which] + 1;  // its ports are used again
    direct.process(segment);
    // Now and then the segment was put together from several records.
    const std::uint8_t elsewhere[1] = {};
    segment.tcp.options = Bytes(elsewhere).first(0);
    PacketRecord record;
    if (random() % 100 != 0) record.bytes = elsewhere;
    lookahead.next() = segment;
    const std::size_t before = later.entries.size();
    lookahead.process(record);
    waited = waited || later.entries.size() == before;
    if (frame % kDrainEvery != 0) continue;
    lookahead.drain();
    REQUIRE(later.entries.size() == at_once.entries.size());
  }
  lookahead.drain();
  direct.finish(0);
  behind.finish(0);
  CHECK(waited);
  CHECK(later.entries == at_once.entries);
}

}  // namespace
}  // namespace wirelap
