// generic: the turns of one connection whose protocol is not known.
//
// In: how many bytes of both directions came, with their arrivals, and gaps. Out:
// exchanges. Each is a turn: the client's bytes, and the server's bytes after them.
// The analyzer does not look at the content of the bytes.
//
// Where the server sends first (MySQL, SMTP, SSH), its greeting is the first turn.
// The request of that turn is empty and counts as sent at the end of the TCP
// handshake. Bytes that the client sends before it has received a byte of the
// greeting belong to that turn, too.
//
// A client's last bytes are a goodbye (PostgreSQL's Terminate, MySQL's Quit) and not a
// turn if the client closes at once, before an answer can have arrived.
//
// Where the capture begins in the middle of the connection, it does not show where
// the first turn begins, and the outcome of that turn is gap.
#pragma once

#include <cstdint>

#include "app/analyzer.h"
#include "exchange/turns.h"

namespace wirelap::generic {

class Analyzer : public wirelap::Analyzer {
 public:
  /// TLS may begin up to this offset of the client's stream, after commands in clear text (STARTTLS).
  static constexpr std::uint64_t kMaxBeforeTls = 64 * 1024;

  /// Any bytes can be turns. The detector asks all other analyzers first.
  static Probe probe(const Opening& opening) {
    return {Probe::Result::unsure, opening.likely, !opening.position.at_start()};
  }

  /// `probe.from_middle`: a known protocol may still be found in later bytes.
  Analyzer(const StreamView& view, ExchangePool& pool, const Probe& probe);

  void feed(Direction direction, const StreamData& data, const Arrival& arrival);
  void gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival);
  void finish(Direction direction, const Arrival& arrival);
  void finish(Outcome outcome, Nanos time);
  std::uint64_t skippable(Direction direction) const;
  std::size_t held_bytes() const { return sizeof *this + log_.held_bytes(); }
  Verdict verdict() const { return Verdict::mine; }

  /// Processes `count` bytes from `offset` on that came with `arrival`, before the analyzer was made.
  void process_earlier(Direction direction, std::uint64_t offset, std::uint64_t count, const Arrival& arrival) {
    process(direction, offset, {count, 0}, arrival);
  }
  /// Processes `count` bytes from `offset` on that were not captured, before the analyzer was made or now.
  void process_not_captured(Direction direction, std::uint64_t offset, std::uint64_t count, const Arrival& arrival);

  /// Ends the turns: from here on the bytes belong to a known protocol. Discards the present turn if it has
  /// no answer, or may have been a part of that protocol.
  void yield(Nanos time);

  /// Whether the next bytes of `direction` may begin TLS or, unless the turns are settled, any known protocol.
  bool may_change(Direction direction) const;
  /// Whether TLS is the only known protocol that may still begin.
  bool is_settled() const { return settled_; }

 private:
  struct Amount {
    std::uint64_t bytes, not_captured;
  };
  void process(Direction direction, std::uint64_t offset, Amount amount, const Arrival& arrival);
  void count(Exchange* turn, Direction direction, Amount amount, const Arrival& arrival);
  Exchange* turn_of_request(const Arrival& arrival, std::uint64_t offset);
  Exchange* turn_of_response(const Arrival& arrival, std::uint64_t offset);
  void begin_late_request(const Arrival& arrival);
  bool is_goodbye(const Arrival& fin) const;
  void end_turns(Outcome outcome, Nanos time);

  Turns turns_;
  bool from_start_;        // the beginning of the connection was captured
  bool settled_;           // see is_settled()
  bool closing_ = false;   // a FIN was seen
  bool goodbye_ = false;   // the client did not wait for an answer to what it sent last
  bool finished_ = false;  // there are no further turns
};

}  // namespace wirelap::generic
