// bench: runs a command once and prints its cost.
//
// usage: measure [--feed FILE | --feed-by COMMAND] COMMAND [ARG...]
//   --feed FILE        standard input is a pipe; another process writes FILE to it
//   --feed-by COMMAND  standard input is a pipe; the shell command COMMAND writes to it
// Prints, separated by tabs: wall, user and system seconds, peak resident KiB (including pages of mappings), and exit
// status. The command's output is discarded. This is a small program and no script because the peak of a child process
// is at least the size of its parent at the fork.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

double now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

/// Copies a file to standard output, 128 KiB at a time, as cat does.
[[noreturn]] void feed(const char* path) {
  static char buffer[128 << 10];
  const int fd = ::open(path, O_RDONLY);
  for (;;) {
    const ssize_t got = fd < 0 ? -1 : ::read(fd, buffer, sizeof buffer);
    if (got <= 0) ::_exit(got < 0 ? 1 : 0);
    for (ssize_t at = 0; at < got;) {
      const ssize_t written = ::write(STDOUT_FILENO, buffer + at, static_cast<std::size_t>(got - at));
      if (written <= 0) ::_exit(1);
      at += written;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* file = nullptr;
  const char* shell = nullptr;
  int command = 1;
  if (argc > 3 && std::strcmp(argv[1], "--feed") == 0) file = argv[2];
  if (argc > 3 && std::strcmp(argv[1], "--feed-by") == 0) shell = argv[2];
  if (file != nullptr || shell != nullptr) command = 3;
  if (argc <= command) {
    std::fputs("usage: measure [--feed FILE | --feed-by COMMAND] COMMAND [ARG...]\n", stderr);
    return 2;
  }
  const bool fed = file != nullptr || shell != nullptr;
  int ends[2] = {-1, -1};
  if (fed && ::pipe(ends) != 0) return 2;
  const double start = now();
  pid_t feeder = -1;
  if (fed) {
    feeder = ::fork();
    if (feeder == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      if (file != nullptr) feed(file);
      ::execl("/bin/sh", "sh", "-c", shell, nullptr);
      ::_exit(127);
    }
  }
  const pid_t child = ::fork();
  if (child == 0) {
    if (fed) {
      ::dup2(ends[0], STDIN_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
    }
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, STDOUT_FILENO);
    ::execvp(argv[command], argv + command);
    ::_exit(127);
  }
  if (fed) {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  const double wall = now() - start;
  if (feeder > 0) ::waitpid(feeder, nullptr, 0);
  std::printf("%.6f\t%.6f\t%.6f\t%ld\t%d\n", wall, seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss,
              WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
