// base: the process's rights, given up.
//
// In: a process that has opened all that it needs. Out: one that can read, write
// and close what is open, and ask for memory and the time; Linux alone knows
// how. Only a program may decide that about itself: the library calls nothing
// of this.
#pragma once

namespace wirelap {

/// What a process has given up. What the system does not have, or does not let
/// it give up, is false and no error.
struct GivenUp {
  bool gaining = false;  ///< no_new_privs: neither it nor what it starts can gain rights by exec
  bool root = false;     ///< user, groups and capabilities of root, where it had them
  bool files = false;    ///< Landlock (5.13): it opens no file, and (6.7) no TCP connection
  bool calls = false;    ///< seccomp: a system call that reading does not need kills it
};

/// False in a build with AddressSanitizer, whose runtime opens files and traces
/// processes at the end: the functions below then do nothing.
extern const bool kCanGiveUp;

/// Whether this machine's system calls are known to the filter: x86-64, i386, aarch64, s390x.
extern const bool kHasCallFilter;

/// First, when what only root may open is open: sets no_new_privs, becomes
/// nobody (65534) where it is root, or the user who called a set-user-ID program,
/// and drops all capabilities. Children that are started now are nobody's, too.
GivenUp give_up_root();

/// Then, when all is open and started: closes the file system and the calls. It
/// holds for the calling thread and all that it makes, and for ever.
GivenUp give_up_calls();

}  // namespace wirelap
