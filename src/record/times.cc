#include "record/times.h"

#include <algorithm>
#include <utility>

namespace wirelap {

Cause largest_cause(const CauseTimes& causes) {
  return static_cast<Cause>(std::max_element(causes.by, causes.by + kCauseCount) - causes.by);
}

namespace {

/// The handshake up to `begin`, where its first exchange begins: with TCP Fast Open (RFC 7413) a request is sent before
/// the handshake ends.
Nanos measure_connect(const Exchange& exchange, const Handshake& handshake, Nanos begin) {
  if (exchange.number != 1) return 0;
  return Handshake::between(handshake.first_syn, std::min(handshake.ack, begin));
}

}  // namespace

// Each phase begins where the one before it ended.
Phases measure_phases(const Exchange& exchange, const Handshake& handshake) {
  const Message& request = exchange.request;
  const Message& response = exchange.response;
  Phases phases;
  const Nanos begin = request.begun ? request.first : response.first;
  phases.connect =
      measure_connect(exchange, handshake, exchange.tls_first == kUnknownTime ? begin : exchange.tls_first);
  phases.tls = !exchange.encrypted && phases.connect == kUnknownTime ? kUnknownTime : exchange.tls;
  const Nanos end = std::max(exchange.ended, std::max(request.last, response.last));
  if (request.begun) {
    // A request that never became complete was being sent until the end.
    const bool cut = !request.complete && !response.begun;
    const Nanos sent = std::max(request.first, cut ? end : request.last);
    const Nanos answered = response.begun ? std::max(sent, response.first) : std::max(sent, end);
    phases.send = sent - request.first;
    phases.wait = answered - sent;
    phases.receive = std::max(answered, end) - answered;
    phases.total = phases.send + phases.wait;
  } else {
    // A response of which only 1xx heads were seen has no times.
    phases.receive = response.first == kUnknownTime ? 0 : std::max(response.first, end) - response.first;
  }
  const auto known = [](Nanos phase) { return phase == kUnknownTime ? 0 : phase; };
  phases.total += known(phases.connect) + known(phases.tls) + phases.receive;
  return phases;
}

namespace {

/// Adds the handshake's causes: waiting for the retransmission of a SYN or SYN-ACK is loss, the rest is network.
void add_connect(const Handshake& handshake, Nanos connect, CauseTimes& causes) {
  if (connect == kUnknownTime) return;
  const Nanos resent = Handshake::between(handshake.first_syn, handshake.last_syn) +
                       Handshake::between(handshake.first_syn_ack, handshake.syn_ack);
  const Nanos loss = std::clamp<Nanos>(resent, 0, connect);
  causes.by[kLoss] += loss;
  causes.by[kNetwork] += connect - loss;
}

// An exchange's causes are what its connection's ledger gained while it was open. The ledger corrects itself: time that
// it had attributed before the exchange began can turn out to have another cause, and then a gain is negative. Here
// the total is 100:
//
//                                                    network   loss   server   client      sum
//   gained by the ledger                                 -20     70       50      -10       90
//   settle_negative: network turned out to be loss         0     50       50      -10       90
//   settle_negative: the largest cause had too much        0     40       50        0       90
//   fit_to_total: the rest is network                     10     40       50        0      100
//
// Where messages overlap or a clock stepped back, the sum can be above the total. Then fit_to_total takes the excess
// from network, and from the largest cause when network has no more.

/// Makes no part negative, and keeps the sum unless that is negative.
void settle_negative(CauseTimes& causes) {
  if (causes.by[kNetwork] < 0) causes.by[kLoss] += std::exchange(causes.by[kNetwork], 0);
  for (Nanos& part : causes.by) {
    if (part < 0) causes.by[largest_cause(causes)] += std::exchange(part, 0);
  }
  for (Nanos& part : causes.by) part = std::max<Nanos>(part, 0);
}

/// Makes the parts, none of which is negative, sum to `total`.
void fit_to_total(CauseTimes& causes, Nanos total) {
  Nanos rest = total - causes.total();
  // Each round but the last empties one part.
  for (int round = 0; round <= kCauseCount && rest != 0; ++round) {
    const bool is_network = rest > 0 || causes.by[kNetwork] > 0;
    Nanos& part = causes.by[is_network ? kNetwork : largest_cause(causes)];
    part = std::max<Nanos>(0, part + rest);
    rest = total - causes.total();
  }
}

[[gnu::noinline]] void balance(CauseTimes& causes, Nanos total) {
  settle_negative(causes);
  fit_to_total(causes, total);
}

}  // namespace

CauseTimes measure_causes(const Exchange& exchange, const Handshake& handshake, const Phases& phases) {
  CauseTimes causes = exchange.causes;
  if (!exchange.attributed) [[unlikely]] {
    std::fill_n(causes.by, kCauseCount, kUnknownTime);
    return causes;
  }
  if (exchange.number == 1) add_connect(handshake, phases.connect, causes);
  Nanos sum = 0, signs = 0;  // `signs` is negative where a part is
#pragma GCC unroll kCauseCount
  for (const Nanos part : causes.by) {
    sum += part;
    signs |= part;
  }
  if (signs < 0 || sum != phases.total) [[unlikely]]
    balance(causes, phases.total);
  return causes;
}

}  // namespace wirelap
