#!/bin/sh
# Compares the instructions a packet, stage by stage, with those in instructions.tsv: 3 % more is an error. The count of
# a stage includes the stages before it. With `update`, the new counts replace the stored ones. The last stage is the
# whole: it may cost at most 8 % more than in instructions-origin.tsv, which no update changes.
# usage: bench/guard.sh FOLDER 'COMPILER AND FLAGS' [update]
#   FOLDER contains the programs `generate` and `stages`.
set -eu
folder=$1
compiler=$2
update=${3:-}
here=$(dirname "$0")
stored=$here/instructions.tsv
origin=$here/instructions-origin.tsv

command -v valgrind > /dev/null || { echo "guard: skipped, valgrind is not installed"; exit 0; }

work=$(mktemp -d "$folder/guard.XXXXXX")
trap 'rm -rf "$work"' EXIT
make_capture() { # NAME BYTES [FLOWS]
  "$folder/generate" --kind "$1" --bytes "$2" ${3:+--flows "$3"} --output "$work/$1.pcap"
}
make_capture bulk 4M
make_capture mix 3M 16
make_capture small 800K
make_capture wide 300K 2000
make_capture lossy 3M 8
make_capture chunked 3M
make_capture tls 3M
make_capture pipelined 1M 4

dumps=
for stage in read decode table stream message report; do
  dumps="$dumps --dump-after=stage_$stage"
done
# The environment is on the stack and would change its alignment.
(cd "$work" && env -i PATH="$PATH" valgrind --tool=callgrind --callgrind-out-file=counts \
  --toggle-collect='stage_*' $dumps \
  ../stages bulk.pcap mix.pcap small.pcap wide.pcap lossy.pcap chunked.pcap tls.pcap pipelined.pcap \
  > runs 2> log) || { cat "$work/log" >&2; exit 1; }

{
  echo "# Instructions a packet, from reading up to each stage, counted by callgrind."
  echo "# compiler: $compiler"
  printf 'capture\tstage\tinstructions_a_packet\n'
  part=0
  while read -r capture stage packets _; do
    part=$((part + 1))
    awk -v capture="$capture" -v stage="$stage" -v packets="$packets" '
      /^totals:/ { printf "%s\t%s\t%.1f\n", capture, stage, $2 / packets }' "$work/counts.$part"
  done < "$work/runs"
} > "$work/instructions.tsv"

if [ "$update" = update ]; then
  cp "$work/instructions.tsv" "$stored"
  echo "guard: $stored is rewritten"
  exit 0
fi
# compare STORED PERCENT STAGE: an error where a count of STAGE (an extended regular expression) is PERCENT above STORED.
compare() {
  same=true
  [ "$(sed -n 's/^# compiler: //p' "$1")" = "$compiler" ] || same=false
  awk -F '\t' -v same=$same -v limit="$2" -v stage="^($3)$" -v name="$(basename "$1" .tsv)" '
    /^#/ || $1 == "capture" || $2 !~ stage { next }
    NR == FNR { stored[$1 FS $2] = $3; next }
    !($1 FS $2 in stored) { print "guard: no count in " name ": " $1 " " $2; worse += 1; next }
    { rows += 1; key = $1 FS $2; total += $3; before += stored[key]; ratio = $3 / stored[key]; delete stored[key] }
    ratio > 1 + limit / 100 {
      printf "guard: %s up to %s: %.1f instructions a packet, %+.1f %%\n", $1, $2, $3, (ratio - 1) * 100
      worse += 1
    }
    ratio < 0.97 { better += 1 }
    END {
      for (key in stored) { print "guard: not counted: " key; worse += 1 }
      if (better) print "guard: " better " counts are at least 3 % below " name
      printf "guard: %d counts compared with %s, in total %+.1f %%\n", rows, name, (total / before - 1) * 100
      if (worse && same == "false") print "guard: the stored counts are of another compiler: no error"
      if (worse && same == "true") exit 1
    }' "$1" "$work/instructions.tsv"
}
compare "$stored" 3 '.*' || { echo "guard: if the costs are justified: make bench-update"; exit 1; }
# An update must not hide that costs add up.
compare "$origin" 8 report || { echo "guard: the whole costs too much more than it did at first"; exit 1; }
