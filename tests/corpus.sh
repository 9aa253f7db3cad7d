#!/bin/sh
# Runs a sanitized PROGRAM on each capture of a folder, with three sets of options, and counts the errors: any exit code
# above 1. A damaged capture is no error; an invalid read, an overflow or a leak is.
# usage: tests/corpus.sh PROGRAM CAPTURES
set -u
program=$1 captures=$2
export ASAN_OPTIONS=exitcode=99:detect_leaks=1 UBSAN_OPTIONS=exitcode=99
count=0 bad=0
run() {
  timeout 60 "$program" "$@" > /dev/null 2>&1
  status=$?
  [ "$status" -le 1 ] && return
  bad=$((bad + 1))
  echo "corpus: exit $status: $*"
}
for capture in $(find "$captures" -type f -name '*.*cap*' ! -name '*.log' | sort); do
  count=$((count + 1))
  run -f ndjson "$capture"
  run -f json --tcp --connections --packets --s3 "$capture"
  run -f classic "$capture"
done
echo "corpus: $count captures, $bad errors"
[ "$count" -gt 0 ] && [ "$bad" -eq 0 ]
