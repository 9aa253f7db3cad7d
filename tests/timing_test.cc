// What the judge of time leans on, apart from the scenarios of fixtures/causes
// (`make lab-score`): its history, packet identity, and how causes are made to add up.
#include <doctest/doctest.h>

#include "flow/timing.h"
#include "report/row.h"

namespace wirelap {
namespace {

constexpr Nanos kMs = 1'000'000;

TEST_CASE("a log of offsets: when was this one reached?") {
  OffsetLog log(true);
  CHECK(log.reached(0) == kUnknownTime);
  log.reach(100, 10 * kMs, kMs);
  log.reach(200, 10 * kMs + 1, kMs);  // within the grain: one point, at the earlier time
  log.reach(150, 30 * kMs, kMs);      // no growth
  log.reach(300, 20 * kMs, kMs);
  CHECK(log.reached(1) == 10 * kMs);
  CHECK(log.reached(200) == 10 * kMs);
  CHECK(log.reached(201) == 20 * kMs);
  CHECK(log.reached(301) == kUnknownTime);
  CHECK(log.now() == 300);
  for (int i = 0; i < 20; ++i) log.reach(400 + static_cast<std::uint64_t>(i), (30 + i) * kMs, 0);
  CHECK(log.reached(1) == OffsetLog::kLongAgo);
  CHECK(log.reached(419) == 49 * kMs);
  OffsetLog open(false);  // its first point may have been reached before
  open.reach(100, 10 * kMs, 0);
  open.reach(200, 11 * kMs, 0);
  CHECK(open.reached(50) == OffsetLog::kLongAgo);
  CHECK(open.reached(150) == 11 * kMs);
}

TEST_CASE("a copy of a packet, and what only looks like one") {
  const PacketMark first{
      .id = 7, .timestamp = 1, .sequence = 10, .acknowledgment = 5, .length = 100, .flags = kAck, .has_id = true, .time = kMs};
  PacketMark second = first;
  second.time += 40 * kMs;
  CHECK(is_copy(second, first));
  second.id = 8;  // sent again
  CHECK_FALSE(is_copy(second, first));
  PacketMark v6 = first;
  v6.has_id = false;
  v6.id = 0;
  PacketMark v6_again = v6;
  v6_again.time += kMs / 10;
  CHECK(is_copy(v6_again, v6));
  v6_again.time += 40 * kMs;
  CHECK_FALSE(is_copy(v6_again, v6));
  v6.length = v6_again.length = 0;  // duplicate acknowledgments are no copies
  v6_again.time = v6.time;
  CHECK_FALSE(is_copy(v6_again, v6));
  CHECK_FALSE(is_copy(first, PacketMark{}));
}

TEST_CASE("a late copy is told from a retransmission by its IP ID") {
  const auto take = [](Timing& timing, std::uint16_t id, std::int64_t begin, std::uint64_t next, TcpCounts& counts) {
    const PacketMark mark{.id = id, .sequence = static_cast<std::uint32_t>(begin), .length = 100, .flags = kAck,
                          .has_id = true, .time = id * kMs};
    timing.note_packet(Side::low, mark);
    return timing.take_data({.sender = Side::low, .begin = begin, .next = next, .mark = mark}, Side::high, counts);
  };
  Timing timing;
  TcpCounts counts;
  for (std::uint16_t i = 0; i < 6; ++i) take(timing, static_cast<std::uint16_t>(10 + i), i * 100, i * 100u, counts);
  CHECK_FALSE(take(timing, 12, 200, 600, counts));  // the third once more
  CHECK(counts.duplicate == 1);
  CHECK(counts.retransmitted == 0);
  CHECK(take(timing, 16, 200, 600, counts));  // its bytes, in a packet of its own
  CHECK(counts.duplicate == 1);
  CHECK(counts.retransmitted == 1);
  CHECK(counts.lost == 1);
}

TEST_CASE("causes add up to the total whatever the ledger says") {
  http::Exchange exchange;
  exchange.number = 2;
  exchange.judged = true;
  Phases phases;
  phases.total = 100;
  const auto causes = [&](std::initializer_list<Nanos> by) {
    std::copy(by.begin(), by.end(), exchange.spent.by);
    const Spent spent = measure_causes(exchange, {}, phases);
    for (const Nanos part : spent.by) CHECK(part >= 0);
    CHECK(spent.total() == 100);
    return spent;
  };
  CHECK(causes({60, 0, 40, 0, 0, 0}).by[kServer] == 40);
  CHECK(causes({0, 0, 40, 0, 0, 0}).by[kNetwork] == 60);       // what is left is the network's
  CHECK(causes({30, 0, 90, 0, 0, 0}).by[kServer] == 90);       // too much: the network's goes first
  CHECK(causes({0, 0, 900, 50, 0, 0}).by[kServer] == 50);
  CHECK(causes({-20, 70, 50, 0, 0, 0}).by[kLoss] == 50);       // network that turned out to be loss
  CHECK(causes({0, 0, -400, 500, 0, 0}).by[kClient] == 100);   // judged anew as another
  CHECK(causes({-5, 0, 0, 0, 0, 0}).by[kNetwork] == 100);
}

}  // namespace
}  // namespace wirelap
