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

/// How many bytes of `written` belong to an incomplete last line.
static std::size_t incomplete_line_bytes(std::string_view written) {
  const std::size_t last = written.rfind('\n');
  return last == std::string_view::npos ? written.size() : written.size() - last - 1;
}

void Output::remove_written(std::size_t count) {
  const off_t removed = static_cast<off_t>(count);
  const off_t end = ::lseek(fd_, 0, SEEK_CUR);
  if (end < removed) return;  // a pipe or terminal
  // When another process has written behind it, the incomplete line stays.
  const bool shortened = ::lseek(fd_, 0, SEEK_END) == end && ::ftruncate(fd_, end - removed) == 0;
  ::lseek(fd_, shortened ? end - removed : end, SEEK_SET);
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
  if (const std::size_t incomplete = incomplete_line_bytes(all.substr(0, all.size() - rest.size()));
      error_ != 0 && incomplete != 0) {
    remove_written(incomplete);
  }
  end_ = buffer_.get();
}

}  // namespace wirelap
