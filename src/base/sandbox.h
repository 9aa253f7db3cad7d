// base: the sandbox: removes rights that the process no longer needs.
//
// In: a process that has opened its files. Out: a process that can only read, write
// and close its open files, allocate memory and read the time. Linux only. Only a
// program may decide this for its process: the library does not call these functions.
#pragma once

namespace wirelap {

/// False in a build with AddressSanitizer, whose runtime opens files and traces processes at exit.
/// The functions below then do nothing and return false.
extern const bool kSandboxSupported;

/// Whether restrict_calls() supports this architecture: x86-64, i386, aarch64 or s390x.
extern const bool kSeccompSupported;

// Each function returns whether the system supports the restriction and has applied it. The restriction
// is permanent, for the calling thread and all threads and processes that it creates.

/// To be called once the files that only root may open are open. A root process becomes the user nobody
/// (65534), or the user who called a set-user-ID program, without groups. All capabilities are removed.
/// This process and its children cannot gain rights by exec (no_new_privs).
bool drop_root();

/// To be called once all files are open, after drop_root(). The process can then open no file (Landlock,
/// since Linux 5.13) and no TCP connection (since Linux 6.7).
bool restrict_files();

/// To be called once all child processes are started, after drop_root(). A system call that is not
/// needed to read and write open files then kills the process (seccomp).
bool restrict_calls();

}  // namespace wirelap
