#!/bin/sh
# Compares the classic outputs in fixtures/golden with those of the second implementation, classic.py.
set -eu
command -v python3 > /dev/null || { echo "classic oracle: skipped, python3 is not installed"; exit 0; }
for capture in fixtures/*.pcap; do
  golden=fixtures/golden/$(basename "$capture" .pcap).classic
  python3 tests/oracle/classic.py "$capture" --port 80 --port 4568 --port 8080 | cmp - "$golden"
done
echo "classic oracle: agrees for all fixtures"
