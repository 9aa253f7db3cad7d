#!/bin/sh
# Fuzzes targets one after the other. What is found stays in CORPUS/TARGET for
# the next time, and what crashes in CORPUS/crashes.
# usage: run.sh FUZZER CORPUS SECONDS CAPTURES TARGET...
set -eu
fuzzer=$1 corpus=$2 seconds=$3 captures=$4
shift 4
mkdir -p "$corpus/crashes"
if [ ! -e "$corpus/seeded" ]; then
  find fixtures -name '*.pcap*' -print0 | xargs -0 "$(dirname "$fuzzer")/make-seeds" "$corpus"
  if [ -d "$captures" ]; then
    find "$captures" -name '*.*cap*' -size -2000k -print0 | xargs -0 -n 500 "$(dirname "$fuzzer")/make-seeds" "$corpus"
  fi
  touch "$corpus/seeded"
fi
status=0
for target; do
  mkdir -p "$corpus/$target"
  log=$corpus/$target.log
  echo "fuzz: $target"
  # Memory of one run is held to a cap by fuzzer.cc; these are for what is far past it.
  ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=64 WIRELAP_TARGET=$target "$fuzzer" -max_total_time="$seconds" -max_len=4096 -timeout=10 -malloc_limit_mb=64 \
    -rss_limit_mb=1500 -reload=0 -print_final_stats=1 -artifact_prefix="$corpus/crashes/$target-" \
    "$corpus/$target" $(ls -d "fixtures/corpus/$target" 2> /dev/null) > "$log" 2>&1 ||
    { status=1; tail -n 60 "$log"; }
  grep -E 'DONE|number_of_executed_units|average_exec' "$log" || true
done
exit $status
