// exchange: which request a response answers, where messages name no stream.
//
// In: requests and responses as they begin, and what was not captured of either
// stream. Out: the request of each response, and the exchanges of which nothing
// can be proved.
//
// Responses answer requests in order (RFC 9112, section 9.3). As long as nothing
// is lost, a response answers the oldest request without a response. A sequence
// gap may hide any number of messages. Two facts bound that number:
// - A response answers only requests that its first segment acknowledges.
// - Where the client waits for all responses before it sends a request, a response
//   that begins at the offset which the client had acknowledged when it sent a
//   request answers that request.
// Until one of them decides, responses are kept apart, so that no request gets a
// wrong one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "exchange/log.h"
#include "flow/stream.h"

namespace wirelap {

/// Learns whether a client waits for all responses before it sends its next request.
class ClientHabit {
 public:
  /// This many times since a loss the client must appear to have waited, if it has not shown that before.
  static constexpr unsigned kEnough = 2;

  /// Records a request that was sent when the responses before offset `acknowledged` had arrived. `outstanding`: a part
  /// of the responses to earlier requests had not.
  void record_request(std::uint64_t acknowledged, bool outstanding);

  /// Records that a response which begins at `offset` answers `request`.
  void record_match(const Exchange& request, std::uint64_t offset);

  /// Records a request that was sent together with the one before it.
  void record_burst() { pipelines_ = true; }

  /// Whether the client has sent a request while a response was outstanding.
  bool pipelines() const { return pipelines_; }

  /// Whether the client can be assumed to wait, after it appeared to do so `times` times since the loss.
  bool waits(unsigned times) const { return !overlaps_ && (!pipelines_ || waited_ || times >= kEnough); }

 private:
  std::uint64_t latest_acknowledged_ = 0;  // by its latest request
  bool pipelines_ = false;                 // it sent a request while a response was outstanding
  bool overlaps_ = false;                  // it did so after it had received other responses
  bool waited_ = false;                    // it received responses, and sent a request when none was outstanding
};

/// Matches the responses of one connection with its requests.
class RequestMatcher {
 public:
  /// `log` outlives the matcher.
  explicit RequestMatcher(ExchangeLog& log) : log_(log) {}

  /// Records that a part of the responses was lost. `whole`: including the first byte of a response.
  void record_lost_responses(bool whole);

  /// Records that a request begins. Its sender had received the responses before offset `acknowledged`. Those before
  /// `next` are captured.
  void record_request(std::uint64_t acknowledged, std::uint64_t next);

  /// Records that requests may have been lost at `offset` of their stream. Their sender had received the responses
  /// before `acknowledged` (kNever: not known).
  void record_lost_requests(std::uint64_t offset, std::uint64_t acknowledged);

  /// Records that the capture began in the middle of the connection: there may have been requests before it.
  void record_late_capture() {
    record_lost_requests(0, StreamPosition::kNever);
    doubt_->gap.before_capture = true;
  }

  /// Returns the request that is answered by the response which begins at `offset` and acknowledges the requests before
  /// `acknowledged`, of which those before `requests_known` were delivered. Returns null where there is none or where
  /// it is not known. In the second case must_keep() is true, and the caller passes the response to keep().
  Exchange* find_request(std::uint64_t offset, std::uint64_t acknowledged, std::uint64_t requests_known);
  bool must_keep() const { return must_keep_; }
  void keep(Exchange& response) { doubt_->kept.push_back(&response); }

  /// Settles what is in doubt: the client has ended its stream and had received all responses.
  void settle_at_end();

  /// Whether a response may answer a request without a response, other than the one whose response was lost.
  bool expects_more(std::uint64_t acknowledged) const;

  /// Whether `request`, which has no response, may have one that was lost.
  bool may_be_answered(const Exchange& request) const {
    return doubt_ != nullptr && doubt_->responses_lost && is_unanswered(request);
  }

  /// Forgets `exchange`, which is about to end.
  void forget(const Exchange& exchange);

  bool has_settled() const { return doubt_ != nullptr && !doubt_->settled.empty(); }

  /// Removes and returns the next exchange that was joined or given up; null where there is none.
  Exchange* next_settled();

 private:
  /// A place in the request stream after which requests may be missing.
  struct RequestGap {
    std::uint64_t offset = StreamPosition::kNever;
    /// Responses before it had arrived at the sender of what the gap hides.
    std::uint64_t acknowledged = StreamPosition::kNever;
    /// Offset of the first response after the gap whose request is not known.
    std::uint64_t first_unmatched = StreamPosition::kNever;
    bool before_capture = false;  // it stands for what was sent before the capture began

    bool exists() const { return offset != StreamPosition::kNever; }
  };

  /// What is known since something was lost.
  struct Doubt {
    explicit Doubt(std::pmr::memory_resource* memory) : kept(memory), settled(memory) {}
    std::pmr::memory_resource* memory() const { return kept.get_allocator().resource(); }

    static constexpr std::size_t kUnbounded = ~std::size_t{0};

    RequestGap gap, earlier_gap;          // the latest one, and the one before it
    std::pmr::vector<Exchange*> kept;     // responses without a request, in order
    std::pmr::vector<Exchange*> settled;  // joined or given up, in order
    std::size_t hidden = 0;               // so many of the oldest requests were answered by lost responses
    std::size_t max_hidden = kUnbounded;  // at most so many more may have been
    unsigned waits = 0;                   // how often since the loss the client appeared to have waited
    bool responses_lost = false;

    /// Records that a response whose request is not known begins at `offset`.
    void record_unmatched(std::uint64_t offset) { gap.first_unmatched = std::min(gap.first_unmatched, offset); }
  };

  static bool is_unanswered(const Exchange& exchange) {
    return exchange.request.begun && !exchange.response.begun && exchange.match == Match::open;
  }
  std::size_t count_unanswered(std::uint64_t acknowledged) const;
  Exchange* first_unanswered() const;
  Exchange* find_in_doubt(std::uint64_t offset, std::uint64_t acknowledged, std::uint64_t requests_known);
  Exchange* match_by_acknowledgment(std::uint64_t offset, std::uint64_t acknowledged);
  Exchange* match_by_count(std::uint64_t acknowledged);
  void give_up_hidden();
  Exchange* sent_after(std::uint64_t offset, std::uint64_t acknowledged) const;
  bool is_before_gap(const Exchange& request) const { return request.request.begin < doubt_->gap.offset; }
  void give_up(Exchange& exchange);
  bool may_follow_lost(const Exchange& request) const;
  void settle(const Exchange* until, bool from_back);
  Doubt& begin_doubt();
  void end_doubt();
  bool is_in_doubt() const { return doubt_ != nullptr && (doubt_->responses_lost || doubt_->gap.exists()); }

  ExchangeLog& log_;
  ClientHabit habit_;
  Owned<Doubt> doubt_;  // null until something is lost
  bool must_keep_ = false;
};

}  // namespace wirelap
