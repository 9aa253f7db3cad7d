"""Shared by run.py, peers.py, real.py and scale.py: captures with known totals, and measured runs."""

import json
import os
import subprocess
import sys
from collections import Counter, namedtuple

KINDS = ["bulk", "mix", "small", "wide", "lossy", "chunked", "tls", "pipelined"]
MEMORY = ["--memory", "8G"]  # a million connections at the same time take 2.5 GB
SUMMED = ["request_bytes", "response_bytes", "response_body_bytes"]

Run = namedtuple("Run", "wall user system kib status")


def parse_size(text):
    unit = {"K": 1e3, "M": 1e6, "G": 1e9}.get(text[-1:], 1)
    return int(float(text.rstrip("KMG")) * unit)


def show_bytes(count):
    return "%g GB" % (count / 1e9) if count >= 1e9 else "%g MB" % (count / 1e6)


def read_totals(path):
    with open(path) as lines:
        return {name: int(value) for name, value in (line.split("\t") for line in lines)}


class Lab:
    def __init__(self, build):
        self.wirelap = os.path.abspath(os.path.join(build, "wirelap"))
        self.folder = os.path.abspath(os.path.join(build, "bench"))

    def tool(self, name):
        return os.path.join(self.folder, name)

    def capture(self, name, *options):
        """Returns the path of a capture, which is generated unless it exists, and its totals."""
        os.makedirs(self.tool("captures"), exist_ok=True)
        path = os.path.join(self.folder, "captures", name + ".pcap")
        command = [self.tool("generate"), *options]
        made_by = " ".join(command) + " %d" % os.stat(self.tool("generate")).st_mtime_ns
        try:
            with open(path + ".made-by") as file:
                fresh = file.read() == made_by and os.path.exists(path)
        except FileNotFoundError:
            fresh = False
        if not fresh:
            subprocess.run([*command, "--output", path, "--totals", path + ".totals"], check=True)
            with open(path + ".made-by", "w") as file:
                file.write(made_by)
        return path, read_totals(path + ".totals")

    def measure(self, command, feed=None, feed_by=None):
        """Runs a command once. Its standard input is a pipe with the file `feed`, or with the output of the shell command
        `feed_by`."""
        before = ["--feed", feed] if feed else ["--feed-by", feed_by] if feed_by else []
        result = subprocess.run([self.tool("measure"), *before, *command], stdout=subprocess.PIPE, check=True)
        fields = result.stdout.split()
        return Run(*(float(field) for field in fields[:3]), int(fields[3]), int(fields[4]))


def count_records(lines):
    """Sums wirelap's records, under the names of the generator's totals."""
    found = Counter()
    for line in lines:
        record = json.loads(line)
        if record["type"] != "exchange":
            continue
        found["exchanges"] += 1
        for name in SUMMED:
            found[name] += record[name]
        if record["status"] is not None:
            found["status_%d" % record["status"]] += 1
        if record["outcome"] != "complete":
            found["not_complete"] += 1
        found["missing_bytes"] += record["missing_bytes"]
    return found


def differences(totals, found):
    """Lists the totals in which wirelap and the generator differ."""
    names = [name for name in totals if name == "exchanges" or name in SUMMED or name.startswith("status_")]
    names += ["not_complete", "missing_bytes"]
    return ["%s: %d generated, %d found" % (name, totals.get(name, 0), found[name])
            for name in names if totals.get(name, 0) != found[name]]


def die(text):
    sys.exit("bench: " + text)


def print_table(head, rows):
    """Prints a Markdown table; all columns except the first are right-aligned."""
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    line = lambda row: "| " + " | ".join(
        str(cell).ljust(widths[i]) if i == 0 else str(cell).rjust(widths[i]) for i, cell in enumerate(row)) + " |"
    print(line(head))
    print("|" + "|".join("-" * (width + 1) + ("-" if i == 0 else ":") for i, width in enumerate(widths)) + "|")
    for row in rows:
        print(line(row))
    print(flush=True)
