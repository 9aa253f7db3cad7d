#include "fuzz/target.h"

#include <cstdio>
#include <cstdlib>

namespace wirelap::fuzz {

void require(bool held, const char* file, unsigned line) {
  if (held) return;
  std::fprintf(stderr, "%s:%u: does not hold\n", file, line);
  std::abort();
}

}  // namespace wirelap::fuzz
