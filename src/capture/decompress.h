// capture: a decompressor that runs between a compressed capture and its reader.
//
// In: a file, or a pipe of which some bytes are already read. Out: a descriptor
// with what the program of that name (gzip, zstd, ...) makes of it. The only
// place of wirelap that starts processes; no shell is asked, and none of the
// user's settings for those programs holds.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/bytes.h"

namespace wirelap {

/// Of a pipe that a capture comes through, as much as Linux lets anybody have (pipe(7)): who writes seldom
/// waits, and writer and reader take fewer turns.
inline constexpr int kPipeBytes = 1 << 20;

/// `NAME -dc` as a child process, and another that feeds it where its input is a pipe.
/// Destroying it ends both.
class Decompressor {
 public:
  Decompressor() = default;
  ~Decompressor();
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  /// Starts `name` on the file `fd`, whose offset is at its start.
  /// Returns 0, ENOENT where no folder of PATH has it, or another errno.
  int start_on_file(const std::string& name, int fd);

  /// Starts `name` on `held`, followed by what `fd` gives.
  int start_on_pipe(const std::string& name, int fd, Bytes held);

  /// What was decompressed; not blocking is the reader's business.
  int output() const { return output_; }

  /// After the end of the output: waits for the child. Returns what went wrong,
  /// one line with the child's own words, or nothing.
  std::string finish();

 private:
  int start(const std::string& name, int input);
  std::string words();
  void end_feeder();

  std::string name_;
  int output_ = -1;
  int errors_ = -1;  // what the child says on its standard error
  pid_t child_ = -1;
  pid_t feeder_ = -1;
  int feeder_status_ = 0;
};

}  // namespace wirelap
