#include "exchange/matching.h"

#include <algorithm>

namespace wirelap {

void Habit::note_request(std::uint64_t seen, bool outstanding) {
  if (seen != last_seen_ && outstanding) slides_ = true;
  last_seen_ = seen;
}

void Habit::note_pair(const Exchange& request, std::uint64_t offset) {
  if (request.seen >= offset) {
    if (offset != 0) waited_ = true;
  } else {
    pipelines_ = true;
  }
}

void RequestMatcher::note_request(std::uint64_t seen, std::uint64_t next) {
  const Exchange* const latest = exchanges_.newest();
  if (latest != nullptr && latest->request.begun && latest->seen == seen) habit_.note_burst();
  const bool outstanding = seen < next || (latest != nullptr && !latest->response.complete);
  // Of what was lost before it nothing is known.
  habit_.note_request(seen, outstanding && seen <= next && !is_in_doubt());
}

RequestMatcher::Doubt& RequestMatcher::begin_doubt() {
  if (doubt_ == nullptr) doubt_ = make_in<Doubt>(exchanges_.memory());
  return *doubt_;
}

void RequestMatcher::lose_responses(bool whole) {
  Doubt& doubt = begin_doubt();
  // What is kept answers requests older than any that a later response does.
  doubt.hidden += doubt.kept.size() + (whole ? 1 : 0);
  for (Exchange* const response : doubt.kept) give_up(*response);
  doubt.kept.clear();
  doubt.most_hidden = Doubt::kUnbounded;
  doubt.waits = 0;
  doubt.responses_lost = true;
}

void RequestMatcher::lose_requests(std::uint64_t offset, std::uint64_t seen) {
  Doubt& doubt = begin_doubt();
  doubt.earlier = doubt.hole;
  doubt.hole = {offset, seen};
  doubt.waits = 0;
  // Those that came while their request was awaited may answer one of the lost.
  for (Exchange* exchange = exchanges_.oldest(); exchange != nullptr; exchange = exchange->next) {
    const bool unasked = !exchange->request.begun && exchange->response.begun && exchange->pair == Pair::open;
    if (!unasked || exchange->acknowledged <= offset) continue;
    exchange->pair = Pair::kept;
    doubt.hole.unasked = std::min(doubt.hole.unasked, exchange->response.begin);
    doubt.kept.push_back(exchange);
  }
}

std::size_t RequestMatcher::count_asked(std::uint64_t acknowledged) const {
  std::size_t count = 0;
  for (const Exchange* exchange = exchanges_.oldest(); exchange != nullptr; exchange = exchange->next) {
    if (is_unanswered(*exchange) && exchange->request.begin < acknowledged) ++count;
  }
  return count;
}

Exchange* RequestMatcher::first_unanswered() const {
  Exchange* exchange = exchanges_.oldest();
  while (exchange != nullptr && !is_unanswered(*exchange)) exchange = exchange->next;
  return exchange;
}

/// The request that the client sent when it had had all before `offset`.
Exchange* RequestMatcher::asked_at(std::uint64_t offset, std::uint64_t acknowledged) const {
  Exchange* exchange = exchanges_.oldest();
  while (exchange != nullptr && !(is_unanswered(*exchange) && exchange->seen >= offset)) exchange = exchange->next;
  return exchange != nullptr && exchange->request.begin < acknowledged ? exchange : nullptr;
}

/// Whether a lost request may have been sent at once with `request`, just before
/// it: unless the client had answers to the lost ones when it sent that.
bool RequestMatcher::may_follow_lost(const Exchange& request) const {
  const Hole& hole = request.request.begin >= doubt_->hole.offset ? doubt_->hole : doubt_->earlier;
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

Exchange* RequestMatcher::answered(std::uint64_t offset, std::uint64_t acknowledged, std::uint64_t requests_known) {
  keeps_ = false;
  Exchange* const first = first_unanswered();
  if (is_in_doubt()) [[unlikely]] {
    const bool before_hole = first == nullptr || first->request.begin < doubt_->hole.offset;
    if (doubt_->responses_lost || !before_hole) return answered_in_doubt(first, offset, acknowledged, requests_known);
    if (first == nullptr || first->request.begin >= acknowledged) doubt_->note_unasked(offset);
  }
  if (first == nullptr || first->request.begin >= acknowledged) return nullptr;
  habit_.note_pair(*first, offset);
  return first;
}

/// `first` is the oldest request without an answer, and may have one that was lost.
[[gnu::noinline]] Exchange* RequestMatcher::answered_in_doubt(Exchange* first, std::uint64_t offset,
                                                              std::uint64_t acknowledged,
                                                              std::uint64_t requests_known) {
  Doubt& doubt = *doubt_;
  const bool before_hole = first == nullptr || first->request.begin < doubt.hole.offset;
  if (Exchange* const request = asked_at(offset, acknowledged)) {
    const bool alone = !doubt.hole.exists() && request == first && doubt.kept.empty();
    const bool both = doubt.responses_lost && doubt.hole.exists() && habit_.pipelines();
    if (!both && !may_follow_lost(*request) && (alone || habit_.waits(++doubt.waits))) {
      settle(request, true);
      habit_.note_pair(*request, offset);
      return request;
    }
  }
  for (; doubt.hidden != 0 && before_hole && first_unanswered() != nullptr; --doubt.hidden)
    give_up(*first_unanswered());
  const std::size_t asked = count_asked(acknowledged);
  doubt.note_unasked(offset);
  if (asked == 0 && doubt.kept.empty()) return nullptr;
  keeps_ = true;
  if (doubt.hole.exists() || acknowledged > requests_known) return nullptr;
  const std::size_t answers = doubt.kept.size() + 1;
  doubt.most_hidden = std::min(doubt.most_hidden, asked - std::min(asked, answers));
  if (doubt.most_hidden != 0) return nullptr;
  keeps_ = false;
  settle(nullptr, false);
  return first_unanswered();
}

bool RequestMatcher::expects_more(std::uint64_t acknowledged) const {
  return count_asked(acknowledged) > (doubt_ != nullptr ? doubt_->kept.size() + doubt_->hidden : 0);
}

void RequestMatcher::give_up(Exchange& exchange) {
  exchange.pair = Pair::given_up;
  doubt_->settled.push_back(&exchange);
}

void RequestMatcher::settle_at_end() {
  if (is_in_doubt() && habit_.waits(Habit::kEnough)) settle(nullptr, true);
}

void RequestMatcher::forget(const Exchange& exchange) {
  if (doubt_ == nullptr) [[likely]]
    return;
  std::erase(doubt_->kept, &exchange);
  std::erase(doubt_->settled, &exchange);
}

Exchange* RequestMatcher::next_settled() {
  if (!has_settled()) return nullptr;
  Exchange* const next = doubt_->settled.front();
  doubt_->settled.erase(doubt_->settled.begin());
  return next;
}

/// Pairs what is kept with the requests before `until` (null: all): the last with
/// the last where nothing is outstanding, else the first with the first.
void RequestMatcher::settle(const Exchange* until, bool from_back) {
  Doubt& doubt = *doubt_;
  std::vector<Exchange*> requests;
  for (Exchange* exchange = exchanges_.oldest(); exchange != until; exchange = exchange->next) {
    if (!is_unanswered(*exchange)) continue;
    const bool before_hole = doubt.hole.exists() && exchange->request.begin < doubt.hole.offset;
    if (before_hole) {
      give_up(*exchange);
    } else {
      requests.push_back(exchange);
    }
  }
  const std::size_t pairs = std::min(requests.size(), doubt.kept.size());
  const std::size_t alone = from_back ? requests.size() - pairs : 0;
  const std::size_t unasked = doubt.kept.size() - pairs;
  for (std::size_t i = 0; i < alone; ++i) give_up(*requests[i]);
  for (std::size_t i = 0; i < unasked; ++i) give_up(*doubt.kept[i]);
  for (std::size_t i = 0; i < pairs; ++i) {
    exchanges_.join(*requests[alone + i], *doubt.kept[unasked + i]);
    doubt.settled.push_back(requests[alone + i]);
  }
  end_doubt();
}

void RequestMatcher::end_doubt() {
  Doubt& doubt = *doubt_;
  doubt.kept.clear();
  doubt.hole = doubt.earlier = {};
  doubt.hidden = 0;
  doubt.most_hidden = Doubt::kUnbounded;
  doubt.waits = 0;
  doubt.responses_lost = false;
}

}  // namespace wirelap
