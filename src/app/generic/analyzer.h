// tcp: the turns of one connection whose protocol is not known, as exchanges.
//
// In: how many bytes of both streams came, with their arrivals, and holes. Out:
// exchanges: each is a turn, the client's bytes and what the server sent then.
// The bytes themselves are not looked at.
//
// A server that speaks first (MySQL, SMTP, SSH) has the first turn to itself:
// its request is empty and was sent when the TCP handshake was over. What the
// client sends before it had a byte of the greeting belongs to that turn, too.
//
// What a client says last and closes at once, without the time for an answer, is
// a goodbye (PostgreSQL's Terminate, MySQL's Quit) and no turn.
//
// A capture that begins inside the connection shows no beginning of its first
// turn: that one is a gap.
#pragma once

#include <cstdint>

#include "app/analyzer.h"
#include "exchange/turns.h"
#include "flow/connection.h"
#include "flow/stream.h"

namespace wirelap::generic {

class Analyzer : public Talk {
 public:
  /// TLS may begin after words in clear up to this offset in the client's stream.
  static constexpr std::uint64_t kMaxBeforeTls = 64 * 1024;

  /// `connection` and `pool` outlive the conversation. `from_start`: what comes
  /// is the connection's first; else it may still turn out to be a known protocol's.
  Analyzer(const Connection& connection, ExchangePool& pool, bool from_start);

  void feed(Direction direction, const StreamData& data, const Arrival& arrival);
  void skip(Direction direction, std::uint64_t count, bool missing, const Arrival& arrival);
  void finish(Direction direction, const Arrival& arrival);
  void end(Outcome outcome, Nanos time);
  std::uint64_t skippable(Direction direction) const;
  std::size_t held_bytes() const { return sizeof *this + exchanges_.held_bytes(); }
  bool is_something_else() const { return false; }

  /// `count` bytes of the stream of `direction` from `offset` on, which came before the
  /// conversation began, with `arrival`.
  void take_back(Direction direction, std::uint64_t offset, std::uint64_t count, const Arrival& arrival) {
    take(direction, offset, {count, 0}, arrival);
  }
  /// The same of bytes that were not captured.
  void miss_back(Direction direction, std::uint64_t offset, std::uint64_t count, const Arrival& arrival);

  /// From here on the connection's bytes are a known protocol's. What was open
  /// ends, or was none where that protocol may have been spoken before.
  void yield(Nanos time);

  /// Whether the next bytes of `direction` may yet begin TLS or, unless it is settled, any protocol that is known.
  bool may_change(Direction direction) const;
  bool is_settled() const { return settled_; }

 private:
  struct Amount {
    std::uint64_t bytes, missing;
  };
  void take(Direction direction, std::uint64_t offset, Amount amount, const Arrival& arrival);
  void count(Exchange* turn, Direction direction, Amount amount, const Arrival& arrival);
  Exchange* turn_of_request(const Arrival& arrival, std::uint64_t offset);
  Exchange* turn_of_response(const Arrival& arrival, std::uint64_t offset);
  void begin_late(const Arrival& arrival);
  bool is_goodbye(const Arrival& fin) const;
  void end_turns(Outcome outcome, Nanos time);
  const Stream& stream(Direction direction) const {
    return connection_.stream(direction == Direction::to_server ? connection_.client : other(connection_.client));
  }

  const Connection& connection_;
  Turns turns_;
  bool from_start_;  // its beginning was captured
  bool settled_;     // no other protocol's bytes were taken for turns
  bool closing_ = false;
  bool goodbye_ = false;  // the client did not wait for an answer to what it sent last
  bool over_ = false;
};

}  // namespace wirelap::generic
