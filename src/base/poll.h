// base: poll(2) that a signal does not interrupt.
#pragma once

#include <poll.h>

#include <cerrno>

namespace wirelap {

/// Calls poll(2), and again when a signal interrupts it. Each call waits up to `timeout_ms`. Returns as poll(2).
inline int poll_retrying(pollfd* fds, nfds_t count, int timeout_ms) {
  int ready = -1;
  while ((ready = ::poll(fds, count, timeout_ms)) < 0 && errno == EINTR) {
  }
  return ready;
}

}  // namespace wirelap
