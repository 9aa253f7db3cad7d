// timing: the causes of time, and time by cause.
#pragma once

#include "base/time.h"

namespace wirelap {

/// What an exchange waited for, in the order of the columns.
enum Cause : int {
  kNetwork,   ///< propagation, serialization, the congestion window: everything except the others
  kLoss,      ///< a lost segment, until its retransmission
  kServer,    ///< the server's application
  kClient,    ///< the client's application
  kWindow,    ///< the receiver's window, which had no room
  kAckDelay,  ///< a short segment, held back by Nagle's algorithm until a delayed acknowledgment
  kCauseCount
};

/// Time by cause. The time of an exchange is the difference between two states of its connection.
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

}  // namespace wirelap
