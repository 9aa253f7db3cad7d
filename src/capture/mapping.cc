#include "capture/mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace wirelap {
namespace {

// The mapping that the signal handler protects. The thread that read the lost page gets the signal.
thread_local Mapping* protected_mapping = nullptr;

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
  protected_mapping = this;
  return 0;
}

void Mapping::unmap() {
  if (start_ == nullptr) return;
  ::munmap(start_, length_);
  if (protected_mapping == this) protected_mapping = nullptr;
  start_ = nullptr;
  bytes_ = {};
  lost_pages_ = 0;
}

void Mapping::handle_bus_errors() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

/// Replaces the mapping by zeros, from the lost page to the mapping's end.
void Mapping::on_bus_error(int signal, siginfo_t* info, void*) {
  const int saved = errno;
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const std::uintptr_t start =
      protected_mapping == nullptr ? 0 : reinterpret_cast<std::uintptr_t>(protected_mapping->start_);
  bool replaced = false;
  if (protected_mapping != nullptr && at >= start && at < start + protected_mapping->length_) {
    const std::uintptr_t page = at - static_cast<std::uintptr_t>(at % page_bytes());
    replaced = ::mmap(reinterpret_cast<void*>(page), start + protected_mapping->length_ - page, PROT_READ,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
    protected_mapping->lost_pages_ = 1;
  }
  // The address is in no mapping of this class: with the default action, the signal comes again and ends the process.
  if (!replaced) ::signal(signal, SIG_DFL);
  errno = saved;
}

}  // namespace wirelap
