#include "exchange/log.h"

#include <algorithm>
#include <utility>

namespace wirelap {

void ExchangeLog::give_all_back() {
  for (ExchangeQueue* const queue : {&open_, &unconfirmed_, &finished_}) {
    while (Exchange* const exchange = queue->pop_front()) pool_.give_back(*exchange);
  }
}

std::size_t ExchangeLog::held_bytes() const {
  std::size_t bytes = 0;
  for (const ExchangeQueue* const queue : {&open_, &unconfirmed_}) {
    for (const Exchange* exchange = queue->front(); exchange != nullptr; exchange = exchange->next) {
      bytes += exchange->held_bytes();
    }
  }
  return bytes;
}

Exchange& ExchangeLog::add(const Arrival& arrival) {
  if (open_.empty()) most_gap_ = 0;
  Exchange& exchange = pool_.take();
  restart(exchange, arrival);
  open_.push_back(exchange);
  return exchange;
}

void ExchangeLog::add_step(Exchange& exchange, const Arrival& arrival) {
  // 24 MiB. While the list grows it needs the same amount once more.
  constexpr std::size_t kMaxSteps = std::size_t{1} << 20;
  Steps& steps = exchange.steps;
  if (steps.empty() || steps.back().packet != arrival.packet) {
    if (steps.size() == kMaxSteps) return;
    steps.push_back({arrival.time, arrival.packet, 0});
  }
  steps.back().reached = exchange.response.bytes;
}

void ExchangeLog::restart(Exchange& exchange, const Arrival& arrival) const {
  exchange.tcp_before = view_.counts();
  exchange.tcp_before.packets -= 1;  // the packet with its first byte is part of it
  exchange.gap_alone = 0;
  move_beginning(exchange, arrival);
}

Exchange& ExchangeLog::open(const Arrival& arrival) {
  Exchange& exchange = add(arrival);
  const std::uint64_t spare = std::exchange(spare_number_, 0);
  exchange.number = spare != 0 ? spare : ++count_;
  if (exchange.number == 1 && view_.opened() != kUnknownTime) {
    exchange.tcp_before = {};
    exchange.gap_alone = view_.handshake_max_gap();
  }
  return exchange;
}

Exchange& ExchangeLog::open_response(const Arrival& arrival) {
  Exchange& exchange = add(arrival);
  exchange.match = Match::unmatched;
  return exchange;
}

void ExchangeLog::join(Exchange& request, Exchange& response) {
  request.match = Match::joined;
  if (response.number != 0) {
    // Two numbers for one exchange: the next exchange gets the other one.
    spare_number_ = std::max(request.number, response.number);
    request.number = std::min(request.number, response.number);
  }
  request.response = response.response;
  request.status = response.status;
  request.response_acknowledges = response.response_acknowledges;
  request.missing_bytes += response.missing_bytes;
  request.last_packet = std::max(request.last_packet, response.last_packet);
  request.headers.resize(std::max(request.headers.size(), response.headers.size()));
  for (std::size_t i = 0; i < response.headers.size(); ++i) {
    if (response.headers[i]) request.headers[i] = std::move(response.headers[i]);
  }
  request.steps = std::move(response.steps);
  request.ended = response.ended;
  request.tcp = response.tcp - (request.tcp_before - response.tcp_before);
  request.causes = response.causes - (request.causes_before - response.causes_before);
  request.attributed = response.attributed;
  request.max_gap = response.max_gap;
  for (const Exchange* between = &request; between != nullptr && between != &response; between = between->next) {
    request.max_gap = std::max(request.max_gap, between->gap_alone);
  }
  remove_open(response);
  pool_.give_back(response);
}

/// Removes `exchange` from the open ones. The time after its latest packet now belongs to the exchange before it.
void ExchangeLog::remove_open(Exchange& exchange) {
  if (Exchange* const before = open_.remove(exchange)) {
    before->gap_alone = std::max(before->gap_alone, exchange.gap_alone);
  }
}

void ExchangeLog::move_beginning(Exchange& exchange, const Arrival& arrival) const {
  exchange.first_packet = arrival.packet;
  const bool alone = open_.empty() || open_.front() == &exchange;
  exchange.idle = !alone ? 0 : Handshake::between(previous_end_, arrival.time);
  exchange.causes_before = view_.causes_until(arrival.time);
}

void ExchangeLog::sum_up(Exchange& exchange, Nanos time) const {
  exchange.ended = time;
  exchange.max_gap = exchange.gap_alone;
  // The loop ends as soon as no longer gap can follow, so that many open exchanges are seldom walked.
  for (const Exchange* later = exchange.next; later != nullptr && exchange.max_gap < most_gap_; later = later->next) {
    exchange.max_gap = std::max(exchange.max_gap, later->gap_alone);
  }
  exchange.tcp = view_.counts() - exchange.tcp_before;
  exchange.causes = view_.causes_until(time) - exchange.causes_before;
  exchange.attributed = view_.has_round_trip();
}

void ExchangeLog::close(Exchange& exchange, Outcome outcome) {
  exchange.outcome = outcome;
  if (exchange.number == 0) {
    const std::uint64_t spare = std::exchange(spare_number_, 0);
    exchange.number = spare != 0 ? spare : ++count_;
  }
  previous_end_ = exchange.ended;
  remove_open(exchange);
  const std::uint64_t acknowledged = view_.position(Direction::to_client).acknowledged;
  const bool whole = outcome == Outcome::complete || outcome == Outcome::gap;
  const bool confirmed = exchange.response.end() <= acknowledged;
  // Without any acknowledgment the client's direction is not in the capture.
  const bool client_unseen = exchange.number > 1 && acknowledged == 0;
  if (whole && !confirmed && !client_unseen && view_.may_get_lost(Direction::to_client)) {
    unconfirmed_.push_back(exchange);
    while (unconfirmed_.size() > kMaxUnconfirmed) finished_.push_back(*unconfirmed_.pop_front());
  } else {
    finished_.push_back(exchange);
  }
}

void ExchangeLog::discard(Exchange& exchange) {
  open_.remove(exchange);
  if (exchange.number == count_) {
    --count_;
  } else {
    spare_number_ = exchange.number;
  }
  pool_.give_back(exchange);
}

void ExchangeLog::record_retransmission(Direction direction, std::uint64_t begin, Nanos time) {
  for (ExchangeQueue* queue : {&unconfirmed_, &open_}) {
    for (Exchange* exchange = queue->front(); exchange != nullptr; exchange = exchange->next) {
      Message& late = exchange->message(direction);
      if (!late.begun || begin >= late.end()) continue;
      late.last_before_retransmission = late.last;
      late.last = time;
      const bool was_over = queue == &unconfirmed_ || exchange->ended == late.last_before_retransmission;
      if (was_over) move_end(*exchange, time);
    }
  }
}

void ExchangeLog::record_spurious(Direction direction) {
  for (ExchangeQueue* queue : {&unconfirmed_, &open_}) {
    for (Exchange* exchange = queue->front(); exchange != nullptr; exchange = exchange->next) {
      Message& early = exchange->message(direction);
      if (early.last_before_retransmission == kUnknownTime) continue;
      early.last = std::exchange(early.last_before_retransmission, kUnknownTime);
      if (queue == &unconfirmed_) move_end(*exchange, early.last);
    }
  }
}

void ExchangeLog::move_end(Exchange& exchange, Nanos time) {
  sum_up(exchange, time);
  previous_end_ = time;
}

}  // namespace wirelap
