// flow: delays segments between decoding and tracking, so that memory is there in time.
//
// In: decoded segments. Out: the same segments to the tracker, in order, a few segments later: by then their
// connections have been prefetched. Where connections are few, a cache holds them all, and segments pass at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/prefetch.h"
#include "flow/tracker.h"

namespace wirelap {

template <class Consumer>
class Lookahead {
 public:
  /// `tracker` outlives the lookahead.
  explicit Lookahead(Tracker<Consumer>& tracker) : tracker_(tracker) {}

  /// Where the next segment is to be decoded.
  Segment& next() { return newest_->segment; }

  /// Processes the segment in next(), decoded from `record`, whose bytes stay until drain().
  void process(const PacketRecord& record) {
    if (tracker_.table().is_large() && is_inside(newest_->segment, record)) [[unlikely]]
      return wait();
    if (waiting_ != 0) [[unlikely]]
      drain();
    tracker_.process(newest_->segment);
  }

  /// Passes on all segments that wait.
  [[gnu::noinline]] void drain() {
    while (waiting_ != 0) process_first();
  }

 private:
  // A read from memory takes about as long as a packet whose connection is cached: one or two packets are enough, more
  // do no harm.
  static constexpr unsigned kToConnection = 4;  // from the slot
  static constexpr unsigned kToKept = 8;        // from the slot, by the connection
  static constexpr unsigned kMost = 12;
  static constexpr unsigned kPlaces = 16;

  struct Waiting {
    Segment segment;
    FlowKey key;
    Side sender;
    std::uint32_t hash;
  };

  /// Whether the segment's bytes are those of the record; else they were reassembled from several.
  static bool is_inside(const Segment& segment, const PacketRecord& record) {
    const std::uint8_t* const at = segment.tcp.options.data();
    return !std::less<>()(at, record.bytes.data()) && !std::less<>()(record.bytes.data() + record.bytes.size(), at);
  }

  [[gnu::noinline]] void wait() {
    Waiting& newest = *newest_;
    newest.key = make_flow_key(newest.segment, newest.sender);
    newest.hash = tracker_.table().hash(newest.key);
    tracker_.table().prefetch_slot(newest.hash);
    waiting_ += 1;
    if (waiting_ > kToConnection) prefetch_connection(place(waiting_ - 1 - kToConnection));
    if (waiting_ > kToKept) prefetch_kept(place(waiting_ - 1 - kToKept));
    if (waiting_ == kMost) process_first();
    newest_ = &place(waiting_);
  }

  Waiting& place(unsigned behind_first) { return places_[(first_ + behind_first) % kPlaces]; }

  void process_first() {
    Waiting& first = place(0);
    first_ += 1;
    waiting_ -= 1;
    tracker_.process(first.segment, first.key, first.sender, first.hash);
  }

  void prefetch_connection(const Waiting& waiting) {
    if (const Connection* const likely = tracker_.table().likely(waiting.hash)) prefetch(likely, Connection::kHotBytes);
  }

  void prefetch_kept(const Waiting& waiting) {
    if (const Connection* const likely = tracker_.table().likely(waiting.hash)) tracker_.consumer().prefetch(*likely);
  }

  Tracker<Consumer>& tracker_;
  Waiting places_[kPlaces];
  unsigned first_ = 0;
  unsigned waiting_ = 0;
  Waiting* newest_ = places_;  // after all that wait
};

}  // namespace wirelap
