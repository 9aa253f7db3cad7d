#include "app/generic/analyzer.h"

#include <algorithm>
#include <utility>

namespace wirelap::generic {

Analyzer::Analyzer(const StreamView& view, ExchangePool& pool, const Probe& probe)
    : wirelap::Analyzer(view, pool),
      turns_(log_, "tcp", false),
      from_start_(!probe.from_middle),
      settled_(!probe.from_middle) {}

void Analyzer::feed(Direction direction, const StreamData& data, const Arrival& arrival) {
  process(direction, view().next(direction), {data.length, data.length - data.bytes.size()}, arrival);
}

void Analyzer::gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival) {
  const std::uint64_t offset = view().next(direction);
  captured ? process(direction, offset, {count, 0}, arrival) : process_not_captured(direction, offset, count, arrival);
}

void Analyzer::process_not_captured(Direction direction, std::uint64_t offset, std::uint64_t count,
                                    const Arrival& arrival) {
  if (finished_) return;
  Exchange* const turn = direction == Direction::to_server ? &turns_.place_request(arrival, offset, true)
                                                           : turns_.place_response(arrival, offset, true);
  this->count(turn, direction, {count, count}, arrival);
}

void Analyzer::process(Direction direction, std::uint64_t offset, Amount amount, const Arrival& arrival) {
  if (finished_) return;
  Exchange* const turn =
      direction == Direction::to_server ? turn_of_request(arrival, offset) : turn_of_response(arrival, offset);
  count(turn, direction, amount, arrival);
}

void Analyzer::count(Exchange* turn, Direction direction, Amount amount, const Arrival& arrival) {
  if (turn == nullptr) return;
  turns_.count(*turn, direction, arrival, amount.bytes, amount.bytes);
  turn->missing_bytes += amount.not_captured;
  if (direction == Direction::to_client) turns_.sum_up(arrival.time);
}

Exchange* Analyzer::turn_of_request(const Arrival& arrival, std::uint64_t offset) {
  const Exchange* const before = turns_.present();
  if (turns_.begins(arrival)) {
    Exchange& turn = turns_.begin(arrival, offset);
    if (before != nullptr) settled_ = true;
    if (before == nullptr && !from_start_) turn.outcome = Outcome::gap;
  } else if (before->request.bytes == 0) {
    begin_late_request(arrival);
  }
  return turns_.present();
}

/// Begins the request of a turn that began with bytes of the server. The client sent the request before it had received
/// these bytes, or the capture shows it after them.
void Analyzer::begin_late_request(const Arrival& arrival) {
  Exchange& turn = *turns_.present();
  const std::uint64_t first_packet = turn.first_packet;
  log_.move_beginning(turn, arrival);
  turn.first_packet = first_packet;
  turn.request.first = arrival.time;
  // The request was captured after all.
  if (!std::exchange(turn.request.begun, true)) turn.outcome = Outcome::complete;
}

Exchange* Analyzer::turn_of_response(const Arrival& arrival, std::uint64_t offset) {
  Exchange* const turn = turns_.present();
  const bool is_greeting = from_start_ && offset == 0;
  if (turn == nullptr) {
    const bool waited = is_greeting && view().opened() != kUnknownTime;
    return waited ? &turns_.begin_with_greeting(arrival) : nullptr;
  }
  if (turns_.is_unasked(arrival)) return &turns_.begin_unasked(arrival, offset);
  if (turns_.is_early(arrival) && !turn->response.begun && !is_greeting) return turns_.previous();
  if (turns_.is_early(arrival) && turns_.previous() != nullptr) return turns_.previous();
  turns_.begin_response(arrival, offset);
  return turn;
}

void Analyzer::finish(Direction direction, const Arrival& arrival) {
  closing_ = true;
  if (direction == Direction::to_server) goodbye_ = is_goodbye(arrival);
  // No answer can follow the server's FIN. A client may close its direction and still receive an answer.
  if (direction == Direction::to_client) end_turns(Outcome::closed, arrival.time);
}

bool Analyzer::is_goodbye(const Arrival& fin) const {
  const Exchange* const turn = turns_.present();
  if (turn == nullptr || turn->response.begun || turn->number == 1) return false;
  return fin.time - turn->request.last <= std::max<Nanos>(view().round_trip_to_server(), 0);
}

void Analyzer::finish(Outcome outcome, Nanos time) {
  end_turns(outcome, time);
  log_.confirm(StreamPosition::kNever);
}

void Analyzer::end_turns(Outcome outcome, Nanos time) {
  if (std::exchange(finished_, true)) return;
  if (goodbye_ && turns_.present() != nullptr && !turns_.present()->response.begun) turns_.discard_present(time);
  const bool in_order = outcome == Outcome::closed || (outcome == Outcome::reset && closing_);
  turns_.end(outcome, in_order ? Outcome::complete : outcome, time);
}

void Analyzer::yield(Nanos time) {
  // A request for TLS after which the client does not wait for an answer (MySQL's SSLRequest) is not a turn.
  const Exchange* const turn = turns_.present();
  if (turn != nullptr && (!settled_ || !turn->response.begun)) turns_.discard_present(time);
  finish(Outcome::closed, time);
}

bool Analyzer::may_change(Direction direction) const {
  return !finished_ && (!settled_ || (direction == Direction::to_server && view().next(direction) < kMaxBeforeTls));
}

std::uint64_t Analyzer::skippable(Direction direction) const {
  return may_change(direction) ? 0 : StreamPosition::kNever - view().next(direction);
}

}  // namespace wirelap::generic
