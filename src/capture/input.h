// capture: the bytes of a file, a pipe, or the embedding program's memory.
//
// In: a file name, a descriptor, or bytes; a decompressor may run between the file
// or pipe and this class. Out: a contiguous window of bytes at a cursor, extended on
// demand. Capture formats are unknown here.
//
// A file with large records is mapped, other files are read. Copying small records
// into a buffer that stays in the cache costs less than the page faults of a
// mapping. Processor time for 300 MB, read and mapped: records of 1,500 bytes 75
// and 84 ms, of 190 bytes 533 and 591 ms, of 60,000 bytes 44 and 22 ms.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "capture/decompress.h"
#include "capture/mapping.h"
#include "capture/starter.h"

namespace wirelap {

/// A window on the bytes of one capture. Its memory does not depend on the capture's length: the
/// capture is read into one buffer, or mapped in windows, and released behind the cursor.
class Input {
 public:
  struct Options {
    /// A descriptor that becomes readable when the run must end; -1 for none.
    int stop_fd = -1;
    /// Called before a read that would block, so that pending output can be written.
    std::function<void()> before_wait = [] {};
    /// Called before each refill of the window; returns false to end the run, for example where the
    /// output is closed.
    std::function<bool()> should_continue = [] { return true; };
    /// Called before each refill of the window from a file, with the bytes read so far and the file's size.
    std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)> on_progress = [](std::uint64_t,
                                                                                              std::uint64_t) {};
    /// Starts decompressors where this process may not; must outlive the Input. Null: this process
    /// starts them.
    Starter* starter = nullptr;
    /// The size of the buffer, unless a record needs more. Tests use a small one.
    std::size_t window_bytes = kReadBytes;
    /// A file is mapped where `ensure` needs at least so many bytes, else read.
    std::size_t map_threshold_bytes = kMapThresholdBytes;
  };

  /// `before_move` is called before the bytes behind the cursor become invalid, so that users of
  /// earlier bytes can finish with them.
  void set_before_move(std::function<void()> before_move) { before_move_ = std::move(before_move); }

  explicit Input(Options options) : options_(std::move(options)) {}
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  /// Opens a file by name. Opening a FIFO does not wait for its writer. Returns 0 or an errno.
  int open(const std::string& path);

  /// Reads from a descriptor that the caller owns and closes.
  void attach(int fd);

  /// The descriptor that the capture comes from; -1 for none.
  int descriptor() const { return fd_; }

  /// Copies the next bytes of a regular file into `room` without consuming them. Returns how many
  /// bytes those are; 0 for a pipe.
  std::size_t peek(std::span<std::uint8_t> room) const;

  /// Reads from the embedding program's memory. `bytes` starts with the bytes that are not consumed
  /// yet, and must stay valid until the next call. `last`: no more bytes will follow.
  void provide(Bytes bytes, bool last) {
    end_offset_ = offset() + bytes.size();
    cursor_ = bytes.data();
    end_ = cursor_ + bytes.size();
    in_memory_ = true;
    more_to_come_ = !last;
  }

  /// Whether the capture comes from the embedding program's memory.
  bool is_in_memory() const { return in_memory_; }
  /// After `ensure` returned false: whether the missing bytes may come with the next provide().
  bool has_more_to_come() const { return more_to_come_; }

  /// Starts the decompressor `name` on the capture; the window then contains its output, from the
  /// start. To be called before anything is consumed. Returns 0, ENOENT where no folder of PATH
  /// contains the program, or another errno.
  int decompress(const std::string& name);

  /// To be called instead of `decompress` for a capture that is not compressed.
  void keep_as_is();

  /// The bytes of the window from the cursor on; valid until the next `ensure`.
  const std::uint8_t* data() const { return cursor_; }
  std::size_t size() const { return static_cast<std::size_t>(end_ - cursor_); }

  /// Whether bytes of the window may be zeros in place of the capture's, because the file shrank.
  /// The next `ensure` then fails.
  bool has_lost_pages() const { return mapping_.has_lost_pages(); }

  /// Makes at least `needed` bytes available at the cursor. Returns false where the input ended,
  /// failed or was stopped before; the bytes up to there stay available.
  bool ensure(std::size_t needed) { return (size() >= needed && !has_lost_pages()) || refill(needed); }

  /// Moves the cursor forward by `count` bytes, at most size().
  void consume(std::size_t count) {
    cursor_ += count;
    // The next record's headers are read soon.
    __builtin_prefetch(cursor_);
    __builtin_prefetch(cursor_ + 64);
  }

  /// Offset of the cursor from the start of the capture, in decompressed bytes.
  std::uint64_t offset() const { return end_offset_ - size(); }

  /// Whether `stop_fd` or `should_continue` ended the input.
  bool stopped() const { return stopped_; }

  /// The errno of a failed read, else 0.
  int error() const { return error_; }

  /// At the end of the input: the new size in bytes of a file that shrank while it was read.
  std::optional<std::uint64_t> shrunk_to_bytes() const { return shrunk_to_bytes_; }

  /// The bytes of a regular file from the capture's start on, when it was opened; 0 for other inputs.
  std::uint64_t file_bytes() const { return file_bytes_; }

  /// Whether the window contains a decompressor's output.
  bool is_decompressed() const { return decompressed_; }

  /// At the end of the input: the decompressor's error in one line, else empty.
  const std::string& decompressor_failure() const { return decompressor_failure_; }

 private:
  static constexpr std::size_t kReadBytes = std::size_t{256} << 10;
  static constexpr std::size_t kMappedBytes = std::size_t{4} << 20;
  static constexpr std::size_t kMapThresholdBytes = std::size_t{16} << 10;
  // How much is read before it is known whether a decompressor is needed: the Starter gets these bytes in one message.
  static constexpr std::uint64_t kFirstBytes = 4096;
  static_assert(kFirstBytes <= Starter::kMaxHeldBytes);

  // Ctrl-C in a terminal also ends a tcpdump that writes to the pipe. It then writes its buffer, for which
  // this class waits so long.
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kStopGrace{100};

  bool refill(std::size_t needed);
  bool map_more(std::size_t needed);
  bool read_more(std::size_t needed);
  bool has_file_shrunk() const;
  bool end_after_shrinking();
  void make_room(std::size_t needed);
  std::size_t max_read_bytes() const;
  bool wait_readable();
  bool is_stop_requested() const;
  void end_input(int error);
  void inspect_file();
  int start_decompressor(const std::string& name, int& output);

  Options options_;
  std::function<void()> before_move_ = [] {};
  const std::uint8_t* cursor_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::uint64_t end_offset_ = 0;  // offset of end_ in the capture
  int fd_ = -1;
  int error_ = 0;
  bool owns_fd_ = false;
  bool is_file_ = false;  // a regular file
  bool in_memory_ = false;
  bool more_to_come_ = false;
  bool ended_ = false;
  bool stopped_ = false;
  std::optional<Clock::time_point> stop_deadline_;

  std::uint64_t file_bytes_ = 0;  // of a file, from begin_ on
  std::uint64_t begin_ = 0;       // offset of the capture's start in the file
  std::optional<std::uint64_t> shrunk_to_bytes_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t buffer_bytes_ = 0;
  Mapping mapping_;  // empty while the file is read

  bool decompressed_ = false;
  std::unique_ptr<Decompressor> decompressor_;  // null where the starter runs it
  int starter_fd_ = -1;                         // the descriptor that identifies this capture to the starter
  std::string decompressor_failure_;
};

}  // namespace wirelap
