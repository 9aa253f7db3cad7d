#!/bin/sh
# Checks that packets in order cause no allocation: in a body with a length, in a chunked one, and in TLS.
# usage: bench/allocations.sh FOLDER
#   FOLDER contains the programs `generate` and `allocations`.
set -eu
folder=$1/in-order
mkdir -p "$folder"
for kind in bulk chunked tls; do
  "$1/generate" --kind $kind --flows 1 --bytes 4M --response 4M --output "$folder/$kind.pcap"
done
"$1/allocations" "$folder"/bulk.pcap "$folder"/chunked.pcap "$folder"/tls.pcap
