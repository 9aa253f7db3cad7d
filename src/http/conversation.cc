#include "http/conversation.h"

#include <algorithm>

namespace wirelap::http {
namespace {

TcpCounts operator-(const TcpCounts& now, const TcpCounts& then) {
  return {now.packets - then.packets, now.zero_windows - then.zero_windows};
}

bool at_start(const Stream& stream) { return stream.from_syn && stream.next == 0; }

Parser make_parser(Role role, const Stream& stream) { return {role, stream.next, at_start(stream)}; }

std::string_view text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace

bool Conversation::may_begin(Connection& connection, Side sender, Bytes bytes) {
  if (connection.client_known) {
    const Role role = sender == connection.client ? Role::request : Role::response;
    if (at_start(connection.stream(sender))) return is_start_line(text(bytes), role) != Likeness::no;
    return Parser::begins_message(bytes, role);
  }
  const bool request = Parser::begins_message(bytes, Role::request);
  if (!request && !Parser::begins_message(bytes, Role::response)) return false;
  connection.set_client(request ? sender : other(sender));
  return true;
}

Conversation::Conversation(const Connection& connection, ExchangePool& pool)
    : connection_(connection),
      pool_(pool),
      requests_(make_parser(Role::request, connection.stream(connection.client))),
      responses_(make_parser(Role::response, connection.stream(other(connection.client)))),
      previous_end_(connection.handshake.ack) {}

void Conversation::feed(Role role, const Chunk& chunk, const Arrival& arrival) {
  arrival_ = arrival;
  parser(role).feed(chunk.bytes, *this);
  const std::uint64_t uncaptured = chunk.length - chunk.bytes.size();
  if (uncaptured != 0) skip(role, uncaptured, true, arrival);
}

void Conversation::skip(Role role, std::uint64_t count, bool missing, const Arrival& arrival) {
  arrival_ = arrival;
  parser(role).skip(count, missing, *this);
}

void Conversation::finish(Role role, const Arrival& arrival) {
  arrival_ = arrival;
  parser(role).finish(*this);
  // Without the server there is no response to come; a client may close its
  // half and still be answered.
  if (role == Role::response) end(Outcome::closed, arrival.time);
}

void Conversation::end(Outcome outcome, Nanos time) {
  while (Exchange* const exchange = open_.front()) {
    const bool unanswered = outcome == Outcome::closed && !exchange->response.begun;
    finish_exchange(*exchange, unanswered ? Outcome::no_response : outcome, time);
  }
}

Exchange& Conversation::open_exchange() {
  if (open_.size() >= kMaxOpen) finish_exchange(*open_.front(), Outcome::evicted, arrival_.time);
  Exchange& exchange = pool_.take();
  exchange.number = ++exchanges_;
  exchange.first_frame = arrival_.frame;
  exchange.tcp = connection_.counts;
  exchange.tcp.packets -= 1;  // the packet that brought its first byte is its own
  if (exchange.number == 1 && connection_.handshake.ack != kUnknownTime) {
    exchange.tcp = {};
    exchange.max_gap = connection_.handshake.max_gap;
  }
  if (!open_.empty()) {
    exchange.idle = 0;
  } else if (previous_end_ != kUnknownTime) {
    exchange.idle = std::max<Nanos>(0, arrival_.time - previous_end_);
  }
  open_.push_back(exchange);
  return exchange;
}

Exchange& Conversation::exchange_for_request(std::uint64_t offset) {
  // The capture may show a response before the request that it answers.
  Exchange* const last = open_.back();
  const bool answered = last != nullptr && !last->request.begun && offset < last->acknowledged;
  return answered ? *last : open_exchange();
}

Exchange& Conversation::exchange_for_response() {
  const auto asked_before_this = [this](const Exchange* exchange) {
    return exchange != nullptr && exchange->request.begun && !exchange->response.begun &&
           exchange->request.begin < arrival_.acknowledged;
  };
  // After lost responses the last request that this one can answer is its own.
  while (resynced_ && asked_before_this(open_.front()) && asked_before_this(open_.front()->next)) {
    finish_exchange(*open_.front(), Outcome::gap, arrival_.time);
  }
  resynced_ = false;
  Exchange* const first = open_.front();
  return asked_before_this(first) ? *first : open_exchange();
}

void Conversation::on_begin(Role role, std::uint64_t offset) {
  Exchange*& exchange = current(role);
  if (role == Role::request) {
    exchange = &exchange_for_request(offset);
  } else if (exchange == nullptr) {
    exchange = &exchange_for_response();
    exchange->acknowledged = arrival_.acknowledged;
  }
  Message& begun = message(*exchange, role);
  begun.begun = true;
  begun.first = arrival_.time;
  begun.begin = offset;
}

Framing Conversation::on_head(Role role, const Head& head) {
  Exchange& exchange = *current(role);
  if (role == Role::request) {
    exchange.method.assign(head.method);
    exchange.target.assign(head.target);
    exchange.host.assign(head.host);
    exchange.minor_version = head.minor_version;
    return request_framing(head);
  }
  const bool interim = head.status < 200 && head.status != 101;
  if (interim) return {Framing::Kind::length, 0};
  exchange.status = head.status;
  if (!exchange.request.begun) exchange.minor_version = head.minor_version;
  return response_framing(head, exchange.method);
}

void Conversation::on_bytes(Role role, std::uint64_t count, std::uint64_t body) {
  Exchange* const exchange = current(role);
  if (exchange == nullptr) return;
  Message& message_now = message(*exchange, role);
  message_now.bytes += count;
  message_now.body_bytes += body;
  message_now.last = arrival_.time;
  exchange->last_frame = std::max(exchange->last_frame, arrival_.frame);
}

void Conversation::on_missing(Role role, std::uint64_t count) {
  if (Exchange* const exchange = current(role)) exchange->missing_bytes += count;
}

void Conversation::on_end(Role role) {
  Exchange* const exchange = current(role);
  if (exchange == nullptr) return;
  if (role == Role::response && exchange->status == 0) return restart_response();
  message(*exchange, role).complete = true;
  current(role) = nullptr;
  finish_if_complete(*exchange);
}

/// An interim response (1xx) is no answer: the final one is still to begin. Its
/// bytes count, its time does not.
void Conversation::restart_response() {
  Message& response = responding_->response;
  response.begun = false;
  response.first = kUnknownTime;
}

void Conversation::finish_if_complete(Exchange& exchange) {
  const Message& request = exchange.request;
  if (!exchange.response.complete || requesting_ == &exchange) return;
  finish_exchange(exchange, request.complete ? Outcome::complete : Outcome::gap, arrival_.time);
}

void Conversation::on_lost(Role role) {
  Exchange* const exchange = current(role);
  current(role) = nullptr;
  if (role == Role::response) resynced_ = true;
  if (exchange == nullptr) return;
  // With a response's end its exchange's is hidden; a request whose end is may
  // still be answered.
  if (role == Role::response) {
    finish_exchange(*exchange, Outcome::gap, arrival_.time);
  } else {
    finish_if_complete(*exchange);
  }
}

void Conversation::on_garbage(Role role) {
  Exchange& exchange = *current(role);
  current(role) = nullptr;
  message(exchange, role) = {};
  if (exchange.request.begun || exchange.response.begun) return;
  open_.remove(exchange);
  --exchanges_;
  pool_.give_back(exchange);
}

void Conversation::finish_exchange(Exchange& exchange, Outcome outcome, Nanos time) {
  exchange.outcome = outcome;
  exchange.ended = time;
  for (const Exchange* later = exchange.next; later != nullptr; later = later->next) {
    exchange.max_gap = std::max(exchange.max_gap, later->max_gap);
  }
  if (Exchange* const before = open_.remove(exchange)) {
    before->max_gap = std::max(before->max_gap, exchange.max_gap);
  }
  exchange.tcp = connection_.counts - exchange.tcp;
  previous_end_ = time;
  if (requesting_ == &exchange) requesting_ = nullptr;
  if (responding_ == &exchange) responding_ = nullptr;
  finished_.push_back(exchange);
}

}  // namespace wirelap::http
