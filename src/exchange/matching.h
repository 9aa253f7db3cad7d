// http: which request a response answers.
//
// In: responses as they begin, and what was lost of either stream. Out: the
// exchange that each belongs to, and those that nothing can be proved of.
//
// Responses answer requests in order (RFC 9112, section 9.3), so without loss
// the oldest request without an answer is the one. After a loss nobody knows how
// many messages it hid. Two things bound it: a response answers none of the
// requests that its first segment does not acknowledge, and, of a client that
// waits for all answers before it asks on, a response that begins where the
// client had acknowledged when it asked answers that request. Until one of them
// settles it the responses are kept apart, and no request has a wrong one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "exchange/log.h"
#include "flow/stream.h"

namespace wirelap {

/// Whether a client waits for all its answers before it asks on.
class Habit {
 public:
  /// It asks having had the responses before `seen`; `outstanding`: of those to
  /// earlier requests it lacks a part.
  void note_request(std::uint64_t seen, bool outstanding);

  /// `request` is answered by a response that begins at `offset`.
  void note_pair(const Exchange& request, std::uint64_t offset);

  /// As often must it seem to have waited since a loss, when it has not shown that before.
  static constexpr unsigned kEnough = 2;

  /// It asks with what the request before it was sent with: it does not wait for each answer.
  void note_burst() { pipelines_ = true; }
  bool pipelines() const { return pipelines_; }

  /// Whether it can be taken to wait, having seemed to `times` times since the loss.
  bool waits(unsigned times) const { return !slides_ && (!pipelines_ || waited_ || times >= kEnough); }

 private:
  std::uint64_t last_seen_ = 0;  // by its latest request
  bool pipelines_ = false;       // it has asked with an answer outstanding
  bool slides_ = false;          // it has done so after it had others
  bool waited_ = false;          // it had had answers and asked when none was outstanding
};

/// Pairs the responses of one connection with its requests.
class RequestMatcher {
 public:
  /// `exchanges` outlives it.
  explicit RequestMatcher(ExchangeLog& exchanges) : exchanges_(exchanges) {}

  /// A part of the responses was lost; `whole`: the first byte of one, too.
  void lose_responses(bool whole);

  /// A request begins whose sender had had the responses before `seen`, of which
  /// those before `next` were captured.
  void note_request(std::uint64_t seen, std::uint64_t next);

  /// Requests may have been lost at `offset` of their stream, when their sender
  /// had had the responses before `seen` (kNever: not known).
  void lose_requests(std::uint64_t offset, std::uint64_t seen);

  /// The capture began inside the connection: there may have been others.
  void begin_inside() {
    lose_requests(0, Stream::kNever);
    doubt_->hole.before_capture = true;
  }

  /// The request that is answered by the response that begins at `offset` and
  /// acknowledges the requests up to `acknowledged`, of which those before
  /// `requests_known` have come. Null where there is none, or where it is not
  /// known: then keeps() is true, and `keep` takes the response.
  Exchange* answered(std::uint64_t offset, std::uint64_t acknowledged, std::uint64_t requests_known);
  bool keeps() const { return keeps_; }
  void keep(Exchange& response) { doubt_->kept.push_back(&response); }

  /// The client has ended its stream and had all answers up to there: they are all there were.
  void settle_at_end();

  /// Whether requests without an answer are there that a response may answer,
  /// beside the one whose response was lost.
  bool expects_more(std::uint64_t acknowledged) const;

  /// Whether `request`, without an answer, may have one that was lost.
  bool may_be_answered(const Exchange& request) const {
    return doubt_ != nullptr && doubt_->responses_lost && is_unanswered(request);
  }

  /// `exchange` is no more.
  void forget(const Exchange& exchange);

  bool has_settled() const { return doubt_ != nullptr && !doubt_->settled.empty(); }

  /// Takes out the next exchange that has been joined or given up; null for none.
  Exchange* next_settled();

 private:
  /// In the requests: behind it some may be missing.
  struct Hole {
    std::uint64_t offset = Stream::kNever;
    std::uint64_t seen = Stream::kNever;     // of the responses, by who sent what it hides
    std::uint64_t unasked = Stream::kNever;  // offset of the first response after it whose request is not known
    bool before_capture = false;             // it is what was sent before the capture began

    bool exists() const { return offset != Stream::kNever; }
  };

  /// What is known since something was lost.
  struct Doubt {
    explicit Doubt(std::pmr::memory_resource* memory) : kept(memory), settled(memory) {}
    std::pmr::memory_resource* memory() const { return kept.get_allocator().resource(); }

    Hole hole, earlier;                    // the latest, and the one before it
    std::pmr::vector<Exchange*> kept;      // responses without a request, in order
    std::pmr::vector<Exchange*> settled;   // to be taken out, in order
    std::size_t hidden = 0;                // the oldest requests that have surely been answered by lost responses
    std::size_t most_hidden = kUnbounded;  // beyond these, at most
    unsigned waits = 0;                    // since the loss, when the client may have waited
    bool responses_lost = false;

    static constexpr std::size_t kUnbounded = ~std::size_t{0};

    /// A response begins at `offset` whose request is not known.
    void note_unasked(std::uint64_t offset) { hole.unasked = std::min(hole.unasked, offset); }
  };

  static bool is_unanswered(const Exchange& exchange) {
    return exchange.request.begun && !exchange.response.begun && exchange.pair == Pair::open;
  }
  std::size_t count_asked(std::uint64_t acknowledged) const;
  Exchange* first_unanswered() const;
  Exchange* answered_in_doubt(Exchange* first, std::uint64_t offset, std::uint64_t acknowledged,
                              std::uint64_t requests_known);
  Exchange* asked_at(std::uint64_t offset, std::uint64_t acknowledged) const;
  void give_up(Exchange& exchange);
  bool may_follow_lost(const Exchange& request) const;
  void settle(const Exchange* until, bool from_back);
  Doubt& begin_doubt();
  void end_doubt();
  bool is_in_doubt() const { return doubt_ != nullptr && (doubt_->responses_lost || doubt_->hole.exists()); }

  ExchangeLog& exchanges_;
  Habit habit_;
  Owned<Doubt> doubt_;  // null until something is lost
  bool keeps_ = false;
};

}  // namespace wirelap
