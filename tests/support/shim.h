// Runs the program with system calls that fail (support/shim.cc).
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "run.h"

namespace wirelap::test {

/// The command that runs the program with `arguments` and the failures `failures`, which support/shim.cc lists.
inline std::vector<std::string> shimmed(const std::string& failures, const std::vector<std::string>& arguments) {
  const char* const shim = std::getenv("WIRELAP_SHIM_LIBRARY");
  REQUIRE(shim != nullptr);
  std::vector<std::string> command = {"/usr/bin/env", "LD_PRELOAD=" + std::string(shim), "WIRELAP_SHIM=" + failures,
                                      "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0", program()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

/// Whether the shim library is available; reports a skipped test otherwise.
inline bool has_shim() {
  if (std::getenv("WIRELAP_SHIM_LIBRARY") != nullptr) return true;
  MESSAGE("skipped: WIRELAP_SHIM_LIBRARY is not set; make test sets it");
  return false;
}

}  // namespace wirelap::test
