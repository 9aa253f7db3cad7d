#include "exchange/turns.h"

#include <algorithm>
#include <utility>

namespace wirelap {

bool Turns::begins(const Arrival& arrival, std::uint64_t answer) const {
  if (present_ == nullptr) return true;
  // The client has received bytes of an answer that were not captured.
  if (arrival.acknowledged > log_.view().next(Direction::to_client)) return true;
  return arrival.acknowledged > (present_->response.begun ? present_->response.begin : answer);
}

bool Turns::is_unasked(const Arrival& arrival) const {
  const std::uint64_t delivered = log_.view().next(Direction::to_server);
  return arrival.acknowledged > delivered && present_ != nullptr && present_->response.begun &&
         present_->response_acknowledges <= delivered;
}

Exchange& Turns::begin_unasked(const Arrival& arrival, std::uint64_t offset) {
  Exchange& turn = begin(arrival, log_.view().next(Direction::to_server));
  turn.request.begun = false;
  turn.request.first = kUnknownTime;
  turn.request_acknowledges = offset;
  turn.outcome = Outcome::gap;
  begin_response(arrival, offset);
  return turn;
}

bool Turns::may_begin(const Arrival& arrival, std::uint64_t offset, bool not_captured) const {
  // The server had received these bytes when it answered the present turn.
  if (present_ != nullptr && offset < present_->response_acknowledges) return false;
  if (!not_captured || arrival.acknowledged != 0) return begins(arrival);
  return present_ == nullptr || present_->response.begun;
}

Exchange& Turns::begin(const Arrival& arrival, std::uint64_t offset) {
  close_previous(arrival.time);
  previous_ = present_;
  present_ = &log_.open(arrival);
  if (previous_ != nullptr) {
    const Nanos end = std::max(previous_->ended, previous_->response.last);
    present_->idle = Handshake::between(end, arrival.time);
  }
  present_->protocol = protocol_;
  present_->encrypted = encrypted_;
  present_->request_acknowledges = arrival.acknowledged;
  begin_message(present_->request, arrival, offset);
  return *present_;
}

Exchange& Turns::begin_with_greeting(const Arrival& arrival) {
  Exchange& turn = begin(arrival, 0);
  turn.request.first = turn.request.last = log_.view().opened();
  turn.idle = 0;
  turn.causes_before = {};
  turn.gap_alone = std::max(turn.gap_alone, arrival.time - log_.view().previous_packet_time());
  begin_response(arrival, 0);
  return turn;
}

void Turns::begin_response(const Arrival& arrival, std::uint64_t offset) {
  close_previous(arrival.time);
  if (!present_->response.begun) present_->response_acknowledges = arrival.acknowledged;
  begin_message(present_->response, arrival, offset);
}

Exchange& Turns::place_request(const Arrival& arrival, std::uint64_t offset, bool not_captured) {
  const bool hides_turn = present_ == nullptr || present_->response.begun;
  if (may_begin(arrival, offset, not_captured)) begin(arrival, offset);
  if (hides_turn) present_->outcome = Outcome::gap;
  return *present_;
}

Exchange* Turns::place_response(const Arrival& arrival, std::uint64_t offset, bool not_captured) {
  if (present_ == nullptr) return nullptr;
  // The server sent them before it had received the present turn, or the client had them before it sent that.
  const bool early = !not_captured && !present_->response.begun && is_early(arrival);
  if (early || offset < present_->request_acknowledges) {
    if (previous_ != nullptr) begin_message(previous_->response, arrival, offset);
    return previous_;
  }
  if (not_captured && !present_->response.begun) present_->outcome = Outcome::gap;
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
  if (message.begun) return log_.count_bytes(turn, direction, arrival, bytes, body);
  message.bytes += bytes;
  message.body_bytes += body;
}

void Turns::sum_up(Nanos time, bool held) {
  for (Exchange* const turn : {previous_, present_}) {
    if (turn == nullptr) continue;
    const bool answered = turn->response.begun ? turn->response.last == time : held;
    if (answered) log_.sum_up(*turn, time);
  }
}

void Turns::close_previous(Nanos time) {
  Exchange* const turn = std::exchange(previous_, nullptr);
  if (turn == nullptr) return;
  if (!turn->response.begun) log_.sum_up(*turn, time);
  log_.close(*turn, turn->response.begun ? turn->outcome : Outcome::gap);
}

void Turns::discard_present(Nanos time) {
  close_previous(time);
  log_.discard(*std::exchange(present_, nullptr));
}

void Turns::end(Outcome outcome, Outcome answered, Nanos time) {
  close_previous(time);
  Exchange* const turn = std::exchange(present_, nullptr);
  if (turn == nullptr) return;
  if (turn->response.begun) {
    // It was summed up at its last byte.
    return log_.close(*turn, answered == Outcome::complete ? turn->outcome : answered);
  }
  log_.sum_up(*turn, time);
  log_.close(*turn, outcome == Outcome::closed ? Outcome::no_response : outcome);
}

}  // namespace wirelap
