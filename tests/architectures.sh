#!/bin/sh
# Builds the program for other machines, with 32 bits and with the other byte order, and runs it under qemu on every
# fixture: each output must be the one of the program for this machine. A machine is skipped, with a message, if its
# compiler or emulator is not installed.
# usage: tests/architectures.sh BUILD [MACHINE...]
set -eu
build=$1
shift
failed=0
[ $# -gt 0 ] || set -- i686 s390x aarch64

# Compares the outputs of a program ("$@", with its emulator) with those of build/wirelap.
compare() {
  wrong=0 compared=0
  for capture in fixtures/*.pcap; do
    name=$(basename "$capture" .pcap)
    for format in ndjson json csv table classic; do
      case $format in classic) options='-p 80 -p 4568 -p 8080' ;; *) options='--tcp --connections --packets' ;; esac
      "$build/wirelap" $options -q -f $format "$capture" > "$build/here" 2> /dev/null || true
      "$@" $options -q -f $format "$capture" 2> /dev/null | cmp -s - "$build/here" ||
        { wrong=$((wrong + 1)); echo "architectures: $capture, $format: differs" >&2; }
      compared=$((compared + 1))
    done
    cat "$capture" | "$@" -p 80 -p 4568 -p 8080 -q -f classic - 2> /dev/null | cmp -s - "fixtures/golden/$name.classic" ||
      { wrong=$((wrong + 1)); echo "architectures: $capture, classic through a pipe: differs" >&2; }
  done
  # A file of more than 2 GiB; it is damaged at its start, so reading it takes no time.
  head -c 24 fixtures/loss.pcap > "$build/large.pcap"
  printf '\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377' >> "$build/large.pcap"
  truncate -s 3G "$build/large.pcap"
  for capture in fixtures/dress/* "$build/large.pcap"; do
    "$@" -q -f csv "$capture" > "$build/there" 2> "$build/there.errors" || true
    "$build/wirelap" -q -f csv "$capture" > "$build/here" 2> "$build/here.errors" || true
    cmp -s "$build/there" "$build/here" && cmp -s "$build/there.errors" "$build/here.errors" ||
      { wrong=$((wrong + 1)); echo "architectures: $capture differs" >&2; }
    compared=$((compared + 1))
  done
  rm -f "$build/large.pcap"
  echo "architectures: $machine: $compared outputs, $wrong differ"
  [ $wrong = 0 ]
}

for machine; do
  case $machine in i686) emulator=qemu-i386-static ;; *) emulator=qemu-$machine-static ;; esac
  compiler=$machine-linux-gnu-g++
  if ! command -v $compiler > /dev/null || ! command -v $emulator > /dev/null; then
    echo "architectures: $machine: NOT TRIED, apt-get install g++-$machine-linux-gnu qemu-user-static"
    continue
  fi
  ${MAKE:-make} -s CXX="${COMPILER_CACHE:-} $compiler" CXXFLAGS=-O1 BUILD="$build/$machine" "$build/$machine/static/wirelap" > "$build/$machine.log" 2>&1 ||
    { cat "$build/$machine.log" >&2; failed=1; continue; }
  if grep -q '\[-W' "$build/$machine.log"; then cat "$build/$machine.log" >&2; failed=1; fi
  compare $emulator "$build/$machine/static/wirelap" || failed=1
done
exit $failed
