// The parts of timing/: the history of an offset, the fast path compared with the slow path, and how causes are made to
// sum to the total. Attribution of single packets is in tests/timelines, of real captures in `make check-causes`.
#include "timing/timing.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "record/times.h"

namespace wirelap {
namespace {

constexpr Nanos kMs = 1'000'000;

TEST_CASE("timing: a log of offsets has the time at which each was reached") {
  OffsetLog log(true);
  CHECK(log.time_of(0) == kUnknownTime);
  log.record(100, 10 * kMs, kMs);
  log.record(200, 10 * kMs + 1, kMs);  // within the grain: the same point, with the earlier time
  log.record(150, 30 * kMs, kMs);      // no growth: ignored
  log.record(300, 20 * kMs, kMs);
  CHECK(log.time_of(1) == 10 * kMs);
  CHECK(log.time_of(200) == 10 * kMs);
  CHECK(log.time_of(201) == 20 * kMs);
  CHECK(log.time_of(301) == kUnknownTime);
  CHECK(log.latest() == 300);
  for (int i = 0; i < 20; ++i) log.record(400 + static_cast<std::uint64_t>(i), (30 + i) * kMs, 0);
  CHECK(log.time_of(1) == OffsetLog::kLongAgo);
  CHECK(log.time_of(419) == 49 * kMs);
  OffsetLog open(false);  // its first point may have been reached before
  open.record(100, 10 * kMs, 0);
  open.record(200, 11 * kMs, 0);
  CHECK(open.time_of(50) == OffsetLog::kLongAgo);
  CHECK(open.time_of(150) == 11 * kMs);
}

TEST_CASE("timing: a log of offsets returns the same as a list of all its points") {
  struct Model {
    std::vector<OffsetLog::Point> points;
    bool forgetful;
  };
  std::mt19937_64 random(3);
  for (const bool from_start : {true, false}) {
    OffsetLog log(from_start);
    Model model{{}, !from_start};
    std::uint64_t offset = 0;
    Nanos time = 0;
    for (int step = 0; step < 400; ++step) {
      offset += random() % 50;
      time += static_cast<Nanos>(random() % 30);
      const Nanos grain = static_cast<Nanos>(random() % 20);
      const std::uint64_t reached = offset - std::min<std::uint64_t>(offset, random() % 40);
      log.record(reached, time, grain, step);
      auto& points = model.points;
      if (points.empty() || reached >= points.back().end) {
        if (!points.empty() && time - points.back().time < grain)
          points.back().end = reached + 1;
        else
          points.push_back({reached + 1, time, step});
      }
      if (points.size() > 12) {
        points.erase(points.begin());
        model.forgetful = true;
      }
      for (int question = 0; question < 20; ++question) {
        const std::uint64_t asked = random() % (offset + 30);
        const auto found = std::find_if(points.begin(), points.end(), [&](auto& at) { return asked < at.end; });
        const bool known = found != points.end();
        REQUIRE(log.has_reached(asked) == known);
        const Nanos expected = found == points.begin() && model.forgetful ? OffsetLog::kLongAgo
                               : known                                    ? found->time
                                                                          : 0;
        REQUIRE(log.time_of(asked) == (known ? expected : kUnknownTime));
        if (known) REQUIRE(log.find(asked)->network == found->network);
      }
    }
  }
}

/// A Timing whose segments and acknowledgments take the fast path where they can, or never.
class OneTiming {
 public:
  explicit OneTiming(bool may_be_fast) : may_be_fast_(may_be_fast) {}

  void acknowledge(Side side, const PlacedAcknowledgment& now) {
    if (may_be_fast_ && !now.zero_window && timing.process_next_acknowledgment(side, now.offset, now.edge, now.time)) {
      fast_acknowledgments += 1;
      return;
    }
    timing.process_acknowledgment(side, now, counts);
  }
  void send(Side sender, std::uint64_t begin, std::uint64_t next, const PacketIdentity& identity, bool pushed) {
    timing.process_packet(sender, identity);
    if (may_be_fast_ && begin == next && timing.process_next(sender, Side::low, next, identity, pushed)) {
      fast_segments += 1;
      return;
    }
    timing.process_payload({.sender = sender,
                            .begin = static_cast<std::int64_t>(begin),
                            .next = next,
                            .pushed = pushed,
                            .packet = identity},
                           Side::low, counts);
  }

  Timing timing;
  TcpCounts counts;
  int fast_segments = 0, fast_acknowledgments = 0;

 private:
  bool may_be_fast_;
};

TEST_CASE("timing: the fast path attributes the same causes as the slow path") {
  std::mt19937_64 random(7);
  const auto chance = [&](int percent) { return static_cast<int>(random() % 100) < percent; };
  int fast_segments = 0, segments = 0, fast_acknowledgments = 0, acknowledgments = 0;
  for (int run = 0; run < 300; ++run) {
    OneTiming fast(true), slow(false);
    OneTiming* const both[] = {&fast, &slow};
    const std::uint32_t full = run % 5 == 0 ? 0 : 1000;
    const Nanos paths[2] = {static_cast<Nanos>(random() % (20 * kMs)), static_cast<Nanos>(random() % (20 * kMs))};
    for (OneTiming* const one : both) {
      if (full != 0) one->timing.record_round_trip(Side::low, paths[0]);
      if (full != 0) one->timing.record_round_trip(Side::high, paths[1]);
      one->timing.set_full_lengths(full);
    }
    std::uint64_t next[2] = {0, 0}, acknowledged[2] = {0, 0};
    std::uint16_t ids[2] = {5, 5};
    Nanos time = 1000 * kMs;
    for (int step = 0; step < 400; ++step) {
      time += static_cast<Nanos>(random() % (chance(80) ? kMs / 5 : chance(80) ? 3 * kMs : 60 * kMs));
      const Side sender = chance(85) ? Side::high : Side::low;
      const int at = index(sender);
      if (chance(25)) {  // the other end acknowledges, with a window that may be small or zero
        acknowledged[at] += random() % (next[at] - acknowledged[at] + 1);
        const std::uint64_t window = chance(5) ? 0 : random() % (run % 3 == 0 ? 6000 : 60'000);
        const PlacedAcknowledgment now{acknowledged[at], acknowledged[at] + window, window == 0, chance(3), time};
        for (OneTiming* const one : both) one->acknowledge(other(sender), now);
        acknowledgments += 1;
      } else {
        const bool again = next[at] >= 1000 && chance(3);
        const std::uint32_t length = chance(85)   ? 1000
                                     : chance(30) ? 2000
                                                  : 1 + static_cast<std::uint32_t>(random() % 1000);
        const std::uint64_t begin = again ? next[at] - 1000 : next[at];
        ids[at] = static_cast<std::uint16_t>(ids[at] + (chance(97) ? 1 : 3));
        const PacketIdentity identity{.id = ids[at],
                                      .tsval = static_cast<std::uint32_t>(time / kMs),
                                      .sequence = static_cast<std::uint32_t>(begin),
                                      .length = length,
                                      .flags = kAck,
                                      .has_id = true,
                                      .time = time};
        const bool pushed = chance(20);
        for (OneTiming* const one : both) one->send(sender, begin, next[at], identity, pushed);
        next[at] = std::max(next[at], begin + length);
        segments += 1;
      }
      if (chance(2)) {
        const Side awaited = chance(50) ? Side::low : Side::high;
        for (OneTiming* const one : both) one->timing.expect(awaited);
      }
      for (int cause = 0; cause < kCauseCount; ++cause) {
        REQUIRE(fast.timing.causes().by[cause] == slow.timing.causes().by[cause]);
        REQUIRE(fast.timing.causes_until(time + 9 * kMs, Side::low).by[cause] ==
                slow.timing.causes_until(time + 9 * kMs, Side::low).by[cause]);
      }
      for (const Side side : {Side::low, Side::high}) REQUIRE(fast.timing.round_trip_to(side) == slow.timing.round_trip_to(side));
    }
    REQUIRE(fast.counts.retransmitted == slow.counts.retransmitted);
    REQUIRE(fast.counts.lost == slow.counts.lost);
    REQUIRE(fast.counts.spurious == slow.counts.spurious);
    fast_segments += fast.fast_segments;
    fast_acknowledgments += fast.fast_acknowledgments;
  }
  CHECK(fast_segments > segments / 5);  // both paths were taken
  CHECK(fast_segments < segments * 4 / 5);
  CHECK(fast_acknowledgments > acknowledgments / 5);
  CHECK(fast_acknowledgments < acknowledgments * 4 / 5);
}

TEST_CASE("timing: causes sum to the total, none negative, whatever the ledger has") {
  Exchange exchange;
  exchange.number = 2;
  exchange.attributed = true;
  Phases phases;
  phases.total = 100;
  const auto causes = [&](std::initializer_list<Nanos> by) {
    std::copy(by.begin(), by.end(), exchange.causes.by);
    const CauseTimes times = measure_causes(exchange, {}, phases);
    for (const Nanos part : times.by) CHECK(part >= 0);
    CHECK(times.total() == 100);
    return times;
  };
  CHECK(causes({60, 0, 40, 0, 0, 0}).by[kServer] == 40);
  CHECK(causes({0, 0, 40, 0, 0, 0}).by[kNetwork] == 60);  // the rest is network
  CHECK(causes({30, 0, 90, 0, 0, 0}).by[kServer] == 90);  // more than the total: network is reduced first
  CHECK(causes({0, 0, 900, 50, 0, 0}).by[kServer] == 50);
  CHECK(causes({-20, 70, 50, 0, 0, 0}).by[kLoss] == 50);      // network that was attributed to loss later
  CHECK(causes({0, 0, -400, 500, 0, 0}).by[kClient] == 100);  // server that was attributed to client later
  CHECK(causes({-5, 0, 0, 0, 0, 0}).by[kNetwork] == 100);
}

}  // namespace
}  // namespace wirelap
