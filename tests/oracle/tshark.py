#!/usr/bin/env python3
"""Compares wirelap's exchanges with tshark's messages in a folder of captures, by wirelap's definitions.

    tshark.py WIRELAP_BINARY CAPTURES_DIR [--known FILE] [--cache DIR]

With default settings, tshark counts messages that it could dissect completely; wirelap reports every message whose
beginning is captured. So tshark's output is evaluated as follows, in the same way for every capture:

- A message is one that tshark shows with default settings, or without reassembly of heads and bodies: then tshark shows
  every message that begins at the start of a segment. A message is identified by the frame in which it begins. A frame
  inside a reassembled message is not a message of its own.
- An interim response (1xx except 101) is not a response.
- A request to upgrade to h2c, and its 101 response, are not counted: they are stream 1 of HTTP/2 (RFC 7540, 3.2).
- tshark detects HTTP by the port, so it gets the ports at which wirelap found HTTP. It searches for Teredo at all ports.

The numbers of requests and of responses must be equal, and for each exchange that both programs find: the frame in
which it begins, method, host, target, status, and the time to the first byte of the response. FILE contains the
differences that are explained, one a line: path, tab, reason.

The folder of --cache keeps tshark's outputs, by its version, its arguments and the bytes of the capture. Exit code: 1
for a difference that is not explained; 2 for wrong usage; else 0, also if the captures or tshark do not exist.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal

import captures

TIMEOUT_S = 120
SHOWN_DIFFERENCES = 3  # for each capture
SEPARATOR = "\x1f"
DEFAULT_SETTINGS = ()
NO_REASSEMBLY = ("-o", "http.desegment_headers:FALSE", "-o", "http.desegment_body:FALSE")
FIELDS = {"frame": "frame.number", "methods": "http.request.method", "hosts": "http.host",
          "targets": "http.request.uri", "statuses": "http.response.code",
          "request_frames": "http.request_in", "times": "http.time", "segments": "tcp.segment",
          "upgrades": "http.upgrade"}
COMPARED = ("method", "host", "target", "status", "ttfb_s")


@dataclass
class Result:
    """The comparison for one capture."""
    path: str
    has_http: bool  # according to the index
    ours: tuple = ()    # requests, responses
    theirs: tuple = ()
    agreeing: Counter = field(default_factory=Counter)  # number of values, by the names in COMPARED
    compared: Counter = field(default_factory=Counter)
    differences: list = field(default_factory=list)  # of exchanges

    @property
    def counts_agree(self):
        return self.ours == self.theirs

    @property
    def agrees(self):
        return self.counts_agree and not self.differences


# ---- tshark ------------------------------------------------------------------

class Tshark:
    """Runs tshark, or returns the output of an earlier run from the cache."""

    def __init__(self, cache):
        self.cache = cache
        version = subprocess.run(["tshark", "--version"], capture_output=True, check=True).stdout
        self.version = version.partition(b"\n")[0]
        if cache:
            os.makedirs(cache, exist_ok=True)

    def messages(self, path, ports, settings):
        """Returns a dictionary for each frame with HTTP, with a list for each name in FIELDS."""
        arguments = ["-n", *settings, "--enable-heuristic", "teredo_udp"]
        for port in ports:
            arguments += ["-d", f"tcp.port=={port},http"]
        arguments += ["-Y", "http", "-T", "fields", "-E", "occurrence=a", "-E", f"aggregator={SEPARATOR}"]
        for name in FIELDS.values():
            arguments += ["-e", name]
        rows = [line.split("\t") for line in self.output(path, arguments).split("\n") if line]
        return [{name: [text for text in value.split(SEPARATOR) if text]
                 for name, value in zip(FIELDS, row)} for row in rows]

    def output(self, path, arguments):
        with open(path, "rb") as capture:
            digest = hashlib.sha256(capture.read())
        digest.update(self.version + "\0".join(arguments).encode())
        cached = self.cache and os.path.join(self.cache, digest.hexdigest())
        if cached and os.path.exists(cached):
            with open(cached, encoding="utf-8") as text:
                return text.read()
        # The exit code is not checked: it is 2 for a truncated capture.
        output = subprocess.run(["tshark", "-r", path, *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                timeout=TIMEOUT_S, check=False).stdout.decode("utf-8", "replace")
        if cached:
            with open(cached + ".part", "w", encoding="utf-8") as text:
                text.write(output)
            os.replace(cached + ".part", cached)
        return output


def is_final(status):
    return status == "101" or not (len(status) == 3 and status.startswith("1"))


def first_frame(row):
    """Returns the number of the frame in which the first message of a row begins."""
    return int((row["segments"] or row["frame"])[0])


def upgraded_frames(rows):
    """Returns the frames of requests to upgrade to h2c and of their 101 responses."""
    frames = set()
    for row in rows:
        if "101" in row["statuses"] and any(text.lower() == "h2c" for text in row["upgrades"]):
            frames.update(int(number) for number in row["frame"] + row["request_frames"])
    return frames


def count_messages(rows):
    """Returns the numbers of requests and responses that begin in each frame, and the frames inside messages."""
    begun, inside = Counter(), set()
    upgraded = upgraded_frames(rows)
    for row in rows:
        inside.update(int(number) for number in row["segments"][1:])
        if int(row["frame"][0]) in upgraded:
            continue
        kinds = ["request"] * len(row["methods"]) + ["response" for text in row["statuses"] if is_final(text)]
        for place, kind in enumerate(kinds):
            begun[kind, first_frame(row) if place == 0 else int(row["frame"][0])] += 1
    return begun, inside


def count_all(whole, parts):
    """Returns the numbers of requests and of responses, with reassembly and without it together."""
    begun, inside = count_messages(whole)
    others, _ = count_messages(parts)
    begun |= Counter({key: count for key, count in others.items() if key[1] not in inside})
    return tuple(sum(count for (kind, _), count in begun.items() if kind == wanted)
                 for wanted in ("request", "response"))


# ---- exchanges -----------------------------------------------------------------

def tshark_exchanges(whole, parts):
    """Returns tshark's values for each exchange, by its first frame. Frames with several requests are left out."""
    exchanges = {}
    upgraded = upgraded_frames(whole)
    for row in whole:
        if len(row["methods"]) == 1 and int(row["frame"][0]) not in upgraded:
            exchanges[first_frame(row)] = {"method": row["methods"][0], "host": (row["hosts"] or [None])[0],
                                           "target": (row["targets"] or [None])[0]}
    responses = {}
    for row in parts:
        if row["request_frames"] and len(row["statuses"]) == 1 and is_final(row["statuses"][0]):
            responses.setdefault(int(row["request_frames"][0]), []).append(row)
    for frame, rows in responses.items():
        if frame in exchanges and len(rows) == 1:
            exchanges[frame]["status"] = Decimal(rows[0]["statuses"][0])
            if rows[0]["times"]:
                exchanges[frame]["ttfb_s"] = Decimal(rows[0]["times"][0])
    return exchanges


def compare_exchanges(result, exchanges, all_theirs):
    """Adds the values that agree and those that differ to `result`."""
    ours = {}
    for exchange in exchanges:
        if exchange.get("method") is not None:
            ours.setdefault(int(exchange["first_frame"]), []).append(exchange)
    for frame, theirs in sorted(all_theirs.items()):
        found = ours.get(frame, [])
        if len(found) > 1:
            continue
        if not found:
            result.differences.append(f"frame {frame}: only tshark has a {theirs['method']}")
        for name in COMPARED if found else ():
            if name not in theirs:
                continue
            result.compared[name] += 1
            if found[0][name] == theirs[name]:
                result.agreeing[name] += 1
            else:
                result.differences.append(f"frame {frame}: {name} {found[0][name]}, tshark {theirs[name]}")


def examine(binary, folder, tshark, row):
    """Compares the two programs for one capture."""
    result = Result(row["path"], int(row["http_requests"]) + int(row["http_responses"]) > 0)
    _, stdout, _ = captures.run(binary, folder, row)
    exchanges = [r for r in captures.read_output(stdout, []) if r.get("type") == "exchange"
                 and str(r.get("protocol")).startswith("http/")]
    result.ours = (sum(r["method"] is not None for r in exchanges),
                   sum(r["status"] is not None for r in exchanges))
    ports = sorted({int(r["server_port"]) for r in exchanges})
    path = os.path.join(folder, row["path"])
    whole = tshark.messages(path, ports, DEFAULT_SETTINGS)
    parts = tshark.messages(path, ports, NO_REASSEMBLY)
    result.theirs = count_all(whole, parts)
    compare_exchanges(result, exchanges, tshark_exchanges(whole, parts))
    return result


# ---- the report ----------------------------------------------------------------

def describe(result, reason):
    parts = [f"{kind} {ours}, tshark {theirs}" for kind, ours, theirs
             in zip(("requests", "responses"), result.ours, result.theirs) if ours != theirs]
    parts += [captures.printable(text) for text in result.differences[:SHOWN_DIFFERENCES]]
    if len(result.differences) > SHOWN_DIFFERENCES:
        parts.append(f"and {len(result.differences) - SHOWN_DIFFERENCES} more")
    return f"  {result.path}: {'; '.join(parts)}" + (f" [{reason}]" if reason else "")


def print_report(results, known):
    """Prints the differences and the summary. Returns whether all differences are explained."""
    differing = [r for r in results if not r.agrees]
    for result in sorted(differing, key=lambda r: r.path in known):
        print(describe(result, known.get(result.path)))
    for path in sorted(known.keys() - {r.path for r in differing}):
        print(f"explained, but it agrees or does not exist: {path}")
    for title, chosen in (("HTTP captures", [r for r in results if r.has_http]),
                          ("captures without HTTP", [r for r in results if not r.has_http])):
        agreeing = sum(r.counts_agree for r in chosen)
        explained = sum(not r.counts_agree and r.path in known for r in chosen)
        print(f"{title}: {agreeing}/{len(chosen)} agree, {explained} explained, "
              f"{len(chosen) - agreeing - explained} not")
    compared = sum((r.compared for r in results), Counter())
    agreeing = sum((r.agreeing for r in results), Counter())
    print("exchanges: " + ", ".join(f"{name} {agreeing[name]}/{compared[name]}" for name in COMPARED))
    return all(r.path in known for r in differing)


def parse_arguments():
    parser = argparse.ArgumentParser(description="compare wirelap with tshark, by wirelap's definitions")
    parser.add_argument("binary")
    parser.add_argument("folder")
    parser.add_argument("--known", help="list of explained differences: path, tab, reason")
    parser.add_argument("--cache", help="folder with tshark's outputs of earlier runs")
    arguments = parser.parse_args()
    if not os.access(arguments.binary, os.X_OK):
        parser.error(f"{arguments.binary}: not an executable program")
    try:
        known = captures.read_known(arguments.known) if arguments.known else {}
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return arguments, known


def main():
    arguments, known = parse_arguments()
    if not os.path.exists(os.path.join(arguments.folder, "INDEX.tsv")) or not shutil.which("tshark"):
        print(f"tshark: skipped, no INDEX.tsv in {arguments.folder}, or tshark is not installed")
        return 0
    tshark = Tshark(arguments.cache)
    binary = os.path.abspath(arguments.binary)
    rows = [row for row in captures.read_index(arguments.folder) if int(row["tcp_packets"]) > 0
            or int(row["http_requests"]) + int(row["http_responses"]) > 0]
    with ThreadPoolExecutor(captures.PROCESSES) as pool:
        results = list(pool.map(lambda row: examine(binary, arguments.folder, tshark, row), rows))
    return 0 if print_report(results, known) else 1


if __name__ == "__main__":
    sys.exit(main())
