#!/bin/sh
# Rewrites fixtures/golden: what each fixture gives in each format. The classic
# ones come from the second implementation, tests/oracle/classic.py, not from wirelap.
# usage: tests/golden.sh PROGRAM
set -eu
program=$1
mkdir -p fixtures/golden
rm -f fixtures/golden/*
for capture in fixtures/*.pcap; do
  name=$(basename "$capture" .pcap)
  case $name in tcp-*) options=--tcp ;; *) options= ;; esac
  for format in ndjson json csv table; do
    "$program" $options --format $format "$capture" > "fixtures/golden/$name.$format" 2>/dev/null
  done
  python3 tests/oracle/classic.py "$capture" --port 80 --port 4568 --port 8080 > "fixtures/golden/$name.classic"
done
for format in ndjson json csv table; do
  "$program" --connections --format $format fixtures/close.pcap > "fixtures/golden/close.connections.$format"
done
