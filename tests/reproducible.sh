#!/bin/sh
# Builds PROGRAM, the static one, once more, from a copy of the sources in a
# folder of another name and depth: the same bytes.
# usage: tests/reproducible.sh PROGRAM
set -eu
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/somewhere/else"
cp -r Makefile src "$folder/somewhere/else"
(cd "$folder/somewhere/else" && ${MAKE:-make} -s ${CXX:+CXX="$CXX"} BUILD=there there/static/wirelap > /dev/null)
cmp "$program" "$folder/somewhere/else/there/static/wirelap"
echo "reproducible: $(sha256sum < "$program" | cut -d ' ' -f 1)"
