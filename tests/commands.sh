#!/bin/sh
# Runs every command that the README and the man pages show: each line that begins with '$ '. They run in a folder of
# their own, with capture.pcap beside fixtures/. Commands that install, build or need a live interface ('# live') are
# only parsed; those with a tool that is not installed ('# jq') are skipped.
# usage: tests/commands.sh PROGRAM
set -eu
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
PATH=$(dirname "$program"):$PATH
export PATH
root=$PWD
count=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^ *\$ //p' README.md src/doc/wirelap.1 src/doc/wirelap-records.5 > "$folder/list"
ln -s "$root/fixtures" "$folder/fixtures"
ln -s "$root/fixtures/s3-session.pcap" "$folder/capture.pcap"
ln -s "$root/fixtures/s3-session.pcap" "$folder/capture.pcap1"
cd "$folder"
while IFS= read -r command; do
  command=$(printf '%s' "$command" | sed "s|build/wirelap|$program|g")
  tool=$(echo "$command" | sed -n 's/.*# \([a-z]*\)$/\1/p')
  if [ -n "$tool" ] && [ "$tool" != live ] && ! command -v "$tool" > /dev/null; then continue; fi
  case "$command" in
    *'# live'*|*'apt-get'*|make*) sh -n -c "$command" ;;
    *) sh -c "$command" > /dev/null 2>&1 || { echo "commands: failed: $command" >&2; exit 1; } ;;
  esac
  count=$((count + 1))
done < list
echo "commands: $count of the README and the man pages run"
[ $count -gt 0 ]
