// Reads captures that tests build in memory: from a file, and through a pipe in pieces.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "base/error.h"
#include "capture/reader.h"
#include "packets.h"

namespace wirelap::test {

/// A copy of a record, which stays valid.
struct Copy {
  Nanos time;
  std::uint64_t number;
  Buffer bytes;
  std::uint32_t length;
  std::uint32_t link_type;
  friend bool operator==(const Copy&, const Copy&) = default;
};

struct ReadResult {
  std::vector<Copy> records;
  std::optional<Error> error;
  bool started = false;
  bool stopped = false;
  int decimals = 0;
};

inline ReadResult read_all(Input& input) {
  ReadResult result;
  Reader reader(input, "x.pcap");
  result.started = reader.start();
  PacketRecord record;
  while (result.started && reader.next(record)) {
    result.records.push_back({record.time, record.number, {record.bytes.begin(), record.bytes.end()}, record.length,
                              record.link_type});
  }
  result.error = reader.error();
  result.stopped = input.stopped();
  result.decimals = reader.decimals();
  return result;
}

inline std::string path_of(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

/// A regular file without a name.
class File {
 public:
  explicit File(Bytes content) : fd_(::memfd_create("capture", MFD_CLOEXEC)) {
    REQUIRE(::write(fd_, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  std::string path() const { return path_of(fd_); }

 private:
  int fd_;
};

/// A pipe. The destructor closes the ends that are still open.
struct Pipe {
  Pipe() { REQUIRE(::pipe2(fds, O_CLOEXEC) == 0); }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  void close_end(int end) {
    if (fds[end] >= 0) ::close(fds[end]);
    fds[end] = -1;
  }
  void write(Bytes bytes) { REQUIRE(::write(fds[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())); }
  int fds[2];
};

inline ReadResult read_file(Bytes content, Input::Options options = {}) {
  const File file(content);
  Input input(std::move(options));
  REQUIRE(input.open(file.path()) == 0);
  return read_all(input);
}

inline ReadResult read_file_by(Bytes content, std::size_t window_bytes) {
  Input::Options options;
  options.window_bytes = window_bytes;
  return read_file(content, std::move(options));
}

/// Reads `content` through a pipe; whenever the reader would block, the next `piece_bytes` bytes are written.
inline ReadResult read_pipe_by(Bytes content, std::size_t piece_bytes, std::optional<std::size_t> window_bytes = {}) {
  Pipe pipe;
  Input::Options options;
  if (window_bytes) options.window_bytes = *window_bytes;
  options.before_wait = [&] {
    const Bytes piece = content.first(std::min(piece_bytes, content.size()));
    content = content.subspan(piece.size());
    if (piece.empty()) pipe.close_end(1);
    else pipe.write(piece);
  };
  Input input(options);
  input.attach(pipe.fds[0]);
  return read_all(input);
}

/// The text of the error that ends the reading of a capture; empty where there is none. It is the same
/// for a file and a pipe.
inline std::string read_error(Bytes content) {
  const ReadResult by_file = read_file(content);
  const ReadResult by_pipe = read_pipe_by(content, 5);
  const std::string error = by_file.error ? error_text(*by_file.error) : "";
  CHECK((by_pipe.error ? error_text(*by_pipe.error) : "") == error);
  return error;
}

}  // namespace wirelap::test
