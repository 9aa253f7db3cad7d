// app: what all analyzers have in common.
//
// In: the bytes of both directions of a connection, in order, with their arrivals,
// gaps and ends. Out: exchanges, in the connection's log.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "exchange/log.h"
#include "exchange/stream_view.h"
#include "flow/connection.h"
#include "flow/direction.h"
#include "flow/stream.h"

namespace wirelap {

/// The next bytes of one direction of a connection. Analyzers probe them for the beginning of their protocol.
struct Opening {
  Bytes bytes;                              ///< not empty
  StreamPosition position;                  ///< of the first of them
  std::optional<Direction> direction;       ///< of the bytes; empty: it is not known who is the client
  Direction likely = Direction::to_server;  ///< the direction, or a guess by the ports

  /// The bytes may be of `wanted`, as far as is known.
  bool may_be(Direction wanted) const { return !direction || *direction == wanted; }
};

/// What an analyzer finds in an Opening.
struct Probe {
  enum class Result : std::uint8_t {
    not_mine,  ///< its protocol does not begin there
    unsure,    ///< it may begin there; more bytes decide
    certain,   ///< it begins there
  };

  Result result = Result::not_mine;
  Direction direction = Direction::to_server;  ///< of the bytes, as their content shows; has a meaning where found
  bool from_middle = false;                    ///< the capture begins in the middle of the connection

  bool found() const { return result != Result::not_mine; }
};

/// What the bytes so far have shown an analyzer about the protocol.
enum class Verdict : std::uint8_t {
  mine,       ///< they are of its protocol
  undecided,  ///< they may be of its protocol or not
  not_mine,   ///< they are of another one
  upgraded,   ///< they were of its protocol, and have switched to HTTP/2
};

/// Reads the bytes of one connection by the rules of one protocol. Each analyzer has these functions. app/registry.h
/// lists the analyzers and calls them.
///
///     static Probe probe(const Opening&);
///         Whether the protocol begins with the bytes of a connection without an analyzer.
///     Analyzer(const StreamView&, ExchangePool&, const Probe&);
///         Begins with the bytes that were probed, which are fed next.
///     void feed(Direction, const StreamData&, const Arrival&);
///         The next bytes of a direction. The view's position is that of the first of them, here and in gap().
///     void gap(Direction, std::uint64_t count, bool captured, const Arrival&);
///         The next `count` bytes are not handed over: they were not captured, or (`captured`) were dropped because
///         they were skippable().
///     void finish(Direction, const Arrival&);
///         The direction has ended with a FIN.
///     void finish(Outcome, Nanos);
///         Nothing more comes. Open exchanges end with the outcome; with no_response in the place of closed where they
///         have no response.
///     std::uint64_t skippable(Direction) const;
///         How many of the next bytes of the direction need not be fed, since only their number matters.
///     Verdict verdict() const;
///     std::size_t held_bytes() const;
///         Approximate memory that the analyzer holds, in bytes.
class Analyzer : public Attachment {
 public:
  /// Where its exchanges begin and end.
  ExchangeLog& log() { return log_; }
  const ExchangeLog& log() const { return log_; }

  std::uint8_t kind = 0;  ///< its place in the registry
  Side first_sender{};    ///< who sent the connection's first bytes
  Arrival first_arrival;  ///< of these bytes

 protected:
  Analyzer(const StreamView& view, ExchangePool& pool) : log_(view, pool) {}
  /// Continues the log of another analyzer of the same connection.
  explicit Analyzer(ExchangeLog&& log) : log_(std::move(log)) {}
  ~Analyzer() = default;

  const StreamView& view() const { return log_.view(); }

  ExchangeLog log_;
};

}  // namespace wirelap
