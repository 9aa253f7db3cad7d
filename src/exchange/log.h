// http: the exchanges of one connection, from their first byte to their record.
//
// In: when an exchange begins and ends, as the protocol above says. Out:
// finished exchanges, summed up: their TCP counts, their longest gap, and what
// their time was spent on. One that is over waits here until its client has all
// of it, where a part could still get lost beyond the capture point.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "exchange/exchange.h"
#include "flow/connection.h"
#include "flow/stream.h"

namespace wirelap {

/// Keeps the exchanges of a connection, oldest request first.
class ExchangeLog {
 public:
  /// The most that are open at once; past it the oldest is to be given up.
  static constexpr std::size_t kMaxOpen = 1024;

  /// The most that are over and wait for their client; past it the oldest wait no longer.
  static constexpr std::size_t kMaxUnconfirmed = 64;

  /// `connection` and `pool` outlive it.
  ExchangeLog(const Connection& connection, ExchangePool& pool)
      : connection_(connection), pool_(pool), previous_end_(connection.handshake.ack) {}

  ExchangeLog(ExchangeLog&&) = default;
  /// What has not been taken out goes back to the pool.
  ~ExchangeLog() {
    if (!open_.empty() || !unconfirmed_.empty() || !finished_.empty()) [[unlikely]]
      give_all_back();
  }

  /// Numbers and times go on from those of `before`, the same connection's, whose
  /// protocol has changed; what it has finished is handed over.
  void go_on(ExchangeLog& before) {
    count_ = before.count_;
    spare_number_ = before.spare_number_;
    previous_end_ = before.previous_end_;
    while (Exchange* const over = before.finished_.pop_front()) finished_.push_back(*over);
  }

  /// Begins an exchange with bytes that came with `arrival`.
  Exchange& open(const Arrival& arrival);

  /// Counts `arrival` as the exchange's beginning, where its response was seen before its request.
  void begin_again(Exchange& exchange, const Arrival& arrival) const;

  /// Begins one for a response whose request is not known: it has no number unless it ends without one.
  Exchange& open_response(const Arrival& arrival);

  /// Begins an open exchange anew with bytes that came with `arrival`.
  void restart(Exchange& exchange, const Arrival& arrival) const;

  /// Gives `request` the response of `response`, which is summed up and no more.
  void join(Exchange& request, Exchange& response);

  /// Counts `bytes` more of a message of `exchange`, `body` of them content, that were there with `arrival`.
  void count_bytes(Exchange& exchange, Direction direction, const Arrival& arrival, std::uint64_t bytes,
                   std::uint64_t body) const {
    Message& message = exchange.message(direction);
    message.bytes += bytes;
    message.body_bytes += body;
    message.last = arrival.time;
    message.resent_after = kUnknownTime;
    exchange.last_packet = std::max(exchange.last_packet, arrival.packet);
    if (pool_.wanted().steps && direction == Direction::to_client) note_step(exchange, arrival);
  }

  /// Sums up an exchange as if it ended at `time`.
  void sum_up(Exchange& exchange, Nanos time) const;

  /// Ends an exchange that has been summed up.
  void close(Exchange& exchange, Outcome outcome);

  /// Takes back an exchange that was none.
  void discard(Exchange& exchange);

  Exchange* oldest() const { return open_.front(); }
  Exchange* newest() const { return open_.back(); }
  bool empty() const { return open_.empty(); }
  bool is_full() const { return open_.size() >= kMaxOpen; }
  /// Those begun so far, without the ones discarded.
  std::uint64_t count() const { return count_; }
  const Wanted& wanted() const { return pool_.wanted(); }
  std::pmr::memory_resource* memory() const { return pool_.memory(); }
  /// About what its exchanges hold of memory.
  std::size_t held_bytes() const;

  bool has_finished() const { return !finished_.empty(); }

  /// The next one that is over, in the order of their ends; null for none. To
  /// be given back to the pool.
  Exchange* next_finished() { return finished_.pop_front(); }

  /// The connection's next packet: `gap` is the time since the one before it.
  void note_gap(Nanos gap) {
    if (open_.empty() || gap <= open_.back()->gap_alone) return;
    open_.back()->gap_alone = gap;
    if (gap > most_gap_) most_gap_ = gap;
  }

  /// The client has all of the responses' stream before `offset`. Whether any are over now.
  bool confirm(std::uint64_t offset) {
    if (unconfirmed_.empty()) [[likely]]
      return false;
    while (!unconfirmed_.empty() && unconfirmed_.front()->response.end() <= offset) {
      finished_.push_back(*unconfirmed_.pop_front());
    }
    return !finished_.empty();
  }

  /// Bytes of the stream from offset `begin` on, told before, were lost beyond
  /// the capture point and have reached their receiver only now.
  void record_retransmission(Direction direction, std::uint64_t begin, Nanos time);

  /// The latest record_retransmission was wrong: its bytes had arrived at first.
  void record_spurious(Direction direction);

 private:
  void give_all_back();
  static void note_step(Exchange& exchange, const Arrival& arrival);
  Exchange& add(const Arrival& arrival);
  void take_out(Exchange& exchange);
  void move_end(Exchange& exchange, Nanos time);

  const Connection& connection_;
  ExchangePool& pool_;
  ExchangeQueue open_;
  ExchangeQueue unconfirmed_;  // over, but the client may still lack a part
  ExchangeQueue finished_;
  std::uint64_t count_ = 0;
  std::uint64_t spare_number_ = 0;  // given to an exchange that turned out to be none; 0: none
  Nanos most_gap_ = 0;              // of any note_gap while exchanges were open
  Nanos previous_end_;              // of the exchange before, or of the handshake
};

}  // namespace wirelap
