#include "tls/conversation.h"

#include <algorithm>
#include <utility>

namespace wirelap::tls {
namespace {

// Lengths of encrypted TLS 1.3 records: handshake header or alert, content,
// content type and, in all suites but one, a tag of 16 bytes (RFC 8446, 5.2).
constexpr std::uint16_t kOverhead = 1 + 16;
constexpr std::uint16_t kAlertLength = 2 + kOverhead;
constexpr std::uint16_t kKeyUpdateLength = kHandshakeHeaderBytes + 1 + kOverhead;
constexpr std::uint16_t kEndOfEarlyDataLength = kHandshakeHeaderBytes + kOverhead;
constexpr std::uint16_t kFinishedLength256 = kHandshakeHeaderBytes + 32 + kOverhead;
constexpr std::uint16_t kFinishedLength384 = kHandshakeHeaderBytes + 48 + kOverhead;
constexpr std::uint16_t kShorterTag = 8;  // TLS_AES_128_CCM_8_SHA256

/// TLS_AES_256_GCM_SHA384 and TLS_AES_128_CCM_8_SHA256 (RFC 8446, B.4).
constexpr std::uint16_t kAes256Sha384 = 0x1302;
constexpr std::uint16_t kAes128Ccm8 = 0x1305;

/// What tickets are taken to be as long as, where nothing but their length tells them.
constexpr bool is_ticket_length(std::uint16_t length) { return length >= 50 && length <= 600; }

constexpr bool is_control_length(std::uint16_t length) { return length == kAlertLength || length == kKeyUpdateLength; }

bool at_start(const Stream& stream) { return stream.next == 0; }

}  // namespace

bool Conversation::may_begin(Connection& connection, Side sender, Bytes bytes) {
  if (!at_start(connection.stream(sender))) return false;
  const bool handshake = bytes[0] == static_cast<std::uint8_t>(ContentType::handshake);
  if (!handshake || !is_record_header(bytes.data(), bytes.size())) return false;
  // A ServerHello tells it where the client's is missing.
  const bool from_server = connection.client_known && sender != connection.client;
  const std::uint8_t hello = from_server ? kServerHello : kClientHello;
  if (bytes.size() > kRecordHeaderBytes && bytes[kRecordHeaderBytes] != hello) return false;
  if (connection.client_known) return true;
  // In mid-connection more is asked for.
  if (bytes.size() <= kRecordHeaderBytes) return false;
  connection.set_client(sender);
  return true;
}

Conversation::Conversation(const Connection& connection, http::ExchangePool& pool)
    : connection_(connection),
      exchanges_(connection, pool),
      directions_{{Role::request, connection.stream(connection.client).next},
                  {Role::response, connection.stream(other(connection.client)).next}} {
  const bool missed = !at_start(connection.stream(connection.client));
  client().holed = client().hello_over = holed_ = missed;
}

void Conversation::feed(Role role, const Chunk& chunk, const Arrival& arrival) {
  if (over_) return;
  arrival_ = arrival;
  if (!is_established() && first_ != kUnknownTime) {
    max_gap_ = std::max(max_gap_, arrival.time - connection_.last_time);
  }
  direction(role).parser.feed(chunk.bytes, *this);
  const std::uint64_t uncaptured = chunk.length - chunk.bytes.size();
  if (uncaptured != 0) direction(role).parser.skip(uncaptured, true, *this);
  if (role == Role::response) sum_up_answered();
}

void Conversation::skip(Role role, std::uint64_t count, bool missing, const Arrival& arrival) {
  if (over_) return;
  arrival_ = arrival;
  direction(role).parser.skip(count, missing, *this);
  if (role == Role::response) sum_up_answered();
}

std::uint64_t Conversation::skippable(Role role) const {
  const Direction& from = direction(role);
  return from.place == Place::hello ? 0 : from.parser.skippable();
}

void Conversation::finish(Role role, const Arrival& arrival) {
  arrival_ = arrival;
  direction(role).closing = true;
  // Without the server there is no answer to come; a client may close its half
  // and still be answered.
  if (role == Role::response) end(http::Outcome::closed, arrival.time);
}

void Conversation::end(http::Outcome outcome, Nanos time) {
  exchanges_.confirm(Stream::kNever);
  if (std::exchange(over_, true)) return;
  for (Direction& from : directions_) from.closing = from.closing || from.held.length == kAlertLength;
  // The last control records of either side are just that.
  if (client().held.records != 0) {
    drop(Role::request);
    drop(Role::response);
  } else if (holds(Role::response, kAlertLength)) {
    drop(Role::response);
  } else {
    settle_response(false);
  }
  close_previous();
  if (turn_ == nullptr) return;
  http::Exchange& last = *turn_;
  turn_ = nullptr;
  const bool closed = outcome == http::Outcome::closed;
  if (!last.response.begun) {
    exchanges_.sum_up(last, time);
    return exchanges_.close(last, closed ? http::Outcome::no_response : outcome);
  }
  // The exchange has been summed up at its last byte.
  const bool in_order = closed || (outcome == http::Outcome::reset && (client().closing || server().closing));
  const bool whole = in_order && !server().parser.in_record();
  exchanges_.close(last, whole ? last.outcome : in_order ? http::Outcome::closed : outcome);
}

void Conversation::on_begin(Role role, std::uint64_t offset) {
  Direction& from = direction(role);
  from.begin = offset;
  from.arrival = arrival_;
  from.place = Place::nothing;
  if (role == Role::request && first_ == kUnknownTime) {
    first_ = arrival_.time;
    spent_before_ = spent_now();
  }
}

void Conversation::on_record(Role role, ContentType type, std::uint16_t length) {
  Direction& from = direction(role);
  from.place = place_of(role, type, length);
  if (type == ContentType::application_data) from.closing = false;
  count(role, kRecordHeaderBytes, 0, false);
  if (role == Role::request && from.place == Place::turn) turn_->request.complete = false;
}

Conversation::Place Conversation::place_of(Role role, ContentType type, std::uint16_t length) {
  Direction& from = direction(role);
  switch (type) {
    case ContentType::handshake:
      if (!from.hello_over) return Place::hello;
      if (is_established()) return Place::nothing;  // a renegotiation
      return from.ciphered && !is_tls13() ? Place::finished : Place::flight;
    case ContentType::change_cipher_spec:
      from.ciphered = true;
      return is_established() ? Place::nothing : Place::flight;
    case ContentType::application_data:
      return role == Role::request ? place_of_client_data(length) : place_of_server_data(length);
    case ContentType::alert: from.closing = true; return Place::nothing;
    case ContentType::heartbeat: return Place::nothing;
  }
  return Place::nothing;
}

bool Conversation::is_finished_length(std::uint16_t length) const {
  switch (cipher_suite_) {
    case 0: return length == kFinishedLength256 || length == kFinishedLength384;
    case kAes256Sha384: return length == kFinishedLength384;
    case kAes128Ccm8: return length == kFinishedLength256 - kShorterTag;
    default: return length == kFinishedLength256;
  }
}

Conversation::Place Conversation::place_of_client_data(std::uint16_t length) {
  if (client().finished) return place_of_request(length);
  if (is_tls12()) {  // the Finished was not seen
    lose_handshake(Role::request);
    return place_of_request(length);
  }
  if (client().arrival.acknowledged != 0 && is_finished_length(length)) {
    version_ = std::max(version_, kTls13);
    return Place::finished;
  }
  if (early_data_ && length != kEndOfEarlyDataLength) return place_of_request(length);
  flight_begin_ = std::min(flight_begin_, client().begin);
  return Place::flight;
}

Conversation::Place Conversation::place_of_server_data(std::uint16_t length) {
  if (version_ == 0) version_ = kTls13;  // TLS 1.2 encrypts nothing before its Finished
  server().hello_over = true;
  if (client().finished) return place_of_response(length);
  if (is_tls12()) return Place::nothing;
  if (turn_ != nullptr) {
    // Early data may be answered right after the server's Finished, which may
    // share its record with what is before it.
    if (server().finished) return place_of_response(length);
    const bool short_of_it = length < kFinishedLength256 - kShorterTag;
    server().finished = !short_of_it && (is_finished_length(length) || length > kFinishedLength384);
    return Place::flight;
  }
  if (server().arrival.acknowledged <= flight_begin_) return Place::flight;
  // The client's Finished was in a record with what is before it.
  client().finished = true;
  end_handshake();
  return place_of_response(length);
}

/// Whether what the client sends with `arrival` begins a turn: it had a byte of the answer to the last one.
bool Conversation::begins_turn(const Arrival& arrival) const {
  if (turn_ == nullptr) return true;
  // Or of one that the capture missed.
  if (arrival.acknowledged > connection_.stream(other(connection_.client)).next) return true;
  if (turn_->response.begun) return arrival.acknowledged > turn_->response.begin;
  const Held& held = direction(Role::response).held;
  return held.records == 1 && arrival.acknowledged > held.message.begin;
}

Conversation::Place Conversation::place_of_request(std::uint16_t length) {
  const Direction& from = client();
  const bool begins = begins_turn(from.arrival);
  drop_key_updates();
  if (holds(Role::request, kKeyUpdateLength)) drop(Role::request);
  if (holds(Role::request, kAlertLength)) commit(Role::request);  // an alert would have been the last
  const bool control = length == kAlertLength || (length == kKeyUpdateLength && begins);
  if (is_tls13() && control && from.finished) return hold(Role::request, length);
  if (begins_turn(from.arrival)) {
    settle_response(false);
    begin_turn(from.arrival, from.begin, nullptr);
  }
  return Place::turn;
}

Conversation::Place Conversation::place_of_response(std::uint16_t length) {
  Direction& from = server();
  const Held& asked = client().held;
  if (!is_control_length(length) && !drop_key_updates() && asked.records != 0 &&
      from.arrival.acknowledged > asked.message.begin) {
    commit(Role::request);
  }
  if (turn_ == nullptr && asked.records == 0) return Place::nothing;
  if (previous_ != nullptr && from.arrival.acknowledged <= turn_->request.begin) return Place::previous;
  const bool begins = turn_ == nullptr || !turn_->response.begun || asked.records != 0;
  const bool ticket = tickets_due_ && is_tls13() && begins && turn_ != nullptr && turn_->number == 1;
  // The server had nothing to answer yet.
  if (ticket && from.arrival.acknowledged <= turn_->request.begin) return Place::nothing;
  const bool ticket_length = ticket && is_ticket_length(length);
  if (ticket_length && from.held.records != 0 && from.held.length == length) {
    from.held.records += 1;
    return Place::held;
  }
  settle_response(!is_control_length(length));
  if (is_tls13()) {
    const bool control = length == kAlertLength || (length == kKeyUpdateLength && begins);
    if (control || (ticket_length && tickets_due_)) return hold(Role::response, length);
  }
  begin_response(from.arrival, from.begin);
  return Place::turn;
}

/// Key updates of both ends, one asked for by the other, are no exchange (RFC 8446, section 4.6.3).
bool Conversation::drop_key_updates() {
  if (!holds(Role::request, kKeyUpdateLength) || !holds(Role::response, kKeyUpdateLength)) return false;
  drop(Role::request);
  drop(Role::response);
  return true;
}

/// Decides what the server's held records are; `more` of its data follow.
void Conversation::settle_response(bool more) {
  const Held& held = server().held;
  if (held.records == 0) return;
  const bool control = is_control_length(held.length);
  // Servers send tickets of one length; after a resumption often one alone.
  const bool tickets = !control && (held.records > 1 || resumed_) && more;
  if (!control) tickets_due_ = false;
  if (tickets) {
    drop(Role::response);
  } else {
    if (client().held.records != 0) commit(Role::request);
    commit(Role::response);
  }
}

Conversation::Place Conversation::hold(Role role, std::uint16_t length) {
  Direction& from = direction(role);
  from.held = {1, length, from.arrival, {}, connection_.counts, spent_now()};
  from.held.message.first = from.arrival.time;
  from.held.message.begin = from.begin;
  return Place::held;
}

bool Conversation::holds(Role role, std::uint16_t length) const {
  const Held& held = direction(role).held;
  return held.records != 0 && held.length == length;
}

/// What is held is application data.
void Conversation::commit(Role role) {
  Held& held = direction(role).held;
  if (role == Role::request && begins_turn(held.arrival)) {
    // A control record of the server before it is data of the turn before.
    if (turn_ != nullptr && !turn_->response.begun && server().held.records != 0) commit(Role::response);
    begin_turn(held.arrival, held.message.begin, &held);
  }
  held.records = 0;
  if (turn_ == nullptr) return;
  if (role == Role::response) begin_response(held.arrival, held.message.begin);
  http::Message& to = turn_->message(role);
  to.bytes += held.message.bytes;
  to.body_bytes += held.message.body_bytes;
  to.last = held.message.last;
  turn_->last_frame = std::max(turn_->last_frame, held.arrival.frame);
}

void Conversation::begin_turn(const Arrival& arrival, std::uint64_t offset, const Held* held) {
  close_previous();
  previous_ = turn_;
  turn_ = &exchanges_.open(arrival);
  const Spent spent = held != nullptr ? held->spent : turn_->spent_before;
  if (turn_->number == 1) {
    begin_first_turn(arrival, spent);
  } else {
    turn_->spent_before = spent;
    if (held != nullptr) turn_->tcp_before = held->counts;
    const Nanos end = std::max(previous_->ended, previous_->response.last);
    turn_->idle = Handshake::between(end, arrival.time);
  }
  turn_->protocol = http::Protocol::tls;
  turn_->host = host_;
  turn_->tls_version = version_;
  turn_->alpn = protocol_;
  begin_message(turn_->request, arrival, offset);
  turn_->seen = arrival.acknowledged;
}

/// The first turn has the handshake's time, too: up to its end, or to the turn's
/// first byte, where that comes before it (early data; RFC 7918).
void Conversation::begin_first_turn(const Arrival& arrival, const Spent& spent) {
  if (!is_established() && server().holed && !early_data_) holed_ = true;
  turn_->tls_first = first_;
  turn_->gap_alone = std::max(turn_->gap_alone, max_gap_);
  turn_->spent_before = spent;
  if (holed_) {
    turn_->tls = kUnknownTime;
    turn_->idle = kUnknownTime;
    return;
  }
  const bool over = is_established();
  turn_->tls = Handshake::between(first_, over ? last_ : arrival.time);
  turn_->idle = over ? std::max<Nanos>(0, arrival.time - last_) : 0;
  const Spent handshake = (over ? spent_latest_ : spent) - spent_before_;
  turn_->spent_before = spent - handshake;
}

void Conversation::begin_response(const Arrival& arrival, std::uint64_t offset) {
  close_previous();
  begin_message(turn_->response, arrival, offset);
  tickets_due_ = false;
}

void Conversation::begin_message(http::Message& message, const Arrival& arrival, std::uint64_t offset) {
  if (message.begun) return;
  message.begun = true;
  message.complete = true;
  message.first = arrival.time;
  message.begin = offset;
}

void Conversation::close_previous() {
  if (previous_ == nullptr) return;
  if (!previous_->response.begun) exchanges_.sum_up(*previous_, arrival_.time);
  exchanges_.close(*previous_, previous_->response.begun ? previous_->outcome : http::Outcome::gap);
  previous_ = nullptr;
}

void Conversation::on_fragment(Role role, Bytes bytes) {
  if (direction(role).place == Place::hello) return take_hello(role, bytes);
  count(role, bytes.size(), bytes.size(), false);
}

void Conversation::on_skipped(Role role, std::uint64_t bytes, bool missing) {
  Direction& from = direction(role);
  if (from.place == Place::hello) give_up_hello(from);
  count(role, bytes, bytes, missing);
}

void Conversation::on_end(Role role) {
  Direction& from = direction(role);
  if (role == Role::request && from.place == Place::turn) turn_->request.complete = true;
  const bool handshake = from.place == Place::hello || from.place == Place::flight || from.place == Place::finished;
  if (handshake && !is_established()) {
    latest_ = arrival_.time;
    spent_latest_ = spent_now();
  }
  if (from.place != Place::finished) return;
  from.finished = true;
  if (is_tls13()) server().finished = true;  // the client's is the last
  if (is_established()) end_handshake();
}

void Conversation::end_handshake() {
  client().finished = server().finished = true;
  if (!holed_) last_ = latest_;
}

void Conversation::on_stray(Role role, std::uint64_t offset, std::uint64_t bytes, bool missing) {
  Direction& from = direction(role);
  from.place = Place::nothing;
  if (!from.hello_over && !missing && !from.holed) {
    not_tls_ = true;
    return;
  }
  if (!is_established() && turn_ == nullptr) return lose_handshake(role);
  from.arrival = arrival_;
  if (role == Role::request) {
    // An alert alone, or the like, is no request.
    const bool unknown = missing && arrival_.acknowledged == 0;
    const bool begins = unknown ? turn_ == nullptr || turn_->response.begun : begins_turn(arrival_);
    if (begins && bytes <= kRecordHeaderBytes + kKeyUpdateLength) return;
    if (begins) begin_turn(arrival_, offset, nullptr);
    turn_->outcome = http::Outcome::gap;  // it may hide a turn
  } else {
    if (turn_ == nullptr) return;
    if (previous_ != nullptr && offset < turn_->seen) {
      begin_message(previous_->response, arrival_, offset);
      from.place = Place::previous;
      return count(role, bytes, 0, missing);
    }
    begin_response(arrival_, offset);
  }
  from.place = Place::turn;
  count(role, bytes, 0, missing);
}

/// Records of the handshake are lost: of the client's, maybe its last.
void Conversation::lose_handshake(Role role) {
  Direction& from = direction(role);
  from.holed = true;
  give_up_hello(from);
  if (role != Role::request) return;
  holed_ = true;
  end_handshake();
}

void Conversation::give_up_hello(Direction& direction) {
  direction.hello_over = true;
  direction.hello = {};
}

void Conversation::take_hello(Role role, Bytes bytes) {
  Direction& from = direction(role);
  if (from.hello_over) return;
  from.hello.append(as_text(bytes));
  const auto* const message = reinterpret_cast<const std::uint8_t*>(from.hello.data());
  if (message[0] != (role == Role::request ? kClientHello : kServerHello)) {
    not_tls_ = role == Role::request;
    return give_up_hello(from);
  }
  if (from.hello.size() < kHandshakeHeaderBytes) return;
  const std::size_t length = load_be32(message) & 0xffffff;
  if (length > kMaxHelloBytes) return give_up_hello(from);
  if (from.hello.size() - kHandshakeHeaderBytes < length) return;
  from.hello_over = true;
  decode_hello(role, {message + kHandshakeHeaderBytes, length});
  from.hello = {};
}

void Conversation::decode_hello(Role role, Bytes body) {
  if (role == Role::request) {
    const std::optional<ClientHello> hello = decode_client_hello(body);
    if (!hello) return;
    host_.assign(hello->server_name);
    protocol_.assign(hello->protocol);
    early_data_ = hello->early_data;
    return;
  }
  const std::optional<ServerHello> hello = decode_server_hello(body);
  if (!hello) return;
  version_ = hello->version;
  cipher_suite_ = hello->cipher_suite;
  resumed_ = hello->resumed;
  if (is_tls12()) protocol_.assign(hello->protocol);
  if (hello->retry) server().hello_over = false;  // another one follows
}

void Conversation::count(Role role, std::uint64_t bytes, std::uint64_t body, bool missing) {
  Direction& from = direction(role);
  http::Exchange* const exchange = from.place == Place::previous ? previous_ : turn_;
  http::Message* message = &from.held.message;
  if (from.place == Place::turn || from.place == Place::previous) {
    if (exchange == nullptr) return;
    message = &exchange->message(role);
    exchange->last_frame = std::max(exchange->last_frame, arrival_.frame);
    if (missing) exchange->missing_bytes += bytes;
  } else if (from.place != Place::held) {
    return;
  }
  message->bytes += bytes;
  message->body_bytes += body;
  message->last = arrival_.time;
  message->resent_after = kUnknownTime;
  const bool step = exchanges_.wanted().steps && role == Role::response && from.place != Place::held;
  if (!step) return;
  std::vector<http::Step>& steps = exchange->steps;
  if (steps.empty() || steps.back().frame != arrival_.frame) steps.push_back({arrival_.time, arrival_.frame, 0});
  steps.back().reached = exchange->response.bytes;
}

/// A turn's end is known only when the next one begins: it is summed up at each
/// of the server's bytes.
void Conversation::sum_up_answered() {
  for (http::Exchange* const exchange : {previous_, turn_}) {
    if (exchange == nullptr) continue;
    const http::Message& held = server().held.message;
    const bool answered = exchange->response.begun ? exchange->response.last == arrival_.time
                                                   : server().held.records != 0 && held.last == arrival_.time;
    if (answered) exchanges_.sum_up(*exchange, arrival_.time);
  }
}

}  // namespace wirelap::tls
