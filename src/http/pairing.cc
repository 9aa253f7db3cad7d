#include "http/pairing.h"

#include <algorithm>

namespace wirelap::http {

void Habit::note_request(std::uint64_t seen, bool outstanding) {
  if (seen != last_seen_ && outstanding) slides_ = true;
  last_seen_ = seen;
}

void Habit::note_pair(const Exchange& request, std::uint64_t offset) {
  if (request.seen >= offset) {
    waited_ = waited_ || offset != 0;
  } else {
    pipelines_ = true;
  }
}

void Pairing::note_request(std::uint64_t seen, std::uint64_t next) {
  // Of what was lost before it nothing is known.
  const bool known = !responses_lost_ && !hole_.exists() && seen <= next;
  const Exchange* const latest = exchanges_.newest();
  if (latest != nullptr && latest->request.begun && latest->seen == seen) habit_.note_burst();
  habit_.note_request(seen, known && (seen < next || (latest != nullptr && !latest->response.complete)));
}

void Pairing::lose_responses(bool whole) {
  // What is kept answers requests older than any that a later response does.
  hidden_ += kept_.size() + (whole ? 1 : 0);
  for (Exchange* const response : kept_) give_up(*response);
  kept_.clear();
  most_hidden_ = kUnbounded;
  waits_ = 0;
  responses_lost_ = true;
}

void Pairing::lose_requests(std::uint64_t offset, std::uint64_t seen) {
  earlier_ = hole_;
  hole_ = {offset, seen};
  waits_ = 0;
  // Those that came while their request was awaited may answer one of the lost.
  for (Exchange* exchange = exchanges_.oldest(); exchange != nullptr; exchange = exchange->next) {
    const bool unasked = !exchange->request.begun && exchange->response.begun && exchange->pair == Pair::open;
    if (!unasked || exchange->acknowledged <= offset) continue;
    exchange->pair = Pair::kept;
    hole_.unasked = std::min(hole_.unasked, exchange->response.begin);
    kept_.push_back(exchange);
  }
}

std::size_t Pairing::count_asked(std::uint64_t acknowledged) const {
  std::size_t count = 0;
  for (const Exchange* exchange = exchanges_.oldest(); exchange != nullptr; exchange = exchange->next) {
    if (is_unanswered(*exchange) && exchange->request.begin < acknowledged) ++count;
  }
  return count;
}

Exchange* Pairing::first_unanswered() const {
  Exchange* exchange = exchanges_.oldest();
  while (exchange != nullptr && !is_unanswered(*exchange)) exchange = exchange->next;
  return exchange;
}

/// The request that the client sent when it had had all before `offset`.
Exchange* Pairing::asked_at(std::uint64_t offset, std::uint64_t acknowledged) const {
  Exchange* exchange = exchanges_.oldest();
  while (exchange != nullptr && !(is_unanswered(*exchange) && exchange->seen >= offset)) exchange = exchange->next;
  return exchange != nullptr && exchange->request.begin < acknowledged ? exchange : nullptr;
}

/// Whether a lost request may have been sent at once with `request`, just before
/// it: unless the client had answers to the lost ones when it sent that.
bool Pairing::may_follow_lost(const Exchange& request) const {
  const Hole& hole = request.request.begin >= hole_.offset ? hole_ : earlier_;
  if (request.request.begin < hole.offset || hole.seen < request.seen) return false;
  for (const Exchange* exchange = exchanges_.oldest(); exchange != &request; exchange = exchange->next) {
    if (exchange->request.begun && exchange->request.begin >= hole.offset && exchange->seen < request.seen)
      return false;
  }
  // Before the capture's beginning it is taken to have waited, if it sent no other with this one.
  const Exchange* const next = request.next;
  const bool alone = next == nullptr || !next->request.begun || next->seen != request.seen;
  if (hole.before_capture && alone) return false;
  return hole.unasked >= request.seen;
}

Exchange* Pairing::answered(std::uint64_t offset, std::uint64_t acknowledged, std::uint64_t requests_known) {
  keeps_ = false;
  Exchange* const first = first_unanswered();
  const bool before_hole = first == nullptr || first->request.begin < hole_.offset;
  if (!responses_lost_ && before_hole) {
    if (first == nullptr || first->request.begin >= acknowledged) {
      hole_.unasked = std::min(hole_.unasked, offset);
      return nullptr;
    }
    habit_.note_pair(*first, offset);
    return first;
  }
  if (Exchange* const request = asked_at(offset, acknowledged)) {
    const bool alone = !hole_.exists() && request == first && kept_.empty();
    const bool both = responses_lost_ && hole_.exists() && habit_.pipelines();
    if (!both && !may_follow_lost(*request) && (alone || habit_.waits(++waits_))) {
      settle(request, true);
      habit_.note_pair(*request, offset);
      return request;
    }
  }
  for (; hidden_ != 0 && before_hole && first_unanswered() != nullptr; --hidden_) give_up(*first_unanswered());
  const std::size_t asked = count_asked(acknowledged);
  hole_.unasked = std::min(hole_.unasked, offset);
  if (asked == 0 && kept_.empty()) return nullptr;
  keeps_ = true;
  if (hole_.exists() || acknowledged > requests_known) return nullptr;
  const std::size_t answers = kept_.size() + 1;
  most_hidden_ = std::min(most_hidden_, asked - std::min(asked, answers));
  if (most_hidden_ != 0) return nullptr;
  keeps_ = false;
  settle(nullptr, false);
  return first_unanswered();
}

bool Pairing::expects_more(std::uint64_t acknowledged) const {
  return count_asked(acknowledged) > kept_.size() + hidden_;
}

void Pairing::give_up(Exchange& exchange) {
  exchange.pair = Pair::given_up;
  settled_.push_back(&exchange);
}

void Pairing::settle_at_end() {
  const bool lost = responses_lost_ || hole_.exists();
  if (lost && habit_.waits(Habit::kEnough)) settle(nullptr, true);
}

void Pairing::forget(const Exchange& exchange) {
  for (std::pmr::vector<Exchange*>* const mine : {&kept_, &settled_}) {
    if (!mine->empty()) [[unlikely]]
      std::erase(*mine, &exchange);
  }
}

Exchange* Pairing::next_settled() {
  if (settled_.empty()) return nullptr;
  Exchange* const next = settled_.front();
  settled_.erase(settled_.begin());
  return next;
}

/// Pairs what is kept with the requests before `until` (null: all): the last with
/// the last where nothing is outstanding, else the first with the first.
void Pairing::settle(const Exchange* until, bool from_back) {
  std::vector<Exchange*> requests;
  for (Exchange* exchange = exchanges_.oldest(); exchange != until; exchange = exchange->next) {
    if (!is_unanswered(*exchange)) continue;
    const bool before_hole = hole_.exists() && exchange->request.begin < hole_.offset;
    if (before_hole) {
      give_up(*exchange);
    } else {
      requests.push_back(exchange);
    }
  }
  const std::size_t pairs = std::min(requests.size(), kept_.size());
  const std::size_t alone = from_back ? requests.size() - pairs : 0;
  const std::size_t unasked = kept_.size() - pairs;
  for (std::size_t i = 0; i < alone; ++i) give_up(*requests[i]);
  for (std::size_t i = 0; i < unasked; ++i) give_up(*kept_[i]);
  for (std::size_t i = 0; i < pairs; ++i) {
    exchanges_.join(*requests[alone + i], *kept_[unasked + i]);
    settled_.push_back(requests[alone + i]);
  }
  end_doubt();
}

void Pairing::end_doubt() {
  kept_.clear();
  hole_ = earlier_ = {};
  hidden_ = 0;
  most_hidden_ = kUnbounded;
  waits_ = 0;
  responses_lost_ = false;
}

}  // namespace wirelap::http
