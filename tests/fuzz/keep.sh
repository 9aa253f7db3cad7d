#!/bin/sh
# Keeps in fixtures/corpus what covers most in least: for each target a minimized
# part of what fuzzing has found, the shortest inputs first, up to MOST bytes.
# usage: keep.sh FUZZER CORPUS TARGET...
set -eu
fuzzer=$1 corpus=$2
shift 2
MOST=${MOST:-34000}
for target; do
  least=$(mktemp -d)
  WIRELAP_TARGET=$target "$fuzzer" -merge=1 -set_cover_merge=1 -max_len=2048 "$least" "$corpus/$target" > "$corpus/$target.merge.log" 2>&1
  kept=fixtures/corpus/$target
  rm -rf "$kept"
  mkdir -p "$kept"
  held=0
  for input in $(ls -rS "$least"); do
    held=$((held + $(wc -c < "$least/$input")))
    [ "$held" -le "$MOST" ] || break
    cp "$least/$input" "$kept"
  done
  echo "$target: $(ls "$kept" | wc -l) of $(ls "$least" | wc -l) inputs"
  rm -r "$least"
done
