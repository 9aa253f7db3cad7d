#include "timing/loss_charge.h"

#include <algorithm>

namespace wirelap {

void LossCharge::record_pause(const Ledger& ledger, Cause cause, Nanos length, Nanos tolerance) {
  const Nanos begin = ledger.until - length;
  if (pause_.cause != cause || begin > pause_.end + tolerance) pause_ = {begin, 0, 0, cause};
  pause_.length += length;
  pause_.end = ledger.until;
}

Nanos LossCharge::charge_since(const OffsetLog::Point& first, Ledger& ledger) {
  // The part of the network, without the time that was moved for another segment already.
  //
  //   network_so_far   ------[ charged already ]---------->
  //                               |                       |
  //                          first.network               now
  const Nanos now = network_so_far(ledger);
  const Nanos charged_already = std::max<Nanos>(network_.end - std::max(network_.begin, first.network), 0);
  const Nanos network = std::max<Nanos>(now - first.network - charged_already, 0);
  // The window was full because of the segments that waited behind the lost one.
  const Nanos window = first.time <= window_wait_begin_ ? window_wait_length_ : 0;
  const Nanos pause =
      pause_.end > first.time ? std::min(pause_.length, pause_.end - std::max(pause_.begin, first.time)) : 0;

  ledger.causes.by[kNetwork] -= network;
  ledger.causes.by[kWindow] -= window;
  ledger.causes.by[pause_.cause] -= pause;
  ledger.causes.by[kLoss] += network + window + pause;

  const bool goes_on = first.network <= network_.end;
  network_ = {network_.sum + network, goes_on ? std::min(network_.begin, first.network) : first.network, now};
  pause_.length -= pause;
  pause_.end -= pause;
  window_wait_length_ = 0;
  return pause;
}

}  // namespace wirelap
