// flow: the table of connections.
//
// In: keys, or segments with theirs. Out: connections, found or made. The index has open addressing; a small cache
// before it holds the directions that were looked for lately.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <utility>
#include <vector>

#include "flow/connection.h"

namespace wirelap {

/// Finds connections by key. References stay valid until the connection is erased.
class FlowTable {
 public:
  /// Connections are made in `memory`, which outlives the table. `secret` is the hash's; tests pass a known one.
  explicit FlowTable(std::pmr::memory_resource* memory = std::pmr::get_default_resource(),
                     const HashSecret& secret = make_hash_secret());
  ~FlowTable();
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  /// Returns the connection with `key`. Where there is none, adds a new one with its key and hash set, and sets `added`
  /// to true.
  Connection& find_or_add(const FlowKey& key, bool& added) { return find_or_add(key, hash(key), added); }

  /// The same, given the key's `hash`.
  Connection& find_or_add(const FlowKey& key, std::uint32_t hash, bool& added) {
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Slot slot = slots_[at];
      if (slot.connection == nullptr) break;
      if (slot.hash == hash && slot.connection->key == key) {
        added = false;
        return *slot.connection;
      }
    }
    added = true;
    return add(key, hash);
  }

  /// The same for the connection of `segment`. Sets `sender` to the side that sent it.
  Connection& find_or_add(const Segment& segment, Side& sender, bool& added) {
    if (!is_plain_ipv4(segment)) [[unlikely]]
      return find_or_add(make_flow_key(segment, sender), added);
    const Ipv4Ends ends = ipv4_ends(segment);
    const Recent& recent = recent_place(ends);
    if (!recent.is(ends)) return find_recent(ends, sender, added);
    added = false;
    sender = recent.sender;
    return *recent.connection;
  }

  /// How many slots the search for `key` reads.
  std::size_t probes(const FlowKey& key) const;

  /// Removes a connection and frees its memory.
  void erase(Connection& connection);

  std::size_t size() const { return size_; }

  /// The hash of `key`.
  std::uint32_t hash(const FlowKey& key) const { return hash_flow_key(key, secret_); }

  /// Whether it has more connections than a processor's own cache can hold.
  bool is_large() const { return size_ > kLarge; }

  /// Prefetches what likely() reads.
  void prefetch_slot(std::uint32_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }

  /// The first connection whose key has `hash`, or null: nearly always the right one. Does not read the connection.
  const Connection* likely(std::uint32_t hash) const {
    for (std::size_t at = hash & mask_; slots_[at].connection != nullptr; at = (at + 1) & mask_) {
      if (slots_[at].hash == hash) return slots_[at].connection;
    }
    return nullptr;
  }

  /// Calls `visit` with each connection, in no particular order.
  template <class Visit>
  void for_each(Visit visit) const {
    constexpr std::size_t kAhead = 16;  // slots to prefetch ahead: connections are anywhere in memory
    for (std::size_t at = 0; at < slots_.size(); ++at) {
      const Connection* const soon = at + kAhead < slots_.size() ? slots_[at + kAhead].connection : nullptr;
      if (soon != nullptr) __builtin_prefetch(&soon->last_time);
      if (slots_[at].connection != nullptr) visit(*slots_[at].connection);
    }
  }

  /// Calls `visit` with each connection in the order of their numbers. `visit` adds none, and erases none that is still
  /// to come.
  template <class Visit>
  void for_each_in_order(Visit visit) const {
    std::vector<std::pair<std::uint64_t, Connection*>> all;
    all.reserve(size_);
    for_each([&](Connection& connection) { all.emplace_back(connection.number, &connection); });
    std::sort(all.begin(), all.end());
    for (const auto& [number, connection] : all) visit(*connection);
  }

 private:
  struct Slot {
    Connection* connection;  // null: an empty slot
    std::uint32_t hash;
  };
  static constexpr std::size_t kLarge = 8192;

  /// One direction of an IPv4 connection that was looked for lately. Addresses that are chosen to share a place do no
  /// harm: their connections are then looked for in slots_.
  struct Recent {
    std::uint64_t addresses = 0;
    std::uint32_t ports = 0;
    Side sender{};
    Connection* connection = nullptr;

    bool is(const Ipv4Ends& ends) const {
      return addresses == ends.addresses && ports == ends.ports && connection != nullptr;
    }
  };
  static constexpr int kRecentBits = 10;

  Recent& recent_place(const Ipv4Ends& ends) {
    const std::uint64_t place = ((ends.addresses ^ ends.ports) * 0x9e3779b97f4a7c15) >> (64 - kRecentBits);
    return recent_[static_cast<std::size_t>(place)];
  }
  void remember_recent(const Ipv4Ends& ends, Side sender, Connection& connection) {
    recent_place(ends) = {ends.addresses, ends.ports, sender, &connection};
  }
  Connection& find_recent(Ipv4Ends ends, Side& sender, bool& added);
  void forget_recent(const Connection& connection);

  Connection& add(const FlowKey& key, std::uint32_t hash);
  void insert(Slot slot);
  void grow();
  void destroy(Connection& connection);

  HashSecret secret_;
  std::pmr::memory_resource* memory_;
  std::pmr::vector<Slot> slots_;
  std::size_t mask_;
  std::size_t size_ = 0;
  std::array<Recent, std::size_t{1} << kRecentBits> recent_;
};

}  // namespace wirelap
