#!/bin/sh
# Holds the static program to its size, and runs it where there is nothing else:
# no library, no /proc, /dev or /tmp.
# usage: tests/static.sh PROGRAM
set -eu
program=$1
most=$((1024 * 1024))

size=$(wc -c < "$program")
[ "$size" -le $most ] || { echo "static: $program has $size bytes, the most is $most" >&2; exit 1; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp "$program" "$root/wirelap"
mkdir "$root/fixtures"
cp fixtures/loss.pcap "$root/fixtures"
if [ "$(id -u)" = 0 ]; then
  alone="chroot $root"
elif unshare --map-root-user true 2> /dev/null; then
  alone="unshare --map-root-user --root=$root"
else
  echo "static: $size bytes; not run alone, chroot and unshare are not allowed"
  exit 0
fi
$alone /wirelap -q fixtures/loss.pcap | cmp - fixtures/golden/loss.ndjson
$alone /wirelap -q - < fixtures/loss.pcap | sed 's|"capture":"-"|"capture":"fixtures/loss.pcap"|' | cmp - fixtures/golden/loss.ndjson
$alone /wirelap -q -o out.csv -f csv fixtures/loss.pcap
cmp "$root/out.csv" fixtures/golden/loss.csv
echo "static: $size bytes, runs in an empty root"
