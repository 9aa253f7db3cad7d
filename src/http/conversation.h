// http: pairs the requests and responses of one HTTP/1 connection.
//
// In: both streams' bytes in order, with their arrivals, and holes. Out:
// finished exchanges, to be taken with `next_finished`.
//
// Responses answer requests in order (RFC 9112, section 9.3). That alone would
// shift every pair after a lost message, so the first segment of a response must
// also acknowledge a part of the request that it is paired with.
#pragma once

#include <cstdint>

#include "flow/connection.h"
#include "flow/stream.h"
#include "http/exchange.h"
#include "http/parser.h"

namespace wirelap::http {

class Conversation : public Attachment {
 public:
  /// The most requests that wait for their responses; past it the oldest is given up.
  static constexpr std::size_t kMaxOpen = 4096;

  /// `connection` and `pool` outlive the conversation. A stream whose start was
  /// not seen is searched for its first message.
  Conversation(const Connection& connection, ExchangePool& pool);

  /// The connection's next packet, before its bytes: `gap` is the time since the one before it.
  void on_packet(Nanos gap) {
    if (!open_.empty() && gap > open_.back()->gap_alone) open_.back()->gap_alone = gap;
  }

  /// The next bytes of the stream that carries messages of `role`.
  void feed(Role role, const Chunk& chunk, const Arrival& arrival);

  /// The stream's next `count` bytes are `missing` from the capture, or are
  /// body bytes that were not kept.
  void skip(Role role, std::uint64_t count, bool missing, const Arrival& arrival);

  /// The stream has ended with FIN.
  void finish(Role role, const Arrival& arrival);

  /// Bytes of the stream from offset `begin` on, told before, were lost beyond
  /// the capture point and have reached their receiver only now.
  void on_sent_again(Role role, std::uint64_t begin, Nanos time);

  /// The latest on_sent_again was wrong: its bytes had arrived at first.
  void on_unneeded(Role role);

  /// The responses' stream has been acknowledged up to `offset`.
  void confirm(std::uint64_t offset) {
    while (!unconfirmed_.empty() && unconfirmed_.front()->response.end() <= offset) {
      finished_.push_back(*unconfirmed_.pop_front());
    }
  }

  /// Nothing more comes; exchanges still open end with `outcome`, or with
  /// no_response where it is `closed` and they had none.
  void end(Outcome outcome, Nanos time);

  std::uint64_t skippable(Role role) const { return parser(role).skippable(); }

  /// The next exchange that is over, in the order of their ends; null for none.
  /// To be given back to the pool.
  Exchange* next_finished() { return finished_.pop_front(); }

  /// Whether HTTP may begin with `bytes`, which are the next of the stream that
  /// `sender` sends on a connection without a conversation. Settles who is the
  /// client where the connection's opening did not.
  static bool may_begin(Connection& connection, Side sender, Bytes bytes);

  /// True when what was taken for HTTP turned out to be something else.
  bool is_not_http() const { return exchanges_ == 0 && responses_.lost(); }

 private:
  friend class Parser;  // calls the events below
  void on_begin(Role role, std::uint64_t offset);
  Framing on_head(Role role, const Head& head);
  void on_start_line(Role role, const Head& head);
  void on_bytes(Role role, std::uint64_t count, std::uint64_t body);
  void on_missing(Role role, std::uint64_t count);
  void on_end(Role role);
  void on_lost(Role role);
  void on_stray(Role role, std::uint64_t count, bool missing);
  void on_garbage(Role role);

  Parser& parser(Role role) { return role == Role::request ? requests_ : responses_; }
  const Parser& parser(Role role) const { return role == Role::request ? requests_ : responses_; }
  Exchange*& current(Role role) { return role == Role::request ? requesting_ : responding_; }
  static Message& message(Exchange& exchange, Role role) {
    return role == Role::request ? exchange.request : exchange.response;
  }

  /// Its response is whole, and its request was not seen.
  static bool is_unasked(const Exchange& exchange) { return exchange.response.complete && !exchange.request.begun; }

  Exchange& open_exchange();
  Exchange& exchange_for_request(std::uint64_t offset);
  Exchange& exchange_for_response(std::uint64_t offset);
  void give_up_unanswered(std::uint64_t offset);
  bool is_asked(const Exchange& exchange) const;
  void restart_response();
  void pass_requests(std::uint64_t offset);
  void finish_if_complete(Exchange& exchange);
  void end_adrift();
  void note_step(Exchange& exchange) const;
  void finish_exchange(Exchange& exchange, Outcome outcome, Nanos time);
  void tell_whom_to_wait_for() const;
  void close_account(Exchange& exchange, Nanos time) const;
  void move_end(Exchange& exchange, Nanos time);
  Side client() const { return connection_.client; }
  Side server() const { return other(connection_.client); }

  const Connection& connection_;
  ExchangePool& pool_;
  Parser requests_;
  Parser responses_;
  ExchangeQueue open_;         // in the order of their requests
  ExchangeQueue unconfirmed_;  // complete, but the client may still lack a part
  ExchangeQueue finished_;
  Exchange* requesting_ = nullptr;  // whose request is being read
  Exchange* responding_ = nullptr;
  Exchange* adrift_[2] = {nullptr, nullptr};  // whose message, by Role, has an end that is not known
  Arrival arrival_;                           // of the bytes being fed
  std::uint64_t exchanges_ = 0;
  Nanos previous_end_ = kUnknownTime;  // of the exchange before, or of the handshake
  bool resynced_ = false;              // responses were lost since the last one
};

}  // namespace wirelap::http
