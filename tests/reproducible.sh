#!/bin/sh
# Builds the static PROGRAM again, from a copy of the sources in a folder with another name and depth, and checks that
# the bytes are the same.
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
