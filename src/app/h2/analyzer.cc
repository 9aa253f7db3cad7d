#include "app/h2/analyzer.h"

#include <algorithm>
#include <utility>

namespace wirelap::h2 {
namespace {

/// SETTINGS_HEADER_TABLE_SIZE and SETTINGS_MAX_FRAME_SIZE (RFC 9113, section 6.5.2).
constexpr std::uint16_t kSettingsHeaderTableSize = 1;
constexpr std::uint16_t kSettingsMaxFrameSize = 5;

/// A frame boundary may be proved with streams up to twice the sum of the highest one seen and this number.
constexpr std::uint32_t kStreamsAhead = 1 << 15;

Start start_of(Direction direction, const StreamPosition& position) {
  if (!position.at_start()) return Start::unknown;
  return direction == Direction::to_server ? Start::preface : Start::frame;
}

/// The value of a text that consists of at most `max_digits` digits; kNoStatus for any other text.
int parse_status(std::string_view text, std::size_t max_digits) {
  if (text.empty() || text.size() > max_digits) return Exchange::kNoStatus;
  int value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return Exchange::kNoStatus;
    value = value * 10 + (digit - '0');
  }
  return value;
}

}  // namespace

Analyzer::Analyzer(const StreamView& view, ExchangePool& pool, const Probe&)
    : wirelap::Analyzer(view, pool),
      states_{{Direction::to_server, view.next(Direction::to_server),
               start_of(Direction::to_server, view.position(Direction::to_server)), log_},
              {Direction::to_client, view.next(Direction::to_client),
               start_of(Direction::to_client, view.position(Direction::to_client)), log_}},
      streams_(log_, view.next(Direction::to_server)),
      section_(pool.memory()) {
  for (DirectionState& state : states_) {
    if (!state.parser.is_in_sync()) forget_frames(state);
  }
}

Analyzer::Analyzer(ExchangeLog&& log, std::uint64_t requests, std::uint64_t responses)
    : wirelap::Analyzer(std::move(log)),
      states_{
          {Direction::to_server, requests, Start::preface, log_},
          {Direction::to_client, responses == StreamPosition::kNever ? view().next(Direction::to_client) : responses,
           responses == StreamPosition::kNever ? Start::unknown : Start::frame, log_}},
      streams_(log_, requests),
      section_(log_.memory()) {
  if (server().parser.is_in_sync()) {
    allow_anything(Direction::to_client);  // HTTP2-Settings, a field of the request, is not decoded
  } else {
    forget_frames(server());
  }
  client().highest_stream = highest_client_stream_ = 1;
  Exchange* const upgraded = close_http1_exchanges();
  if (upgraded == nullptr) return;
  OpenStream& open = streams_.add_upgraded(1, *upgraded);
  open.has_gap[index(Direction::to_server)] = upgraded->request.begun && !upgraded->request.complete;
  open.has_gap[index(Direction::to_client)] = server().has_gap;
  if (server().has_gap) log_.sum_up(*upgraded, view().previous_packet_time());
}

/// Closes the exchanges from before the upgrade, apart from the one whose response comes as stream 1. Returns that one,
/// or null where there is none.
Exchange* Analyzer::close_http1_exchanges() {
  Exchange* const newest = log_.newest();
  Exchange* const upgraded = newest != nullptr && !newest->response.begun ? newest : nullptr;
  while (log_.oldest() != upgraded) {
    Exchange& before = *log_.oldest();
    if (!before.request.begun && !before.response.begun) {  // only interim responses
      log_.discard(before);
      continue;
    }
    log_.sum_up(before, view().previous_packet_time());
    log_.close(before, Outcome::gap);
  }
  return upgraded;
}

std::size_t Analyzer::held_bytes() const {
  std::size_t bytes = sizeof *this + log_.held_bytes() + streams_.held_bytes();
  for (const DirectionState& state : states_) bytes += state.blocks.held_bytes();
  return bytes;
}

void Analyzer::feed(Direction direction, const StreamData& data, const Arrival& arrival) {
  before_bytes(direction, arrival);
  DirectionState& from = state(direction);
  from.parser.feed(data.bytes, *this);
  from.blocks.copy_borrowed();
  const std::uint64_t not_captured = data.length - data.bytes.size();
  if (not_captured != 0) from.parser.skip(not_captured, true, *this);
  after_bytes(direction, data.length);
}

void Analyzer::gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival) {
  before_bytes(direction, arrival);
  state(direction).parser.skip(count, !captured, *this);
  after_bytes(direction, count);
}

void Analyzer::before_bytes(Direction direction, const Arrival& arrival) {
  arrival_ = arrival;
  FrameParser& parser = state(direction).parser;
  if (parser.is_in_sync() || highest_client_stream_ == 0) return;
  parser.limit_stream(std::min(2 * (highest_client_stream_ + kStreamsAhead), kMaxStreamIdentifier));
}

void Analyzer::after_bytes(Direction direction, std::uint64_t count) {
  if (direction == Direction::to_server) {
    streams_.record_requests_end(view().next(Direction::to_server) + count, arrival_.time);
  }
  expect_sender();
}

/// The connection waits for the client while the oldest exchange waits for the rest of its request.
void Analyzer::expect_sender() const {
  const Exchange* const oldest = log_.oldest();
  if (oldest == nullptr) return;
  const bool is_sending = oldest->request.begun && !oldest->request.complete && !oldest->response.begun;
  view().expect(is_sending ? Direction::to_server : Direction::to_client);
}

void Analyzer::finish(Direction direction, const Arrival& arrival) {
  arrival_ = arrival;
  // No response can follow the server's FIN.
  if (direction == Direction::to_client) streams_.end_all(Outcome::closed, arrival.time);
}

void Analyzer::finish(Outcome outcome, Nanos time) {
  streams_.end_all(outcome, time);
  log_.confirm(StreamPosition::kNever);
}

void Analyzer::on_preface(Direction) {
  // The client has sent no field block before its preface, so that its dynamic table is empty. So is the server's,
  // unless it has answered an upgrade.
  if (client().highest_stream > 1) return;
  client().blocks.hpack().reset_table();
  client().has_gap = false;
  if (log_.count() != 0) return;
  server().blocks.hpack().reset_table();
  if (server().parser.offset() != 0) return;
  server().has_gap = false;
  server().parser.resume_at_frame();
}

void Analyzer::on_begin(Direction direction, std::uint64_t offset) {
  DirectionState& from = state(direction);
  from.frame_begin = offset;
  from.frame_arrival = arrival_;
}

void Analyzer::on_frame(Direction direction, const FrameHeader& header) {
  DirectionState& from = state(direction);
  from.frame = header;
  const std::uint32_t stream = header.stream_identifier;
  if (is_client_stream(stream)) highest_client_stream_ = std::max(highest_client_stream_, stream);
  if (header.is(FrameType::headers) || header.is(FrameType::push_promise)) {
    from.blocks.begin(header, from.frame_begin, from.frame_arrival);
  }
  if (header.carries_fields()) from.blocks.count(kFrameHeaderBytes);
  Exchange* const exchange = exchange_of_frame(direction, header);
  streams_.set_present(direction, exchange);
  if (exchange != nullptr) count(*exchange, direction, kFrameHeaderBytes, 0, false);
}

/// The exchange that a frame belongs to; null where it belongs to none. Opens a stream that HEADERS begins.
Exchange* Analyzer::exchange_of_frame(Direction direction, const FrameHeader& header) {
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::headers: return exchange_of_headers(direction, header.stream_identifier);
    case FrameType::data: return exchange_of_data(direction, header.stream_identifier);
    case FrameType::continuation: {
      if (!state(direction).blocks.block().frame.is(FrameType::headers)) return nullptr;
      OpenStream* const open = streams_.find(header.stream_identifier);
      return open != nullptr && open->message(direction).begun ? open->exchange : nullptr;
    }
    default: return nullptr;
  }
}

/// Whether HEADERS of the server on a stream that is not open may begin the response to a request that is not known.
bool Analyzer::may_begin_response(std::uint32_t stream) const {
  if (streams_.was_reset(stream)) return false;
  if (!is_client_stream(stream)) return server().has_gap;  // its PUSH_PROMISE was not captured
  return stream > client().highest_stream || client().has_gap;
}

Exchange* Analyzer::exchange_of_headers(Direction direction, std::uint32_t stream) {
  DirectionState& from = state(direction);
  const bool is_request = direction == Direction::to_server;
  OpenStream* open = streams_.find(stream);
  if (open == nullptr) {
    const bool begins =
        is_request ? is_client_stream(stream) && stream > from.highest_stream : may_begin_response(stream);
    if (!begins) return nullptr;
    open = &streams_.open(stream, from.frame_arrival, arrival_.time);
  }
  if (is_request) from.highest_stream = std::max(from.highest_stream, stream);
  const Message& message = open->message(direction);
  if (message.complete || (is_request && !is_client_stream(stream))) return nullptr;
  if (!message.begun) {
    if (is_request) log_.move_beginning(*open->exchange, from.frame_arrival);
    begin_message(*open->exchange, direction);
  }
  return open->exchange;
}

Exchange* Analyzer::exchange_of_data(Direction direction, std::uint32_t stream) {
  OpenStream* const open = streams_.find(stream);
  if (open == nullptr) return nullptr;
  const Message& message = open->message(direction);
  if (message.complete) return nullptr;
  if (message.begun) return open->exchange;
  if (direction == Direction::to_server) return nullptr;
  // The HEADERS of the response were not captured.
  begin_message(*open->exchange, direction);
  open->has_gap[index(direction)] = true;
  return open->exchange;
}

void Analyzer::begin_message(Exchange& exchange, Direction direction) {
  const DirectionState& from = state(direction);
  Message& message = exchange.message(direction);
  message.begun = true;
  message.first = from.frame_arrival.time;
  if (message.bytes == 0) message.begin = from.frame_begin;  // otherwise it begins with interim responses
  (direction == Direction::to_server ? exchange.request_acknowledges : exchange.response_acknowledges) =
      from.frame_arrival.acknowledged;
}

void Analyzer::on_bytes(Direction direction, std::uint64_t bytes, std::uint64_t content, bool not_captured) {
  DirectionState& from = state(direction);
  if (from.frame.carries_fields()) from.blocks.count(bytes);
  if (Exchange* const exchange = streams_.present(direction)) count(*exchange, direction, bytes, content, not_captured);
}

void Analyzer::count(Exchange& exchange, Direction direction, std::uint64_t bytes, std::uint64_t content,
                     bool not_captured) {
  Message& message = exchange.message(direction);
  log_.count_bytes(exchange, direction, arrival_, bytes, content);
  message.between = state(direction).parser.offset() - message.begin - message.bytes;
  if (not_captured) exchange.missing_bytes += bytes;
  if (direction == Direction::to_server || !server().has_gap) return;
  // The end of a response with a gap may not be captured. Then the exchange ends with its latest byte.
  const OpenStream* const open = streams_.find(exchange.stream);
  if (open != nullptr && open->has_gap[index(direction)]) log_.sum_up(exchange, arrival_.time);
}

void Analyzer::on_setting(Direction direction, std::uint16_t identifier, std::uint32_t value) {
  DirectionState& receiver = state(opposite(direction));
  if (identifier == kSettingsHeaderTableSize) receiver.blocks.hpack().allow_table(value);
  if (identifier == kSettingsMaxFrameSize) receiver.parser.allow_frame_size(std::min(value, kMaxMaxFrameSize));
}

/// Allows the sender of `direction` everything that settings can allow: those that it received are not known.
void Analyzer::allow_anything(Direction direction) {
  state(direction).blocks.hpack().allow_table(HpackDecoder::kMaxInteger);
  state(direction).parser.allow_frame_size(kMaxMaxFrameSize);
}

void Analyzer::on_promise(Direction direction, std::uint32_t promised_stream) {
  state(direction).blocks.set_promised_stream(promised_stream);
}

void Analyzer::on_goaway(Direction direction, std::uint32_t last_stream) {
  if (direction == Direction::to_client) streams_.refuse_above(last_stream, arrival_.time);
}

void Analyzer::on_fragment(Direction direction, Bytes bytes) { state(direction).blocks.add(bytes); }

void Analyzer::on_incomplete(Direction direction) {
  DirectionState& from = state(direction);
  if (from.frame.carries_fields()) from.blocks.set_incomplete();
  if (from.frame.is(FrameType::settings)) allow_anything(opposite(direction));
}

void Analyzer::on_end(Direction direction) {
  DirectionState& from = state(direction);
  const FrameHeader frame = from.frame;
  if (frame.carries_fields() && frame.has(kEndHeaders)) {
    process_fields(direction);
    const FrameHeader& first = from.blocks.block().frame;
    if (first.ends_stream()) streams_.end_message(direction, first.stream_identifier, arrival_.time);
  }
  if (frame.is(FrameType::data) && frame.ends_stream()) {
    streams_.end_message(direction, frame.stream_identifier, arrival_.time);
  }
  if (frame.is(FrameType::rst_stream)) streams_.reset(frame.stream_identifier, arrival_.time);
  streams_.set_present(direction, nullptr);
}

/// Processes what is known of the field block, which has ended or was cut off.
void Analyzer::process_fields(Direction direction) {
  FieldBlockDecoder& blocks = state(direction).blocks;
  blocks.decode(section_);
  const FrameHeader& first = blocks.block().frame;
  if (first.is(FrameType::push_promise)) return process_promise();
  OpenStream* const open = streams_.find(first.stream_identifier);
  if (open == nullptr || open->message(direction).complete || !open->message(direction).begun) return;
  direction == Direction::to_server ? process_request(*open->exchange) : process_response(*open, blocks);
}

void Analyzer::process_request(Exchange& exchange) {
  record_headers(exchange);
  if (!exchange.method.empty()) return;  // these are trailers
  const Text* const method = section_.find(Field::method);
  const Text* const authority = section_.find(Field::authority);
  const Text* const host = authority != nullptr ? authority : section_.find(Field::host);
  const Text* path = section_.find(Field::path);
  // CONNECT has no :path (RFC 9113, section 8.5).
  if (path == nullptr && method != nullptr && *method == "CONNECT") path = authority;
  if (method != nullptr) exchange.method.assign(*method);
  if (host != nullptr) exchange.host.assign(*host);
  if (path != nullptr) exchange.target.assign(*path);
}

/// Processes an interim response, the header section of the final response, or its trailer section.
void Analyzer::process_response(OpenStream& open, const FieldBlockDecoder& blocks) {
  Exchange& exchange = *open.exchange;
  const FieldBlock& block = blocks.block();
  const bool ends = block.frame.ends_stream();
  const Text* const status_text = section_.find(Field::status);
  const int status = status_text != nullptr ? parse_status(*status_text, 3) : Exchange::kNoStatus;
  if (status >= 100 && status < 200 && !ends && !open.has_final_status) {
    // The bytes of an interim response belong to the response, but its time does not.
    exchange.response.begun = false;
    exchange.response.first = kUnknownTime;
    return;
  }
  const bool is_complete = !section_.has_unknown && !blocks.is_incomplete();
  if (status != Exchange::kNoStatus && !open.has_final_status) {
    open.has_final_status = true;
    exchange.status = status;
    // A block before this one that was not understood was an interim response.
    exchange.response.first = block.arrival.time;
    open.may_be_answered = false;
  } else if (std::exchange(open.may_be_answered, false) || (!open.has_final_status && is_complete)) {
    // A trailer section. The beginning of its response was not captured.
    open.has_gap[index(Direction::to_client)] = true;
  }
  const Text* const grpc_status = section_.find(Field::grpc_status);
  if (grpc_status != nullptr && ends) exchange.grpc_status = parse_status(*grpc_status, 9);
  record_headers(exchange);
}

/// Records the wanted header fields. Where both messages have a field, the value in the response is kept.
void Analyzer::record_headers(Exchange& exchange) {
  if (section_.wanted.empty()) return;
  exchange.headers.resize(log_.wanted().headers.size());
  for (std::size_t i = 0; i < section_.wanted.size(); ++i) {
    if (section_.wanted[i]) exchange.headers[i] = std::move(section_.wanted[i]);
  }
}

/// Processes a PUSH_PROMISE, in which the server sends the request itself (RFC 9113, section 8.4). The bytes of the
/// promise count as part of the response, which begins later.
void Analyzer::process_promise() {
  const FieldBlock& promise = server().blocks.block();
  const std::uint32_t stream = promise.promised_stream;
  const bool is_new = !is_client_stream(stream) && stream > server().highest_stream && streams_.find(stream) == nullptr;
  if (!is_new) return;
  server().highest_stream = stream;
  Exchange& exchange = *streams_.open(stream, promise.arrival, arrival_.time).exchange;
  exchange.request.begun = exchange.request.complete = true;
  exchange.request.first = exchange.request.last = promise.arrival.time;
  exchange.response.begin = promise.begin;
  exchange.response.bytes = promise.bytes;
  exchange.last_packet = std::max(exchange.first_packet, arrival_.packet);
  process_request(exchange);
}

void Analyzer::on_sync_lost(Direction direction, bool not_captured) {
  DirectionState& from = state(direction);
  if (!not_captured) not_h2_ = true;
  if (from.blocks.is_open()) {
    from.blocks.set_incomplete();
    process_fields(direction);
  }
  forget_frames(from);
  allow_anything(opposite(direction));
  streams_.record_gap(direction, arrival_.time);
}

/// Frames of this direction are not known, and neither is its dynamic table.
void Analyzer::forget_frames(DirectionState& state) {
  state.has_gap = true;
  state.blocks.hpack().forget_table();
}

}  // namespace wirelap::h2
