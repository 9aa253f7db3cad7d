// exchange: which request a response answers. Each case lists the messages of one
// connection as the capture shows them, and beside each what the matcher finds.
#include "exchange/matching.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace wirelap {
namespace {

// All messages of a direction have the same size, so that an offset shows the number of a message.
constexpr std::uint64_t kRequestBytes = 10;
constexpr std::uint64_t kResponseBytes = 100;

/// A message, or something that was not captured. Messages have numbers from 1, as they were sent.
struct Event {
  enum class Kind {
    request,
    response,
    lost_request,     ///< the capture lacks a request
    lost_response,    ///< the capture lacks a response, with its first byte
    lost_rest,        ///< the capture lacks the end of a response, and all up to the end of response `number`
    capture_begins,   ///< the capture begins in the middle of both streams
    client_finishes,  ///< the client sends its FIN, and has received all responses
  };
  Kind kind;
  std::uint64_t number = 0;
  std::uint64_t received = 0;  ///< messages of the other direction that had arrived at the sender of this one
};

struct Received {
  std::uint64_t count;
};
constexpr Received received(std::uint64_t count) { return {count}; }

constexpr Event request(std::uint64_t number, Received responses) {
  return {Event::Kind::request, number, responses.count};
}
constexpr Event response(std::uint64_t number, Received requests) {
  return {Event::Kind::response, number, requests.count};
}
constexpr Event lost_request(std::uint64_t number) { return {Event::Kind::lost_request, number}; }
constexpr Event lost_response(std::uint64_t number) { return {Event::Kind::lost_response, number}; }
constexpr Event lost_rest(std::uint64_t number) { return {Event::Kind::lost_rest, number}; }
constexpr Event capture_begins() { return {Event::Kind::capture_begins}; }
constexpr Event client_finishes() { return {Event::Kind::client_finishes}; }

/// Passes messages to a RequestMatcher as an analyzer does, and describes what it finds:
///
///     to request 2             the response answers this request
///     kept                     the response waits until more is known
///     waits                    the response waits for a request that may be captured later
///     no request               the request of the response was not captured
///     response 1 to request 1  a kept response answers this request
///     request 1 given up       its response will never be known
///     response 1 given up      its request will never be known
class Matching {
 public:
  Matching() : log_(make_view(), pool_), matcher_(log_) {}
  ~Matching() {
    while (Exchange* const exchange = log_.oldest()) finish(*exchange);
  }
  Matching(const Matching&) = delete;
  Matching& operator=(const Matching&) = delete;

  std::string process(const Event& event) {
    text_.clear();
    switch (event.kind) {
      case Event::Kind::request: process_request(event); break;
      case Event::Kind::response: process_response(event); break;
      case Event::Kind::lost_request:
        matcher_.record_lost_requests(requests_until_, StreamPosition::kNever);
        requests_until_ = event.number * kRequestBytes;
        break;
      case Event::Kind::lost_response:
      case Event::Kind::lost_rest:
        matcher_.record_lost_responses(event.kind == Event::Kind::lost_response);
        responses_until_ = event.number * kResponseBytes;
        break;
      case Event::Kind::capture_begins:
        matcher_.record_late_capture();
        matcher_.record_lost_responses(false);
        break;
      case Event::Kind::client_finishes: matcher_.settle_at_end(); break;
    }
    process_settled();
    return text_;
  }

  const RequestMatcher& matcher() const { return matcher_; }
  const Exchange& oldest() const { return *log_.oldest(); }

 private:
  StreamView make_view() {
    connection_.set_client(Side::low);
    connection_.timing = &timing_;
    return StreamView(connection_);
  }

  void process_request(const Event& event) {
    const std::uint64_t acknowledged = event.received * kResponseBytes;
    matcher_.record_request(acknowledged, responses_until_);
    Exchange& exchange = log_.open({});
    exchange.request_acknowledges = acknowledged;
    begin(exchange.request, event.number, kRequestBytes);
    requests_until_ = exchange.request.end();
  }

  void process_response(const Event& event) {
    const std::uint64_t offset = (event.number - 1) * kResponseBytes, acknowledged = event.received * kRequestBytes;
    responses_until_ = offset + kResponseBytes;
    Exchange* exchange = matcher_.find_request(offset, acknowledged, requests_until_);
    const bool keeps = exchange == nullptr && matcher_.must_keep();
    const bool waits = exchange == nullptr && !keeps && acknowledged > requests_until_;
    add(exchange != nullptr ? "to " + name_of_request(*exchange) : keeps ? "kept" : waits ? "waits" : "no request");
    if (exchange == nullptr) exchange = keeps ? &log_.open_response({}) : &log_.open({});
    if (keeps) matcher_.keep(*exchange);
    exchange->response_acknowledges = acknowledged;
    begin(exchange->response, event.number, kResponseBytes);
    if (!keeps && !waits) finish(*exchange);
  }

  void process_settled() {
    while (Exchange* const exchange = matcher_.next_settled()) {
      if (exchange->match == Match::joined) {
        add(name_of_response(*exchange) + " to " + name_of_request(*exchange));
      } else {
        add((exchange->request.begun ? name_of_request(*exchange) : name_of_response(*exchange)) + " given up");
      }
      finish(*exchange);
    }
  }

  void finish(Exchange& exchange) {
    matcher_.forget(exchange);
    log_.close(exchange, Outcome::complete);
    while (Exchange* const finished = log_.next_finished()) pool_.give_back(*finished);
  }

  static void begin(Message& message, std::uint64_t number, std::uint64_t bytes) {
    message.begun = message.complete = true;
    message.begin = (number - 1) * bytes;
    message.bytes = bytes;
  }

  static std::string name_of_request(const Exchange& exchange) {
    return "request " + std::to_string(exchange.request.begin / kRequestBytes + 1);
  }
  static std::string name_of_response(const Exchange& exchange) {
    return "response " + std::to_string(exchange.response.begin / kResponseBytes + 1);
  }

  void add(const std::string& text) { text_ += (text_.empty() ? "" : ", ") + text; }

  Connection connection_;
  Timing timing_;
  const Wanted wanted_;
  ExchangePool pool_{wanted_};
  ExchangeLog log_;
  RequestMatcher matcher_;
  std::uint64_t requests_until_ = 0, responses_until_ = 0;  // offsets up to which the streams are known
  std::string text_;
};

struct Step {
  Event event;
  std::string found = {};
};

/// Checks what is found at each step.
void check(const std::vector<Step>& steps) {
  Matching matching;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    CAPTURE(i);
    CHECK(matching.process(steps[i].event) == steps[i].found);
  }
}

// ---- without a loss

TEST_CASE("matching: a response answers the oldest request without a response") {
  check({
      {request(1, received(0))},
      {request(2, received(0))},
      {response(1, received(2)), "to request 1"},
      {request(3, received(1))},
      {response(2, received(3)), "to request 2"},
      {response(3, received(3)), "to request 3"},
  });
}

TEST_CASE("matching: a response answers only requests that its first segment acknowledges") {
  check({
      {request(1, received(0))},
      {request(2, received(0))},
      {response(1, received(1)), "to request 1"},
      {response(2, received(1)), "no request"},
      {response(3, received(2)), "to request 2"},
  });
}

// ---- responses that were not captured

TEST_CASE("matching: by acknowledgment: the client had received all before this response when it sent the request") {
  check({
      {request(1, received(0))},
      {lost_response(1)},
      {request(2, received(1))},
      {lost_response(2)},
      {request(3, received(2))},
      {response(3, received(3)), "to request 3, request 1 given up, request 2 given up"},
  });
}

TEST_CASE("matching: by count: a lost response gives up the oldest request, and the others match in order") {
  check({
      {request(1, received(0))},
      {request(2, received(0))},
      {request(3, received(0))},
      {lost_response(1)},
      {response(2, received(3)), "kept, request 1 given up"},
      {response(3, received(3)), "to request 3, response 2 to request 2"},
  });
}

TEST_CASE("matching: by count: as many responses as requests show that no response was lost") {
  check({
      {request(1, received(0))},
      {request(2, received(0))},
      {request(3, received(0))},
      {request(4, received(0))},
      {response(1, received(4)), "to request 1"},
      {lost_rest(1)},
      {response(2, received(4)), "kept"},
      {response(3, received(4)), "kept"},
      {response(4, received(4)), "to request 4, response 2 to request 2, response 3 to request 3"},
  });
}

TEST_CASE("matching: kept: a client that pipelines must appear to wait twice") {
  check({
      {request(1, received(0))},
      {request(2, received(0))},
      {request(3, received(0))},
      {request(4, received(0))},
      {response(1, received(4)), "to request 1"},
      {lost_rest(2)},  // and response 2 with it
      {response(3, received(4)), "kept"},
      {response(4, received(4)), "kept"},
      {request(5, received(4))},
      {response(5, received(5)), "kept"},
      {request(6, received(5))},
      {response(6, received(6)),
       "to request 6, request 2 given up, response 3 to request 3, response 4 to request 4, "
       "response 5 to request 5"},
  });
}

TEST_CASE("matching: kept: at the client's FIN, the last responses answer the last requests") {
  check({
      {request(1, received(0))},
      {request(2, received(0))},
      {request(3, received(0))},
      {response(1, received(3)), "to request 1"},
      {lost_rest(2)},  // and response 2 with it
      {response(3, received(3)), "kept"},
      {client_finishes(), "request 2 given up, response 3 to request 3"},
  });
}

TEST_CASE("matching: a second loss gives up the kept responses, and as many of the oldest requests") {
  check({
      {request(1, received(0))},
      {request(2, received(0))},
      {request(3, received(0))},
      {request(4, received(0))},
      {response(1, received(4)), "to request 1"},
      {lost_rest(1)},
      {response(2, received(4)), "kept"},
      {lost_rest(2), "response 2 given up"},
      {response(3, received(4)), "kept, request 2 given up"},
      {response(4, received(4)), "to request 4, response 3 to request 3"},
  });
}

// ---- requests that were not captured

TEST_CASE("matching: a response to a request that was not captured stays without a request") {
  check({
      {request(1, received(0))},
      {lost_request(2)},
      {response(1, received(1)), "to request 1"},
      {response(2, received(2)), "no request"},
      {request(3, received(2))},
      {response(3, received(3)), "to request 3"},
  });
}

TEST_CASE("matching: a response to a lost request or to the one sent with it is kept") {
  check({
      {request(1, received(0))},
      {response(1, received(1)), "to request 1"},
      {lost_request(2)},
      {request(3, received(1))},
      {response(2, received(3)), "kept"},
      {response(3, received(3)), "kept"},
      {request(4, received(3))},
      {response(4, received(4)), "to request 4, response 2 given up, response 3 to request 3"},
  });
}

TEST_CASE("matching: a request in between that acknowledges less shows that the lost request was answered") {
  check({
      {request(1, received(0))},
      {response(1, received(1)), "to request 1"},
      {lost_request(2)},
      {request(3, received(1))},
      {lost_response(2)},
      {lost_response(3)},
      {request(4, received(3))},
      {response(4, received(4)), "to request 4, request 3 given up"},
  });
}

TEST_CASE("matching: a response that waits for its request is kept when that request may be a lost one") {
  check({
      {response(1, received(1)), "waits"},
      {lost_request(1)},
      {request(2, received(1))},
      {response(2, received(2)), "to request 2, response 1 given up"},
  });
}

TEST_CASE("matching: before the capture, a client that sends one request at a time is assumed to have waited") {
  check({
      {capture_begins()},
      {request(3, received(2))},
      {response(3, received(3)), "to request 3"},
  });
  check({
      {capture_begins()},
      {request(3, received(2))},
      {request(4, received(2))},
      {response(3, received(4)), "kept"},
  });
}

// ---- questions about open requests

TEST_CASE("matching: a request may be answered by a lost response until it is settled") {
  Matching matching;
  matching.process(request(1, received(0)));
  CHECK_FALSE(matching.matcher().may_be_answered(matching.oldest()));
  matching.process(lost_response(1));
  CHECK(matching.matcher().may_be_answered(matching.oldest()));
}

TEST_CASE("matching: after lost responses, more are expected if more requests were sent") {
  Matching matching;
  matching.process(request(1, received(0)));
  matching.process(lost_response(1));
  CHECK_FALSE(matching.matcher().expects_more(1 * kRequestBytes));
  matching.process(request(2, received(0)));
  CHECK_FALSE(matching.matcher().expects_more(1 * kRequestBytes));
  CHECK(matching.matcher().expects_more(2 * kRequestBytes));
}

TEST_CASE("matching: a client is assumed to wait until it has pipelined") {
  ClientHabit habit;
  CHECK(habit.waits(1));
  SUBCASE("after a burst of requests it must appear to wait twice") {
    habit.record_burst();
    CHECK(habit.pipelines());
    CHECK_FALSE(habit.waits(1));
    CHECK(habit.waits(ClientHabit::kEnough));
  }
  SUBCASE("after a burst, and later a request after all responses, once is enough") {
    habit.record_burst();
    Exchange later;
    later.request_acknowledges = kResponseBytes;
    habit.record_match(later, kResponseBytes);
    CHECK(habit.waits(1));
  }
  SUBCASE("not after it received responses and sent a request while others were outstanding") {
    habit.record_request(kResponseBytes, true);
    CHECK_FALSE(habit.waits(ClientHabit::kEnough));
  }
}

}  // namespace
}  // namespace wirelap
