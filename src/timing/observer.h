// timing: drives the Timing of each connection by the events of a Tracker.
//
// In: a Tracker's events (flow/consumer.h). Out: the same events to the next consumer, and on_retransmitted and
// on_spurious, which the Timing finds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <utility>

#include "base/memory.h"
#include "base/prefetch.h"
#include "flow/connection.h"
#include "flow/consumer.h"
#include "timing/timing.h"

namespace wirelap {

/// Makes the Timing of a connection in `memory`. `sender` sends the first payload.
[[gnu::noinline]] Owned<Timing> make_timing(const Connection& connection, Side sender,
                                            std::pmr::memory_resource* memory);

/// Sets what both ends have agreed on so far. Payload may come before they have (RFC 7413).
void set_agreed(Timing& timing, const Connection& connection);

/// Whether the first SACK block is below the acknowledgment number (RFC 2883, section 4).
bool has_duplicate_sack(const TcpHeader& tcp);
/// The same, without a call where the options cannot have a block.
inline bool reports_duplicate(const TcpHeader& tcp) {
  constexpr std::size_t kShortest = 12;  // one block, or timestamps alone
  const std::size_t bytes = tcp.options.size();
  if (bytes < kShortest || (bytes == kShortest && load_be32(tcp.options.data()) == kNopNopTimestamps)) return false;
  return has_duplicate_sack(tcp);
}

/// The consumer of a Tracker. Owns the Timing of each connection from its first payload to its end.
template <class Consumer>
class TimingObserver {
 public:
  /// `next` gets the events. What a Timing keeps is in `memory`. Both outlive the observer.
  explicit TimingObserver(Consumer& next, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : next_(next), memory_(memory) {}
  TimingObserver(const TimingObserver&) = delete;
  TimingObserver& operator=(const TimingObserver&) = delete;

  void on_segment(Connection& connection, Side sender, const PacketIdentity& packet, SegmentKind kind) {
    if (has_timing(connection, kind)) connection.timing->process_packet(sender, packet);
  }

  void on_handshake(Connection& connection) {
    if (connection.timing != nullptr) [[unlikely]]
      set_agreed(*connection.timing, connection);
  }

  void on_acknowledged(Connection& connection, Side stream, const Acknowledgment& now) {
    const auto& [offset, edge, time, tcp, kind] = now;
    if (kind == SegmentKind::next) {
      if (!connection.timing->process_next_acknowledgment(other(stream), offset, edge, time))
        process_acknowledgment(connection, stream, offset, edge, time, tcp);
    } else if (connection.timing != nullptr && (tcp.flags & (kSyn | kRst)) == 0) {
      process_acknowledgment(connection, stream, offset, edge, time, tcp);
    }
    next_.on_acknowledged(connection, stream, now);
  }

  void on_position(Connection& connection, Side sender, std::uint64_t offset, Nanos time, SegmentKind kind) {
    if (!has_timing(connection, kind)) return;
    connection.timing->record_position(sender, offset);
    if (kind == SegmentKind::next) return;
    const bool probe = offset + 1 == connection.stream(sender).next;
    if (probe) [[unlikely]]
      connection.timing->record_probe(sender, time);
  }

  void on_payload(Connection& connection, Side sender, const PacketIdentity& packet, std::int64_t begin,
                  const Arrival& arrival, SegmentKind kind) {
    if (kind == SegmentKind::next) {
      const bool pushed = (packet.flags & kPsh) != 0;
      if (connection.timing->process_next(sender, connection.client, static_cast<std::uint64_t>(begin), packet, pushed))
        return;
    } else if (connection.timing == nullptr) {
      connection.timing = make_timing(connection, sender, memory_).release();
    }
    process_payload(connection, sender, packet, begin, arrival);
  }

  void on_not_captured(Connection& connection, Side stream, std::uint64_t count, const Arrival& arrival) {
    next_.on_not_captured(connection, stream, count, arrival);
    if (connection.timing != nullptr) connection.timing->record_not_captured(stream);
  }

  void on_gaps_filled(Connection& connection, Side stream) {
    if (connection.timing != nullptr) connection.timing->end_sequence_gap(stream);
  }

  void on_ending(Connection& connection, Ending ending, Nanos time) {
    next_.on_ending(connection, ending, time);
    free_timing(connection);
  }

  void on_dropped(Connection& connection) {
    next_.on_dropped(connection);
    free_timing(connection);
  }

  void prefetch(const Connection& connection) {
    if (connection.timing != nullptr) wirelap::prefetch(connection.timing, sizeof(Timing));
    next_.prefetch(connection);
  }

  // The Timing does not need these.
  void on_packet(Connection& connection, Side sender, const Segment& segment) {
    next_.on_packet(connection, sender, segment);
  }
  void on_bytes(Connection& connection, Side stream, const StreamData& data, const Arrival& arrival) {
    next_.on_bytes(connection, stream, data, arrival);
  }
  void on_skipped(Connection& connection, Side stream, std::uint64_t count, const Arrival& arrival) {
    next_.on_skipped(connection, stream, count, arrival);
  }
  void on_fin(Connection& connection, Side stream, const Arrival& arrival) {
    next_.on_fin(connection, stream, arrival);
  }
  void on_gone(Connection& connection) { next_.on_gone(connection); }
  std::uint64_t skippable(Connection& connection, Side stream) { return next_.skippable(connection, stream); }
  std::size_t held_bytes(const Connection& connection) { return next_.held_bytes(connection); }

 private:
  static bool has_timing(const Connection& connection, SegmentKind kind) {
    return kind == SegmentKind::next || connection.timing != nullptr;
  }

  static void free_timing(Connection& connection) {
    const Owned<Timing> freed(std::exchange(connection.timing, nullptr));
  }

  // Slow path. Inlined, these two would take registers from the fast path, some 2 % of its instructions.

  // Its arguments are not an Acknowledgment: the fast path would then have to store one in memory.
  [[gnu::noinline]] void process_acknowledgment(Connection& connection, Side stream, std::uint64_t offset,
                                                std::uint64_t edge, Nanos time, const TcpHeader& tcp) {
    Timing& timing = *connection.timing;
    const bool duplicate_sack = timing.needs_duplicate_sack() && reports_duplicate(tcp);
    const PlacedAcknowledgment now{offset, edge, tcp.window == 0, duplicate_sack, time};
    if (timing.process_acknowledgment(other(stream), now, connection.counts)) {
      next_.on_spurious(connection, stream);
    }
  }

  [[gnu::noinline]] void process_payload(Connection& connection, Side sender, const PacketIdentity& packet,
                                         std::int64_t begin, const Arrival& arrival) {
    const Stream& stream = connection.stream(sender);
    const bool pushed = (packet.flags & (kPsh | kFin)) != 0;
    const auto end = static_cast<std::uint64_t>(std::max<std::int64_t>(begin + packet.length, 0));
    const bool after_gap = stream.has_out_of_order();
    const bool fills_gaps =
        after_gap && begin <= static_cast<std::int64_t>(stream.next) && stream.out_of_order->is_contiguous_from(end);
    const PlacedSegment placed{sender, begin, stream.next, stream.acknowledged, after_gap, fills_gaps, pushed, packet};
    if (connection.timing->process_payload(placed, connection.client, connection.counts)) {
      next_.on_retransmitted(connection, sender, static_cast<std::uint64_t>(std::max<std::int64_t>(begin, 0)), arrival);
    }
  }

  Consumer& next_;
  std::pmr::memory_resource* memory_;
};

}  // namespace wirelap
