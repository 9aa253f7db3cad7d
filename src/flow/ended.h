// flow: connections that have ended.
//
// In: connections, as they end, and their late packets. Out: each once it is gone, when
// it is over for so long that late packets of its are counted; later the oldest, to be
// forgotten. Until then a late packet begins no new connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>

#include "base/time.h"
#include "flow/connection.h"
#include "wire/decode.h"

namespace wirelap {

/// Later than all times.
inline constexpr Nanos kEndOfTime = std::numeric_limits<Nanos>::max();

/// Connections that have ended, in the order of their ends. One that has been replaced since is passed over.
class EndedConnections {
 public:
  /// `connection` ended at `time`. It stays where it is until it is popped.
  void add(Connection& connection, Nanos time) { all_.push_back({&connection, connection.number, due_after(time)}); }

  bool empty() const { return all_.empty(); }
  /// Whether the oldest is to be popped.
  bool is_full() const { return all_.size() > kMost; }

  /// When the next is gone.
  Nanos next_due() const { return gone_ < all_.size() ? all_[gone_].due : kEndOfTime; }

  /// Calls `tell(Connection&)` for those that are gone by `now`, once for each.
  template <class Tell>
  void tell_due(Nanos now, Tell tell) {
    for (; gone_ < all_.size() && now >= all_[gone_].due; ++gone_) {
      if (is_still(all_[gone_])) tell(*all_[gone_].connection);
    }
  }

  /// Takes the oldest off; null where it has been replaced.
  Connection* pop_oldest() {
    const Ended oldest = all_.front();
    all_.pop_front();
    if (gone_ != 0) --gone_;
    return is_still(oldest) ? oldest.connection : nullptr;
  }

  /// Forgets all, without reading them.
  void clear() {
    all_.clear();
    gone_ = 0;
  }

 private:
  static constexpr std::size_t kMost = 4096;
  // For so long after its end a connection's late packets are counted.
  static constexpr Nanos kLateFor = 2 * kNanosPerSecond;

  struct Ended {
    Connection* connection;
    std::uint64_t number;  // it may have been replaced since
    Nanos due;             // when it is gone
  };

  static Nanos due_after(Nanos time) { return time < kEndOfTime - kLateFor ? time + kLateFor : kEndOfTime; }
  static bool is_still(const Ended& ended) { return ended.connection->number == ended.number; }

  std::deque<Ended> all_;
  std::size_t gone_ = 0;  // from the front
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
