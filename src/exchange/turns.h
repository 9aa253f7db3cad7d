// exchange: turns, the exchanges of a connection in which the limits of messages are
// not known. The client's bytes and the server's bytes after them are one exchange.
//
// In: which bytes carry application data, as the analyzer finds them, with their
// arrivals. Out: one exchange for each turn.
//
// A turn begins with the first bytes that the client sends after it has received
// a byte of the answer to the turn before:
//
//     client  --[ turn 1 ]-->             --[ turn 2 ]-->
//     server                  <--[ ... ]--                <--[ ... ]--
//
// What the client sends before that byte belongs to turn 1. What the server sends
// before it has received a byte of turn 2 belongs to turn 1, too. Acknowledgment
// numbers decide both, wherever the capture was made.
#pragma once

#include <cstdint>
#include <string_view>

#include "exchange/log.h"
#include "flow/stream.h"

namespace wirelap {

class Turns {
 public:
  /// `log` outlives it. `protocol` is the name of each turn's protocol in records. `encrypted`: turns of TLS.
  Turns(ExchangeLog& log, std::string_view protocol, bool encrypted)
      : log_(log), protocol_(protocol), encrypted_(encrypted) {}

  /// The latest turn; null before the first and after the end.
  Exchange* present() const { return present_; }
  /// The turn before it, while the server may not have received the present one; otherwise null.
  Exchange* previous() const { return previous_; }

  /// Whether bytes that the client sends with `arrival` begin a turn. `answer`: offset where the answer to the present
  /// turn may have begun, though no byte of it is counted yet.
  bool begins(const Arrival& arrival, std::uint64_t answer = StreamPosition::kNever) const;

  /// Begins a turn with the byte at `offset` of the client's stream.
  Exchange& begin(const Arrival& arrival, std::uint64_t offset);

  /// Begins the connection's first turn with bytes that the server sends first. They were waited for since the TCP
  /// handshake. The request is empty so far.
  Exchange& begin_with_greeting(const Arrival& arrival);

  /// Begins the answer to the present turn at `offset` of the server's stream, unless it has begun.
  void begin_response(const Arrival& arrival, std::uint64_t offset);

  /// Whether the server sent what comes with `arrival` before it had received a byte of the present turn.
  bool is_early(const Arrival& arrival) const {
    return present_ != nullptr && arrival.acknowledged <= present_->request.begin;
  }

  /// Whether bytes of the client whose content is not known begin a turn. They are `not_captured`, or not in a known
  /// record. The packet that reveals bytes which were not captured may not show what they acknowledged.
  bool may_begin(const Arrival& arrival, std::uint64_t offset, bool not_captured) const;

  /// Whether bytes that the server sends with `arrival` answer bytes of the client that were not captured, or not yet,
  /// and that are no part of the present turn as far as is known.
  bool is_unasked(const Arrival& arrival) const;
  /// Begins a turn with such an answer, from `offset` on. Its request is not known; its outcome is gap.
  Exchange& begin_unasked(const Arrival& arrival, std::uint64_t offset);

  /// Returns the turn of the client's bytes from `offset` on, whose content is not known. Begins one where may_begin()
  /// allows it. Its outcome is gap where the bytes may hide another turn.
  Exchange& place_request(const Arrival& arrival, std::uint64_t offset, bool not_captured);
  /// Returns the turn of the server's bytes from `offset` on, whose content is not known; null where they cannot answer
  /// any turn.
  Exchange* place_response(const Arrival& arrival, std::uint64_t offset, bool not_captured);

  /// Adds `bytes` to a message of `turn`, `body` of them content. A request that was not captured has no times.
  void count(Exchange& turn, Direction direction, const Arrival& arrival, std::uint64_t bytes,
             std::uint64_t body) const;

  /// Sums up the turns whose answers grew at `time`, once the bytes that came then are counted. The end of a turn is
  /// known only when the next one begins, so each turn is summed up again whenever its answer grows. `held`: an answer
  /// may have begun with bytes that the analyzer still holds.
  void sum_up(Nanos time, bool held = false);

  /// Removes the present turn, which turned out to be none. The one before it ends.
  void discard_present(Nanos time);

  /// Ends the last turns: nothing more comes. A present turn without an answer ends with `outcome`, or with no_response
  /// where that is closed. A present turn with an answer ends with `answered`; where that is complete, with the outcome
  /// that the turn has so far.
  void end(Outcome outcome, Outcome answered, Nanos time);

 private:
  static void begin_message(Message& message, const Arrival& arrival, std::uint64_t offset);
  void close_previous(Nanos time);

  ExchangeLog& log_;
  Exchange* present_ = nullptr;
  Exchange* previous_ = nullptr;
  std::string_view protocol_;
  bool encrypted_;
};

}  // namespace wirelap
