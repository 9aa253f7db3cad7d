// http1: the exchanges of one HTTP/1 connection.
//
// In: the bytes of both directions in order, with their arrivals, and gaps. Out:
// exchanges, as they end.
//
// All bytes after an upgrade or CONNECT are one more exchange, the tunnel.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "app/analyzer.h"
#include "app/http1/parser.h"
#include "exchange/matching.h"

namespace wirelap::http1 {

class Analyzer : public wirelap::Analyzer {
 public:
  /// Finds requests and responses by their start lines (RFC 9112, sections 3 and 4).
  static Probe probe(const Opening& opening);

  /// In a direction whose beginning was not captured, the analyzer searches for the first message.
  Analyzer(const StreamView& view, ExchangePool& pool, const Probe& probe);

  void feed(Direction direction, const StreamData& data, const Arrival& arrival);

  /// The fast path of feed(), for the most frequent bytes: those inside a body that do not end it. Returns false and
  /// does nothing for all others.
  bool feed_body(Direction direction, const StreamData& data, const Arrival& arrival) {
    Exchange* const exchange = current(direction);
    if (exchange == nullptr || data.bytes.size() != data.length || !parser(direction).pass_content(data.length))
      return false;
    log_.count_bytes(*exchange, direction, arrival, data.length, data.length);
    if (direction == Direction::to_server) pass_requests(view().next(direction) + data.length);
    expect_sender();
    return true;
  }

  void gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival);
  void finish(Direction direction, const Arrival& arrival);
  void finish(Outcome outcome, Nanos time);
  std::uint64_t skippable(Direction direction) const { return parser(direction).skippable(); }
  std::size_t held_bytes() const {
    return sizeof *this + log_.held_bytes() + requests_.held_bytes() + responses_.held_bytes();
  }

  Verdict verdict() const {
    if (h2_bytes_) return Verdict::upgraded;
    if (log_.count() == 0 && responses_.lost()) return Verdict::not_mine;
    return is_undecided() ? Verdict::undecided : Verdict::mine;
  }

  /// After Verdict::upgraded ("Upgrade: h2c", RFC 7540, section 3.2): how many bytes at the end of the latest data are
  /// HTTP/2's. The newest exchange of the log waits for its response on stream 1.
  std::uint64_t upgraded_bytes() const { return *h2_bytes_; }

  /// Whether the connection has become a tunnel, whose bytes are not parsed.
  bool is_tunnel() const { return tunnel_ != nullptr; }

  /// Discards the only exchange, whose bytes were undecided and are not HTTP.
  void give_up() { log_.discard(*std::exchange(requesting_, nullptr)); }

 private:
  friend class Parser;  // calls the events below
  void on_begin(Direction direction, std::uint64_t offset, bool held);
  void on_held(Direction direction);
  Framing on_head(Direction direction, const Head& head);
  void on_start_line(Direction direction, const Head& head);
  void on_bytes(Direction direction, std::uint64_t count, std::uint64_t body);
  void on_not_captured(Direction direction, std::uint64_t count);
  void on_end(Direction direction);
  void on_sync_lost(Direction direction);
  void on_unparsed(Direction direction, std::uint64_t count, bool not_captured);
  void on_tunnel(Direction direction, std::uint64_t count, bool not_captured);
  void on_garbage(Direction direction);
  bool is_headless(Direction direction) const;
  bool may_begin_inside(Direction) const { return matcher_.expects_more(arrival_.acknowledged); }

  Parser& parser(Direction direction) { return direction == Direction::to_server ? requests_ : responses_; }
  const Parser& parser(Direction direction) const { return direction == Direction::to_server ? requests_ : responses_; }
  Exchange*& current(Direction direction) { return direction == Direction::to_server ? requesting_ : responding_; }
  /// Whether the response is complete and no byte of its request is known.
  static bool lacks_request(const Exchange& exchange) {
    return exchange.response.complete && !exchange.request.begun && exchange.match == Match::open;
  }
  /// Whether the bytes so far can be the first request, but may not be HTTP.
  bool is_undecided() const {
    return requesting_ != nullptr && log_.count() == 1 && !requesting_->response.begun && requests_.is_undecided();
  }

  void end_open(Outcome outcome, Nanos time);
  void make_room();
  Exchange& open(const Arrival& arrival);
  Exchange& exchange_for_request(std::uint64_t offset, const Arrival& arrival);
  Exchange& exchange_for_response(std::uint64_t offset, const Arrival& arrival);
  void finish_settled();
  Framing process_response_head(const Head& head);
  void begin_tunnel(const Head& head);
  void restart_response();
  void record_unseen_response(const Arrival& arrival);
  /// Records that all requests before `offset` are processed, or were not captured.
  void pass_requests(std::uint64_t offset) {
    if (!log_.empty() && lacks_request(*log_.oldest())) [[unlikely]]
      end_without_request(offset);
  }
  void end_without_request(std::uint64_t offset);
  void finish_if_complete(Exchange& exchange);
  void record_loss(Direction direction, const Exchange* exchange);
  void end_open_ended_response();
  void keep_headers(Exchange& exchange, const Head& head) const;
  void finish_exchange(Exchange& exchange, Outcome outcome, Nanos time);
  void discard(Exchange& exchange);
  void forget(const Exchange& exchange);
  /// Reports which end is to send next.
  void expect_sender() const {
    if (log_.empty()) return;
    // The client, if the oldest exchange waits for the rest of its request; in a tunnel, the end that did not send
    // last.
    const Exchange* const oldest = log_.oldest();
    const bool client = oldest == requesting_ || (oldest == tunnel_ && server_sent_last_);
    view().expect(client ? Direction::to_server : Direction::to_client);
  }
  bool switches_to_h2(const Head& head) const;

  RequestMatcher matcher_;
  Parser requests_;
  Parser responses_;
  Exchange* requesting_ = nullptr;  // whose request is being read
  Exchange* responding_ = nullptr;  // whose response is being read
  // By Direction: whose message has no known end. All bytes before the next message are added to it.
  Exchange* open_ended_[2] = {nullptr, nullptr};
  Exchange* tunnel_ = nullptr;     // null before an upgrade or CONNECT
  bool server_sent_last_ = false;  // in the tunnel
  bool snapped_ = false;           // a snaplen removed the bytes that the parser skips now
  Arrival arrival_;                // of the bytes being fed
  Arrival held_[2];                // by Direction: of the bytes that the parser holds
  std::optional<std::uint64_t> h2_bytes_;
};

}  // namespace wirelap::http1
