#!/usr/bin/env python3
"""Compares numbers of packets and of TCP packets in a folder of captures with those of capinfos and tshark.

    packets.py COUNT_PACKETS CAPTURES_DIR [--known FILE]

CAPTURES_DIR/INDEX.tsv contains both numbers for each capture (tshark's with its filter `tcp`). FILE contains the
differences in TCP packets that are explained, one a line: path, tab, wirelap's count, tab, reason.

Exit code: 1 if a number of packets differs, a difference is not explained, or an explained count has changed; 2 for
wrong usage; else 0, also if the folder does not exist.
"""

import argparse
import csv
import os
import subprocess
import sys

def count_all(tool, paths):
    """Returns (records, segments, reasons) by path; None for a file that is not a capture."""
    output = subprocess.run([tool, *paths], check=True, capture_output=True, text=True).stdout
    counts = {}
    for line in output.splitlines():
        path, records, segments, *reasons = line.split("\t")
        counts[path] = None if records == "-" else (int(records), int(segments), reasons)
    return counts


def read_known(path):
    """Returns (count, reason) by capture."""
    known = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                capture, count, reason = line.rstrip("\n").split("\t")
                known[capture] = int(count), reason
    return known


def main():
    parser = argparse.ArgumentParser(description="compare TCP packets with tshark's count")
    parser.add_argument("tool")
    parser.add_argument("folder")
    parser.add_argument("--known", help="explained differences: path, tab, count, tab, reason")
    arguments = parser.parse_args()
    index = os.path.join(arguments.folder, "INDEX.tsv")
    if not os.path.exists(index):
        print(f"packets: skipped, no INDEX.tsv in {arguments.folder}")
        return 0
    known = read_known(arguments.known) if arguments.known else {}
    with open(index, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    equal = explained = wrong = 0
    paths = {row["path"]: os.path.join(arguments.folder, row["path"]) for row in rows}
    counts = count_all(arguments.tool, list(paths.values()))
    for row in rows:
        path, theirs = row["path"], int(row["tcp_packets"] or 0)
        records, ours, reasons = counts[paths[path]] or (0, 0, ["not read"])
        if records != int(row["packets"]):
            wrong += 1
            print(f"  {path}: {records} packets, capinfos {row['packets']}")
        elif ours == theirs and path not in known:
            equal += 1
        elif path in known and known[path][0] == ours:
            explained += 1
        else:
            wrong += 1
            print(f"  {path}: {ours} TCP packets of {records}, tshark {theirs}; " + "; ".join(reasons))
    print(f"packets: {equal} captures agree with tshark, {explained} explained, {wrong} not")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
