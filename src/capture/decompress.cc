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

constexpr int kEndGraceMs = 1000;               // from the end of its output to its own
constexpr std::size_t kWordsBytes = 200;        // of what a child says
constexpr std::size_t kFeedBytes = 64 << 10;    // a pipe's default size
constexpr unsigned kLeastOpenFiles = 1u << 16;  // where close_range is not there

/// A pipe whose ends do not take the place of a standard descriptor.
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

/// The path of the program `name` in the folders of PATH; empty where none has it.
/// The current folder is not searched, whatever PATH says.
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

/// The environment of a decompressor: GZIP, XZ_OPT and the like would change what
/// it does, a language what it says.
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

// From here to exec only what is safe after fork in a process with threads.

void close_from(unsigned first) {
  if (::syscall(SYS_close_range, first, ~0u, 0) == 0) return;
  for (unsigned fd = first; fd < kLeastOpenFiles; ++fd) ::close(static_cast<int>(fd));
}

/// Ctrl-C in a terminal reaches children too; they shall go on until wirelap
/// has read what it still wants.
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

/// Copies `held` and then descriptor 0 to descriptor 1. Its exit code is the
/// errno of a read that failed.
[[noreturn]] void feed(Bytes held) {
  std::uint8_t piece[kFeedBytes];
  if (!write_all(STDOUT_FILENO, held.data(), held.size())) ::_exit(0);
  for (;;) {
    pollfd ready[2] = {{STDIN_FILENO, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
    if (::poll(ready, 2, -1) < 0 && errno != EINTR) ::_exit(errno);
    if (ready[1].revents != 0) ::_exit(0);  // nobody reads on
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
  ::kill(feeder_, SIGKILL);  // where it is about to exit by itself, that is what its status says
  feeder_status_ = wait_for(feeder_);
  feeder_ = -1;
}

int Decompressor::start_on_file(const std::string& name, int fd) { return start(name, fd); }

// Not a loop over poll in the reader: a process that blocks in read and write
// cannot deadlock with the decompressor, and an end of either is an end of file.
int Decompressor::start_on_pipe(const std::string& name, int fd, Bytes held) {
  Pipe feed_pipe;
  if (const int error = feed_pipe.open(); error != 0) return error;
  if (const int error = start(name, feed_pipe.read_end); error != 0) return error;
  feeder_ = ::fork();
  if (feeder_ == 0) {
    set_child_signals();
    ::signal(SIGPIPE, SIG_IGN);
    if (::dup2(fd, STDIN_FILENO) < 0 || ::dup2(feed_pipe.write_end, STDOUT_FILENO) < 0) ::_exit(errno);
    close_from(STDERR_FILENO);  // another pipe's write end kept open would keep its reader waiting
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
  // Nobody reads what the child says before its end: what does not fit is lost, and nobody waits.
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

std::string Decompressor::words() {
  ::fcntl(errors_, F_SETFL, O_NONBLOCK);
  char text[kWordsBytes];
  const ssize_t got = ::read(errors_, text, sizeof text);
  std::string_view said(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!said.empty() && said.front() == '\n') said.remove_prefix(1);
  said = said.substr(0, said.find('\n'));
  return said.empty() ? "" : ": " + printable(std::string(said));
}

std::string Decompressor::finish() {
  if (child_ <= 0) return "";
  pollfd still_there{errors_, 0, 0};
  if (poll_retrying(&still_there, 1, kEndGraceMs) == 0) ::kill(child_, SIGKILL);
  const int status = wait_for(child_);
  child_ = -1;
  end_feeder();
  if (WIFEXITED(feeder_status_) && WEXITSTATUS(feeder_status_) != 0) {
    return std::string("cannot be read on: ") + std::strerror(WEXITSTATUS(feeder_status_));
  }
  const std::string command = name_ + " -dc ended ";
  if (WIFSIGNALED(status)) return command + "by signal " + std::to_string(WTERMSIG(status)) + words();
  if (WEXITSTATUS(status) != 0) return command + "with status " + std::to_string(WEXITSTATUS(status)) + words();
  return "";
}

}  // namespace wirelap
