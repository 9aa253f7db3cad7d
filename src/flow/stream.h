// flow: one direction of a connection: the offsets of its bytes, and the segments
// that wait behind a sequence gap.
//
// Offset 0 is the first byte after the SYN or, where the SYN was not captured, the
// first byte seen. Offsets have 64 bits and do not wrap as sequence numbers do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/time.h"

namespace wirelap {

/// When bytes arrived in order, in which packet, and what their sender had received by then.
struct Arrival {
  Nanos time = 0;
  std::uint64_t packet = 0;
  std::uint64_t acknowledged = 0;  ///< offset in the other direction's stream that the segment acknowledges
};

/// A piece of payload. Its last `length - bytes.size()` bytes were removed by a snaplen.
struct StreamData {
  Bytes bytes;
  std::uint64_t length = 0;

  /// Removes the first `count` bytes, at most `length`.
  void drop_front(std::uint64_t count) {
    length -= count;
    bytes = bytes.subspan(count < bytes.size() ? static_cast<std::size_t>(count) : bytes.size());
  }
  /// Removes all bytes after the first `count`, at most `length`.
  void keep_front(std::uint64_t count) {
    length = count;
    if (count < bytes.size()) bytes = bytes.first(static_cast<std::size_t>(count));
  }
};

/// The segments that wait behind sequence gaps, in the order of their offsets.
class OutOfOrderQueue {
 public:
  /// The most bytes of payload and the most segments that one stream keeps. Past either limit the gap before the first
  /// segment is given up.
  static constexpr std::size_t kMaxBytes = std::size_t{4} << 20;
  static constexpr std::size_t kMaxSegments = 8192;

  struct Item {
    std::uint64_t begin;
    std::uint64_t length;    // on the wire
    std::pmr::string bytes;  // a copy of the captured bytes; empty if `skipped`
    bool skipped;            // captured, but not copied, since only the number of bytes matters
    Arrival arrival;

    std::uint64_t end() const { return begin + length; }
    StreamData data() const { return {{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, length}; }
  };

  explicit OutOfOrderQueue(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : items_(memory) {}
  std::pmr::memory_resource* memory() const { return items_.get_allocator().resource(); }

  /// Adds `data`, which begins at offset `begin`, with a copy of its bytes unless it is `skipped`. Bytes that are in
  /// the queue already are not added again.
  void add(std::uint64_t begin, StreamData data, bool skipped, const Arrival& arrival);

  bool empty() const { return waiting_ == 0; }
  bool full() const { return bytes_ > kMaxBytes || waiting_ >= kMaxSegments; }
  const Item& front() const { return items_[first_]; }
  /// Whether no gap is left in or before the queue once all bytes before `offset` have arrived.
  bool is_contiguous_from(std::uint64_t offset) const;
  void pop_front();
  /// Approximate memory that it holds, in bytes.
  std::size_t held_bytes() const { return bytes_ + items_.capacity() * sizeof(Item); }

 private:
  std::pmr::vector<Item> items_;
  std::size_t first_ = 0;    // the first item that is not popped
  std::size_t waiting_ = 0;  // number of items from there on
  std::size_t bytes_ = 0;
};

/// The part of a stream's state that analyzers see.
struct StreamPosition {
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t next = 0;          ///< offset of the first byte that is not delivered yet
  std::uint64_t acknowledged = 0;  ///< highest offset that the receiver has acknowledged
  bool from_syn = false;           ///< offset 0 is the first byte after the SYN

  /// Whether the first byte after the SYN is still to come.
  bool at_start() const { return from_syn && next == 0; }
};

/// The state of one direction.
struct Stream : StreamPosition {
  // The flags and the 32-bit number come first: they fill the last word of StreamPosition.
  bool started = false;                 ///< next_sequence is known
  bool finished = false;                ///< the FIN has been delivered in order
  bool on_fast_path = false;            ///< a segment for which Reassembler::is_next() holds may take the fast path
  std::uint32_t next_sequence = 0;      ///< sequence number of `next`
  std::uint64_t right_edge = 0;         ///< right edge of the receiver's window, the highest so far
  std::uint64_t not_captured = 0;       ///< number of bytes before `next` that were not captured
  std::uint64_t fin = kNever;           ///< offset of the FIN, once seen
  Nanos last_time = kUnknownTime;       ///< when the byte delivered last had arrived in order
  Owned<OutOfOrderQueue> out_of_order;  ///< null before a segment waits behind a gap

  /// The offset of a sequence number, less than 2^31 before or after `next` (RFC 9293, section 3.4). Negative for bytes
  /// before offset 0.
  std::int64_t offset_of(std::uint32_t sequence) const {
    return static_cast<std::int64_t>(next) + static_cast<std::int32_t>(sequence - next_sequence);
  }

  /// Whether the receiver has acknowledged bytes that are not delivered yet.
  bool lacks_acknowledged() const { return acknowledged > next; }

  void start_at(std::uint32_t sequence) {
    started = true;
    next_sequence = sequence;
  }

  /// Whether nothing is known of the stream but its position, from a segment without payload.
  bool is_untouched() const {
    return next == 0 && !from_syn && fin == kNever && acknowledged == 0 && !has_out_of_order();
  }

  void advance(std::uint64_t count) {
    next += count;
    next_sequence += static_cast<std::uint32_t>(count);
  }

  /// Records that the receiver acknowledges all bytes before `sequence`. Returns the offset of `sequence`; 0 where the
  /// acknowledgment has no effect. `syn`: it is a SYN-ACK's.
  std::uint64_t record_acknowledgment(std::uint32_t sequence, bool syn) {
    if (!started) {
      start_at(sequence);
      from_syn = syn;  // a SYN-ACK acknowledges the SYN alone
    }
    // The first segment of the stream was a keep-alive probe, whose sequence number is that of the byte before the next
    // one (RFC 9293, section 3.8.4).
    if (sequence == next_sequence + 1 && is_untouched()) [[unlikely]]
      start_at(sequence);
    const std::int64_t offset = offset_of(sequence);
    if (offset <= 0) return 0;
    // A receiver does not acknowledge bytes that its window did not permit (RFC 9293, section 3.10.7.4). But the
    // segment that permitted them may not have been captured, so a second acknowledgment of them is accepted.
    if (right_edge != 0 && static_cast<std::uint64_t>(offset) > std::max(right_edge, next) + 1) [[unlikely]] {
      right_edge = static_cast<std::uint64_t>(offset);
      return 0;
    }
    // The FIN has a sequence number, but is not a byte of the stream.
    const std::uint64_t bytes = std::min(static_cast<std::uint64_t>(offset), fin);
    if (bytes > acknowledged) acknowledged = bytes;
    return bytes;
  }

  /// Whether the receiver ignores a RST with `sequence`, because it is outside the window (RFC 9293, section 3.10.7.4).
  /// Such a RST is injected, or old.
  bool is_outside_window(std::uint32_t sequence) const;

  /// Whether the FIN was seen and is at `offset`.
  bool is_at_fin(std::int64_t offset) const { return fin != kNever && offset == static_cast<std::int64_t>(fin); }

  /// At the end of the connection: moves `next` past the waiting segments and all acknowledged bytes, and counts the
  /// bytes among them that were not captured.
  void count_rest();

  bool has_out_of_order() const { return out_of_order != nullptr && !out_of_order->empty(); }

 private:
  [[gnu::noinline]] void count_out_of_order();  // rare
  void pass_not_captured(std::uint64_t until);
};

}  // namespace wirelap
