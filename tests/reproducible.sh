#!/bin/sh
# Builds the static program in two folders of different names: one hash.
# usage: tests/reproducible.sh
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in one another/deeper; do
  mkdir -p "$folder/$name"
  cp -r Makefile src tests fixtures "$folder/$name"
  (cd "$folder/$name" && find . -exec touch {} + && ${MAKE:-make} -s ${CXX:+CXX="$CXX"} BUILD="build-$name" static > /dev/null)
  hash=$(sha256sum < "$folder/$name/build-$name/static/wirelap")
  [ "$hash" = "${first:=$hash}" ] || { echo "reproducible: NO, $first and $hash" >&2; exit 1; }
done
echo "reproducible: ${first%% *}"
