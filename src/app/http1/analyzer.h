// http: pairs the requests and responses of one HTTP/1 connection.
//
// In: both streams' bytes in order, with their arrivals, and holes. Out:
// exchanges, as they end.
//
// What follows an upgrade or CONNECT is one more exchange: the tunnel's bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "app/analyzer.h"
#include "app/http1/parser.h"
#include "exchange/matching.h"
#include "flow/connection.h"
#include "flow/stream.h"

namespace wirelap::http1 {

class Analyzer : public Talk {
 public:
  /// `connection` and `pool` outlive the conversation. A stream whose start was
  /// not seen is searched for its first message.
  Analyzer(const Connection& connection, ExchangePool& pool);

  void feed(Direction direction, const StreamData& data, const Arrival& arrival);

  /// The same on a short path, for bytes that are a part of a body and do not end it: most are such.
  /// False where nothing is done, since they may be more.
  bool feed_body(Direction direction, const StreamData& data, const Arrival& arrival) {
    Exchange* const exchange = current(direction);
    if (exchange == nullptr || data.bytes.size() != data.length || !parser(direction).take_content(data.length))
      return false;
    exchanges_.count_bytes(*exchange, direction, arrival, data.length, data.length);
    if (direction == Direction::to_server) pass_requests(connection_.stream(connection_.client).next + data.length);
    tell_whom_to_wait_for();
    return true;
  }

  void skip(Direction direction, std::uint64_t count, bool missing, const Arrival& arrival);
  void finish(Direction direction, const Arrival& arrival);
  void end(Outcome outcome, Nanos time);
  std::uint64_t skippable(Direction direction) const { return parser(direction).skippable(); }
  std::size_t held_bytes() const {
    return sizeof *this + exchanges_.held_bytes() + requests_.held_bytes() + responses_.held_bytes();
  }

  /// Whether HTTP may begin with `bytes`, which are the next of the stream that
  /// `sender` sends on a connection without a conversation. Settles who is the
  /// client where the connection's opening did not.
  static bool may_begin(Connection& connection, Side sender, Bytes bytes);
  /// The same of the first bytes of a stream that carries messages of `direction`.
  static bool may_begin_stream(Bytes bytes, Direction direction);

  /// Where a response has switched to HTTP/2 ("Upgrade: h2c", RFC 7540, section
  /// 3.2): how many bytes at the end of the latest data are that already.
  /// Its exchange is the newest, and waits for the response on stream 1.
  std::optional<std::uint64_t> left_for_h2() const { return left_for_h2_; }

  /// Whether it has become a tunnel, whose bytes mean nothing here.
  bool is_tunnel() const { return tunnel_ != nullptr; }

  bool is_something_else() const { return exchanges_.count() == 0 && responses_.lost(); }

  /// True while all that came may be HTTP's first request, or not.
  bool is_undecided() const {
    return requesting_ != nullptr && exchanges_.count() == 1 && !requesting_->response.begun &&
           requests_.is_undecided();
  }
  /// What was undecided is no HTTP.
  void give_up() { exchanges_.discard(*std::exchange(requesting_, nullptr)); }

 private:
  friend class Parser;  // calls the events below
  void on_begin(Direction direction, std::uint64_t offset, bool held);
  void on_held(Direction direction);
  Framing on_head(Direction direction, const Head& head);
  void on_start_line(Direction direction, const Head& head);
  void on_bytes(Direction direction, std::uint64_t count, std::uint64_t body);
  void on_not_captured(Direction direction, std::uint64_t count);
  void on_end(Direction direction);
  void on_lost(Direction direction);
  void on_stray(Direction direction, std::uint64_t count, bool missing);
  void on_tunnel(Direction direction, std::uint64_t count, bool missing);
  void on_garbage(Direction direction);
  bool is_headless(Direction direction) const;
  bool may_begin_inside(Direction) const { return matcher_.expects_more(arrival_.acknowledged); }

  Parser& parser(Direction direction) { return direction == Direction::to_server ? requests_ : responses_; }
  const Parser& parser(Direction direction) const { return direction == Direction::to_server ? requests_ : responses_; }
  Exchange*& current(Direction direction) { return direction == Direction::to_server ? requesting_ : responding_; }
  /// Its response is whole, and its request was not seen.
  static bool is_unasked(const Exchange& exchange) {
    return exchange.response.complete && !exchange.request.begun && exchange.pair == Pair::open;
  }

  void end_open(Outcome outcome, Nanos time);
  void make_room();
  Exchange& exchange_for_request(std::uint64_t offset, const Arrival& arrival);
  Exchange& exchange_for_response(std::uint64_t offset, const Arrival& arrival);
  void finish_settled();
  Framing take_response(const Head& head);
  void begin_tunnel(const Head& head);
  void restart_response();
  void note_unseen_answer(const Arrival& arrival);
  /// The requests' stream is known, or known to be missing, up to `offset`.
  void pass_requests(std::uint64_t offset) {
    if (!exchanges_.empty() && is_unasked(*exchanges_.oldest())) [[unlikely]]
      end_unasked(offset);
  }
  void end_unasked(std::uint64_t offset);
  void finish_if_complete(Exchange& exchange);
  void note_loss(Direction direction, const Exchange* exchange);
  void end_adrift();
  void keep_headers(Exchange& exchange, const Head& head) const;
  void finish_exchange(Exchange& exchange, Outcome outcome, Nanos time);
  /// Takes back an exchange that was none.
  void discard(Exchange& exchange);
  /// Nothing here points to `exchange` any more.
  void forget(const Exchange& exchange);
  void tell_whom_to_wait_for() const {
    if (exchanges_.empty()) return;
    // While an older request waits for its answer, a newer one keeps nobody waiting.
    const Exchange* const oldest = exchanges_.oldest();
    const bool client = oldest == requesting_ || (oldest == tunnel_ && tunnel_turn_);
    connection_.timing->wait_for(client ? connection_.client : other(connection_.client));
  }
  bool switches_to_h2(const Head& head) const;

  const Connection& connection_;
  RequestMatcher matcher_;
  Parser requests_;
  Parser responses_;
  Exchange* requesting_ = nullptr;  // whose request is being read
  Exchange* responding_ = nullptr;
  Exchange* adrift_[2] = {nullptr, nullptr};  // whose message, by Direction, has an end that is not known
  Exchange* tunnel_ = nullptr;                // what the connection has become
  bool tunnel_turn_ = false;                  // there the server has spoken last
  bool snapped_ = false;                      // what is passed over was cut off the segment by a snaplen
  Arrival arrival_;                           // of the bytes being fed
  Arrival held_[2];                           // of the bytes that a parser keeps back, by Direction
  std::optional<std::uint64_t> left_for_h2_;
};

}  // namespace wirelap::http1
