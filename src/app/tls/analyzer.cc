#include "app/tls/analyzer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace wirelap::tls {
namespace {

// Lengths of further encrypted TLS 1.3 records (see tls/data.h).
constexpr std::uint16_t kEndOfEarlyDataLength = kHandshakeHeaderBytes + kOverhead;
constexpr std::uint16_t kFinishedLength256 = kHandshakeHeaderBytes + 32 + kOverhead;
constexpr std::uint16_t kFinishedLength384 = kHandshakeHeaderBytes + 48 + kOverhead;
constexpr std::uint16_t kShorterTag = 8;  // TLS_AES_128_CCM_8_SHA256

/// TLS_AES_256_GCM_SHA384 and TLS_AES_128_CCM_8_SHA256 (RFC 8446, B.4).
constexpr std::uint16_t kAes256Sha384 = 0x1302;
constexpr std::uint16_t kAes128Ccm8 = 0x1305;

/// Whether `bytes` begin with a record that can hold no other than a ClientHello:
/// what stands before it in its stream was something else. A second one comes
/// behind a ChangeCipherSpec (RFC 8446, appendix D.4).
bool begins_with_client_hello(Bytes bytes) {
  constexpr std::uint8_t kChangeCipherSpec[] = {20, 3, 3, 0, 1, 1};
  if (std::equal(std::begin(kChangeCipherSpec), std::end(kChangeCipherSpec), bytes.begin(),
                 bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), sizeof kChangeCipherSpec)))) {
    bytes = bytes.subspan(sizeof kChangeCipherSpec);
  }
  constexpr std::size_t kLeast = kRecordHeaderBytes + kHandshakeHeaderBytes + 2;
  if (bytes.size() < kLeast || bytes[0] != static_cast<std::uint8_t>(ContentType::handshake)) return false;
  const std::uint8_t* const message = bytes.data() + kRecordHeaderBytes;
  const std::uint32_t length = load_be32(message) & 0xffffff;
  constexpr std::uint32_t kShortest = 2 + 32 + 1 + 2 + 2;  // RFC 8446, section 4.1.2
  return is_record_header(bytes.data(), bytes.size()) && message[0] == kClientHello && length >= kShortest &&
         length <= Analyzer::kMaxHelloBytes && message[kHandshakeHeaderBytes] == 3 &&
         message[kHandshakeHeaderBytes + 1] <= 3;
}

}  // namespace

Probe Analyzer::probe(const Opening& opening) {
  const Bytes bytes = opening.bytes;
  const StreamPosition& position = opening.position;
  const bool from_client = opening.may_be(Direction::to_server);
  // After words in clear text (STARTTLS).
  if (position.next != 0 && from_client && begins_with_client_hello(bytes))
    return {Probe::Result::certain, Direction::to_server};
  if (!position.at_start() && opening.likely == Direction::to_server && are_data_records(bytes))
    return {Probe::Result::certain, Direction::to_server, true};
  if (position.next != 0) return {};
  const bool is_handshake = bytes[0] == static_cast<std::uint8_t>(ContentType::handshake);
  if (!is_handshake || !is_record_header(bytes.data(), bytes.size())) return {};
  // A ServerHello shows TLS where the client's hello was not captured.
  const bool has_type = bytes.size() > kRecordHeaderBytes;
  if (has_type && bytes[kRecordHeaderBytes] != (from_client ? kClientHello : kServerHello)) return {};
  // In the middle of a connection a record header alone proves too little.
  if (!opening.direction && !has_type) return {};
  return {has_type ? Probe::Result::certain : Probe::Result::unsure,
          from_client ? Direction::to_server : Direction::to_client};
}

Analyzer::Analyzer(const StreamView& view, ExchangePool& pool, const Probe& probe)
    : wirelap::Analyzer(view, pool),
      session_(pool.memory()),
      data_(log_, session_, !probe.from_middle),
      states_{{Direction::to_server, view.next(Direction::to_server), true, pool.memory()},
              {Direction::to_client, view.next(Direction::to_client), !probe.from_middle, pool.memory()}} {
  if (probe.from_middle) {
    session_.holed = client().hello_over = server().hello_over = true;
    session_.end();
  } else if (probe.direction == Direction::to_client && view.next(Direction::to_server) != 0) {
    session_.holed = session_.lost[index(Direction::to_server)] = client().hello_over = true;
  }
}

void Analyzer::feed(Direction direction, const StreamData& data, const Arrival& arrival) {
  if (over_) return;
  arrival_ = arrival;
  if (!session_.is_established() && session_.first != kUnknownTime) {
    session_.max_gap = std::max(session_.max_gap, arrival.time - view().previous_packet_time());
  }
  state(direction).parser.feed(data.bytes, *this);
  const std::uint64_t uncaptured = data.length - data.bytes.size();
  if (uncaptured != 0) state(direction).parser.skip(uncaptured, true, *this);
  if (direction == Direction::to_client) data_.sum_up(arrival.time);
}

void Analyzer::gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival) {
  if (over_) return;
  arrival_ = arrival;
  state(direction).parser.skip(count, !captured, *this);
  if (direction == Direction::to_client) data_.sum_up(arrival.time);
}

std::uint64_t Analyzer::skippable(Direction direction) const {
  const DirectionState& from = state(direction);
  return from.place == Place::hello ? 0 : from.parser.skippable();
}

void Analyzer::finish(Direction direction, const Arrival& arrival) {
  arrival_ = arrival;
  state(direction).closing = true;
  // Without the server there is no answer to come; a client may close its half
  // and still be answered.
  if (direction == Direction::to_client) end_turns(Outcome::closed, arrival.time);
}

void Analyzer::finish(Outcome outcome, Nanos time) {
  end_turns(outcome, time);
  log_.confirm(StreamPosition::kNever);
}

void Analyzer::end_turns(Outcome outcome, Nanos time) {
  if (std::exchange(over_, true)) return;
  for (const Direction direction : {Direction::to_server, Direction::to_client}) {
    state(direction).closing = state(direction).closing || data_.holds_alert(direction);
  }
  data_.settle();
  const bool closed = outcome == Outcome::closed;
  const bool in_order = closed || (outcome == Outcome::reset && (client().closing || server().closing));
  const bool whole = in_order && !server().parser.in_record();
  const Outcome answered = whole ? Outcome::complete : in_order ? Outcome::closed : outcome;
  data_.turns().end(outcome, answered, time);
}

void Analyzer::on_begin(Direction direction, std::uint64_t offset) {
  DirectionState& from = state(direction);
  from.start = {offset, arrival_};
  from.place = Place::nothing;
  if (direction == Direction::to_server && session_.first == kUnknownTime) {
    session_.first = arrival_.time;
    session_.causes_before = causes_now();
  }
}

void Analyzer::on_record(Direction direction, ContentType type, std::uint16_t length) {
  DirectionState& from = state(direction);
  const Exchange* const turn = data_.turns().present();
  from.place = place_of(direction, type, length);
  // The server's record in progress is the turn's before.
  if (turn != data_.turns().present() && direction == Direction::to_server && server().parser.in_record() &&
      server().place == Place::turn) {
    server().place = Place::previous;
  }
  if (type == ContentType::application_data) from.closing = false;
  count(direction, kRecordHeaderBytes, 0, false);
  if (direction == Direction::to_server && from.place == Place::turn) data_.turns().present()->request.complete = false;
}

Place Analyzer::place_of(Direction direction, ContentType type, std::uint16_t length) {
  DirectionState& from = state(direction);
  switch (type) {
    case ContentType::handshake:
      if (!from.hello_over) return Place::hello;
      if (session_.is_established()) return Place::nothing;  // a renegotiation
      return from.ciphered && !session_.is_tls13() ? Place::finished : Place::flight;
    case ContentType::change_cipher_spec:
      from.ciphered = true;
      return session_.is_established() ? Place::nothing : Place::flight;
    case ContentType::application_data:
      return direction == Direction::to_server ? place_of_client_data(length) : place_of_server_data(length);
    case ContentType::alert: from.closing = true; return Place::nothing;
    case ContentType::heartbeat: return Place::nothing;
  }
  return Place::nothing;
}

bool Analyzer::is_finished_length(std::uint16_t length) const {
  switch (session_.cipher_suite) {
    case 0: return length == kFinishedLength256 || length == kFinishedLength384;
    case kAes256Sha384: return length == kFinishedLength384;
    case kAes128Ccm8: return length == kFinishedLength256 - kShorterTag;
    default: return length == kFinishedLength256;
  }
}

Place Analyzer::place_of_client_data(std::uint16_t length) {
  if (session_.has_finished(Direction::to_server)) return data_.place_of_request(client().start, length);
  if (session_.is_tls12()) {  // the Finished was not seen
    lose_handshake(Direction::to_server);
    return data_.place_of_request(client().start, length);
  }
  if (client().start.arrival.acknowledged != 0 && is_finished_length(length)) {
    session_.version = std::max(session_.version, kTls13);
    return Place::finished;
  }
  if (session_.early_data && length != kEndOfEarlyDataLength) return data_.place_of_request(client().start, length);
  flight_begin_ = std::min(flight_begin_, client().start.offset);
  return Place::flight;
}

Place Analyzer::place_of_server_data(std::uint16_t length) {
  server().hello_over = true;
  if (session_.has_finished(Direction::to_server)) return data_.place_of_response(server().start, length);
  if (session_.version == 0) session_.version = kTls13;  // TLS 1.2 encrypts nothing before its Finished
  if (session_.is_tls12()) return Place::nothing;
  if (data_.turns().present() != nullptr) {
    // Early data may be answered right after the server's Finished, which may
    // share its record with what is before it.
    if (session_.has_finished(Direction::to_client)) return data_.place_of_response(server().start, length);
    const bool short_of_it = length < kFinishedLength256 - kShorterTag;
    finished(Direction::to_client) = !short_of_it && (is_finished_length(length) || length > kFinishedLength384);
    return Place::flight;
  }
  if (server().start.arrival.acknowledged <= flight_begin_) return Place::flight;
  // The client's Finished was in a record with what is before it.
  finished(Direction::to_server) = true;
  session_.end();
  return data_.place_of_response(server().start, length);
}

void Analyzer::on_fragment(Direction direction, Bytes bytes) {
  if (state(direction).place == Place::hello) return take_hello(direction, bytes);
  count(direction, bytes.size(), bytes.size(), false);
}

void Analyzer::on_skipped(Direction direction, std::uint64_t bytes, bool missing) {
  DirectionState& from = state(direction);
  if (from.place == Place::hello) give_up_hello(from);
  count(direction, bytes, bytes, missing);
}

void Analyzer::on_end(Direction direction) {
  DirectionState& from = state(direction);
  if (direction == Direction::to_server && from.place == Place::turn) data_.turns().present()->request.complete = true;
  const bool handshake = from.place == Place::hello || from.place == Place::flight || from.place == Place::finished;
  if (handshake && !session_.is_established()) {
    session_.latest = arrival_.time;
    session_.causes_latest = causes_now();
  }
  if (from.place != Place::finished) return;
  finished(direction) = true;
  if (session_.is_tls13()) finished(Direction::to_client) = true;  // the client's is the last
  if (session_.is_established()) session_.end();
}

void Analyzer::on_stray(Direction direction, std::uint64_t offset, std::uint64_t bytes, bool missing) {
  DirectionState& from = state(direction);
  from.place = Place::nothing;
  if (!from.hello_over && !missing && !has_lost(direction)) {
    not_tls_ = true;
    return;
  }
  if (!session_.is_established() && data_.turns().present() == nullptr) return lose_handshake(direction);
  from.start = {offset, arrival_};
  from.place = data_.place_of_stray(direction, from.start, bytes, missing);
  count(direction, bytes, 0, missing);
}

/// Records of the handshake are lost: of the client's, maybe its last.
void Analyzer::lose_handshake(Direction direction) {
  session_.lost[static_cast<int>(direction)] = true;
  give_up_hello(state(direction));
  if (direction != Direction::to_server) return;
  session_.holed = true;
  session_.end();
}

void Analyzer::give_up_hello(DirectionState& state) {
  state.hello_over = true;
  release(state.hello);
}

void Analyzer::take_hello(Direction direction, Bytes bytes) {
  DirectionState& from = state(direction);
  if (from.hello_over) return;
  from.hello.append(as_text(bytes));
  const auto* const message = reinterpret_cast<const std::uint8_t*>(from.hello.data());
  if (message[0] != (direction == Direction::to_server ? kClientHello : kServerHello)) {
    not_tls_ = direction == Direction::to_server;
    return give_up_hello(from);
  }
  if (from.hello.size() < kHandshakeHeaderBytes) return;
  const std::size_t length = load_be32(message) & 0xffffff;
  if (length > kMaxHelloBytes) return give_up_hello(from);
  if (from.hello.size() - kHandshakeHeaderBytes < length) return;
  from.hello_over = true;
  decode_hello(direction, {message + kHandshakeHeaderBytes, length});
  release(from.hello);
}

void Analyzer::decode_hello(Direction direction, Bytes body) {
  if (direction == Direction::to_server) {
    const std::optional<ClientHello> hello = decode_client_hello(body);
    if (!hello) return;
    session_.host.assign(hello->server_name);
    session_.protocol.assign(hello->protocol);
    session_.early_data = hello->early_data;
    return;
  }
  const std::optional<ServerHello> hello = decode_server_hello(body);
  if (!hello) return;
  session_.version = hello->version;
  session_.cipher_suite = hello->cipher_suite;
  session_.resumed = hello->resumed;
  if (session_.is_tls12()) session_.protocol.assign(hello->protocol);
  data_.name_present();                           // its early data came before
  if (hello->retry) server().hello_over = false;  // another one follows
}

}  // namespace wirelap::tls
