#include "app/http1/analyzer.h"

#include <algorithm>
#include <utility>

namespace wirelap::http1 {
namespace {

constexpr std::string_view kHttp09 = "http/0.9", kHttp10 = "http/1.0", kHttp11 = "http/1.1";

std::string_view name_of_version(std::uint8_t minor_version) {
  return minor_version == kNoVersion ? kHttp09 : minor_version == 0 ? kHttp10 : kHttp11;
}

Parser make_parser(Direction direction, const StreamView& view, const ExchangePool& pool) {
  const StreamPosition& position = view.position(direction);
  return {direction, position.next, position.at_start(), pool.memory()};
}

/// Whether the first bytes of a stream are the beginning of a message.
Likeness probe_start(Bytes bytes, Direction direction) {
  const std::string_view text = as_text(bytes);
  const Likeness likeness = is_start_line(text, direction);
  if (likeness != Likeness::no || direction == Direction::to_client) [[likely]]
    return likeness;
  // A client may send empty lines before its request (RFC 9112, section 2.2).
  const std::size_t begin = text.find_first_not_of("\r\n");
  const bool after_empty_line = begin != 0 && begin != std::string_view::npos;
  if (after_empty_line) return is_start_line(text.substr(begin), direction);
  return is_simple_request(text) ? Likeness::yes : Likeness::no;
}

}  // namespace

Probe Analyzer::probe(const Opening& opening) {
  const auto of = [](Direction direction, Likeness likeness) -> Probe {
    const Probe::Result result = likeness == Likeness::no    ? Probe::Result::not_mine
                                 : likeness == Likeness::yes ? Probe::Result::certain
                                                             : Probe::Result::unsure;
    return {result, direction, false};
  };
  if (!opening.direction) {
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
      if (Parser::begins_message(opening.bytes, direction)) return of(direction, Likeness::yes);
    }
    return {};
  }
  const Direction direction = *opening.direction;
  if (opening.position.at_start()) return of(direction, probe_start(opening.bytes, direction));
  if (Parser::begins_message(opening.bytes, direction)) return of(direction, Likeness::yes);
  // Where the beginning of the first request was not captured, another request may follow in the same bytes.
  Likeness likeness = Likeness::no;
  const bool near_start = opening.position.from_syn && opening.position.next <= Parser::kMaxHeadBytes;
  if (direction == Direction::to_server && near_start)
    find_start_line(as_text(opening.bytes), direction, true, likeness);
  return of(direction, likeness == Likeness::yes ? likeness : Likeness::no);
}

Analyzer::Analyzer(const StreamView& view, ExchangePool& pool, const Probe&)
    : wirelap::Analyzer(view, pool),
      matcher_(log_),
      requests_(make_parser(Direction::to_server, view, pool)),
      responses_(make_parser(Direction::to_client, view, pool)) {
  // There may have been messages before the capture.
  if (requests_.lost() && view.position(Direction::to_server).from_syn)
    matcher_.record_lost_requests(0, StreamPosition::kNever);
  if (requests_.lost() && !view.position(Direction::to_server).from_syn) matcher_.record_late_capture();
  if (responses_.lost()) matcher_.record_lost_responses(false);
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
  if (direction == Direction::to_server) pass_requests(view().next(direction) + data.length);
  expect_sender();
}

void Analyzer::gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival) {
  arrival_ = arrival;
  parser(direction).skip(count, !captured, *this);
  if (direction == Direction::to_server) pass_requests(view().next(direction) + count);
}

void Analyzer::finish(Direction direction, const Arrival& arrival) {
  arrival_ = arrival;
  parser(direction).finish(*this);
  // No response can follow the server's FIN. A client may close its direction and still receive a response.
  if (direction == Direction::to_client) return end_open(Outcome::closed, arrival.time);
  const bool has_all = arrival.acknowledged == view().next(Direction::to_client);
  if (has_all && !responding_) matcher_.settle_at_end();
  finish_settled();
}

void Analyzer::finish(Outcome outcome, Nanos time) {
  end_open(outcome, time);
  log_.confirm(StreamPosition::kNever);
}

void Analyzer::end_open(Outcome outcome, Nanos time) {
  if (log_.empty()) return;
  requests_.reveal_start_line(*this);
  responses_.reveal_start_line(*this);
  while (Exchange* const exchange = log_.oldest()) {
    if (!exchange->request.begun && !exchange->response.begun) {
      // Interim responses to a request that was not captured, or a tunnel without a byte.
      discard(*exchange);
      continue;
    }
    const bool is_alone = lacks_request(*exchange) || exchange->match == Match::unmatched;
    if (is_alone || exchange == open_ended_[index(Direction::to_client)]) {
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

/// Opens an exchange. Its version is that of its messages, once their start lines are read.
Exchange& Analyzer::open(const Arrival& arrival) {
  Exchange& exchange = log_.open(arrival);
  exchange.protocol = kHttp11;
  return exchange;
}

/// Gives up the oldest exchange where too many are open.
void Analyzer::make_room() {
  if (log_.is_full()) [[unlikely]]
    finish_exchange(*log_.oldest(), Outcome::evicted, arrival_.time);
}

Exchange& Analyzer::exchange_for_request(std::uint64_t offset, const Arrival& arrival) {
  // The capture may show a response before the request that it answers.
  Exchange* exchange = log_.oldest();
  if (log_.empty() || log_.newest()->request.begun) exchange = nullptr;
  while (exchange != nullptr && (exchange->request.begun || exchange->match == Match::unmatched ||
                                 offset >= exchange->response_acknowledges)) {
    exchange = exchange->next;
  }
  if (exchange != nullptr) [[unlikely]] {
    log_.move_beginning(*exchange, arrival);
    return *exchange;
  }
  make_room();
  return open(arrival);
}

Exchange& Analyzer::exchange_for_response(std::uint64_t offset, const Arrival& arrival) {
  const std::uint64_t requests_known = view().next(Direction::to_server);
  Exchange* const request = matcher_.find_request(offset, arrival.acknowledged, requests_known);
  finish_settled();
  if (request != nullptr) [[likely]]
    return *request;
  make_room();
  if (!matcher_.must_keep()) return open(arrival);
  Exchange& response = log_.open_response(arrival);
  response.protocol = kHttp11;
  matcher_.keep(response);
  return response;
}

/// Ends the exchanges that the matcher has settled. They were summed up when their responses ended.
void Analyzer::finish_settled() {
  if (!matcher_.has_settled()) [[likely]]
    return;
  while (Exchange* const exchange = matcher_.next_settled()) {
    const bool whole = exchange->match == Match::joined && exchange->request.complete;
    finish_exchange(*exchange, whole ? Outcome::complete : Outcome::gap, arrival_.time);
  }
}

void Analyzer::on_held(Direction direction) { held_[index(direction)] = arrival_; }

void Analyzer::on_begin(Direction direction, std::uint64_t offset, bool held) {
  end_open_ended_response();
  open_ended_[index(Direction::to_server)] = nullptr;
  const Arrival& arrival = held ? held_[index(direction)] : arrival_;
  Exchange*& exchange = current(direction);
  if (direction == Direction::to_server) {
    matcher_.record_request(arrival.acknowledged, view().next(Direction::to_client));
    record_unseen_response(arrival);
    exchange = &exchange_for_request(offset, arrival);
    exchange->request_acknowledges = arrival.acknowledged;
  } else if (exchange == nullptr) {
    exchange = &exchange_for_response(offset, arrival);
    exchange->response_acknowledges = arrival.acknowledged;
  }
  Message& begun = exchange->message(direction);
  begun.begun = true;
  begun.first = arrival.time;
  if (begun.bytes == 0) begun.begin = offset;  // else interim responses came before
}

/// Sums up the exchange of the latest request when the client sends its next request, if the response was not captured:
/// the client has acknowledged bytes of it.
void Analyzer::record_unseen_response(const Arrival& arrival) {
  Exchange* const latest = log_.newest();
  if (latest == nullptr || latest->response.begun || arrival.acknowledged <= latest->request_acknowledges) [[likely]]
    return;
  log_.sum_up(*latest, arrival.time);
  latest->tcp.packets -= 1;  // the packet that brings the next request
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
  if (!log_.wanted().headers.empty()) keep_headers(*exchange, head);
  if (direction == Direction::to_server || !exchange->request.begun)
    exchange->protocol = name_of_version(head.minor_version);
}

/// Records the wanted header fields. Where both messages have a field, the value in the response is kept.
void Analyzer::keep_headers(Exchange& exchange, const Head& head) const {
  const std::vector<std::string>& names = log_.wanted().headers;
  exchange.headers.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto value = find_field(head.fields, names[i])) exchange.headers[i].emplace(*value, exchange.memory());
  }
}

Framing Analyzer::on_head(Direction direction, const Head& head) {
  on_start_line(direction, head);
  return direction == Direction::to_server ? request_framing(head) : process_response_head(head);
}

/// Processes a response's head, after its start line.
Framing Analyzer::process_response_head(const Head& head) {
  if (head.is_interim()) [[unlikely]]
    return {Framing::Kind::length, 0};
  // A client that has received the final response may omit the body that it announced (RFC 9110, section 10.1.1).
  if (requesting_ != nullptr && requesting_ == responding_ && requesting_->request.body_bytes == 0)
    requests_.doubt_body();
  const Exchange* const exchange = responding_;  // null where the exchange was given up
  if (switches_to_h2(head)) [[unlikely]] {
    responding_->status = Exchange::kNoStatus;  // the final response follows in HTTP/2
    h2_bytes_ = 0;
    return {Framing::Kind::tunnel, 0};
  }
  const std::string_view method = exchange != nullptr ? std::string_view(exchange->method) : std::string_view();
  if (begins_tunnel(head, method)) [[unlikely]]
    begin_tunnel(head);
  return response_framing(head, method);
}

/// Makes the tunnel's exchange, to which all later bytes of both directions belong.
[[gnu::noinline]] void Analyzer::begin_tunnel(const Head& head) {
  requests_.begin_tunnel();
  make_room();
  tunnel_ = &log_.open(arrival_);
  tunnel_->protocol = equal_ignoring_case(head.upgrade, "websocket") ? "websocket" : "tunnel";
  if (responding_ == nullptr) return;
  tunnel_->host = responding_->host;
  tunnel_->target = responding_->target;
}

/// Adds bytes to the tunnel. The client's bytes are its request, the server's bytes its response.
void Analyzer::on_tunnel(Direction direction, std::uint64_t count, bool not_captured) {
  if (h2_bytes_) *h2_bytes_ += count;
  if (tunnel_ == nullptr) return;
  if (!tunnel_->request.begun) {
    log_.restart(*tunnel_, arrival_);
    tunnel_->request.begun = tunnel_->request.complete = true;
    tunnel_->request.first = tunnel_->request.last = arrival_.time;
  }
  server_sent_last_ = direction == Direction::to_client;
  Message& way = tunnel_->message(direction);
  if (!way.begun) way.first = arrival_.time;
  way.begun = way.complete = true;
  log_.count_bytes(*tunnel_, direction, arrival_, count, count);
  if (not_captured) tunnel_->missing_bytes += count;
}

/// Whether the connection is HTTP/2 from the end of this response on, as its request asked for.
bool Analyzer::switches_to_h2(const Head& head) const {
  if (head.status != 101 || responding_ == nullptr || responding_ != log_.newest()) return false;
  return equal_ignoring_case(head.upgrade, "h2c");
}

void Analyzer::on_bytes(Direction direction, std::uint64_t count, std::uint64_t body) {
  if (Exchange* const exchange = current(direction)) log_.count_bytes(*exchange, direction, arrival_, count, body);
}

void Analyzer::on_not_captured(Direction direction, std::uint64_t count) {
  if (Exchange* const exchange = current(direction)) exchange->missing_bytes += count;
}

void Analyzer::on_end(Direction direction) {
  Exchange* const exchange = current(direction);
  if (exchange == nullptr) return;
  const bool interim = exchange->status == Exchange::kNoStatus && exchange->protocol != kHttp09;
  if (direction == Direction::to_client && interim) return restart_response();
  exchange->message(direction).complete = true;
  current(direction) = nullptr;
  finish_if_complete(*exchange);
}

/// Continues with the final response after an interim one (1xx). The bytes of the interim response count, its times do
/// not.
void Analyzer::restart_response() {
  Message& response = responding_->response;
  response.begun = false;
  response.first = kUnknownTime;
}

/// Ends the responses that wait for a request before `offset`, since that request was not captured.
void Analyzer::end_without_request(std::uint64_t offset) {
  while (log_.oldest() != nullptr && lacks_request(*log_.oldest()) && log_.oldest()->response_acknowledges <= offset) {
    finish_exchange(*log_.oldest(), Outcome::gap, log_.oldest()->response.last);
  }
}

void Analyzer::finish_if_complete(Exchange& exchange) {
  const Message& request = exchange.request;
  if (!exchange.response.complete || requesting_ == &exchange) return;
  if (exchange.match == Match::unmatched) return log_.sum_up(exchange, arrival_.time);
  // The capture may show the request after its response.
  if (!request.begun && view().next(Direction::to_server) < exchange.response_acknowledges) {
    return log_.sum_up(exchange, arrival_.time);
  }
  // Without its request, the end of a response may be known only when the next one begins.
  const Nanos end = request.begun ? arrival_.time : exchange.response.last;
  finish_exchange(exchange, request.complete ? Outcome::complete : Outcome::gap, end);
}

void Analyzer::on_sync_lost(Direction direction) {
  Exchange* const exchange = current(direction);
  current(direction) = nullptr;
  record_loss(direction, exchange);
  open_ended_[index(direction)] = exchange;
  if (exchange != nullptr && direction == Direction::to_client) log_.sum_up(*exchange, arrival_.time);
  if (exchange != nullptr && direction == Direction::to_server) finish_if_complete(*exchange);
}

/// Reports to the matcher that messages of `direction` may be lost from here on. `exchange`: the one whose message was
/// being read; null: a message may have lost its first byte.
void Analyzer::record_loss(Direction direction, const Exchange* exchange) {
  if (direction == Direction::to_client) return matcher_.record_lost_responses(exchange == nullptr);
  const std::uint64_t offset = view().next(Direction::to_server);
  matcher_.record_lost_requests(exchange == nullptr ? offset : std::max(offset, exchange->request.begin + 1),
                                snapped_ ? arrival_.acknowledged : StreamPosition::kNever);
}

/// Adds bytes to the message whose end is not known, until another one begins.
void Analyzer::on_unparsed(Direction direction, std::uint64_t count, bool not_captured) {
  Exchange* const exchange = open_ended_[index(direction)];
  if (exchange == nullptr || (direction == Direction::to_server && exchange->response.begun)) return;
  log_.count_bytes(*exchange, direction, arrival_, count, 0);
  if (not_captured) exchange->missing_bytes += count;
  if (direction == Direction::to_client) log_.sum_up(*exchange, arrival_.time);
}

/// Ends the response whose end is not known, since another message begins.
void Analyzer::end_open_ended_response() {
  if (Exchange* const exchange = open_ended_[index(Direction::to_client)]) [[unlikely]] {
    finish_exchange(*exchange, Outcome::gap, exchange->response.last);
  }
}

void Analyzer::on_garbage(Direction direction) {
  if (current(direction) == nullptr) return;
  Exchange& exchange = *current(direction);
  current(direction) = nullptr;
  // If the request has no start line either, the connection is not HTTP.
  if (direction == Direction::to_client && requesting_ == &exchange && log_.count() == 1) {
    requests_.reveal_start_line(*this);
    if (exchange.method.empty()) return give_up();
  }
  record_loss(direction, &exchange);
  // Bytes that are not a valid response still answer the request.
  if (direction == Direction::to_client && exchange.request.begun) {
    return finish_exchange(exchange, Outcome::gap, arrival_.time);
  }
  exchange.message(direction) = {};
  if (!exchange.response.begun) discard(exchange);
}

bool Analyzer::is_headless(Direction direction) const {
  return direction == Direction::to_client && responding_ != nullptr && responding_->protocol == kHttp09;
}

void Analyzer::finish_exchange(Exchange& exchange, Outcome outcome, Nanos time) {
  // A response whose end is not known was summed up at each of its bytes. A response that was not captured was summed
  // up when the client sent its next request.
  const bool hidden = exchange.response.begun ? exchange.match != Match::open : outcome == Outcome::gap;
  const bool has_sum = hidden && exchange.ended != kUnknownTime;
  if (open_ended_[index(Direction::to_client)] != &exchange && !has_sum) log_.sum_up(exchange, time);
  forget(exchange);
  log_.close(exchange, outcome);
}

/// Removes an exchange that turned out not to be one.
void Analyzer::discard(Exchange& exchange) {
  forget(exchange);
  log_.discard(exchange);
}

/// Drops every pointer to `exchange`.
void Analyzer::forget(const Exchange& exchange) {
  matcher_.forget(exchange);
  const auto drop = [&](Exchange*& mine) {
    if (mine == &exchange) mine = nullptr;
  };
  drop(tunnel_);
  drop(requesting_);
  drop(responding_);
  drop(open_ended_[0]);
  drop(open_ended_[1]);
}

}  // namespace wirelap::http1
