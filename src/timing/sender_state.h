// timing: all that is kept about one direction of a connection.
#pragma once

#include "timing/loss_detector.h"
#include "timing/receiver_window.h"
#include "timing/send_history.h"

namespace wirelap {

/// By the end that sends.
struct SenderState {
  SendHistory history;
  ReceiverWindow window;  ///< that its receiver advertises
  LossDetector losses;    ///< before the capture point
};

}  // namespace wirelap
