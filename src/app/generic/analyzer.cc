#include "app/generic/analyzer.h"

#include <algorithm>
#include <utility>

namespace wirelap::generic {

Analyzer::Analyzer(const Connection& connection, ExchangePool& pool, bool from_start)
    : Talk(connection, pool),
      connection_(connection),
      turns_(connection, exchanges_, Protocol::tcp),
      from_start_(from_start),
      settled_(from_start) {}

void Analyzer::feed(Direction direction, const StreamData& data, const Arrival& arrival) {
  take(direction, stream(direction).next, {data.length, data.length - data.bytes.size()}, arrival);
}

void Analyzer::skip(Direction direction, std::uint64_t count, bool missing, const Arrival& arrival) {
  const std::uint64_t offset = stream(direction).next;
  missing ? miss_back(direction, offset, count, arrival) : take(direction, offset, {count, 0}, arrival);
}

void Analyzer::miss_back(Direction direction, std::uint64_t offset, std::uint64_t count, const Arrival& arrival) {
  if (over_) return;
  Exchange* const turn = direction == Direction::to_server ? &turns_.place_request(arrival, offset, true)
                                                           : turns_.place_response(arrival, offset, true);
  this->count(turn, direction, {count, count}, arrival);
}

void Analyzer::take(Direction direction, std::uint64_t offset, Amount amount, const Arrival& arrival) {
  if (over_) return;
  const bool asks = direction == Direction::to_server;
  count(asks ? turn_of_request(arrival, offset) : turn_of_response(arrival, offset), direction, amount, arrival);
}

void Analyzer::count(Exchange* turn, Direction direction, Amount amount, const Arrival& arrival) {
  if (turn == nullptr) return;
  turns_.count(*turn, direction, arrival, amount.bytes, amount.bytes);
  turn->missing_bytes += amount.missing;
  if (direction == Direction::to_client) turns_.sum_up(arrival.time);
}

Exchange* Analyzer::turn_of_request(const Arrival& arrival, std::uint64_t offset) {
  const Exchange* const before = turns_.present();
  if (turns_.begins(arrival)) {
    Exchange& turn = turns_.begin(arrival, offset);
    if (before != nullptr) settled_ = true;
    if (before == nullptr && !from_start_) turn.outcome = Outcome::gap;
  } else if (before->request.bytes == 0) {
    begin_late(arrival);
  }
  return turns_.present();
}

/// The client's first bytes, sent before it had one of the answer, or captured after that.
void Analyzer::begin_late(const Arrival& arrival) {
  Exchange& turn = *turns_.present();
  const std::uint64_t first_packet = turn.first_packet;
  exchanges().begin_again(turn, arrival);
  turn.first_packet = first_packet;
  turn.request.first = arrival.time;
  // The hole was none.
  if (!std::exchange(turn.request.begun, true)) turn.outcome = Outcome::complete;
}

Exchange* Analyzer::turn_of_response(const Arrival& arrival, std::uint64_t offset) {
  Exchange* const turn = turns_.present();
  const bool greets = from_start_ && offset == 0;
  if (turn == nullptr) {
    const bool waited = greets && connection_.handshake.ack != kUnknownTime;
    return waited ? &turns_.begin_with_greeting(arrival) : nullptr;
  }
  if (turns_.is_unasked(arrival)) return &turns_.begin_unasked(arrival, offset);
  if (turns_.is_early(arrival) && !turn->response.begun && !greets) return turns_.previous();
  if (turns_.is_early(arrival) && turns_.previous() != nullptr) return turns_.previous();
  turns_.begin_response(arrival, offset);
  return turn;
}

void Analyzer::finish(Direction direction, const Arrival& arrival) {
  closing_ = true;
  if (direction == Direction::to_server) goodbye_ = is_goodbye(arrival);
  // Without the server there is no answer to come; a client may close its half
  // and still be answered.
  if (direction == Direction::to_client) end_turns(Outcome::closed, arrival.time);
}

bool Analyzer::is_goodbye(const Arrival& fin) const {
  const Exchange* const turn = turns_.present();
  if (turn == nullptr || turn->response.begun || turn->number == 1) return false;
  const Nanos path = connection_.timing->path_to(other(connection_.client));
  return fin.time - turn->request.last <= std::max<Nanos>(path, 0);
}

void Analyzer::end(Outcome outcome, Nanos time) {
  end_turns(outcome, time);
  exchanges().confirm(Stream::kNever);
}

void Analyzer::end_turns(Outcome outcome, Nanos time) {
  if (std::exchange(over_, true)) return;
  if (goodbye_ && turns_.present() != nullptr && !turns_.present()->response.begun) turns_.discard_present(time);
  const bool in_order = outcome == Outcome::closed || (outcome == Outcome::reset && closing_);
  turns_.end(outcome, in_order ? Outcome::complete : outcome, time);
}

void Analyzer::yield(Nanos time) {
  // What asked for the change without waiting for a word (MySQL's SSLRequest) is no turn either.
  const Exchange* const turn = turns_.present();
  if (turn != nullptr && (!settled_ || !turn->response.begun)) turns_.discard_present(time);
  end(Outcome::closed, time);
}

bool Analyzer::may_change(Direction direction) const {
  return !over_ && (!settled_ || (direction == Direction::to_server && stream(direction).next < kMaxBeforeTls));
}

std::uint64_t Analyzer::skippable(Direction direction) const {
  return may_change(direction) ? 0 : Stream::kNever - stream(direction).next;
}

}  // namespace wirelap::generic
