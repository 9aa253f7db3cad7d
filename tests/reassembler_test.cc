// The fast path of the reassembler compared with its slow path, over random connections.
#include "flow/reassembler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "timing/observer.h"

namespace wirelap {
namespace {

constexpr Nanos kMs = 1'000'000;

/// A consumer that records all events as text.
struct Events : IdleConsumer {
  template <class... Parts>
  void add(const char* what, Side sender, Parts... parts) {
    log += what + std::to_string(index(sender));
    ((log += ' ' + std::to_string(parts)), ...);
    log += '\n';
  }
  void on_bytes(Connection&, Side sender, const StreamData& data, const Arrival& at) {
    add("bytes", sender, data.bytes.size(), data.length, at.time, at.packet, at.acknowledged);
  }
  void on_skipped(Connection&, Side sender, std::uint64_t count, const Arrival& at) {
    add("skipped", sender, count, at.time, at.packet, at.acknowledged);
  }
  void on_not_captured(Connection&, Side sender, std::uint64_t count, const Arrival& at) {
    add("not captured", sender, count, at.time, at.packet, at.acknowledged);
  }
  void on_retransmitted(Connection&, Side sender, std::uint64_t begin, const Arrival& at) {
    add("retransmission", sender, begin, at.time);
  }
  void on_spurious(Connection&, Side sender) { add("spurious", sender); }
  void on_acknowledged(Connection& connection, Side sender, const Acknowledgment&) {
    add("acknowledged", sender, connection.stream(sender).acknowledged);
  }
  void on_fin(Connection&, Side sender, const Arrival& at) { add("fin", sender, at.time); }
  void on_ending(Connection&, Ending ending, Nanos time) { add("ending", Side::low, static_cast<int>(ending), time); }
  std::uint64_t skippable(Connection&, Side) { return 3000; }

  std::string log;
};

/// A connection whose segments take the fast path where they can, or never.
class OneConnection {
  using Observer = TimingObserver<Events>;

 public:
  explicit OneConnection(bool may_be_fast) : may_be_fast_(may_be_fast) {}
  ~OneConnection() { observer.on_dropped(connection); }

  void process(Side sender, const Segment& segment) {
    const PacketIdentity identity = identity_of(segment);
    connection.latest_packets[index(sender)] = identity;
    if ((segment.tcp.flags & kSyn) != 0) {
      connection.stream(sender).start_at(segment.tcp.sequence + 1);
      connection.stream(sender).from_syn = true;
      record_syn(connection, sender, segment);
    }
    connection.counts.packets += 1;
    if (may_be_fast_ && connection.stream(sender).on_fast_path &&
        Reassembler<Observer>::is_next(connection, sender, segment.tcp)) {
      reassembler.process_next(connection, sender, segment, identity);
      fast_segments += 1;
    } else {
      reassembler.process(connection, sender, segment);
    }
    connection.last_time = segment.time;
    connection.last_packet = segment.packet;
  }

  Events events;
  Observer observer{events};
  EndedConnections ended;
  Reassembler<Observer> reassembler{observer, std::pmr::get_default_resource(), ended};
  Connection connection;
  int fast_segments = 0;

 private:
  bool may_be_fast_;
};

/// Random segments of two ends, with losses, reordering, retransmissions and zero windows.
class RandomSegments {
 public:
  explicit RandomSegments(std::uint64_t seed) : random_(seed), data_(4000, 'x') {
    for (End& end : ends_) end.sequence = static_cast<std::uint32_t>(random_());
    ends_[0].expected = ends_[1].sequence;
    ends_[1].expected = ends_[0].sequence;
  }

  bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }

  Segment syn(Side sender) {
    Segment segment = plain(sender, 0, kSyn | (sender == Side::high ? kAck : 0));
    segment.tcp.sequence -= 1;
    return segment;
  }

  /// The next segment of either end.
  Segment next(Side& sender) {
    sender = chance(60) ? Side::high : Side::low;
    End& end = ends_[index(sender)];
    End& peer = ends_[index(other(sender))];
    const std::uint32_t sizes[] = {0, 1000, 1000, 1000, 2000, 1 + static_cast<std::uint32_t>(random_() % 1000)};
    const std::uint32_t length = sizes[random_() % 6];
    Segment segment = plain(sender, length, kAck);
    if (chance(20)) segment.tcp.flags |= kPsh;
    if (chance(1) && chance(10)) segment.tcp.flags |= kFin;
    if (chance(1) && chance(5)) segment.tcp.flags |= kRst;
    if (chance(2)) segment.tcp.sequence -= static_cast<std::uint32_t>(random_() % 3000);  // a retransmission
    if (chance(2)) segment.tcp.sequence += static_cast<std::uint32_t>(random_() % 3000);  // the one before was lost
    if (chance(2)) segment.tcp.acknowledgment += static_cast<std::uint32_t>(random_() % 3000) - 1500;
    if (chance(2)) segment.tcp.window = 0;
    if (chance(2)) segment.ip.id = static_cast<std::uint16_t>(segment.ip.id + random_() % 9 - 4);
    const std::uint32_t after = segment.tcp.sequence + length;
    if (static_cast<std::int32_t>(after - end.sequence) > 0) end.sequence = after;
    if (chance(70)) peer.expected = end.sequence;
    return segment;
  }

 private:
  struct End {
    std::uint32_t sequence;  // of the next byte that it sends
    std::uint32_t expected;  // acknowledgment number that it sends
    std::uint16_t id = 7;
  };

  Segment plain(Side sender, std::uint32_t length, int flags) {
    time_ += static_cast<Nanos>(random_() % (chance(80) ? kMs / 5 : chance(80) ? 3 * kMs : 60 * kMs));
    if (chance(1)) time_ -= kMs;  // the clock steps back
    End& end = ends_[index(sender)];
    Segment segment;
    segment.time = time_;
    segment.packet = ++packet_;
    segment.ip.version = 4;
    segment.ip.id = ++end.id;
    segment.tcp.sequence = end.sequence;
    segment.tcp.acknowledgment = end.expected;
    segment.tcp.window = static_cast<std::uint16_t>(chance(90) ? 60'000 : 1 + random_() % 9000);
    segment.tcp.flags = static_cast<std::uint8_t>(flags);
    segment.data = Bytes(data_.data(), chance(98) ? length : length / 2);
    segment.data_length = length;
    return segment;
  }

  std::mt19937_64 random_;
  std::vector<std::uint8_t> data_;
  End ends_[2] = {};
  Nanos time_ = 1000 * kMs;
  std::uint64_t packet_ = 0;
};

void require_same(const Connection& left, const Connection& right) {
  for (const Side side : {Side::low, Side::high}) {
    const Stream& one = left.stream(side);
    const Stream& two = right.stream(side);
    REQUIRE(one.next == two.next);
    REQUIRE(one.next_sequence == two.next_sequence);
    REQUIRE(one.acknowledged == two.acknowledged);
    REQUIRE(one.right_edge == two.right_edge);
    REQUIRE(one.not_captured == two.not_captured);
    REQUIRE(one.fin == two.fin);
    REQUIRE(one.last_time == two.last_time);
    REQUIRE((!one.on_fast_path || two.on_fast_path));  // the fast path leaves it as it is
  }
  REQUIRE(left.closed == right.closed);
  REQUIRE(left.counts.retransmitted == right.counts.retransmitted);
  REQUIRE(left.counts.lost == right.counts.lost);
  REQUIRE(left.counts.out_of_order == right.counts.out_of_order);
  REQUIRE((left.timing == nullptr) == (right.timing == nullptr));
  if (left.timing == nullptr) return;
  for (const Side side : {Side::low, Side::high}) REQUIRE(left.timing->round_trip_to(side) == right.timing->round_trip_to(side));
  for (int cause = 0; cause < kCauseCount; ++cause)
    REQUIRE(left.timing->causes().by[cause] == right.timing->causes().by[cause]);
}

TEST_CASE("reassembler: the fast path causes the same events, state and causes as the slow path") {
  int fast_segments = 0, segments = 0;
  for (std::uint64_t run = 0; run < 150; ++run) {
    OneConnection fast(true), slow(false);
    RandomSegments random(run);
    if (run % 3 != 0) {
      for (const Side side : {Side::low, Side::high}) {
        const Segment syn = random.syn(side);
        for (OneConnection* const one : {&fast, &slow}) one->process(side, syn);
      }
    }
    for (int step = 0; step < 300; ++step) {
      Side sender;
      const Segment segment = random.next(sender);
      for (OneConnection* const one : {&fast, &slow}) one->process(sender, segment);
      segments += 1;
      require_same(fast.connection, slow.connection);
    }
    REQUIRE(fast.events.log == slow.events.log);
    fast_segments += fast.fast_segments;
  }
  CHECK(fast_segments > segments / 5);  // both paths were taken
  CHECK(fast_segments < segments * 4 / 5);
}

}  // namespace
}  // namespace wirelap
