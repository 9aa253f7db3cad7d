// timing: the time of a connection by cause, up to a point.
#pragma once

#include "base/time.h"
#include "timing/causes.h"

namespace wirelap {

struct Ledger {
  CauseTimes causes;
  Nanos until = kUnknownTime;  ///< all time before it is attributed; kUnknownTime: none

  bool is_empty() const { return until == kUnknownTime; }

  /// Attributes the time from `until` to `time` to `cause`. The first call only sets `until`.
  void attribute(Cause cause, Nanos time) {
    if (!is_empty() && time > until) causes.by[cause] += time - until;
    if (is_empty() || time > until) until = time;
  }
};

}  // namespace wirelap
