#!/bin/sh
# Copies the best inputs of CORPUS to fixtures/corpus: for each target a minimized set that covers
# the same code, the shortest inputs first, up to MAX_BYTES bytes in total.
# usage: keep.sh FUZZER CORPUS TARGET...
set -eu
fuzzer=$1 corpus=$2
shift 2
MAX_BYTES=${MAX_BYTES:-34000}
for target; do
  minimized=$(mktemp -d)
  WIRELAP_TARGET=$target "$fuzzer" -merge=1 -set_cover_merge=1 -max_len=2048 "$minimized" "$corpus/$target" > "$corpus/$target.merge.log" 2>&1
  kept=fixtures/corpus/$target
  rm -rf "$kept"
  mkdir -p "$kept"
  held=0
  for input in $(ls -rS "$minimized"); do
    held=$((held + $(wc -c < "$minimized/$input")))
    [ "$held" -le "$MAX_BYTES" ] || break
    cp "$minimized/$input" "$kept"
  done
  echo "$target: $(ls "$kept" | wc -l) of $(ls "$minimized" | wc -l) inputs"
  rm -r "$minimized"
done
