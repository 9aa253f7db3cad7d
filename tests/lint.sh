#!/bin/sh
# Checks what the compiler does not: the order of the stages, and who may print or throw.
set -eu
fail=0
complain() { echo "lint: $1" >&2; fail=1; }

# A stage includes only itself and the stages before it.
allowed=
for stage in base capture wire flow timing exchange app record output; do
  allowed="$allowed${allowed:+|}$stage"
  files=$(find "src/$stage" -name '*.h' -o -name '*.cc')
  wrong=$(grep -nE '^#include "' $files | grep -vE "#include \"($allowed)/" || true)
  [ -z "$wrong" ] || complain "src/$stage includes a later stage:
$wrong"
done

# The library never prints, exits or throws. Only main.cc does.
library=$(find src -name '*.h' -o -name '*.cc' | grep -v '^src/main.cc$')
wrong=$(grep -nE '\b(printf|fprintf|puts|std::cout|std::cerr|std::exit|exit\(|throw)\b' $library | grep -vE '^[^:]*:[0-9]+: *//' | grep -v snprintf || true)
[ -z "$wrong" ] || complain "only main.cc may print, exit or throw:
$wrong"

if command -v clang-format > /dev/null; then
  clang-format --dry-run -Werror $library src/main.cc bench/*.cc tests/fuzz/*.cc tests/fuzz/*.h 2> /dev/null ||
    complain "the format is not that of .clang-format; run clang-format -i"
fi

[ $fail = 0 ] && echo "lint: ok"
exit $fail
