// capture: runs a decompressor between a compressed capture and its reader.
//
// In: a file, or a pipe and the bytes already read from it. Out: a descriptor with
// the output of the program of that name (gzip, zstd, ...). Only this file of
// wirelap starts other programs. It uses no shell, and environment variables that
// configure these programs do not apply.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/bytes.h"

namespace wirelap {

/// The buffer size of pipes that carry a capture: the maximum that Linux allows without
/// privileges (pipe(7)), so that writer and reader wait for each other less often.
inline constexpr int kPipeBytes = 1 << 20;

/// Runs `NAME -dc` as a child process. Where the input is a pipe, a second child, the feeder,
/// writes it to the first. The destructor ends both.
class Decompressor {
 public:
  Decompressor() = default;
  ~Decompressor();
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  /// Starts the program `name` on the file `fd`, whose offset is at the capture's start.
  /// Returns 0, ENOENT where no folder of PATH contains the program, or another errno.
  int start_on_file(const std::string& name, int fd);

  /// Starts the program `name` on `held`, followed by what the pipe `fd` delivers.
  /// Returns as start_on_file.
  int start_on_pipe(const std::string& name, int fd, Bytes held);

  /// The descriptor of the decompressed bytes. Owned by this object; the reader may set O_NONBLOCK.
  int output() const { return output_; }

  /// To be called at the end of the output: waits for the children. Returns an empty text or the
  /// error in one line, with the child's own message.
  std::string finish();

 private:
  int start(const std::string& name, int input);
  std::string read_message();
  void end_feeder();

  std::string name_;
  int output_ = -1;
  int errors_ = -1;  // the child's standard error
  pid_t child_ = -1;
  pid_t feeder_ = -1;
  int feeder_status_ = 0;
};

}  // namespace wirelap
