// http: what the conversations of all protocols have in common.
//
// In: the bytes of both streams, in order, and what became of them. Out: their
// exchanges.
#pragma once

#include <cstdint>
#include <utility>

#include "exchange/log.h"
#include "flow/connection.h"
#include "flow/stream.h"

namespace wirelap {

/// What reads the bytes of one connection, by the rules of one protocol. Each has these, and `Detector` knows which it
/// is:
///
///     void feed(Direction direction, const StreamData& data, const Arrival& arrival);
///         The next bytes of the stream that carries messages of `direction`.
///     void skip(Direction direction, std::uint64_t count, bool missing, const Arrival& arrival);
///         The stream's next `count` bytes are `missing` from the capture, or are
///         bytes that were not kept, since only their count matters.
///     void finish(Direction direction, const Arrival& arrival);
///         The stream has ended with FIN.
///     void end(Outcome outcome, Nanos time);
///         Nothing more comes; exchanges still open end with `outcome`, or with
///         no_response where it is `closed` and they had none.
///     std::uint64_t skippable(Direction direction) const;
///         Bytes from here on of which only the count matters.
///     bool is_something_else() const;
///         True when what was taken for this protocol turned out to be something else.
///     std::size_t held_bytes() const;
///         About what it holds of memory.
class Talk : public Attachment {
 public:
  /// Where its exchanges begin and end up.
  ExchangeLog& exchanges() { return exchanges_; }
  const ExchangeLog& exchanges() const { return exchanges_; }

 protected:
  /// `connection` and `pool` outlive it.
  Talk(const Connection& connection, ExchangePool& pool) : exchanges_(connection, pool) {}
  /// Goes on with those of another.
  explicit Talk(ExchangeLog&& exchanges) : exchanges_(std::move(exchanges)) {}
  ~Talk() = default;

  ExchangeLog exchanges_;
};

}  // namespace wirelap
