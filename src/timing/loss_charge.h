// timing: time that becomes the loss's when a lost segment is retransmitted.
//
// In: what the ledger attributes to the network, to a full window and to pauses of an application. Out: the part of it
// since a segment was first seen, moved to kLoss, once the segment turns out to be lost beyond the capture point.
//
//   sender    s1-s2-s3------------s1'---------------     s1': the retransmission
//   capture   ----s1-s2-s3------------s1'-----------
//                 |<--- to kLoss ---->|
//   receiver  --------x--s2-s3------------s1'-------     s2 and s3 wait for s1
//
// Such a segment is seen twice, and until the second time nothing shows the loss.
#pragma once

#include "base/time.h"
#include "timing/ledger.h"
#include "timing/offset_log.h"

namespace wirelap {

/// A stretch that went to one end's application, with next to nothing between its parts.
struct Pause {
  Nanos begin = 0;
  Nanos end = 0;
  Nanos length = 0;  ///< of its parts
  Cause cause = kServer;
};

/// What was kNetwork and has become kLoss since.
struct ChargedNetwork {
  Nanos sum = 0;
  Nanos begin = 0;  ///< of the latest stretch, in network_so_far()
  Nanos end = 0;
};

class LossCharge {
 public:
  /// All time that was ever attributed to kNetwork, what has become kLoss included: this only grows.
  Nanos network_so_far(const Ledger& ledger) const { return ledger.causes.by[kNetwork] + network_.sum; }

  /// Records that the ledger attributed its last `length` to an application. Pauses no further apart than `tolerance`
  /// are one.
  void record_pause(const Ledger& ledger, Cause cause, Nanos length, Nanos tolerance);

  /// Records that the ledger attributed `length` to a full window from `begin` on.
  void record_window_wait(Nanos begin, Nanos length) {
    window_wait_begin_ = begin;
    window_wait_length_ = length;
  }

  /// Moves what the ledger attributed since `first` to kLoss. Returns the part of it that was an application's pause.
  Nanos charge_since(const OffsetLog::Point& first, Ledger& ledger);

  const ChargedNetwork& network() const { return network_; }
  void set_network(const ChargedNetwork& network) { network_ = network; }
  /// Records that `length` is kNetwork again.
  void return_network(Nanos length) { network_.sum -= length; }
  /// Whose application paused last.
  Cause pause_cause() const { return pause_.cause; }

 private:
  ChargedNetwork network_;
  Pause pause_;                   // the latest
  Nanos window_wait_begin_ = 0;   // of the latest
  Nanos window_wait_length_ = 0;  // 0: charged already
};

}  // namespace wirelap
