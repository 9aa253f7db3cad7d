#include "app/h2/analyzer.h"

#include <algorithm>
#include <utility>

namespace wirelap::h2 {
namespace {

/// RFC 9113, section 6.5.2.
constexpr std::uint16_t kSettingHeaderTableSize = 1;
constexpr std::uint16_t kSettingMaxFrameSize = 5;

/// A stream that proves a boundary may be twice this far past twice the highest seen.
constexpr std::uint32_t kStreamsAhead = 1 << 15;

bool is_client_stream(std::uint32_t stream) { return stream % 2 == 1; }

Start start_of(Direction direction, const StreamPosition& position) {
  if (!position.at_start()) return Start::unknown;
  return direction == Direction::to_server ? Start::preface : Start::boundary;
}

/// A number of digits alone, at most so many; kNoStatus for anything else.
int parse_status(std::string_view text, std::size_t most_digits) {
  if (text.empty() || text.size() > most_digits) return Exchange::kNoStatus;
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
      open_(pool.memory()),
      section_(pool.memory()),
      requests_end_(view.next(Direction::to_server)) {
  for (DirectionState& from : states_) {
    if (!from.parser.lost()) continue;
    from.was_lost = true;
    from.blocks.table().lose();
  }
}

Analyzer::Analyzer(ExchangeLog&& log, std::uint64_t requests, std::uint64_t responses)
    : wirelap::Analyzer(std::move(log)),
      states_{{Direction::to_server, requests, Start::preface, log_},
              {Direction::to_client, responses, responses == StreamPosition::kNever ? Start::unknown : Start::boundary,
               log_}},
      open_(log_.memory()),
      section_(log_.memory()),
      requests_end_(requests) {
  allow_anything(Direction::to_client);  // the settings in HTTP2-Settings are not read
  const bool unseen = responses == StreamPosition::kNever;
  if (unseen) {
    server().parser = FrameParser(Direction::to_client, view().next(Direction::to_client), Start::unknown);
    server().was_lost = true;
    server().blocks.table().lose();
  }
  Exchange* const newest = log_.newest();
  Exchange* const upgraded = newest != nullptr && !newest->response.begun ? newest : nullptr;
  while (log_.oldest() != upgraded) {
    Exchange& before = *log_.oldest();
    if (!before.request.begun && !before.response.begun) {  // interim responses alone
      log_.discard(before);
      continue;
    }
    log_.sum_up(before, view().previous_packet_time());
    log_.close(before, Outcome::gap);
  }
  client().highest_stream = highest_seen_ = 1;
  if (upgraded == nullptr) return;
  upgraded->protocol = "h2";
  upgraded->stream = 1;
  Open& open = open_.emplace_back(Open{1, upgraded});
  open.holed[index(Direction::to_server)] = upgraded->request.begun && !upgraded->request.complete;
  open.holed[index(Direction::to_client)] = unseen;
  if (unseen) log_.sum_up(*upgraded, view().previous_packet_time());
}

std::size_t Analyzer::held_bytes() const {
  std::size_t bytes = sizeof *this + log_.held_bytes() + open_.capacity() * sizeof(Open);
  for (const DirectionState& from : states_) bytes += from.blocks.held_bytes();
  return bytes;
}

void Analyzer::prepare(Direction direction, const Arrival& arrival) {
  arrival_ = arrival;
  FrameParser& parser = state(direction).parser;
  if (!parser.lost()) return;
  if (highest_seen_ == 0) return;
  parser.limit_stream(std::min(2 * (highest_seen_ + kStreamsAhead), kMaxStream));
}

void Analyzer::feed(Direction direction, const StreamData& data, const Arrival& arrival) {
  prepare(direction, arrival);
  DirectionState& from = state(direction);
  from.parser.feed(data.bytes, *this);
  from.blocks.keep();
  const std::uint64_t uncaptured = data.length - data.bytes.size();
  if (uncaptured != 0) from.parser.skip(uncaptured, true, *this);
  settle(direction, data.length);
}

void Analyzer::gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival) {
  prepare(direction, arrival);
  state(direction).parser.skip(count, !captured, *this);
  settle(direction, count);
}

/// After `count` bytes of `direction`.
void Analyzer::settle(Direction direction, std::uint64_t count) {
  if (direction == Direction::to_server) {
    requests_end_ = view().next(Direction::to_server) + count;
    if (responses_wait_) pass_requests();
  }
  expect_sender();
}

void Analyzer::expect_sender() const {
  const Exchange* const oldest = log_.oldest();
  if (oldest == nullptr) return;
  const bool asking = oldest->request.begun && !oldest->request.complete && !oldest->response.begun;
  view().expect(asking ? Direction::to_server : Direction::to_client);
}

void Analyzer::finish(Direction direction, const Arrival& arrival) {
  arrival_ = arrival;
  // Without the server there is no response to come.
  if (direction == Direction::to_client) end_open(Outcome::closed, arrival.time);
}

void Analyzer::finish(Outcome outcome, Nanos time) {
  end_open(outcome, time);
  log_.confirm(StreamPosition::kNever);
}

void Analyzer::end_open(Outcome outcome, Nanos time) {
  while (Exchange* const exchange = log_.oldest()) {
    Open& open = *find(exchange->stream);
    const bool is_whole = exchange->response.complete;
    if (!exchange->request.begun && !exchange->response.begun) {
      // Interim responses to a request that was not captured.
      log_.discard(*exchange);
      open_.erase(open_.begin() + (&open - open_.data()));
    } else if (open.may_be_over || open.holed[index(Direction::to_client)] || (is_whole && !exchange->request.begun)) {
      const bool summed_up = exchange->ended != kUnknownTime;
      finish_stream(open, Outcome::gap, summed_up ? exchange->ended : time, summed_up);
    } else {
      const bool unanswered = outcome == Outcome::closed && !exchange->response.begun;
      finish_stream(open, unanswered ? Outcome::no_response : outcome, time);
    }
  }
}

Analyzer::Open* Analyzer::find(std::uint32_t stream) {
  const auto found = std::lower_bound(open_.begin(), open_.end(), stream,
                                      [](const Open& open, std::uint32_t wanted) { return open.stream < wanted; });
  return found != open_.end() && found->stream == stream ? &*found : nullptr;
}

Analyzer::Open& Analyzer::open_stream(std::uint32_t stream, const Arrival& arrival) {
  if (log_.is_full()) {
    finish_stream(*find(log_.oldest()->stream), Outcome::evicted, arrival_.time);
  }
  Exchange& exchange = log_.open(arrival);
  exchange.protocol = "h2";
  exchange.stream = stream;
  const auto after = std::upper_bound(open_.begin(), open_.end(), stream,
                                      [](std::uint32_t wanted, const Open& open) { return wanted < open.stream; });
  return *open_.insert(after, {stream, &exchange});
}

void Analyzer::on_preface(Direction) {
  // Nobody has sent a field block before it, but for the answer to an upgrade.
  if (client().highest_stream > 1) return;
  client().blocks.table().begin_anew();
  client().was_lost = false;
  if (log_.count() != 0) return;
  server().blocks.table().begin_anew();
  if (server().parser.offset() != 0) return;
  server().was_lost = false;
  server().parser.settle_at_boundary();
}

void Analyzer::on_begin(Direction direction, std::uint64_t offset) {
  DirectionState& from = state(direction);
  from.begin = offset;
  from.arrival = arrival_;
}

void Analyzer::on_frame(Direction direction, const FrameHeader& header) {
  DirectionState& from = state(direction);
  from.frame = header;
  from.exchange = nullptr;
  if (is_client_stream(header.stream)) highest_seen_ = std::max(highest_seen_, header.stream);
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::headers:
      from.blocks.begin(header, from.begin, from.arrival);
      from.exchange = exchange_for_headers(direction, header.stream);
      break;
    case FrameType::push_promise: from.blocks.begin(header, from.begin, from.arrival); break;
    case FrameType::continuation:
      if (Open* const open = from.blocks.place().frame.is(FrameType::headers) ? find(header.stream) : nullptr) {
        from.exchange = open->exchange->message(direction).begun ? open->exchange : nullptr;
      }
      break;
    case FrameType::data: from.exchange = exchange_for_data(direction, header.stream); break;
    default: return;
  }
  if (header.carries_fields()) from.blocks.count(kFrameHeaderBytes);
  if (from.exchange != nullptr) count(*from.exchange, direction, kFrameHeaderBytes, 0, false);
}

bool Analyzer::was_reset(std::uint32_t stream) const {
  return std::find(reset_, reset_ + kResetsKept, stream) != reset_ + kResetsKept;
}

/// Whether a response on a stream that is not open answers a request that was not captured (yet).
bool Analyzer::may_begin_response(std::uint32_t stream) const {
  if (was_reset(stream)) return false;
  if (!is_client_stream(stream)) return state(Direction::to_client).was_lost;  // its promise is missing
  const DirectionState& requests = state(Direction::to_server);
  return stream > requests.highest_stream || requests.was_lost;
}

Exchange* Analyzer::exchange_for_headers(Direction direction, std::uint32_t stream) {
  DirectionState& from = state(direction);
  Open* open = find(stream);
  if (open == nullptr) {
    const bool begins = direction == Direction::to_server ? is_client_stream(stream) && stream > from.highest_stream
                                                          : may_begin_response(stream);
    if (!begins) return nullptr;
    open = &open_stream(stream, from.arrival);
  }
  if (direction == Direction::to_server) from.highest_stream = std::max(from.highest_stream, stream);
  Exchange& exchange = *open->exchange;
  const Message& message = exchange.message(direction);
  if (message.complete || (direction == Direction::to_server && !is_client_stream(stream))) return nullptr;
  if (!message.begun) {
    if (direction == Direction::to_server) log_.move_beginning(exchange, from.arrival);
    begin_message(exchange, direction);
  }
  return &exchange;
}

Exchange* Analyzer::exchange_for_data(Direction direction, std::uint32_t stream) {
  Open* const open = find(stream);
  if (open == nullptr) return nullptr;
  Exchange& exchange = *open->exchange;
  const Message& message = exchange.message(direction);
  if (message.complete) return nullptr;
  if (message.begun) return &exchange;
  if (direction == Direction::to_server) return nullptr;
  // Its HEADERS are missing.
  begin_message(exchange, direction);
  open->holed[index(direction)] = true;
  return &exchange;
}

void Analyzer::begin_message(Exchange& exchange, Direction direction) {
  const DirectionState& from = state(direction);
  Message& message = exchange.message(direction);
  message.begun = true;
  message.first = from.arrival.time;
  if (message.bytes == 0) message.begin = from.begin;  // else interim responses came before
  (direction == Direction::to_server ? exchange.request_acknowledges : exchange.response_acknowledges) =
      from.arrival.acknowledged;
}

void Analyzer::on_bytes(Direction direction, std::uint64_t bytes, std::uint64_t content, bool missing) {
  DirectionState& from = state(direction);
  if (from.frame.carries_fields()) from.blocks.count(bytes);
  if (from.exchange != nullptr) count(*from.exchange, direction, bytes, content, missing);
}

void Analyzer::count(Exchange& exchange, Direction direction, std::uint64_t bytes, std::uint64_t content,
                     bool missing) {
  Message& message = exchange.message(direction);
  log_.count_bytes(exchange, direction, arrival_, bytes, content);
  message.between = state(direction).parser.offset() - message.begin - message.bytes;
  if (missing) exchange.missing_bytes += bytes;
  if (direction == Direction::to_server) return;
  if (!server().was_lost) return;
  // It may never be seen to end.
  const Open* const open = find(exchange.stream);
  if (open != nullptr && open->holed[index(direction)]) log_.sum_up(exchange, arrival_.time);
}

void Analyzer::on_setting(Direction direction, std::uint16_t identifier, std::uint32_t value) {
  DirectionState& to = state(opposite(direction));
  if (identifier == kSettingHeaderTableSize) to.blocks.table().allow_table(value);
  if (identifier == kSettingMaxFrameSize) to.parser.allow_frame_size(std::min(value, kMaxMaxFrameSize));
}

/// Settings for what `direction` sends may not have been seen.
void Analyzer::allow_anything(Direction direction) {
  state(direction).blocks.table().allow_table(HpackDecoder::kMaxInteger);
  state(direction).parser.allow_frame_size(kMaxMaxFrameSize);
}

void Analyzer::on_promise(Direction direction, std::uint32_t stream) { state(direction).blocks.promise(stream); }

/// What the client sent on higher streams will not be answered (RFC 9113, section 6.8).
void Analyzer::on_goaway(Direction direction, std::uint32_t last_stream) {
  if (direction != Direction::to_client) return;
  for (std::size_t i = open_.size(); i > 0 && open_[i - 1].stream > last_stream; --i) {
    Open& open = open_[i - 1];
    const bool refused =
        is_client_stream(open.stream) && open.exchange->request.begun && !open.exchange->response.begun;
    if (refused) finish_stream(open, Outcome::no_response, arrival_.time);
  }
}

void Analyzer::on_fragment(Direction direction, Bytes bytes) { state(direction).blocks.add(bytes); }

void Analyzer::on_damage(Direction direction) {
  DirectionState& from = state(direction);
  if (from.frame.carries_fields()) from.blocks.damage();
  if (from.frame.is(FrameType::settings)) allow_anything(opposite(direction));
}

void Analyzer::on_end(Direction direction) {
  DirectionState& from = state(direction);
  const FrameHeader frame = from.frame;
  if (frame.carries_fields() && frame.has(kEndHeaders)) end_block(direction);
  if (frame.is(FrameType::data) && frame.ends_stream()) end_message(direction, frame.stream);
  if (frame.is(FrameType::rst_stream)) take_reset(frame.stream);
  from.exchange = nullptr;
}

void Analyzer::end_block(Direction direction) {
  take_fields(direction);
  const FrameHeader& first = state(direction).blocks.place().frame;
  if (first.ends_stream()) end_message(direction, first.stream);
}

/// What is there of the field block, which has ended or been cut off.
void Analyzer::take_fields(Direction direction) {
  BlockDecoder& blocks = state(direction).blocks;
  blocks.decode(section_);
  const FrameHeader& first = blocks.place().frame;
  if (first.is(FrameType::push_promise)) return take_promise();
  Open* const open = find(first.stream);
  if (open == nullptr || open->exchange->message(direction).complete || !open->exchange->message(direction).begun)
    return;
  direction == Direction::to_server ? take_request(*open->exchange) : take_response(*open, blocks);
}

void Analyzer::take_request(Exchange& exchange) {
  keep_headers(exchange);
  if (!exchange.method.empty()) return;  // these are trailers
  const Text* const method = section_.find(Field::method);
  const Text* const authority = section_.find(Field::authority);
  const Text* const host = authority != nullptr ? authority : section_.find(Field::host);
  const Text* path = section_.find(Field::path);
  // CONNECT has no path (RFC 9113, section 8.5).
  if (path == nullptr && method != nullptr && *method == "CONNECT") path = authority;
  if (method != nullptr) exchange.method.assign(*method);
  if (host != nullptr) exchange.host.assign(*host);
  if (path != nullptr) exchange.target.assign(*path);
}

void Analyzer::take_response(Open& open, const BlockDecoder& block) {
  Exchange& exchange = *open.exchange;
  const bool ends = block.place().frame.ends_stream();
  const Text* const told = section_.find(Field::status);
  const int status = told != nullptr ? parse_status(*told, 3) : Exchange::kNoStatus;
  if (status >= 100 && status < 200 && !ends && !open.final_status) {
    // An interim response: its bytes count, its time does not.
    exchange.response.begun = false;
    exchange.response.first = kUnknownTime;
    return;
  }
  if (status != Exchange::kNoStatus && !open.final_status) {
    open.final_status = true;
    exchange.status = status;
    exchange.response.first = block.place().arrival.time;  // one before it was interim, if it was not understood
    open.may_be_over = false;
  } else if (!open.final_status && !section_.unknown && !block.is_damaged()) {
    open.holed[index(Direction::to_client)] = true;  // a trailer without what is before it
  } else if (std::exchange(open.may_be_over, false)) {
    open.holed[index(Direction::to_client)] = true;
  }
  const Text* const grpc_status = section_.find(Field::grpc_status);
  if (grpc_status != nullptr && ends) exchange.grpc_status = parse_status(*grpc_status, 9);
  keep_headers(exchange);
}

/// Of a field that both messages have the response's stays.
void Analyzer::keep_headers(Exchange& exchange) {
  if (section_.wanted.empty()) return;
  exchange.headers.resize(log_.wanted().headers.size());
  for (std::size_t i = 0; i < section_.wanted.size(); ++i) {
    if (section_.wanted[i]) exchange.headers[i] = std::move(section_.wanted[i]);
  }
}

/// The server pushes: it says the request itself (RFC 9113, section 8.4). The
/// promise is counted as a part of the response, before it begins.
void Analyzer::take_promise() {
  const BlockDecoder::Place& promise = server().blocks.place();
  const std::uint32_t stream = promise.promised;
  if (stream == 0 || is_client_stream(stream) || stream <= server().highest_stream || find(stream) != nullptr) return;
  server().highest_stream = stream;
  Exchange& exchange = *open_stream(stream, promise.arrival).exchange;
  exchange.request.begun = exchange.request.complete = true;
  exchange.request.first = exchange.request.last = promise.arrival.time;
  exchange.response.begin = promise.begin;
  exchange.response.bytes = promise.bytes;
  exchange.last_packet = std::max(exchange.first_packet, arrival_.packet);
  take_request(exchange);
}

void Analyzer::end_message(Direction direction, std::uint32_t stream) {
  Open* const open = find(stream);
  if (open == nullptr) return;
  Message& message = open->exchange->message(direction);
  if (message.complete || !message.begun) return;
  message.complete = true;
  if (direction == Direction::to_client) log_.sum_up(*open->exchange, arrival_.time);
  finish_if_complete(*open);
}

void Analyzer::finish_if_complete(Open& open) {
  const Exchange& exchange = *open.exchange;
  if (!exchange.response.complete) return;
  const bool holed = open.holed[0] || open.holed[1];
  if (!exchange.request.begun) {
    // The request may have been captured after its response.
    responses_wait_ = responses_wait_ || requests_end_ < exchange.response_acknowledges;
    if (requests_end_ >= exchange.response_acknowledges) finish_stream(open, Outcome::gap, arrival_.time, true);
  } else if (exchange.request.complete || open.holed[index(Direction::to_server)]) {
    finish_stream(open, holed ? Outcome::gap : Outcome::complete, arrival_.time);
  }
}

/// Responses that wait for requests before the end of what is known of them wait in vain.
void Analyzer::pass_requests() {
  responses_wait_ = false;
  for (std::size_t i = open_.size(); i > 0; --i) {
    const Exchange& exchange = *open_[i - 1].exchange;
    if (exchange.response.complete && !exchange.request.begun) finish_if_complete(open_[i - 1]);
  }
}

void Analyzer::take_reset(std::uint32_t stream) {
  reset_[resets_++ % kResetsKept] = stream;
  Open* const open = find(stream);
  if (open == nullptr) return;
  const Exchange& exchange = *open->exchange;
  if (!exchange.request.begun && !exchange.response.begun) {
    log_.discard(*open->exchange);
    open_.erase(open_.begin() + (open - open_.data()));
    return;
  }
  if (!exchange.response.complete) return finish_stream(*open, Outcome::reset, arrival_.time);
  // A server that has answered needs no more of the request (RFC 9113, section 8.1).
  const bool gap = open->holed[0] || open->holed[1] || !exchange.request.begun;
  const bool summed_up = exchange.request.last <= exchange.ended;
  finish_stream(*open, gap ? Outcome::gap : Outcome::complete, exchange.request.last, summed_up);
}

void Analyzer::finish_stream(Open& open, Outcome outcome, Nanos time, bool summed_up) {
  Exchange& exchange = *open.exchange;
  for (DirectionState& from : states_) {
    if (from.exchange == &exchange) from.exchange = nullptr;
  }
  if (!summed_up) log_.sum_up(exchange, time);
  open_.erase(open_.begin() + (&open - open_.data()));
  log_.close(exchange, outcome);
}

void Analyzer::on_lost(Direction direction, bool missing) {
  DirectionState& from = state(direction);
  if (!missing) not_h2_ = true;
  if (from.blocks.is_open()) {
    from.blocks.damage();
    take_fields(direction);
  }
  from.blocks.table().lose();
  from.exchange = nullptr;
  from.was_lost = true;
  allow_anything(opposite(direction));
  for (Open& open : open_) {
    Exchange& exchange = *open.exchange;
    const Message& message = exchange.message(direction);
    if (message.complete || open.holed[index(direction)] || (direction == Direction::to_client && open.may_be_over))
      continue;
    if (direction == Direction::to_client) log_.sum_up(exchange, arrival_.time);
    if (message.begun) {
      open.holed[index(direction)] = true;
    } else if (direction == Direction::to_client) {
      open.may_be_over = true;
    }
  }
  if (direction == Direction::to_server) finish_answered();
}

/// Ends those whose response is whole and whose request will never be known to be.
void Analyzer::finish_answered() {
  for (std::size_t i = open_.size(); i > 0; --i) {
    Open& open = open_[i - 1];
    if (!open.exchange->response.complete || !open.holed[index(Direction::to_server)]) continue;
    finish_stream(open, Outcome::gap, open.exchange->ended, true);
  }
}

}  // namespace wirelap::h2
