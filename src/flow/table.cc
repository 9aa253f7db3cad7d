#include "flow/table.h"

#include <sys/random.h>

#include <cstdlib>
#include <new>

namespace wirelap {

HashSecret make_hash_secret() {
  HashSecret secret{};
  // Up to 256 bytes come whole or not at all (getrandom(2)). Without a secret the table could be attacked with chosen
  // keys, so there is no way to continue.
  if (::getrandom(&secret, sizeof secret, 0) != static_cast<ssize_t>(sizeof secret)) std::abort();
  return secret;
}

FlowTable::FlowTable(std::pmr::memory_resource* memory, const HashSecret& secret)
    : secret_(secret), memory_(memory), slots_(1024, memory), mask_(slots_.size() - 1) {}

FlowTable::~FlowTable() {
  for_each([this](Connection& connection) { destroy(connection); });
}

void FlowTable::destroy(Connection& connection) {
  connection.~Connection();
  memory_->deallocate(&connection, sizeof(Connection), alignof(Connection));
}

void FlowTable::insert(Slot slot) {
  std::size_t at = slot.hash & mask_;
  while (slots_[at].connection != nullptr) at = (at + 1) & mask_;
  slots_[at] = slot;
}

void FlowTable::grow() {
  std::pmr::vector<Slot> old(slots_.size() * 2, memory_);
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.connection != nullptr) insert(slot);
  }
}

Connection& FlowTable::add(const FlowKey& key, std::uint32_t hash) {
  if (++size_ * 2 > slots_.size()) grow();
  auto* const connection = ::new (memory_->allocate(sizeof(Connection), alignof(Connection))) Connection();
  connection->key = key;
  connection->hash = hash;
  insert({connection, hash});
  return *connection;
}

std::size_t FlowTable::probes(const FlowKey& key) const {
  std::size_t count = 1;
  for (std::size_t at = hash(key) & mask_; slots_[at].connection != nullptr; at = (at + 1) & mask_, ++count) {
    if (slots_[at].connection->key == key) break;
  }
  return count;
}

Connection& FlowTable::find_recent(Ipv4Ends ends, Side& sender, bool& added) {
  const bool is_low_first = ends.is_low_first();
  const Ipv4Ends ordered = is_low_first ? ends : ends.reversed();
  const std::uint32_t hash = FlowHash(secret_, ordered, 0).value();
  Connection& connection = find_or_add(make_flow_key(ordered, 0, 0), hash, added);
  sender = is_low_first ? Side::low : Side::high;
  // A new connection is answered next.
  if (added) remember_recent(ends.reversed(), other(sender), connection);
  remember_recent(ends, sender, connection);
  return connection;
}

void FlowTable::forget_recent(const Connection& connection) {
  const Ipv4Ends ends = ipv4_ends(connection.key);
  for (Recent* const recent : {&recent_place(ends), &recent_place(ends.reversed())}) {
    if (recent->connection == &connection) recent->connection = nullptr;
  }
}

void FlowTable::erase(Connection& connection) {
  forget_recent(connection);
  std::size_t empty = connection.hash & mask_;
  while (slots_[empty].connection != &connection) empty = (empty + 1) & mask_;
  destroy(connection);
  --size_;
  // Later entries of the same run move up: an empty slot among them would end a search too early.
  for (std::size_t at = (empty + 1) & mask_; slots_[at].connection != nullptr; at = (at + 1) & mask_) {
    const std::size_t home = slots_[at].hash & mask_;
    if (((at - home) & mask_) < ((at - empty) & mask_)) continue;
    slots_[empty] = slots_[at];
    empty = at;
  }
  slots_[empty].connection = nullptr;
}

}  // namespace wirelap
