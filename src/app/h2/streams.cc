#include "app/h2/streams.h"

#include <algorithm>

namespace wirelap::h2 {

OpenStream* Streams::find(std::uint32_t stream) {
  const auto found =
      std::lower_bound(open_.begin(), open_.end(), stream,
                       [](const OpenStream& open, std::uint32_t wanted) { return open.identifier < wanted; });
  return found != open_.end() && found->identifier == stream ? &*found : nullptr;
}

OpenStream& Streams::open(std::uint32_t stream, const Arrival& arrival, Nanos now) {
  if (log_.is_full()) finish(*find(log_.oldest()->stream), Outcome::evicted, now);
  Exchange& exchange = log_.open(arrival);
  exchange.protocol = "h2";
  exchange.stream = stream;
  const auto after =
      std::upper_bound(open_.begin(), open_.end(), stream,
                       [](std::uint32_t wanted, const OpenStream& open) { return wanted < open.identifier; });
  return *open_.insert(after, {stream, &exchange});
}

OpenStream& Streams::add_upgraded(std::uint32_t stream, Exchange& exchange) {
  exchange.protocol = "h2";
  exchange.stream = stream;
  return open_.emplace_back(OpenStream{stream, &exchange});
}

void Streams::end_message(Direction direction, std::uint32_t stream, Nanos time) {
  OpenStream* const open = find(stream);
  if (open == nullptr) return;
  Message& message = open->message(direction);
  if (message.complete || !message.begun) return;
  message.complete = true;
  if (direction == Direction::to_client) log_.sum_up(*open->exchange, time);
  finish_if_complete(*open, time);
}

/// Ends a stream whose response is complete, once nothing more can be learned about its request:
///
///     the request is                                          the outcome is
///     complete                                                complete, or gap where one of the messages has a gap
///     begun, and its end may be in a gap                      gap
///     not captured, though the client's bytes are             gap
///       processed up to where the response acknowledges them
///
/// In all other cases the stream stays open. In particular, a capture may show a response before its request. Then the
/// response acknowledges bytes of the client that are not processed yet.
void Streams::finish_if_complete(OpenStream& open, Nanos time) {
  const Exchange& exchange = *open.exchange;
  if (!exchange.response.complete) return;
  if (exchange.request.begun) {
    const bool has_gap = open.has_gap[0] || open.has_gap[1];
    const bool may_have_ended = exchange.request.complete || open.has_gap[index(Direction::to_server)];
    if (may_have_ended) finish(open, has_gap ? Outcome::gap : Outcome::complete, time);
  } else if (requests_end_ >= exchange.response_acknowledges) {
    close(open, Outcome::gap);
  } else {
    response_waits_ = true;
  }
}

void Streams::record_requests_end(std::uint64_t offset, Nanos time) {
  requests_end_ = offset;
  if (!response_waits_) return;
  response_waits_ = false;
  for (std::size_t i = open_.size(); i > 0; --i) {
    const Exchange& exchange = *open_[i - 1].exchange;
    if (exchange.response.complete && !exchange.request.begun) finish_if_complete(open_[i - 1], time);
  }
}

bool Streams::was_reset(std::uint32_t stream) const {
  return std::find(resets_, resets_ + kMaxResets, stream) != resets_ + kMaxResets;
}

void Streams::reset(std::uint32_t stream, Nanos time) {
  resets_[reset_count_++ % kMaxResets] = stream;
  OpenStream* const open = find(stream);
  if (open == nullptr) return;
  const Exchange& exchange = *open->exchange;
  // Only interim responses, to a request that was not captured.
  if (!exchange.request.begun && !exchange.response.begun) return discard(*open);
  if (!exchange.response.complete) return finish(*open, Outcome::reset, time);
  // The server has answered and does not need the rest of the request (RFC 9113, section 8.1).
  const bool has_gap = open->has_gap[0] || open->has_gap[1] || !exchange.request.begun;
  const Outcome outcome = has_gap ? Outcome::gap : Outcome::complete;
  // The end of the response has been summed up. Later bytes of the request have not.
  exchange.request.last <= exchange.ended ? close(*open, outcome) : finish(*open, outcome, exchange.request.last);
}

void Streams::refuse_above(std::uint32_t last_stream, Nanos time) {
  for (std::size_t i = open_.size(); i > 0 && open_[i - 1].identifier > last_stream; --i) {
    OpenStream& open = open_[i - 1];
    const bool is_refused =
        is_client_stream(open.identifier) && open.exchange->request.begun && !open.exchange->response.begun;
    if (is_refused) finish(open, Outcome::no_response, time);
  }
}

/// Marks the open streams to which the unknown frames may belong:
///
///     its message of this direction     the frames may contain       mark
///     is complete                       nothing of it                none
///     has begun                         a part of it, or its end     has_gap
///     is a response, not begun          all of it                    may_be_answered
///     is a request, not begun           all of it                    none: without a request the outcome is gap
void Streams::record_gap(Direction direction, Nanos time) {
  present_[index(direction)] = nullptr;
  const bool is_response = direction == Direction::to_client;
  for (OpenStream& open : open_) {
    const Message& message = open.message(direction);
    bool& has_gap = open.has_gap[index(direction)];
    if (message.complete || has_gap || (is_response && open.may_be_answered)) continue;
    // The exchange ends here unless later frames belong to it.
    if (is_response) log_.sum_up(*open.exchange, time);
    if (message.begun) {
      has_gap = true;
    } else if (is_response) {
      open.may_be_answered = true;
    }
  }
  if (!is_response) finish_answered();
}

/// Ends the streams with a complete response whose request may have ended in a gap.
void Streams::finish_answered() {
  for (std::size_t i = open_.size(); i > 0; --i) {
    OpenStream& open = open_[i - 1];
    if (open.exchange->response.complete && open.has_gap[index(Direction::to_server)]) close(open, Outcome::gap);
  }
}

void Streams::end_all(Outcome outcome, Nanos time) {
  while (Exchange* const exchange = log_.oldest()) {
    OpenStream& open = *find(exchange->stream);
    const bool has_request = exchange->request.begun;
    const bool may_have_ended = open.may_be_answered || open.has_gap[index(Direction::to_client)] ||
                                (exchange->response.complete && !has_request);
    if (!has_request && !exchange->response.begun) {
      discard(open);  // only interim responses, to a request that was not captured
    } else if (!may_have_ended) {
      const bool is_unanswered = outcome == Outcome::closed && !exchange->response.begun;
      finish(open, is_unanswered ? Outcome::no_response : outcome, time);
    } else if (exchange->ended != kUnknownTime) {
      close(open, Outcome::gap);
    } else {
      finish(open, Outcome::gap, time);
    }
  }
}

/// Ends a stream at `time`.
void Streams::finish(OpenStream& open, Outcome outcome, Nanos time) {
  log_.sum_up(*open.exchange, time);
  close(open, outcome);
}

/// Ends a stream at the time up to which its exchange has been summed up.
void Streams::close(OpenStream& open, Outcome outcome) {
  Exchange& exchange = *open.exchange;
  remove(open);
  log_.close(exchange, outcome);
}

void Streams::discard(OpenStream& open) {
  Exchange& exchange = *open.exchange;
  remove(open);
  log_.discard(exchange);
}

void Streams::remove(OpenStream& open) {
  for (Exchange*& present : present_) {
    if (present == open.exchange) present = nullptr;
  }
  open_.erase(open_.begin() + (&open - open_.data()));
}

}  // namespace wirelap::h2
