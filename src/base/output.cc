#include "base/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace wirelap {

void Output::put_seconds(Nanos value, int decimals) {
  std::uint64_t magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) {
    put('-');
    magnitude = 0 - magnitude;
  }
  put_integer(magnitude / kNanosPerSecond);
  if (decimals == 0) return;
  char digits[10] = {'.'};
  std::uint64_t rest = magnitude % kNanosPerSecond;
  for (int i = 9; i > 0; --i, rest /= 10) digits[i] = static_cast<char>('0' + rest % 10);
  buffer_.append(digits, static_cast<std::size_t>(decimals) + 1);
}

void Output::flush() {
  if (fd_ < 0) return;
  std::string_view rest = buffer_;
  if (!rest.empty()) before_write_();
  while (!rest.empty() && error_ == 0) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd slow{fd_, POLLOUT, 0};
      ::poll(&slow, 1, -1);
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  buffer_.clear();
}

}  // namespace wirelap
