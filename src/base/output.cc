#include "base/output.h"

#include <poll.h>
#include <sys/types.h>
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

/// How many of `written` are behind its last line; what began before is whole.
static std::size_t torn_bytes(std::string_view written) {
  const std::size_t last = written.rfind('\n');
  return last == std::string_view::npos ? written.size() : written.size() - last - 1;
}

void Output::take_back(std::size_t count) {
  const off_t torn = static_cast<off_t>(count);
  const off_t end = ::lseek(fd_, 0, SEEK_CUR);
  if (end < torn) return;  // nothing that has a position
  // Where somebody else has written behind it, it stays.
  const bool shortened = ::lseek(fd_, 0, SEEK_END) == end && ::ftruncate(fd_, end - torn) == 0;
  ::lseek(fd_, shortened ? end - torn : end, SEEK_SET);
}

void Output::flush() {
  if (fd_ < 0) return;
  const std::string_view all = text();
  std::string_view rest = all;
  if (!rest.empty() && error_ == 0) before_write_();
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
  if (const std::size_t torn = torn_bytes(all.substr(0, all.size() - rest.size())); error_ != 0 && torn != 0) {
    take_back(torn);
  }
  end_ = buffer_.get();
}

}  // namespace wirelap
