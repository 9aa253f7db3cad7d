#!/usr/bin/env python3
"""make bench-floods: memory, time and evictions with traffic that exhausts memory, as a Markdown table. With --test:
checks that a packet costs the same number of instructions when the flood is twice as long."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

# Kind and count (see tests/support/flood.h). Each runs with half the count as well.
FLOODS = [("syns", 10_000_000), ("gaps", 100_000), ("heads", 20_000), ("streams", 1_000), ("fragments", 2_000_000),
          ("large", 1_000), ("reading", 3_000_000), ("shifts", 1_000_000)]
# Small, because callgrind is fifty times slower; each needs several times the memory limit.
COUNTED = [("syns", 10_000), ("gaps", 1_500), ("streams", 6)]


class Floods:
    def __init__(self, build, limit):
        self.wirelap = os.path.abspath(os.path.join(build, "wirelap"))
        self.flood = os.path.abspath(os.path.join(build, "bench", "flood"))
        self.limit = limit

    def command(self, kind):
        options = ["--packets"] if kind == "reading" else []
        return [self.wirelap, "--memory", self.limit, *options, "-"]

    def run(self, kind, count):
        """Returns packets, seconds of processor time, peak KiB, and the messages."""
        feeder = subprocess.Popen([self.flood, kind, str(count)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with open(os.devnull, "w") as null:
            program = subprocess.Popen(self.command(kind), stdin=feeder.stdout, stdout=null, stderr=subprocess.PIPE)
        feeder.stdout.close()
        messages = program.stderr.read().decode()
        _, status, usage = os.wait4(program.pid, 0)
        packets = int(feeder.stderr.read().split()[0])
        if feeder.wait() != 0 or status != 0:
            sys.exit("floods: %s: %s" % (kind, messages))
        return packets, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, messages

    def instructions(self, kind, count):
        """Returns instructions a packet."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "flood.pcap")
            with open(path, "wb") as file:
                made = subprocess.run([self.flood, kind, str(count)], stdout=file, stderr=subprocess.PIPE, check=True)
            callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + os.path.join(folder, "counts")]
            # callgrind writes its counts at the end; the sandbox forbids that.
            command = self.command(kind)[:-1] + ["--no-sandbox", path]
            run = subprocess.run(callgrind + command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
        messages = run.stderr.decode()
        if kind != "fragments" and "evicted to free memory" not in messages:
            sys.exit("floods: %s %d: the memory limit was not reached" % (kind, count))
        return int(re.search(r"Collected : (\d+)", messages).group(1)) / int(made.stderr.split()[0])


def print_floods(floods):
    print("| flood | packets | peak MiB at half, full count | ns/packet at half, full count | connections evicted | exchanges `evicted` |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for kind, count in FLOODS:
        half, whole = floods.run(kind, count // 2), floods.run(kind, count)
        evicted = re.search(r"want of memory: (\d+) connections? .*?, (\d+) exchange", whole[3])
        print("| `%s` | %d | %.1f, %.1f | %.0f, %.0f | %s | %s |" %
              (kind, whole[0], half[2] / 1024, whole[2] / 1024, half[1] / half[0] * 1e9, whole[1] / whole[0] * 1e9,
               *(evicted.groups() if evicted else ("0", "0"))), flush=True)


def test(floods):
    if shutil.which("valgrind") is None:
        print("floods: skipped, valgrind is not installed")
        return 0
    failed = 0
    for kind, count in COUNTED:
        half, whole = floods.instructions(kind, count), floods.instructions(kind, 2 * count)
        # The start of a run is cheaper: the limit is not reached yet.
        if whole > half * 1.1:
            print("floods: %s: %.0f instructions a packet, %.0f when it is twice as long" % (kind, half, whole))
            failed = 1
    print("floods: %d kinds compared with the same at twice the length" % len(COUNTED))
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--memory", default=None)
    parser.add_argument("--test", action="store_true")
    arguments = parser.parse_args()
    if arguments.test:
        sys.exit(test(Floods(arguments.build, arguments.memory or "1M")))
    print_floods(Floods(arguments.build, arguments.memory or "64M"))


main()
