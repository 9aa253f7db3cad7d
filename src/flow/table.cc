#include "flow/table.h"

#include <sys/random.h>

#include <cstdlib>

namespace wirelap {

HashSecret make_hash_secret() {
  HashSecret secret{};
  // Up to 256 bytes come whole or not at all (getrandom(2)); without them the
  // table would be open to chosen keys, so there is no going on.
  if (::getrandom(&secret, sizeof secret, 0) != static_cast<ssize_t>(sizeof secret)) std::abort();
  return secret;
}

FlowTable::FlowTable() : secret_(make_hash_secret()), slots_(1024), mask_(slots_.size() - 1) {}

void FlowTable::insert(Slot slot) {
  std::size_t at = slot.hash & mask_;
  while (slots_[at].place != 0) at = (at + 1) & mask_;
  slots_[at] = slot;
}

void FlowTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot slot : old) {
    if (slot.place != 0) insert(slot);
  }
}

Connection& FlowTable::add(const FlowKey& key, std::uint32_t hash) {
  if (++size_ * 2 > slots_.size()) grow();
  std::uint32_t place;
  if (free_.empty()) {
    if (used_ % kBlock == 0) blocks_.push_back(std::make_unique<Connection[]>(kBlock));
    place = ++used_;
  } else {
    place = free_.back();
    free_.pop_back();
  }
  insert({hash, place});
  Connection& connection = pool(place);
  connection.key = key;
  return connection;
}

void FlowTable::erase(Connection& connection) {
  std::size_t hole = hash_flow_key(connection.key, secret_) & mask_;
  while (&pool(slots_[hole].place) != &connection) hole = (hole + 1) & mask_;
  free_.push_back(slots_[hole].place);
  connection = Connection{};
  --size_;
  // Later entries of the same run move up, so that no probe meets a hole too soon.
  for (std::size_t at = (hole + 1) & mask_; slots_[at].place != 0; at = (at + 1) & mask_) {
    const std::size_t home = slots_[at].hash & mask_;
    if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole].place = 0;
}

}  // namespace wirelap
