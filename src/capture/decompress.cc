#include "capture/decompress.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/poll.h"

namespace wirelap {
namespace {

constexpr int kExitGraceMs = 1000;             // how long a child may run after the end of its output
constexpr std::size_t kMessageBytes = 200;     // of a child's message that are reported
constexpr std::size_t kFeedBytes = 64 << 10;   // a pipe's default size
constexpr unsigned kMaxDescriptor = 1u << 16;  // without close_range(2), descriptors below it are closed one by one

/// A pipe whose descriptors are above the standard ones, even where a standard descriptor is closed.
struct Pipe {
  int read_end = -1;
  int write_end = -1;

  int open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno;
    read_end = ::fcntl(ends[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    write_end = ::fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    const int failed = read_end < 0 || write_end < 0 ? EMFILE : 0;
    ::close(ends[0]);
    ::close(ends[1]);
    return failed;
  }
  int release_read_end() { return std::exchange(read_end, -1); }
  void close_write_end() {
    if (write_end >= 0) ::close(write_end);
    write_end = -1;
  }
  ~Pipe() {
    close_write_end();
    if (read_end >= 0) ::close(read_end);
  }
};

/// The path of the program `name` in the folders of PATH; empty where none contains it. Relative
/// folders in PATH are ignored, so that no program of the current folder is run.
std::string find_program(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    if (folder.empty() || folder.front() != '/') continue;
    const std::string program = std::string(folder) + "/" + name;
    struct stat status {};
    if (::stat(program.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return "";
}

/// The environment of a decompressor, without GZIP, XZ_OPT and the like, which would change what it
/// does, and without a language, which would change its messages.
std::vector<std::string> child_environment() {
  std::vector<std::string> variables = {"LC_ALL=C"};
  for (const char* const name : {"PATH", "LD_LIBRARY_PATH"}) {
    if (const char* const value = std::getenv(name)) variables.push_back(std::string(name) + "=" + value);
  }
  return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A child calls these functions between fork and exec. They use only async-signal-safe calls, because
// the embedding process may have threads.

void close_from(unsigned first) {
  if (::syscall(SYS_close_range, first, ~0u, 0) == 0) return;
  for (unsigned fd = first; fd < kMaxDescriptor; ++fd) ::close(static_cast<int>(fd));
}

/// Resets the signals of a child. SIGINT is ignored: Ctrl-C in a terminal reaches children too, and they
/// must run until wirelap has read what it needs.
void set_child_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_DFL);
  ::signal(SIGPIPE, SIG_DFL);
  ::signal(SIGXFSZ, SIG_DFL);
}

bool write_all(int fd, const std::uint8_t* at, std::size_t count) {
  while (count > 0) {
    const ssize_t written = ::write(fd, at, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    at += written;
    count -= static_cast<std::size_t>(written);
  }
  return true;
}

/// The feeder: copies `held` and then descriptor 0 to descriptor 1. Its exit code is the errno of a
/// failed read, else 0.
[[noreturn]] void feed(Bytes held) {
  std::uint8_t piece[kFeedBytes];
  if (!write_all(STDOUT_FILENO, held.data(), held.size())) ::_exit(0);
  for (;;) {
    pollfd ready[2] = {{STDIN_FILENO, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
    if (::poll(ready, 2, -1) < 0 && errno != EINTR) ::_exit(errno);
    if (ready[1].revents != 0) ::_exit(0);  // the reader has gone
    const ssize_t got = ::read(STDIN_FILENO, piece, sizeof piece);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) ::_exit(errno);
    if (got == 0 || !write_all(STDOUT_FILENO, piece, static_cast<std::size_t>(got))) ::_exit(0);
  }
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Decompressor::~Decompressor() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    wait_for(child_);
  }
  end_feeder();
  for (const int fd : {output_, errors_}) {
    if (fd >= 0) ::close(fd);
  }
}

void Decompressor::end_feeder() {
  if (feeder_ <= 0) return;
  ::kill(feeder_, SIGKILL);  // without effect on the status of a feeder that has exited by itself
  feeder_status_ = wait_for(feeder_);
  feeder_ = -1;
}

int Decompressor::start_on_file(const std::string& name, int fd) { return start(name, fd); }

// A feeder process, rather than a poll loop in the reader: it may block in read and write without a
// deadlock with the decompressor, and the end of each is an end of file for the next.
int Decompressor::start_on_pipe(const std::string& name, int fd, Bytes held) {
  Pipe feed_pipe;
  if (const int error = feed_pipe.open(); error != 0) return error;
  if (const int error = start(name, feed_pipe.read_end); error != 0) return error;
  feeder_ = ::fork();
  if (feeder_ == 0) {
    set_child_signals();
    ::signal(SIGPIPE, SIG_IGN);
    if (::dup2(fd, STDIN_FILENO) < 0 || ::dup2(feed_pipe.write_end, STDOUT_FILENO) < 0) ::_exit(errno);
    close_from(STDERR_FILENO);  // an inherited write end of another pipe would keep that pipe's reader waiting
    feed(held);
  }
  return feeder_ < 0 ? errno : 0;
}

int Decompressor::start(const std::string& name, int input) {
  name_ = name;
  const std::string program = find_program(name);
  if (program.empty()) return ENOENT;
  Pipe output, errors;
  if (const int error = output.open(); error != 0) return error;
  if (const int error = errors.open(); error != 0) return error;
  ::fcntl(output.write_end, F_SETPIPE_SZ, kPipeBytes);
  // Messages are read after the child's end. Those that do not fit into the pipe are lost; the child does not wait.
  ::fcntl(errors.write_end, F_SETFL, O_NONBLOCK);
  std::vector<std::string> arguments = {name, "-dc"}, variables = child_environment();
  const std::vector<char*> argv = pointers_to(arguments), envp = pointers_to(variables);
  child_ = ::fork();
  if (child_ == 0) {
    set_child_signals();
    const bool placed = ::dup2(input, STDIN_FILENO) >= 0 && ::dup2(output.write_end, STDOUT_FILENO) >= 0 &&
                        ::dup2(errors.write_end, STDERR_FILENO) >= 0;
    if (input == STDIN_FILENO) ::fcntl(STDIN_FILENO, F_SETFD, 0);
    close_from(STDERR_FILENO + 1);
    if (placed) ::execve(program.c_str(), argv.data(), envp.data());
    ::_exit(127);
  }
  if (child_ < 0) return errno;
  output_ = output.release_read_end();
  errors_ = errors.release_read_end();
  return 0;
}

/// Returns ": " and the first line of the child's messages; empty where there are none.
std::string Decompressor::read_message() {
  ::fcntl(errors_, F_SETFL, O_NONBLOCK);
  char text[kMessageBytes];
  const ssize_t got = ::read(errors_, text, sizeof text);
  std::string_view message(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!message.empty() && message.front() == '\n') message.remove_prefix(1);
  message = message.substr(0, message.find('\n'));
  return message.empty() ? "" : ": " + printable(std::string(message));
}

std::string Decompressor::finish() {
  if (child_ <= 0) return "";
  pollfd still_there{errors_, 0, 0};
  if (poll_retrying(&still_there, 1, kExitGraceMs) == 0) ::kill(child_, SIGKILL);
  const int status = wait_for(child_);
  child_ = -1;
  end_feeder();
  if (WIFEXITED(feeder_status_) && WEXITSTATUS(feeder_status_) != 0) {
    return std::string("read failed: ") + std::strerror(WEXITSTATUS(feeder_status_));
  }
  const std::string command = name_ + " -dc ";
  if (WIFSIGNALED(status)) return command + "was ended by signal " + std::to_string(WTERMSIG(status)) + read_message();
  if (WEXITSTATUS(status) != 0)
    return command + "exited with status " + std::to_string(WEXITSTATUS(status)) + read_message();
  return "";
}

}  // namespace wirelap
