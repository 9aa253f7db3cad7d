#!/bin/sh
# A packet in order costs no allocation: with a length, in chunks, in TLS.
# usage: bench/allocations.sh FOLDER      with the programs `generate` and `allocations`
set -eu
folder=$1/in-order
mkdir -p "$folder"
for kind in bulk chunked tls; do
  "$1/generate" --kind $kind --flows 1 --bytes 4M --response 4M --output "$folder/$kind.pcap"
done
"$1/allocations" "$folder"/bulk.pcap "$folder"/chunked.pcap "$folder"/tls.pcap
