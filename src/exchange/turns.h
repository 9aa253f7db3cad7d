// http: the turns of a connection whose messages cannot be told: the client's
// bytes and then the server's are one exchange.
//
// In: which bytes carry the application's data, as the protocol above says,
// with their arrivals. Out: exchanges, one a turn.
//
// A turn begins with the first bytes that the client sent after it had a byte of
// the answer to the last one. What it sent before belongs to the same turn, and
// what the server sent before it had a byte of a turn to the one before: the
// acknowledgment numbers say so wherever the capture was made.
#pragma once

#include <cstdint>

#include "exchange/log.h"
#include "flow/connection.h"
#include "flow/stream.h"

namespace wirelap {

class Turns {
 public:
  /// `connection` and `exchanges` outlive it.
  Turns(const Connection& connection, ExchangeLog& exchanges, Protocol protocol)
      : connection_(connection), exchanges_(exchanges), protocol_(protocol) {}

  /// The latest turn; null before the first and after the end.
  Exchange* present() const { return present_; }
  /// The turn before, while the server may not have seen the present one; else null.
  Exchange* previous() const { return previous_; }

  /// Whether what the client sends with `arrival` begins a turn. `answer`: where
  /// the answer to the present one may have begun, though none is counted yet.
  bool begins(const Arrival& arrival, std::uint64_t answer = Stream::kNever) const;

  /// Begins a turn with the byte at `offset` of the client's stream.
  Exchange& begin(const Arrival& arrival, std::uint64_t offset);

  /// Begins the connection's first turn with what the server says unasked: it
  /// was waited for since the handshake. The client's part is empty so far.
  Exchange& begin_with_greeting(const Arrival& arrival);

  /// The present turn's answer has its first byte at `offset`, where it had none.
  void begin_response(const Arrival& arrival, std::uint64_t offset);

  /// Whether the server sent what comes with `arrival` before it had a byte of the present turn.
  bool is_early(const Arrival& arrival) const {
    return present_ != nullptr && arrival.acknowledged <= present_->request.begin;
  }

  /// The same as `begins` of bytes that are `missing`: the packet that showed
  /// it may not say what they acknowledged.
  bool may_begin(const Arrival& arrival, std::uint64_t offset, bool missing) const;

  /// Whether what the server sends with `arrival` answers bytes of the client that
  /// were not captured, or not yet, and are no part of the present turn as far as that is known.
  bool is_unasked(const Arrival& arrival) const;
  /// Begins a turn with such an answer, from `offset` on: its request is not known, a gap.
  Exchange& begin_unasked(const Arrival& arrival, std::uint64_t offset);

  /// The turn of client's bytes from `offset` on of which little is known, begun
  /// where `may_begin` says so: a gap where they may hide a turn.
  Exchange& place_request(const Arrival& arrival, std::uint64_t offset, bool missing);
  /// The same for the server's; null where there is no turn that they can answer.
  Exchange* place_response(const Arrival& arrival, std::uint64_t offset, bool missing);

  /// Counts `bytes` more of a turn's message, `body` of them content. A request
  /// that was not captured has no time.
  void count(Exchange& turn, Direction direction, const Arrival& arrival, std::uint64_t bytes,
             std::uint64_t body) const;

  /// A turn's end is known only when the next one begins: it is summed up at
  /// each of the server's bytes. To be called when those that came at `time` are
  /// counted; `held`: or may still be, for the first time.
  void sum_up(Nanos time, bool held = false);

  /// The present turn is none; the one before ends.
  void discard_present(Nanos time);

  /// Nothing more comes: the present turn ends with `outcome` where it was not
  /// answered (no_response, if that is `closed`), else with `answered`; where
  /// that is `complete`, as it was found to be.
  void end(Outcome outcome, Outcome answered, Nanos time);

 private:
  static void begin_message(Message& message, const Arrival& arrival, std::uint64_t offset);
  void close_previous(Nanos time);

  const Connection& connection_;
  ExchangeLog& exchanges_;
  Exchange* present_ = nullptr;
  Exchange* previous_ = nullptr;
  Protocol protocol_;
};

}  // namespace wirelap
