#include "base/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace wirelap {

void Output::grow(std::size_t count) {
  const std::string_view before = text();
  const std::size_t capacity = before.size() + std::max(before.size(), count);
  std::unique_ptr<char[]> larger(new char[capacity]);
  end_ = std::copy(before.begin(), before.end(), larger.get());
  limit_ = larger.get() + capacity;
  buffer_ = std::move(larger);
}

void Output::flush() {
  if (fd_ < 0) return;
  std::string_view rest = text();
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
  end_ = buffer_.get();
}

}  // namespace wirelap
