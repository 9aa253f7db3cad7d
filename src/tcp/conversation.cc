#include "tcp/conversation.h"

#include <algorithm>
#include <utility>

namespace wirelap::tcp {

Conversation::Conversation(const Connection& connection, http::ExchangePool& pool, bool from_start)
    : Talk(connection, pool),
      connection_(connection),
      turns_(connection, exchanges_, http::Protocol::tcp),
      from_start_(from_start),
      settled_(from_start) {}

void Conversation::feed(Role role, const Chunk& chunk, const Arrival& arrival) {
  take(role, stream(role).next, {chunk.length, chunk.length - chunk.bytes.size()}, arrival);
}

void Conversation::skip(Role role, std::uint64_t count, bool missing, const Arrival& arrival) {
  const std::uint64_t offset = stream(role).next;
  missing ? miss_back(role, offset, count, arrival) : take(role, offset, {count, 0}, arrival);
}

void Conversation::miss_back(Role role, std::uint64_t offset, std::uint64_t count, const Arrival& arrival) {
  if (over_) return;
  http::Exchange* const turn = role == Role::request ? &turns_.place_request(arrival, offset, true)
                                                     : turns_.place_response(arrival, offset, true);
  this->count(turn, role, {count, count}, arrival);
}

void Conversation::take(Role role, std::uint64_t offset, Amount amount, const Arrival& arrival) {
  if (over_) return;
  const bool asks = role == Role::request;
  count(asks ? turn_of_request(arrival, offset) : turn_of_response(arrival, offset), role, amount, arrival);
}

void Conversation::count(http::Exchange* turn, Role role, Amount amount, const Arrival& arrival) {
  if (turn == nullptr) return;
  turns_.count(*turn, role, arrival, amount.bytes, amount.bytes);
  turn->missing_bytes += amount.missing;
  if (role == Role::response) turns_.sum_up(arrival.time);
}

http::Exchange* Conversation::turn_of_request(const Arrival& arrival, std::uint64_t offset) {
  const http::Exchange* const before = turns_.present();
  if (turns_.begins(arrival)) {
    http::Exchange& turn = turns_.begin(arrival, offset);
    if (before != nullptr) settled_ = true;
    if (before == nullptr && !from_start_) turn.outcome = http::Outcome::gap;
  } else if (before->request.bytes == 0) {
    begin_late(arrival);
  }
  return turns_.present();
}

/// The client's first bytes, sent before it had one of the answer, or captured after that.
void Conversation::begin_late(const Arrival& arrival) {
  http::Exchange& turn = *turns_.present();
  const std::uint64_t first_frame = turn.first_frame;
  exchanges().begin_again(turn, arrival);
  turn.first_frame = first_frame;
  turn.request.first = arrival.time;
  // The hole was none.
  if (!std::exchange(turn.request.begun, true)) turn.outcome = http::Outcome::complete;
}

http::Exchange* Conversation::turn_of_response(const Arrival& arrival, std::uint64_t offset) {
  http::Exchange* const turn = turns_.present();
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

void Conversation::finish(Role role, const Arrival& arrival) {
  closing_ = true;
  if (role == Role::request) goodbye_ = is_goodbye(arrival);
  // Without the server there is no answer to come; a client may close its half
  // and still be answered.
  if (role == Role::response) end_turns(http::Outcome::closed, arrival.time);
}

bool Conversation::is_goodbye(const Arrival& fin) const {
  const http::Exchange* const turn = turns_.present();
  if (turn == nullptr || turn->response.begun || turn->number == 1) return false;
  const Nanos path = connection_.timing->path_to(other(connection_.client));
  return fin.time - turn->request.last <= std::max<Nanos>(path, 0);
}

void Conversation::end(http::Outcome outcome, Nanos time) {
  end_turns(outcome, time);
  exchanges().confirm(Stream::kNever);
}

void Conversation::end_turns(http::Outcome outcome, Nanos time) {
  if (std::exchange(over_, true)) return;
  if (goodbye_ && turns_.present() != nullptr && !turns_.present()->response.begun) turns_.discard_present(time);
  const bool in_order = outcome == http::Outcome::closed || (outcome == http::Outcome::reset && closing_);
  turns_.end(outcome, in_order ? http::Outcome::complete : outcome, time);
}

void Conversation::yield(Nanos time) {
  // What asked for the change without waiting for a word (MySQL's SSLRequest) is no turn either.
  const http::Exchange* const turn = turns_.present();
  if (turn != nullptr && (!settled_ || !turn->response.begun)) turns_.discard_present(time);
  end(http::Outcome::closed, time);
}

bool Conversation::may_change(Role role) const {
  return !over_ && (!settled_ || (role == Role::request && stream(role).next < kMaxBeforeTls));
}

std::uint64_t Conversation::skippable(Role role) const {
  return may_change(role) ? 0 : Stream::kNever - stream(role).next;
}

}  // namespace wirelap::tcp
