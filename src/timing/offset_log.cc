#include "timing/offset_log.h"

#include <new>

namespace wirelap {

void OffsetLog::add(std::uint64_t end, Nanos time, Nanos network, std::pmr::memory_resource* memory) {
  if (count_ > 1) return add_beyond(end, time, network, memory);
  if (count_ == 1) before_ = latest_;
  latest_ = {end, time, network};
  ++count_;
}

void OffsetLog::add_beyond(std::uint64_t end, Nanos time, Nanos network, std::pmr::memory_resource* memory) {
  if (older_ == nullptr) older_.reset(::new (memory->allocate(sizeof(Ring), alignof(Ring))) Ring(memory));
  older_->points[older_->next] = before_;
  older_->next = older_->next + 1 == Ring::kSize ? 0 : older_->next + 1;
  before_ = latest_;
  latest_ = {end, time, network};
  if (count_ < kPoints)
    ++count_;
  else
    forgot_first_ = true;  // the oldest was overwritten
}

const OffsetLog::Point* OffsetLog::find(std::uint64_t offset) const {
  if (!has_reached(offset)) return nullptr;
  if (count_ == 1 || offset >= before_.end) return &latest_;
  const Point* first = &before_;
  for (int age = 1; age <= count_ - 2 && offset < older(age).end; ++age) first = &older(age);
  return first;
}

Nanos OffsetLog::time_before_latest(std::uint64_t offset) const {
  const Point* const point = find(offset);
  return forgot_first_ && point == oldest() ? kLongAgo : point->time;
}

}  // namespace wirelap
