// bench: writes a flood of any size to standard output, as a capture (see tests/support/flood.h).
//
// usage: flood KIND COUNT

#include "../tests/support/flood.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc != 3 || !wirelap::test::Flood::is_kind(argv[1])) {
    std::fputs("usage: flood syns|gaps|heads|streams|fragments|large|reading|shifts COUNT\n", stderr);
    return 2;
  }
  wirelap::test::Flood flood(argv[1], std::strtoull(argv[2], nullptr, 10));
  for (auto bytes = flood.next(); !bytes.empty(); bytes = flood.next()) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) return 1;
  }
  std::fprintf(stderr, "%llu packets\n", static_cast<unsigned long long>(flood.packets()));
  return std::fflush(stdout) == 0 ? 0 : 1;
}
