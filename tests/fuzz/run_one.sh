#!/bin/sh
# Fuzzes one target. The inputs that it finds are in CORPUS/TARGET, its output in CORPUS/TARGET.log.
# MAX_LEN: bytes of the longest input. Small inputs run fast, and cover as much.
# usage: run_one.sh FUZZER CORPUS SECONDS TARGET
set -eu
fuzzer=$1 corpus=$2 seconds=$3 target=$4
mkdir -p "$corpus/$target"
log=$corpus/$target.log
status=0
# Without -entropic libFuzzer chooses the next input in almost no time. fuzzer.cc limits the memory of each
# input; the limits here end a process that is far above it.
ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=64:malloc_context_size=2 \
  WIRELAP_TARGET=$target "$fuzzer" -max_total_time="$seconds" -max_len="${MAX_LEN:-1024}" -entropic=0 -timeout=10 \
  -malloc_limit_mb=64 -rss_limit_mb=1500 -reload=0 -print_final_stats=1 -dict=tests/fuzz/words.dict \
  -artifact_prefix="$corpus/crashes/$target-" "$corpus/$target" $(ls -d "fixtures/corpus/$target" 2> /dev/null) \
  > "$log" 2>&1 || { status=1; tail -n 60 "$log"; }
echo "fuzz: $target: $(grep -E 'DONE' "$log" || echo stopped)"
exit $status
