#include "flow/stream.h"

#include <algorithm>

namespace wirelap {

void AheadStore::add(std::uint64_t begin, Chunk chunk, bool skipped, const Arrival& arrival) {
  auto after = std::upper_bound(items_.begin() + static_cast<std::ptrdiff_t>(first_), items_.end(), begin,
                                [](std::uint64_t offset, const Item& item) { return offset < item.begin; });
  if (after != items_.begin() + static_cast<std::ptrdiff_t>(first_)) {
    const std::uint64_t covered = std::prev(after)->end();
    if (covered >= begin + chunk.length) return;
    if (covered > begin) {
      chunk.drop_front(covered - begin);
      begin = covered;
    }
  }
  Item item{begin, chunk.length, {}, skipped, arrival};
  if (!skipped) item.bytes.assign(chunk.bytes.begin(), chunk.bytes.end());
  bytes_ += item.bytes.size();
  items_.insert(after, std::move(item));
}

void AheadStore::pop_front() {
  bytes_ -= items_[first_].bytes.size();
  items_[first_].bytes = {};
  // Popped items are dropped when they are half of all, so that each is moved once.
  if (++first_ * 2 >= items_.size()) {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

}  // namespace wirelap
