#!/usr/bin/env python3
"""Compares wirelap's results for a folder of captures with those of tshark and Zeek.

    captures.py WIRELAP_BINARY CAPTURES_DIR [--known FILE]

CAPTURES_DIR/INDEX.tsv lists the captures, the numbers of HTTP requests and responses that tshark counts in each, and
for some of them Zeek's http.log. None of the three programs is right by definition: for each difference somebody has to
examine the packets. FILE contains the differences that are explained, one a line: path, tab, reason.

tshark's counts are made with its default settings; tshark.py uses wirelap's definitions. Zeek counts the bytes of a
body after decoding its Content-Encoding, wirelap counts the bytes that were sent, so the lengths of encoded bodies are
not compared. The summary also contains the number of logs that agree in these lengths.

Every capture is read with `--format ndjson`. Prints a line for each capture with a difference, by container, then the
runs that failed, then a summary.

Exit code: 1 for a crash, a timeout, an invalid record or a difference that is not explained; 2 for wrong usage; else 0,
also if the folder does not exist.
"""

import argparse
import csv
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import unquote_to_bytes

TIMEOUT_S = 20
PROCESSES = 2
SHOWN_ROWS = 5  # for each program, of a difference from Zeek's log
OUTPUT_LIMIT_BYTES = 256 << 20  # so that a program that never stops does not fill the disk

PHASES = ("connect_s", "tls_s", "send_s", "wait_s", "receive_s")
CAUSES = ("network_s", "loss_s", "server_s", "client_s", "window_s", "ack_delay_s")
CONTAINERS = ("plain pcap", "pcapng", "gz")

# Zeek's columns and the same columns of wirelap.
ZEEK_COLUMNS = {"method": "method", "host": "host", "uri": "target",
                "status_code": "status", "response_body_len": "response_body_bytes"}
LENGTH = "response_body_len"
ZEEK_DECODES = ("gzip", "x-gzip", "deflate")  # codings that Zeek decodes (RFC 9110, 8.4.1)


@dataclass
class Result:
    """The result for one capture."""
    row: dict
    code: int = 0
    hung: bool = False
    stderr: str = ""
    broken: list = field(default_factory=list)  # what is wrong with lines of the output
    requests: int = 0
    responses: int = 0
    zeek: str = ""  # the difference from Zeek's log; empty if there is none
    zeek_lengths: str = ""  # as `zeek`, with the lengths of encoded bodies compared
    zeek_rows: list = field(default_factory=lambda: [0, 0])  # rows of the log: those that agree, all

    @property
    def path(self):
        return self.row["path"]

    @property
    def crashed(self):
        """A signal, a report of a sanitizer, or an exit code that no capture can cause."""
        sanitizer = "Sanitizer" in self.stderr or "runtime error:" in self.stderr
        return not self.hung and (self.code not in (0, 1) or sanitizer)

    @property
    def refused(self):
        """Exit code 1: the program could not read the capture to its end."""
        return self.code == 1 and not self.crashed

    @property
    def expected(self):
        return int(self.row["http_requests"]), int(self.row["http_responses"])

    @property
    def counts_agree(self):
        return (self.requests, self.responses) == self.expected

    @property
    def agrees(self):
        return self.counts_agree and not self.zeek


# ---- running ---------------------------------------------------------------

def run(binary, folder, row):
    """Runs the program on one capture; returns (exit code, or None after a timeout; stdout; stderr)."""
    command = [binary, "-q", "--format", "ndjson", "--header", "content-encoding", row["path"]]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            code = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=err, timeout=TIMEOUT_S).returncode
        except subprocess.TimeoutExpired:
            code = None
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


def examine(binary, folder, row):
    """Runs the program on one capture and returns its Result."""
    code, stdout, stderr = run(binary, folder, row)
    result = Result(row, code=code or 0, hung=code is None,
                    stderr=stderr.decode("utf-8", "replace").strip())
    records = read_output(stdout, result.broken)
    exchanges = [r for r in records if str(r.get("protocol")).startswith("http/")
                 and r.get("type") == "exchange"]
    result.requests = sum(r.get("method") is not None for r in exchanges)
    result.responses = sum(r.get("status") is not None for r in exchanges)
    if row["zeek_http_log"]:
        log = os.path.join(folder, row["zeek_http_log"])
        result.zeek, *result.zeek_rows = compare_zeek(log, exchanges, ZEEK_DECODES)
        result.zeek_lengths = compare_zeek(log, exchanges, ())[0]
    return result


# ---- records ---------------------------------------------------------------

def read_output(stdout, broken):
    """Returns the records of the output; adds a message to `broken` for each invalid line."""
    *lines, rest = stdout.split(b"\n")
    if rest:
        broken.append(f"line {len(lines) + 1} has no newline")
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = parse_record(line)
        except ValueError as error:  # invalid UTF-8 or JSON
            broken.append(f"line {number}: {error}")
            continue
        records.append(record)
        broken.extend(f"line {number}: {message}" for message in check_times(record))
    return records


def parse_record(line):
    """Parses one line. Numbers keep all their digits."""
    def refuse(word):
        raise ValueError(f"{word} is not JSON")
    # Of a key that occurs twice, no check would see the first value.
    def unique(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key occurs twice")
        return dict(pairs)
    record = json.loads(line.decode("utf-8"), parse_float=Decimal, parse_int=Decimal,
                        parse_constant=refuse, object_pairs_hook=unique)
    if not isinstance(record, dict):
        raise ValueError("not an object")
    return record


def check_times(record):
    """Returns messages about invalid times of a record."""
    times = {key: value for key, value in record.items() if key.endswith("_s")}
    wrong = [f"{key} is {value!r}, which is not a number" for key, value in times.items()
             if value is not None and not isinstance(value, Decimal)]
    if wrong:
        return wrong
    wrong = [f"{key} is negative: {value}" for key, value in times.items()
             if value is not None and value < 0]
    if record.get("type") == "exchange":
        wrong += check_sum(record, PHASES) + check_sum(record, CAUSES)
    return wrong


def check_sum(record, parts):
    """Returns a message if the parts are known and their sum is not exactly total_s."""
    absent = [key for key in parts + ("total_s",) if key not in record]
    if absent:
        return ["no column " + ", ".join(absent)]
    values = [record[key] for key in parts]
    if record["total_s"] is None or None in values or sum(values) == record["total_s"]:
        return []
    return [f"{' + '.join(parts)} is {sum(values)}, total_s {record['total_s']}"]


# ---- Zeek ------------------------------------------------------------------

def compare_zeek(log, exchanges, decoded):
    """Returns the difference between the exchanges and Zeek's log, empty if there is none, the number of its rows that
    agree, and the number of all its rows. Lengths of bodies with one of the codings `decoded` are not compared."""
    columns, theirs = read_zeek(log)
    rows = len(theirs)
    extra = []
    for exchange in exchanges:
        candidates = zeek_rows_of(exchange, columns)
        # If the response has no such header, the column contains that of the request.
        coding = exchange["content-encoding"] if not exchange["request_body_bytes"] else None
        skipped = LENGTH if (coding or "").lower() in decoded else None
        match = next((row for skip in (None, skipped) for row in theirs
                      if any(is_same(columns, row, ours, skip) for ours in candidates)), None)
        if match is not None:
            theirs.remove(match)
        elif any(candidates[0]):
            extra.append(candidates[0])
    text = "; ".join(show_rows("only Zeek", theirs) + show_rows("only wirelap", extra))
    return text, rows - len(theirs), rows


def is_same(columns, row, ours, skipped):
    """Returns whether the rows are equal in all columns except `skipped`."""
    return all(theirs == our for name, theirs, our in zip(columns, row, ours) if name != skipped)


def read_zeek(log):
    """Returns the columns that log and wirelap have in common, and a tuple of their values for each row."""
    header, rows = None, []
    with open(log, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines.read().split("\n"):
            if line.startswith("#fields\t"):
                header = line.split("\t")[1:]
            elif line.startswith("#") or not line:
                continue
            elif header is None:
                header = line.split("\t")  # some logs have column names without a prefix
            else:
                rows.append(dict(zip(header, line.split("\t"))))
    columns = [name for name in ZEEK_COLUMNS if name in (header or ())]
    values = [tuple(zeek_value(name, row.get(name, "-")) for name in columns) for row in rows]
    # A row without any value is about a connection, not an exchange.
    return columns, [row for row in values if any(row)]


def zeek_value(column, text):
    """Returns the value of a field: an integer or a text; 0 or empty if it is not set."""
    if column in ("status_code", LENGTH):
        return int(text) if text.isdigit() else 0  # HTTP/0.9 has status 0 in the log
    if text in ("-", "(empty)"):
        return ""
    raw = text.encode("utf-8", "surrogateescape")
    raw = re.sub(rb"\\x([0-9a-fA-F]{2})", lambda hexes: bytes([int(hexes[1], 16)]), raw)
    return raw.decode("utf-8", "replace")


def zeek_rows_of(exchange, columns):
    """Returns the rows that Zeek can have for an exchange; the first has the target as it was sent."""
    rows = []
    for target in target_spellings(exchange.get("target") or ""):
        ours = dict(exchange, target=target)
        rows.append(tuple(our_value(name, ours.get(ZEEK_COLUMNS[name])) for name in columns))
    return rows


def our_value(column, value):
    """Returns wirelap's value in the form of zeek_value."""
    if column in ("status_code", LENGTH):
        return int(value or 0)
    return value or ""


def target_spellings(target):
    """Returns a target as it was sent, without scheme and authority, and each of the two percent-decoded."""
    stripped = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?]*", "", target)
    sent = [target, stripped]
    return sent + [unquote_to_bytes(text).decode("utf-8", "replace") for text in sent]


def show_rows(title, rows):
    """Returns a text for each of the first rows, and one with the number of further rows."""
    shown = [f"{title} ({' '.join(printable(str(value or '-')) for value in row)})"
             for row in rows[:SHOWN_ROWS]]
    return shown + ([f"and {len(rows) - SHOWN_ROWS} more"] if len(rows) > SHOWN_ROWS else [])


def printable(text):
    """Escapes text from a capture, which can contain control sequences for terminals."""
    return text.encode("unicode_escape").decode("ascii")


# ---- the report ------------------------------------------------------------

def container(row):
    """Returns which of CONTAINERS a capture has."""
    if row["format"].endswith("+gz"):
        return "gz"
    return "pcapng" if row["format"].startswith("pcapng") else "plain pcap"


def describe(result):
    """Returns the line for a capture with a difference."""
    requests, responses = result.expected
    parts = []
    if result.requests != requests:
        parts.append(f"requests {result.requests}, tshark {requests}")
    if result.responses != responses:
        parts.append(f"responses {result.responses}, tshark {responses}")
    if result.zeek:
        parts.append(result.zeek)
    line = f"  {result.path}: {'; '.join(parts)}; {ending(result)}"
    return line + (f": {first_line(result.stderr)}" if result.stderr else "")


def ending(result):
    return "timeout" if result.hung else f"exit {result.code}"


def first_line(text):
    return printable(text.partition("\n")[0])


def print_group(name, results, known):
    """Prints the captures of a container with differences, first those that are not explained."""
    differing = [r for r in results if not r.agrees]
    for title, chosen in (("differ", [r for r in differing if r.path not in known]),
                          ("differ, explained", [r for r in differing if r.path in known])):
        if chosen:
            print(f"{name}: {len(chosen)} {title}")
        for result in chosen:
            reason = known.get(result.path)
            print(describe(result) + (f" [{reason}]" if reason else ""))


def print_failures(results):
    """Prints the runs that crashed, timed out, could not read to the end, or wrote an invalid record."""
    refused = [r for r in results if r.refused]
    for title, chosen in (("crashed", [r for r in results if r.crashed]),
                          ("timeout", [r for r in results if r.hung]),
                          ("exit code 1", refused)):
        if chosen:
            print(f"{title}: {len(chosen)}")
        for result in chosen:
            print(f"  {result.path}: {ending(result)}: {first_line(result.stderr)}")
    for result in results:
        if result.broken:
            print(f"  {result.path}: {len(result.broken)} errors in records: "
                  f"{printable(result.broken[0])}")


def print_stale(results, known):
    """Prints the entries of the list of explanations that are no longer needed."""
    differing = {r.path for r in results if not r.agrees}
    for path in known:
        if path not in differing:
            print(f"explained, but it agrees or does not exist: {path}")


def print_agreement(title, results, known, agrees):
    """Prints one line of the summary: the number of results that agree."""
    tally = Counter("agree" if agrees(r) else "explained" if r.path in known else "disagree"
                    for r in results)
    print(f"{title}: {tally['agree']}/{len(results)} agree, {tally['explained']} explained, "
          f"{tally['disagree']} not")


def print_summary(groups, known):
    """Prints the summary."""
    for name in CONTAINERS:
        results = groups[name]
        print_agreement(f"HTTP captures, {name}", [r for r in results if any(r.expected)],
                        known, lambda r: r.counts_agree)
        print_agreement(f"captures without HTTP, {name}",
                        [r for r in results if not any(r.expected)],
                        known, lambda r: r.counts_agree)
        print_agreement(f"Zeek logs, {name}", [r for r in results if r.row["zeek_http_log"]],
                        known, lambda r: not r.zeek)
        exact = [r for r in results if r.row["zeek_http_log"] and not r.zeek_lengths]
        agreeing, rows = (sum(r.zeek_rows[i] for r in results) for i in (0, 1))
        if rows:
            print(f"  {len(exact)} also agree in the lengths of encoded bodies; rows: {agreeing}/{rows}")
    results = [r for name in CONTAINERS for r in groups[name]]
    print(f"crashes {sum(r.crashed for r in results)}, timeouts {sum(r.hung for r in results)}, "
          f"exit code 1 {sum(r.refused for r in results)}, "
          f"invalid records {sum(len(r.broken) for r in results)}")


def failed(groups, known):
    """Returns whether the exit code is 1."""
    return any(r.crashed or r.hung or r.broken or (not r.agrees and r.path not in known)
               for results in groups.values() for r in results)


# ---- input -----------------------------------------------------------------

def read_index(folder):
    """Returns the rows of the index of the folder."""
    with open(os.path.join(folder, "INDEX.tsv"), encoding="utf-8", newline="") as index:
        return list(csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE))


def read_known(path):
    """Reads a list of explanations; returns the reasons by path."""
    known = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            capture, tab, reason = line.partition("\t")
            if not tab or not reason.strip():
                raise ValueError(f"{path}:{number}: expected a path, a tab and a reason")
            known[capture] = reason.strip()
    return known


def parse_arguments():
    parser = argparse.ArgumentParser(description="compare wirelap with tshark and Zeek")
    parser.add_argument("binary")
    parser.add_argument("folder")
    parser.add_argument("--known", help="list of explained differences: path, tab, reason")
    arguments = parser.parse_args()
    if not os.access(arguments.binary, os.X_OK):
        parser.error(f"{arguments.binary}: not an executable program")
    try:
        known = read_known(arguments.known) if arguments.known else {}
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return os.path.abspath(arguments.binary), arguments.folder, known


def main():
    binary, folder, known = parse_arguments()
    if not os.path.exists(os.path.join(folder, "INDEX.tsv")):
        print(f"captures: skipped, no INDEX.tsv in {folder}")
        return 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_LIMIT_BYTES, OUTPUT_LIMIT_BYTES))
    rows = read_index(folder)
    with ThreadPoolExecutor(PROCESSES) as pool:
        results = list(pool.map(lambda row: examine(binary, folder, row), rows))
    groups = {name: [r for r in results if container(r.row) == name] for name in CONTAINERS}
    for name in CONTAINERS:
        print_group(name, groups[name], known)
    print_failures(results)
    print_stale(results, known)
    print_summary(groups, known)
    return 1 if failed(groups, known) else 0


if __name__ == "__main__":
    sys.exit(main())
