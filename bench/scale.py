#!/usr/bin/env python3
"""make bench-scale: cost by size, by number of connections and by loss. Writes a table and bench/scale.svg.

The generator writes to a pipe that wirelap reads, so no capture is stored. Both share the machine, so the results are
wirelap's processor times.
"""

import argparse
import os
import subprocess

import lab


def series(unit):
    """Returns for each series: name, axis, description, and points, each a label and the options of the generator."""
    most_flows = min(10**6, unit // 1000)
    flows = [10**power for power in range(3, 7) if 10**power <= most_flows]
    return [
        ("size", "times %s" % lab.show_bytes(unit), "mix of traffic, 64 connections at once",
         [(str(times), ["--kind", "mix", "--bytes", str(times * unit)]) for times in (1, 4, 16)]),
        ("connections", "at once", "%s of short exchanges" % lab.show_bytes(unit),
         [(str(count), ["--kind", "wide", "--bytes", str(unit), "--flows", str(count)]) for count in flows]),
        ("loss", "% lost, as many reordered", "%s of responses of 8 to 500 kB" % lab.show_bytes(unit),
         [(loss, ["--kind", "lossy", "--bytes", str(unit), "--loss", loss]) for loss in ("0", "0.1", "1", "5")]),
    ]


def measure(bench, options, rounds):
    totals_path = bench.tool("scale.totals")
    generate = " ".join([bench.tool("generate"), *options])
    wirelap = [bench.wirelap, "-f", "ndjson", *lab.MEMORY, "-"]
    # Check the result before it is timed.
    counted = subprocess.run("%s --totals %s | %s | wc -l" % (generate, totals_path, " ".join(wirelap)), shell=True,
                             stdout=subprocess.PIPE, check=True)
    totals = lab.read_totals(totals_path)
    if int(counted.stdout) != totals["exchanges"]:
        lab.die("%s: %d exchanges generated, %d found" % (generate, totals["exchanges"], int(counted.stdout)))
    runs = [bench.measure(wirelap, feed_by=generate) for _ in range(rounds)]
    seconds = min(run.user + run.system for run in runs)
    return totals, seconds, max(run.kib for run in runs) / 1024


def plot(results):
    """Returns an SVG with a panel for each series: nanoseconds a packet as bars, peak memory as text."""
    width, height, left, base = 280, 240, 50, 190
    text = '<text x="%g" y="%g" font-size="11"%s>%s</text>'
    parts = []
    for panel, (name, axis, what, points) in enumerate(results):
        x0 = panel * width + left
        top = max(seconds / totals["packets"] * 1e9 for _, totals, seconds, _ in points) * 1.15
        parts.append(text % (x0, 16, ' font-weight="bold"', "Cost by " + name))
        parts.append(text % (x0, 30, ' fill="#666"', what))
        parts.append('<line x1="%g" y1="%g" x2="%g" y2="%g" stroke="#888"/>' % (x0, base, x0 + width - left - 10, base))
        step = (width - left - 10) / len(points)
        for i, (label, totals, seconds, mebibytes) in enumerate(points):
            cost = seconds / totals["packets"] * 1e9
            bar = cost / top * (base - 50)
            x = x0 + i * step
            middle = ' text-anchor="middle"'
            parts.append('<rect x="%g" y="%g" width="%g" height="%g" fill="#4878a8"/>' %
                         (x + step * 0.15, base - bar, step * 0.7, bar))
            parts.append(text % (x + step / 2, base - bar - 4, middle, "%.0f ns" % cost))
            parts.append(text % (x + step / 2, base + 15, middle, label))
            parts.append(text % (x + step / 2, base + 29, middle + ' fill="#666"', "%.0f MiB" % mebibytes))
        parts.append(text % (x0, base + 45, ' fill="#666"', axis + "; peak memory"))
    whole = '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif">' % (
        width * len(results) + 20, height + 4)
    background = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([whole, background, *parts, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--unit", default="1G", help="the size of most captures; the largest is 16 times as large")
    arguments = parser.parse_args()
    bench = lab.Lab(arguments.build)
    results = []
    rows = []
    for name, axis, what, points in series(lab.parse_size(arguments.unit)):
        measured = []
        for label, options in points:
            totals, seconds, mebibytes = measure(bench, options, arguments.rounds)
            measured.append((label, totals, seconds, mebibytes))
            rows.append(["%s: %s %s" % (name, label, axis), "%.2f" % (totals["bytes"] / 1e9),
                         "%.2f" % (totals["packets"] / 1e6), "%.2f" % seconds,
                         "%.0f" % (seconds / totals["packets"] * 1e9), "%.1f" % mebibytes])
        results.append((name, axis, what, measured))
    lab.print_table(["", "GB", "million packets", "processor s", "ns/packet", "peak MiB"], rows)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "scale.svg"), "w") as file:
        file.write(plot(results))


main()
