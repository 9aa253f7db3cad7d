// base: poll(2) that a signal does not end.
#pragma once

#include <poll.h>

#include <cerrno>

namespace wirelap {

/// poll(2), begun anew where a signal interrupts it: then the whole of `timeout_ms` begins anew, too.
inline int poll_retrying(pollfd* fds, nfds_t count, int timeout_ms) {
  int ready = -1;
  while ((ready = ::poll(fds, count, timeout_ms)) < 0 && errno == EINTR) {
  }
  return ready;
}

}  // namespace wirelap
