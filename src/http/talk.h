// http: what the conversations of all protocols have in common.
//
// In: the bytes of both streams, in order, and what became of them. Out: their
// exchanges.
#pragma once

#include <cstdint>
#include <utility>

#include "flow/connection.h"
#include "flow/stream.h"
#include "http/exchanges.h"

namespace wirelap::http {

/// What reads the bytes of one connection, by the rules of one protocol.
class Talk : public Attachment {
 public:
  /// The next bytes of the stream that carries messages of `role`.
  virtual void feed(Role role, const Chunk& chunk, const Arrival& arrival) = 0;

  /// The stream's next `count` bytes are `missing` from the capture, or are
  /// bytes that were not kept, since only their count matters.
  virtual void skip(Role role, std::uint64_t count, bool missing, const Arrival& arrival) = 0;

  /// The stream has ended with FIN.
  virtual void finish(Role role, const Arrival& arrival) = 0;

  /// Nothing more comes; exchanges still open end with `outcome`, or with
  /// no_response where it is `closed` and they had none.
  virtual void end(Outcome outcome, Nanos time) = 0;

  /// Bytes from here on of which only the count matters.
  virtual std::uint64_t skippable(Role role) const = 0;

  /// True when what was taken for this protocol turned out to be something else.
  virtual bool is_something_else() const = 0;

  /// Where its exchanges begin and end up.
  Exchanges& exchanges() { return exchanges_; }
  const Exchanges& exchanges() const { return exchanges_; }

 protected:
  /// `connection` and `pool` outlive it.
  Talk(const Connection& connection, ExchangePool& pool) : exchanges_(connection, pool) {}
  /// Goes on with those of another.
  explicit Talk(Exchanges&& exchanges) : exchanges_(std::move(exchanges)) {}
  ~Talk() = default;

  Exchanges exchanges_;
};

}  // namespace wirelap::http
