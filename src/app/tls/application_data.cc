#include "app/tls/application_data.h"

#include <algorithm>

namespace wirelap::tls {
namespace {

/// What tickets are taken to be as long as, where nothing but their length tells them.
constexpr bool is_ticket_length(std::uint16_t length) { return length >= 50 && length <= 600; }

constexpr bool is_control_length(std::uint16_t length) { return length == kAlertLength || length == kKeyUpdateLength; }

}  // namespace

/// Whether what the client sends with `arrival` begins a turn: it had a byte of the answer to the last one.
bool ApplicationData::begins_turn(const Arrival& arrival) const {
  const Held& answer = held(Direction::to_client);
  return turns_.begins(arrival, answer.records == 1 ? answer.start.offset : StreamPosition::kNever);
}

Place ApplicationData::place_of_request(const Start& start, std::uint16_t length) {
  const bool begins = begins_turn(start.arrival);
  drop_key_updates();
  if (holds(Direction::to_server, kKeyUpdateLength)) drop(Direction::to_server);
  if (holds(Direction::to_server, kAlertLength)) commit(Direction::to_server);  // an alert would have been the last
  const bool control = length == kAlertLength || (length == kKeyUpdateLength && begins);
  if (may_be_tls13() && control && session_.has_finished(Direction::to_server))
    return hold(Direction::to_server, start, length);
  if (begins_turn(start.arrival)) {
    settle_response(false);
    begin_turn(start, nullptr);
  }
  return Place::turn;
}

Place ApplicationData::place_of_response(const Start& start, std::uint16_t length) {
  Held& answer = held(Direction::to_client);
  const Held& asked = held(Direction::to_server);
  if (!is_control_length(length) && !drop_key_updates() && asked.records != 0 &&
      start.arrival.acknowledged > asked.start.offset) {
    commit(Direction::to_server);
  }
  const Exchange* const turn = turns_.present();
  if (turn == nullptr && (asked.records == 0 || !is_control_length(length))) return Place::nothing;
  if (!is_control_length(length) && asked.records == 0 && answers_missed(start.arrival)) {
    if (answer.length != length) settle_response(true);
    if (turns_.is_unasked(start.arrival)) {
      turns_.begin_unasked(start.arrival, start.offset).host = session_.host;
      name_present();
      return Place::turn;
    }
  }
  const bool early = turns_.is_early(start.arrival);
  if (early && turns_.previous() != nullptr) return Place::previous;
  // It answers a turn of before the capture.
  if (early && !from_start_ && !turn->response.begun) return Place::nothing;
  const bool begins = turn == nullptr || !turn->response.begun || asked.records != 0;
  const bool ticket = tickets_due_ && session_.is_tls13() && begins && turn != nullptr && is_first(*turn);
  // The server had nothing to answer yet.
  if (ticket && early) return Place::nothing;
  const bool ticket_length = ticket && is_ticket_length(length);
  if (ticket_length && answer.records != 0 && answer.length == length) {
    answer.records += 1;
    return Place::held;
  }
  settle_response(!is_control_length(length));
  if (may_be_tls13()) {
    const bool control = length == kAlertLength || (length == kKeyUpdateLength && begins);
    if (control || (ticket_length && tickets_due_)) return hold(Direction::to_client, start, length);
  }
  begin_response(start);
  return Place::turn;
}

Place ApplicationData::place_of_stray(Direction direction, const Start& start, std::uint64_t bytes, bool missing) {
  if (direction == Direction::to_server) {
    // An alert alone, or the like, is no request.
    const bool begins = turns_.may_begin(start.arrival, start.offset, missing);
    if (begins && bytes <= kRecordHeaderBytes + kKeyUpdateLength) return Place::nothing;
    if (begins) begin_turn(start, nullptr);
    turns_.present()->outcome = Outcome::gap;  // it may hide a turn
    return Place::turn;
  }
  const Exchange* const turn = turns_.place_response(start.arrival, start.offset, missing);
  if (turn == nullptr) return Place::nothing;
  if (turn != turns_.present()) return Place::previous;
  tickets_due_ = false;
  return Place::turn;
}

/// Key updates of both ends, one asked for by the other, are no exchange (RFC 8446, section 4.6.3).
bool ApplicationData::drop_key_updates() {
  if (!holds(Direction::to_server, kKeyUpdateLength) || !holds(Direction::to_client, kKeyUpdateLength)) return false;
  drop(Direction::to_server);
  drop(Direction::to_client);
  return true;
}

/// Decides what the server's held records are; `more` of its data follow.
void ApplicationData::settle_response(bool more) {
  const Held& answer = held(Direction::to_client);
  if (answer.records == 0) return;
  const bool control = is_control_length(answer.length);
  // Servers send tickets of one length; after a resumption often one alone.
  const bool tickets = !control && (answer.records > 1 || session_.resumed) && more;
  if (!control) tickets_due_ = false;
  if (tickets) {
    drop(Direction::to_client);
  } else {
    if (held(Direction::to_server).records != 0) commit(Direction::to_server);
    commit(Direction::to_client);
  }
}

void ApplicationData::settle() {
  if (held(Direction::to_server).records != 0) {
    drop(Direction::to_server);
    drop(Direction::to_client);
  } else if (holds(Direction::to_client, kAlertLength)) {
    drop(Direction::to_client);
  } else {
    settle_response(false);
  }
}

Place ApplicationData::hold(Direction direction, const Start& start, std::uint16_t length) {
  const StreamView& view = log_.view();
  held(direction) = {1, length, start, 0, 0, kUnknownTime, view.counts(), view.causes_until(start.arrival.time)};
  return Place::held;
}

bool ApplicationData::holds(Direction direction, std::uint16_t length) const {
  return held(direction).records != 0 && held(direction).length == length;
}

/// What is held is application data.
void ApplicationData::commit(Direction direction) {
  Held& data = held(direction);
  if (direction == Direction::to_server && begins_turn(data.start.arrival)) {
    const Exchange* const turn = turns_.present();
    // A control record of the server before it is data of the turn before.
    if (turn != nullptr && !turn->response.begun && held(Direction::to_client).records != 0)
      commit(Direction::to_client);
    begin_turn(data.start, &data);
  }
  data.records = 0;
  Exchange* const turn = turns_.present();
  if (turn == nullptr) return;
  if (direction == Direction::to_client) begin_response(data.start);
  Message& to = turn->message(direction);
  to.bytes += data.bytes;
  to.body_bytes += data.body_bytes;
  to.last = data.last;
  turn->last_packet = std::max(turn->last_packet, data.start.arrival.packet);
}

void ApplicationData::begin_turn(const Start& start, const Held* held) {
  const bool first = first_number_ == 0;
  Exchange& turn = turns_.begin(start.arrival, start.offset);
  if (first) {
    first_number_ = turn.number;
    begin_first_turn(turn, start.arrival, held != nullptr ? held->causes : turn.causes_before);
  } else if (held != nullptr) {
    turn.causes_before = held->causes;
    turn.tcp_before = held->counts;
  }
  turn.host = session_.host;
  name_present();
}

void ApplicationData::name_present() {
  Exchange* const turn = turns_.present();
  if (turn == nullptr) return;
  turn->tls_version = session_.version;
  turn->alpn = session_.protocol;
}

/// The first turn has the handshake's time, too: up to its end, or to the turn's
/// first byte, where that comes before it (early data; RFC 7918).
void ApplicationData::begin_first_turn(Exchange& turn, const Arrival& arrival, const CauseTimes& causes) {
  const bool over = session_.is_established();
  if (!over && session_.lost[static_cast<int>(Direction::to_client)] && !session_.early_data) session_.holed = true;
  turn.tls_first = session_.first;
  turn.gap_alone = std::max(turn.gap_alone, session_.max_gap);
  turn.causes_before = causes;
  // It may have begun before the capture, or in what is lost of the handshake.
  if (!from_start_ || (session_.holed && may_be_tls13())) turn.outcome = Outcome::gap;
  if (session_.holed) {
    turn.tls = kUnknownTime;
    turn.idle = kUnknownTime;
    return;
  }
  turn.tls = Handshake::between(session_.first, over ? session_.last : arrival.time);
  turn.idle = over ? std::max<Nanos>(0, arrival.time - session_.last) : 0;
  const CauseTimes handshake = (over ? session_.causes_latest : causes) - session_.causes_before;
  turn.causes_before = causes - handshake;
}

void ApplicationData::begin_response(const Start& start) {
  turns_.begin_response(start.arrival, start.offset);
  tickets_due_ = false;
}

void ApplicationData::count(Direction direction, Place place, const Arrival& arrival, std::uint64_t bytes,
                            std::uint64_t body, bool missing) {
  if (place == Place::held) {
    Held& data = held(direction);
    data.bytes += bytes;
    data.body_bytes += body;
    data.last = arrival.time;
    return;
  }
  Exchange* const turn = place == Place::turn       ? turns_.present()
                         : place == Place::previous ? turns_.previous()
                                                    : nullptr;
  if (turn == nullptr) return;
  turns_.count(*turn, direction, arrival, bytes, body);
  if (missing) turn->missing_bytes += bytes;
}

void ApplicationData::sum_up(Nanos time) {
  const Held& answer = held(Direction::to_client);
  turns_.sum_up(time, answer.records != 0 && answer.last == time);
}

}  // namespace wirelap::tls
