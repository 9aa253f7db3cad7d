#include "base/sandbox.h"

#include <asm/ioctls.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define WIRELAP_SANITIZED
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define WIRELAP_SANITIZED
#endif

namespace wirelap {

#ifdef WIRELAP_SANITIZED
const bool kSandboxSupported = false;
#else
const bool kSandboxSupported = true;
#endif

namespace {

#if defined(__x86_64__) && !defined(__ILP32__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__i386__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_I386;
#elif defined(__aarch64__) && !defined(__ILP32__)
constexpr std::uint32_t kArchitecture = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? AUDIT_ARCH_AARCH64 : 0;
#elif defined(__s390x__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_S390X;
#else
constexpr std::uint32_t kArchitecture = 0;
#endif

/// A system call that is allowed where the low 32 bits of one argument, masked, are `value`.
struct Allowed {
  std::uint32_t call;
  std::uint8_t argument = 0;  // the argument's index
  std::uint32_t mask = 0;     // 0: allowed with all arguments
  std::uint32_t value = 0;
};

/// The system calls that reading captures and writing records needs, with any C library.
constexpr Allowed kAllowed[] = {
    // Open files.
    {SYS_read},
    {SYS_pread64},
    {SYS_write},
    {SYS_writev},
    {SYS_close},
    {SYS_lseek},
    {SYS_ftruncate},
#ifdef SYS__llseek
    {SYS__llseek},
#endif
#ifdef SYS_ftruncate64
    {SYS_ftruncate64},
#endif
    {SYS_ppoll},
#ifdef SYS_poll
    {SYS_poll},
#endif
#ifdef SYS_ppoll_time64
    {SYS_ppoll_time64},
#endif
    // A terminal's width, and whether it is one.
    {SYS_ioctl, 1, ~0u, TIOCGWINSZ},
    {SYS_ioctl, 1, ~0u, TCGETS},
    // Requests to the Starter's process, its replies, and its exit.
    {SYS_sendmsg},
    {SYS_recvmsg},
#ifdef SYS_socketcall
    {SYS_socketcall, 0, ~0u, SYS_SENDMSG},
    {SYS_socketcall, 0, ~0u, SYS_RECVMSG},
#endif
    {SYS_wait4},
#ifdef SYS_waitpid
    {SYS_waitpid},
#endif
    // Memory, but none that is executable.
    {SYS_brk},
    {SYS_munmap},
    {SYS_mremap},
    {SYS_madvise},
    {SYS_mprotect, 2, PROT_EXEC, 0},
#if defined(__s390x__)
    {SYS_mmap},  // its arguments are in memory, which a filter cannot read
#elif defined(SYS_mmap2)
    {SYS_mmap2, 2, PROT_EXEC, 0},
#else
    {SYS_mmap, 2, PROT_EXEC, 0},
#endif
    // The time, where the vDSO does not provide it, and random bytes.
    {SYS_clock_gettime},
#ifdef SYS_clock_gettime64
    {SYS_clock_gettime64},
#endif
    {SYS_gettimeofday},
#ifdef SYS_time
    {SYS_time},
#endif
    {SYS_getrandom},
    // Signals, and returning from their handlers.
    {SYS_rt_sigreturn},
#ifdef SYS_sigreturn
    {SYS_sigreturn},
#endif
    {SYS_restart_syscall},
    {SYS_rt_sigaction},
    {SYS_rt_sigprocmask},
    {SYS_getpid},
    {SYS_gettid},
    {SYS_exit},
    {SYS_exit_group},
};

/// Offset of the low 32 bits of an argument.
constexpr std::uint32_t offset_of_argument(unsigned argument) {
  const bool big = std::endian::native == std::endian::big;
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t) + (big ? 4 : 0));
}

/// Builds a seccomp filter, a program in BPF.
class Filter {
 public:
  Filter() {
    load(offsetof(seccomp_data, arch));
    compare(kArchitecture, 1, 0);  // skips the next instruction
    add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    load(offsetof(seccomp_data, nr));
  }

  /// Adds the instructions for one allowed call.
  void allow(const Allowed& allowed) {
    if (allowed.mask == 0) {
      compare(allowed.call, 0, 1);
      add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
      return;
    }
    compare(allowed.call, 0, 5);
    load(offset_of_argument(allowed.argument));
    add(BPF_ALU | BPF_AND | BPF_K, allowed.mask);
    compare(allowed.value, 0, 1);
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    load(offsetof(seccomp_data, nr));
  }

  /// Completes the filter, so that all other calls kill the process, and installs it.
  bool install() {
    add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    // Kernels before 5.16 enable costly mitigations against speculation for a process with a filter, unless it
    // declines them, because it runs no foreign code.
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kSpecAllow, &program) == 0) return true;
    return errno == EINVAL && ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
  }

 private:
  static constexpr unsigned kSpecAllow = 1u << 2;  // SECCOMP_FILTER_FLAG_SPEC_ALLOW

  void add(unsigned code, std::uint32_t value, std::uint8_t if_true = 0, std::uint8_t if_false = 0) {
    code_.push_back({static_cast<std::uint16_t>(code), if_true, if_false, value});
  }
  void load(std::size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
  void compare(std::uint32_t value, std::uint8_t if_equal, std::uint8_t if_not) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, if_equal, if_not);
  }

  std::vector<sock_filter> code_;
};

bool install_call_filter() {
  Filter filter;
  for (const Allowed& allowed : kAllowed) filter.allow(allowed);
  // abort() sends a signal to its own process.
  filter.allow({SYS_tgkill, 0, ~0u, static_cast<std::uint32_t>(::getpid())});
  return filter.install();
}

// landlock(7). Defined here because older systems have no linux/landlock.h.
constexpr long kLandlockCreateRuleset = 444;
constexpr long kLandlockRestrictSelf = 446;
constexpr unsigned kLandlockReturnVersion = 1;

/// landlock_ruleset_attr: the accesses that a ruleset forbids.
struct LandlockRuleset {
  std::uint64_t files;
  std::uint64_t network;  // since version 4
  std::uint64_t scoped;   // since version 6
};

/// A ruleset that forbids all accesses that `version` of Landlock can forbid. Sets `bytes` to the size of
/// that version's structure.
LandlockRuleset all_of_landlock(long version, std::size_t& bytes) {
  LandlockRuleset all{0x1fff, 0, 0};
  bytes = sizeof all.files;
  if (version >= 2) all.files |= 1u << 13;  // link and rename across folders
  if (version >= 3) all.files |= 1u << 14;  // truncate by name
  if (version >= 5) all.files |= 1u << 15;  // ioctl on devices that are opened later
  if (version >= 4) {
    all.network = 3;  // bind and connect TCP
    bytes = offsetof(LandlockRuleset, scoped);
  }
  if (version >= 6) {
    all.scoped = 3;  // abstract Unix sockets, signals
    bytes = sizeof all;
  }
  return all;
}

bool install_landlock() {
  const long version = ::syscall(kLandlockCreateRuleset, nullptr, 0, kLandlockReturnVersion);
  if (version < 1) return false;
  std::size_t bytes = 0;
  const LandlockRuleset rules = all_of_landlock(version, bytes);
  const long ruleset = ::syscall(kLandlockCreateRuleset, &rules, bytes, 0);
  if (ruleset < 0) return false;
  const bool restricted = ::syscall(kLandlockRestrictSelf, ruleset, 0) == 0;
  ::close(static_cast<int>(ruleset));
  return restricted;
}

constexpr unsigned kNobody = 65534;  // user and group: Linux's overflow IDs

/// Becomes a user other than root. Returns false where the process is still root.
bool change_user() {
  if (::geteuid() != 0) return true;
  const uid_t user = ::getuid() != 0 ? ::getuid() : kNobody;
  const gid_t group = ::getuid() != 0 ? ::getgid() : kNobody;
  ::setgroups(0, nullptr);
  if (::setresgid(group, group, group) != 0) return false;
  return ::setresuid(user, user, user) == 0;
}

bool drop_capabilities() {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  return ::syscall(SYS_capset, &head, none) == 0;
}

}  // namespace

const bool kSeccompSupported = kArchitecture != 0;

bool drop_root() {
  if (!kSandboxSupported) return false;
  const bool gains_no_rights = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  const bool is_user = change_user();
  return drop_capabilities() && is_user && gains_no_rights;
}

bool restrict_files() { return kSandboxSupported && install_landlock(); }
bool restrict_calls() { return kSandboxSupported && kSeccompSupported && install_call_filter(); }

}  // namespace wirelap
