// flow: one direction of a connection.
//
// In: sequence numbers, and segments that arrived after a sequence gap. Out: stream offsets, and these segments in
// order.
//
// The bytes of a stream are numbered from 0, in 64 bits, so that other stages see no sequence number that wraps. 0 is
// the first byte after the SYN, or where the SYN was not captured the first byte seen.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/time.h"

namespace wirelap {

/// When bytes were there in order, and what their sender had received by then.
struct Arrival {
  Nanos time = 0;
  std::uint64_t packet = 0;
  std::uint64_t acknowledged = 0;  ///< offset of the other direction's stream that the segment acknowledges
};

/// A run of payload. Its last `length - bytes.size()` bytes were on the wire, but were not captured (snaplen).
struct StreamData {
  Bytes bytes;
  std::uint64_t length = 0;

  /// Removes `count` bytes, at most `length`, from the front.
  void drop_front(std::uint64_t count) {
    length -= count;
    bytes = bytes.subspan(count < bytes.size() ? static_cast<std::size_t>(count) : bytes.size());
  }
  /// Keeps only the first `count` bytes, at most `length`.
  void keep_front(std::uint64_t count) {
    length = count;
    if (count < bytes.size()) bytes = bytes.first(static_cast<std::size_t>(count));
  }
};

/// Segments that arrived after a sequence gap, in order of offset.
class OutOfOrderQueue {
 public:
  /// The most payload and the most segments kept for one stream. Beyond either the sequence gap before them is given
  /// up.
  static constexpr std::size_t kMaxBytes = std::size_t{4} << 20;
  static constexpr std::size_t kMaxSegments = 8192;

  struct Item {
    std::uint64_t begin;
    std::uint64_t length;    // on the wire
    std::pmr::string bytes;  // copied; empty where the consumer needs none
    bool skipped;            // captured, but not copied
    Arrival arrival;

    std::uint64_t end() const { return begin + length; }
    StreamData data() const { return {{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, length}; }
  };

  explicit OutOfOrderQueue(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : items_(memory) {}
  std::pmr::memory_resource* memory() const { return items_.get_allocator().resource(); }

  /// Keeps a copy of `data`, which starts at offset `begin`; of a `skipped` one only its place. Bytes that are in the
  /// queue already are not kept twice.
  void add(std::uint64_t begin, StreamData data, bool skipped, const Arrival& arrival);

  bool empty() const { return waiting_ == 0; }
  bool full() const { return bytes_ > kMaxBytes || waiting_ >= kMaxSegments; }
  const Item& front() const { return items_[first_]; }
  /// Whether the queue has all bytes from `offset` to its end.
  bool is_contiguous_from(std::uint64_t offset) const;
  void pop_front();
  /// About how much memory it holds.
  std::size_t held_bytes() const { return bytes_ + items_.capacity() * sizeof(Item); }

 private:
  std::pmr::vector<Item> items_;
  std::size_t first_ = 0;    // items before it were popped
  std::size_t waiting_ = 0;  // count of items from it on
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
  bool on_fast_path = false;            ///< its next segment may take the fast path (flow/reassembler.h)
  std::uint32_t next_sequence = 0;      ///< sequence number of `next`
  std::uint64_t right_edge = 0;         ///< right edge of the receiver's window, the highest so far; 0: not known
  std::uint64_t not_captured = 0;       ///< bytes before `next` that are in no packet of the capture
  std::uint64_t fin = kNever;           ///< offset of the FIN, once seen
  Nanos last_time = kUnknownTime;       ///< when the latest byte that was delivered was there in order
  Owned<OutOfOrderQueue> out_of_order;  ///< null: no segment came after a sequence gap

  /// Offset of a sequence number, within 2^31 of `next` to either side (RFC 9293, 3.4). Negative before offset 0.
  std::int64_t offset_of(std::uint32_t sequence) const {
    return static_cast<std::int64_t>(next) + static_cast<std::int32_t>(sequence - next_sequence);
  }

  /// Whether the receiver has acknowledged bytes that were not delivered.
  bool lacks_acknowledged() const { return acknowledged > next; }

  void start_at(std::uint32_t sequence) {
    started = true;
    next_sequence = sequence;
  }

  /// Whether only its next sequence number is known, from a segment without payload.
  bool is_untouched() const {
    return next == 0 && !from_syn && fin == kNever && acknowledged == 0 && !has_out_of_order();
  }

  void advance(std::uint64_t count) {
    next += count;
    next_sequence += static_cast<std::uint32_t>(count);
  }

  /// Records that the receiver acknowledges `sequence`; returns that as an offset. `syn`: in a SYN-ACK.
  std::uint64_t record_acknowledgment(std::uint32_t sequence, bool syn) {
    if (!started) {
      start_at(sequence);
      from_syn = syn;  // a SYN-ACK acknowledges the SYN alone
    }
    // The first segment of the stream was a keep-alive: one byte before what is next (RFC 9293, 3.8.4).
    if (sequence == next_sequence + 1 && is_untouched()) [[unlikely]]
      start_at(sequence);
    const std::int64_t offset = offset_of(sequence);
    if (offset <= 0) return 0;
    // No end acknowledges bytes beyond its window (RFC 9293, 3.10.7.4). But the segment that opened the window may not
    // be in the capture: the next acknowledgment as high is accepted.
    if (right_edge != 0 && static_cast<std::uint64_t>(offset) > std::max(right_edge, next) + 1) [[unlikely]] {
      right_edge = static_cast<std::uint64_t>(offset);
      return 0;
    }
    // The FIN has a sequence number, but is no byte of the stream.
    const std::uint64_t bytes = std::min(static_cast<std::uint64_t>(offset), fin);
    if (bytes > acknowledged) acknowledged = bytes;
    return bytes;
  }

  /// Whether the receiver ignores a reset with `sequence`, since that is outside its window (RFC 9293, 3.10.7.4): the
  /// reset is injected, or old.
  bool is_outside_window(std::uint32_t sequence) const;

  /// Whether its FIN was seen, and is at `offset`.
  bool is_at_fin(std::int64_t offset) const { return fin != kNever && offset == static_cast<std::int64_t>(fin); }

  /// The connection has ended: moves `next` past all bytes that are in the out-of-order queue or were acknowledged.
  /// Bytes in sequence gaps count as not captured.
  void count_rest();

  bool has_out_of_order() const { return out_of_order != nullptr && !out_of_order->empty(); }

 private:
  [[gnu::noinline]] void count_out_of_order();  // rare
  void pass_not_captured(std::uint64_t until);
};

}  // namespace wirelap
