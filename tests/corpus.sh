#!/bin/sh
# Runs a sanitized PROGRAM over each capture in a folder, plain and with all it can
# tell, and counts: a capture may be damaged, but nothing may be read, counted or
# kept that must not be.
# usage: survive.sh PROGRAM CAPTURES
set -u
program=$1 captures=$2
export ASAN_OPTIONS=exitcode=99:detect_leaks=1 UBSAN_OPTIONS=exitcode=99
count=0 bad=0
run() {
  timeout 60 "$program" "$@" > /dev/null 2>&1
  status=$?
  [ "$status" -le 1 ] && return
  bad=$((bad + 1))
  echo "survive: exit $status: $*"
}
for capture in $(find "$captures" -type f -name '*.*cap*' ! -name '*.log' | sort); do
  count=$((count + 1))
  run -f ndjson "$capture"
  run -f json --tcp --connections --packets --s3 "$capture"
  run -f classic "$capture"
done
echo "survive: $count captures, $bad errors"
[ "$count" -gt 0 ] && [ "$bad" -eq 0 ]
