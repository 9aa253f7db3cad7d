// flow: which connections are evicted to free memory.
//
// In: the table, and how much memory each connection holds. Out: connections in the order
// of their eviction: those with more than a fair share, then those that are idle longest.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/memory.h"
#include "flow/connection.h"
#include "flow/table.h"

namespace wirelap {

/// A connection that may be evicted. The smallest is the first.
struct Evictable {
  Nanos last_time;
  std::uint64_t number;  ///< decides between equal times, so that every run evicts the same connections
  Connection* connection;

  bool operator<(const Evictable& than) const {
    return last_time != than.last_time ? last_time < than.last_time : number < than.number;
  }
};

/// Keeps the smallest of the connections that are added, in a heap with the largest on top. A list of all connections
/// would itself take memory.
class LongestIdle {
 public:
  /// Keeps at most `most` connections. `count` will be added.
  LongestIdle(std::size_t most, std::size_t count) : most_(most) { heap_.reserve(std::min(most, count)); }

  void add(const Evictable& one) {
    if (heap_.size() == most_) {
      if (!(one < heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.pop_back();
    }
    heap_.push_back(one);
    std::push_heap(heap_.begin(), heap_.end());
  }

  std::vector<Evictable>& all() { return heap_; }

 private:
  std::size_t most_;
  std::vector<Evictable> heap_;
};

/// Calls `evict(Connection&)`, which erases a connection from `table`, until `memory` is well below its limit. The
/// calls end earlier after all connections with more than a fair share and a sixth of the others, which is more than
/// must go where all hold the same. `held_bytes(const Connection&)` returns what a connection holds in addition to
/// itself.
template <class HeldBytes, class Evict>
void evict_some(const FlowTable& table, const Memory& memory, HeldBytes held_bytes, Evict evict) {
  std::vector<Evictable> large;
  LongestIdle idle(std::max<std::size_t>(table.size() / 6, 64), table.size());
  const std::size_t fair_bytes = memory.limit_bytes() / 16;
  table.for_each([&](Connection& connection) {
    const Evictable one{connection.last_time, connection.number, &connection};
    if (held_bytes(connection) > fair_bytes)
      large.push_back(one);
    else
      idle.add(one);
  });
  for (std::vector<Evictable>* const chosen : {&large, &idle.all()}) {
    std::sort(chosen->begin(), chosen->end());
    for (const Evictable& one : *chosen) {
      if (memory.is_well_below_limit()) return;
      evict(*one.connection);
    }
  }
}

}  // namespace wirelap
