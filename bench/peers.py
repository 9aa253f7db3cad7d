#!/usr/bin/env python3
"""make bench-peers: times of wirelap and of other programs that analyze the same captures, as a Markdown table."""

import argparse
import os
import shutil
import subprocess
import tempfile

import lab

# Each program runs with the options whose output is nearest to wirelap's.
PEERS = [
    ("tcptrace", ["tcptrace", "-n", "-l", "-r", "{capture}"], "-n -l -r"),
    ("httpry", ["httpry", "-q", "-o", "/dev/null", "-r", "{capture}"], "-q -o /dev/null"),
    ("tcpflow", ["tcpflow", "-q", "-e", "http", "-o", "{folder}", "-r", "{capture}"], "-e http, into files"),
    ("zeek", ["zeek", "-C", "-r", "{capture}", "Log::default_logdir={folder}"], "-C, its default scripts"),
    ("tshark", ["tshark", "-n", "-r", "{capture}", "-Y", "http.time", "-T", "fields", "-e", "http.time"],
     "-Y http.time -T fields"),
]


def version_of(program):
    for option in ("--version", "-V", "-version", "-h"):
        result = subprocess.run([program, option], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        words = result.stdout.decode(errors="replace").split()
        for word in words[:40]:
            if word[:1].isdigit() and "." in word:
                return word.strip(",;()")
    return "?"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--size", default="100M")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", default="bulk,mix,small")
    arguments = parser.parse_args()
    bench = lab.Lab(arguments.build)
    kinds = arguments.kinds.split(",")
    installed = [peer for peer in PEERS if shutil.which(peer[0])]
    programs = [("wirelap", [bench.wirelap, "-f", "ndjson", *lab.MEMORY, "{capture}"], "-f ndjson")] + installed
    best = {}
    titles = []
    for kind in kinds:
        path, totals = bench.capture("peers-" + kind, "--kind", kind, "--bytes", arguments.size)
        titles.append("%s: %.0f MB, %d packets" % (kind, totals["bytes"] / 1e6, totals["packets"]))
        for number in range(arguments.rounds):
            for name, command, _ in programs:
                if name == "tshark" and number > 0:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    run = bench.measure(["sh", "-c", 'exec "$@" 2> /dev/null', "sh"] + [part.format(capture=path, folder=folder) for part in command])
                seconds, kib = best.get((name, kind), (run.wall, 0))
                best[name, kind] = (min(seconds, run.wall), max(kib, run.kib))
    rows = []
    for name, _, options in programs:
        version = "" if name == "wirelap" else " " + version_of(name)
        row = ["%s%s (`%s`)" % (name, version, options)]
        for kind in kinds:
            seconds, kib = best[name, kind]
            row += ["%.2f s" % seconds, "%.1f" % (seconds / best["wirelap", kind][0]), "%.0f MiB" % (kib / 1024)]
        rows.append(row)
    print("Best of %d runs in turn (tshark: one run), captures in the page cache, output discarded; %d processors.\n" %
          (arguments.rounds, os.cpu_count()))
    lab.print_table([""] + [cell for title in titles for cell in (title, "x wirelap", "peak")], rows)
    missing = [peer[0] for peer in PEERS if peer not in installed]
    if missing:
        print("not installed: " + ", ".join(missing))


main()
