// flow: the table of connections: an open-addressing index into a pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "flow/connection.h"

namespace wirelap {

/// Finds connections by key. References stay valid until the connection is erased.
class FlowTable {
 public:
  FlowTable();

  /// The connection with `key`, added where there is none (then `added` is true
  /// and all but its key is as new).
  Connection& find_or_add(const FlowKey& key, bool& added) { return find_or_add(key, hash(key), added); }

  /// The same, with the key's `hash`.
  Connection& find_or_add(const FlowKey& key, std::uint32_t hash, bool& added) {
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Slot slot = slots_[at];
      if (slot.place == 0) break;
      if (slot.hash == hash && pool(slot.place).key == key) {
        added = false;
        return pool(slot.place);
      }
    }
    added = true;
    return add(key, hash);
  }

  /// Removes a connection; its memory is used again.
  void erase(Connection& connection);

  std::size_t size() const { return size_; }

  /// What finds a key.
  std::uint32_t hash(const FlowKey& key) const { return hash_flow_key(key, secret_); }

  /// Whether it holds more connections than a processor's own cache.
  bool is_large() const { return size_ > kLarge; }

  /// Begins to bring from memory what `likely` reads.
  void prefetch_slot(std::uint32_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }

  /// Nearly always the connection whose key has `hash`, where there is one. Its own memory is not read.
  const Connection* likely(std::uint32_t hash) const {
    for (std::size_t at = hash & mask_; slots_[at].place != 0; at = (at + 1) & mask_) {
      if (slots_[at].hash == hash) return &pool(slots_[at].place);
    }
    return nullptr;
  }

  /// Calls `visit` with each connection, in the order of the pool.
  template <class Visit>
  void for_each(Visit visit) {
    for (std::uint32_t place = 1; place <= used_; ++place) {
      if (pool(place).number != 0) visit(pool(place));
    }
  }

 private:
  struct Slot {
    std::uint32_t hash;
    std::uint32_t place;  // in the pool, from 1; 0 for an empty slot
  };
  static constexpr std::uint32_t kBlock = 64;  // 28 KiB: little for a capture of few connections
  static constexpr std::size_t kLarge = 8192;

  const Connection& pool(std::uint32_t place) const { return blocks_[(place - 1) / kBlock][(place - 1) % kBlock]; }
  Connection& pool(std::uint32_t place) { return blocks_[(place - 1) / kBlock][(place - 1) % kBlock]; }
  Connection& add(const FlowKey& key, std::uint32_t hash);
  void insert(Slot slot);
  void grow();

  HashSecret secret_;
  std::vector<Slot> slots_;
  std::size_t mask_;
  std::size_t size_ = 0;
  std::vector<std::unique_ptr<Connection[]>> blocks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t used_ = 0;  // places ever given out
};

}  // namespace wirelap
