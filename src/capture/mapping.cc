#include "capture/mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace wirelap {
namespace {

// What a signal's handler can get at. The signal comes to the thread that looked.
thread_local Mapping* guarded = nullptr;

std::uint64_t page_bytes() { return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace

int Mapping::map(int fd, std::uint64_t offset, std::size_t length) {
  unmap();
  const auto before = static_cast<std::size_t>(offset % page_bytes());
  void* const start = ::mmap(nullptr, before + length, PROT_READ, MAP_PRIVATE, fd, static_cast<off_t>(offset - before));
  if (start == MAP_FAILED) return errno;
  ::madvise(start, before + length, MADV_SEQUENTIAL);
  start_ = start;
  length_ = before + length;
  bytes_ = {static_cast<const std::uint8_t*>(start) + before, length};
  guarded = this;
  return 0;
}

void Mapping::unmap() {
  if (start_ == nullptr) return;
  ::munmap(start_, length_);
  if (guarded == this) guarded = nullptr;
  start_ = nullptr;
  bytes_ = {};
  torn_ = 0;
}

void Mapping::handle_bus_errors() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

/// Puts zeros where the file was, from the page that is gone to the mapping's end.
void Mapping::on_bus_error(int signal, siginfo_t* info, void*) {
  const int saved = errno;
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const std::uintptr_t start = guarded == nullptr ? 0 : reinterpret_cast<std::uintptr_t>(guarded->start_);
  bool mended = false;
  if (guarded != nullptr && at >= start && at < start + guarded->length_) {
    const std::uintptr_t page = at - static_cast<std::uintptr_t>(at % page_bytes());
    mended = ::mmap(reinterpret_cast<void*>(page), start + guarded->length_ - page, PROT_READ,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
    guarded->torn_ = 1;
  }
  // Nobody's error that is known here: it comes again, and ends the process.
  if (!mended) ::signal(signal, SIG_DFL);
  errno = saved;
}

}  // namespace wirelap
