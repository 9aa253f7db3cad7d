#!/bin/sh
# Checks what the compiler does not: the order of the stages, who may print or throw, the format of the code, and the
# man pages.
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

# An analyzer includes no other analyzer.
for folder in src/app/*/; do
  wrong=$(grep -nE '^#include "app/' "$folder"* | grep -vE "\"app/(analyzer\.h|$(basename "$folder")/)" || true)
  [ -z "$wrong" ] || complain "$folder includes another analyzer:
$wrong"
done

# Only main.cc prints or exits, and nothing throws.
library=$(find src -name '*.h' -o -name '*.cc' | grep -v '^src/main.cc$')
wrong=$(grep -nE '\b(printf|fprintf|puts|std::cout|std::cerr|std::exit|exit\(|throw)\b' $library | grep -vE '^[^:]*:[0-9]+: *//' | grep -v snprintf || true)
[ -z "$wrong" ] || complain "only main.cc may print, exit or throw:
$wrong"

if command -v clang-format > /dev/null; then
  clang-format --dry-run -Werror $library src/main.cc bench/*.cc tests/fuzz/*.cc tests/fuzz/*.h 2> /dev/null ||
    complain "the format is not that of .clang-format; run clang-format -i"
fi

if command -v mandoc > /dev/null; then
  mandoc -T lint src/doc/*.[15] >&2 || complain "mandoc reports problems in the man pages"
fi

[ $fail = 0 ] && echo "lint: ok"
exit $fail
