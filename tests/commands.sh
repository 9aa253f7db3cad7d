#!/bin/sh
# Runs every command that the READMEs and the man pages show: each line that begins with '$ '. Where lines of output
# follow, they are compared: those that begin with 'wirelap: ' with standard error, the others with standard output.
# The commands run in a folder of their own, with capture.pcap beside fixtures/. Those that install, build or need a
# live interface ('# live') are only parsed; those with a tool that is not installed ('# jq') are skipped.
# Also checks that every `make TARGET` in these documents is a target.
# usage: tests/commands.sh PROGRAM
set -eu
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
PATH=$(dirname "$program"):$PATH
export PATH
root=$PWD
documents="$(find README.md src tests bench fixtures -name README.md) $(ls src/doc/*.[15])"
for target in $(grep -ohE '(`|^ *|\$ )make [a-z][a-z-]*' $documents | sed 's/.*make //' | sort -u); do
  grep -qE "^(\.PHONY:.* )?$target(:| |\$)" Makefile || { echo "commands: make $target is in a document, but no target" >&2; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$root/fixtures" "$folder/fixtures"
ln -s "$root/fixtures/s3-session.pcap" "$folder/capture.pcap"
ln -s "$root/fixtures/s3-session.pcap" "$folder/capture.pcap1"

# N.command and, where output is shown, N.out and N.err. Output is indented as its command is, and ends with a line that
# is not, or with the display of a man page.
awk -v folder="$folder" '
  match($0, /^ *\$ /) { name = sprintf("%s/%03d", folder, ++count); indent = RLENGTH - 2
                        print substr($0, RLENGTH + 1) > (name ".command"); next }
  name == "" { next }
  /^$|^\./ || substr($0, 1, indent) ~ /[^ ]/ { name = ""; next }
  { line = substr($0, indent + 1); print line > (name (line ~ /^wirelap: / ? ".err" : ".out")) }
' $documents

cd "$folder"
ran=0 compared=0
for file in *.command; do
  name=${file%.command}
  command=$(sed "s|build/wirelap|$program|g" "$file")
  tool=$(sed -n 's/.*# \([a-z]*\)$/\1/p' "$file")
  if [ -n "$tool" ] && [ "$tool" != live ] && ! command -v "$tool" > /dev/null; then continue; fi
  case "$command" in
    *'# live'*|*'apt-get'*|make*) sh -n -c "$command" ;;
    *) sh -c "$command" > stdout 2> stderr < /dev/null || { echo "commands: failed: $command" >&2; cat stderr >&2; exit 1; } ;;
  esac
  ran=$((ran + 1))
  for stream in out err; do
    [ -e "$name.$stream" ] || continue
    compared=$((compared + 1))
    diff -u "$name.$stream" "std$stream" >&2 || { echo "commands: other output than shown: $command" >&2; exit 1; }
  done
done
echo "commands: $ran of the READMEs and the man pages run, $compared outputs are as shown"
[ $ran -gt 0 ] && [ $compared -gt 0 ]
