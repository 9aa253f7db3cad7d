#include "exchange/exchange.h"

#include <utility>

namespace wirelap {

void ExchangeQueue::push_back(Exchange& exchange) {
  exchange.next = nullptr;
  exchange.before = last_;
  (last_ == nullptr ? first_ : last_->next) = &exchange;
  last_ = &exchange;
  ++size_;
}

Exchange* ExchangeQueue::pop_front() {
  Exchange* const front = first_;
  if (front != nullptr) remove(*front);
  return front;
}

Exchange* ExchangeQueue::remove(Exchange& exchange) {
  Exchange* const before = exchange.before;
  (before == nullptr ? first_ : before->next) = exchange.next;
  (exchange.next == nullptr ? last_ : exchange.next->before) = before;
  --size_;
  return before;
}

std::size_t Exchange::held_bytes() const {
  std::size_t bytes = sizeof *this + steps.capacity() * sizeof(Step) + headers.capacity() * sizeof headers[0];
  for (const Text* const text : {&method, &host, &target, &alpn}) bytes += text->capacity();
  for (const std::optional<Text>& value : headers) bytes += value ? value->capacity() : 0;
  return bytes;
}

ExchangePool::~ExchangePool() {
  while (spare_ != nullptr) Owned<Exchange>{std::exchange(spare_, spare_->next)};
}

Exchange& ExchangePool::take() {
  if (spare_ == nullptr) [[unlikely]]
    return *make_in<Exchange>(memory_).release();
  --spares_;
  return *std::exchange(spare_, spare_->next);
}

void ExchangePool::give_back(Exchange& exchange) {
  if (spares_ == kMaxSpare) [[unlikely]] {
    Owned<Exchange>{&exchange};
    return;
  }
  static constexpr ExchangeFacts kNew;
  static_cast<ExchangeFacts&>(exchange) = kNew;
  for (Text* const text : {&exchange.method, &exchange.host, &exchange.target, &exchange.alpn}) {
    text->capacity() > kMaxSpareTextBytes ? release(*text) : text->clear();
  }
  if (exchange.headers.capacity() != 0) [[unlikely]]
    release(exchange.headers);
  if (exchange.steps.capacity() != 0) [[unlikely]]
    release(exchange.steps);
  exchange.next = std::exchange(spare_, &exchange);
  ++spares_;
}

}  // namespace wirelap
