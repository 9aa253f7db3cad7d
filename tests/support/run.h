// Runs a program and waits for its end.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace wirelap::test {

/// The path of the program under test, from the environment variable WIRELAP.
inline std::string program() {
  const char* const path = std::getenv("WIRELAP");
  return path != nullptr ? path : "build/wirelap";
}

/// The content of a file; empty where the file does not exist.
inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct RunResult {
  int exit_code = -1;  ///< 128 + number of the signal that ended it
  std::string output;  ///< what it wrote to standard output
  std::string errors;  ///< what it wrote to standard error
};

inline std::string content_of(int fd) {
  std::string all(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  if (::pread(fd, all.data(), all.size(), 0) != static_cast<ssize_t>(all.size())) std::abort();
  ::close(fd);
  return all;
}

/// Writes `input` to a pipe until its reader closes it, and closes the pipe.
inline void feed_pipe(int fd, std::string_view input) {
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  while (!input.empty()) {
    const ssize_t written = ::write(fd, input.data(), input.size());
    if (written < 0) break;
    input.remove_prefix(static_cast<std::size_t>(written));
  }
  ::close(fd);
}

/// Runs a program; `arguments` starts with its name or path. Its standard input is a pipe that
/// delivers `input`.
inline RunResult run(std::vector<std::string> arguments, std::string_view input = {}) {
  int in[2];
  if (::pipe2(in, O_CLOEXEC) != 0) std::abort();
  const int out = ::memfd_create("stdout", MFD_CLOEXEC);
  const int err = ::memfd_create("stderr", MFD_CLOEXEC);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  std::thread feeder(feed_pipe, in[1], input);
  int status = 0;
  if (failed == 0) ::waitpid(child, &status, 0);
  feeder.join();
  const int code = failed != 0 ? 127 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {code, content_of(out), content_of(err)};
}

}  // namespace wirelap::test
