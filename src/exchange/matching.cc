#include "exchange/matching.h"

#include <algorithm>

namespace wirelap {

void ClientHabit::record_request(std::uint64_t acknowledged, bool outstanding) {
  if (acknowledged != latest_acknowledged_ && outstanding) overlaps_ = true;
  latest_acknowledged_ = acknowledged;
}

void ClientHabit::record_match(const Exchange& request, std::uint64_t offset) {
  if (request.request_acknowledges >= offset) {
    if (offset != 0) waited_ = true;
  } else {
    pipelines_ = true;
  }
}

void RequestMatcher::record_request(std::uint64_t acknowledged, std::uint64_t next) {
  const Exchange* const latest = log_.newest();
  if (latest != nullptr && latest->request.begun && latest->request_acknowledges == acknowledged) habit_.record_burst();
  const bool outstanding = acknowledged < next || (latest != nullptr && !latest->response.complete);
  // Nothing is known about requests before a loss.
  habit_.record_request(acknowledged, outstanding && acknowledged <= next && !is_in_doubt());
}

RequestMatcher::Doubt& RequestMatcher::begin_doubt() {
  if (doubt_ == nullptr) doubt_ = make_in<Doubt>(log_.memory());
  return *doubt_;
}

void RequestMatcher::record_lost_responses(bool whole) {
  Doubt& doubt = begin_doubt();
  // The kept responses answer older requests than any later response does.
  doubt.hidden += doubt.kept.size() + (whole ? 1 : 0);
  for (Exchange* const response : doubt.kept) give_up(*response);
  doubt.kept.clear();
  doubt.max_hidden = Doubt::kUnbounded;
  doubt.waits = 0;
  doubt.responses_lost = true;
}

void RequestMatcher::record_lost_requests(std::uint64_t offset, std::uint64_t acknowledged) {
  Doubt& doubt = begin_doubt();
  doubt.earlier_gap = doubt.gap;
  doubt.gap = {offset, acknowledged};
  doubt.waits = 0;
  // Responses that wait for their request may answer one of the lost requests.
  for (Exchange* exchange = log_.oldest(); exchange != nullptr; exchange = exchange->next) {
    const bool waits = !exchange->request.begun && exchange->response.begun && exchange->match == Match::open;
    if (!waits || exchange->response_acknowledges <= offset) continue;
    exchange->match = Match::unmatched;
    doubt.record_unmatched(exchange->response.begin);
    doubt.kept.push_back(exchange);
  }
}

/// How many requests before offset `acknowledged` have no response.
std::size_t RequestMatcher::count_unanswered(std::uint64_t acknowledged) const {
  std::size_t count = 0;
  for (const Exchange* exchange = log_.oldest(); exchange != nullptr; exchange = exchange->next) {
    if (is_unanswered(*exchange) && exchange->request.begin < acknowledged) ++count;
  }
  return count;
}

Exchange* RequestMatcher::first_unanswered() const {
  Exchange* exchange = log_.oldest();
  while (exchange != nullptr && !is_unanswered(*exchange)) exchange = exchange->next;
  return exchange;
}

/// The first request that the client sent after it had received all responses before `offset`, if the server had
/// received that request.
Exchange* RequestMatcher::sent_after(std::uint64_t offset, std::uint64_t acknowledged) const {
  Exchange* exchange = log_.oldest();
  while (exchange != nullptr && !(is_unanswered(*exchange) && exchange->request_acknowledges >= offset))
    exchange = exchange->next;
  return exchange != nullptr && exchange->request.begin < acknowledged ? exchange : nullptr;
}

/// Whether the client may have sent a lost request together with `request`, just before it. Then a response to both
/// begins where the client had acknowledged, and the lost request may be the one that it answers:
///
///     client  --[ lost? ]--[ request ]-->          both acknowledge offset A of the responses
///     server                          <--[ response from A on: to which of the two? ]--
///
/// Not so where an answer to the lost request had arrived before `request` was sent:
///
///     client  --[ lost? ]-->             --[ request ]-->
///     server                <--[ A..B ]--                 <--[ response from B on: to `request` ]--
bool RequestMatcher::may_follow_lost(const Exchange& request) const {
  const RequestGap& gap = is_before_gap(request) ? doubt_->earlier_gap : doubt_->gap;
  if (request.request.begin < gap.offset || gap.acknowledged < request.request_acknowledges) return false;
  // A request between the gap and this one that acknowledges less shows that an answer arrived in between.
  for (const Exchange* exchange = log_.oldest(); exchange != &request; exchange = exchange->next) {
    if (exchange->request.begun && exchange->request.begin >= gap.offset &&
        exchange->request_acknowledges < request.request_acknowledges)
      return false;
  }
  // A client is assumed to have waited before the capture began, if it sent no other request with this one.
  const Exchange* const next = request.next;
  const bool alone =
      next == nullptr || !next->request.begun || next->request_acknowledges != request.request_acknowledges;
  if (gap.before_capture && alone) return false;
  // A response without a request that had arrived before `request` was sent answers the lost one.
  return gap.first_unmatched >= request.request_acknowledges;
}

Exchange* RequestMatcher::find_request(std::uint64_t offset, std::uint64_t acknowledged, std::uint64_t requests_known) {
  must_keep_ = false;
  if (is_in_doubt()) [[unlikely]] {
    const Exchange* const oldest = first_unanswered();
    const bool before_gap = oldest == nullptr || is_before_gap(*oldest);
    if (doubt_->responses_lost || !before_gap) return find_in_doubt(offset, acknowledged, requests_known);
    if (oldest == nullptr || oldest->request.begin >= acknowledged) doubt_->record_unmatched(offset);
  }
  Exchange* const oldest = first_unanswered();
  if (oldest == nullptr || oldest->request.begin >= acknowledged) return nullptr;
  habit_.record_match(*oldest, offset);
  return oldest;
}

/// The oldest request without a response may have a response that was lost. Decides in this order:
///
/// 1. By acknowledgment: the client waits for its responses, and had received all before `offset` when it sent a
///    request. The response at `offset` answers that request, and all older ones are settled.
/// 2. By count: there are as many responses (kept ones and this one) as requests that they can answer. So no request
///    had a lost response, and they match in order.
/// 3. Neither: the response is kept.
[[gnu::noinline]] Exchange* RequestMatcher::find_in_doubt(std::uint64_t offset, std::uint64_t acknowledged,
                                                          std::uint64_t requests_known) {
  if (Exchange* const request = match_by_acknowledgment(offset, acknowledged)) return request;
  give_up_hidden();
  doubt_->record_unmatched(offset);
  if (count_unanswered(acknowledged) == 0 && doubt_->kept.empty()) return nullptr;
  must_keep_ = true;
  // Where requests may not be captured, the number of those that are proves nothing.
  if (doubt_->gap.exists() || acknowledged > requests_known) return nullptr;
  return match_by_count(acknowledged);
}

/// Step 1 of find_in_doubt.
Exchange* RequestMatcher::match_by_acknowledgment(std::uint64_t offset, std::uint64_t acknowledged) {
  Doubt& doubt = *doubt_;
  Exchange* const request = sent_after(offset, acknowledged);
  if (request == nullptr) return nullptr;
  const bool lost_on_both_ways = doubt.responses_lost && doubt.gap.exists() && habit_.pipelines();
  if (lost_on_both_ways || may_follow_lost(*request)) return nullptr;
  const bool is_only_choice = !doubt.gap.exists() && request == first_unanswered() && doubt.kept.empty();
  if (!is_only_choice && !habit_.waits(++doubt.waits)) return nullptr;
  settle(request, true);
  habit_.record_match(*request, offset);
  return request;
}

/// Gives up the oldest requests whose responses were surely lost, unless a request before them may not be captured.
void RequestMatcher::give_up_hidden() {
  const Exchange* const oldest = first_unanswered();
  if (oldest != nullptr && !is_before_gap(*oldest)) return;
  for (; doubt_->hidden != 0 && first_unanswered() != nullptr; --doubt_->hidden) give_up(*first_unanswered());
}

/// Step 2 of find_in_doubt.
Exchange* RequestMatcher::match_by_count(std::uint64_t acknowledged) {
  const std::size_t unanswered = count_unanswered(acknowledged);
  const std::size_t responses = doubt_->kept.size() + 1;
  doubt_->max_hidden = std::min(doubt_->max_hidden, unanswered - std::min(unanswered, responses));
  if (doubt_->max_hidden != 0) return nullptr;
  must_keep_ = false;
  settle(nullptr, false);
  return first_unanswered();
}

bool RequestMatcher::expects_more(std::uint64_t acknowledged) const {
  return count_unanswered(acknowledged) > (doubt_ != nullptr ? doubt_->kept.size() + doubt_->hidden : 0);
}

void RequestMatcher::give_up(Exchange& exchange) {
  exchange.match = Match::given_up;
  doubt_->settled.push_back(&exchange);
}

void RequestMatcher::settle_at_end() {
  if (is_in_doubt() && habit_.waits(ClientHabit::kEnough)) settle(nullptr, true);
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

/// Joins the kept responses with the requests before `until` (null: with all). `from_back`: nothing is outstanding, so
/// the last response belongs to the last request; otherwise the first belongs to the first. Gives up what is left over.
void RequestMatcher::settle(const Exchange* until, bool from_back) {
  Doubt& doubt = *doubt_;
  std::vector<Exchange*> requests;
  for (Exchange* exchange = log_.oldest(); exchange != until; exchange = exchange->next) {
    if (!is_unanswered(*exchange)) continue;
    if (doubt.gap.exists() && is_before_gap(*exchange)) {
      give_up(*exchange);
    } else {
      requests.push_back(exchange);
    }
  }
  const std::size_t pairs = std::min(requests.size(), doubt.kept.size());
  const std::size_t first_request = from_back ? requests.size() - pairs : 0;
  const std::size_t first_response = doubt.kept.size() - pairs;
  for (std::size_t i = 0; i < first_request; ++i) give_up(*requests[i]);
  for (std::size_t i = 0; i < first_response; ++i) give_up(*doubt.kept[i]);
  for (std::size_t i = 0; i < pairs; ++i) {
    log_.join(*requests[first_request + i], *doubt.kept[first_response + i]);
    doubt.settled.push_back(requests[first_request + i]);
  }
  end_doubt();
}

void RequestMatcher::end_doubt() {
  Doubt& doubt = *doubt_;
  doubt.kept.clear();
  doubt.gap = doubt.earlier_gap = {};
  doubt.hidden = 0;
  doubt.max_hidden = Doubt::kUnbounded;
  doubt.waits = 0;
  doubt.responses_lost = false;
}

}  // namespace wirelap
