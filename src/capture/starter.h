// capture: a process that starts decompressors for one which may no longer.
//
// In: orders of the process that forked it, about descriptors which it has
// inherited. Out: descriptors with what decompressors make of them. It is told
// a few known words and looks at no byte of a capture but those it hands on.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace wirelap {

/// The near end of a process that runs one Decompressor at a time.
class Starter {
 public:
  /// The most that may have been read of a pipe before its decompressor starts.
  static constexpr std::size_t kMostHeldBytes = 4096;

  Starter() = default;
  /// Ends the process and what it runs.
  ~Starter();
  Starter(const Starter&) = delete;
  Starter& operator=(const Starter&) = delete;

  /// Forks the process, which keeps `inputs` (no two the same) until it is told to
  /// leave each; it ends with the last. Returns 0 or an errno.
  int begin(std::vector<int> inputs);

  /// Starts `program` on `input`: a file at its start, or `held` (at most
  /// kMostHeldBytes) and what the pipe gives. `output` becomes the caller's.
  /// Returns 0, ENOENT where no folder of PATH has it, or another errno.
  int start(const std::string& program, int input, bool is_file, Bytes held, int& output);

  /// After the end of the output: how the decompressor failed, one line, else empty.
  std::string finish();

  /// No more is asked about `input`; its decompressor is ended. Of one that was
  /// not named at the beginning nothing is known.
  void leave(int input);

 private:
  void end();

  int socket_ = -1;
  pid_t process_ = -1;
  std::vector<int> inputs_;  // that it still has
};

}  // namespace wirelap
