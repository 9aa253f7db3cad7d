// base/sandbox: removed rights stay removed, reading still works, and the program
// removes its rights.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "base/sandbox.h"
#include "support/process.h"
#include "support/run.h"

namespace wirelap::test {
namespace {

constexpr int kUnsupported = 77;  // exit code of a child whose system lacks the restriction

/// Runs `what` in a child process. Returns its exit code, or 128 + the number of the signal that ended it.
int in_child(const std::function<int()>& what) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);                   // no core file of a child that is killed
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);  // the child must not write the parent's buffered output
    ::_exit(what());
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Runs `what` in a child process with restricted system calls.
int with_restricted_calls(const std::function<int()>& what) {
  return in_child([&] {
    drop_root();
    if (!restrict_calls()) return kUnsupported;
    return what();
  });
}

/// Whether restrict_calls() works here; reports a skipped test otherwise.
bool has_call_filter() {
  if (!kSandboxSupported) {
    MESSAGE("skipped: a build with AddressSanitizer has no sandbox");
    return false;
  }
  if (with_restricted_calls([] { return 0; }) != kUnsupported) return true;
  MESSAGE("skipped: no seccomp on this system or architecture");
  return false;
}

TEST_CASE("sandbox: a system call that is not allowed kills the process") {
  if (!has_call_filter()) return;
  struct Case {
    const char* name;
    std::function<long()> call;
  };
  static char* no_arguments[] = {nullptr};
  static const int here = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const Case cases[] = {
      {"socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
      {"open", [] { return ::open("/etc/passwd", O_RDONLY); }},
      {"create", [] { return ::open("/tmp/wirelap-never", O_WRONLY | O_CREAT, 0600); }},
      {"exec", [] { return ::execve("/bin/true", no_arguments, no_arguments); }},
      {"fork", [] { return ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
      {"clone3", [] { return ::syscall(SYS_clone3, nullptr, 0); }},
      {"kill", [] { return ::kill(::getppid(), 0); }},
      {"a signal to another process", [] { return ::syscall(SYS_tgkill, 1, 1, 0); }},
      {"ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
      {"executable memory", [] { return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED; }},
      {"memory made executable", [] {
         void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
       }},
      {"input for a terminal", [] { return ::ioctl(here, TIOCSTI, "x"); }},
      {"stat", [] {
         struct stat status {};
         return ::stat("/etc/passwd", &status);
       }},
      {"unlink", [] { return ::unlink("/tmp/wirelap-never"); }},
      {"chmod", [] { return ::chmod("/tmp/wirelap-never", 0777); }},
      {"setuid", [] { return ::setuid(0); }},
      {"prctl", [] { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }},
      {"connect", [] { return ::connect(here, nullptr, 0); }},
      {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
      {"a call that does not exist", [] { return ::syscall(4000); }},
#ifdef __x86_64__
      {"a call of the x32 ABI", [] { return ::syscall(0x40000000 + SYS_read, 0, nullptr, 0); }},
      {"a call of i386", [] {
         long result = 20;  // getpid on i386, writev on x86-64
         asm volatile("int $0x80" : "+a"(result) : : "memory");
         return result;
       }},
#endif
  };
  for (const Case& test : cases) {
    INFO(test.name);
    CHECK(with_restricted_calls([&] { return test.call() >= 0 ? 1 : 2; }) == 128 + SIGSYS);
  }
}

TEST_CASE("sandbox: reading and writing still work") {
  if (!has_call_filter()) return;
  char name[] = "/tmp/wirelap-test-XXXXXX";
  const int file = ::mkstemp(name);
  REQUIRE(file >= 0);
  ::unlink(name);
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  const int code = with_restricted_calls([&] {
    char piece[4] = "abc";
    if (::write(file, piece, 4) != 4 || ::lseek(file, 0, SEEK_SET) != 0 || ::read(file, piece, 4) != 4) return 1;
    if (::ftruncate(file, 2) != 0 || ::lseek(file, 0, SEEK_END) != 2) return 2;
    pollfd ready{pipe[0], POLLIN, 0};
    if (::poll(&ready, 1, 1) != 0) return 3;
    ::isatty(file);
    for (int i = 0; i < 100; ++i) {
      std::vector<char> memory(std::size_t{1} << (i % 22), 'x');
      memory.resize(memory.size() * 2);
    }
    if (::clock_gettime(CLOCK_MONOTONIC, new timespec) != 0) return 4;
    std::fprintf(stderr, "%s", "");
    if (::close(pipe[0]) != 0) return 5;
    std::exit(42);  // including exit handlers
  });
  CHECK(code == 42);
  CHECK(with_restricted_calls([]() -> int {
          ::signal(SIGABRT, SIG_DFL);  // not doctest's handler
          std::abort();
        }) == 128 + SIGABRT);
  for (const int fd : {file, pipe[0], pipe[1]}) ::close(fd);
}

TEST_CASE("sandbox: a wait continues after SIGSTOP and SIGCONT") {
  if (!has_call_filter()) return;
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    drop_root();
    if (!restrict_calls()) ::_exit(kUnsupported);
    pollfd ready{pipe[0], POLLIN, 0};
    ::_exit(::poll(&ready, 1, 20'000) == 1 ? 0 : 1);
  }
  int status = 0;
  for (int i = 0; i < 3; ++i) {
    ::kill(child, SIGSTOP);
    REQUIRE(::waitpid(child, &status, WUNTRACED) == child);
    REQUIRE(WIFSTOPPED(status));
    ::kill(child, SIGCONT);
  }
  REQUIRE(::write(pipe[1], "x", 1) == 1);
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_CASE("sandbox: with Landlock no file can be opened, and open files stay readable") {
  const int open = ::open("README.md", O_RDONLY | O_CLOEXEC);
  const int code = in_child([&] {
    drop_root();
    if (!restrict_files()) return kUnsupported;
    char byte;
    if (::read(open, &byte, 1) != 1) return 1;
    for (const char* const path : {"/etc/passwd", "/", "/dev/null", "/proc/self/fd/0"}) {
      if (::open(path, O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES) return 2;
    }
    if (::open("/tmp/wirelap-never", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0) return 3;
    if (::mkdir("/tmp/wirelap-never", 0700) == 0) return 4;
    return 0;
  });
  ::close(open);
  if (code == kUnsupported)
    MESSAGE("skipped: no Landlock on this system, or a build with AddressSanitizer");
  else
    CHECK(code == 0);
}

/// A value of /proc/PID/status.
std::string status_of(pid_t process, const std::string& key) {
  std::istringstream status(slurp("/proc/" + std::to_string(process) + "/status"));
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(key + ":")) continue;
    const std::size_t begin = line.find_first_not_of(" \t", key.size() + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "?";
}

TEST_CASE("sandbox: root rights and capabilities cannot be regained") {
  if (!kSandboxSupported) {
    MESSAGE("skipped: a build with AddressSanitizer has no sandbox");
    return;
  }
  const bool root = ::geteuid() == 0;
  CHECK(in_child([&] {
          if (!drop_root()) return 1;
          if (::geteuid() == 0) return 2;
          if (root && (::geteuid() != 65534 || ::getegid() != 65534 || ::getgroups(0, nullptr) != 0)) return 3;
          if (::setuid(0) == 0 || ::seteuid(0) == 0 || ::setgid(0) == 0) return root ? 4 : 0;
          return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 5;
        }) == 0);
  if (!root) MESSAGE("skipped in part: changing the user needs root");
}

/// Processes whose parent is `process`.
std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t id = std::atoi(entry.path().filename().c_str());
    if (id > 0 && status_of(id, "PPid") == std::to_string(process)) children.push_back(id);
  }
  return children;
}

const std::string kNobody = "65534\t65534\t65534\t65534";

TEST_CASE("sandbox: the program has removed its rights before it writes the first record") {
  Process process({program(), "-f", "ndjson"});
  process.write(slurp("fixtures/ipv6.pcap"));
  const std::string records = process.read_lines(4);
  REQUIRE(std::count(records.begin(), records.end(), '\n') == 4);
  const bool expected = kSandboxSupported && has_call_filter();
  // Without a sandbox the state is unchanged; a container may have restricted it before.
  CHECK(status_of(process.id(), "Seccomp") == (expected ? "2" : status_of(::getpid(), "Seccomp")));
  CHECK(status_of(process.id(), "NoNewPrivs") == (kSandboxSupported ? "1" : status_of(::getpid(), "NoNewPrivs")));
  if (kSandboxSupported) {
    for (const char* const set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
      CHECK(status_of(process.id(), set) == "0000000000000000");
    }
    if (::geteuid() == 0) {
      CHECK(status_of(process.id(), "Uid") == kNobody);
      CHECK(status_of(process.id(), "Gid") == kNobody);
      CHECK(status_of(process.id(), "Groups") == "");
    }
  }
  CHECK(children_of(process.id()).empty());  // an uncompressed capture needs no process that starts decompressors
  process.close_input();
  CHECK(process.wait() == 0);
}

TEST_CASE("sandbox: the process that starts decompressors is not root, and exists only where it may be needed") {
  Process process({program(), "-f", "ndjson", "fixtures/ipv6.pcap", "-"});
  const std::string records = process.read_lines(4);
  REQUIRE(std::count(records.begin(), records.end(), '\n') == 4);
  const std::vector<pid_t> children = children_of(process.id());
  REQUIRE(children.size() == 1);
  CHECK(status_of(children[0], "NoNewPrivs") == (kSandboxSupported ? "1" : status_of(::getpid(), "NoNewPrivs")));
  if (kSandboxSupported && ::geteuid() == 0) CHECK(status_of(children[0], "Uid") == kNobody);
  // Without that process, uncompressed captures are read, and a compressed one is an error.
  ::kill(children[0], SIGKILL);
  process.write(std::string("\x1f\x8b\x08", 3) + std::string(40, '\0'));
  CHECK(process.wait() == 1);
  CHECK(has(process.errors(), "wirelap: -: a gzip file, but gzip cannot be started: No child processes\n"));
}

TEST_CASE("sandbox: --no-sandbox keeps all rights") {
  Process process({program(), "--no-sandbox", "-f", "ndjson"});
  process.write(slurp("fixtures/ipv6.pcap"));
  const std::string records = process.read_lines(4);
  REQUIRE(std::count(records.begin(), records.end(), '\n') == 4);
  for (const char* const key : {"Seccomp", "NoNewPrivs", "Uid", "Gid", "CapEff"}) {
    CHECK(status_of(process.id(), key) == status_of(::getpid(), key));
  }
  process.close_input();
  CHECK(process.wait() == 0);
  if (run({"sh", "-c", "command -v gzip"}).exit_code != 0) return;
  const RunResult result = run({program(), "--no-sandbox", "-q", "-f", "ndjson", "fixtures/dress/nanoseconds.pcap.gz", "-"},
                               slurp("fixtures/dress/nanoseconds.pcap.gz"));
  CHECK(result.exit_code == 0);
  CHECK(result.errors == "");
  CHECK(std::count(result.output.begin(), result.output.end(), '\n') == 6);
}

#ifdef __x86_64__
TEST_CASE("sandbox: a program that is forced to make a forbidden system call is killed") {
  if (!has_call_filter()) return;
  Process process({program(), "-f", "ndjson"});
  process.write(slurp("fixtures/ipv6.pcap"));
  const std::string records = process.read_lines(4);
  REQUIRE(std::count(records.begin(), records.end(), '\n') == 4);
  if (::ptrace(PTRACE_SEIZE, process.id(), nullptr, nullptr) != 0) {
    MESSAGE("skipped: tracing is not allowed here");
    return;
  }
  int status = 0;
  REQUIRE(::ptrace(PTRACE_INTERRUPT, process.id(), nullptr, nullptr) == 0);
  REQUIRE(::waitpid(process.id(), &status, 0) == process.id());
  // The program waits in poll. When that call is restarted, the test replaces it by socket().
  REQUIRE(::ptrace(PTRACE_SYSCALL, process.id(), nullptr, nullptr) == 0);
  REQUIRE(::waitpid(process.id(), &status, 0) == process.id());
  REQUIRE(WIFSTOPPED(status));
  user_regs_struct registers{};
  REQUIRE(::ptrace(PTRACE_GETREGS, process.id(), nullptr, &registers) == 0);
  registers.orig_rax = SYS_socket;
  REQUIRE(::ptrace(PTRACE_SETREGS, process.id(), nullptr, &registers) == 0);
  REQUIRE(::ptrace(PTRACE_CONT, process.id(), nullptr, nullptr) == 0);
  CHECK(process.wait() == 128 + SIGSYS);
}
#endif

}  // namespace
}  // namespace wirelap::test
