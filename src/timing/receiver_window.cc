#include "timing/receiver_window.h"

namespace wirelap {

bool ReceiverWindow::find_open(std::uint64_t end, std::uint32_t length, std::uint32_t full_length, Nanos then,
                               Nanos path) {
  const bool is_cut = end == edge() && length < full_length;
  if (is_cut || reopened_ > then - path) return false;
  const OffsetLog::Point* const point = edges_.find(end);
  if (point == nullptr) return true;  // the acknowledgment that permitted it was not captured
  open_until_ = point->end - 1;
  open_since_ = opened(end) + path;
  return then >= open_since_;
}

}  // namespace wirelap
