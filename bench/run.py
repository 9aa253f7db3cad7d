#!/usr/bin/env python3
"""make bench: times of wirelap, of loops that only step over records, and of libpcap's loop with an empty callback.

First wirelap's records are compared with the generator's totals; a difference ends the benchmark. Then all variants run
in turn, in rounds, with the captures in the page cache.
"""

import argparse
import hashlib
import os
import subprocess
import time

import lab

LEAST_ROUNDS = 3


def lines_of(command, source):
    """Yields the lines of a command's output, which can be larger than memory."""
    feeder = None
    if source is not None:
        with open(source, "rb") as file:
            feeder = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
    with subprocess.Popen(command, stdin=feeder.stdout if feeder else None, stdout=subprocess.PIPE) as process:
        yield from process.stdout
    if feeder:
        feeder.stdout.close()
        feeder.wait()
    if process.returncode != 0:
        lab.die("%s failed" % " ".join(command))


class Variant:
    """A command that reads the file or a pipe, and its runs."""

    def __init__(self, name, command, pipe):
        self.name, self.command, self.pipe = name, command, pipe
        self.runs = []

    def wall(self):
        return min(run.wall for run in self.runs)

    def spread(self):
        return max(run.wall for run in self.runs) / self.wall() - 1

    def processor(self):
        return min(run.user + run.system for run in self.runs)

    def mebibytes(self):
        return max(run.kib for run in self.runs) / 1024


def variants_of(bench, path, base):
    # `wide` needs more memory than the default limit.
    wirelap = [bench.wirelap, "-f", "ndjson", *lab.MEMORY]
    variants = [Variant("walk, read", [bench.tool("walk"), "read", path], False),
                Variant("walk, mmap", [bench.tool("walk"), "mmap", path], False)]
    has_libpcap = os.path.exists(bench.tool("libpcap"))
    if has_libpcap:
        variants.append(Variant("libpcap", [bench.tool("libpcap"), path], False))
    variants.append(Variant("wirelap", [*wirelap, path], False))
    if base:
        # Old versions have no limit and no such option.
        usage = subprocess.run([base, "--help"], stdout=subprocess.PIPE, check=True).stdout
        arguments = ["-f", "ndjson", *(lab.MEMORY if b"--memory" in usage else [])]
        variants.append(Variant("base", [base, *arguments, path], False))
    variants.append(Variant("walk, pipe", [bench.tool("walk"), "read", "-"], True))
    if has_libpcap:
        variants.append(Variant("libpcap, pipe", [bench.tool("libpcap"), "-"], True))
    variants.append(Variant("wirelap, pipe", [*wirelap, "-"], True))
    if base:
        variants.append(Variant("base, pipe", [base, *arguments, "-"], True))
    return variants


def check(variants, path, totals):
    """Ends the benchmark if a result is not what was generated."""
    outputs = {}
    for variant in variants:
        lines = lines_of(variant.command, path if variant.pipe else None)
        if not variant.name.startswith(("wirelap", "base")):
            found = int(next(lines))
            if found != totals["packets"]:
                lab.die("%s: %d packets generated, %s counted %d" % (path, totals["packets"], variant.name, found))
            continue
        digest = hashlib.sha256()

        def hashed():
            for line in lines:
                # The name of the capture is a column.
                digest.update(line.replace(b'"capture":"-"', b'"capture":"%s"' % path.encode(), 1))
                yield line
        if variant.name == "wirelap":
            wrong = lab.differences(totals, lab.count_records(hashed()))
            if wrong:
                lab.die("%s: wrong results:\n  %s" % (path, "\n  ".join(wrong)))
        else:
            for _ in hashed():
                pass
        outputs[variant.name] = digest.digest()
    for name, digest in outputs.items():
        if digest != outputs["wirelap"]:
            if not name.startswith("base"):
                lab.die("%s: the output of %s differs from that for the file" % (path, name))
            print("note: the output of %s differs from wirelap's" % name)


def print_results(variants, totals, by_processor):
    """Costs and ratios come from the best wall time, or with by_processor from the best processor time."""
    best = {variant.name: variant.processor() if by_processor else variant.wall() for variant in variants}
    rows = []
    for variant in variants:
        seconds = best[variant.name]
        pipe = ", pipe" if variant.pipe else ""

        def ratio(yardstick):
            return "%.2f" % (seconds / best[yardstick]) if yardstick in best else ""
        rows.append([variant.name, "%.3f" % variant.wall(), "%.0f %%" % (variant.spread() * 100),
                     "%.3f" % variant.processor(), "%.1f" % (seconds / totals["packets"] * 1e9),
                     "%.2f" % (totals["bytes"] / seconds / 1e9), "%.1f" % (totals["packets"] / seconds / 1e6),
                     "%.1f" % variant.mebibytes(), ratio("walk, pipe" if variant.pipe else "walk, read"),
                     ratio("walk, mmap"), ratio("libpcap" + pipe)])
    lab.print_table(["", "best s", "spread", "cpu s", "ns/packet", "GB/s", "Mpackets/s", "peak MiB", "x walk read",
                     "x walk mmap", "x libpcap"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--size", default="400M", help="of each capture; wide always has a million flows")
    parser.add_argument("--base", help="another wirelap, which is timed as well")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=60,
                        help="start no further round of a capture after this time, once there were %d" % LEAST_ROUNDS)
    parser.add_argument("--by-processor", action="store_true",
                        help="costs and ratios of processor time, for a machine that others use as well")
    parser.add_argument("--kinds", default=",".join(lab.KINDS))
    arguments = parser.parse_args()
    bench = lab.Lab(arguments.build)
    with open(bench.tool("runs.tsv"), "w") as log:
        print("capture\tvariant\tround\twall_s\tuser_s\tsystem_s\tpeak_kib\tpackets\tbytes", file=log)
        for kind in arguments.kinds.split(","):
            path, totals = bench.capture(kind, "--kind", kind, "--bytes", arguments.size)
            variants = variants_of(bench, path, arguments.base)
            check(variants, path, totals)
            start = time.monotonic()
            for number in range(arguments.rounds):
                if number >= LEAST_ROUNDS and time.monotonic() - start > arguments.seconds:
                    break
                for variant in variants:
                    run = bench.measure(variant.command, feed=path if variant.pipe else None)
                    if run.status != 0:
                        lab.die("%s failed on %s" % (variant.name, path))
                    variant.runs.append(run)
                    print(kind, variant.name, number + 1, *run[:4], totals["packets"], totals["bytes"], sep="\t",
                          file=log)
            print("**%s**: %.2f GB, %d packets, %d connections, %d exchanges; %d rounds\n" %
                  (kind, totals["bytes"] / 1e9, totals["packets"], totals["connections"], totals["exchanges"],
                   len(variants[0].runs)))
            print_results(variants, totals, arguments.by_processor)
    if not os.path.exists(bench.tool("libpcap")):
        print("libpcap is not measured: libpcap-dev is not installed")
    print("all runs: %s" % bench.tool("runs.tsv"))


main()
