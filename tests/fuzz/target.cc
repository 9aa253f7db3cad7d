#include "fuzz/target.h"

#include <cstdio>
#include <cstdlib>

namespace wirelap::fuzz {

void require(bool holds, const char* file, unsigned line) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: a check failed\n", file, line);
  std::abort();
}

}  // namespace wirelap::fuzz
