// Runs a program in parallel with the test. Its standard input and output are pipes.
#pragma once

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "run.h"

namespace wirelap::test {

class Process {
 public:
  /// The child calls `prepare` before it executes the program.
  explicit Process(std::vector<std::string> arguments, const std::function<void()>& prepare = [] {}) {
    int in[2], out[2];
    REQUIRE(::pipe2(in, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
    errors_ = ::memfd_create("stderr", MFD_CLOEXEC);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    id_ = ::fork();
    if (id_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::dup2(errors_, STDERR_FILENO);
      prepare();
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
  }
  ~Process() {
    close_input();
    close_output();
    if (id_ > 0) {
      ::kill(id_, SIGKILL);
      ::waitpid(id_, nullptr, 0);
    }
    if (errors_ >= 0) ::close(errors_);
  }
  Process(const Process&) = delete;

  pid_t id() const { return id_; }
  int output() const { return from_; }

  void write(std::string_view bytes) { REQUIRE(::write(to_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())); }
  void close_input() { close_end(to_); }
  void close_output() { close_end(from_); }

  /// Waits until there is output to read, or the program has closed its output.
  void await_output() const {
    pollfd ready{from_, POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 20'000) > 0);
  }

  /// Reads output until it has `lines` lines, or ends.
  std::string read_lines(std::ptrdiff_t lines) {
    std::string got;
    while (std::count(got.begin(), got.end(), '\n') < lines && read_some(got, 4096)) {
    }
    return got;
  }
  /// Reads all output, `piece` bytes at a time.
  std::string read_all(std::size_t piece = 65536) {
    std::string got;
    while (read_some(got, piece)) {
    }
    return got;
  }

  /// Waits for the end of the program. Returns its exit code, or 128 + the number of the signal that ended it.
  int wait() {
    int status = 0;
    REQUIRE(::waitpid(id_, &status, 0) == id_);
    id_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  /// Returns what the program wrote to standard error. To be called once, after wait().
  std::string errors() { return content_of(std::exchange(errors_, -1)); }

 private:
  static void close_end(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }

  bool read_some(std::string& got, std::size_t piece) {
    pollfd ready{from_, POLLIN, 0};
    if (::poll(&ready, 1, 20'000) <= 0) return false;
    const std::size_t before = got.size();
    got.resize(before + piece);
    const ssize_t count = ::read(from_, &got[before], piece);
    got.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return count > 0;
  }

  pid_t id_ = -1;
  int to_ = -1, from_ = -1, errors_ = -1;
};

/// A `prepare` that sets a resource limit of the child.
inline std::function<void()> with_limit(decltype(RLIMIT_FSIZE) what, rlim_t soft, rlim_t hard) {
  return [=] {
    const rlimit limit{soft, hard};
    if (::setrlimit(what, &limit) != 0) ::_exit(126);
  };
}

}  // namespace wirelap::test
