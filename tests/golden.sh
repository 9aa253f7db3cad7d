#!/bin/sh
# Rewrites fixtures/golden: the output of PROGRAM for each fixture as a table and as records with one column a line, and
# for three fixtures in the other formats. The classic outputs come from a second implementation, tests/oracle/classic.py.
# usage: tests/golden.sh PROGRAM
set -eu
program=$1
mkdir -p fixtures/golden
rm -f fixtures/golden/*

golden() { # NAME FORMAT OPTION...
  file=fixtures/golden/$1.$2 format=$2
  shift 2
  "$program" -q --format "$format" "$@" > "$file" 2> /dev/null
}

records() { # NAME OPTION...
  file=fixtures/golden/$1.records
  shift
  "$program" -q --format ndjson "$@" 2> /dev/null | python3 tests/transpose.py > "$file"
}

for capture in fixtures/*.pcap; do
  name=$(basename "$capture" .pcap)
  case $name in tcp-*) options=--tcp ;; *) options= ;; esac
  golden "$name" table $options "$capture"
  records "$name" $options "$capture"
  python3 tests/oracle/classic.py "$capture" --port 80 --port 4568 --port 8080 > "fixtures/golden/$name.classic"
done

# Records of connections: with refused and reset ones, of a VLAN, with loss, reordering and closed windows.
for capture in fixtures/close.pcap fixtures/vlan.pcap fixtures/causes/reordered-24ms/client.pcap \
  fixtures/causes/reordered-farther-48ms/client.pcap fixtures/causes/slow-reader-14ms/client.pcap; do
  case $capture in fixtures/causes/*) name=$(basename "$(dirname "$capture")") ;; *) name=$(basename "$capture" .pcap) ;; esac
  golden "$name.connections" table --connections "$capture"
  records "$name.connections" --connections "$capture"
done

records s3-session.extra --s3 --packets --header content-type fixtures/s3-session.pcap
for format in ndjson json csv; do
  golden loss $format fixtures/loss.pcap
  golden close.connections $format --connections fixtures/close.pcap
  golden s3-session.extra $format --s3 --packets --header content-type fixtures/s3-session.pcap
done
