// flow: one direction of a connection: sequence numbers to stream offsets, and
// the segments that arrived past a hole.
//
// A stream's bytes are numbered from 0 at the first one after its SYN (or the
// first one seen, where the SYN was not captured), in 64 bits, so that what
// stands above never meets a sequence number that wraps.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/time.h"

namespace wirelap {

/// When bytes were there in order, and what their sender had seen by then.
struct Arrival {
  Nanos time = 0;
  std::uint64_t packet = 0;
  std::uint64_t acknowledged = 0;  ///< offset in the other direction's stream that the segment acknowledges
};

/// A run of payload. Its last `length - bytes.size()` bytes were on the wire
/// but not captured (snaplen).
struct StreamData {
  Bytes bytes;
  std::uint64_t length = 0;

  /// Takes `count` bytes, at most `length`, off the front.
  void drop_front(std::uint64_t count) {
    length -= count;
    bytes = bytes.subspan(count < bytes.size() ? static_cast<std::size_t>(count) : bytes.size());
  }
  /// Leaves its first `count` bytes, of at least as many.
  void keep_front(std::uint64_t count) {
    length = count;
    if (count < bytes.size()) bytes = bytes.first(static_cast<std::size_t>(count));
  }
};

/// Segments that arrived before bytes that precede them, in order of offset.
class OutOfOrderQueue {
 public:
  /// The most payload kept for one stream, and the most segments. Past either
  /// the hole before them is given up.
  static constexpr std::size_t kMaxBytes = std::size_t{4} << 20;
  static constexpr std::size_t kMaxSegments = 8192;

  struct Item {
    std::uint64_t begin;
    std::uint64_t length;    // on the wire
    std::pmr::string bytes;  // copied; empty where the consumer needs none
    bool skipped;            // captured, but not copied: not missing
    Arrival arrival;

    std::uint64_t end() const { return begin + length; }
    StreamData data() const { return {{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, length}; }
  };

  explicit OutOfOrderQueue(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : items_(memory) {}
  std::pmr::memory_resource* memory() const { return items_.get_allocator().resource(); }

  /// Keeps a copy of `data`, which starts at offset `begin`; of a `skipped`
  /// one only its place. What is already covered is not kept twice.
  void add(std::uint64_t begin, StreamData data, bool skipped, const Arrival& arrival);

  bool empty() const { return waiting_ == 0; }
  bool full() const { return bytes_ > kMaxBytes || waiting_ >= kMaxSegments; }
  const Item& front() const { return items_[first_]; }
  /// Whether all that waits is in order once the stream has come to `offset`.
  bool is_contiguous_from(std::uint64_t offset) const;
  void pop_front();
  /// About what it holds of memory.
  std::size_t held_bytes() const { return bytes_ + items_.capacity() * sizeof(Item); }

 private:
  std::pmr::vector<Item> items_;
  std::size_t first_ = 0;    // items before it are popped
  std::size_t waiting_ = 0;  // from it on
  std::size_t bytes_ = 0;
};

/// How far one direction has come, as its readers see it.
struct StreamPosition {
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t next = 0;          ///< offset of the first byte that is not delivered yet
  std::uint64_t acknowledged = 0;  ///< highest offset that the receiver has acknowledged
  bool from_syn = false;           ///< offset 0 is the first byte after the SYN

  /// The first byte after the SYN is still to come.
  bool at_start() const { return from_syn && next == 0; }
};

/// One direction's state.
struct Stream : StreamPosition {
  // Flags and a half word first: they fill the rest of the position's last word.
  bool started = false;                 ///< next_sequence is known
  bool finished = false;                ///< the FIN has been delivered in order
  bool on_fast_path = false;            ///< what stands next in it needs the fast path alone (flow/reassembler.h)
  std::uint32_t next_sequence = 0;      ///< sequence number of `next`
  std::uint64_t right_edge = 0;         ///< right edge of the other end's window, highest so far
  std::uint64_t not_captured = 0;       ///< bytes before `next` that no packet of the capture holds
  std::uint64_t fin = kNever;           ///< offset of the FIN, once seen
  Nanos last_time = kUnknownTime;       ///< when the last byte delivered was there in order
  Owned<OutOfOrderQueue> out_of_order;  ///< null while nothing is past a hole

  /// Offset of a sequence number: within 2^31 of `next` to either side
  /// (RFC 9293, 3.4). Negative for what came before offset 0.
  std::int64_t offset_of(std::uint32_t sequence) const {
    return static_cast<std::int64_t>(next) + static_cast<std::int32_t>(sequence - next_sequence);
  }

  /// The other end has acknowledged more of it than there is.
  bool lacks_acknowledged() const { return acknowledged > next; }

  void start_at(std::uint32_t sequence) {
    started = true;
    next_sequence = sequence;
  }

  /// Nothing is known of it but where it stands, from a segment without payload.
  bool is_untouched() const {
    return next == 0 && !from_syn && fin == kNever && acknowledged == 0 && !has_out_of_order();
  }

  void advance(std::uint64_t count) {
    next += count;
    next_sequence += static_cast<std::uint32_t>(count);
  }

  /// Takes in that the other end acknowledges `sequence`; returns that as an offset. `syn`: in a SYN-ACK.
  std::uint64_t record_acknowledgment(std::uint32_t sequence, bool syn) {
    if (!started) {
      start_at(sequence);
      from_syn = syn;  // a SYN-ACK acknowledges the SYN alone
    }
    // The first segment of a stream was a keep-alive probe, one byte below what is next (RFC 9293, 3.8.4).
    if (sequence == next_sequence + 1 && is_untouched()) [[unlikely]]
      start_at(sequence);
    const std::int64_t offset = offset_of(sequence);
    if (offset <= 0) return 0;
    // Nobody acknowledges what it did not let the other end send (RFC 9293, 3.10.7.4). But what
    // let it may not have been captured: where the next one says as much it is believed.
    if (right_edge != 0 && static_cast<std::uint64_t>(offset) > std::max(right_edge, next) + 1) [[unlikely]] {
      right_edge = static_cast<std::uint64_t>(offset);
      return 0;
    }
    // The FIN takes a sequence number, but is no byte of the stream.
    const std::uint64_t bytes = std::min(static_cast<std::uint64_t>(offset), fin);
    if (bytes > acknowledged) acknowledged = bytes;
    return bytes;
  }

  /// Whether a reset with `sequence` is none for its receiver, since that is outside
  /// the window (RFC 9293, 3.10.7.4): injected, or old.
  bool is_outside_window(std::uint32_t sequence) const;

  /// Whether its FIN has been seen, at `offset`.
  bool is_at_fin(std::int64_t offset) const { return fin != kNever && offset == static_cast<std::int64_t>(fin); }

  /// Counts what nobody waits for any more: what came behind a hole that never
  /// filled, what was acknowledged, and what is missing before either.
  void count_rest();

  bool has_out_of_order() const { return out_of_order != nullptr && !out_of_order->empty(); }

 private:
  [[gnu::noinline]] void count_out_of_order();  // rare
  void pass_not_captured(std::uint64_t until);
};

}  // namespace wirelap
