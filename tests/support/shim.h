// The program with calls that go wrong, or a clock that runs: support/shim.cc.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "run.h"

namespace wirelap::test {

/// Where the calls go wrong as `wishes` say; support/shim.cc.
inline std::vector<std::string> shimmed(const std::string& wishes, const std::vector<std::string>& arguments) {
  const char* const shim = std::getenv("WIRELAP_SHIM_LIBRARY");
  REQUIRE(shim != nullptr);
  std::vector<std::string> command = {"/usr/bin/env", "LD_PRELOAD=" + std::string(shim), "WIRELAP_SHIM=" + wishes,
                                      "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0", program()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

inline bool has_shim() {
  if (std::getenv("WIRELAP_SHIM_LIBRARY") != nullptr) return true;
  MESSAGE("skipped: WIRELAP_SHIM_LIBRARY names no shim, as make test does");
  return false;
}

}  // namespace wirelap::test
