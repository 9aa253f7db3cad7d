// flow: connections that have ended.
//
// In: connections, as they end. Out: each connection twice: two seconds later, when it
// is gone and its late packets have been counted; and, much later, to be erased from
// the table. Until it is erased, a late packet does not begin a new connection.
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

/// Later than any time.
inline constexpr Nanos kEndOfTime = std::numeric_limits<Nanos>::max();

/// Connections that have ended, in the order of their ends. Skips one that a new connection has replaced since then.
class EndedConnections {
 public:
  /// Adds `connection`, which ended at `time`. It must keep its address until it is popped. Not to be called while
  /// is_full().
  void add(Connection& connection, Nanos time) {
    places_[end_] = {&connection, due_after(time), static_cast<std::uint32_t>(connection.number), connection.hash};
    end_ = after(end_);
    count_ += 1;
  }

  bool empty() const { return count_ == 0; }
  /// Whether the oldest must be popped.
  bool is_full() const { return count_ > kMost; }

  /// When the next connection is gone.
  Nanos next_due() const { return gone_ != end_ ? places_[gone_].due : kEndOfTime; }

  /// Calls `report(Connection&)` once for each connection that is gone by `now`.
  template <class Report>
  void report_due(Nanos now, Report report) {
    while (gone_ != end_ && now >= places_[gone_].due) {
      const Ended& ended = places_[gone_];
      if (is_still(ended)) report(*ended.connection);
      gone_ = after(gone_);
      if (gone_ != end_) prefetch_connection(places_[gone_]);
    }
  }

  /// Removes and returns the oldest; null where it has been replaced.
  Connection* pop_oldest() {
    const Ended& oldest = places_[begin_];
    if (gone_ == begin_) gone_ = after(gone_);
    begin_ = after(begin_);
    count_ -= 1;
    if (count_ != 0) prefetch_connection(places_[begin_]);
    return is_still(oldest) ? oldest.connection : nullptr;
  }

  /// The hash of the oldest connection's key; 0 where there is none.
  std::uint32_t oldest_hash() const { return count_ != 0 ? places_[begin_].hash : 0; }

  /// Removes all, without reading the connections.
  void clear() {
    begin_ = gone_ = end_;
    count_ = 0;
  }

 private:
  // With 256 open connections these fill half of a table of 8192 slots; with one more, the table would double.
  static constexpr std::size_t kMost = 4096 - 256;
  static constexpr std::size_t kPlaces = kMost + 2;  // one stays free: with `gone_` at `end_`, no connection is due
  // How long after the end of a connection its late packets are counted.
  static constexpr Nanos kLateFor = 2 * kNanosPerSecond;

  struct Ended {
    Connection* connection;
    Nanos due;             // when it is gone
    std::uint32_t number;  // its number, the lower half; differs once it has been replaced
    std::uint32_t hash;    // of its key
  };

  /// The connection ended so long ago that the cache does not have it. It is loaded while the one before it is
  /// processed.
  static void prefetch_connection(const Ended& ended) { prefetch(ended.connection, sizeof(Connection)); }

  static std::size_t after(std::size_t place) { return place + 1 == kPlaces ? 0 : place + 1; }
  static Nanos due_after(Nanos time) { return time < kEndOfTime - kLateFor ? time + kLateFor : kEndOfTime; }
  static bool is_still(const Ended& ended) {
    return static_cast<std::uint32_t>(ended.connection->number) == ended.number;
  }

  // A ring. Pages that were never written take no memory.
  std::unique_ptr<Ended[]> places_ = std::make_unique_for_overwrite<Ended[]>(kPlaces);
  std::size_t begin_ = 0;  // the oldest
  std::size_t gone_ = 0;   // the first that is not gone yet
  std::size_t end_ = 0;    // after the newest
  std::size_t count_ = 0;
};

/// Counts a packet after the connection's end as a retransmission, if it contains only data or a FIN that `sender` sent
/// before.
inline void count_late(Connection& connection, Side sender, const Segment& segment) {
  if ((segment.tcp.flags & (kSyn | kRst)) != 0) return;
  const Stream& stream = connection.stream(sender);
  const std::int64_t end = stream.offset_of(segment.tcp.sequence) + segment.data_length;
  const bool data_again = segment.data_length != 0 && end <= static_cast<std::int64_t>(stream.next);
  const bool fin_alone = (segment.tcp.flags & kFin) != 0 && segment.data_length == 0;
  if (data_again || (fin_alone && stream.is_at_fin(end))) connection.counts.retransmitted += 1;
}

}  // namespace wirelap
