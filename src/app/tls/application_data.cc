#include "app/tls/application_data.h"

#include <algorithm>

namespace wirelap::tls {
namespace {

/// The lengths that session tickets are assumed to have where only the length can distinguish them.
constexpr bool is_ticket_length(std::uint16_t length) { return length >= 50 && length <= 600; }

constexpr bool is_control_length(std::uint16_t length) { return length == kAlertLength || length == kKeyUpdateLength; }

}  // namespace

/// Whether what the client sends with `arrival` begins a turn, because it has received a byte of the answer to the
/// present one. A single undecided record of the server may be that answer.
bool ApplicationData::begins_turn(const Arrival& arrival) const {
  const Undecided& answer = undecided(Direction::to_client);
  return turns_.begins(arrival, answer.records == 1 ? answer.start.offset : StreamPosition::kNever);
}

RecordKind ApplicationData::classify_request(const RecordStart& start, std::uint16_t length) {
  const bool may_begin = begins_turn(start.arrival);
  decide_request_before_request();
  const bool may_be_control = length == kAlertLength || (length == kKeyUpdateLength && may_begin);
  if (may_be_control && may_be_tls13() && session_.has_finished(Direction::to_server))
    return defer(Direction::to_server, start, length);
  if (begins_turn(start.arrival)) {
    decide_response(false);
    begin_turn(start, nullptr);
  }
  return RecordKind::present_turn;
}

/// Decides on the client's undecided record, after which the client sends another one:
///
///     as long as a key update     it is one
///     as long as an alert         it is application data, since an alert ends the connection
void ApplicationData::decide_request_before_request() {
  drop_key_updates();
  if (has_undecided(Direction::to_server, kKeyUpdateLength)) drop(Direction::to_server);
  if (has_undecided(Direction::to_server, kAlertLength)) accept(Direction::to_server);
}

/// Classifies the record by these questions, in this order:
///
/// 1. Was the client's undecided record a request? It was if the server sends data after it has received that record.
/// 2. Is there a turn that this record can answer?
/// 3. Did the server send it before it had received a byte of the present turn? Then it belongs to an earlier turn.
/// 4. May it be a session ticket, a key update or an alert? Then later records decide.
///
/// Otherwise the record belongs to the answer to the present turn.
RecordKind ApplicationData::classify_response(const RecordStart& start, std::uint16_t length) {
  const bool is_data = !is_control_length(length);
  if (is_data) decide_request_before_response(start.arrival);

  const bool answers_undecided = has_undecided(Direction::to_server) && !is_data;
  if (turns_.present() == nullptr && !answers_undecided) return RecordKind::ignored;
  if (is_data && begin_unasked_turn(start, length)) return RecordKind::present_turn;

  if (const std::optional<RecordKind> kind = classify_early_response(start.arrival)) return *kind;

  const bool begins = begins_response();
  const bool may_be_ticket = is_ticket_length(length) && expects_ticket();
  if (may_be_ticket && has_undecided(Direction::to_client, length)) {
    undecided(Direction::to_client).records += 1;
    return RecordKind::undecided;
  }
  decide_response(is_data);  // may clear tickets_due_
  const bool may_be_control = length == kAlertLength || (length == kKeyUpdateLength && begins);
  if ((may_be_control && may_be_tls13()) || (may_be_ticket && tickets_due_))
    return defer(Direction::to_client, start, length);

  begin_response(start);
  return RecordKind::present_turn;
}

/// Decides on the client's undecided record, after which the server sends data: it is a request if the server has
/// received it.
void ApplicationData::decide_request_before_response(const Arrival& arrival) {
  if (drop_key_updates() || !has_undecided(Direction::to_server)) return;
  if (arrival.acknowledged > undecided(Direction::to_server).start.offset) accept(Direction::to_server);
}

/// Begins a turn where data of the server answers a request that was not captured, or not yet. Returns whether it did.
bool ApplicationData::begin_unasked_turn(const RecordStart& start, std::uint16_t length) {
  const bool has_received_more = start.arrival.acknowledged > log_.view().next(Direction::to_server);
  if (!has_received_more || has_undecided(Direction::to_server)) return false;
  if (undecided(Direction::to_client).length != length) decide_response(true);
  if (!turns_.is_unasked(start.arrival)) return false;
  turns_.begin_unasked(start.arrival, start.offset).host = session_.host;
  label_present_turn();
  return true;
}

/// Classifies a record that the server sent before it had received a byte of the present turn. Returns nothing for any
/// other record, or where the record belongs to the present turn all the same.
///
///     client  --[ turn 1 ]-->                           --[ turn 2 ]-->
///     server                  <--[ answer ]--   <--[ this record ]--
///
/// If there is no turn 1, the record is a session ticket, or the answer to a turn from before the capture.
std::optional<RecordKind> ApplicationData::classify_early_response(const Arrival& arrival) const {
  if (!turns_.is_early(arrival)) return std::nullopt;
  if (turns_.previous() != nullptr) return RecordKind::previous_turn;
  const bool answers_earlier_turn = !from_start_ && !turns_.present()->response.begun;
  if (answers_earlier_turn || expects_ticket()) return RecordKind::ignored;
  return std::nullopt;
}

/// Whether the next data of the server begins a response.
bool ApplicationData::begins_response() const {
  const Exchange* const turn = turns_.present();
  return turn == nullptr || !turn->response.begun || has_undecided(Direction::to_server);
}

/// Whether the next record of the server may be a session ticket: these come before the first response.
bool ApplicationData::expects_ticket() const {
  const Exchange* const turn = turns_.present();
  return tickets_due_ && session_.is_tls13() && turn != nullptr && is_first(*turn) && begins_response();
}

RecordKind ApplicationData::classify_unparsed(Direction direction, const RecordStart& start, std::uint64_t bytes,
                                              bool not_captured) {
  if (direction == Direction::to_server) {
    const bool begins = turns_.may_begin(start.arrival, start.offset, not_captured);
    // So few bytes are a control record and not a request.
    if (begins && bytes <= kRecordHeaderBytes + kKeyUpdateLength) return RecordKind::ignored;
    if (begins) begin_turn(start, nullptr);
    turns_.present()->outcome = Outcome::gap;  // the bytes may hide another turn
    return RecordKind::present_turn;
  }
  const Exchange* const turn = turns_.place_response(start.arrival, start.offset, not_captured);
  if (turn == nullptr) return RecordKind::ignored;
  if (turn != turns_.present()) return RecordKind::previous_turn;
  tickets_due_ = false;
  return RecordKind::present_turn;
}

/// Drops the undecided records if both ends have one that is as long as a key update: one end has asked the other for
/// its own (RFC 8446, section 4.6.3). Returns whether it did.
bool ApplicationData::drop_key_updates() {
  if (!has_undecided(Direction::to_server, kKeyUpdateLength) || !has_undecided(Direction::to_client, kKeyUpdateLength))
    return false;
  drop(Direction::to_server);
  drop(Direction::to_client);
  return true;
}

/// Decides on the undecided records of the server. `data_follows`: the server's next record is surely data.
///
///     server  <--[ 255 ]--[ 255 ]--[ data ]--     two or more of the length of a ticket: tickets
///     server  <--[ 255 ]--[ data ]--              one: a ticket after a resumption, otherwise the answer
///     server  <--[ 255 ]--                        no data follows: the answer
///     server  <--[ 19 ]--[ data ]--               the length of an alert or a key update: a part of the answer
void ApplicationData::decide_response(bool data_follows) {
  const Undecided& answer = undecided(Direction::to_client);
  if (answer.records == 0) return;
  const bool may_be_tickets = !is_control_length(answer.length);
  if (may_be_tickets) tickets_due_ = false;
  if (may_be_tickets && data_follows && (answer.records > 1 || session_.resumed)) return drop(Direction::to_client);
  if (has_undecided(Direction::to_server)) accept(Direction::to_server);
  accept(Direction::to_client);
}

void ApplicationData::decide_at_end() {
  if (has_undecided(Direction::to_server)) {
    drop(Direction::to_server);
    drop(Direction::to_client);
  } else if (has_undecided(Direction::to_client, kAlertLength)) {
    drop(Direction::to_client);
  } else {
    decide_response(false);
  }
}

/// Makes a record the first undecided one of its direction.
RecordKind ApplicationData::defer(Direction direction, const RecordStart& start, std::uint16_t length) {
  const StreamView& view = log_.view();
  undecided(direction) = {1, length, start, 0, 0, kUnknownTime, view.counts(), view.causes_until(start.arrival.time)};
  return RecordKind::undecided;
}

/// Counts the undecided records as application data, for a new turn or the present one.
void ApplicationData::accept(Direction direction) {
  Undecided& data = undecided(direction);
  if (direction == Direction::to_server && begins_turn(data.start.arrival)) {
    // An undecided record that the server sent before answers the turn before.
    const Exchange* const turn = turns_.present();
    if (turn != nullptr && !turn->response.begun && has_undecided(Direction::to_client)) accept(Direction::to_client);
    begin_turn(data.start, &data);
  }
  data.records = 0;
  Exchange* const turn = turns_.present();
  if (turn == nullptr) return;
  if (direction == Direction::to_client) begin_response(data.start);
  Message& message = turn->message(direction);
  message.bytes += data.bytes;
  message.body_bytes += data.body_bytes;
  message.last = data.last;
  turn->last_packet = std::max(turn->last_packet, data.start.arrival.packet);
}

/// Begins a turn with the record at `start`. `from`: it was undecided since then; null: it has just arrived.
void ApplicationData::begin_turn(const RecordStart& start, const Undecided* from) {
  const bool is_first = first_number_ == 0;
  Exchange& turn = turns_.begin(start.arrival, start.offset);
  if (is_first) {
    first_number_ = turn.number;
    begin_first_turn(turn, start.arrival, from != nullptr ? from->causes : turn.causes_before);
  } else if (from != nullptr) {
    turn.causes_before = from->causes;
    turn.tcp_before = from->counts;
  }
  turn.host = session_.host;
  label_present_turn();
}

void ApplicationData::label_present_turn() {
  Exchange* const turn = turns_.present();
  if (turn == nullptr) return;
  turn->tls_version = session_.version;
  turn->alpn = session_.alpn;
}

/// Adds the time of the handshake to the first turn. Where the turn begins before the handshake is over (early data, or
/// False Start, RFC 7918), only the time before the turn is added. `causes`: of the connection when the turn began.
void ApplicationData::begin_first_turn(Exchange& turn, const Arrival& arrival, const CauseTimes& causes) {
  const bool is_over = session_.is_established();
  if (!is_over && session_.has_gap[index(Direction::to_client)] && !session_.early_data) session_.end_unknown = true;
  turn.tls_first = session_.first;
  turn.gap_alone = std::max(turn.gap_alone, session_.max_gap);
  turn.causes_before = causes;
  // The turn may have begun before the capture, or in the part of the handshake that was not captured.
  if (!from_start_ || (session_.end_unknown && may_be_tls13())) turn.outcome = Outcome::gap;
  if (session_.end_unknown) {
    turn.tls = kUnknownTime;
    turn.idle = kUnknownTime;
    return;
  }
  turn.tls = Handshake::between(session_.first, is_over ? session_.last : arrival.time);
  turn.idle = is_over ? std::max<Nanos>(0, arrival.time - session_.last) : 0;
  const CauseTimes handshake = (is_over ? session_.causes_latest : causes) - session_.causes_before;
  turn.causes_before = causes - handshake;
}

void ApplicationData::begin_response(const RecordStart& start) {
  turns_.begin_response(start.arrival, start.offset);
  tickets_due_ = false;
}

void ApplicationData::count(Direction direction, RecordKind kind, const Arrival& arrival, std::uint64_t bytes,
                            std::uint64_t body, bool not_captured) {
  if (kind == RecordKind::undecided) {
    Undecided& data = undecided(direction);
    data.bytes += bytes;
    data.body_bytes += body;
    data.last = arrival.time;
    return;
  }
  Exchange* const turn = kind == RecordKind::present_turn    ? turns_.present()
                         : kind == RecordKind::previous_turn ? turns_.previous()
                                                             : nullptr;
  if (turn == nullptr) return;
  turns_.count(*turn, direction, arrival, bytes, body);
  if (not_captured) turn->missing_bytes += bytes;
}

void ApplicationData::sum_up(Nanos time) {
  const Undecided& answer = undecided(Direction::to_client);
  turns_.sum_up(time, answer.records != 0 && answer.last == time);
}

}  // namespace wirelap::tls
