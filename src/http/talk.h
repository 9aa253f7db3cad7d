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

/// What reads the bytes of one connection, by the rules of one protocol. Each has these, and `Protocols` knows which it
/// is:
///
///     void feed(Role role, const Chunk& chunk, const Arrival& arrival);
///         The next bytes of the stream that carries messages of `role`.
///     void skip(Role role, std::uint64_t count, bool missing, const Arrival& arrival);
///         The stream's next `count` bytes are `missing` from the capture, or are
///         bytes that were not kept, since only their count matters.
///     void finish(Role role, const Arrival& arrival);
///         The stream has ended with FIN.
///     void end(Outcome outcome, Nanos time);
///         Nothing more comes; exchanges still open end with `outcome`, or with
///         no_response where it is `closed` and they had none.
///     std::uint64_t skippable(Role role) const;
///         Bytes from here on of which only the count matters.
///     bool is_something_else() const;
///         True when what was taken for this protocol turned out to be something else.
///     std::size_t held_bytes() const;
///         About what it holds of memory.
class Talk : public Attachment {
 public:
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
