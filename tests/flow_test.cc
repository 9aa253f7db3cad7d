// Connections and their streams: keys, the hash, the table, the limits of the tracker, and the tracker against a model
// that has a byte's arrival for each byte. What the tracker makes of single packets is in tests/timelines.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flow/consumer.h"
#include "flow/key.h"
#include "flow/lookahead.h"
#include "flow/stream.h"
#include "flow/table.h"
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

TEST_CASE("flow: a key is the same in both directions") {
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

TEST_CASE("flow: VLANs, ports and IP versions separate connections") {
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

TEST_CASE("flow: the hash of a key depends on the secret and on every part of the key") {
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

TEST_CASE("flow: the table contains what a map contains") {
  std::mt19937 random(1);
  FlowTable table;
  std::map<std::uint32_t, Connection*> model;
  const auto key_number = [](std::uint32_t i) { return key_of(segment_between(ipv4(i / 4), 40000, ipv4(9), i % 4)); };
  for (int step = 0; step < 30'000; ++step) {
    // The table grows at first and shrinks at the end.
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

TEST_CASE("flow: the table finds the same connection by a segment and by its key") {
  std::mt19937 random(3);
  FlowTable table;
  std::map<std::uint32_t, Connection*> model;
  // More than the table remembers as recent; some differ in the IP version, VLAN or tunnel alone.
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

// ---- segments behind a gap

TEST_CASE("flow: segments behind a gap leave the queue in order, each byte at its offset") {
  std::mt19937 random(2);
  for (int run = 0; run < 300; ++run) {
    std::string original(200, ' ');
    for (char& c : original) c = static_cast<char>('a' + random() % 26);
    std::string model(original.size(), 0), got = model;  // 0: not there
    OutOfOrderQueue queue;
    for (int i = 0; i < 20; ++i) {
      const std::size_t begin = random() % original.size();
      const std::string_view piece = std::string_view(original).substr(begin, random() % 40);
      queue.add(begin, {bytes_of(piece), piece.size()}, false, {i, 0, 0});
      model.replace(begin, piece.size(), piece);
    }
    std::uint64_t last = 0;
    for (; !queue.empty(); queue.pop_front()) {
      const OutOfOrderQueue::Item& item = queue.front();
      CHECK(item.begin >= last);
      last = item.end();
      CHECK(item.bytes.size() == item.length);
      got.replace(item.begin, item.length, std::string(item.bytes.begin(), item.bytes.end()));
    }
    CHECK(got == model);
  }
}

// ---- the tracker

/// Writes what the tracker reports as lines: "c> 12 bytes t3" is data of the client
/// (the end with a port other than 80), which counts as received at time 3.
class Recorder : public IdleConsumer {
 public:
  std::string text;
  std::uint64_t skippable_bytes = 0;

  void on_bytes(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    line(connection, sender, std::to_string(data.length) + " bytes", arrival);
  }
  void on_not_captured(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    line(connection, sender, std::to_string(count) + " not captured", arrival);
  }
  std::uint64_t skippable(Connection&, Side) const { return skippable_bytes; }

 private:
  void line(const Connection& connection, Side sender, const std::string& what, const Arrival& arrival) {
    text += connection.key.ports[index(sender)] == 80 ? "s> " : "c> ";
    text += what + " t" + std::to_string(arrival.time) + "\n";
  }
};

/// A client and a server, port 80, whose packets are at times 1, 2, 3, ...
/// Sequence numbers are given as offsets from the first byte after the SYN.
class Wire {
 public:
  void client(int offset, std::string_view data, unsigned flags = kAck) { send(0, offset, data, flags); }
  void server(int offset, std::string_view data, unsigned flags = kAck) { send(1, offset, data, flags); }
  void handshake() {
    client(-1, "", kSyn);
    server(-1, "", kSyn | kAck);
    client(0, "");
  }
  /// What was reported since the last call.
  std::string new_reports() { return std::exchange(recorder.text, {}); }

  Recorder recorder;
  Tracker<Recorder> tracker{recorder, 0};
  Nanos time = 0;
  std::uint16_t client_port = 40000;

 private:
  void send(int from, int offset, std::string_view data, unsigned flags) {
    const Address addresses[] = {ipv4(1), ipv4(2)};
    const std::uint16_t ports[] = {client_port, 80};
    Segment segment = segment_between(addresses[from], ports[from], addresses[1 - from], ports[1 - from]);
    segment.time = ++time;
    segment.packet = static_cast<std::uint64_t>(time);
    segment.ip.id = static_cast<std::uint16_t>(time);
    segment.tcp.sequence = kStarts[from] + static_cast<std::uint32_t>(offset);
    segment.tcp.acknowledgment = kStarts[1 - from];
    segment.tcp.flags = static_cast<std::uint8_t>(flags);
    segment.data = bytes_of(data);
    segment.data_length = static_cast<std::uint32_t>(data.size());
    tracker.process(segment);
  }

  static constexpr std::uint32_t kStarts[2] = {1000, 5000};
};

TEST_CASE("flow: an ended connection is forgotten once thousands more have ended") {
  Wire wire;
  wire.handshake();
  wire.server(0, "", kRst);
  wire.client(0, "late");
  CHECK(wire.tracker.connections() == 1);
  for (std::uint16_t i = 1; i <= 5000; ++i) {
    wire.client_port = static_cast<std::uint16_t>(40000 + i);
    wire.client(-1, "", kSyn);
    wire.server(0, "", kRst | kAck);
  }
  wire.client_port = 40000;
  CHECK(wire.new_reports() == "");
  wire.client(0, "new");  // begins another connection
  CHECK(wire.new_reports() == "c> 3 bytes t" + std::to_string(wire.time) + "\n");
  CHECK(wire.tracker.connections() == 5002);
}

TEST_CASE("flow: memory for segments behind gaps is limited: past the limit the oldest gap is given up") {
  Wire wire;
  wire.handshake();
  const std::string piece(1 << 16, 'x');
  SUBCASE("by bytes") {
    int offset = 1;
    const auto kept = static_cast<int>(OutOfOrderQueue::kMaxBytes);
    for (; offset <= kept; offset += 1 << 16) wire.client(offset, piece);
    CHECK(wire.new_reports() == "");
    wire.client(offset, piece);
    const std::string reports = wire.new_reports();
    CHECK(reports.starts_with("c> 1 not captured t4\nc> 65536 bytes t4\n"));
    CHECK(static_cast<std::size_t>(std::count(reports.begin(), reports.end(), '\n')) ==
          OutOfOrderQueue::kMaxBytes / piece.size() + 2);
  }
  SUBCASE("skipped bytes do not count") {
    wire.recorder.skippable_bytes = std::uint64_t{1} << 30;
    for (int offset = 1; offset < 1 << 25; offset += 1 << 16) wire.client(offset, piece);
    CHECK(wire.new_reports() == "");
    wire.client(0, "a");
    CHECK(wire.new_reports().starts_with("c> 1 bytes"));
  }
  SUBCASE("by segments") {
    const auto most = static_cast<int>(OutOfOrderQueue::kMaxSegments);
    for (int i = 1; i < most; ++i) wire.client(2 * i, "x");
    CHECK(wire.new_reports() == "");
    wire.client(2 * most, "x");
    CHECK(wire.new_reports() == "c> 2 not captured t4\nc> 1 bytes t4\n");
  }
}

// ---- against a model

/// The bytes that were handed on of a stream, with their times.
struct Delivered : IdleConsumer {
  struct Byte {
    char value;
    Nanos time;
    friend bool operator==(const Byte&, const Byte&) = default;
  };
  static constexpr char kNotCaptured = '?';
  std::vector<Byte> bytes;
  int fins = 0;

  void on_bytes(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    CHECK(connection.stream(sender).next == bytes.size());
    for (const std::uint8_t byte : data.bytes) bytes.push_back({static_cast<char>(byte), arrival.time});
  }
  void on_not_captured(Connection& connection, Side sender, std::uint64_t count, const Arrival&) {
    CHECK(connection.stream(sender).next == bytes.size());
    bytes.insert(bytes.end(), count, {kNotCaptured, 0});
  }
  void on_fin(Connection&, Side, const Arrival&) { ++fins; }
};

/// Checks a random stream of one sender against the model. Segments come out of order, twice, or overlap; some are
/// not captured. The receiver acknowledges what it has.
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
    // A retransmission, which reaches into its neighbours where those are captured.
    Range again = to_send[random() % distinct];
    while (again.end < size && !never[again.end] && random() % 10 != 0) ++again.end;
    while (again.begin > 0 && !never[again.begin - 1] && random() % 3 != 0) --again.begin;
    to_send.push_back(again);
  }
  const std::size_t reach = 1 + random() % 8;  // how far segments are reordered
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
    std::size_t acknowledged = 0;  // the receiver has all that was not captured
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
    expected.push_back(never[i] ? Delivered::Byte{Delivered::kNotCaptured, 0} : Delivered::Byte{original[i], in_order});
  }
  REQUIRE(got.bytes == expected);
  REQUIRE(got.fins == (fin ? 1 : 0));
}

TEST_CASE("flow: a stream has the bytes, times and gaps of the model") {
  for (unsigned seed = 0; seed < 1500; ++seed) {
    INFO("seed ", seed);
    std::mt19937 random(seed);
    check_random_stream(random);
  }
}

// ---- looking ahead

/// The events of a tracker, in order.
struct EventLog : IdleConsumer {
  std::vector<std::string> entries;
  void add(const char* what, const Connection& connection, Side sender, std::uint64_t number) {
    entries.push_back(std::string(what) + " " + std::to_string(connection.number) + " " +
                      std::to_string(index(sender)) + " " + std::to_string(number));
  }
  void on_packet(Connection& connection, Side sender, const Segment& segment) {
    add("packet", connection, sender, segment.packet);
  }
  void on_bytes(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    add(std::string(data.bytes.begin(), data.bytes.end()).c_str(), connection, sender, arrival.packet);
  }
  void on_not_captured(Connection& connection, Side sender, std::uint64_t count, const Arrival&) {
    add("not captured", connection, sender, count);
  }
  void on_fin(Connection& connection, Side sender, const Arrival&) { add("fin", connection, sender, 0); }
  void on_ending(Connection& connection, Ending ending, Nanos) {
    add("end", connection, Side::low, static_cast<std::uint64_t>(ending));
  }
  void on_gone(Connection& connection) { add("gone", connection, Side::low, 0); }
};

TEST_CASE("flow: segments that wait in the lookahead cause the same events in the same order") {
  constexpr std::uint32_t kConnections = 12'000;  // so many that the table is_large()
  constexpr std::uint64_t kDrainEvery = 1000;     // as where the reader reads its next bytes
  EventLog at_once, later;
  Tracker<EventLog> direct(at_once, 0), behind(later, 0);
  Lookahead<EventLog> lookahead(behind);
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
    sent[which] = ends ? 0 : sent[which] + 1;  // its ports are reused
    direct.process(segment);
    // Now and then the segment comes of several records, as IP fragments do.
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
