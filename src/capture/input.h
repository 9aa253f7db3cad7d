// capture: the bytes of a file, a pipe or the embedding program, through one window.
//
// In: a named file or a descriptor, either of them through a decompressor where
// the reader asks for that. Out: a contiguous run of bytes at a cursor, extended
// on demand. Formats are not known here.
//
// A file is mapped where its records are large, else read: a copy of small ones into
// a buffer that stays in the cache costs less than the faults on a mapping's pages.
// Processor time for 300 MB, read and mapped: records of 1,500 bytes 75 and 84 ms,
// of 190 bytes 533 and 591 ms, of 60,000 bytes 44 and 22 ms.
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

/// A window on the bytes of one capture.
///
/// Memory stays flat however long the capture is: it is read into one buffer, or
/// mapped a window at a time and let go of behind the cursor.
class Input {
 public:
  struct Options {
    /// A descriptor that becomes readable when the run shall end; -1 for none.
    int stop_fd = -1;
    /// Called before a read that would block, so that what is known gets out.
    std::function<void()> before_wait = [] {};
    /// Asked from time to time; false ends the run, as where the output is closed.
    std::function<bool()> should_continue = [] { return true; };
    /// Told from time to time how many bytes of a file have been read, and of how many.
    std::function<void(std::uint64_t done, std::uint64_t total)> on_progress = [](std::uint64_t, std::uint64_t) {};
    /// Starts decompressors where this process itself may not; outlives the Input.
    /// Null: they are its own children.
    Starter* starter = nullptr;
    /// How much is read at once. Tests make it small.
    std::size_t window_bytes = kReadBytes;
    /// A file is mapped while it is asked for pieces that lack so much.
    std::size_t map_threshold_bytes = kMappedFromBytes;
  };

  /// Called before the bytes at and before the cursor go away, whoever still needs them.
  void set_before_move(std::function<void()> before_move) { before_move_ = std::move(before_move); }

  explicit Input(Options options) : options_(std::move(options)) {}
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  /// Opens a file by name; a FIFO without waiting for who writes to it.
  /// Returns 0 or the errno that tells why not.
  int open(const std::string& path);

  /// Reads from a descriptor that stays the caller's.
  void attach(int fd);

  /// The descriptor that is read; -1 for none.
  int descriptor() const { return fd_; }

  /// A regular file's next bytes, for a first look; nothing of any other.
  /// Nothing is read by that. Returns how many of `room` were filled.
  std::size_t peek(std::span<std::uint8_t> room) const;

  /// Reads from the embedding program's memory: `bytes` begin with those that are
  /// not consumed yet, and stay until the next call. `last`: no more will come.
  void provide(Bytes bytes, bool last) {
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

  /// The alternative to `decompress`: none is needed.
  void keep_as_is();

  /// The bytes at the cursor; valid until the next `ensure`.
  const std::uint8_t* data() const { return cursor_; }
  std::size_t size() const { return static_cast<std::size_t>(end_ - cursor_); }

  /// Whether what was read of the window may be none of the capture's: `ensure` tells.
  bool is_torn() const { return mapping_.is_torn(); }

  /// Makes at least `needed` bytes available at the cursor; false where the
  /// input ended, failed or was stopped before (what there is stays available).
  bool ensure(std::size_t needed) { return (size() >= needed && !is_torn()) || refill(needed); }

  /// Moves the cursor on; `count` is at most size().
  void consume(std::size_t count) {
    cursor_ += count;
    // What comes next is read soon: its headers are on their way meanwhile.
    __builtin_prefetch(cursor_);
    __builtin_prefetch(cursor_ + 64);
  }

  /// Offset of the cursor from the start of the capture, in bytes, decompressed.
  std::uint64_t offset() const { return end_offset_ - size(); }

  /// True when the run was ended through `stop_fd` or `should_continue`.
  bool stopped() const { return stopped_; }

  /// errno of a read that failed, else 0.
  int error() const { return error_; }

  /// At the end of the input: the size of a file that has become smaller than
  /// it was when it was opened.
  std::optional<std::uint64_t> shrunk_to() const { return shrunk_to_; }

  /// The size that a file had when it was opened; 0 of any other.
  std::uint64_t file_bytes() const { return file_bytes_; }

  bool is_decompressed() const { return decompressed_; }

  /// At the end of the input: how the decompressor failed, one line, else empty.
  const std::string& decompressor_failure() const { return decompressor_failure_; }

 private:
  static constexpr std::size_t kReadBytes = std::size_t{256} << 10;
  static constexpr std::size_t kMappedBytes = std::size_t{4} << 20;
  static constexpr std::size_t kMappedFromBytes = std::size_t{16} << 10;
  // Of the first bytes, which tell whether a decompressor is to have them: it is handed them in one piece.
  static constexpr std::uint64_t kFirstBytes = 4096;
  static_assert(kFirstBytes <= Starter::kMostHeldBytes);

  // Ctrl-C in a terminal also ends the tcpdump at the pipe's other end, which
  // then writes out what it had gathered: that is still to be read.
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kStopGrace{100};

  bool refill(std::size_t needed);
  bool map_more(std::size_t needed);
  bool read_more(std::size_t needed);
  bool is_cut_below_mapping() const;
  bool end_torn();
  void make_room(std::size_t needed);
  std::size_t most_to_read() const;
  bool wait_readable();
  bool is_stop_asked() const;
  void note_end(int error);
  void look_at_file();
  int start_decompressor(const std::string& name, int& output);

  Options options_;
  std::function<void()> before_move_ = [] {};
  const std::uint8_t* cursor_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::uint64_t end_offset_ = 0;  // offset of end_ in the capture
  int fd_ = -1;
  int error_ = 0;
  bool owns_fd_ = false;
  bool is_file_ = false;  // a regular one
  bool in_memory_ = false;
  bool more_to_come_ = false;
  bool ended_ = false;
  bool stopped_ = false;
  std::optional<Clock::time_point> stop_deadline_;

  std::uint64_t file_bytes_ = 0;  // a file's, from where the capture begins
  std::uint64_t begin_ = 0;       // where that is in the file
  std::optional<std::uint64_t> shrunk_to_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t buffer_bytes_ = 0;
  Mapping mapping_;  // of a file; empty while it is read

  bool decompressed_ = false;
  std::unique_ptr<Decompressor> decompressor_;  // null where the starter has it
  int asked_about_ = -1;                        // the descriptor by which the starter knows it
  std::string decompressor_failure_;
};

}  // namespace wirelap
