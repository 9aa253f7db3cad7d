#!/bin/sh
# Fuzzes targets, JOBS at a time. Inputs that cover more code stay in CORPUS/TARGET for the next run,
# and inputs that fail in CORPUS/crashes.
# usage: run.sh FUZZER CORPUS SECONDS JOBS CAPTURES TARGET...
set -eu
fuzzer=$1 corpus=$2 seconds=$3 jobs=$4 captures=$5
shift 5
mkdir -p "$corpus/crashes"
if [ ! -e "$corpus/seeded" ]; then
  find fixtures -name '*.pcap*' -print0 | xargs -0 "$(dirname "$fuzzer")/make-seeds" "$corpus"
  if [ -d "$captures" ]; then
    find "$captures" -name '*.*cap*' -size -2000k -print0 | xargs -0 -n 500 "$(dirname "$fuzzer")/make-seeds" "$corpus"
  fi
  touch "$corpus/seeded"
fi
printf '%s\n' "$@" | xargs -P "$jobs" -n 1 tests/fuzz/run_one.sh "$fuzzer" "$corpus" "$seconds"
