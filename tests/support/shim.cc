// Makes system calls of a program fail: a library for LD_PRELOAD that replaces some
// functions of the C library. WIRELAP_SHIM contains words with spaces in between:
//   interrupt    half of all calls of read, write and poll, at random, return EINTR
//   short        read returns at most 7 bytes, write writes at most 5
//   read=N       the Nth read fails (EIO)
//   write=N      the Nth write fails (EIO)
//   clock        each call of the monotonic clock returns at least a second more
//   late         closing standard output fails (ENOSPC)
#include <dlfcn.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

/// The number behind `word=` in WIRELAP_SHIM; 1 for the word alone; 0 where the word is missing.
long setting(const char* word) {
  const char* const settings = std::getenv("WIRELAP_SHIM");
  const char* const at = settings != nullptr ? std::strstr(settings, word) : nullptr;
  if (at == nullptr) return 0;
  return at[std::strlen(word)] == '=' ? std::atol(at + std::strlen(word) + 1) : 1;
}

bool interrupts() {
  static const bool is_set = setting("interrupt") != 0;
  static unsigned chance = 1;
  chance = chance * 1103515245 + 12345;  // not strictly alternating: a loop of two calls would never end
  if (!is_set || (chance >> 16 & 1) == 0) return false;
  errno = EINTR;
  return true;
}

bool fails(long& calls, long nth) {
  if (nth == 0 || ++calls != nth) return false;
  errno = EIO;
  return true;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" ssize_t read(int fd, void* bytes, size_t count) {
  static const auto next = real<ssize_t(int, void*, size_t)>("read");
  static const bool is_short = setting("short") != 0;
  static const long nth = setting("read");
  static long calls = 0;
  if (interrupts() || fails(calls, nth)) return -1;
  return next(fd, bytes, is_short ? std::min<size_t>(count, 7) : count);
}

extern "C" ssize_t write(int fd, const void* bytes, size_t count) {
  static const auto next = real<ssize_t(int, const void*, size_t)>("write");
  static const bool is_short = setting("short") != 0;
  static const long nth = setting("write");
  static long calls = 0;
  if (interrupts() || fails(calls, nth)) return -1;
  return next(fd, bytes, is_short ? std::min<size_t>(count, 5) : count);
}

extern "C" int poll(pollfd* fds, nfds_t count, int timeout_ms) {
  static const auto next = real<int(pollfd*, nfds_t, int)>("poll");
  return interrupts() ? -1 : next(fds, count, timeout_ms);
}

extern "C" int close(int fd) {
  static const auto next = real<int(int)>("close");
  static const bool late = setting("late") != 0;
  if (!late || fd != STDOUT_FILENO) return next(fd);
  errno = ENOSPC;
  return -1;
}

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  static const auto next = real<int(clockid_t, timespec*)>("clock_gettime");
  static const bool runs = setting("clock") != 0;
  static time_t looks = 0;
  const int status = next(clock, now);
  if (runs && clock == CLOCK_MONOTONIC) now->tv_sec += ++looks;
  return status;
}
