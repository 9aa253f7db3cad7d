// base: the output buffer.
//
// In: text and numbers, appended. Out: bytes written to a file descriptor in
// large pieces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "base/digits.h"

namespace wirelap {

/// Collects text and writes it to a descriptor that it does not own.
///
/// Errors: the first failed write is kept in `error()`, and all later text is
/// dropped. Where a file is full in the middle of a line, what is there of that
/// line is taken back: a file ends with a whole one.
class Output {
 public:
  /// `fd` stays open and belongs to the caller; -1 keeps all text in `text()`.
  explicit Output(int fd) : fd_(fd) { grow(kFlushBytes + kFlushBytes / 4); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// Room for `count` bytes behind the text; what is written there becomes text with `end_at`.
  /// Valid until the next call of any other member.
  char* room(std::size_t count) {
    if (static_cast<std::size_t>(limit_ - end_) < count) grow(count);
    return end_;
  }
  /// The text ends at `end`, which is inside the room asked for.
  void end_at(char* end) { end_ = end; }
  /// Where the room ends that there is without asking; valid as long as `room`.
  const char* limit() const { return limit_; }

  void put(char c) {
    *room(1) = c;
    ++end_;
  }
  void put(std::string_view text) {
    char* const at = room(text.size());
    end_ = std::copy(text.begin(), text.end(), at);
  }

  /// A decimal integer.
  void put_integer(std::uint64_t value) { end_at(write_integer(room(kIntegerRoom), value)); }

  /// A time or duration in seconds with exactly `decimals` (1 to 9) decimals; what is below is cut.
  void put_seconds(Nanos value, std::size_t decimals) { end_at(write_seconds(room(kSecondsRoom), value, decimals)); }

  /// To be called at the end of every line: writes when much has gathered.
  void end_line() {
    put('\n');
    if (text().size() >= kFlushBytes && fd_ >= 0) flush();
  }

  /// `before` is called before bytes are written.
  void before_write(std::function<void()> before) { before_write_ = std::move(before); }

  /// Writes all that has gathered, waiting for a slow reader; EINTR is retried.
  /// To be called between records.
  void flush();

  /// errno of the first failed write, 0 if none failed (EPIPE: the reader left).
  int error() const { return error_; }

  /// What has gathered and is not yet written; valid until the next call.
  std::string_view text() const { return {buffer_.get(), end_}; }

  /// Drops what has gathered and is not yet written.
  void clear() { end_ = buffer_.get(); }

 private:
  static constexpr std::size_t kFlushBytes = 64 * 1024;

  /// Makes room for `count` bytes.
  [[gnu::cold]] void grow(std::size_t count);
  /// Shortens a file by the `count` bytes last written.
  void take_back(std::size_t count);

  std::unique_ptr<char[]> buffer_;
  char* end_ = nullptr;    // of the text
  char* limit_ = nullptr;  // of the buffer
  int fd_;
  int error_ = 0;
  std::function<void()> before_write_ = [] {};
};

}  // namespace wirelap
