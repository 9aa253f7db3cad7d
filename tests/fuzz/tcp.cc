// Turns of protocols that are not known: told by counts alone.
#include "fuzz/script.h"
#include "fuzz/target.h"

namespace wirelap::fuzz {

void run_tcp(Bytes input) {
  EngineOptions options;
  options.tcp = true;
  options.wanted.connections = true;
  play(take_script(input), options);
}

}  // namespace wirelap::fuzz
