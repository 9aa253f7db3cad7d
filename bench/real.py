#!/usr/bin/env python3
"""make bench-real CAPTURES=DIR: times with captures of others, compared with libpcap's loop with an empty callback.
Generated captures contain only what somebody thought of; a capture that is much slower than others here shows a slow
path.

Each capture (pcap, little-endian) is repeated with later times until it is large enough to time. Every repetition has
connections of its own."""

import argparse
import os
import struct

import lab

MAGIC = b"\xd4\xc3\xb2\xa1"
LAST_SECOND = 0xFFFFFFFF


def records_of(content):
    """Yields (seconds, all bytes after them) of each complete record."""
    at = 24
    while at + 16 <= len(content):
        second, _, captured, _ = struct.unpack_from("<IIII", content, at)
        end = at + 16 + captured
        if captured > 262144 or end > len(content):
            return
        yield second, content[at + 4:end]
        at = end


def repeat(content, size, path):
    """Writes the capture repeatedly, about `size` bytes. Returns the number of packets, or 0 if later times would not fit
    into 32 bits."""
    records = list(records_of(content))
    if not records:
        return 0
    latest = max(second for second, _ in records)
    step = latest - min(second for second, _ in records) + 200
    times = min(max(1, size // len(content)), 1 + (LAST_SECOND - latest) // step)
    if times * len(content) < size / 2:
        return 0
    with open(path, "wb") as file:
        file.write(content[:24])
        for number in range(times):
            file.write(b"".join(struct.pack("<I", second + number * step) + rest for second, rest in records))
    return times * len(records)


def captures_in(folder, least):
    for parent, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(parent, name)
            if os.path.isfile(path) and os.path.getsize(path) >= least:
                yield path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("captures")
    parser.add_argument("--size", type=int, default=40_000_000)
    parser.add_argument("--least", type=int, default=6_000, help="bytes of a capture")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    bench = lab.Lab(arguments.build)
    path = os.path.join(bench.folder, "real.pcap")
    rows = []
    for capture in captures_in(arguments.captures, arguments.least):
        with open(capture, "rb") as file:
            content = file.read()
        packets = repeat(content, arguments.size, path) if content.startswith(MAGIC) else 0
        if packets == 0:
            continue
        variants = [[bench.wirelap, "-q", "-f", "ndjson", path], [bench.tool("libpcap"), path]]
        runs = [[bench.measure(command).wall for command in variants] for _ in range(arguments.rounds)]
        wirelap, libpcap = (min(run[i] for run in runs) for i in (0, 1))
        rows.append((wirelap / libpcap, [os.path.relpath(capture, arguments.captures), str(packets),
                                         "%.0f" % (wirelap / packets * 1e9), "%.2f" % (wirelap / libpcap)]))
    os.unlink(path)
    if not rows:
        lab.die("no usable captures in " + arguments.captures)
    rows.sort(reverse=True)
    lab.print_table(["capture", "packets", "ns/packet", "x libpcap"], [row for _, row in rows])
    print("\n%d captures: ratio %.2f in the mean, %d above 1" %
          (len(rows), sum(ratio for ratio, _ in rows) / len(rows), sum(ratio > 1 for ratio, _ in rows)))


main()
