#include "http/exchange.h"

#include <utility>

namespace wirelap::http {

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

Exchange& ExchangePool::take() {
  Exchange* const used = free_.pop_front();
  if (used == nullptr) return all_.emplace_back();
  Exchange fresh;
  for (std::string Exchange::*text : {&Exchange::method, &Exchange::host, &Exchange::target, &Exchange::alpn}) {
    (used->*text).clear();
    fresh.*text = std::move(used->*text);
  }
  *used = std::move(fresh);
  return *used;
}

}  // namespace wirelap::http
