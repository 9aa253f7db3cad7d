// fuzz: segments to stream data. Every byte is delivered once, in order and as it was
// sent, or is reported as not captured. Segments that are cut in two give the same
// streams as whole ones.
//
// The input is a list of segments, kOpBytes each. Their sequence numbers are relative
// to what their sender has sent before, so that most of them fit together.
#include <algorithm>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "flow/consumer.h"
#include "flow/tracker.h"
#include "fuzz/target.h"
#include "support/addresses.h"
#include "timing/observer.h"

namespace wirelap::fuzz {
namespace {

constexpr std::size_t kOpBytes = 7;
/// The bits of a segment's first byte.
enum Op : std::uint8_t {
  kFromServer = 1,
  kOpSyn = 2,
  kOpFin = 4,
  kOpRst = 8,
  kNoAck = 16,
  kCut = 32,     ///< only its first op[6] bytes were captured
  kSecond = 64,  ///< of the second connection
  kLong = 128,   ///< 64 times as long
};

constexpr std::uint32_t kFirstSequence = 0xffffff80;  // the numbers wrap soon
constexpr std::uint32_t kMaxData = 255 * 64;          // of a segment

/// Returns `count` bytes with the sequence numbers from `sequence` on. They repeat after a prime number of bytes.
Bytes content(std::uint32_t sequence, std::size_t count) {
  constexpr std::uint32_t kPeriod = 32'749;
  static const std::vector<std::uint8_t> all = [] {
    std::vector<std::uint8_t> bytes(kPeriod + kMaxData);
    for (std::uint32_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::uint8_t>(i % kPeriod * 0x9e3779b1 >> 24);
    }
    return bytes;
  }();
  // Counted from before the lowest number of a segment, so that the bytes continue where the numbers wrap.
  return Bytes(all).subspan((sequence - kFirstSequence + kMaxData) % kPeriod, count);
}

/// What was delivered of a stream: runs of bytes that were captured or not.
struct Delivered {
  std::vector<std::pair<bool, std::uint64_t>> runs;
  std::uint64_t next = 0, not_captured = 0;
  bool finished = false;

  void add(bool captured, std::uint64_t count) {
    if (count == 0) return;
    next += count;
    not_captured += captured ? 0 : count;
    if (runs.empty() || runs.back().first != captured) runs.emplace_back(captured, 0);
    runs.back().second += count;
  }
  bool operator==(const Delivered&) const = default;
};

struct Connections : IdleConsumer {
  struct One {
    Delivered sides[2];
    bool ended = false, gone = false;
    bool operator==(const One&) const = default;
  };
  std::map<std::uint64_t, One> all;
  bool gave_up = false;           // a sequence gap was given up before the capture's end
  bool any_cut_overlaps = false;  // a segment that was not captured whole overlaps another one

  void on_packet(Connection& connection, Side, const Segment&) {
    require(!all[connection.number].gone || connection.closed);
  }
  void on_bytes(Connection& connection, Side sender, const StreamData& data, const Arrival&) {
    const Stream& stream = connection.stream(sender);
    require(data.length != 0 && data.bytes.size() <= data.length);
    require(data.bytes.size() <= kMaxData);
    const Bytes sent = content(stream.next_sequence, data.bytes.size());
    require(sent.empty() || std::memcmp(data.bytes.data(), sent.data(), sent.size()) == 0);
    Delivered& side = delivered(connection, sender);
    side.add(true, data.bytes.size());
    side.add(false, data.length - data.bytes.size());
  }
  void on_skipped(Connection& connection, Side sender, std::uint64_t count, const Arrival&) {
    require(count != 0);
    delivered(connection, sender).add(true, count);
  }
  void on_not_captured(Connection& connection, Side sender, std::uint64_t count, const Arrival&) {
    require(count != 0);
    gave_up = true;
    delivered(connection, sender).add(false, count);
  }
  void on_retransmitted(Connection& connection, Side, std::uint64_t, const Arrival&) { require(!connection.closed); }
  void on_spurious(Connection& connection, Side) { require(!connection.closed); }
  void on_acknowledged(Connection& connection, Side, const Acknowledgment&) { require(!connection.closed); }
  void on_fin(Connection& connection, Side sender, const Arrival&) {
    require(connection.stream(sender).next >= connection.stream(sender).fin);
    delivered(connection, sender).finished = true;
  }
  void on_ending(Connection& connection, Ending, Nanos) {
    for (const Side side : {Side::low, Side::high}) {
      require(all[connection.number].sides[index(side)].not_captured == connection.stream(side).not_captured);
    }
    all[connection.number].ended = true;
  }
  void on_gone(Connection& connection) {
    One& one = all[connection.number];
    require(one.ended && !one.gone);
    one.gone = true;
  }
  /// Lets the tracker skip some bytes.
  std::uint64_t skippable(Connection& connection, Side sender) const {
    const std::uint64_t next = connection.stream(sender).next;
    return next >= 64 && next < 512 ? 512 - next : 0;
  }

  void forget_runs() {
    for (auto& [number, one] : all) {
      for (Delivered& side : one.sides) side = {{}, side.next, 0, side.finished};
    }
  }

 private:
  Delivered& delivered(Connection& connection, Side sender) {
    One& one = all[connection.number];
    Delivered& side = one.sides[index(sender)];
    require(!one.ended);
    require(!side.finished);
    require(side.next == connection.stream(sender).next);
    return side;
  }
};

/// Makes the segments.
class Sender {
 public:
  Sender(Connections& log, bool in_two) : observer_(log), tracker_(observer_, 0), in_two_(in_two) {}

  void send(const std::uint8_t* op) {
    const std::uint8_t bits = op[0];
    const int side = bits & kFromServer;
    End(&ends)[2] = ends_[(bits & kSecond) != 0];
    time_ += op[4] == 255 ? -kNanosPerSecond : Nanos{1'000} << op[4] % 24;
    std::uint32_t length = op[2] * ((bits & kLong) != 0 ? 64u : 1u);
    Segment segment;
    segment.time = time_;
    segment.packet = ++packet_;
    segment.ip.version = 4;
    test::put_addresses(segment.ip, {0, side == 0 ? 1u : 2u}, {0, side == 0 ? 2u : 1u});
    const std::uint16_t port = (bits & kSecond) != 0 ? 40001 : 40000;
    segment.tcp.source_port = side == 0 ? port : 80;
    segment.tcp.destination_port = side == 0 ? 80 : port;
    segment.tcp.window = static_cast<std::uint16_t>(op[5] * 257);
    segment.tcp.flags = static_cast<std::uint8_t>((bits & kOpSyn ? kSyn : 0) | (bits & kOpFin ? kFin : 0) |
                                                  (bits & kOpRst ? kRst : 0) | (bits & kNoAck ? 0 : kAck));
    segment.tcp.sequence = ends[side].sent + static_cast<std::uint32_t>(static_cast<std::int8_t>(op[1]) * 16);
    segment.tcp.acknowledgment = ends[1 - side].sent + static_cast<std::uint32_t>(static_cast<std::int8_t>(op[3]) * 16);
    const std::uint32_t first = segment.tcp.sequence + ((bits & kOpSyn) != 0 ? 1 : 0);
    const std::uint32_t end = first + length;
    if (static_cast<std::int32_t>(end - ends[side].sent) > 0) ends[side].sent = end;
    const std::uint32_t held = (bits & kCut) != 0 ? std::min<std::uint32_t>(length, op[6]) : length;
    record_place(ends[side], {first, length, held != length});
    const Bytes sent = content(first, held);
    // A copy, so that AddressSanitizer detects a read past its end.
    const std::vector<std::uint8_t> data(sent.begin(), sent.end());
    // The place of a RST's first byte decides whether it is valid.
    if (!in_two_ || length < 2 || (bits & (kOpSyn | kOpRst)) != 0) return process(segment, data, length);
    const std::uint32_t cut = 1 + op[6] % (length - 1);
    Segment front = segment;
    // The acknowledgment and the FIN are on the second part alone, so that each takes effect once.
    front.tcp.flags &= static_cast<std::uint8_t>(~(kFin | kAck));
    process(front, Bytes(data).first(std::min(cut, held)), cut);
    segment.tcp.sequence = first + cut;
    process(segment, Bytes(data).subspan(std::min(cut, held)), length - cut);
  }

  void finish() { tracker_.finish(time_); }
  bool any_cut_overlaps() const { return any_cut_overlaps_; }

 private:
  /// The place of a segment in its stream. `cut`: only a part of it was captured.
  struct Place {
    std::uint32_t first, length;
    bool cut;
  };
  struct End {
    std::uint32_t sent = kFirstSequence;
    std::vector<Place> places;
  };

  void record_place(End& end, const Place& place) {
    for (const Place& other : end.places) {
      const bool overlaps = place.first - other.first < other.length || other.first - place.first < place.length;
      any_cut_overlaps_ |= overlaps && (place.cut || other.cut);
    }
    end.places.push_back(place);
  }

  void process(Segment& segment, Bytes data, std::uint32_t length) {
    segment.ip.id = ++id_;  // no packet is a duplicate of another
    segment.data = data;
    segment.data_length = length;
    tracker_.process(segment);
  }

  TimingObserver<Connections> observer_;
  Tracker<TimingObserver<Connections>> tracker_;
  bool in_two_;
  End ends_[2][2];
  bool any_cut_overlaps_ = false;
  Nanos time_ = 1'500'000'000 * kNanosPerSecond;
  std::uint64_t packet_ = 0;
  std::uint16_t id_ = 0;
};

Connections track(Bytes input, bool in_two) {
  Connections log;
  Sender sender(log, in_two);
  for (; input.size() >= kOpBytes; input = input.subspan(kOpBytes)) sender.send(input.data());
  const bool gave_up = log.gave_up;
  sender.finish();
  log.gave_up = gave_up;
  log.any_cut_overlaps = sender.any_cut_overlaps();
  for (const auto& [number, one] : log.all) require(one.gone);
  return log;
}

}  // namespace

void run_stream(Bytes input) {
  Connections whole = track(input, false), in_two = track(input, true);
  // Where segments overlap, the captured bytes of the one that is delivered first count.
  if (whole.any_cut_overlaps) {
    whole.forget_runs();
    in_two.forget_runs();
  }
  // When a sequence gap is given up depends on the bytes that come in one segment with an acknowledgment.
  if (!whole.gave_up && !in_two.gave_up) require(whole.all == in_two.all);
}

}  // namespace wirelap::fuzz
