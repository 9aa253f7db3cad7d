// timing: the state of one direction of a connection.
#pragma once

#include "timing/loss_detector.h"
#include "timing/receiver_window.h"
#include "timing/send_history.h"

namespace wirelap {

/// The state of one sender.
struct SenderState {
  SendHistory history;
  ReceiverWindow window;  ///< advertised by the receiver
  LossDetector losses;    ///< losses before the capture point
};

}  // namespace wirelap
