#!/bin/sh
# Checks the size of the static program, and runs it in a root with nothing else: no libraries, no /proc, /dev or /tmp.
# usage: tests/static.sh PROGRAM
set -eu
program=$1
limit=$((1024 * 1024))

size=$(wc -c < "$program")
[ "$size" -le $limit ] || { echo "static: $program has $size bytes; the limit is $limit" >&2; exit 1; }

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
  echo "static: $size bytes; not run, chroot and unshare are not permitted"
  exit 0
fi
$alone /wirelap -q fixtures/loss.pcap | cmp - fixtures/golden/loss.ndjson
$alone /wirelap -q - < fixtures/loss.pcap | sed 's|"capture":"-"|"capture":"fixtures/loss.pcap"|' | cmp - fixtures/golden/loss.ndjson
$alone /wirelap -q -o out.csv -f csv fixtures/loss.pcap
cmp "$root/out.csv" fixtures/golden/loss.csv
echo "static: $size bytes, runs in an empty root"
