#include "record/row.h"

#include <utility>

namespace wirelap {

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::complete: return "complete";
    case Outcome::no_response: return "no_response";
    case Outcome::reset: return "reset";
    case Outcome::closed: return "closed";
    case Outcome::gap: return "gap";
    case Outcome::capture_end: return "capture_end";
    case Outcome::evicted: return "evicted";
  }
  return "";
}

std::string_view name_of_ending(const Connection& connection) {
  switch (connection.ending) {
    case Ending::closed: return "fin";
    case Ending::reset: return "reset";
    case Ending::refused: return "refused";
    case Ending::capture_end: return connection.is_unanswered() ? "unanswered" : "capture_end";
    case Ending::replaced: return connection.is_unanswered() ? "unanswered" : "replaced";
    case Ending::evicted: return "evicted";
  }
  return "";
}

std::string_view name_of_tls_version(std::uint16_t version) {
  switch (version) {
    case 0x0300: return "ssl3";
    case 0x0301: return "1.0";
    case 0x0302: return "1.1";
    case 0x0303: return "1.2";
    case 0x0304: return "1.3";
    default: return version >> 8 == 0x7f ? "1.3" : "";  // a draft of it (RFC 8446, section 4.2.1.1)
  }
}

std::string_view name_of(Cause cause) {
  static constexpr std::string_view kNames[kCauseCount] = {"network", "loss",   "server",
                                                           "client",  "window", "ack_delay"};
  return kNames[cause];
}

Cause largest_cause(const CauseTimes& spent) {
  return static_cast<Cause>(std::max_element(spent.by, spent.by + kCauseCount) - spent.by);
}

namespace {

/// The handshake up to where its first exchange begins: with Fast Open
/// (RFC 7413) a request is under way before the handshake ends.
Nanos measure_connect(const Exchange& exchange, const Handshake& handshake, Nanos begin) {
  if (exchange.number != 1) return 0;
  return Handshake::between(handshake.first_syn, std::min(handshake.ack, begin));
}

}  // namespace

Phases measure_phases(const Exchange& exchange, const Handshake& handshake) {
  const Message& request = exchange.request;
  const Message& response = exchange.response;
  Phases phases;
  const Nanos begin = request.begun ? request.first : response.first;
  phases.connect =
      measure_connect(exchange, handshake, exchange.tls_first == kUnknownTime ? begin : exchange.tls_first);
  const bool in_clear = !exchange.encrypted;
  phases.tls = in_clear && phases.connect == kUnknownTime ? kUnknownTime : exchange.tls;
  const Nanos end = std::max(exchange.ended, std::max(request.last, response.last));
  if (request.begun) {
    // A request that never became whole was being sent until the end.
    const bool cut = !request.complete && !response.begun;
    const Nanos sent = std::max(request.first, cut ? end : request.last);
    const Nanos answered = response.begun ? std::max(sent, response.first) : std::max(sent, end);
    phases.send = sent - request.first;
    phases.wait = answered - sent;
    phases.receive = std::max(answered, end) - answered;
    phases.total = phases.send + phases.wait;
  } else {
    // Of a response that was only announced (1xx) nothing has a time.
    phases.receive = response.first == kUnknownTime ? 0 : std::max(response.first, end) - response.first;
  }
  const auto known = [](Nanos phase) { return phase == kUnknownTime ? 0 : phase; };
  phases.total += known(phases.connect) + known(phases.tls) + phases.receive;
  return phases;
}

/// The handshake's share: waiting for a SYN or its answer to be sent again is loss.
static void add_connect(const Handshake& handshake, Nanos connect, CauseTimes& spent) {
  if (connect == kUnknownTime) return;
  const Nanos resent = Handshake::between(handshake.first_syn, handshake.last_syn) +
                       Handshake::between(handshake.first_syn_ack, handshake.syn_ack);
  const Nanos loss = std::clamp<Nanos>(resent, 0, connect);
  spent.by[kLoss] += loss;
  spent.by[kNetwork] += connect - loss;
}

/// Makes no part of `spent` negative, and their sum `total`.
[[gnu::noinline]] static void put_right(CauseTimes& spent, Nanos total) {
  // Time found to be loss after its exchange had begun to count it as network.
  if (spent.by[kNetwork] < 0) spent.by[kLoss] += std::exchange(spent.by[kNetwork], 0);
  // What was first thought to be one cause and then attributed as another.
  for (Nanos& part : spent.by) {
    if (part < 0) spent.by[largest_cause(spent)] += std::exchange(part, 0);
  }
  for (Nanos& part : spent.by) part = std::max<Nanos>(part, 0);
  // The ledger is the connection's. Where messages overlap or clocks step, an
  // exchange's own time can differ from it.
  Nanos rest = total - spent.total();
  for (int part = 0; part <= kCauseCount && rest != 0; ++part) {
    Nanos& taken = rest > 0 || spent.by[kNetwork] > 0 ? spent.by[kNetwork] : spent.by[largest_cause(spent)];
    taken = std::max<Nanos>(0, taken + rest);
    rest = total - spent.total();
  }
}

CauseTimes measure_causes(const Exchange& exchange, const Handshake& handshake, const Phases& phases) {
  CauseTimes spent = exchange.causes;
  if (!exchange.attributed) [[unlikely]] {
    std::fill_n(spent.by, kCauseCount, kUnknownTime);
    return spent;
  }
  if (exchange.number == 1) add_connect(handshake, phases.connect, spent);
  Nanos total = 0, signs = 0;  // negative where a part is
  for (const Nanos part : spent.by) {
    total += part;
    signs |= part;
  }
  if (signs < 0 || total != phases.total) [[unlikely]]
    put_right(spent, phases.total);
  return spent;
}

}  // namespace wirelap
