#!/bin/sh
# Runs every command that the README shows: each indented line after a '$ '. Those
# that install, build or need a live interface ('# live') are only parsed, those
# with a tool that is not here ('# jq') passed over.
# usage: tests/commands.sh PROGRAM
set -eu
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
PATH=$(dirname "$program"):$PATH
export PATH
count=0
list=$(mktemp)
trap 'rm -f "$list"' EXIT
sed -n 's/^ *\$ //p' README.md > "$list"
while IFS= read -r command; do
  command=$(printf '%s' "$command" | sed "s|build/wirelap|$program|g")
  tool=$(echo "$command" | sed -n 's/.*# \([a-z]*\)$/\1/p')
  if [ -n "$tool" ] && [ "$tool" != live ] && ! command -v "$tool" > /dev/null; then continue; fi
  case "$command" in
    *'# live'*|*'apt-get'*|make*) sh -n -c "$command" ;;
    *) sh -c "$command" > /dev/null 2>&1 || { echo "commands: failed: $command" >&2; exit 1; } ;;
  esac
  count=$((count + 1))
done < "$list"
echo "commands: $count of the README run"
[ $count -gt 0 ]
