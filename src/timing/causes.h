// flow: what time can be spent on.
#pragma once

#include "base/time.h"

namespace wirelap {

/// Whom an exchange waited for, in the order of the columns.
enum Cause : int {
  kNetwork,   ///< propagation, serialisation, the congestion window: what is none of the others
  kLoss,      ///< a lost segment that had to be sent again
  kServer,    ///< the server's application
  kClient,    ///< the client's application
  kWindow,    ///< the receiver's window, full or zero
  kAckDelay,  ///< a small segment held back until a delayed ACK came
  kCauseCount
};

/// Time by cause. On a connection it only grows; an exchange's own is the
/// difference between two states.
struct CauseTimes {
  Nanos by[kCauseCount] = {};

  Nanos total() const {
    Nanos sum = 0;
    for (const Nanos part : by) sum += part;
    return sum;
  }
  CauseTimes operator-(const CauseTimes& earlier) const {
    CauseTimes difference;
    for (int i = 0; i < kCauseCount; ++i) difference.by[i] = by[i] - earlier.by[i];
    return difference;
  }
};

/// Time by cause, spent up to a point.
struct Ledger {
  CauseTimes causes;
  Nanos until = kUnknownTime;  ///< all before it is spent

  /// Spends what is left before `time` on `cause`; the first call only sets the point.
  void attribute(Cause cause, Nanos time) {
    if (until != kUnknownTime && time > until) causes.by[cause] += time - until;
    if (until == kUnknownTime || time > until) until = time;
  }
};

}  // namespace wirelap
