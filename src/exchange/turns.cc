#include "exchange/turns.h"

#include <algorithm>
#include <utility>

namespace wirelap {

bool Turns::begins(const Arrival& arrival, std::uint64_t answer) const {
  if (present_ == nullptr) return true;
  // Or of one that the capture missed.
  if (arrival.acknowledged > connection_.stream(other(connection_.client)).next) return true;
  return arrival.acknowledged > (present_->response.begun ? present_->response.begin : answer);
}

bool Turns::is_unasked(const Arrival& arrival) const {
  const std::uint64_t captured = connection_.stream(connection_.client).next;
  return arrival.acknowledged > captured && present_ != nullptr && present_->response.begun &&
         present_->acknowledged <= captured;
}

Exchange& Turns::begin_unasked(const Arrival& arrival, std::uint64_t offset) {
  Exchange& turn = begin(arrival, connection_.stream(connection_.client).next);
  turn.request.begun = false;
  turn.request.first = kUnknownTime;
  turn.seen = offset;
  turn.outcome = Outcome::gap;
  begin_response(arrival, offset);
  return turn;
}

bool Turns::may_begin(const Arrival& arrival, std::uint64_t offset, bool missing) const {
  // It was answered already.
  if (present_ != nullptr && offset < present_->acknowledged) return false;
  if (!missing || arrival.acknowledged != 0) return begins(arrival);
  return present_ == nullptr || present_->response.begun;
}

Exchange& Turns::begin(const Arrival& arrival, std::uint64_t offset) {
  close_previous(arrival.time);
  previous_ = present_;
  present_ = &exchanges_.open(arrival);
  if (previous_ != nullptr) {
    const Nanos end = std::max(previous_->ended, previous_->response.last);
    present_->idle = Handshake::between(end, arrival.time);
  }
  present_->protocol = protocol_;
  present_->seen = arrival.acknowledged;
  begin_message(present_->request, arrival, offset);
  return *present_;
}

Exchange& Turns::begin_with_greeting(const Arrival& arrival) {
  Exchange& turn = begin(arrival, 0);
  turn.request.first = turn.request.last = connection_.handshake.ack;
  turn.idle = 0;
  turn.causes_before = {};
  turn.gap_alone = std::max(turn.gap_alone, arrival.time - connection_.last_time);
  begin_response(arrival, 0);
  return turn;
}

void Turns::begin_response(const Arrival& arrival, std::uint64_t offset) {
  close_previous(arrival.time);
  if (!present_->response.begun) present_->acknowledged = arrival.acknowledged;
  begin_message(present_->response, arrival, offset);
}

Exchange& Turns::place_request(const Arrival& arrival, std::uint64_t offset, bool missing) {
  const bool hides_turn = present_ == nullptr || present_->response.begun;
  if (may_begin(arrival, offset, missing)) begin(arrival, offset);
  if (hides_turn) present_->outcome = Outcome::gap;
  return *present_;
}

Exchange* Turns::place_response(const Arrival& arrival, std::uint64_t offset, bool missing) {
  if (present_ == nullptr) return nullptr;
  // The client had them before it sent the present turn, or the server sent them before it had that.
  const bool early = !missing && !present_->response.begun && is_early(arrival);
  if (early || offset < present_->seen) {
    if (previous_ != nullptr) begin_message(previous_->response, arrival, offset);
    return previous_;
  }
  if (missing && !present_->response.begun) present_->outcome = Outcome::gap;
  begin_response(arrival, offset);
  return present_;
}

void Turns::begin_message(Message& message, const Arrival& arrival, std::uint64_t offset) {
  if (message.begun) return;
  message.begun = true;
  message.complete = true;
  message.first = arrival.time;
  message.begin = offset;
}

void Turns::count(Exchange& turn, Direction direction, const Arrival& arrival, std::uint64_t bytes,
                  std::uint64_t body) const {
  Message& message = turn.message(direction);
  if (message.begun) return exchanges_.count_bytes(turn, direction, arrival, bytes, body);
  message.bytes += bytes;
  message.body_bytes += body;
}

void Turns::sum_up(Nanos time, bool held) {
  for (Exchange* const turn : {previous_, present_}) {
    if (turn == nullptr) continue;
    const bool answered = turn->response.begun ? turn->response.last == time : held;
    if (answered) exchanges_.sum_up(*turn, time);
  }
}

void Turns::close_previous(Nanos time) {
  Exchange* const turn = std::exchange(previous_, nullptr);
  if (turn == nullptr) return;
  if (!turn->response.begun) exchanges_.sum_up(*turn, time);
  exchanges_.close(*turn, turn->response.begun ? turn->outcome : Outcome::gap);
}

void Turns::discard_present(Nanos time) {
  close_previous(time);
  exchanges_.discard(*std::exchange(present_, nullptr));
}

void Turns::end(Outcome outcome, Outcome answered, Nanos time) {
  close_previous(time);
  Exchange* const turn = std::exchange(present_, nullptr);
  if (turn == nullptr) return;
  if (turn->response.begun) {
    // It has been summed up at its last byte.
    return exchanges_.close(*turn, answered == Outcome::complete ? turn->outcome : answered);
  }
  exchanges_.sum_up(*turn, time);
  exchanges_.close(*turn, outcome == Outcome::closed ? Outcome::no_response : outcome);
}

}  // namespace wirelap
