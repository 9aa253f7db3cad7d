#!/usr/bin/env python3
"""make compare: run two programs over fixtures, the lab's captures and a folder of captures, with several sets of
options, and list each output or exit code that differs. Exits with 1 if there is one."""

import argparse
import glob
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

OPTIONS = [
    [],
    ["-f", "json", "--tcp", "--connections", "--packets"],
    ["-f", "csv", "--tcp", "--connections", "--s3", "--header", "host", "--header", "content-type"],
    ["-f", "table", "--tcp", "--connections"],
    ["-f", "classic"],
    ["-f", "ndjson", "--tcp", "--connections", "--packets", "--memory", "512k"],
    ["-f", "ndjson", "--tcp", "-p", "80", "-p", "443"],
]
SECONDS = 120
# Notes and tables beside the captures.
NO_CAPTURES = (".csv", ".json", ".keylog", ".keys", ".log", ".md", ".tsv", ".txt", ".py", ".sh")


def captures(folder):
    found = glob.glob("fixtures/*.pcap") + glob.glob("fixtures/causes/*/*.pcap") + glob.glob("fixtures/dress/*")
    for path, _, names in os.walk(folder or os.devnull):
        found += [os.path.join(path, name) for name in names if not name.endswith(NO_CAPTURES)]
    return sorted(found)


def output(program, options, capture):
    """Standard output and exit code; None if it takes too long."""
    try:
        run = subprocess.run([program, "-q", *options, capture], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, timeout=SECONDS)
        return run.stdout, run.returncode
    except subprocess.TimeoutExpired:
        return None


def compare(programs, options, capture):
    """A line about the difference, or None."""
    one, other = (output(program, options, capture) for program in programs)
    if one == other:
        return None
    if one is None or other is None:
        what = "one of them takes more than %d s" % SECONDS
    elif one[1] != other[1]:
        what = "exit codes %d and %d" % (one[1], other[1])
    else:
        lines = list(zip(one[0].split(b"\n"), other[0].split(b"\n")))
        what = "line %d" % (1 + next((i for i, (a, b) in enumerate(lines) if a != b), len(lines)))
    return "compare: %s: different: %s" % (" ".join([*options, capture]), what)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("base", help="another build of it")
    parser.add_argument("captures", nargs="?", help="a folder of captures")
    arguments = parser.parse_args()
    programs = [os.path.abspath(arguments.program), os.path.abspath(arguments.base)]
    jobs = [(options, capture) for capture in captures(arguments.captures) for options in OPTIONS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        differences = [line for line in pool.map(lambda job: compare(programs, *job), jobs) if line]
    for line in differences:
        print(line)
    print("compare: %d outputs compared, %d differ" % (len(jobs), len(differences)))
    sys.exit(1 if differences else 0)


main()
