// The memory for the state of connections is bounded: the memory resource, eviction and
// how it is reported, floods, flow keys chosen to collide, and counters over 2^32.
#include "base/memory.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine.h"
#include "flow/table.h"
#include "flow/consumer.h"
#include "flow/tracker.h"
#include "output/writer.h"
#include "support/flood.h"
#include "support/packets.h"
#include "support/records.h"
#include "support/run.h"

namespace wirelap {
namespace {

using test::Flood;
using test::has;
using test::program;
using test::slurp;

/// False with sanitizers, which are slow and delay the reuse of freed blocks.
constexpr bool kPooled = Memory::kPooled;

// ---- The memory resource.

TEST_CASE("memory: blocks do not overlap, are aligned, and are counted") {
  for (const bool pooled : {true, false}) {
    Memory memory(Memory::kUnlimited, pooled);
    struct Block {
      std::uint8_t* at;
      std::size_t bytes, alignment;
      std::uint8_t mark;
    };
    std::vector<Block> blocks;
    std::mt19937 random(7);
    std::size_t requested_bytes = 0;
    const auto deallocate = [&](std::size_t i) {
      const Block block = blocks[i];
      bool whole = true;
      for (std::size_t at = 0; at < block.bytes; ++at) whole = whole && block.at[at] == block.mark;
      REQUIRE(whole);
      memory.deallocate(block.at, block.bytes, block.alignment);
      requested_bytes -= block.bytes;
      blocks[i] = blocks.back();
      blocks.pop_back();
    };
    for (int step = 0; step < 20'000; ++step) {
      // The number of blocks grows at first and shrinks later.
      if (!blocks.empty() && random() % 20'000 < static_cast<unsigned>(step)) {
        deallocate(random() % blocks.size());
        continue;
      }
      const std::size_t most = random() % 50 == 0 ? 40'000 : random() % 4 == 0 ? 5'000 : 700;
      const std::size_t alignment = std::size_t{1} << random() % 7;
      const std::size_t bytes = random() % most;
      auto* const at = static_cast<std::uint8_t*>(memory.allocate(bytes, alignment));
      REQUIRE(reinterpret_cast<std::uintptr_t>(at) % alignment == 0);
      const auto mark = static_cast<std::uint8_t>(random());
      std::fill_n(at, bytes, mark);
      blocks.push_back({at, bytes, alignment, mark});
      requested_bytes += bytes;
      REQUIRE(memory.used_bytes() >= requested_bytes);
      REQUIRE(memory.held_bytes() >= memory.used_bytes());
      REQUIRE(memory.peak_held_bytes() >= memory.held_bytes());
    }
    while (!blocks.empty()) deallocate(blocks.size() - 1);
    CHECK(memory.used_bytes() == 0);
    CHECK(memory.held_bytes() == 0);
  }
}

TEST_CASE("memory: memory of returned blocks serves blocks of another size") {
  constexpr std::size_t kLimit = std::size_t{4} << 20;
  Memory memory(kLimit, true);
  std::size_t peak_mapped = 0;
  for (const std::size_t bytes : {16, 448, 5000, 24, 4096, 100'000, 700, 8, 2049}) {
    std::vector<void*> blocks;
    while (!memory.is_over_limit()) blocks.push_back(memory.allocate(bytes));
    // Blocks can use most of the limit.
    CHECK(blocks.size() * bytes > kLimit / 3);
    peak_mapped = std::max(peak_mapped, memory.mapped_bytes());
    std::shuffle(blocks.begin(), blocks.end(), std::mt19937(1));
    for (void* const block : blocks) memory.deallocate(block, bytes);
    REQUIRE(memory.held_bytes() == 0);
  }
  CHECK(peak_mapped <= kLimit + (std::size_t{512} << 10));
}

TEST_CASE("memory: on_over_limit is called over the limit, and not well below it") {
  Memory memory(std::size_t{1} << 20, true);
  int calls = 0;
  memory.on_over_limit([&] { ++calls; });
  std::vector<void*> blocks;
  while (calls == 0) blocks.push_back(memory.allocate(1000));
  CHECK(memory.is_over_limit());
  CHECK(memory.used_bytes() > (std::size_t{1} << 20) / 8 * 7);
  while (!memory.is_well_below_limit()) {
    memory.deallocate(blocks.back(), 1000);
    blocks.pop_back();
  }
  CHECK(!memory.is_over_limit());
  const int before = calls;
  blocks.push_back(memory.allocate(1000));
  CHECK(calls == before);
  for (void* const block : blocks) memory.deallocate(block, 1000);
}

TEST_CASE("memory: a returned exchange releases long strings and keeps short ones") {
  const Wanted wanted;
  Memory memory;
  {
    ExchangePool pool(wanted, &memory);
    std::vector<Exchange*> taken;
    for (int i = 0; i < 2000; ++i) {
      taken.push_back(&pool.take());
      taken.back()->target.assign(20'000, 'x');
      taken.back()->host.assign(100, 'h');
      taken.back()->headers.resize(3);
      taken.back()->headers[1].emplace("a value of more than a few bytes", &memory);
      taken.back()->steps.resize(100);
    }
    for (Exchange* const exchange : taken) pool.give_back(*exchange);
    CHECK(memory.used_bytes() < 256 * 1024);
    Exchange& again = pool.take();
    CHECK(again.host.empty());
    CHECK(again.headers.empty());
    CHECK(again.steps.empty());
    // The short string still has its memory.
    const std::uint64_t before = memory.allocations();
    again.host.assign(100, 'h');
    CHECK(memory.allocations() == before);
    pool.give_back(again);
  }
  CHECK(memory.used_bytes() == 0);
}

// ---- The engine.

/// Counts records, and stores a line of text for each. It does not store the records, because a flood has many.
struct RecordCounts : RecordWriter {
  std::string rows, connections;
  std::map<std::string, std::uint64_t> outcomes, endings;
  std::uint64_t last = 0;  // complete exchanges with the target "/last"

  bool with_text = true;

  void write(const Record& record) override {
    record.type == RecordType::exchange ? write_exchange(record) : write_connection(record);
  }

 private:
  void write_exchange(const Record& record) {
    ++outcomes[std::string(record.outcome)];
    if (record.outcome == "complete" && record.target == "/last") ++last;
    if (!with_text) return;
    for (const std::uint64_t part :
         {record.connection, record.exchange, record.request_bytes, record.response_bytes}) {
      rows += std::to_string(part) + ' ';
    }
    rows += std::string(record.protocol) + ' ' + record.method + ' ' + record.target + ' ' +
            (record.status ? std::to_string(*record.status) : "-") + ' ' + std::string(record.outcome) + '\n';
  }
  void write_connection(const Record& record) {
    ++endings[std::string(record.ending)];
    if (!with_text) return;
    connections += std::to_string(record.connection) + ' ' + std::string(record.ending) + '\n';
  }
};

/// Returns the next piece of a capture; an empty one at its end.
using Source = std::function<std::string_view()>;

Source piece_of(std::string_view bytes) {
  return [bytes]() mutable { return std::exchange(bytes, {}); };
}

std::optional<Error> run_capture(Engine& engine, Source source) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  std::thread feeder([&source, fd = ends[1]] {
    for (auto bytes = source(); !bytes.empty(); bytes = source()) {
      while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written <= 0) break;
        bytes.remove_prefix(static_cast<std::size_t>(written));
      }
    }
    ::close(fd);
  });
  Input input({});
  input.attach(ends[0]);
  auto error = engine.run(input, "flood.pcap");
  feeder.join();
  ::close(ends[0]);
  return error;
}

struct Flooded {
  std::size_t peak_held;
  Summary summary;
  RecordCounts counts;
};

Flooded flood_engine(const char* kind, std::uint64_t count, std::size_t limit, bool steps = false) {
  Flooded flooded;
  flooded.counts.with_text = false;
  EngineOptions options;
  options.memory_bytes = limit;
  options.wanted.steps = steps;
  options.wanted.connections = true;
  Engine engine(options, flooded.counts);
  Flood flood(kind, count);
  REQUIRE(!run_capture(engine, [&] { return flood.next(); }));
  CHECK(engine.summary().decoded.records == flood.packets());
  flooded.peak_held = engine.memory().peak_held_bytes();
  flooded.summary = engine.summary();
  CHECK(engine.memory().used_bytes() < 512 * 1024);
  return flooded;
}

TEST_CASE("floods: memory is bounded, and evictions are reported") {
  const struct {
    const char* kind;
    std::uint64_t count;      // at most half of these fit into the limit
    std::uint64_t exchanges;  // of each of these
  } cases[] = {{"syns", 8000, 0}, {"gaps", 1000, 1}, {"heads", 160, 1}, {"streams", 6, 1000}, {"shifts", 12'000, 0}};
  constexpr std::size_t kLimit = std::size_t{2} << 20;
  // A packet is processed completely before connections are evicted.
  constexpr std::size_t kPacket = 256 * 1024;
  for (const auto& [kind, count, exchanges] : cases) {
    INFO(kind);
    std::size_t held[2];
    for (const int twice : {0, 1}) {
      const std::uint64_t number = (kPooled ? 2 : 1) * count << twice;
      const Flooded flooded = flood_engine(kind, number, kLimit);
      const Summary& summary = flooded.summary;
      auto counts = flooded.counts;
      held[twice] = flooded.peak_held;
      CHECK(counts.last == 1);
      CHECK(summary.evicted_connections > summary.connections / 2);
      CHECK(summary.evicted_connections == counts.endings["evicted"]);
      CHECK(summary.evicted_exchanges == counts.outcomes["evicted"]);
      CHECK(has(describe_evicted(summary), std::to_string(summary.evicted_connections) + " connections"));
      // Each connection and each exchange has a record, whatever its end.
      CHECK(counts.endings["evicted"] + counts.endings["capture_end"] + counts.endings["unanswered"] == summary.connections);
      if (std::string(kind) == "shifts") continue;
      CHECK(counts.outcomes["evicted"] == summary.evicted_connections * exchanges);
      CHECK(counts.outcomes["evicted"] + counts.outcomes["capture_end"] == number * exchanges);
    }
    CHECK(std::max(held[0], held[1]) <= kLimit + kPacket);
    // A flood of twice the length needs as much memory, except for the place of its largest packet.
    CHECK(held[1] <= held[0] + kPacket);
    CHECK(held[0] <= held[1] + kPacket);
  }
}

TEST_CASE("floods: incomplete IP datagrams are bounded by their own limit") {
  const Flooded flooded = flood_engine("fragments", 20'000, std::size_t{2} << 20);
  CHECK(flooded.summary.decoded.errors.total(DecodeError::fragment_incomplete) == 20'000);
  CHECK(flooded.counts.last == 1);
  CHECK(describe_evicted(flooded.summary).empty());
}

TEST_CASE("floods: one large connection is evicted before those that wait for a response") {
  for (const bool steps : {false, true}) {
    Flooded flooded = steps ? flood_engine("reading", 40'000, std::size_t{1} << 20, true)
                            : flood_engine("large", 200, std::size_t{4} << 20);
    INFO(steps);
    // The hundred that waited got their responses.
    CHECK(flooded.counts.last == 101);
    CHECK(flooded.counts.outcomes["evicted"] != 0);
    CHECK(flooded.summary.evicted_connections == 1);
    CHECK(flooded.peak_held <= (std::size_t{4} << 20) + 256 * 1024);
  }
}

TEST_CASE("eviction: an evicted connection is reported like an open one at the end of a capture") {
  const struct {
    const char* fixture;
    const char* protocol;
    bool tcp;
  } cases[] = {{"curl-nginx-10ms", "http/1.1", false},
               {"pipelined", "http/1.1", false},
               {"h2", "h2", false},
               {"tls13", "tls", false},
               {"tls12", "tls", false},
               {"tcp-redis", "tcp", true},
               {"loss", "http/1.1", false}};
  for (const auto& [fixture, protocol, tcp] : cases) {
    const std::string whole = slurp(std::string("fixtures/") + fixture + ".pcap");
    std::vector<std::size_t> records;
    for (std::size_t at = 24; at < whole.size();) {
      records.push_back(at);
      std::uint32_t captured = 0;
      std::memcpy(&captured, &whole[at + 8], sizeof captured);
      at += 16 + captured;
    }
    std::uint64_t evicted = 0;
    for (std::size_t cut = 1; cut < 10; ++cut) {
      INFO(fixture, " ", cut);
      const std::size_t end = records[records.size() * cut / 10];
      EngineOptions options;
      options.tcp = tcp;
      options.join = true;
      options.wanted.connections = true;
      options.memory_bytes = std::size_t{1} << 20;
      const std::string_view first = std::string_view(whole).substr(0, end);
      RecordCounts expected_counts, flooded;
      Engine unlimited(options, expected_counts), engine(options, flooded);
      run_capture(unlimited, piece_of(first));
      unlimited.finish();
      run_capture(engine, piece_of(first));
      Flood flood("syns", 4000);
      run_capture(engine, [&] { return flood.next(); });
      // Later packets of an evicted connection start a new one.
      const std::uint64_t before = engine.summary().connections;
      const std::string rest = whole.substr(0, 24) + whole.substr(end);
      const std::size_t rows_before = flooded.rows.size();
      run_capture(engine, piece_of(rest));
      CHECK(engine.summary().connections > before);
      const std::string rows = flooded.rows.substr(0, rows_before);
      engine.finish();

      evicted += flooded.outcomes["evicted"];
      std::string expected = expected_counts.rows;
      for (std::size_t at; (at = expected.find("capture_end")) != std::string::npos;)
        expected.replace(at, 11, "evicted");
      // The last exchange is that of the flood.
      CHECK(rows.substr(0, rows.rfind('\n', rows.size() - 2) + 1) == expected);
      expected = expected_counts.connections;
      for (const std::string ending : {" capture_end", " unanswered"}) {
        for (std::size_t at; (at = expected.find(ending)) != std::string::npos;)
          expected.replace(at, ending.size(), " evicted");
      }
      CHECK(flooded.connections.substr(0, expected.size()) == expected);
    }
    CHECK(evicted != 0);
  }
}

// ---- The program.

std::string whole(Flood flood) {
  std::string all;
  for (auto bytes = flood.next(); !bytes.empty(); bytes = flood.next()) all += bytes;
  return all;
}

TEST_CASE("floods: the program needs little more memory than the limit") {
  if (!kPooled) return;
  // The limit applies to all mappings, of which code, libraries and buffers are about 8 MiB.
  const auto run_in_48_mib = [](const char* limit, const std::string& capture) {
    return test::run({"/bin/sh", "-c", "ulimit -v 49152; exec \"$0\" \"$@\"", program(), "-q", "--memory", limit, "-"},
                     capture);
  };
  for (const auto& [kind, count] :
       {std::pair<const char*, std::uint64_t>{"syns", 200'000}, {"gaps", 14'000}, {"shifts", 30'000}}) {
    INFO(kind);
    const std::string capture = whole(Flood(kind, count));
    const test::RunResult result = run_in_48_mib("32M", capture);
    CHECK(result.exit_code == 0);
    // Evictions are reported with -q too.
    CHECK(has(result.errors, "wirelap: evicted to free memory: "));
    CHECK(has(result.output, "\"target\":\"/last\""));
    // With a higher limit the run fails: the limit is effective.
    if (std::string(kind) == "syns") CHECK(run_in_48_mib("1G", capture).exit_code != 0);
  }
}

TEST_CASE("options: --memory accepts bytes and the suffixes k, M and G") {
  for (const char* const good : {"64M", "1G", "512k", "512K", "64m", "1g", "524288", "1000000"}) {
    INFO(good);
    const test::RunResult result = test::run({program(), "--memory", good, "fixtures/vlan.pcap"});
    CHECK(result.exit_code == 0);
    CHECK(!has(result.errors, "evicted"));
  }
  for (const char* const bad :
       {"", "M", "64MB", "-1", "1.5G", "64 M", "511k", "0", "0x100000", "99999999999999999999", "99999999999G", "1T"}) {
    INFO(bad);
    const test::RunResult result = test::run({program(), "--memory", bad, "fixtures/vlan.pcap"});
    CHECK(result.exit_code == 2);
    CHECK(has(result.errors, "--memory"));
    CHECK(result.output.empty());
  }
}

// ---- Flow keys chosen to collide.

FlowKey key_of(std::uint32_t number) {
  FlowKey key;
  key.addresses[0] = {0, kIpv4Mapped | 0x0a000000 | number >> 14};
  key.addresses[1] = {0, kIpv4Mapped | 0x0a800001};
  key.ports[0] = static_cast<std::uint16_t>(1024 + (number & 0x3fff));
  key.ports[1] = 80;
  return key;
}

TEST_CASE("key: flow keys that collide with one secret do not collide with another" * doctest::test_suite("slow")) {
  // 1024 keys whose hashes have the same lowest bits, which are the slot in a table of that size.
  constexpr std::uint32_t kKeys = 1024, kMask = 2047;
  const HashSecret known{};
  std::vector<FlowKey> keys;
  for (std::uint32_t number = 0; keys.size() < kKeys; ++number) {
    const FlowKey key = key_of(number);
    if ((hash_flow_key(key, known) & kMask) == 0) keys.push_back(key);
  }
  const auto probes = [&](const FlowTable& table) {
    std::size_t sum = 0;
    for (const FlowKey& key : keys) sum += table.probes(key);
    return static_cast<double>(sum) / kKeys;
  };
  const auto fill = [&](FlowTable& table) {
    bool added;
    for (const FlowKey& key : keys) table.find_or_add(key, added).number = 1;
    REQUIRE(table.size() == kKeys);
  };
  FlowTable chosen(std::pmr::get_default_resource(), known);
  fill(chosen);
  CHECK(probes(chosen) > kKeys / 4);
  // Linear probing in a table that is at most half full needs 1.5 probes on average.
  for (int i = 0; i < 20; ++i) {
    FlowTable table;
    fill(table);
    CHECK(probes(table) < 3);
  }
}

TEST_CASE("key: each table has a secret of its own, and each word of it changes the hash") {
  FlowTable first, second;
  int same = 0;
  for (std::uint32_t number = 0; number < 1000; ++number)
    same += first.hash(key_of(number)) == second.hash(key_of(number));
  CHECK(same < 5);
  const HashSecret secret = make_hash_secret(), another = make_hash_secret();
  for (std::size_t word = 0; word < std::size(secret.words); ++word) {
    HashSecret other = secret;
    other.words[word] = another.words[word];
    int kept = 0;
    for (std::uint32_t number = 0; number < 64; ++number) {
      FlowKey key = key_of(number);
      key.addresses[0].high = 0x2001;
      key.tunnel = 1;
      kept += (hash_flow_key(key, secret) & 0xffff) == (hash_flow_key(key, other) & 0xffff);
    }
    CHECK(kept < 5);
  }
}

// ---- Counters.

/// A capture with one response of `bytes` bytes and a snaplen of 160.
class LongResponse {
 public:
  explicit LongResponse(std::uint64_t bytes) : left_(bytes) {
    writer_ = test::PcapWriter({.snap_length = 160});
    test::SegmentSpec spec;
    spec.sequence = 0xfffff000;
    spec.flags = kSyn;
    put(spec);
    put(reply(kSyn | kAck, 0xffff0000, 0xfffff001));
    spec.sequence += 1;
    spec.acknowledgment = 0xffff0001;
    spec.flags = kAck | kPsh;
    spec.payload = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    put(spec);
    request_end_ = spec.sequence + static_cast<std::uint32_t>(spec.payload.size());
    head_ = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
  }

  std::string_view next() {
    if (header_written_) {
      writer_bytes_.clear();
      writer_ = test::PcapWriter({.snap_length = 160});
    }
    while (!done_ && writer_.bytes().size() < 60'000) step();
    const std::size_t header = std::exchange(header_written_, true) ? 24 : 0;
    writer_bytes_.assign(writer_.bytes().begin() + static_cast<std::ptrdiff_t>(header), writer_.bytes().end());
    return writer_bytes_;
  }

 private:
  static constexpr std::size_t kMaxPayload = 65'495;

  test::SegmentSpec reply(std::uint8_t flags, std::uint32_t sequence, std::uint32_t acknowledgment) {
    test::SegmentSpec spec;
    std::swap(spec.source, spec.destination);
    std::swap(spec.source_port, spec.destination_port);
    spec.flags = flags;
    spec.sequence = sequence;
    spec.acknowledgment = acknowledgment;
    return spec;
  }
  /// Adds a packet; `more` bytes of payload follow on the wire, which the snaplen removes.
  void put(const test::SegmentSpec& spec, std::size_t more = 0) {
    test::Buffer frame = test::ethernet_frame(spec);
    const std::size_t length = frame.size() + more;
    test::Buffer ip_length;
    test::put16(ip_length, static_cast<unsigned>(length - 14));
    std::copy(ip_length.begin(), ip_length.end(), frame.begin() + 16);
    frame.resize(std::min<std::size_t>(length, 160));
    writer_.add(time_ += 10'000, frame, length);
  }
  void step() {
    if (!head_.empty()) {
      test::SegmentSpec spec = reply(kAck, sequence_, request_end_);
      spec.payload = std::exchange(head_, {});
      put(spec);
      sequence_ += static_cast<std::uint32_t>(spec.payload.size());
      return;
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, kMaxPayload));
    put(reply(kAck, sequence_, request_end_), count);
    sequence_ += static_cast<std::uint32_t>(count);
    left_ -= count;
    test::SegmentSpec spec;
    spec.sequence = request_end_;
    spec.acknowledgment = sequence_;
    put(spec);
    done_ = left_ == 0;
  }

  test::PcapWriter writer_;
  std::string writer_bytes_;
  std::string head_;
  std::uint64_t left_;
  std::uint32_t sequence_ = 0xffff0001, request_end_ = 0;
  Nanos time_ = 1'700'000'000 * kNanosPerSecond;
  bool header_written_ = false, done_ = false;
};

TEST_CASE("counters: the bytes of a response over 4 GiB are exact, although sequence numbers wrap" * doctest::test_suite("slow")) {
  constexpr std::uint64_t kBytes = 9'000'000'001;
  test::Records records;
  Engine engine({}, records);
  LongResponse capture(kBytes);
  REQUIRE(!run_capture(engine, [&] { return capture.next(); }));
  REQUIRE(records.exchanges.size() == 1);
  const Record& exchange = records.exchanges[0];
  CHECK(exchange.outcome == "complete");
  CHECK(exchange.response_body_bytes == kBytes);
  CHECK(exchange.response_bytes == kBytes + std::string("HTTP/1.1 200 OK\r\nContent-Length: 9000000001\r\n\r\n").size());
  CHECK(exchange.missing_bytes > kBytes / 100 * 99);
  CHECK(exchange.missing_bytes < kBytes);
}

TEST_CASE("counters: all connections are reported that are open at the end of the capture, beside closed ones") {
  // Open connections have the lowest numbers, then come closed ones, then open ones.
  const auto all = [](bool closed) {
    test::PcapWriter writer;
    const auto put = [&](std::uint32_t number, std::uint8_t flags) {
      test::SegmentSpec spec;
      spec.source = "10.1." + std::to_string(number >> 8) + "." + std::to_string(number & 0xff);
      spec.flags = flags;
      if ((flags & kRst) != 0)
        std::swap(spec.source, spec.destination), std::swap(spec.source_port, spec.destination_port);
      writer.add(kNanosPerSecond, test::ethernet_frame(spec));
    };
    for (std::uint32_t number = 0; number < 3 * 4000; ++number) {
      put(number, kSyn);
      if (closed && number / 4000 == 1) put(number, kRst | kAck);
    }
    return std::string(writer.bytes().begin(), writer.bytes().end());
  };
  for (const bool closed : {true, false}) {
    const std::string capture = all(closed);
    RecordCounts counts;
    EngineOptions options;
    options.wanted.connections = true;
    Engine engine(options, counts);
    REQUIRE(!run_capture(engine, piece_of(capture)));
    CHECK(counts.endings["refused"] == (closed ? 4000 : 0));
    CHECK(counts.endings["unanswered"] == (closed ? 8000 : 12'000));
  }
}

TEST_CASE("counters: the numbers of packets, connections and exchanges exceed 2^32") {
  static_assert(sizeof(Connection::number) == 8 && sizeof(Connection::exchanges) == 8);
  static_assert(sizeof(Connection::packets[0]) == 8 && sizeof(TcpCounts::packets) == 8);
  static_assert(sizeof(PacketRecord::number) == 8 && sizeof(Segment::packet) == 8 && sizeof(DecodeCounts::records) == 8);
  static_assert(sizeof(Exchange::number) == 8 && sizeof(Summary::connections) == 8);
  constexpr std::uint64_t kNear = 0xffff'ffff;
  struct Numbers : IdleConsumer {
    void on_gone(Connection& connection) { all.emplace_back(connection.number, connection.first_packet); }
    std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
  } numbers;
  Tracker<Numbers> tracker(numbers, kNear - 1);
  for (std::uint16_t i = 0; i < 3; ++i) {
    test::SegmentSpec spec;
    spec.source_port = static_cast<std::uint16_t>(5000 + i);
    spec.flags = kSyn;
    const test::Buffer frame = test::ethernet_frame(spec);
    Segment segment;
    REQUIRE(decode(test::make_record(frame, 0, kNear + i), segment) == DecodeError::none);
    tracker.process(segment);
  }
  tracker.finish(0);
  CHECK(tracker.connections() == kNear + 2);
  CHECK(numbers.all == decltype(numbers.all){{kNear, kNear}, {kNear + 1, kNear + 1}, {kNear + 2, kNear + 2}});
}

}  // namespace
}  // namespace wirelap
