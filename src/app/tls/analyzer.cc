#include "app/tls/analyzer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace wirelap::tls {
namespace {

// Lengths of further encrypted TLS 1.3 records (app/tls/application_data.h).
constexpr std::uint16_t kEndOfEarlyDataLength = kHandshakeHeaderBytes + kOverhead;
constexpr std::uint16_t kFinishedLength256 = kHandshakeHeaderBytes + 32 + kOverhead;
constexpr std::uint16_t kFinishedLength384 = kHandshakeHeaderBytes + 48 + kOverhead;
/// How much shorter records are with the tag of TLS_AES_128_CCM_8_SHA256.
constexpr std::uint16_t kShorterTag = 8;

/// TLS_AES_256_GCM_SHA384 and TLS_AES_128_CCM_8_SHA256 (RFC 8446, appendix B.4).
constexpr std::uint16_t kAes256Sha384 = 0x1302;
constexpr std::uint16_t kAes128Ccm8 = 0x1305;

/// Whether `bytes` begin with a record that can only contain a ClientHello, so that TLS begins there. The record may
/// come after a ChangeCipherSpec, as a second ClientHello does (RFC 8446, appendix D.4).
bool begins_with_client_hello(Bytes bytes) {
  constexpr std::uint8_t kChangeCipherSpec[] = {20, 3, 3, 0, 1, 1};
  if (std::equal(std::begin(kChangeCipherSpec), std::end(kChangeCipherSpec), bytes.begin(),
                 bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), sizeof kChangeCipherSpec)))) {
    bytes = bytes.subspan(sizeof kChangeCipherSpec);
  }
  constexpr std::size_t kNeededBytes = kRecordHeaderBytes + kHandshakeHeaderBytes + 2;
  if (bytes.size() < kNeededBytes || bytes[0] != static_cast<std::uint8_t>(ContentType::handshake)) return false;
  const std::uint8_t* const message = bytes.data() + kRecordHeaderBytes;
  const std::uint32_t length = load_be32(message) & 0xffffff;
  constexpr std::uint32_t kMinLength = 2 + 32 + 1 + 2 + 2;  // RFC 8446, section 4.1.2
  return is_record_header(bytes.data(), bytes.size()) && message[0] == kClientHello && length >= kMinLength &&
         length <= Analyzer::kMaxHelloBytes && message[kHandshakeHeaderBytes] == 3 &&
         message[kHandshakeHeaderBytes + 1] <= 3;
}

}  // namespace

Probe Analyzer::probe(const Opening& opening) {
  const Bytes bytes = opening.bytes;
  const StreamPosition& position = opening.position;
  const bool from_client = opening.may_be(Direction::to_server);
  // TLS after other bytes in clear text (STARTTLS).
  if (position.next != 0 && from_client && begins_with_client_hello(bytes))
    return {Probe::Result::certain, Direction::to_server};
  if (!position.at_start() && opening.likely == Direction::to_server && are_data_records(bytes))
    return {Probe::Result::certain, Direction::to_server, true};
  if (position.next != 0) return {};
  const bool is_handshake = bytes[0] == static_cast<std::uint8_t>(ContentType::handshake);
  if (!is_handshake || !is_record_header(bytes.data(), bytes.size())) return {};
  // A ServerHello is enough where the client's hello was not captured.
  const bool has_type = bytes.size() > kRecordHeaderBytes;
  if (has_type && bytes[kRecordHeaderBytes] != (from_client ? kClientHello : kServerHello)) return {};
  // In the middle of a connection a record header without a message type is not enough.
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
    session_.end_unknown = client().hello_over = server().hello_over = true;
    session_.end_handshake();
  } else if (probe.direction == Direction::to_client && view.next(Direction::to_server) != 0) {
    // The client's hello was not captured.
    session_.end_unknown = session_.has_gap[index(Direction::to_server)] = client().hello_over = true;
  }
}

void Analyzer::feed(Direction direction, const StreamData& data, const Arrival& arrival) {
  if (is_over_) return;
  arrival_ = arrival;
  if (!session_.is_established() && session_.first != kUnknownTime) {
    session_.max_gap = std::max(session_.max_gap, arrival.time - view().previous_packet_time());
  }
  state(direction).parser.feed(data.bytes, *this);
  const std::uint64_t not_captured = data.length - data.bytes.size();
  if (not_captured != 0) state(direction).parser.skip(not_captured, true, *this);
  if (direction == Direction::to_client) data_.sum_up(arrival.time);
}

void Analyzer::gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival) {
  if (is_over_) return;
  arrival_ = arrival;
  state(direction).parser.skip(count, !captured, *this);
  if (direction == Direction::to_client) data_.sum_up(arrival.time);
}

std::uint64_t Analyzer::skippable(Direction direction) const {
  const DirectionState& from = state(direction);
  return from.kind == RecordKind::hello ? 0 : from.parser.skippable();
}

void Analyzer::finish(Direction direction, const Arrival& arrival) {
  arrival_ = arrival;
  state(direction).is_closing = true;
  // No answer can follow the server's FIN. A client may close its direction and still receive an answer.
  if (direction == Direction::to_client) end_turns(Outcome::closed, arrival.time);
}

void Analyzer::finish(Outcome outcome, Nanos time) {
  end_turns(outcome, time);
  log_.confirm(StreamPosition::kNever);
}

void Analyzer::end_turns(Outcome outcome, Nanos time) {
  if (std::exchange(is_over_, true)) return;
  for (const Direction direction : {Direction::to_server, Direction::to_client}) {
    state(direction).is_closing = state(direction).is_closing || data_.may_have_alerted(direction);
  }
  data_.decide_at_end();
  // After an alert or a FIN a RST is a usual way to close.
  const bool is_reset_at_end = outcome == Outcome::reset && (client().is_closing || server().is_closing);
  const bool in_order = outcome == Outcome::closed || is_reset_at_end;
  const bool is_whole = in_order && !server().parser.in_record();
  const Outcome answered = is_whole ? Outcome::complete : in_order ? Outcome::closed : outcome;
  data_.turns().end(outcome, answered, time);
}

void Analyzer::on_begin(Direction direction, std::uint64_t offset) {
  DirectionState& from = state(direction);
  from.start = {offset, arrival_};
  from.kind = RecordKind::ignored;
  if (direction == Direction::to_server && session_.first == kUnknownTime) {
    session_.first = arrival_.time;
    session_.causes_before = causes_now();
  }
}

void Analyzer::on_record(Direction direction, ContentType type, std::uint16_t length) {
  DirectionState& from = state(direction);
  const Exchange* const turn = data_.turns().present();
  from.kind = classify(direction, type, length);
  // If this record begins a turn, the record that the server is sending now belongs to the turn before.
  if (turn != data_.turns().present() && direction == Direction::to_server && server().parser.in_record() &&
      server().kind == RecordKind::present_turn) {
    server().kind = RecordKind::previous_turn;
  }
  if (type == ContentType::application_data) from.is_closing = false;
  count(direction, kRecordHeaderBytes, 0, false);
  if (direction == Direction::to_server && from.kind == RecordKind::present_turn)
    data_.turns().present()->request.complete = false;
}

RecordKind Analyzer::classify(Direction direction, ContentType type, std::uint16_t length) {
  DirectionState& from = state(direction);
  switch (type) {
    case ContentType::handshake:
      if (!from.hello_over) return RecordKind::hello;
      if (session_.is_established()) return RecordKind::ignored;  // a renegotiation
      return from.cipher_changed && !session_.is_tls13() ? RecordKind::finished : RecordKind::handshake;
    case ContentType::change_cipher_spec:
      from.cipher_changed = true;
      return session_.is_established() ? RecordKind::ignored : RecordKind::handshake;
    case ContentType::application_data:
      return direction == Direction::to_server ? classify_client_data(length) : classify_server_data(length);
    case ContentType::alert: from.is_closing = true; return RecordKind::ignored;
    case ContentType::heartbeat: return RecordKind::ignored;
  }
  return RecordKind::ignored;
}

/// Whether an encrypted record of TLS 1.3 is as long as a Finished.
bool Analyzer::is_finished_length(std::uint16_t length) const {
  switch (session_.cipher_suite) {
    case 0: return length == kFinishedLength256 || length == kFinishedLength384;
    case kAes256Sha384: return length == kFinishedLength384;
    case kAes128Ccm8: return length == kFinishedLength256 - kShorterTag;
    default: return length == kFinishedLength256;
  }
}

// The records of a TLS 1.3 connection (RFC 8446, sections 2 and 2.3). All but the hellos have the type
// application_data. The parts in parentheses are optional.
//
//     client  [hello](early data)                         ([EndOfEarlyData][Certificate])[Finished] [request]
//     server                     [hello][..., Finished]                                                     [response]
//
// One record may contain several messages of the handshake.

RecordKind Analyzer::classify_client_data(std::uint16_t length) {
  const RecordStart& start = client().start;
  if (session_.has_finished(Direction::to_server)) return data_.classify_request(start, length);
  if (session_.is_tls12()) {  // its Finished has the type handshake, and was not captured
    record_handshake_gap(Direction::to_server);
    return data_.classify_request(start, length);
  }
  if (start.arrival.acknowledged != 0 && is_finished_length(length)) {
    session_.version = std::max(session_.version, kTls13);
    return RecordKind::finished;
  }
  if (session_.early_data && length != kEndOfEarlyDataLength) return data_.classify_request(start, length);
  client_handshake_begin_ = std::min(client_handshake_begin_, start.offset);
  return RecordKind::handshake;
}

RecordKind Analyzer::classify_server_data(std::uint16_t length) {
  const RecordStart& start = server().start;
  server().hello_over = true;
  if (session_.has_finished(Direction::to_server)) return data_.classify_response(start, length);
  if (session_.version == 0) session_.version = kTls13;  // TLS 1.2 sends no application_data before the Finished
  if (session_.is_tls12()) return RecordKind::ignored;
  if (data_.turns().present() != nullptr) {
    // The turn is early data. It may be answered right after the server's Finished, which may share its record with the
    // messages before it.
    if (session_.has_finished(Direction::to_client)) return data_.classify_response(start, length);
    finished(Direction::to_client) = is_finished_length(length) || length > kFinishedLength384;
    return RecordKind::handshake;
  }
  if (start.arrival.acknowledged <= client_handshake_begin_) return RecordKind::handshake;
  // The server has received handshake records of the client, so the last of them contained the client's Finished and a
  // message before it.
  finished(Direction::to_server) = true;
  session_.end_handshake();
  return data_.classify_response(start, length);
}

void Analyzer::on_fragment(Direction direction, Bytes bytes) {
  if (state(direction).kind == RecordKind::hello) return add_to_hello(direction, bytes);
  count(direction, bytes.size(), bytes.size(), false);
}

void Analyzer::on_skipped(Direction direction, std::uint64_t bytes, bool not_captured) {
  DirectionState& from = state(direction);
  if (from.kind == RecordKind::hello) give_up_hello(from);
  count(direction, bytes, bytes, not_captured);
}

void Analyzer::on_end(Direction direction) {
  DirectionState& from = state(direction);
  if (direction == Direction::to_server && from.kind == RecordKind::present_turn)
    data_.turns().present()->request.complete = true;
  const bool is_handshake =
      from.kind == RecordKind::hello || from.kind == RecordKind::handshake || from.kind == RecordKind::finished;
  if (is_handshake && !session_.is_established()) {
    session_.latest = arrival_.time;
    session_.causes_latest = causes_now();
  }
  if (from.kind != RecordKind::finished) return;
  finished(direction) = true;
  if (session_.is_tls13()) finished(Direction::to_client) = true;  // the client's Finished is the last
  if (session_.is_established()) session_.end_handshake();
}

void Analyzer::on_unparsed(Direction direction, std::uint64_t offset, std::uint64_t bytes, bool not_captured) {
  DirectionState& from = state(direction);
  from.kind = RecordKind::ignored;
  if (!from.hello_over && !not_captured && !session_.has_gap[index(direction)]) {
    not_tls_ = true;
    return;
  }
  if (!session_.is_established() && data_.turns().present() == nullptr) return record_handshake_gap(direction);
  from.start = {offset, arrival_};
  from.kind = data_.classify_unparsed(direction, from.start, bytes, not_captured);
  count(direction, bytes, 0, not_captured);
}

/// Records that a part of the handshake was not captured. If the client sent it, it may have been the end of the
/// handshake.
void Analyzer::record_handshake_gap(Direction direction) {
  session_.has_gap[index(direction)] = true;
  give_up_hello(state(direction));
  if (direction != Direction::to_server) return;
  session_.end_unknown = true;
  session_.end_handshake();
}

void Analyzer::give_up_hello(DirectionState& state) {
  state.hello_over = true;
  release(state.hello);
}

/// Collects the bytes of a hello, which may take several records, and decodes it when it is complete.
void Analyzer::add_to_hello(Direction direction, Bytes bytes) {
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
    session_.alpn.assign(hello->alpn);
    session_.early_data = hello->early_data;
    return;
  }
  const std::optional<ServerHello> hello = decode_server_hello(body);
  if (!hello) return;
  session_.version = hello->version;
  session_.cipher_suite = hello->cipher_suite;
  session_.resumed = hello->resumed;
  if (session_.is_tls12()) session_.alpn.assign(hello->alpn);
  data_.label_present_turn();                                // a turn of early data has begun before
  if (hello->is_retry_request) server().hello_over = false;  // another ServerHello follows
}

}  // namespace wirelap::tls
