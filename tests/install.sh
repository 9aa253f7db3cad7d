#!/bin/sh
# Installs to an empty folder, checks which files are installed, builds the example (fixtures/embed.cc) against the
# installed library and compares its output with the program's.
# usage: tests/install.sh BUILD
set -eu
build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
${MAKE:-make} -s BUILD="$build" PREFIX="$root" DESTDIR= install

(cd "$root" && find . -type f | LC_ALL=C sort) | diff - /dev/fd/3 3<< 'END'
./bin/wirelap
./include/wirelap.h
./lib/libwirelap.a
./lib/pkgconfig/wirelap.pc
./share/bash-completion/completions/wirelap
./share/fish/vendor_completions.d/wirelap.fish
./share/man/man1/wirelap.1
./share/man/man5/wirelap-records.5
./share/zsh/site-functions/_wirelap
END
echo "install: $(find "$root" -type f | wc -l) files"

command -v pkg-config > /dev/null || { echo "install: the example is skipped, pkg-config is not installed"; exit 0; }
PKG_CONFIG_PATH=$root/lib/pkgconfig
export PKG_CONFIG_PATH
${CXX:-g++} -std=c++17 -Wall -Wextra -Werror fixtures/embed.cc -o "$root/embed" $(pkg-config --cflags --libs wirelap)
for capture in fixtures/s3-session.pcap fixtures/h2.pcap fixtures/dress/nanoseconds.pcapng; do
  "$root/bin/wirelap" -q --packets - < "$capture" > "$root/expected"
  "$root/embed" < "$capture" 2> /dev/null | cmp - "$root/expected"
done
[ -s "$root/expected" ]
echo "install: the example prints what the program prints"
