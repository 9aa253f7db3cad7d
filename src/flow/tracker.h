// flow: tracks all connections of a run: finds, numbers, ends and forgets them.
//
// In: decoded segments. Out, through an inlined consumer: what a Reassembler reports about each connection, and when a
// connection is gone. Duplicates of a packet, made on the way or by the capture, are counted and not processed further.
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

/// Tracks all connections of a run. flow/consumer.h lists the members of `Consumer`.
template <class Consumer>
class Tracker {
 public:
  /// The first connection gets the number after `connections`. `consumer` outlives the tracker.
  Tracker(Consumer& consumer, std::uint64_t connections)
      : consumer_(consumer),
        connections_(connections),
        reassembler_(consumer, std::pmr::get_default_resource(), ended_) {}

  /// The same, with connections in `memory`, which outlives the tracker. Some are given up when that is over its limit:
  /// first those that hold much, then the longest idle.
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

  /// The number of the latest connection.
  std::uint64_t connections() const { return connections_; }

  /// How many connections were given up because memory was scarce.
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

  /// The same, given its connection's key, the key's hash in table(), and its sender.
  void process(const Segment& segment, const FlowKey& key, Side sender, std::uint32_t hash) {
    check_due(segment.time);
    bool added;
    Connection& connection = table_.find_or_add(key, hash, added);
    process(connection, added, sender, segment);
  }

  /// Ends every connection: the capture is over at `time`.
  void finish(Nanos time) {
    report_all_gone(kEndOfTime);
    // Forgotten first: end() may erase the oldest, which for_each_in_order must not visit afterwards.
    while (!ended_.empty()) forget_oldest();
    table_.for_each_in_order([&](Connection& connection) { end(connection, Ending::capture_end, time); });
    finished_ = true;
  }

 private:
  static constexpr Nanos kAtOnce = std::numeric_limits<Nanos>::min();

  void check_due(Nanos time) {
    if (time >= due_) [[unlikely]]
      handle_due(time);
  }

  // Inlined, so that each packet is processed in one of the two functions.
  [[gnu::always_inline]] void process(Connection& connection, bool added, Side sender, const Segment& segment) {
    if (added) [[unlikely]]
      number(connection, segment);
    if (connection.stream(sender).on_fast_path) [[likely]]
      process_on_fast_path(connection, sender, segment);
    else
      process_on_slow_path(connection, sender, segment);
  }

  /// Processes a packet of a stream that is on the fast path: nearly always the packet is, too.
  void process_on_fast_path(Connection& connection, Side sender, const Segment& segment) {
    PacketIdentity& last = *hold(&connection.latest_packets[index(sender)]);
    if (!Reassembler<Consumer>::is_next(connection, sender, segment.tcp) || looks_the_same(segment, last)) [[unlikely]]
      return process_on_slow_path(connection, sender, segment);
    // Written in place: a copy would read in larger pieces what was just written in small ones, and stall.
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

  /// Processes any packet. Rare cases are functions of their own, here and in the reassembler: the rest then stays in
  /// the cache.
  [[gnu::noinline]] void process_on_slow_path(Connection& connection, Side sender, const Segment& segment) {
    PacketIdentity& last = *hold(&connection.latest_packets[index(sender)]);
    if (looks_the_same(segment, last) && is_duplicate(segment, last)) [[unlikely]]
      return process_duplicate(connection, sender, segment);
    last = identity_of(segment);
    if ((segment.tcp.flags & kSyn) != 0) process_syn(connection, sender, segment);
    count_any(connection, sender, segment);
    consumer_.on_packet(connection, sender, segment);
    if (reassembler_.process(connection, sender, segment)) check_ended();
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

  /// A new connection uses the addresses and ports of `connection`.
  void replace(Connection& connection, const Segment& segment) {
    if (!connection.closed) {
      reassembler_.close(connection, Ending::replaced, segment.time);
      check_ended();
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
    check_ended();
    report_gone(connection);
  }

  /// A connection may have ended.
  void check_ended() {
    due_ = std::min(due_, ended_.next_due());
    if (ended_.is_full()) forget_oldest();
  }

  void forget_oldest() {
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

  /// Handles what is due at `now`.
  void handle_due(Nanos now) {
    if (memory_ != nullptr && memory_->is_over_limit()) make_room(now);
    report_all_gone(now);
  }

  /// Gives up connections until the memory is well below its limit: closed ones, which lose only their late packets;
  /// then those that hold more than a fair share; then the longest idle.
  void make_room(Nanos now) {
    while (!ended_.empty() && !memory_->is_well_below_limit()) forget_oldest();
    const auto held = [this](const Connection& connection) { return held_bytes(connection); };
    const auto give_up = [this, now](Connection& connection) { evict(connection, now); };
    while (table_.size() != 0 && !memory_->is_well_below_limit()) evict_some(table_, *memory_, held, give_up);
  }

  /// About how many bytes are kept for a connection, beside itself.
  std::size_t held_bytes(const Connection& connection) const {
    std::size_t held = consumer_.held_bytes(connection);
    for (const Stream& stream : connection.streams)
      held += stream.out_of_order != nullptr ? stream.out_of_order->held_bytes() : 0;
    return held;
  }

  void evict(Connection& connection, Nanos now) {
    end(connection, Ending::evicted, now);
    evicted_ += connection.ending == Ending::evicted ? 1 : 0;
    ended_.clear();  // only this one: the others were forgotten before
    table_.erase(connection);
  }

  void report_all_gone(Nanos now) {
    ended_.report_due(now, [this](Connection& connection) { report_gone(connection); });
    due_ = memory_ != nullptr && memory_->is_over_limit() ? kAtOnce : ended_.next_due();
  }

  void report_gone(Connection& connection) {
    if (!connection.gone) consumer_.on_gone(connection);
    connection.gone = true;
  }

  Consumer& consumer_;
  Memory* memory_ = nullptr;  // null: no limit
  std::uint64_t connections_;
  std::uint64_t evicted_ = 0;
  FlowTable table_;
  EndedConnections ended_;
  Reassembler<Consumer> reassembler_;
  Nanos due_ = kEndOfTime;  // when handle_due() is to be called
  bool finished_ = false;   // all connections have ended
};

}  // namespace wirelap
