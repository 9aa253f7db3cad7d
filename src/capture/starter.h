// capture: a helper process that starts decompressors for a sandboxed process.
//
// In: requests of the process that forked it, about descriptors that it inherited.
// Out: descriptors with the output of decompressors. The helper accepts only a few
// fixed requests and interprets no byte of a capture.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace wirelap {

/// Controls the helper process, which runs one Decompressor at a time.
class Starter {
 public:
  /// The most bytes that may have been read from a pipe before its decompressor starts.
  static constexpr std::size_t kMaxHeldBytes = 4096;

  Starter() = default;
  /// Ends the helper and its decompressor.
  ~Starter();
  Starter(const Starter&) = delete;
  Starter& operator=(const Starter&) = delete;

  /// Forks the helper. It inherits the descriptors `inputs`, no two of which are equal, and keeps
  /// each until release(); it exits with the last. Returns 0 or an errno.
  int start_process(std::vector<int> inputs);

  /// Starts `program` on `input`: on a file from its start, or on `held` (at most kMaxHeldBytes
  /// bytes) followed by what the pipe delivers. Sets `output`, which the caller then owns.
  /// Returns 0, ENOENT where no folder of PATH contains the program, or another errno.
  int start_decompressor(const std::string& program, int input, bool is_file, Bytes held, int& output);

  /// To be called at the end of the output. Returns an empty text, or the decompressor's error in
  /// one line.
  std::string finish_decompressor();

  /// Releases `input` in the helper, which ends its decompressor and closes it.
  /// Has no effect for a descriptor that start_process did not get.
  void release(int input);

 private:
  void end_process();

  int socket_ = -1;
  pid_t process_ = -1;
  std::vector<int> inputs_;  // those that the helper still has
};

}  // namespace wirelap
