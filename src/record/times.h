// record: the parts of an exchange's total time.
//
// In: a finished exchange and the handshake of its connection. Out: its phases, and its causes. Both sum to the total,
// and no part is negative, even where messages overlap or clocks step back.
#pragma once

#include "base/time.h"
#include "exchange/exchange.h"
#include "flow/handshake.h"
#include "timing/causes.h"

namespace wirelap {

/// The phases of an exchange, one after the other; kUnknownTime where one was not captured.
struct Phases {
  Nanos connect = kUnknownTime;
  Nanos tls = kUnknownTime;
  Nanos send = kUnknownTime;
  Nanos wait = kUnknownTime;
  Nanos receive = kUnknownTime;
  Nanos total = 0;  ///< the sum of those that are known
};

Phases measure_phases(const Exchange& exchange, const Handshake& handshake);

/// The causes of an exchange; they sum to `phases.total`. Each is kUnknownTime where the exchange was not attributed.
CauseTimes measure_causes(const Exchange& exchange, const Handshake& handshake, const Phases& phases);

/// The largest cause; the first one of equals.
Cause largest_cause(const CauseTimes& causes);

}  // namespace wirelap
