// timing: moves time to kLoss when a segment that was lost after the capture point is retransmitted.
//
// In: the times that the ledger attributes to the network, to the window and to applications. Out: for a lost segment,
// the part of these times since it was first captured, moved to kLoss.
//
//   sender    s1-s2-s3------------s1'---------------     s1': the retransmission
//   capture   ----s1-s2-s3------------s1'-----------
//                 |<--- to kLoss ---->|
//   receiver  --------x--s2-s3------------s1'-------     s2 and s3 wait for s1
//
// Such a segment is captured twice, and the loss is not known before the second time.
#pragma once

#include "base/time.h"
#include "timing/ledger.h"
#include "timing/offset_log.h"

namespace wirelap {

/// Times that were attributed to one end's application, with hardly any other time between them.
struct Pause {
  Nanos begin = 0;
  Nanos end = 0;
  Nanos length = 0;  ///< the sum of these times
  Cause cause = kServer;
};

/// The time that was moved from kNetwork to kLoss.
struct ChargedNetwork {
  Nanos sum = 0;
  Nanos begin = 0;  ///< where the latest moved stretch begins, as a value of network_so_far()
  Nanos end = 0;
};

class LossCharge {
 public:
  /// All time that was ever attributed to kNetwork, including the time that was moved to kLoss. It only grows.
  Nanos network_so_far(const Ledger& ledger) const { return ledger.causes.by[kNetwork] + network_.sum; }

  /// Records that the last `length` of the ledger is attributed to an application, of kind `cause`. Times with at most
  /// `tolerance` between them are one pause.
  void record_pause(const Ledger& ledger, Cause cause, Nanos length, Nanos tolerance);

  /// Records that the ledger attributed `length` to the window, from `begin` on.
  void record_window_wait(Nanos begin, Nanos length) {
    window_wait_begin_ = begin;
    window_wait_length_ = length;
  }

  /// Moves the times that the ledger attributed since `first` to kLoss. Returns the part that was an application's.
  Nanos charge_since(const OffsetLog::Point& first, Ledger& ledger);

  const ChargedNetwork& network() const { return network_; }
  void set_network(const ChargedNetwork& network) { network_ = network; }
  /// Records that `length` was moved back to kNetwork.
  void return_network(Nanos length) { network_.sum -= length; }
  /// The application of the latest pause.
  Cause pause_cause() const { return pause_.cause; }

 private:
  ChargedNetwork network_;
  Pause pause_;                   // the latest one
  Nanos window_wait_begin_ = 0;   // of the latest wait for the window
  Nanos window_wait_length_ = 0;  // 0: moved to kLoss already
};

}  // namespace wirelap
