// flow: tracks all connections of a run, from their first packet until they are erased.
//
// In: decoded segments. Out, through an inlined consumer: the events of the reassembler
// for each connection, and when a connection is gone. Packets that the network or the
// capture duplicated are only counted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory_resource>

#include "base/memory.h"
#include "flow/connection.h"
#include "flow/ended.h"
#include "flow/eviction.h"
#include "flow/packet_identity.h"
#include "flow/reassembler.h"
#include "flow/table.h"
#include "wire/decode.h"

namespace wirelap {

/// Tracks all connections of a run. `Consumer` has the functions that flow/consumer.h lists.
template <class Consumer>
class Tracker {
 public:
  /// The first connection gets the number after `connections`.
  Tracker(Consumer& consumer, std::uint64_t connections)
      : consumer_(consumer),
        connections_(connections),
        reassembler_(consumer, std::pmr::get_default_resource(), ended_) {}

  /// A tracker that keeps its connections in `memory`, which outlives it, and evicts some when the memory is over its
  /// limit (flow/eviction.h).
  Tracker(Consumer& consumer, std::uint64_t connections, Memory& memory)
      : consumer_(consumer),
        memory_(&memory),
        connections_(connections),
        table_(&memory),
        reassembler_(consumer, &memory, ended_) {
    memory.on_over_limit([this] { due_ = kAtOnce; });
  }
  ~Tracker() {
    if (memory_ != nullptr) memory_->on_over_limit([] {});
    if (!finished_) drop_all();
  }
  Tracker(const Tracker&) = delete;
  Tracker& operator=(const Tracker&) = delete;

  /// The number of the newest connection.
  std::uint64_t connections() const { return connections_; }

  /// How many connections were evicted.
  std::uint64_t evicted() const { return evicted_; }

  const FlowTable& table() const { return table_; }
  Consumer& consumer() { return consumer_; }

  /// Processes the next segment of the capture.
  void process(const Segment& segment) {
    check_due(segment.time);
    Side sender;
    bool added;
    Connection& connection = table_.find_or_add(segment, sender, added);
    process(connection, added, sender, segment);
  }

  /// Processes the next segment of the capture, for a caller that knows the key of its connection, the hash of the key
  /// in table(), and the side that sent it.
  void process(const Segment& segment, const FlowKey& key, Side sender, std::uint32_t hash) {
    check_due(segment.time);
    bool added;
    Connection& connection = table_.find_or_add(key, hash, added);
    process(connection, added, sender, segment);
  }

  /// Ends all connections: the capture ends at `time`.
  void finish(Nanos time) {
    report_gone(kEndOfTime);
    // Otherwise connections that end now would make process_ended() erase these while the table is walked.
    while (!ended_.empty()) erase_oldest();
    table_.for_each_in_order([&](Connection& connection) { end(connection, Ending::capture_end, time); });
    finished_ = true;
  }

 private:
  static constexpr Nanos kAtOnce = std::numeric_limits<Nanos>::min();

  void check_due(Nanos time) {
    if (time >= due_) [[unlikely]]
      process_due(time);
  }

  // Inlined, so that a packet runs either the fast or the slow path alone.
  [[gnu::always_inline]] void process(Connection& connection, bool added, Side sender, const Segment& segment) {
    if (added) [[unlikely]]
      number(connection, segment);
    if (connection.stream(sender).on_fast_path) [[likely]]
      process_fast(connection, sender, segment);
    else
      process_slow(connection, sender, segment);
  }

  /// Processes a packet of a stream that is on the fast path, which nearly all of its packets can take.
  void process_fast(Connection& connection, Side sender, const Segment& segment) {
    PacketIdentity& last = *hold(&connection.latest_packets[index(sender)]);
    if (!Reassembler<Consumer>::is_next(connection, sender, segment.tcp) || looks_the_same(segment, last)) [[unlikely]]
      return process_slow(connection, sender, segment);
    // Set in place. Copying it would load larger words than those just stored, and such loads wait for the cache.
    last = identity_of(segment);
    count_packet(connection, sender);
    consumer_.on_packet(connection, sender, segment);
    reassembler_.process_next(connection, sender, segment, last);
    record_last(connection, segment);
  }

  static void record_last(Connection& connection, const Segment& segment) {
    connection.last_time = segment.time;
    connection.last_packet = segment.packet;
  }

  void number(Connection& connection, const Segment& segment) {
    connection.number = ++connections_;
    connection.first_time = segment.time;
    connection.first_packet = segment.packet;
  }

  /// Processes any packet. Rare cases have functions of their own, here and in the reassembler, so that the code of the
  /// usual case stays in the cache.
  [[gnu::noinline]] void process_slow(Connection& connection, Side sender, const Segment& segment) {
    PacketIdentity& last = *hold(&connection.latest_packets[index(sender)]);
    if (looks_the_same(segment, last) && is_duplicate(segment, last)) [[unlikely]]
      return process_duplicate(connection, sender, segment);
    last = identity_of(segment);
    if ((segment.tcp.flags & kSyn) != 0) process_syn(connection, sender, segment);
    count_any(connection, sender, segment);
    consumer_.on_packet(connection, sender, segment);
    if (reassembler_.process(connection, sender, segment)) process_ended();
    record_last(connection, segment);
  }

  [[gnu::noinline]] void process_duplicate(Connection& connection, Side sender, const Segment& segment) {
    connection.latest_packets[index(sender)] = identity_of(segment);
    count_any(connection, sender, segment);
    connection.counts.duplicate += 1;
    consumer_.on_packet(connection, sender, segment);
    record_last(connection, segment);
  }

  static void count_packet(Connection& connection, Side sender) {
    connection.counts.packets += 1;
    connection.packets[index(sender)] += 1;
  }

  static void count_any(Connection& connection, Side sender, const Segment& segment) {
    count_packet(connection, sender);
    if (segment.tcp.window == 0 && (segment.tcp.flags & (kSyn | kRst)) == 0) [[unlikely]]
      connection.counts.zero_windows += 1;
  }

  void process_syn(Connection& connection, Side sender, const Segment& segment) {
    Stream& stream = connection.stream(sender);
    const std::uint32_t first = segment.tcp.sequence + 1;
    const bool answer = (segment.tcp.flags & kAck) != 0;
    const bool other_start = stream.started && stream.offset_of(first) != 0;
    if (other_start && (connection.closed || !answer)) replace(connection, segment);
    if (!stream.started) stream.start_at(first);
    if (stream.offset_of(first) == 0) stream.from_syn = true;
    record_syn(connection, sender, segment);
  }

  /// Makes `connection` a new one with the same key, which begins with `segment`.
  void replace(Connection& connection, const Segment& segment) {
    if (!connection.closed) {
      reassembler_.close(connection, Ending::replaced, segment.time);
      process_ended();
    }
    report_gone(connection);
    const FlowKey key = connection.key;
    const std::uint32_t hash = connection.hash;
    const PacketIdentity latest_packets[2] = {connection.latest_packets[0], connection.latest_packets[1]};
    connection = Connection();  // g++ 12 crashes on {} here, where exceptions are on
    connection.key = key;
    connection.hash = hash;
    std::copy_n(latest_packets, 2, connection.latest_packets);
    number(connection, segment);
  }

  void end(Connection& connection, Ending ending, Nanos time) {
    reassembler_.end(connection, ending, time);
    process_ended();
    report_gone(connection);
  }

  /// To be called when a connection may have been added to `ended_`.
  void process_ended() {
    due_ = std::min(due_, ended_.next_due());
    if (ended_.is_full()) erase_oldest();
  }

  /// Erases the connection that ended first.
  void erase_oldest() {
    Connection* const oldest = ended_.pop_oldest();
    table_.prefetch_slot(ended_.oldest_hash());
    if (oldest == nullptr) return;
    report_gone(*oldest);
    table_.erase(*oldest);
  }

  [[gnu::noinline]] void drop_all() {
    table_.for_each([this](Connection& connection) {
      if (!connection.closed) consumer_.on_dropped(connection);
    });
  }

  /// Does what is due at `now`: evictions, and reports of connections that are gone.
  void process_due(Nanos now) {
    if (memory_ != nullptr && memory_->is_over_limit()) make_room(now);
    report_gone(now);
  }

  /// Erases connections until the memory is well below its limit. Those that have ended come first: only their late
  /// packets are lost. Open ones are then evicted in the order of flow/eviction.h.
  void make_room(Nanos now) {
    while (!ended_.empty() && !memory_->is_well_below_limit()) erase_oldest();
    const auto held = [this](const Connection& connection) { return held_bytes(connection); };
    const auto give_up = [this, now](Connection& connection) { evict(connection, now); };
    while (table_.size() != 0 && !memory_->is_well_below_limit()) evict_some(table_, *memory_, held, give_up);
  }

  /// Approximate memory that is kept with a connection, in bytes.
  std::size_t held_bytes(const Connection& connection) const {
    std::size_t held = consumer_.held_bytes(connection);
    for (const Stream& stream : connection.streams)
      held += stream.out_of_order != nullptr ? stream.out_of_order->held_bytes() : 0;
    return held;
  }

  void evict(Connection& connection, Nanos now) {
    end(connection, Ending::evicted, now);
    evicted_ += connection.ending == Ending::evicted ? 1 : 0;
    ended_.clear();  // contains only this connection: make_room() has erased the others
    table_.erase(connection);
  }

  /// Reports the connections that are gone at `now`.
  void report_gone(Nanos now) {
    ended_.report_due(now, [this](Connection& connection) { report_gone(connection); });
    due_ = memory_ != nullptr && memory_->is_over_limit() ? kAtOnce : ended_.next_due();
  }

  void report_gone(Connection& connection) {
    if (!connection.gone) consumer_.on_gone(connection);
    connection.gone = true;
  }

  Consumer& consumer_;
  Memory* memory_ = nullptr;  // null: without a limit
  std::uint64_t connections_;
  std::uint64_t evicted_ = 0;
  FlowTable table_;
  EndedConnections ended_;
  Reassembler<Consumer> reassembler_;
  Nanos due_ = kEndOfTime;  // when process_due() is to be called
  bool finished_ = false;   // all connections have ended
};

}  // namespace wirelap
