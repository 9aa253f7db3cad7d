// What the judge of time leans on, apart from the scenarios of fixtures/causes
// (`make check-causes`): its history, packet identity, and how causes are made to add up.
#include "timing/timing.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "record/times.h"

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

TEST_CASE("a log of offsets remembers what a list of all its points would") {
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
      log.reach(reached, time, grain, step);
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
        REQUIRE(log.has(asked) == known);
        const Nanos expected = found == points.begin() && model.forgetful ? OffsetLog::kLongAgo
                               : known                                    ? found->time
                                                                          : 0;
        REQUIRE(log.reached(asked) == (known ? expected : kUnknownTime));
        if (known) REQUIRE(log.find(asked)->network == found->network);
      }
    }
  }
}

/// One connection's segments, told to a Timing by the straight path where that
/// takes them, or never by it.
class Told {
 public:
  explicit Told(bool straight) : straight_(straight) {}

  void acknowledge(Side side, const Acknowledged& now) {
    if (straight_ && !now.zero_window && timing.process_next_acknowledgment(side, now.offset, now.edge, now.time)) {
      straight_acknowledgments += 1;
      return;
    }
    timing.process_acknowledgment(side, now, counts);
  }
  void send(Side sender, std::uint64_t begin, std::uint64_t next, const PacketIdentity& mark, bool pushed) {
    timing.process_packet(sender, mark);
    if (straight_ && begin == next && timing.process_next(sender, Side::low, next, mark, pushed)) {
      straights += 1;
      return;
    }
    timing.process_payload(
        {.sender = sender, .begin = static_cast<std::int64_t>(begin), .next = next, .pushed = pushed, .packet = mark},
        Side::low, counts);
  }

  Timing timing;
  TcpCounts counts;
  int straights = 0, straight_acknowledgments = 0;

 private:
  bool straight_;
};

TEST_CASE("the straight path judges as the general one does") {
  std::mt19937_64 random(7);
  const auto chance = [&](int percent) { return static_cast<int>(random() % 100) < percent; };
  int straights = 0, segments = 0, straight_acknowledgments = 0, acknowledgments = 0;
  for (int run = 0; run < 300; ++run) {
    Told straight(true), general(false);
    Told* const both[] = {&straight, &general};
    const std::uint32_t full = run % 5 == 0 ? 0 : 1000;
    const Nanos paths[2] = {static_cast<Nanos>(random() % (20 * kMs)), static_cast<Nanos>(random() % (20 * kMs))};
    for (Told* const told : both) {
      if (full != 0) told->timing.record_round_trip(Side::low, paths[0]);
      if (full != 0) told->timing.record_round_trip(Side::high, paths[1]);
      told->timing.set_full_lengths(full);
    }
    std::uint64_t next[2] = {0, 0}, acknowledged[2] = {0, 0};
    std::uint16_t ids[2] = {5, 5};
    Nanos time = 1000 * kMs;
    for (int step = 0; step < 400; ++step) {
      time += static_cast<Nanos>(random() % (chance(80) ? kMs / 5 : chance(80) ? 3 * kMs : 60 * kMs));
      const Side sender = chance(85) ? Side::high : Side::low;
      const int at = index(sender);
      if (chance(25)) {  // the other end acknowledges, with a window that may be small, or none
        acknowledged[at] += random() % (next[at] - acknowledged[at] + 1);
        const std::uint64_t window = chance(5) ? 0 : random() % (run % 3 == 0 ? 6000 : 60'000);
        const Acknowledged now{acknowledged[at], acknowledged[at] + window, window == 0, chance(3), time};
        for (Told* const told : both) told->acknowledge(other(sender), now);
        acknowledgments += 1;
      } else {
        const bool again = next[at] >= 1000 && chance(3);
        const std::uint32_t length = chance(85)   ? 1000
                                     : chance(30) ? 2000
                                                  : 1 + static_cast<std::uint32_t>(random() % 1000);
        const std::uint64_t begin = again ? next[at] - 1000 : next[at];
        ids[at] = static_cast<std::uint16_t>(ids[at] + (chance(97) ? 1 : 3));
        const PacketIdentity mark{.id = ids[at],
                              .timestamp = static_cast<std::uint32_t>(time / kMs),
                              .sequence = static_cast<std::uint32_t>(begin),
                              .length = length,
                              .flags = kAck,
                              .has_id = true,
                              .time = time};
        const bool pushed = chance(20);
        for (Told* const told : both) told->send(sender, begin, next[at], mark, pushed);
        next[at] = std::max(next[at], begin + length);
        segments += 1;
      }
      if (chance(2)) {
        const Side awaited = chance(50) ? Side::low : Side::high;
        for (Told* const told : both) told->timing.wait_for(awaited);
      }
      for (int cause = 0; cause < kCauseCount; ++cause) {
        REQUIRE(straight.timing.causes().by[cause] == general.timing.causes().by[cause]);
        REQUIRE(straight.timing.causes_until(time + 9 * kMs, Side::low).by[cause] ==
                general.timing.causes_until(time + 9 * kMs, Side::low).by[cause]);
      }
      for (const Side side : {Side::low, Side::high})
        REQUIRE(straight.timing.path_to(side) == general.timing.path_to(side));
    }
    REQUIRE(straight.counts.retransmitted == general.counts.retransmitted);
    REQUIRE(straight.counts.lost == general.counts.lost);
    REQUIRE(straight.counts.spurious == general.counts.spurious);
    straights += straight.straights;
    straight_acknowledgments += straight.straight_acknowledgments;
  }
  CHECK(straights > segments / 5);  // both paths were tried
  CHECK(straights < segments * 4 / 5);
  CHECK(straight_acknowledgments > acknowledgments / 5);
  CHECK(straight_acknowledgments < acknowledgments * 4 / 5);
}

TEST_CASE("a copy of a packet, and what only looks like one") {
  const PacketIdentity first{.id = 7,
                         .timestamp = 1,
                         .sequence = 10,
                         .acknowledgment = 5,
                         .length = 100,
                         .flags = kAck,
                         .has_id = true,
                         .time = kMs};
  PacketIdentity second = first;
  second.time += 40 * kMs;
  CHECK(is_duplicate(second, first));
  second.time += 160 * kMs;  // after a timeout, by a sender who counts no IDs
  CHECK_FALSE(is_duplicate(second, first));
  second.time -= 160 * kMs;
  second.id = 8;  // sent again
  CHECK_FALSE(is_duplicate(second, first));
  PacketIdentity v6 = first;
  v6.has_id = false;
  v6.id = 0;
  PacketIdentity v6_again = v6;
  v6_again.time += kMs / 10;
  CHECK(is_duplicate(v6_again, v6));
  v6_again.time += 40 * kMs;
  CHECK_FALSE(is_duplicate(v6_again, v6));
  v6.length = v6_again.length = 0;  // duplicate acknowledgments are no copies
  v6_again.time = v6.time;
  CHECK_FALSE(is_duplicate(v6_again, v6));
  CHECK_FALSE(is_duplicate(first, PacketIdentity{}));
}

TEST_CASE("a late copy is told from a retransmission by its IP ID") {
  const auto take = [](Timing& timing, std::uint16_t id, std::int64_t begin, std::uint64_t next, TcpCounts& counts) {
    const PacketIdentity mark{.id = id,
                          .sequence = static_cast<std::uint32_t>(begin),
                          .length = 100,
                          .flags = kAck,
                          .has_id = true,
                          .time = id * kMs};
    timing.process_packet(Side::low, mark);
    return timing.process_payload({.sender = Side::low, .begin = begin, .next = next, .packet = mark}, Side::high, counts);
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

// Of segments that offload has merged the packet has the first one's IP ID (Linux: `tcp_gro_receive`,
// `ip_select_ident_segs`).
TEST_CASE("a packet that offload has merged has an IP ID for each segment in it; what is left out past these is lost") {
  struct Packet {
    std::uint16_t id;
    std::uint32_t length;
  };
  struct Case {
    const char* name;
    std::vector<Packet> packets;  // all of one sender, in order; the last 50 ms after the others
    bool lost;                    // a segment between the last two
  };
  const Case cases[] = {
      {"one each", {{10, 1000}, {11, 1000}, {12, 1000}}, false},
      {"one each, the last but one lost", {{10, 1000}, {11, 1000}, {13, 1000}}, true},
      {"three in one", {{10, 1000}, {11, 3000}, {14, 1000}}, false},
      {"three in one, the last of them not full", {{10, 1000}, {11, 2001}, {14, 1000}}, false},
      {"two in one, then many", {{10, 1000}, {11, 2000}, {13, 44000}, {57, 500}}, false},
      {"two in one, then many, and one lost", {{10, 1000}, {11, 2000}, {13, 44000}, {58, 500}}, true},
      {"shorter segments than both ends allow", {{10, 1000}, {11, 9000}, {21, 9000}, {31, 900}}, false},
      {"shorter segments, and one lost", {{10, 1000}, {11, 9000}, {21, 9000}, {32, 900}}, true},
      {"as long as is known nothing is lost", {{10, 1000}, {11, 10000}, {31, 500}}, false},
      {"no longer than half is a loss", {{10, 1000}, {11, 10000}, {33, 500}}, true},
      {"a full segment and a rest in no more than both ends allow",
       {{10, 1000}, {11, 9000}, {21, 950}, {23, 500}},
       false},
      {"full segments are longer than those before", {{10, 1000}, {11, 1900}, {13, 1000}, {14, 1000}, {16, 500}}, true},
      {"of a hundred segments in one nothing is known", {{10, 1000}, {11, 65000}, {151, 500}}, false},
      {"IDs that count packets, not segments", {{10, 1000}, {11, 9000}, {12, 9000}, {13, 500}}, false},
      {"around the circle", {{65530, 1000}, {65531, 9000}, {4, 500}}, false},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    Timing timing;
    TcpCounts counts;
    timing.set_full_lengths(1000);
    timing.begin_stream(Side::high, {}, true);
    timing.record_round_trip(Side::low, kMs);
    timing.record_round_trip(Side::high, kMs);
    std::uint64_t next = 0;
    for (std::size_t i = 0; i < test.packets.size(); ++i) {
      const auto [id, length] = test.packets[i];
      const bool last = i + 1 == test.packets.size();
      const PacketIdentity mark{
          .id = id, .length = length, .has_id = true, .time = (static_cast<Nanos>(i) + (last ? 50 : 1)) * kMs};
      timing.process_packet(Side::high, mark);
      timing.process_payload({.sender = Side::high, .begin = static_cast<std::int64_t>(next), .next = next, .packet = mark},
                       Side::low, counts);
      next += length;
    }
    CHECK((counts.lost != 0) == test.lost);
    CHECK((timing.causes().by[kLoss] != 0) == test.lost);
  }
}

TEST_CASE("what was merged before a stream is timed has its IDs, too") {
  for (const bool lost : {false, true}) {
    IpIds ids;
    ids.set_full_length(1000);
    ids.begin({.id = 10, .length = 3000, .has_id = true}, true);
    ids.process({.id = 13, .length = 1000, .has_id = true});
    CHECK(ids.jump() == 0);
    CHECK(ids.are_steady());
    ids.process({.id = static_cast<std::uint16_t>(lost ? 15 : 14), .length = 1000, .has_id = true});
    CHECK(ids.jump() == (lost ? 1 : 0));
  }
}

/// A connection whose client is `before` away and whose server `beyond`, with segments of 1,000 bytes.
struct Watched {
  explicit Watched(Nanos before, Nanos beyond) {
    timing.set_full_lengths(1000);
    timing.record_round_trip(Side::low, before);
    timing.record_round_trip(Side::high, beyond);
  }
  /// A segment at `begin`; its stream is there up to `next`, and acknowledged up to `acknowledged`.
  void send(Side sender, std::uint64_t begin, std::uint64_t next, std::uint64_t acknowledged, Nanos time) {
    const PacketIdentity mark{.length = 1000, .time = time};
    timing.process_packet(sender, mark);
    timing.process_payload({.sender = sender,
                      .begin = static_cast<std::int64_t>(begin),
                      .next = next,
                      .acknowledged = acknowledged,
                      .packet = mark},
                     Side::low, counts);
  }
  void acknowledge(Side side, std::uint64_t offset, std::uint64_t edge, Nanos time) {
    timing.process_acknowledgment(side, {.offset = offset, .edge = edge, .time = time}, counts);
  }
  Nanos spent(Cause cause) const { return timing.causes().by[cause]; }

  Timing timing;
  TcpCounts counts;
};

TEST_CASE("where no longest segment is known, no ID left out is a loss") {
  Timing timing;
  TcpCounts counts;
  timing.begin_stream(Side::high, {}, true);
  timing.record_round_trip(Side::high, kMs);
  std::uint64_t next = 0;
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{10, 11, 12, 15}) {
    const PacketIdentity mark{.id = id, .length = 4000, .has_id = true, .time = id * 10 * kMs};
    timing.process_packet(Side::high, mark);
    timing.process_payload({.sender = Side::high, .begin = static_cast<std::int64_t>(next), .next = next, .packet = mark},
                     Side::low, counts);
    next += 4000;
  }
  CHECK(counts.lost == 0);
  CHECK(timing.causes().by[kLoss] == 0);
}

TEST_CASE("a late answer to bytes in flight is no queue any more for what is sent after it") {
  Watched watched(0, 20 * kMs);
  for (const std::uint64_t begin : {0, 1000}) watched.send(Side::low, begin, begin, 0, 100 * kMs);
  // The second one gets lost, so the answer to the first is delayed: 70 ms.
  watched.acknowledge(Side::high, 1000, 100'000, 170 * kMs);
  watched.send(Side::low, 1000, 2000, 1000, 400 * kMs);
  watched.send(Side::high, 0, 0, 0, 480 * kMs);
  CHECK(watched.spent(kServer) == 60 * kMs);
  CHECK(watched.spent(kNetwork) == 20 * kMs);
}

TEST_CASE("an answer to what stood past the first hole of all is no queue for what comes after it") {
  Watched watched(0, 20 * kMs);
  // The capture lacks the first 1,000 bytes, and the server delays its answer by 300 ms.
  watched.send(Side::low, 1000, 0, 0, 100 * kMs);
  watched.acknowledge(Side::high, 1000, 100'000, 400 * kMs);
  watched.send(Side::low, 2000, 2000, 1000, 500 * kMs);
  watched.send(Side::high, 0, 0, 0, 800 * kMs);
  CHECK(watched.spent(kServer) == 280 * kMs);
  CHECK(watched.spent(kNetwork) == 20 * kMs);
}

TEST_CASE("an answer to what was sent again is none to its first sending, and tells of no queue") {
  Watched watched(0, 20 * kMs);
  for (const std::uint64_t begin : {0, 1000}) watched.send(Side::low, begin, begin, 0, 100 * kMs);
  watched.send(Side::low, 0, 2000, 0, 350 * kMs);
  watched.acknowledge(Side::high, 1000, 100'000, 400 * kMs);
  watched.send(Side::low, 1000, 2000, 1000, 400 * kMs);
  watched.send(Side::high, 0, 0, 0, 500 * kMs);
  CHECK(watched.spent(kLoss) == 300 * kMs);
  CHECK(watched.spent(kServer) == 80 * kMs);
  CHECK(watched.spent(kNetwork) == 20 * kMs);
}

TEST_CASE("what two losses waited for together is charged once, and a window that a loss filled is that loss's") {
  Watched watched(20 * kMs, 0);
  watched.acknowledge(Side::low, 0, 5000, 0);
  for (const std::uint64_t begin : {0, 1000, 2000}) watched.send(Side::high, begin, begin, 0, 100 * kMs);
  watched.acknowledge(Side::low, 1000, 5000, 120 * kMs);
  for (const std::uint64_t begin : {3000, 4000}) watched.send(Side::high, begin, begin, 1000, 120 * kMs);
  watched.send(Side::high, 1000, 5000, 1000, 140 * kMs);  // 40 ms for it
  CHECK(watched.spent(kLoss) == 40 * kMs);
  watched.acknowledge(Side::low, 3000, 8000, 160 * kMs);
  watched.send(Side::high, 5000, 5000, 3000, 160 * kMs);  // the window was full until now
  CHECK(watched.spent(kWindow) == 20 * kMs);
  watched.send(Side::high, 3000, 6000, 3000, 165 * kMs);  // sent first at 120 ms: 20 of its 45 ms are charged already
  CHECK(watched.spent(kLoss) == 65 * kMs);
  CHECK(watched.spent(kWindow) == 0);
  CHECK(watched.spent(kNetwork) == 0);
  CHECK(watched.timing.causes().total() == 65 * kMs);
}

/// A packet of a `Scene`.
struct Sent {
  Nanos time = 0;
  std::uint32_t length = 1000;
  bool pushed = false;
  std::uint16_t id = 0;
  std::uint32_t timestamp = 0;
  std::uint64_t begin = ~std::uint64_t{0};  // where not next
  std::uint64_t next = ~std::uint64_t{0};   // where not all that was sent
  bool after_gap = false;
};

/// A server that answers, seen by its client, 20 ms away, unless said. The client acknowledges all at once.
struct Scene {
  explicit Scene(Nanos before = 0, Nanos beyond = 20 * kMs) {
    timing.set_full_lengths(1000);
    timing.record_round_trip(Side::low, before);
    timing.record_round_trip(Side::high, beyond);
    for (const Side side : {Side::low, Side::high}) timing.begin_stream(side, {}, true);
  }
  Scene& send(Side sender, const Sent& sent) {
    std::uint64_t& next = next_[index(sender)];
    const PacketIdentity mark{
        .id = sent.id, .timestamp = sent.timestamp, .length = sent.length, .has_id = sent.id != 0, .time = sent.time};
    timing.process_packet(sender, mark);
    PlacedSegment placed{.sender = sender, .pushed = sent.pushed, .packet = mark};
    placed.next = sent.next != ~std::uint64_t{0} ? sent.next : next;
    placed.begin = static_cast<std::int64_t>(sent.begin != ~std::uint64_t{0} ? sent.begin : placed.next);
    placed.acknowledged = acknowledged_[index(sender)];
    placed.after_gap = placed.fills_gaps = sent.after_gap;
    timing.process_payload(placed, Side::low, counts);
    next = std::max(next, static_cast<std::uint64_t>(placed.end()));
    return *this;
  }
  Scene& ask(Nanos time) { return send(Side::low, {.time = time, .length = 100, .pushed = true}); }
  Scene& answer(const Sent& sent) { return send(Side::high, sent); }
  Scene& acknowledge(Side side, Nanos time) {
    std::uint64_t& acknowledged = acknowledged_[index(other(side))];
    acknowledged = next_[index(other(side))];
    timing.process_acknowledgment(side, {.offset = acknowledged, .edge = 1'000'000, .time = time}, counts);
    return *this;
  }
  Nanos spent(Cause cause) const { return timing.causes().by[cause]; }

  Timing timing;
  TcpCounts counts;
  std::uint64_t next_[2] = {0, 0}, acknowledged_[2] = {0, 0};
};

TEST_CASE("an acknowledgment of no data tells no round trip") {
  Scene scene(20 * kMs, 0);
  scene.timing.process_acknowledgment(Side::low, {.offset = 0, .edge = 9000, .time = 90 * kMs}, scene.counts);
  scene.answer({.time = 100 * kMs});
  // Of the SYN-ACK's copy, say, which was on its way.
  scene.timing.process_acknowledgment(Side::low, {.offset = 0, .edge = 9000, .time = 105 * kMs}, scene.counts);
  CHECK(scene.timing.path_to(Side::low) == 20 * kMs);
  scene.acknowledge(Side::low, 119 * kMs);
  CHECK(scene.timing.path_to(Side::low) == 19 * kMs);
}

// Linux gives a SYN-ACK the ID 0, and counts from its first segment on.
TEST_CASE("the first ID left out after a SYN-ACK counts") {
  for (const bool own : {true, false}) {
    IpIds ids;
    ids.set_full_length(1000);
    ids.begin({.id = 0, .flags = kSyn | kAck, .has_id = true}, own);
    ids.process({.id = 50000, .has_id = true});
    CHECK(ids.jump() == 0);
    ids.process({.id = 50002, .length = 1000, .has_id = true});
    CHECK(ids.jump() == (own ? 1 : 0));
  }
}

TEST_CASE("an ID left out before an answer is an acknowledgment's, where a timeout cannot be over yet") {
  for (const Nanos waited : {60 * kMs, 260 * kMs}) {
    INFO((waited / kMs));
    Scene scene;
    scene.ask(0).answer({.time = 20 * kMs, .pushed = true, .id = 10}).acknowledge(Side::low, 20 * kMs);
    scene.ask(100 * kMs).answer({.time = 120 * kMs, .pushed = true, .id = 11}).acknowledge(Side::low, 120 * kMs);
    const Nanos before = scene.spent(kServer);
    scene.ask(200 * kMs).answer({.time = 200 * kMs + waited, .pushed = true, .id = 13});
    CHECK(scene.spent(kLoss) == (waited > 200 * kMs ? 240 * kMs : 0));
    CHECK(scene.spent(kServer) - before == (waited > 200 * kMs ? 0 : 40 * kMs));
    CHECK(scene.counts.lost == (waited > 200 * kMs ? 1 : 0));
  }
}

TEST_CASE("the server's time before a lost segment that others followed is its own") {
  struct Case {
    const char* name;
    std::uint16_t id;  // of the one that shows the hole
    Nanos server;
    Nanos loss;
  };
  for (const auto& [name, id, server, loss] : {
           Case{"the lost one's ID is left out", 13, 80 * kMs, 20 * kMs},
           Case{"one more is: what came is a probe, sent again itself", 14, 0, 120 * kMs},
       }) {
    INFO(name);
    Scene scene;
    scene.ask(0).answer({.time = 20 * kMs, .pushed = true, .id = 10}).acknowledge(Side::low, 20 * kMs);
    scene.ask(100 * kMs).answer({.time = 120 * kMs, .pushed = true, .id = 11}).acknowledge(Side::low, 120 * kMs);
    const Nanos before = scene.spent(kServer);
    scene.ask(200 * kMs).answer({.time = 300 * kMs, .id = id, .begin = 3000, .next = 2000});
    scene.answer(
        {.time = 320 * kMs, .id = static_cast<std::uint16_t>(id + 1), .begin = 2000, .next = 2000, .after_gap = true});
    CHECK(scene.spent(kServer) - before == server);
    CHECK(scene.spent(kLoss) == loss);
  }
}

TEST_CASE("a pause before a lost segment is attributed by what was known before it") {
  // The client's clock tells that it paused, however near to each other what it sent after that is.
  Scene scene(0, 0);
  scene.send(Side::low, {.time = 100 * kMs, .length = 400, .pushed = true, .id = 10, .timestamp = 1100});
  scene.acknowledge(Side::high, 100 * kMs);
  scene.send(Side::low, {.time = 600 * kMs, .id = 12, .timestamp = 1600, .begin = 1400, .next = 400});
  scene.send(Side::low, {.time = 607 * kMs, .id = 13, .timestamp = 1607, .begin = 400, .next = 400, .after_gap = true});
  CHECK(scene.spent(kClient) == 500 * kMs);
  CHECK(scene.spent(kLoss) == 7 * kMs);
}

TEST_CASE("segments are as long as their sender makes them where it has more to send") {
  // Half of the receiver's largest window, say: 500 of 1,000 bytes.
  for (const bool paused : {false, true}) {
    Scene scene;
    scene.ask(0);
    for (const Nanos at : {20, 26, 32})
      scene.answer({.time = at * kMs, .length = 500}).acknowledge(Side::low, at * kMs);
    scene.answer({.time = 38 * kMs, .length = paused ? 200U : 500U, .pushed = true}).acknowledge(Side::low, 38 * kMs);
    scene.answer({.time = 48 * kMs, .length = 500});
    CHECK(scene.spent(kServer) == (paused ? 10 * kMs : 0));
  }
}

TEST_CASE("segments merged by offload are as long as their IP IDs say") {
  for (const bool paused : {false, true}) {
    Scene scene;
    scene.ask(0);
    scene.answer({.time = 20 * kMs, .length = 900, .id = 10}).acknowledge(Side::low, 20 * kMs);
    scene.answer({.time = 40 * kMs, .length = 2700, .pushed = true, .id = 11}).acknowledge(Side::low, 40 * kMs);
    const std::uint32_t last = paused ? 2500 : 2700;
    scene.answer({.time = 60 * kMs, .length = last, .pushed = true, .id = 14}).acknowledge(Side::low, 60 * kMs);
    const Nanos before = scene.spent(kServer);
    scene.answer({.time = 85 * kMs, .length = 900, .id = 17});
    CHECK(scene.spent(kServer) - before == (paused ? 25 * kMs : 5 * kMs));
  }
}

TEST_CASE("full segments that come evenly fill a thin pipe, whatever their flags") {
  for (const Nanos last : {13 * kMs, 40 * kMs}) {
    Scene scene(0, 2 * kMs);
    scene.ask(0);
    Nanos time = 2 * kMs;
    for (int i = 0; i < 6; ++i, time += 13 * kMs) {
      scene.answer({.time = time, .pushed = i % 2 == 1}).acknowledge(Side::low, time);
    }
    CHECK(scene.spent(kServer) <= 11 * kMs);  // the first two tell nothing yet
    const Nanos before = scene.spent(kServer);
    scene.answer({.time = time - 13 * kMs + last});
    CHECK(scene.spent(kServer) - before == (last > 13 * kMs ? 38 * kMs : 0));
  }
}

TEST_CASE("a short segment that ends a full congestion window is no pause where its acknowledgment sends the next") {
  struct Case {
    const char* name;
    int segments;  // before the short one
    Nanos next;    // after it
    bool server;
  };
  for (const auto& [name, segments, next, server] : {
           Case{"a window, and a round trip", 9, 20 * kMs, false},
           Case{"a window, and a pause of more", 9, 22 * kMs, true},
           Case{"not much, and a pause as long as a round trip", 2, 20 * kMs, true},
       }) {
    INFO(name);
    Scene scene;
    scene.ask(0);
    for (int i = 0; i < segments; ++i) scene.answer({.time = 20 * kMs});
    scene.answer({.time = 20 * kMs, .length = 300, .pushed = true}).acknowledge(Side::low, 20 * kMs);
    scene.answer({.time = 20 * kMs + next});
    CHECK(scene.spent(kServer) == (server ? next : 0));
  }
}

TEST_CASE("who sends again what was acknowledged did not pause: the acknowledgment was lost") {
  for (const bool paused : {false, true}) {
    Scene scene(20 * kMs, 0);  // at the server, the client uploads
    scene.send(Side::low, {.time = 100 * kMs}).send(Side::low, {.time = 100 * kMs}).acknowledge(Side::high, 100 * kMs);
    scene.send(Side::low, {.time = 330 * kMs, .begin = 0});
    scene.send(Side::low, {.time = (paused ? 600 : 350) * kMs});
    CHECK(scene.spent(kClient) == (paused ? 250 * kMs : 0));
    CHECK(scene.spent(kLoss) == 0);
  }
}

TEST_CASE("what an application pauses while a loss is repaired is the loss's") {
  for (const bool needed : {true, false}) {
    Scene scene(20 * kMs, 0);  // at the server
    scene.ask(100 * kMs);
    for (const Nanos at : {100, 110, 120, 130}) scene.answer({.time = at * kMs, .length = 300, .pushed = true});
    CHECK(scene.spent(kServer) == 30 * kMs);
    scene.answer({.time = 135 * kMs, .length = 300, .pushed = true, .begin = 300});  // sent first at 110 ms
    CHECK(scene.spent(kServer) == 10 * kMs);
    CHECK(scene.spent(kLoss) == 25 * kMs);
    if (needed) continue;
    scene.timing.process_acknowledgment(
        Side::low, {.offset = 1200, .edge = 9000, .duplicate_sack = true, .time = 140 * kMs}, scene.counts);
    CHECK(scene.spent(kServer) == 30 * kMs);
    CHECK(scene.spent(kLoss) == 0);
  }
}

TEST_CASE("what waited behind a hole tells of no queue when it is answered") {
  Scene scene(20 * kMs, 0);  // at the server, the client uploads
  scene.send(Side::low, {.time = 100 * kMs}).acknowledge(Side::high, 100 * kMs);
  scene.send(Side::low, {.time = 100 * kMs, .begin = 2000, .next = 1000});
  scene.send(Side::low, {.time = 120 * kMs, .begin = 4000, .next = 1000, .after_gap = true});
  scene.send(Side::low, {.time = 140 * kMs, .begin = 1000, .next = 1000, .after_gap = true});
  scene.timing.process_acknowledgment(Side::high, {.offset = 3000, .edge = 90'000, .time = 140 * kMs}, scene.counts);
  scene.send(Side::low, {.time = 150 * kMs, .begin = 3000, .next = 3000, .after_gap = true});
  scene.acknowledge(Side::high, 150 * kMs).answer({.time = 190 * kMs});
  CHECK(scene.spent(kServer) == 40 * kMs);
}

TEST_CASE("a window that opened is known to have only when its sender asks no more") {
  // The update of 200 ms gets lost, and the server asks at 400 and 800 ms.
  for (const bool asked : {true, false}) {
    Scene scene;
    scene.ask(0).answer({.time = 20 * kMs}).acknowledged_[index(Side::high)] = 1000;
    scene.timing.process_acknowledgment(Side::low, {.offset = 1000, .edge = 1000, .zero_window = true, .time = 20 * kMs},
                                     scene.counts);
    scene.timing.process_acknowledgment(Side::low, {.offset = 1000, .edge = 9000, .time = 200 * kMs}, scene.counts);
    if (asked) {
      scene.timing.record_probe(Side::high, 400 * kMs);
      scene.send(Side::high, {.time = 800 * kMs, .length = 1, .begin = 999});  // as a byte, as some do
    }
    scene.acknowledge(Side::low, 800 * kMs).answer({.time = 820 * kMs});
    CHECK(scene.spent(kWindow) == (asked ? 800 * kMs : 200 * kMs));
    CHECK(scene.spent(kServer) == (asked ? 0 : 600 * kMs));
  }
}

TEST_CASE("Nagle's algorithm lets a segment go when the acknowledgment comes, not about then") {
  for (const Nanos late : {0 * kMs, 3 * kMs}) {
    Scene scene(0, 80 * kMs);
    scene.ask(0).answer({.time = 80 * kMs, .length = 300, .pushed = true}).acknowledge(Side::low, 120 * kMs);
    scene.answer({.time = 200 * kMs + late, .length = 300, .pushed = true});
    CHECK(scene.spent(kAckDelay) == (late == 0 ? 120 * kMs : 0));
    CHECK(scene.spent(kServer) == (late == 0 ? 0 : 123 * kMs));
  }
}

TEST_CASE("causes add up to the total whatever the ledger says") {
  Exchange exchange;
  exchange.number = 2;
  exchange.attributed = true;
  Phases phases;
  phases.total = 100;
  const auto causes = [&](std::initializer_list<Nanos> by) {
    std::copy(by.begin(), by.end(), exchange.causes.by);
    const CauseTimes spent = measure_causes(exchange, {}, phases);
    for (const Nanos part : spent.by) CHECK(part >= 0);
    CHECK(spent.total() == 100);
    return spent;
  };
  CHECK(causes({60, 0, 40, 0, 0, 0}).by[kServer] == 40);
  CHECK(causes({0, 0, 40, 0, 0, 0}).by[kNetwork] == 60);  // what is left is the network's
  CHECK(causes({30, 0, 90, 0, 0, 0}).by[kServer] == 90);  // too much: the network's goes first
  CHECK(causes({0, 0, 900, 50, 0, 0}).by[kServer] == 50);
  CHECK(causes({-20, 70, 50, 0, 0, 0}).by[kLoss] == 50);      // network that turned out to be loss
  CHECK(causes({0, 0, -400, 500, 0, 0}).by[kClient] == 100);  // attributed anew as another
  CHECK(causes({-5, 0, 0, 0, 0, 0}).by[kNetwork] == 100);
}

}  // namespace
}  // namespace wirelap
