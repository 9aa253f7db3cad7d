#include "capture/input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/poll.h"

namespace wirelap {

Input::~Input() {
  if (starter_fd_ >= 0) options_.starter->release(starter_fd_);
  if (owns_fd_) ::close(fd_);
}

int Input::open(const std::string& path) {
  // O_NONBLOCK: opening several FIFOs must not wait for the writer of each in turn.
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd_ < 0) return errno;
  owns_fd_ = true;
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  inspect_file();
  return 0;
}

void Input::attach(int fd) {
  fd_ = fd;
  inspect_file();
}

void Input::inspect_file() {
  starter_fd_ = options_.starter != nullptr ? fd_ : -1;
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return;
  if (S_ISFIFO(status.st_mode)) ::fcntl(fd_, F_SETPIPE_SZ, kPipeBytes);
  is_file_ = S_ISREG(status.st_mode);
  if (!is_file_) return;
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
  const off_t position = ::lseek(fd_, 0, SEEK_CUR);
  begin_ = static_cast<std::uint64_t>(std::max<off_t>(position, 0));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  file_bytes_ = size - std::min(size, begin_);
}

std::size_t Input::peek(std::span<std::uint8_t> room) const {
  if (!is_file_) return 0;
  const ssize_t got = ::pread(fd_, room.data(), room.size(), static_cast<off_t>(begin_ + offset()));
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

void Input::keep_as_is() {
  if (starter_fd_ >= 0) options_.starter->release(std::exchange(starter_fd_, -1));
}

int Input::start_decompressor(const std::string& name, int& output) {
  const Bytes held = is_file_ ? Bytes{} : Bytes{cursor_, size()};
  // The decompressor reads a file from its start, including what was read already.
  if (is_file_ && ::lseek(fd_, static_cast<off_t>(begin_), SEEK_SET) < 0) return errno;
  if (options_.starter != nullptr) return options_.starter->start_decompressor(name, fd_, is_file_, held, output);
  auto decompressor = std::make_unique<Decompressor>();
  const int error = is_file_ ? decompressor->start_on_file(name, fd_) : decompressor->start_on_pipe(name, fd_, held);
  if (error != 0) return error;
  output = decompressor->output();
  decompressor_ = std::move(decompressor);
  return 0;
}

int Input::decompress(const std::string& name) {
  int output = -1;
  if (const int error = start_decompressor(name, output); error != 0) return error;
  if (owns_fd_) ::close(fd_);
  fd_ = output;
  owns_fd_ = decompressor_ == nullptr;
  decompressed_ = true;
  is_file_ = ended_ = false;
  cursor_ = end_ = buffer_.get();
  end_offset_ = file_bytes_ = 0;
  error_ = 0;
  shrunk_to_bytes_.reset();
  return 0;
}

bool Input::is_stop_requested() const {
  pollfd stop{options_.stop_fd, POLLIN, 0};
  return poll_retrying(&stop, 1, 0) > 0;
}

bool Input::wait_readable() {
  if (is_file_) {
    stopped_ = is_stop_requested();
    return !stopped_;
  }
  pollfd fds[2] = {{fd_, POLLIN, 0}, {options_.stop_fd, POLLIN, 0}};
  if (!stop_deadline_ && poll_retrying(fds, 2, 0) == 0) {
    options_.before_wait();
    poll_retrying(fds, 2, -1);
  }
  if (!stop_deadline_ && fds[1].revents != 0) stop_deadline_ = Clock::now() + kStopGrace;
  if (!stop_deadline_) return true;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*stop_deadline_ - Clock::now());
  stopped_ = left.count() <= 0 || poll_retrying(fds, 1, static_cast<int>(left.count())) <= 0;
  return !stopped_;
}

/// Moves the bytes at the cursor to the buffer's start and makes room for `needed` bytes including them.
void Input::make_room(std::size_t needed) {
  const std::size_t kept = size();
  if (buffer_bytes_ < needed || buffer_ == nullptr) {
    buffer_bytes_ = std::max(needed, options_.window_bytes);
    auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(buffer_bytes_);
    std::copy_n(cursor_, kept, larger.get());
    buffer_ = std::move(larger);
  } else {
    std::copy_n(cursor_, kept, buffer_.get());  // to lower addresses: the ranges may overlap
  }
  cursor_ = buffer_.get();
  end_ = cursor_ + kept;
  if (mapping_.bytes().empty()) return;
  mapping_.unmap();
  ::lseek(fd_, static_cast<off_t>(begin_ + end_offset_), SEEK_SET);
}

/// How many bytes the next read may ask for. Of a file, not more than it had when it was opened, so that
/// the run ends even where the file grows.
std::size_t Input::max_read_bytes() const {
  std::uint64_t most = buffer_bytes_ - size();
  if (end_offset_ < kFirstBytes) most = std::min(most, kFirstBytes - end_offset_);
  if (file_bytes_ != 0) most = std::min(most, file_bytes_ - end_offset_);
  return static_cast<std::size_t>(most);
}

void Input::end_input(int error) {
  error_ = error;
  ended_ = true;
  if (file_bytes_ != 0 && error == 0 && end_offset_ < file_bytes_) {
    const off_t now = ::lseek(fd_, 0, SEEK_END);
    if (now >= 0 && static_cast<std::uint64_t>(now) < begin_ + file_bytes_) {
      shrunk_to_bytes_ = static_cast<std::uint64_t>(now);
    }
  }
  // Where the user stops the run, the signal also ended the decompressor's input: that is no error.
  if (!decompressed_ || stop_deadline_) return;
  decompressor_failure_ = decompressor_ != nullptr ? decompressor_->finish() : options_.starter->finish_decompressor();
}

bool Input::refill(std::size_t needed) {
  if (ended_ || fd_ < 0) return false;
  before_move_();
  if (!options_.should_continue()) {
    stopped_ = ended_ = true;
    return false;
  }
  if (file_bytes_ != 0) options_.on_progress(offset(), file_bytes_);
  if (mapping_.has_lost_pages() || has_file_shrunk()) return end_after_shrinking();
  const bool may_map = is_file_ && end_offset_ >= kFirstBytes && file_bytes_ >= offset() + needed;
  if (may_map && needed >= options_.map_threshold_bytes) return map_more(needed);
  return read_more(needed);
}

bool Input::map_more(std::size_t needed) {
  if (!wait_readable()) {
    ended_ = true;
    return false;
  }
  const std::uint64_t at = offset();
  const auto length =
      static_cast<std::size_t>(std::min<std::uint64_t>(std::max(needed, kMappedBytes), file_bytes_ - at));
  if (mapping_.map(fd_, begin_ + at, length) != 0) {  // cannot be mapped: read
    cursor_ = end_ = buffer_.get();
    end_offset_ = at;
    ::lseek(fd_, static_cast<off_t>(begin_ + at), SEEK_SET);
    return read_more(needed);
  }
  cursor_ = mapping_.bytes().data();
  end_ = cursor_ + length;
  end_offset_ = at + length;
  return true;
}

/// Whether the file now ends before the end of the mapping. In the page that contains the new end, lost
/// bytes read as zeros without a signal.
bool Input::has_file_shrunk() const {
  if (mapping_.bytes().empty()) return false;
  const off_t now = ::lseek(fd_, 0, SEEK_END);
  return now >= 0 && static_cast<std::uint64_t>(now) < begin_ + end_offset_;
}

/// Ends the input at the cursor, because the file shrank below the mapping.
bool Input::end_after_shrinking() {
  end_offset_ = offset();
  cursor_ = end_ = buffer_.get();
  mapping_.unmap();
  end_input(0);
  if (!shrunk_to_bytes_) error_ = EIO;
  return false;
}

bool Input::read_more(std::size_t needed) {
  make_room(needed);
  while (size() < needed) {
    if (!wait_readable()) {
      ended_ = true;
      return false;
    }
    const ssize_t got = ::read(fd_, buffer_.get() + size(), max_read_bytes());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) {
      end_input(got < 0 ? errno : 0);
      return false;
    }
    end_ += got;
    end_offset_ += static_cast<std::uint64_t>(got);
  }
  return true;
}

}  // namespace wirelap
