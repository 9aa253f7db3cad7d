// capture: the bytes of a file, a pipe or the embedding program, through one window.
//
// In: a named file (mapped piece by piece), or a descriptor (read), either of
// them through a decompressor where the reader asks for that. Out: a contiguous
// run of bytes at a cursor, extended on demand. Formats are not known here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "capture/decompress.h"

namespace wirelap {

/// A window on the bytes of one capture.
///
/// Memory stays flat however long the capture is: a file is mapped a window at
/// a time and let go of behind the cursor, a pipe is read into one buffer.
class Input {
 public:
  struct Options {
    /// A descriptor that becomes readable when the run shall end; -1 for none.
    int stop_fd = -1;
    /// Called before a read that would block, so that what is known gets out.
    std::function<void()> before_wait = [] {};
    /// Asked from time to time; false ends the run, as where the output is closed.
    std::function<bool()> wanted = [] { return true; };
    /// Told from time to time how many bytes of a file have been read, and of how many.
    std::function<void(std::uint64_t done, std::uint64_t total)> on_progress = [](std::uint64_t, std::uint64_t) {};
    /// How much of a file is mapped, and of a pipe read, at once. Tests make it small.
    std::size_t window_bytes = kWindowBytes;
  };

  /// Called before the bytes at and before the cursor go away, whoever still needs them.
  void set_before_move(std::function<void()> before_move) { before_move_ = std::move(before_move); }

  explicit Input(Options options) : options_(std::move(options)) {}
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  /// Opens a file by name; a regular one is mapped, any other (FIFO, device) read.
  /// Returns 0 or the errno that tells why not.
  int open(const std::string& path);

  /// Reads from a descriptor that stays the caller's.
  void attach(int fd) { fd_ = fd; }

  /// Reads from the embedding program's memory: `bytes` begin with those that are
  /// not consumed yet, and stay until the next call. `last`: no more will come.
  void look_at(Bytes bytes, bool last) {
    end_offset_ = offset() + bytes.size();
    cursor_ = bytes.data();
    end_ = cursor_ + bytes.size();
    in_memory_ = true;
    more_to_come_ = !last;
  }

  /// Whether the bytes come from the embedding program's memory.
  bool is_in_memory() const { return in_memory_; }
  /// Whether what `ensure` did not find will still come.
  bool has_more_to_come() const { return more_to_come_; }

  /// Puts the program `name` between the capture and the window, which begins
  /// anew with what it decompresses. To be called before anything is consumed.
  /// Returns 0, ENOENT where no such program is in PATH, or another errno.
  int decompress(const std::string& name);

  /// The bytes at the cursor; valid until the next `ensure`.
  const std::uint8_t* data() const { return cursor_; }
  std::size_t size() const { return static_cast<std::size_t>(end_ - cursor_); }

  /// Makes at least `needed` bytes available at the cursor; false where the
  /// input ended, failed or was stopped before (what there is stays available).
  bool ensure(std::size_t needed) { return size() >= needed || refill(needed); }

  /// Moves the cursor on; `count` is at most size().
  void consume(std::size_t count) {
    cursor_ += count;
    // What comes next is read soon: its headers are on their way meanwhile.
    __builtin_prefetch(cursor_);
    __builtin_prefetch(cursor_ + 64);
  }

  /// Offset of the cursor from the start of the capture, in bytes, decompressed.
  std::uint64_t offset() const { return end_offset_ - size(); }

  /// True when the run was ended through `stop_fd` or `wanted`.
  bool stopped() const { return stopped_; }

  /// errno of a read that failed, else 0.
  int error() const { return error_; }

  bool is_decompressed() const { return decompressor_ != nullptr; }

  /// At the end of the input: how the decompressor failed, one line, else empty.
  const std::string& decompressor_failure() const { return decompressor_failure_; }

 private:
  static constexpr std::size_t kWindowBytes = std::size_t{8} << 20;
  static constexpr std::size_t kReadBytes = std::size_t{256} << 10;

  // Ctrl-C in a terminal also ends the tcpdump at the pipe's other end, which
  // then writes out what it had gathered: that is still to be read.
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kStopGrace{100};

  bool refill(std::size_t needed);
  bool map_more(std::size_t needed);
  bool read_more(std::size_t needed);
  bool wait_readable();
  void unmap();

  Options options_;
  std::function<void()> before_move_ = [] {};
  const std::uint8_t* cursor_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::uint64_t end_offset_ = 0;  // offset of end_ in the capture
  int fd_ = -1;
  int error_ = 0;
  bool owns_fd_ = false;
  bool in_memory_ = false;
  bool more_to_come_ = false;
  bool mapped_ = false;  // by mmap; else by read
  bool ended_ = false;
  bool stopped_ = false;
  std::optional<Clock::time_point> stop_deadline_;

  std::uint64_t file_bytes_ = 0;  // mapped: the size of the file
  void* map_ = nullptr;           // mapped: the window now mapped
  std::size_t map_bytes_ = 0;
  std::unique_ptr<std::uint8_t[]> buffer_;  // read
  std::size_t buffer_bytes_ = 0;
  std::unique_ptr<Decompressor> decompressor_;
  std::string decompressor_failure_;
};

}  // namespace wirelap
