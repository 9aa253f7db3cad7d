#include "http/conversation.h"

#include <algorithm>
#include <utility>

namespace wirelap::http {
namespace {

constexpr int index(Role role) { return static_cast<int>(role); }

Parser make_parser(Role role, const Stream& stream) { return {role, stream.next, stream.at_start()}; }

}  // namespace

bool Conversation::may_begin(Connection& connection, Side sender, Bytes bytes) {
  if (connection.client_known) {
    const Role role = sender == connection.client ? Role::request : Role::response;
    if (connection.stream(sender).at_start()) return is_start_line(as_text(bytes), role) != Likeness::no;
    return Parser::begins_message(bytes, role);
  }
  const bool request = Parser::begins_message(bytes, Role::request);
  if (!request && !Parser::begins_message(bytes, Role::response)) return false;
  connection.set_client(request ? sender : other(sender));
  return true;
}

Conversation::Conversation(const Connection& connection, ExchangePool& pool)
    : connection_(connection),
      exchanges_(connection, pool),
      requests_(make_parser(Role::request, connection.stream(connection.client))),
      responses_(make_parser(Role::response, connection.stream(other(connection.client)))) {}

void Conversation::feed(Role role, const Chunk& chunk, const Arrival& arrival) {
  arrival_ = arrival;
  parser(role).feed(chunk.bytes, *this);
  const std::uint64_t uncaptured = chunk.length - chunk.bytes.size();
  if (uncaptured != 0) parser(role).skip(uncaptured, true, *this);
  if (role == Role::request) pass_requests(connection_.stream(connection_.client).next + chunk.length);
  tell_whom_to_wait_for();
}

void Conversation::tell_whom_to_wait_for() const {
  // While an older request waits for its answer, a newer one keeps nobody waiting.
  if (!exchanges_.empty())
    connection_.timing->wait_for(exchanges_.oldest() == requesting_ ? connection_.client : other(connection_.client));
}

void Conversation::skip(Role role, std::uint64_t count, bool missing, const Arrival& arrival) {
  arrival_ = arrival;
  parser(role).skip(count, missing, *this);
  if (role == Role::request) pass_requests(connection_.stream(connection_.client).next + count);
}

void Conversation::finish(Role role, const Arrival& arrival) {
  arrival_ = arrival;
  parser(role).finish(*this);
  // Without the server there is no response to come; a client may close its
  // half and still be answered.
  if (role == Role::response) end_open(Outcome::closed, arrival.time);
}

void Conversation::end(Outcome outcome, Nanos time) {
  end_open(outcome, time);
  exchanges_.confirm(Stream::kNever);
}

void Conversation::end_open(Outcome outcome, Nanos time) {
  requests_.reveal_start_line(*this);
  responses_.reveal_start_line(*this);
  while (Exchange* const exchange = exchanges_.oldest()) {
    if (!exchange->request.begun && !exchange->response.begun) {
      exchanges_.discard(*exchange);  // interim responses to a request that was not captured
      if (responding_ == exchange) responding_ = nullptr;
      continue;
    }
    if (is_unasked(*exchange) || exchange == adrift_[index(Role::response)]) {
      finish_exchange(*exchange, Outcome::gap, exchange->response.last);
      continue;
    }
    const bool unanswered = outcome == Outcome::closed && !exchange->response.begun;
    finish_exchange(*exchange, unanswered ? Outcome::no_response : outcome, time);
  }
}

Exchange& Conversation::open_exchange() {
  if (exchanges_.is_full()) finish_exchange(*exchanges_.oldest(), Outcome::evicted, arrival_.time);
  return exchanges_.open(arrival_);
}

Exchange& Conversation::exchange_for_request(std::uint64_t offset) {
  // The capture may show a response before the request that it answers.
  if (exchanges_.empty() || exchanges_.newest()->request.begun) return open_exchange();
  Exchange* exchange = exchanges_.oldest();
  while (exchange != nullptr && (exchange->request.begun || offset >= exchange->acknowledged))
    exchange = exchange->next;
  return exchange != nullptr ? *exchange : open_exchange();
}

Exchange& Conversation::exchange_for_response(std::uint64_t offset) {
  if (std::exchange(resynced_, false)) give_up_unanswered(offset);
  Exchange* const first = exchanges_.oldest();
  return first != nullptr && is_asked(*first) ? *first : open_exchange();
}

/// After lost responses: gives up the requests that they may have answered,
/// before the response that begins at `offset`. It answers a request that was
/// sent when the client had all before it. Of requests sent without waiting any
/// may be its own, and none is.
void Conversation::give_up_unanswered(std::uint64_t offset) {
  while (exchanges_.oldest() != nullptr && is_asked(*exchanges_.oldest()) && exchanges_.oldest()->seen < offset) {
    finish_exchange(*exchanges_.oldest(), Outcome::gap, arrival_.time);
  }
}

/// Whether the response that begins now can answer the request of `exchange`.
bool Conversation::is_asked(const Exchange& exchange) const {
  return exchange.request.begun && !exchange.response.begun && exchange.request.begin < arrival_.acknowledged;
}

void Conversation::on_begin(Role role, std::uint64_t offset) {
  end_adrift();
  adrift_[index(Role::request)] = nullptr;
  Exchange*& exchange = current(role);
  if (role == Role::request) {
    exchange = &exchange_for_request(offset);
    exchange->seen = arrival_.acknowledged;
    exchanges_.begin_again(*exchange, arrival_);
  } else if (exchange == nullptr) {
    exchange = &exchange_for_response(offset);
    exchange->acknowledged = arrival_.acknowledged;
  }
  Message& begun = exchange->message(role);
  begun.begun = true;
  begun.first = arrival_.time;
  if (begun.bytes == 0) begun.begin = offset;  // else interim responses came before
}

void Conversation::on_start_line(Role role, const Head& head) {
  Exchange* const exchange = current(role);
  if (exchange == nullptr || (role == Role::response && head.is_interim())) return;
  if (role == Role::request) {
    exchange->method.assign(head.method);
    exchange->target.assign(head.target);
    exchange->host.assign(head.host);
  } else {
    exchange->status = head.status;
  }
  if (!exchanges_.wanted().headers.empty()) keep_headers(*exchange, head);
  if (role == Role::request || !exchange->request.begun) exchange->minor_version = head.minor_version;
}

/// Of a field that both messages have the response's stays.
void Conversation::keep_headers(Exchange& exchange, const Head& head) const {
  const std::vector<std::string>& names = exchanges_.wanted().headers;
  exchange.headers.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (auto value = find_field(head.fields, names[i])) exchange.headers[i] = std::move(value);
  }
}

Framing Conversation::on_head(Role role, const Head& head) {
  on_start_line(role, head);
  if (role == Role::request) return request_framing(head);
  if (head.is_interim()) return {Framing::Kind::length, 0};
  const Exchange* const exchange = current(role);  // null where it has been given up
  if (switches_to_h2(head)) {
    restart_response();
    responding_->status = Exchange::kNoStatus;
    left_for_h2_ = 0;
    return {Framing::Kind::tunnel, 0};
  }
  const std::string_view method = exchange != nullptr ? std::string_view(exchange->method) : std::string_view();
  // From here on the client's bytes are the tunnel's, too.
  if (begins_tunnel(head, method)) requests_.stop();
  return response_framing(head, method);
}

/// Whether from this response's end on the connection is HTTP/2, as its request asked for.
bool Conversation::switches_to_h2(const Head& head) const {
  if (head.status != 101 || responding_ == nullptr || responding_ != exchanges_.newest()) return false;
  const std::optional<std::string> protocol = find_field(head.fields, "upgrade");
  return protocol && *protocol == "h2c";
}

void Conversation::on_bytes(Role role, std::uint64_t count, std::uint64_t body) {
  if (left_for_h2_) {
    *left_for_h2_ += count;
    return;
  }
  Exchange* const exchange = current(role);
  if (exchange == nullptr) return;
  Message& message_now = exchange->message(role);
  message_now.bytes += count;
  message_now.body_bytes += body;
  message_now.last = arrival_.time;
  message_now.resent_after = kUnknownTime;
  exchange->last_frame = std::max(exchange->last_frame, arrival_.frame);
  if (exchanges_.wanted().steps && role == Role::response) note_step(*exchange);
}

void Conversation::note_step(Exchange& exchange) const {
  if (exchange.steps.empty() || exchange.steps.back().frame != arrival_.frame) {
    exchange.steps.push_back({arrival_.time, arrival_.frame, 0});
  }
  exchange.steps.back().reached = exchange.response.bytes;
}

void Conversation::on_missing(Role role, std::uint64_t count) {
  if (Exchange* const exchange = current(role)) exchange->missing_bytes += count;
}

void Conversation::on_end(Role role) {
  Exchange* const exchange = current(role);
  if (exchange == nullptr) return;
  if (role == Role::response && exchange->status == Exchange::kNoStatus) return restart_response();
  exchange->message(role).complete = true;
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

/// The requests' stream is known, or known to be missing, up to `offset`: a
/// response that waits for a request before it waits in vain.
void Conversation::pass_requests(std::uint64_t offset) {
  while (exchanges_.oldest() != nullptr && is_unasked(*exchanges_.oldest()) &&
         exchanges_.oldest()->acknowledged <= offset) {
    finish_exchange(*exchanges_.oldest(), Outcome::gap, exchanges_.oldest()->response.last);
  }
}

void Conversation::finish_if_complete(Exchange& exchange) {
  const Message& request = exchange.request;
  if (!exchange.response.complete || requesting_ == &exchange) return;
  // The request may have been captured after its response.
  if (!request.begun && connection_.stream(connection_.client).next < exchange.acknowledged) return;
  finish_exchange(exchange, request.complete ? Outcome::complete : Outcome::gap, arrival_.time);
}

void Conversation::on_lost(Role role) {
  Exchange* const exchange = current(role);
  current(role) = nullptr;
  if (role == Role::response) resynced_ = true;
  adrift_[index(role)] = exchange;
  if (exchange != nullptr && role == Role::response) exchanges_.sum_up(*exchange, arrival_.time);
  if (exchange != nullptr && role == Role::request) finish_if_complete(*exchange);
}

/// Until another message begins, what comes belongs to the one whose end is hidden.
void Conversation::on_stray(Role role, std::uint64_t count, bool missing) {
  Exchange* const exchange = adrift_[index(role)];
  if (exchange == nullptr || (role == Role::request && exchange->response.begun)) return;
  Message& late = exchange->message(role);
  late.bytes += count;
  late.last = arrival_.time;
  if (missing) exchange->missing_bytes += count;
  exchange->last_frame = std::max(exchange->last_frame, arrival_.frame);
  if (role == Role::response) exchanges_.sum_up(*exchange, arrival_.time);
}

/// Another message begins: the response whose end was hidden has ended.
void Conversation::end_adrift() {
  if (Exchange* const exchange = adrift_[index(Role::response)]) {
    finish_exchange(*exchange, Outcome::gap, exchange->response.last);
  }
}

void Conversation::on_garbage(Role role) {
  if (current(role) == nullptr) return;
  Exchange& exchange = *current(role);
  current(role) = nullptr;
  // An answer that cannot be read is one all the same.
  if (role == Role::response && exchange.request.begun) {
    resynced_ = true;
    return finish_exchange(exchange, Outcome::gap, arrival_.time);
  }
  exchange.message(role) = {};
  if (!exchange.response.begun) exchanges_.discard(exchange);
}

void Conversation::finish_exchange(Exchange& exchange, Outcome outcome, Nanos time) {
  // A response whose end is hidden was summed up at each byte that came of it.
  if (adrift_[index(Role::response)] != &exchange) exchanges_.sum_up(exchange, time);
  if (requesting_ == &exchange) requesting_ = nullptr;
  if (responding_ == &exchange) responding_ = nullptr;
  for (Exchange*& adrift : adrift_) {
    if (adrift == &exchange) adrift = nullptr;
  }
  exchanges_.close(exchange, outcome);
}

}  // namespace wirelap::http
