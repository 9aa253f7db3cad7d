// base: the output buffer.
//
// In: text and numbers. Out: bytes, written to a file descriptor in large pieces.
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

/// Buffers text and writes it to a file descriptor that the caller owns.
///
/// Errors: error() returns the first failed write, and later text is discarded. When a
/// write to a file fails within a line, the line's written part is removed from the
/// file, so that the file ends with a complete line.
class Output {
 public:
  /// The caller owns `fd` and closes it. With -1, all text stays in text().
  explicit Output(int fd) : fd_(fd) { grow(kFlushBytes + kFlushBytes / 4); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// Returns a buffer of `count` bytes behind the text. The caller writes there and calls end_at().
  /// Valid until the next call of another member function.
  char* room(std::size_t count) {
    if (static_cast<std::size_t>(limit_ - end_) < count) grow(count);
    return end_;
  }
  /// Sets the text's end, which is within the buffer that room() returned.
  void end_at(char* end) { end_ = end; }
  /// The end of the buffer: up to there the caller may write without asking for more. Valid as
  /// long as the result of room().
  const char* limit() const { return limit_; }

  void put(char c) {
    *room(1) = c;
    ++end_;
  }
  void put(std::string_view text) {
    char* const at = room(text.size());
    end_ = std::copy(text.begin(), text.end(), at);
  }

  /// Appends a decimal integer.
  void put_integer(std::uint64_t value) { end_at(write_integer(room(kIntegerRoom), value)); }

  /// Appends a time or duration in seconds, as write_seconds().
  void put_seconds(Nanos value, std::size_t decimals) { end_at(write_seconds(room(kSecondsRoom), value, decimals)); }

  /// Ends a line, and writes the text once it is at least kFlushBytes long.
  void end_line() {
    put('\n');
    if (text().size() >= kFlushBytes && fd_ >= 0) flush();
  }

  /// Sets a function that is called before each write.
  void before_write(std::function<void()> before) { before_write_ = std::move(before); }

  /// Writes all text, and waits where the reader is slow. Retries after EINTR. To be called between
  /// records.
  void flush();

  /// The errno of the first failed write, else 0. EPIPE: the reader has closed the pipe.
  int error() const { return error_; }

  /// The text that is not yet written; valid until the next call of another member function.
  std::string_view text() const { return {buffer_.get(), end_}; }

  /// Discards the text that is not yet written.
  void clear() { end_ = buffer_.get(); }

 private:
  static constexpr std::size_t kFlushBytes = 64 * 1024;

  /// Enlarges the buffer, so that it has room for `count` bytes behind the text.
  [[gnu::cold]] void grow(std::size_t count);
  /// Removes the `count` bytes written last from a file.
  void remove_written(std::size_t count);

  std::unique_ptr<char[]> buffer_;
  char* end_ = nullptr;    // of the text
  char* limit_ = nullptr;  // of the buffer
  int fd_;
  int error_ = 0;
  std::function<void()> before_write_ = [] {};
};

}  // namespace wirelap
