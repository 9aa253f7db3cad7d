// base: the output buffer.
//
// In: text and numbers, appended. Out: bytes written to a file descriptor in
// large pieces. No stdio and no locale: both cost more than the formatting.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"

namespace wirelap {

/// Collects text and writes it to a descriptor that it does not own.
///
/// Errors: the first failed write is kept in `error()`, and all later text is
/// dropped, so a closed pipe or a full disk never leaves half a line behind
/// what was already written by the system.
class Output {
 public:
  /// `fd` stays open and belongs to the caller; -1 keeps all text in `text()`.
  explicit Output(int fd) : fd_(fd) { buffer_.reserve(kFlushBytes + kFlushBytes / 4); }

  void put(char c) { buffer_.push_back(c); }
  void put(std::string_view text) { buffer_.append(text); }

  /// A decimal integer.
  void put_integer(std::uint64_t value) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    buffer_.append(digits, end);
  }

  /// A time or duration in seconds with exactly `decimals` (0 to 9) decimals; what is below is cut.
  void put_seconds(Nanos value, int decimals);

  /// To be called at the end of every line: writes when much has gathered.
  void end_line() {
    buffer_.push_back('\n');
    if (buffer_.size() >= kFlushBytes && fd_ >= 0) flush();
  }

  /// `before` is called before bytes are written.
  void before_write(std::function<void()> before) { before_write_ = std::move(before); }

  /// Writes all that has gathered, waiting for a slow reader; EINTR is retried.
  void flush();

  /// errno of the first failed write, 0 if none failed (EPIPE: the reader left).
  int error() const { return error_; }

  /// What has gathered and is not yet written; valid until the next call.
  std::string_view text() const { return buffer_; }

 private:
  static constexpr std::size_t kFlushBytes = 64 * 1024;

  std::string buffer_;
  int fd_;
  int error_ = 0;
  std::function<void()> before_write_ = [] {};
};

}  // namespace wirelap
