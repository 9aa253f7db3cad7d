#!/usr/bin/env python3
"""Counts the TCP packets of a folder of real captures and compares with tshark's count.

    packets.py COUNT_PACKETS CAPTURES_DIR [--known FILE]

CAPTURES_DIR/INDEX.tsv has tshark's count for each capture (its filter `tcp`). A
difference was looked up in the packets, or is to be: FILE has a line for each
that is explained: path, tab, wirelap's count, tab, reason. pcapng is converted
by editcap, which keeps one link type alone: a capture with several is passed over.

Exit: 1 where a difference is not explained, or an explained count is another
than before; else 0, also where the folder is absent. 2 is bad usage.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile

PCAP_MAGICS = {b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"}


def as_pcap(path, number, folder):
    """Returns the path of a plain pcap of the capture; None where there is no way to one."""
    with open(path, "rb") as file:
        if file.read(4) in PCAP_MAGICS:
            return path
    converted = os.path.join(folder, f"{number}.pcap")
    done = subprocess.run(["editcap", "-F", "nsecpcap", path, converted],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return converted if done.returncode == 0 else None


def count_all(tool, paths):
    """Returns (records, segments, reasons) by path; None for what is no capture."""
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
    equal = explained = wrong = skipped = 0
    with tempfile.TemporaryDirectory() as folder:
        converted = {row["path"]: as_pcap(os.path.join(arguments.folder, row["path"]), number, folder)
                     for number, row in enumerate(rows)}
        counts = count_all(arguments.tool, [path for path in converted.values() if path])
        for row in rows:
            path, theirs = row["path"], int(row["tcp_packets"] or 0)
            result = counts.get(converted[path])
            if result is None:
                skipped += 1
                continue
            records, ours, reasons = result
            if ours == theirs and path not in known:
                equal += 1
            elif path in known and known[path][0] == ours:
                explained += 1
            else:
                wrong += 1
                print(f"  {path}: {ours} TCP packets of {records}, tshark {theirs}; " + "; ".join(reasons))
    print(f"TCP packets: {equal} captures equal to tshark, {explained} explained, {wrong} not; "
          f"{skipped} are no pcap of one link type")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
