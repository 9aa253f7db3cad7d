// exchange: the exchanges of one connection, from their first byte to their record.
//
// In: the beginning and the end of each exchange, as the analyzer finds them, and
// retransmissions and acknowledgments, as flow/ and timing/ report them. Out:
// finished exchanges with their counts, their longest gap and the causes of their
// time. A finished exchange waits here until the client has acknowledged all of
// it, where a part could still get lost after the capture point.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "exchange/exchange.h"
#include "exchange/stream_view.h"
#include "flow/stream.h"
#include "timing/timing.h"

namespace wirelap {

/// The log of one connection's exchanges, in the order of their requests.
class ExchangeLog {
 public:
  /// The most exchanges that may be open at once. Past it the analyzer gives up the oldest.
  static constexpr std::size_t kMaxOpen = 1024;

  /// The most finished exchanges that wait for an acknowledgment. Past it the oldest wait no longer.
  static constexpr std::size_t kMaxUnconfirmed = 64;

  /// `pool` and the connection of `view` outlive the log.
  ExchangeLog(const StreamView& view, ExchangePool& pool) : view_(view), pool_(pool), previous_end_(view.opened()) {}

  ExchangeLog(ExchangeLog&&) = default;
  /// Gives all exchanges that were not handed on back to the pool.
  ~ExchangeLog() {
    if (!open_.empty() || !unconfirmed_.empty() || !finished_.empty()) [[unlikely]]
      give_all_back();
  }

  const StreamView& view() const { return view_; }

  /// Continues the numbers and times of `before`, the log of the same connection under another protocol, and takes over
  /// its finished exchanges.
  void continue_from(ExchangeLog& before) {
    count_ = before.count_;
    spare_number_ = before.spare_number_;
    previous_end_ = before.previous_end_;
    while (Exchange* const exchange = before.finished_.pop_front()) finished_.push_back(*exchange);
  }

  /// Opens an exchange whose first bytes came with `arrival`.
  Exchange& open(const Arrival& arrival);

  /// Opens an exchange for a response whose request is not known. It gets a number when it is closed, unless it is
  /// joined with a request before that.
  Exchange& open_response(const Arrival& arrival);

  /// Moves the beginning of `exchange` to `arrival`: the capture shows its response before its request.
  void move_beginning(Exchange& exchange, const Arrival& arrival) const;

  /// Starts an open exchange again with bytes that came with `arrival`.
  void restart(Exchange& exchange, const Arrival& arrival) const;

  /// Moves the response of `response`, which has been summed up, to `request`. `response` is gone then.
  void join(Exchange& request, Exchange& response);

  /// Adds `bytes` to a message of `exchange`, `body` of them content. They came with `arrival`.
  void count_bytes(Exchange& exchange, Direction direction, const Arrival& arrival, std::uint64_t bytes,
                   std::uint64_t body) const {
    Message& message = exchange.message(direction);
    message.bytes += bytes;
    message.body_bytes += body;
    message.last = arrival.time;
    message.last_before_retransmission = kUnknownTime;
    exchange.last_packet = std::max(exchange.last_packet, arrival.packet);
    if (pool_.wanted().steps && direction == Direction::to_client) add_step(exchange, arrival);
  }

  /// Computes the counts and causes of `exchange` as if it ended at `time`.
  void sum_up(Exchange& exchange, Nanos time) const;

  /// Ends an exchange that has been summed up.
  void close(Exchange& exchange, Outcome outcome);

  /// Removes an exchange that turned out not to be one.
  void discard(Exchange& exchange);

  Exchange* oldest() const { return open_.front(); }
  Exchange* newest() const { return open_.back(); }
  bool empty() const { return open_.empty(); }
  bool is_full() const { return open_.size() >= kMaxOpen; }
  /// How many exchanges have been opened, without the discarded ones.
  std::uint64_t count() const { return count_; }
  const Wanted& wanted() const { return pool_.wanted(); }
  std::pmr::memory_resource* memory() const { return pool_.memory(); }
  /// Approximate memory that its exchanges hold, in bytes.
  std::size_t held_bytes() const;

  bool has_finished() const { return !finished_.empty(); }

  /// Removes and returns the next finished exchange, in the order of their ends; null where there is none. The caller
  /// gives it back to the pool.
  Exchange* next_finished() { return finished_.pop_front(); }

  /// Records that the connection's next packet came `gap` after the one before it.
  void record_packet_gap(Nanos gap) {
    if (open_.empty() || gap <= open_.back()->gap_alone) return;
    open_.back()->gap_alone = gap;
    if (gap > most_gap_) most_gap_ = gap;
  }

  /// Records that the client has acknowledged the response stream before `offset`. Returns whether finished exchanges
  /// can be handed on.
  bool confirm(std::uint64_t offset) {
    if (unconfirmed_.empty()) [[likely]]
      return false;
    while (!unconfirmed_.empty() && unconfirmed_.front()->response.end() <= offset) {
      finished_.push_back(*unconfirmed_.pop_front());
    }
    return !finished_.empty();
  }

  /// Records that bytes of `direction` from offset `begin` on, which were delivered before, got lost after the capture
  /// point and reached their receiver by a retransmission at `time`.
  void record_retransmission(Direction direction, std::uint64_t begin, Nanos time);

  /// Records that the latest retransmission of `direction` was spurious: its bytes had arrived the first time.
  void record_spurious(Direction direction);

 private:
  void give_all_back();
  static void add_step(Exchange& exchange, const Arrival& arrival);
  Exchange& add(const Arrival& arrival);
  void remove_open(Exchange& exchange);
  void move_end(Exchange& exchange, Nanos time);

  StreamView view_;
  ExchangePool& pool_;
  ExchangeQueue open_;
  ExchangeQueue unconfirmed_;  // over, but the client may lack a part
  ExchangeQueue finished_;
  std::uint64_t count_ = 0;
  std::uint64_t spare_number_ = 0;  // of a discarded exchange, for the next one; 0: none
  Nanos most_gap_ = 0;              // the longest recorded while exchanges were open
  Nanos previous_end_;              // of the exchange before, or of the handshake
};

}  // namespace wirelap
