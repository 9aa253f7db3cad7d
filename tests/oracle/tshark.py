#!/usr/bin/env python3
"""Asks tshark what wirelap claims, over a folder of real captures.

    tshark.py WIRELAP_BINARY CAPTURES_DIR [--known FILE] [--cache DIR]

The counts in CAPTURES_DIR/INDEX.tsv are of messages that tshark, set as it comes,
could dissect whole; wirelap reports those that it saw begin. So tshark is asked
by wirelap's definitions, the same for every capture:

- A message is one that tshark shows as it comes, or when told to put neither
  heads nor bodies together: then it shows what begins with a segment, whether or
  not the rest was captured. The frame it begins in tells it from others; what
  lies inside a message that was put together is none.
- An interim response (1xx but 101) is no response.
- A request that asked for h2c, and the 101 that it got, are HTTP/2's stream 1
  (RFC 7540, 3.2).
- tshark knows HTTP by the port: it is told those at which wirelap found any. It
  is told to look for Teredo at all ports.

The numbers of requests and of responses have to be equal; and so, of each
exchange that both see, the frame it begins in, the method, the host and the
target, the status, and the time to the first byte of the response.
What was looked at and explained goes into FILE, a line each: path, tab, reason.

What tshark said is kept in the folder of --cache, by its version, the question
and the capture's bytes. Exit: 1 on a difference that is not explained, else 0,
also where the captures or tshark are absent. 2 is bad usage.
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
SHOWN_DIFFERENCES = 3  # of a capture's exchanges
SEPARATOR = "\x1f"
AS_IT_COMES = ()
NOT_PUT_TOGETHER = ("-o", "http.desegment_headers:FALSE", "-o", "http.desegment_body:FALSE")
FIELDS = {"frame": "frame.number", "methods": "http.request.method", "hosts": "http.host",
          "targets": "http.request.uri", "statuses": "http.response.code",
          "request_frames": "http.request_in", "times": "http.time", "segments": "tcp.segment",
          "upgrades": "http.upgrade"}
TOLD = ("method", "host", "target", "status", "ttfb_s")


@dataclass
class Result:
    """What both said of one capture."""
    path: str
    has_http: bool  # by the index
    ours: tuple = ()    # requests, responses
    theirs: tuple = ()
    agreeing: Counter = field(default_factory=Counter)  # how often, by the names in TOLD
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
    """Asks tshark, or the folder of what it said before."""

    def __init__(self, cache):
        self.cache = cache
        version = subprocess.run(["tshark", "--version"], capture_output=True, check=True).stdout
        self.version = version.partition(b"\n")[0]
        if cache:
            os.makedirs(cache, exist_ok=True)

    def messages(self, path, ports, settings):
        """Returns a dictionary for each frame with HTTP: the names in FIELDS, each a list."""
        arguments = ["-n", *settings, "--enable-heuristic", "teredo_udp"]
        for port in ports:
            arguments += ["-d", f"tcp.port=={port},http"]
        arguments += ["-Y", "http", "-T", "fields", "-E", "occurrence=a", "-E", f"aggregator={SEPARATOR}"]
        for name in FIELDS.values():
            arguments += ["-e", name]
        rows = [line.split("\t") for line in self.answer(path, arguments).split("\n") if line]
        return [{name: [text for text in value.split(SEPARATOR) if text]
                 for name, value in zip(FIELDS, row)} for row in rows]

    def answer(self, path, arguments):
        with open(path, "rb") as capture:
            digest = hashlib.sha256(capture.read())
        digest.update(self.version + "\0".join(arguments).encode())
        kept = self.cache and os.path.join(self.cache, digest.hexdigest())
        if kept and os.path.exists(kept):
            with open(kept, encoding="utf-8") as text:
                return text.read()
        # It exits with 2 where the capture is cut, too.
        output = subprocess.run(["tshark", "-r", path, *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                timeout=TIMEOUT_S, check=False).stdout.decode("utf-8", "replace")
        if kept:
            with open(kept + ".part", "w", encoding="utf-8") as text:
                text.write(output)
            os.replace(kept + ".part", kept)
        return output


def is_final(status):
    return status == "101" or not (len(status) == 3 and status.startswith("1"))


def first_frame(row):
    """Returns where the first message of a frame begins."""
    return int((row["segments"] or row["frame"])[0])


def upgraded_frames(rows):
    """Returns the frames of requests that HTTP/2 answers, and of the 101 in between."""
    frames = set()
    for row in rows:
        if "101" in row["statuses"] and any(text.lower() == "h2c" for text in row["upgrades"]):
            frames.update(int(number) for number in row["frame"] + row["request_frames"])
    return frames


def count_messages(rows):
    """Returns how many requests and responses begin in each frame, and the frames inside of others."""
    begun, inside = Counter(), set()
    passed = upgraded_frames(rows)
    for row in rows:
        inside.update(int(number) for number in row["segments"][1:])
        if int(row["frame"][0]) in passed:
            continue
        kinds = ["request"] * len(row["methods"]) + ["response" for text in row["statuses"] if is_final(text)]
        for place, kind in enumerate(kinds):
            begun[kind, first_frame(row) if place == 0 else int(row["frame"][0])] += 1
    return begun, inside


def count_all(whole, parts):
    """Returns the numbers of requests and of responses that tshark shows in either way."""
    begun, inside = count_messages(whole)
    others, _ = count_messages(parts)
    begun |= Counter({key: count for key, count in others.items() if key[1] not in inside})
    return tuple(sum(count for (kind, _), count in begun.items() if kind == wanted)
                 for wanted in ("request", "response"))


# ---- exchanges -----------------------------------------------------------------

def told_by_tshark(whole, parts):
    """Returns what tshark says of an exchange, by its first frame; only where that has one request."""
    told = {}
    passed = upgraded_frames(whole)
    for row in whole:
        if len(row["methods"]) == 1 and int(row["frame"][0]) not in passed:
            told[first_frame(row)] = {"method": row["methods"][0], "host": (row["hosts"] or [None])[0],
                                      "target": (row["targets"] or [None])[0]}
    answers = {}
    for row in parts:
        if row["request_frames"] and len(row["statuses"]) == 1 and is_final(row["statuses"][0]):
            answers.setdefault(int(row["request_frames"][0]), []).append(row)
    for frame, rows in answers.items():
        if frame in told and len(rows) == 1:
            told[frame]["status"] = Decimal(rows[0]["statuses"][0])
            if rows[0]["times"]:
                told[frame]["ttfb_s"] = Decimal(rows[0]["times"][0])
    return told


def compare_exchanges(result, exchanges, told):
    """Adds to `result` what agrees and what differs."""
    ours = {}
    for exchange in exchanges:
        if exchange.get("method") is not None:
            ours.setdefault(int(exchange["first_frame"]), []).append(exchange)
    for frame, theirs in sorted(told.items()):
        found = ours.get(frame, [])
        if len(found) > 1:
            continue
        if not found:
            result.differences.append(f"frame {frame}: tshark alone has a {theirs['method']}")
        for name in TOLD if found else ():
            if name not in theirs:
                continue
            result.compared[name] += 1
            if found[0][name] == theirs[name]:
                result.agreeing[name] += 1
            else:
                result.differences.append(f"frame {frame}: {name} {found[0][name]}, tshark {theirs[name]}")


def examine(binary, folder, tshark, row):
    """Asks both of one capture."""
    result = Result(row["path"], int(row["http_requests"]) + int(row["http_responses"]) > 0)
    _, stdout, _ = captures.run(binary, folder, row)
    exchanges = [r for r in captures.read_output(stdout, []) if r.get("type") == "exchange"
                 and str(r.get("protocol")).startswith("http/")]
    result.ours = (sum(r["method"] is not None for r in exchanges),
                   sum(r["status"] is not None for r in exchanges))
    ports = sorted({int(r["server_port"]) for r in exchanges})
    path = os.path.join(folder, row["path"])
    whole = tshark.messages(path, ports, AS_IT_COMES)
    parts = tshark.messages(path, ports, NOT_PUT_TOGETHER)
    result.theirs = count_all(whole, parts)
    compare_exchanges(result, exchanges, told_by_tshark(whole, parts))
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
    """Prints what differs and the summary. Returns whether all of it is explained."""
    differing = [r for r in results if not r.agrees]
    for result in sorted(differing, key=lambda r: r.path in known):
        print(describe(result, known.get(result.path)))
    for path in sorted(known.keys() - {r.path for r in differing}):
        print(f"explained, but agrees or is not there: {path}")
    for title, chosen in (("HTTP captures", [r for r in results if r.has_http]),
                          ("captures without HTTP", [r for r in results if not r.has_http])):
        agreeing = sum(r.counts_agree for r in chosen)
        explained = sum(not r.counts_agree and r.path in known for r in chosen)
        print(f"{title}: {agreeing}/{len(chosen)} agree, {explained} explained, "
              f"{len(chosen) - agreeing - explained} not")
    compared = sum((r.compared for r in results), Counter())
    agreeing = sum((r.agreeing for r in results), Counter())
    print("exchanges: " + ", ".join(f"{name} {agreeing[name]}/{compared[name]}" for name in TOLD))
    return all(r.path in known for r in differing)


def parse_arguments():
    parser = argparse.ArgumentParser(description="compare wirelap with tshark, asked by wirelap's definitions")
    parser.add_argument("binary")
    parser.add_argument("folder")
    parser.add_argument("--known", help="list of explained differences: path, tab, reason")
    parser.add_argument("--cache", help="folder of what tshark said before")
    arguments = parser.parse_args()
    if not os.access(arguments.binary, os.X_OK):
        parser.error(f"{arguments.binary}: not a program")
    try:
        known = captures.read_known(arguments.known) if arguments.known else {}
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return arguments, known


def main():
    arguments, known = parse_arguments()
    if not os.path.exists(os.path.join(arguments.folder, "INDEX.tsv")) or not shutil.which("tshark"):
        print(f"tshark: skipped, no INDEX.tsv in {arguments.folder}, or no tshark")
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
