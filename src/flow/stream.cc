#include "flow/stream.h"

#include <algorithm>

namespace wirelap {

void OutOfOrderQueue::add(std::uint64_t begin, StreamData data, bool skipped, const Arrival& arrival) {
  while (data.length != 0) {
    // Items never overlap: of the same bytes, those that came first are kept.
    const auto first = items_.begin() + static_cast<std::ptrdiff_t>(first_);
    const auto after = std::upper_bound(first, items_.end(), begin,
                                        [](std::uint64_t offset, const Item& item) { return offset < item.begin; });
    if (after != first && std::prev(after)->end() > begin) {
      const std::uint64_t covered = std::min(std::prev(after)->end() - begin, data.length);
      begin += covered;
      data.drop_front(covered);
    }
    const std::uint64_t room = after == items_.end() ? data.length : std::min(data.length, after->begin - begin);
    if (room != 0) {
      Item item{begin, room, std::pmr::string(memory()), skipped, arrival};
      const auto held = static_cast<std::size_t>(std::min<std::uint64_t>(room, data.bytes.size()));
      if (!skipped) item.bytes.assign(as_text(data.bytes.first(held)));
      bytes_ += item.bytes.size();
      items_.insert(after, std::move(item));
      waiting_ += 1;
    }
    begin += room;
    data.drop_front(room);
  }
}

bool OutOfOrderQueue::is_contiguous_from(std::uint64_t offset) const {
  for (std::size_t i = first_; i < items_.size() && items_[i].begin <= offset; ++i) {
    offset = std::max(offset, items_[i].end());
    if (i + 1 == items_.size()) return true;
  }
  return empty();
}

void OutOfOrderQueue::pop_front() {
  bytes_ -= items_[first_].bytes.size();
  release(items_[first_].bytes);
  waiting_ -= 1;
  // Popped items are erased when they are half of all, so that each item is moved once.
  if (++first_ * 2 >= items_.size()) {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

bool Stream::is_outside_window(std::uint32_t sequence) const {
  if (!started || right_edge == 0) return false;
  const std::int64_t offset = offset_of(sequence);
  const std::uint64_t left = std::min(acknowledged, next);
  const std::uint64_t right = std::max(right_edge, next) + 1;  // with the FIN
  return offset < static_cast<std::int64_t>(left) || offset > static_cast<std::int64_t>(right);
}

void Stream::count_rest() {
  if (out_of_order != nullptr) [[unlikely]]
    count_out_of_order();
  pass_not_captured(acknowledged);
}

void Stream::count_out_of_order() {
  for (; has_out_of_order(); out_of_order->pop_front()) {
    const OutOfOrderQueue::Item& item = out_of_order->front();
    pass_not_captured(item.begin);
    if (item.end() <= next) continue;
    const std::uint64_t count = item.end() - next;
    if (!item.skipped) not_captured += std::min(count, item.length - item.bytes.size());
    advance(count);
  }
  out_of_order.reset();
}

void Stream::pass_not_captured(std::uint64_t until) {
  if (until <= next) return;
  not_captured += until - next;
  advance(until - next);
}

}  // namespace wirelap
