#!/bin/sh
# What the compiler does not check: the order of the stages, and who may print or throw.
set -eu
fail=0
complain() { echo "lint: $1" >&2; fail=1; }

# A stage includes only itself and those before it.
allowed=
for stage in base capture wire flow http h2 tls tcp report; do
  allowed="$allowed${allowed:+|}$stage"
  wrong=$(grep -nE '^#include "' "src/$stage"/*.h "src/$stage"/*.cc | grep -vE "#include \"($allowed)/" || true)
  [ -z "$wrong" ] || complain "src/$stage includes what stands after it:
$wrong"
done

# The library never prints, exits or throws; only main.cc does.
library=$(ls src/*.cc src/*.h src/*/*.cc src/*/*.h | grep -v '^src/main.cc$')
wrong=$(grep -nE '\b(printf|fprintf|puts|std::cout|std::cerr|std::exit|exit\(|throw)\b' $library | grep -vE '^[^:]*:[0-9]+: *//' | grep -v snprintf || true)
[ -z "$wrong" ] || complain "only main.cc prints, exits or throws:
$wrong"

if command -v clang-format > /dev/null; then
  clang-format --dry-run -Werror $library src/main.cc bench/*.cc tests/fuzz/*.cc tests/fuzz/*.h 2> /dev/null || complain "not as .clang-format has it: clang-format -i"
fi

[ $fail = 0 ] && echo "lint: ok"
exit $fail
