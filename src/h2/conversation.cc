#include "h2/conversation.h"

#include <algorithm>
#include <utility>

namespace wirelap::h2 {
namespace {

constexpr int index(Role role) { return static_cast<int>(role); }
constexpr Role reverse(Role role) { return role == Role::request ? Role::response : Role::request; }

/// RFC 9113, section 6.5.2.
constexpr std::uint16_t kSettingHeaderTableSize = 1;
constexpr std::uint16_t kSettingMaxFrameSize = 5;

/// A stream that proves a boundary may be twice this far past twice the highest seen.
constexpr std::uint32_t kStreamsAhead = 1 << 15;

bool is_client_stream(std::uint32_t stream) { return stream % 2 == 1; }

Start start_of(Role role, const Stream& stream) {
  if (!stream.at_start()) return Start::unknown;
  return role == Role::request ? Start::preface : Start::boundary;
}

/// A number of digits alone, at most so many; kNoStatus for anything else.
int parse_status(std::string_view text, std::size_t most_digits) {
  if (text.empty() || text.size() > most_digits) return http::Exchange::kNoStatus;
  int value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return http::Exchange::kNoStatus;
    value = value * 10 + (digit - '0');
  }
  return value;
}

}  // namespace

Conversation::Conversation(const Connection& connection, http::ExchangePool& pool)
    : Talk(connection, pool),
      connection_(connection),
      directions_{{Role::request, connection.stream(connection.client).next,
                   start_of(Role::request, connection.stream(connection.client)), exchanges_},
                  {Role::response, connection.stream(other(connection.client)).next,
                   start_of(Role::response, connection.stream(other(connection.client))), exchanges_}},
      open_(pool.memory()),
      section_(pool.memory()),
      requests_end_(connection.stream(connection.client).next) {
  for (Direction& from : directions_) {
    if (!from.parser.lost()) continue;
    from.was_lost = true;
    from.blocks.table().lose();
  }
}

Conversation::Conversation(const Connection& connection, http::Exchanges&& exchanges, std::uint64_t requests,
                           std::uint64_t responses)
    : Talk(std::move(exchanges)),
      connection_(connection),
      directions_{
          {Role::request, requests, Start::preface, exchanges_},
          {Role::response, responses, responses == Stream::kNever ? Start::unknown : Start::boundary, exchanges_}},
      open_(exchanges_.memory()),
      section_(exchanges_.memory()),
      requests_end_(requests) {
  allow_anything(Role::response);  // the settings in HTTP2-Settings are not read
  const bool unseen = responses == Stream::kNever;
  if (unseen) {
    server().parser = FrameParser(Role::response, connection.stream(other(connection.client)).next, Start::unknown);
    server().was_lost = true;
    server().blocks.table().lose();
  }
  http::Exchange* const newest = exchanges_.newest();
  http::Exchange* const upgraded = newest != nullptr && !newest->response.begun ? newest : nullptr;
  while (exchanges_.oldest() != upgraded) {
    http::Exchange& before = *exchanges_.oldest();
    if (!before.request.begun && !before.response.begun) {  // interim responses alone
      exchanges_.discard(before);
      continue;
    }
    exchanges_.sum_up(before, connection.last_time);
    exchanges_.close(before, http::Outcome::gap);
  }
  client().highest_stream = highest_seen_ = 1;
  if (upgraded == nullptr) return;
  upgraded->protocol = http::Protocol::h2;
  upgraded->stream = 1;
  Open& open = open_.emplace_back(Open{1, upgraded});
  open.holed[index(Role::request)] = upgraded->request.begun && !upgraded->request.complete;
  open.holed[index(Role::response)] = unseen;
  if (unseen) exchanges_.sum_up(*upgraded, connection.last_time);
}

std::size_t Conversation::held_bytes() const {
  std::size_t bytes = sizeof *this + exchanges_.held_bytes() + open_.capacity() * sizeof(Open);
  for (const Direction& from : directions_) bytes += from.blocks.held_bytes();
  return bytes;
}

void Conversation::prepare(Role role, const Arrival& arrival) {
  arrival_ = arrival;
  FrameParser& parser = direction(role).parser;
  if (!parser.lost()) return;
  if (highest_seen_ == 0) return;
  parser.limit_stream(std::min(2 * (highest_seen_ + kStreamsAhead), kMaxStream));
}

void Conversation::feed(Role role, const Chunk& chunk, const Arrival& arrival) {
  prepare(role, arrival);
  Direction& from = direction(role);
  from.parser.feed(chunk.bytes, *this);
  from.blocks.keep();
  const std::uint64_t uncaptured = chunk.length - chunk.bytes.size();
  if (uncaptured != 0) from.parser.skip(uncaptured, true, *this);
  settle(role, chunk.length);
}

void Conversation::skip(Role role, std::uint64_t count, bool missing, const Arrival& arrival) {
  prepare(role, arrival);
  direction(role).parser.skip(count, missing, *this);
  settle(role, count);
}

/// After `count` bytes of `role`.
void Conversation::settle(Role role, std::uint64_t count) {
  if (role == Role::request) {
    requests_end_ = connection_.stream(connection_.client).next + count;
    if (responses_wait_) pass_requests();
  }
  tell_whom_to_wait_for();
}

void Conversation::tell_whom_to_wait_for() const {
  const http::Exchange* const oldest = exchanges_.oldest();
  if (oldest == nullptr) return;
  const bool asking = oldest->request.begun && !oldest->request.complete && !oldest->response.begun;
  connection_.timing->wait_for(asking ? connection_.client : other(connection_.client));
}

void Conversation::finish(Role role, const Arrival& arrival) {
  arrival_ = arrival;
  // Without the server there is no response to come.
  if (role == Role::response) end_open(http::Outcome::closed, arrival.time);
}

void Conversation::end(http::Outcome outcome, Nanos time) {
  end_open(outcome, time);
  exchanges_.confirm(Stream::kNever);
}

void Conversation::end_open(http::Outcome outcome, Nanos time) {
  while (http::Exchange* const exchange = exchanges_.oldest()) {
    Open& open = *find(exchange->stream);
    const bool is_whole = exchange->response.complete;
    if (!exchange->request.begun && !exchange->response.begun) {
      // Interim responses to a request that was not captured.
      exchanges_.discard(*exchange);
      open_.erase(open_.begin() + (&open - open_.data()));
    } else if (open.may_be_over || open.holed[index(Role::response)] || (is_whole && !exchange->request.begun)) {
      const bool summed_up = exchange->ended != kUnknownTime;
      finish_stream(open, http::Outcome::gap, summed_up ? exchange->ended : time, summed_up);
    } else {
      const bool unanswered = outcome == http::Outcome::closed && !exchange->response.begun;
      finish_stream(open, unanswered ? http::Outcome::no_response : outcome, time);
    }
  }
}

Conversation::Open* Conversation::find(std::uint32_t stream) {
  const auto found = std::lower_bound(open_.begin(), open_.end(), stream,
                                      [](const Open& open, std::uint32_t wanted) { return open.stream < wanted; });
  return found != open_.end() && found->stream == stream ? &*found : nullptr;
}

Conversation::Open& Conversation::open_stream(std::uint32_t stream, const Arrival& arrival) {
  if (exchanges_.is_full()) {
    finish_stream(*find(exchanges_.oldest()->stream), http::Outcome::evicted, arrival_.time);
  }
  http::Exchange& exchange = exchanges_.open(arrival);
  exchange.protocol = http::Protocol::h2;
  exchange.stream = stream;
  const auto after = std::upper_bound(open_.begin(), open_.end(), stream,
                                      [](std::uint32_t wanted, const Open& open) { return wanted < open.stream; });
  return *open_.insert(after, {stream, &exchange});
}

void Conversation::on_preface(Role) {
  // Nobody has sent a field block before it, but for the answer to an upgrade.
  if (client().highest_stream > 1) return;
  client().blocks.table().begin_anew();
  client().was_lost = false;
  if (exchanges_.count() != 0) return;
  server().blocks.table().begin_anew();
  if (server().parser.offset() != 0) return;
  server().was_lost = false;
  server().parser.settle_at_boundary();
}

void Conversation::on_begin(Role role, std::uint64_t offset) {
  Direction& from = direction(role);
  from.begin = offset;
  from.arrival = arrival_;
}

void Conversation::on_frame(Role role, const FrameHeader& header) {
  Direction& from = direction(role);
  from.frame = header;
  from.exchange = nullptr;
  if (is_client_stream(header.stream)) highest_seen_ = std::max(highest_seen_, header.stream);
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::headers:
      from.blocks.begin(header, from.begin, from.arrival);
      from.exchange = exchange_for_headers(role, header.stream);
      break;
    case FrameType::push_promise: from.blocks.begin(header, from.begin, from.arrival); break;
    case FrameType::continuation:
      if (Open* const open = from.blocks.place().frame.is(FrameType::headers) ? find(header.stream) : nullptr) {
        from.exchange = open->exchange->message(role).begun ? open->exchange : nullptr;
      }
      break;
    case FrameType::data: from.exchange = exchange_for_data(role, header.stream); break;
    default: return;
  }
  if (header.carries_fields()) from.blocks.count(kFrameHeaderBytes);
  if (from.exchange != nullptr) count(*from.exchange, role, kFrameHeaderBytes, 0, false);
}

bool Conversation::was_reset(std::uint32_t stream) const {
  return std::find(reset_, reset_ + kResetsKept, stream) != reset_ + kResetsKept;
}

/// Whether a response on a stream that is not open answers a request that was not captured (yet).
bool Conversation::may_begin_response(std::uint32_t stream) const {
  if (was_reset(stream)) return false;
  if (!is_client_stream(stream)) return direction(Role::response).was_lost;  // its promise is missing
  const Direction& requests = direction(Role::request);
  return stream > requests.highest_stream || requests.was_lost;
}

http::Exchange* Conversation::exchange_for_headers(Role role, std::uint32_t stream) {
  Direction& from = direction(role);
  Open* open = find(stream);
  if (open == nullptr) {
    const bool begins =
        role == Role::request ? is_client_stream(stream) && stream > from.highest_stream : may_begin_response(stream);
    if (!begins) return nullptr;
    open = &open_stream(stream, from.arrival);
  }
  if (role == Role::request) from.highest_stream = std::max(from.highest_stream, stream);
  http::Exchange& exchange = *open->exchange;
  const http::Message& message = exchange.message(role);
  if (message.complete || (role == Role::request && !is_client_stream(stream))) return nullptr;
  if (!message.begun) {
    if (role == Role::request) exchanges_.begin_again(exchange, from.arrival);
    begin_message(exchange, role);
  }
  return &exchange;
}

http::Exchange* Conversation::exchange_for_data(Role role, std::uint32_t stream) {
  Open* const open = find(stream);
  if (open == nullptr) return nullptr;
  http::Exchange& exchange = *open->exchange;
  const http::Message& message = exchange.message(role);
  if (message.complete) return nullptr;
  if (message.begun) return &exchange;
  if (role == Role::request) return nullptr;
  // Its HEADERS are missing.
  begin_message(exchange, role);
  open->holed[index(role)] = true;
  return &exchange;
}

void Conversation::begin_message(http::Exchange& exchange, Role role) {
  const Direction& from = direction(role);
  http::Message& message = exchange.message(role);
  message.begun = true;
  message.first = from.arrival.time;
  if (message.bytes == 0) message.begin = from.begin;  // else interim responses came before
  (role == Role::request ? exchange.seen : exchange.acknowledged) = from.arrival.acknowledged;
}

void Conversation::on_bytes(Role role, std::uint64_t bytes, std::uint64_t content, bool missing) {
  Direction& from = direction(role);
  if (from.frame.carries_fields()) from.blocks.count(bytes);
  if (from.exchange != nullptr) count(*from.exchange, role, bytes, content, missing);
}

void Conversation::count(http::Exchange& exchange, Role role, std::uint64_t bytes, std::uint64_t content,
                         bool missing) {
  http::Message& message = exchange.message(role);
  exchanges_.count_bytes(exchange, role, arrival_, bytes, content);
  message.between = direction(role).parser.offset() - message.begin - message.bytes;
  if (missing) exchange.missing_bytes += bytes;
  if (role == Role::request) return;
  if (!server().was_lost) return;
  // It may never be seen to end.
  const Open* const open = find(exchange.stream);
  if (open != nullptr && open->holed[index(role)]) exchanges_.sum_up(exchange, arrival_.time);
}

void Conversation::on_setting(Role role, std::uint16_t identifier, std::uint32_t value) {
  Direction& to = direction(reverse(role));
  if (identifier == kSettingHeaderTableSize) to.blocks.table().allow_table(value);
  if (identifier == kSettingMaxFrameSize) to.parser.allow_frame_size(std::min(value, kMaxMaxFrameSize));
}

/// Settings for what `role` sends may not have been seen.
void Conversation::allow_anything(Role role) {
  direction(role).blocks.table().allow_table(HpackDecoder::kMaxInteger);
  direction(role).parser.allow_frame_size(kMaxMaxFrameSize);
}

void Conversation::on_promise(Role role, std::uint32_t stream) { direction(role).blocks.promise(stream); }

/// What the client sent on higher streams will not be answered (RFC 9113, section 6.8).
void Conversation::on_goaway(Role role, std::uint32_t last_stream) {
  if (role != Role::response) return;
  for (std::size_t i = open_.size(); i > 0 && open_[i - 1].stream > last_stream; --i) {
    Open& open = open_[i - 1];
    const bool refused =
        is_client_stream(open.stream) && open.exchange->request.begun && !open.exchange->response.begun;
    if (refused) finish_stream(open, http::Outcome::no_response, arrival_.time);
  }
}

void Conversation::on_fragment(Role role, Bytes bytes) { direction(role).blocks.add(bytes); }

void Conversation::on_damage(Role role) {
  Direction& from = direction(role);
  if (from.frame.carries_fields()) from.blocks.damage();
  if (from.frame.is(FrameType::settings)) allow_anything(reverse(role));
}

void Conversation::on_end(Role role) {
  Direction& from = direction(role);
  const FrameHeader frame = from.frame;
  if (frame.carries_fields() && frame.has(kEndHeaders)) end_block(role);
  if (frame.is(FrameType::data) && frame.ends_stream()) end_message(role, frame.stream);
  if (frame.is(FrameType::rst_stream)) take_reset(frame.stream);
  from.exchange = nullptr;
}

void Conversation::end_block(Role role) {
  take_fields(role);
  const FrameHeader& first = direction(role).blocks.place().frame;
  if (first.ends_stream()) end_message(role, first.stream);
}

/// What is there of the field block, which has ended or been cut off.
void Conversation::take_fields(Role role) {
  BlockDecoder& blocks = direction(role).blocks;
  blocks.decode(section_);
  const FrameHeader& first = blocks.place().frame;
  if (first.is(FrameType::push_promise)) return take_promise();
  Open* const open = find(first.stream);
  if (open == nullptr || open->exchange->message(role).complete || !open->exchange->message(role).begun) return;
  role == Role::request ? take_request(*open->exchange) : take_response(*open, blocks);
}

void Conversation::take_request(http::Exchange& exchange) {
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

void Conversation::take_response(Open& open, const BlockDecoder& block) {
  http::Exchange& exchange = *open.exchange;
  const bool ends = block.place().frame.ends_stream();
  const Text* const told = section_.find(Field::status);
  const int status = told != nullptr ? parse_status(*told, 3) : http::Exchange::kNoStatus;
  if (status >= 100 && status < 200 && !ends && !open.final_status) {
    // An interim response: its bytes count, its time does not.
    exchange.response.begun = false;
    exchange.response.first = kUnknownTime;
    return;
  }
  if (status != http::Exchange::kNoStatus && !open.final_status) {
    open.final_status = true;
    exchange.status = status;
    exchange.response.first = block.place().arrival.time;  // one before it was interim, if it was not understood
    open.may_be_over = false;
  } else if (!open.final_status && !section_.unknown && !block.is_damaged()) {
    open.holed[index(Role::response)] = true;  // a trailer without what is before it
  } else if (std::exchange(open.may_be_over, false)) {
    open.holed[index(Role::response)] = true;
  }
  const Text* const grpc_status = section_.find(Field::grpc_status);
  if (grpc_status != nullptr && ends) exchange.grpc_status = parse_status(*grpc_status, 9);
  keep_headers(exchange);
}

/// Of a field that both messages have the response's stays.
void Conversation::keep_headers(http::Exchange& exchange) {
  if (section_.wanted.empty()) return;
  exchange.headers.resize(exchanges_.wanted().headers.size());
  for (std::size_t i = 0; i < section_.wanted.size(); ++i) {
    if (section_.wanted[i]) exchange.headers[i] = std::move(section_.wanted[i]);
  }
}

/// The server pushes: it says the request itself (RFC 9113, section 8.4). The
/// promise is counted as a part of the response, before it begins.
void Conversation::take_promise() {
  const BlockDecoder::Place& promise = server().blocks.place();
  const std::uint32_t stream = promise.promised;
  if (stream == 0 || is_client_stream(stream) || stream <= server().highest_stream || find(stream) != nullptr) return;
  server().highest_stream = stream;
  http::Exchange& exchange = *open_stream(stream, promise.arrival).exchange;
  exchange.request.begun = exchange.request.complete = true;
  exchange.request.first = exchange.request.last = promise.arrival.time;
  exchange.response.begin = promise.begin;
  exchange.response.bytes = promise.bytes;
  exchange.last_frame = std::max(exchange.first_frame, arrival_.frame);
  take_request(exchange);
}

void Conversation::end_message(Role role, std::uint32_t stream) {
  Open* const open = find(stream);
  if (open == nullptr) return;
  http::Message& message = open->exchange->message(role);
  if (message.complete || !message.begun) return;
  message.complete = true;
  if (role == Role::response) exchanges_.sum_up(*open->exchange, arrival_.time);
  finish_if_complete(*open);
}

void Conversation::finish_if_complete(Open& open) {
  const http::Exchange& exchange = *open.exchange;
  if (!exchange.response.complete) return;
  const bool holed = open.holed[0] || open.holed[1];
  if (!exchange.request.begun) {
    // The request may have been captured after its response.
    responses_wait_ = responses_wait_ || requests_end_ < exchange.acknowledged;
    if (requests_end_ >= exchange.acknowledged) finish_stream(open, http::Outcome::gap, arrival_.time, true);
  } else if (exchange.request.complete || open.holed[index(Role::request)]) {
    finish_stream(open, holed ? http::Outcome::gap : http::Outcome::complete, arrival_.time);
  }
}

/// Responses that wait for requests before the end of what is known of them wait in vain.
void Conversation::pass_requests() {
  responses_wait_ = false;
  for (std::size_t i = open_.size(); i > 0; --i) {
    const http::Exchange& exchange = *open_[i - 1].exchange;
    if (exchange.response.complete && !exchange.request.begun) finish_if_complete(open_[i - 1]);
  }
}

void Conversation::take_reset(std::uint32_t stream) {
  reset_[resets_++ % kResetsKept] = stream;
  Open* const open = find(stream);
  if (open == nullptr) return;
  const http::Exchange& exchange = *open->exchange;
  if (!exchange.request.begun && !exchange.response.begun) {
    exchanges_.discard(*open->exchange);
    open_.erase(open_.begin() + (open - open_.data()));
    return;
  }
  if (!exchange.response.complete) return finish_stream(*open, http::Outcome::reset, arrival_.time);
  // A server that has answered needs no more of the request (RFC 9113, section 8.1).
  const bool gap = open->holed[0] || open->holed[1] || !exchange.request.begun;
  const bool summed_up = exchange.request.last <= exchange.ended;
  finish_stream(*open, gap ? http::Outcome::gap : http::Outcome::complete, exchange.request.last, summed_up);
}

void Conversation::finish_stream(Open& open, http::Outcome outcome, Nanos time, bool summed_up) {
  http::Exchange& exchange = *open.exchange;
  for (Direction& from : directions_) {
    if (from.exchange == &exchange) from.exchange = nullptr;
  }
  if (!summed_up) exchanges_.sum_up(exchange, time);
  open_.erase(open_.begin() + (&open - open_.data()));
  exchanges_.close(exchange, outcome);
}

void Conversation::on_lost(Role role, bool missing) {
  Direction& from = direction(role);
  if (!missing) not_h2_ = true;
  if (from.blocks.is_open()) {
    from.blocks.damage();
    take_fields(role);
  }
  from.blocks.table().lose();
  from.exchange = nullptr;
  from.was_lost = true;
  allow_anything(reverse(role));
  for (Open& open : open_) {
    http::Exchange& exchange = *open.exchange;
    const http::Message& message = exchange.message(role);
    if (message.complete || open.holed[index(role)] || (role == Role::response && open.may_be_over)) continue;
    if (role == Role::response) exchanges_.sum_up(exchange, arrival_.time);
    if (message.begun) {
      open.holed[index(role)] = true;
    } else if (role == Role::response) {
      open.may_be_over = true;
    }
  }
  if (role == Role::request) finish_answered();
}

/// Ends those whose response is whole and whose request will never be known to be.
void Conversation::finish_answered() {
  for (std::size_t i = open_.size(); i > 0; --i) {
    Open& open = open_[i - 1];
    if (!open.exchange->response.complete || !open.holed[index(Role::request)]) continue;
    finish_stream(open, http::Outcome::gap, open.exchange->ended, true);
  }
}

}  // namespace wirelap::h2
