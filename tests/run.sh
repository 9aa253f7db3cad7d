#!/bin/sh
# Runs the tests of one flavour, a process for each *_test.cc file and one for the timelines, as many at once as there
# are processors. Prints what failed, then the sums; the log is BUILD/FLAVOUR/tests.log.
# usage: tests/run.sh BUILD FLAVOUR PROGRAM [DOCTEST-OPTION...]
set -u
build=$1 flavour=$2
export WIRELAP=$3 WIRELAP_SHIM_LIBRARY=$build/shim.so
shift 3
logs=$build/$flavour/logs
rm -rf "$logs"
mkdir -p "$logs"
# The largest files take longest, and start first.
{ ls -S tests/*_test.cc && echo tests/timelines/; } | xargs -P "$(nproc 2> /dev/null || echo 1)" -I '{}' sh -c '
  log=$1/$(basename "$2" .cc); run=$3; file=$2; shift 3
  "$run" -sf="*$file*" "$@" > "$log" 2>&1 && exit
  cat "$log" && exit 1' run "$logs" '{}' "$build/$flavour/run-tests" "$@"
status=$?
cat "$logs"/* > "$build/$flavour/tests.log"
echo "$flavour: $(tests/sum.sh < "$build/$flavour/tests.log")"
[ $status -eq 0 ]
