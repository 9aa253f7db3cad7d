#!/bin/sh
# Installs to an empty folder, builds the example (fixtures/embed.cc) against what is
# installed, and compares what it prints with the program's output.
# usage: tests/library.sh BUILD
set -eu
build=$1
command -v pkg-config > /dev/null || { echo "library: skipped, pkg-config is not installed"; exit 0; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
${MAKE:-make} -s BUILD="$build" PREFIX="$root" DESTDIR= install

PKG_CONFIG_PATH=$root/lib/pkgconfig
export PKG_CONFIG_PATH
${CXX:-g++} -std=c++17 -Wall -Wextra -Werror fixtures/embed.cc -o "$root/embed" $(pkg-config --cflags --libs wirelap)

for capture in fixtures/s3-session.pcap fixtures/h2.pcap fixtures/dress/nanoseconds.pcapng; do
  "$root/bin/wirelap" -q --packets - < "$capture" > "$root/expected"
  "$root/embed" < "$capture" 2> /dev/null | cmp - "$root/expected"
done
[ -s "$root/expected" ]
echo "library: the example runs, against $(cd "$root" && find include lib -type f | sort | tr '\n' ' ')"
