// base: the process's rights, given up.
//
// In: a process that has opened all that it needs. Out: one that can read, write
// and close what is open, and ask for memory and the time; Linux alone knows
// how. Only a program may decide that about itself: the library calls nothing
// of this.
#pragma once

namespace wirelap {

/// False in a build with AddressSanitizer, whose runtime opens files and traces
/// processes at the end: the functions below then do nothing.
extern const bool kSandboxSupported;

/// Whether this machine's system calls are known to the filter: x86-64, i386, aarch64, s390x.
extern const bool kSeccompSupported;

// Each is true where the system has it and lets it be given up, and holds for
// ever, for the calling thread and all that it makes or starts.

/// When what only root may open is open: becomes nobody (65534) where it is root,
/// or the user who called a set-user-ID program, without groups and capabilities.
/// Neither it nor what it starts can gain rights by exec any more (no_new_privs).
bool drop_root();

/// When all is open: it opens no file (Landlock, from Linux 5.13 on), and no TCP
/// connection (6.7). To be called after drop_root.
bool restrict_files();

/// When all is started: a system call that reading what is open and writing does
/// not need kills it (seccomp). To be called after drop_root.
bool restrict_calls();

}  // namespace wirelap
