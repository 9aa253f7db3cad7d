#include "app/http1/analyzer.h"

#include <algorithm>
#include <utility>

namespace wirelap::http1 {
namespace {

Parser make_parser(Direction direction, const Stream& stream, const ExchangePool& pool) {
  return {direction, stream.next, stream.at_start(), pool.memory()};
}

}  // namespace

bool Analyzer::may_begin_stream(Bytes bytes, Direction direction) {
  const std::string_view text = as_text(bytes);
  if (is_start_line(text, direction) != Likeness::no) [[likely]]
    return true;
  if (direction == Direction::to_client) return false;
  // Empty lines before a request are passed over (RFC 9112, 2.2).
  const std::size_t begin = text.find_first_not_of("\r\n");
  const bool after_empty = begin != 0 && begin != std::string_view::npos;
  return after_empty ? is_start_line(text.substr(begin), direction) != Likeness::no : is_simple_request(text);
}

bool Analyzer::may_begin(Connection& connection, Side sender, Bytes bytes) {
  if (connection.client_known) {
    const Direction direction = sender == connection.client ? Direction::to_server : Direction::to_client;
    const Stream& stream = connection.stream(sender);
    if (stream.at_start()) return may_begin_stream(bytes, direction);
    if (Parser::begins_message(bytes, direction)) return true;
    // The beginning of the first requests was not captured.
    Likeness likeness = Likeness::no;
    const bool near_start = stream.from_syn && stream.next <= Parser::kMaxHeadBytes;
    if (direction == Direction::to_server && near_start) find_start_line(as_text(bytes), direction, true, likeness);
    return likeness == Likeness::yes;
  }
  const bool request = Parser::begins_message(bytes, Direction::to_server);
  if (!request && !Parser::begins_message(bytes, Direction::to_client)) return false;
  connection.set_client(request ? sender : other(sender));
  return true;
}

Analyzer::Analyzer(const Connection& connection, ExchangePool& pool)
    : Talk(connection, pool),
      connection_(connection),
      matcher_(exchanges_),
      requests_(make_parser(Direction::to_server, connection.stream(connection.client), pool)),
      responses_(make_parser(Direction::to_client, connection.stream(other(connection.client)), pool)) {
  // Before the capture there may have been others.
  if (requests_.lost() && connection.stream(connection.client).from_syn) matcher_.lose_requests(0, Stream::kNever);
  if (requests_.lost() && !connection.stream(connection.client).from_syn) matcher_.begin_inside();
  if (responses_.lost()) matcher_.lose_responses(false);
}

void Analyzer::feed(Direction direction, const StreamData& data, const Arrival& arrival) {
  arrival_ = arrival;
  parser(direction).feed(data.bytes, *this);
  const std::uint64_t uncaptured = data.length - data.bytes.size();
  if (uncaptured != 0) [[unlikely]] {
    snapped_ = true;
    parser(direction).skip(uncaptured, true, *this);
    snapped_ = false;
  }
  if (direction == Direction::to_server) pass_requests(connection_.stream(connection_.client).next + data.length);
  tell_whom_to_wait_for();
}

void Analyzer::skip(Direction direction, std::uint64_t count, bool missing, const Arrival& arrival) {
  arrival_ = arrival;
  parser(direction).skip(count, missing, *this);
  if (direction == Direction::to_server) pass_requests(connection_.stream(connection_.client).next + count);
}

void Analyzer::finish(Direction direction, const Arrival& arrival) {
  arrival_ = arrival;
  parser(direction).finish(*this);
  // Without the server there is no response to come; a client may close its
  // half and still be answered.
  if (direction == Direction::to_client) return end_open(Outcome::closed, arrival.time);
  const bool has_all = arrival.acknowledged == connection_.stream(other(connection_.client)).next;
  if (has_all && !responding_) matcher_.settle_at_end();
  finish_settled();
}

void Analyzer::end(Outcome outcome, Nanos time) {
  end_open(outcome, time);
  exchanges_.confirm(Stream::kNever);
}

void Analyzer::end_open(Outcome outcome, Nanos time) {
  if (exchanges_.empty()) return;
  requests_.reveal_start_line(*this);
  responses_.reveal_start_line(*this);
  while (Exchange* const exchange = exchanges_.oldest()) {
    if (!exchange->request.begun && !exchange->response.begun) {
      // Interim responses to a request that was not captured, or a tunnel without a byte.
      discard(*exchange);
      continue;
    }
    const bool is_alone = is_unasked(*exchange) || exchange->pair == Pair::kept;
    if (is_alone || exchange == adrift_[index(Direction::to_client)]) {
      finish_exchange(*exchange, Outcome::gap, exchange->response.last);
      continue;
    }
    if (exchange == tunnel_) {
      finish_exchange(*exchange, outcome == Outcome::closed ? Outcome::complete : outcome, time);
      continue;
    }
    const bool unanswered = outcome == Outcome::closed && !exchange->response.begun;
    const bool hidden = matcher_.may_be_answered(*exchange);
    finish_exchange(*exchange, hidden ? Outcome::gap : unanswered ? Outcome::no_response : outcome, time);
  }
}

/// Of too many that are open the oldest is given up.
void Analyzer::make_room() {
  if (exchanges_.is_full()) [[unlikely]]
    finish_exchange(*exchanges_.oldest(), Outcome::evicted, arrival_.time);
}

Exchange& Analyzer::exchange_for_request(std::uint64_t offset, const Arrival& arrival) {
  // The capture may show a response before the request that it answers.
  Exchange* exchange = exchanges_.oldest();
  if (exchanges_.empty() || exchanges_.newest()->request.begun) exchange = nullptr;
  while (exchange != nullptr &&
         (exchange->request.begun || exchange->pair == Pair::kept || offset >= exchange->acknowledged)) {
    exchange = exchange->next;
  }
  if (exchange != nullptr) [[unlikely]] {
    exchanges_.begin_again(*exchange, arrival);
    return *exchange;
  }
  make_room();
  return exchanges_.open(arrival);
}

Exchange& Analyzer::exchange_for_response(std::uint64_t offset, const Arrival& arrival) {
  const std::uint64_t requests_known = connection_.stream(connection_.client).next;
  Exchange* const request = matcher_.answered(offset, arrival.acknowledged, requests_known);
  finish_settled();
  if (request != nullptr) [[likely]]
    return *request;
  make_room();
  if (!matcher_.keeps()) return exchanges_.open(arrival);
  Exchange& response = exchanges_.open_response(arrival);
  matcher_.keep(response);
  return response;
}

/// Ends what the pairing has settled; it was summed up when its response ended.
void Analyzer::finish_settled() {
  if (!matcher_.has_settled()) [[likely]]
    return;
  while (Exchange* const exchange = matcher_.next_settled()) {
    const bool whole = exchange->pair == Pair::joined && exchange->request.complete;
    finish_exchange(*exchange, whole ? Outcome::complete : Outcome::gap, arrival_.time);
  }
}

void Analyzer::on_held(Direction direction) { held_[index(direction)] = arrival_; }

void Analyzer::on_begin(Direction direction, std::uint64_t offset, bool held) {
  end_adrift();
  adrift_[index(Direction::to_server)] = nullptr;
  const Arrival& arrival = held ? held_[index(direction)] : arrival_;
  Exchange*& exchange = current(direction);
  if (direction == Direction::to_server) {
    matcher_.note_request(arrival.acknowledged, connection_.stream(other(connection_.client)).next);
    note_unseen_answer(arrival);
    exchange = &exchange_for_request(offset, arrival);
    exchange->seen = arrival.acknowledged;
  } else if (exchange == nullptr) {
    exchange = &exchange_for_response(offset, arrival);
    exchange->acknowledged = arrival.acknowledged;
  }
  Message& begun = exchange->message(direction);
  begun.begun = true;
  begun.first = arrival.time;
  if (begun.bytes == 0) begun.begin = offset;  // else interim responses came before
}

/// The client goes on: where it has acknowledged an answer to its latest request that was not
/// captured, that was over by now.
void Analyzer::note_unseen_answer(const Arrival& arrival) {
  Exchange* const latest = exchanges_.newest();
  if (latest == nullptr || latest->response.begun || arrival.acknowledged <= latest->seen) [[likely]]
    return;
  exchanges_.sum_up(*latest, arrival.time);
  latest->tcp.packets -= 1;  // the one that brings the next request
}

void Analyzer::on_start_line(Direction direction, const Head& head) {
  Exchange* const exchange = current(direction);
  if (exchange == nullptr || (direction == Direction::to_client && head.is_interim())) return;
  if (direction == Direction::to_server) {
    exchange->method.assign(head.method);
    exchange->target.assign(head.target);
    exchange->host.assign(head.host);
  } else {
    exchange->status = head.status;
  }
  if (!exchanges_.wanted().headers.empty()) keep_headers(*exchange, head);
  if (direction == Direction::to_server || !exchange->request.begun) exchange->minor_version = head.minor_version;
}

/// Of a field that both messages have the response's stays.
void Analyzer::keep_headers(Exchange& exchange, const Head& head) const {
  const std::vector<std::string>& names = exchanges_.wanted().headers;
  exchange.headers.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto value = find_field(head.fields, names[i])) exchange.headers[i].emplace(*value, exchange.memory());
  }
}

Framing Analyzer::on_head(Direction direction, const Head& head) {
  on_start_line(direction, head);
  return direction == Direction::to_server ? request_framing(head) : take_response(head);
}

/// Its start line is told.
Framing Analyzer::take_response(const Head& head) {
  if (head.is_interim()) [[unlikely]]
    return {Framing::Kind::length, 0};
  // A client that has its answer may leave out the body that it announced (RFC 9110, 10.1.1).
  if (requesting_ != nullptr && requesting_ == responding_ && requesting_->request.body_bytes == 0)
    requests_.doubt_body();
  const Exchange* const exchange = responding_;  // null where it has been given up
  if (switches_to_h2(head)) [[unlikely]] {
    responding_->status = Exchange::kNoStatus;  // it is an interim one
    left_for_h2_ = 0;
    return {Framing::Kind::tunnel, 0};
  }
  const std::string_view method = exchange != nullptr ? std::string_view(exchange->method) : std::string_view();
  if (begins_tunnel(head, method)) [[unlikely]]
    begin_tunnel(head);
  return response_framing(head, method);
}

/// From here on the bytes of both ends are the tunnel's.
[[gnu::noinline]] void Analyzer::begin_tunnel(const Head& head) {
  requests_.begin_tunnel();
  make_room();
  tunnel_ = &exchanges_.open(arrival_);
  tunnel_->protocol = equal_ignoring_case(head.upgrade, "websocket") ? Protocol::websocket : Protocol::tunnel;
  if (responding_ == nullptr) return;
  tunnel_->host = responding_->host;
  tunnel_->target = responding_->target;
}

/// Its request is what the client sends, its response what the server does.
void Analyzer::on_tunnel(Direction direction, std::uint64_t count, bool missing) {
  if (left_for_h2_) *left_for_h2_ += count;
  if (tunnel_ == nullptr) return;
  if (!tunnel_->request.begun) {
    exchanges_.restart(*tunnel_, arrival_);
    tunnel_->request.begun = tunnel_->request.complete = true;
    tunnel_->request.first = tunnel_->request.last = arrival_.time;
  }
  tunnel_turn_ = direction == Direction::to_client;
  Message& way = tunnel_->message(direction);
  if (!way.begun) way.first = arrival_.time;
  way.begun = way.complete = true;
  exchanges_.count_bytes(*tunnel_, direction, arrival_, count, count);
  if (missing) tunnel_->missing_bytes += count;
}

/// Whether from this response's end on the connection is HTTP/2, as its request asked for.
bool Analyzer::switches_to_h2(const Head& head) const {
  if (head.status != 101 || responding_ == nullptr || responding_ != exchanges_.newest()) return false;
  return equal_ignoring_case(head.upgrade, "h2c");
}

void Analyzer::on_bytes(Direction direction, std::uint64_t count, std::uint64_t body) {
  if (Exchange* const exchange = current(direction))
    exchanges_.count_bytes(*exchange, direction, arrival_, count, body);
}

void Analyzer::on_not_captured(Direction direction, std::uint64_t count) {
  if (Exchange* const exchange = current(direction)) exchange->missing_bytes += count;
}

void Analyzer::on_end(Direction direction) {
  Exchange* const exchange = current(direction);
  if (exchange == nullptr) return;
  const bool interim = exchange->status == Exchange::kNoStatus && exchange->minor_version != kSimple;
  if (direction == Direction::to_client && interim) return restart_response();
  exchange->message(direction).complete = true;
  current(direction) = nullptr;
  finish_if_complete(*exchange);
}

/// An interim response (1xx) is no answer: the final one is still to begin. Its
/// bytes count, its time does not.
void Analyzer::restart_response() {
  Message& response = responding_->response;
  response.begun = false;
  response.first = kUnknownTime;
}

/// A response that waits for a request before `offset` waits in vain.
void Analyzer::end_unasked(std::uint64_t offset) {
  while (exchanges_.oldest() != nullptr && is_unasked(*exchanges_.oldest()) &&
         exchanges_.oldest()->acknowledged <= offset) {
    finish_exchange(*exchanges_.oldest(), Outcome::gap, exchanges_.oldest()->response.last);
  }
}

void Analyzer::finish_if_complete(Exchange& exchange) {
  const Message& request = exchange.request;
  if (!exchange.response.complete || requesting_ == &exchange) return;
  if (exchange.pair == Pair::kept) return exchanges_.sum_up(exchange, arrival_.time);
  // The request may have been captured after its response.
  if (!request.begun && connection_.stream(connection_.client).next < exchange.acknowledged) {
    return exchanges_.sum_up(exchange, arrival_.time);
  }
  // Where the request was not seen, only the next response may tell that this one is over.
  const Nanos end = request.begun ? arrival_.time : exchange.response.last;
  finish_exchange(exchange, request.complete ? Outcome::complete : Outcome::gap, end);
}

void Analyzer::on_lost(Direction direction) {
  Exchange* const exchange = current(direction);
  current(direction) = nullptr;
  note_loss(direction, exchange);
  adrift_[index(direction)] = exchange;
  if (exchange != nullptr && direction == Direction::to_client) exchanges_.sum_up(*exchange, arrival_.time);
  if (exchange != nullptr && direction == Direction::to_server) finish_if_complete(*exchange);
}

/// Messages of `direction` may be hidden from here on, after that of `exchange` (null: the first of them whole).
void Analyzer::note_loss(Direction direction, const Exchange* exchange) {
  if (direction == Direction::to_client) return matcher_.lose_responses(exchange == nullptr);
  const std::uint64_t offset = connection_.stream(connection_.client).next;
  matcher_.lose_requests(exchange == nullptr ? offset : std::max(offset, exchange->request.begin + 1),
                         snapped_ ? arrival_.acknowledged : Stream::kNever);
}

/// Until another message begins, what comes belongs to the one whose end is hidden.
void Analyzer::on_stray(Direction direction, std::uint64_t count, bool missing) {
  Exchange* const exchange = adrift_[index(direction)];
  if (exchange == nullptr || (direction == Direction::to_server && exchange->response.begun)) return;
  exchanges_.count_bytes(*exchange, direction, arrival_, count, 0);
  if (missing) exchange->missing_bytes += count;
  if (direction == Direction::to_client) exchanges_.sum_up(*exchange, arrival_.time);
}

/// Another message begins: the response whose end was hidden has ended.
void Analyzer::end_adrift() {
  if (Exchange* const exchange = adrift_[index(Direction::to_client)]) [[unlikely]] {
    finish_exchange(*exchange, Outcome::gap, exchange->response.last);
  }
}

void Analyzer::on_garbage(Direction direction) {
  if (current(direction) == nullptr) return;
  Exchange& exchange = *current(direction);
  current(direction) = nullptr;
  // Before the request has a start line neither of them is HTTP.
  if (direction == Direction::to_client && requesting_ == &exchange && exchanges_.count() == 1) {
    requests_.reveal_start_line(*this);
    if (exchange.method.empty()) return give_up();
  }
  note_loss(direction, &exchange);
  // An answer that cannot be read is one all the same.
  if (direction == Direction::to_client && exchange.request.begun) {
    return finish_exchange(exchange, Outcome::gap, arrival_.time);
  }
  exchange.message(direction) = {};
  if (!exchange.response.begun) discard(exchange);
}

bool Analyzer::is_headless(Direction direction) const {
  return direction == Direction::to_client && responding_ != nullptr && responding_->minor_version == kSimple;
}

void Analyzer::finish_exchange(Exchange& exchange, Outcome outcome, Nanos time) {
  // A response whose end is hidden was summed up at each byte that came of it, one that is hidden when the client went
  // on.
  const bool hidden = exchange.response.begun ? exchange.pair != Pair::open : outcome == Outcome::gap;
  const bool has_sum = hidden && exchange.ended != kUnknownTime;
  if (adrift_[index(Direction::to_client)] != &exchange && !has_sum) exchanges_.sum_up(exchange, time);
  forget(exchange);
  exchanges_.close(exchange, outcome);
}

void Analyzer::discard(Exchange& exchange) {
  forget(exchange);
  exchanges_.discard(exchange);
}

void Analyzer::forget(const Exchange& exchange) {
  matcher_.forget(exchange);
  const auto drop = [&](Exchange*& mine) {
    if (mine == &exchange) mine = nullptr;
  };
  drop(tunnel_);
  drop(requesting_);
  drop(responding_);
  drop(adrift_[0]);
  drop(adrift_[1]);
}

}  // namespace wirelap::http1
