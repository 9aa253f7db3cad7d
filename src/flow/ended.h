// flow: connections that have ended.
//
// In: connections when they end. Out: each connection twice: once it is gone, because it ended so long ago that all its
// late packets have been counted; later, the oldest first, to be forgotten. Until it is forgotten a late packet begins
// no new connection.
//
//   popped <- [oldest ... gone | ended less than kLateFor ago ...] <- add()
//             begin_           gone_                            end_
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

/// Connections that have ended, in the order of their ends. One that was replaced since is skipped.
class EndedConnections {
 public:
  /// Adds `connection`, which ended at `time` and stays where it is until it is popped. Not called while is_full().
  void add(Connection& connection, Nanos time) {
    places_[end_] = {&connection, due_after(time), static_cast<std::uint32_t>(connection.number), connection.hash};
    end_ = after(end_);
    count_ += 1;
  }

  bool empty() const { return count_ == 0; }
  /// Whether the oldest is to be popped.
  bool is_full() const { return count_ > kMost; }

  /// When the next connection is gone.
  Nanos next_due() const { return gone_ != end_ ? places_[gone_].due : kEndOfTime; }

  /// Calls `report(Connection&)` once for each connection that is gone by `now`.
  template <class Report>
  void report_due(Nanos now, Report report) {
    while (gone_ != end_ && now >= places_[gone_].due) {
      const Ended& ended = places_[gone_];
      if (is_same(ended)) report(*ended.connection);
      gone_ = after(gone_);
      if (gone_ != end_) prefetch_connection(places_[gone_]);
    }
  }

  /// Removes the oldest; returns null where it was replaced.
  Connection* pop_oldest() {
    const Ended& oldest = places_[begin_];
    if (gone_ == begin_) gone_ = after(gone_);
    begin_ = after(begin_);
    count_ -= 1;
    if (count_ != 0) prefetch_connection(places_[begin_]);
    return is_same(oldest) ? oldest.connection : nullptr;
  }

  /// The hash of the oldest connection's key; 0 where there is none.
  std::uint32_t oldest_hash() const { return count_ != 0 ? places_[begin_].hash : 0; }

  /// Removes all, without reading them.
  void clear() {
    begin_ = gone_ = end_;
    count_ = 0;
  }

 private:
  // With 256 open connections half of the table's slots are used; with one more the table would double.
  static constexpr std::size_t kMost = 4096 - 256;
  static constexpr std::size_t kPlaces =
      kMost + 2;  // one stays empty: in the ring, gone_ == end_ means that none is due
  // For so long after its end a connection's late packets are counted.
  static constexpr Nanos kLateFor = 2 * kNanosPerSecond;

  struct Ended {
    Connection* connection;
    Nanos due;             // when it is gone
    std::uint32_t number;  // the lower half of its number, which changes when it is replaced
    std::uint32_t hash;    // of its key
  };

  /// A connection that ended long ago is in no near cache. It is fetched while the one before it is processed.
  static void prefetch_connection(const Ended& ended) { prefetch(ended.connection, sizeof(Connection)); }

  static std::size_t after(std::size_t place) { return place + 1 == kPlaces ? 0 : place + 1; }
  static Nanos due_after(Nanos time) { return time < kEndOfTime - kLateFor ? time + kLateFor : kEndOfTime; }
  static bool is_same(const Ended& ended) {
    return static_cast<std::uint32_t>(ended.connection->number) == ended.number;
  }

  // A ring. Pages that were never written take no memory.
  std::unique_ptr<Ended[]> places_ = std::make_unique_for_overwrite<Ended[]>(kPlaces);
  std::size_t begin_ = 0;  // the oldest
  std::size_t gone_ = 0;   // the first that is not gone yet
  std::size_t end_ = 0;    // where the next goes
  std::size_t count_ = 0;
};

/// Counts a retransmission by `sender` that comes after the connection's end.
inline void count_late(Connection& connection, Side sender, const Segment& segment) {
  if ((segment.tcp.flags & (kSyn | kRst)) != 0) return;
  const Stream& stream = connection.stream(sender);
  const std::int64_t end = stream.offset_of(segment.tcp.sequence) + segment.data_length;
  const bool old_data = segment.data_length != 0 && end <= static_cast<std::int64_t>(stream.next);
  const bool fin_alone = (segment.tcp.flags & kFin) != 0 && segment.data_length == 0;
  if (old_data || (fin_alone && stream.is_at_fin(end))) connection.counts.retransmitted += 1;
}

}  // namespace wirelap
