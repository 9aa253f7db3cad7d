// flow: connections that have ended.
//
// In: connections, as they end, and their late packets. Out: each once it is gone, when
// it is over for so long that late packets of its are counted; later the oldest, to be
// forgotten. Until then a late packet begins no new connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "base/prefetch.h"
#include "base/time.h"
#include "flow/connection.h"
#include "wire/decode.h"

namespace wirelap {

/// Later than all times.
inline constexpr Nanos kEndOfTime = std::numeric_limits<Nanos>::max();

/// Connections that have ended, in the order of their ends. One that has been replaced since is passed over.
class EndedConnections {
 public:
  /// `connection` ended at `time`. It stays where it is until it is popped. Not called while is_full().
  void add(Connection& connection, Nanos time) {
    places_[end_] = {&connection, due_after(time), static_cast<std::uint32_t>(connection.number), connection.hash};
    end_ = after(end_);
    count_ += 1;
  }

  bool empty() const { return count_ == 0; }
  /// Whether the oldest is to be popped.
  bool is_full() const { return count_ > kMost; }

  /// When the next is gone.
  Nanos next_due() const { return gone_ != end_ ? places_[gone_].due : kEndOfTime; }

  /// Calls `tell(Connection&)` for those that are gone by `now`, once for each.
  template <class Tell>
  void tell_due(Nanos now, Tell tell) {
    while (gone_ != end_ && now >= places_[gone_].due) {
      const Ended& ended = places_[gone_];
      if (is_still(ended)) tell(*ended.connection);
      gone_ = after(gone_);
      if (gone_ != end_) bring(places_[gone_]);
    }
  }

  /// Takes the oldest off; null where it has been replaced.
  Connection* pop_oldest() {
    const Ended& oldest = places_[begin_];
    if (gone_ == begin_) gone_ = after(gone_);
    begin_ = after(begin_);
    count_ -= 1;
    if (count_ != 0) bring(places_[begin_]);
    return is_still(oldest) ? oldest.connection : nullptr;
  }

  /// The hash of the key of who is the oldest now; 0 where there is none.
  std::uint32_t oldest_hash() const { return count_ != 0 ? places_[begin_].hash : 0; }

  /// Forgets all, without reading them.
  void clear() {
    begin_ = gone_ = end_;
    count_ = 0;
  }

 private:
  // With 256 open ones half of the table's slots are taken; it doubles with the next.
  static constexpr std::size_t kMost = 4096 - 256;
  static constexpr std::size_t kPlaces = kMost + 2;  // one stays free: a ring in which `end_` is `gone_` has none due
  // For so long after its end a connection's late packets are counted.
  static constexpr Nanos kLateFor = 2 * kNanosPerSecond;

  struct Ended {
    Connection* connection;
    Nanos due;             // when it is gone
    std::uint32_t number;  // of it, the lower half: it may have been replaced since
    std::uint32_t hash;    // of its key
  };

  /// A connection ended so long ago that no near cache has it: it is on its way while the one before it has its turn.
  static void bring(const Ended& ended) { prefetch(ended.connection, sizeof(Connection)); }

  static std::size_t after(std::size_t place) { return place + 1 == kPlaces ? 0 : place + 1; }
  static Nanos due_after(Nanos time) { return time < kEndOfTime - kLateFor ? time + kLateFor : kEndOfTime; }
  static bool is_still(const Ended& ended) {
    return static_cast<std::uint32_t>(ended.connection->number) == ended.number;
  }

  // A ring. What was never written is no memory yet.
  std::unique_ptr<Ended[]> places_ = std::make_unique_for_overwrite<Ended[]>(kPlaces);
  std::size_t begin_ = 0;  // where the oldest is
  std::size_t gone_ = 0;   // the first that is not gone yet
  std::size_t end_ = 0;    // where the next goes
  std::size_t count_ = 0;
};

/// Counts what `sender` sent before and sends again after the connection's end.
inline void count_late(Connection& connection, Side sender, const Segment& segment) {
  if ((segment.tcp.flags & (kSyn | kRst)) != 0) return;
  const Stream& stream = connection.stream(sender);
  const std::int64_t end = stream.offset_of(segment.tcp.sequence) + segment.data_length;
  const bool data_again = segment.data_length != 0 && end <= static_cast<std::int64_t>(stream.next);
  const bool fin_alone = (segment.tcp.flags & kFin) != 0 && segment.data_length == 0;
  if (data_again || (fin_alone && stream.is_at_fin(end))) connection.counts.retransmitted += 1;
}

}  // namespace wirelap
