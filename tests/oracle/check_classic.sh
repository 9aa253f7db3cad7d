#!/bin/sh
# The classic outputs in fixtures/golden are what the second implementation says.
set -eu
command -v python3 > /dev/null || { echo "classic oracle: skipped, there is no python3"; exit 0; }
for capture in fixtures/*.pcap; do
  golden=fixtures/golden/$(basename "$capture" .pcap).classic
  python3 tests/oracle/classic.py "$capture" --port 80 --port 4568 --port 8080 | cmp - "$golden"
done
echo "classic oracle: agrees on all fixtures"
