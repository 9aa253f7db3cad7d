// fuzz: turns of unknown protocols.
#include "fuzz/script.h"
#include "fuzz/target.h"

namespace wirelap::fuzz {

void run_tcp(Bytes input) {
  EngineOptions options;
  options.tcp = true;
  options.wanted.connections = true;
  play(split_script(input), options);
}

}  // namespace wirelap::fuzz
