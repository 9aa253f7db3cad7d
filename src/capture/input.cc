#include "capture/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace wirelap {

Input::~Input() {
  unmap();
  if (owns_fd_) ::close(fd_);
}

int Input::open(const std::string& path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) return errno;
  owns_fd_ = true;
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  mapped_ = S_ISREG(status.st_mode);
  file_bytes_ = static_cast<std::uint64_t>(status.st_size);
  return 0;
}

int Input::decompress(const std::string& name) {
  auto decompressor = std::make_unique<Decompressor>();
  const int error =
      mapped_ ? decompressor->start_on_file(name, fd_) : decompressor->start_on_pipe(name, fd_, Bytes{cursor_, size()});
  if (error != 0) return error;
  if (owns_fd_) ::close(fd_);
  unmap();
  decompressor_ = std::move(decompressor);
  fd_ = decompressor_->output();
  owns_fd_ = mapped_ = ended_ = false;
  cursor_ = end_ = nullptr;
  end_offset_ = 0;
  error_ = 0;
  return 0;
}

bool Input::refill(std::size_t needed) {
  if (ended_ || fd_ < 0) return false;
  before_move_();
  if (!options_.wanted()) {
    stopped_ = ended_ = true;
    return false;
  }
  return mapped_ ? map_more(needed) : read_more(needed);
}

void Input::unmap() {
  if (map_ != nullptr) ::munmap(map_, map_bytes_);
  map_ = nullptr;
}

bool Input::map_more(std::size_t needed) {
  const std::uint64_t at = offset();
  options_.on_progress(at, file_bytes_);
  if (file_bytes_ - at < needed && end_offset_ == file_bytes_) {
    ended_ = true;
    return false;
  }
  pollfd stop{options_.stop_fd, POLLIN, 0};
  if (::poll(&stop, 1, 0) > 0) {
    stopped_ = ended_ = true;
    return false;
  }
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t start = at / page_bytes * page_bytes;
  const std::uint64_t wanted = (at - start) + std::max(needed, options_.window_bytes);
  const std::size_t bytes = static_cast<std::size_t>(std::min(wanted, file_bytes_ - start));
  unmap();
  void* const map = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd_, static_cast<off_t>(start));
  if (map == MAP_FAILED) {
    error_ = errno;
    ended_ = true;
    cursor_ = end_ = nullptr;
    end_offset_ = at;
    return false;
  }
  ::madvise(map, bytes, MADV_SEQUENTIAL);
  map_ = map;
  map_bytes_ = bytes;
  cursor_ = static_cast<const std::uint8_t*>(map) + (at - start);
  end_ = static_cast<const std::uint8_t*>(map) + bytes;
  end_offset_ = start + bytes;
  return size() >= needed;
}

bool Input::wait_readable() {
  pollfd fds[2] = {{fd_, POLLIN, 0}, {options_.stop_fd, POLLIN, 0}};
  if (!stop_deadline_ && ::poll(fds, 2, 0) == 0) {
    options_.before_wait();
    while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
  }
  if (!stop_deadline_ && fds[1].revents != 0) stop_deadline_ = Clock::now() + kStopGrace;
  if (!stop_deadline_) return true;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*stop_deadline_ - Clock::now());
  stopped_ = left.count() <= 0 || ::poll(fds, 1, static_cast<int>(left.count())) <= 0;
  return !stopped_;
}

bool Input::read_more(std::size_t needed) {
  const std::size_t kept = size();
  if (buffer_bytes_ < needed || buffer_ == nullptr) {
    buffer_bytes_ = std::max(needed, std::min(options_.window_bytes, kReadBytes));
    auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(buffer_bytes_);
    std::copy_n(cursor_, kept, larger.get());
    buffer_ = std::move(larger);
  } else {
    std::copy_n(cursor_, kept, buffer_.get());  // towards the front: overlapping is fine
  }
  cursor_ = buffer_.get();
  end_ = cursor_ + kept;
  while (size() < needed) {
    if (!wait_readable()) {
      ended_ = true;
      return false;
    }
    const ssize_t got = ::read(fd_, buffer_.get() + size(), buffer_bytes_ - size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) {
      error_ = got < 0 ? errno : 0;
      ended_ = true;
      // Where the run is being stopped, what feeds the decompressor was stopped too.
      if (decompressor_ && !stop_deadline_) decompressor_failure_ = decompressor_->finish();
      return false;
    }
    end_ += got;
    end_offset_ += static_cast<std::uint64_t>(got);
  }
  return true;
}

}  // namespace wirelap
