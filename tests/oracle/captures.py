#!/usr/bin/env python3
"""Runs wirelap over a folder of real captures and compares with tshark and Zeek.

    captures.py WIRELAP_BINARY CAPTURES_DIR [--known FILE]

CAPTURES_DIR/INDEX.tsv names the captures, how many HTTP requests and responses
tshark counted in each, and for some of them Zeek's own http.log. All three are
opinions: a disagreement says that someone has to look at the packets. What was
looked at and explained goes into FILE, a line each: path, tab, reason.

The counts are of tshark set as it comes; tshark.py asks it by wirelap's definitions.
Zeek counts the bytes of a body after it has undone its Content-Encoding, wirelap
those that were sent: of such a body the length is not compared. How many logs agree
with those lengths, too, is printed beside.

Every capture is run with `--format ndjson`. Printed is a line for each one that
disagrees, by container, then the runs that went wrong, then a summary.

Exit: 1 on a crash, a hang, a broken record, or a disagreement that is not
explained; else 0, also where the folder is absent. 2 is bad usage.
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
SHOWN_ROWS = 5  # of each side of a difference from Zeek's log
OUTPUT_LIMIT_BYTES = 256 << 20  # a program that never stops printing must not fill the disk

PHASES = ("connect_s", "tls_s", "send_s", "wait_s", "receive_s")
CAUSES = ("network_s", "loss_s", "server_s", "client_s", "window_s", "ack_delay_s")
CONTAINERS = ("plain pcap", "pcapng", "gz")

# Zeek's column and ours, for what both say about an exchange.
ZEEK_COLUMNS = {"method": "method", "host": "host", "uri": "target",
                "status_code": "status", "response_body_len": "response_body_bytes"}
LENGTH = "response_body_len"
ZEEK_DECODES = ("gzip", "x-gzip", "deflate")  # codings that it undoes (RFC 9110, 8.4.1)


@dataclass
class Result:
    """What came out for one capture."""
    row: dict
    code: int = 0
    hung: bool = False
    stderr: str = ""
    broken: list = field(default_factory=list)  # complaints about output lines
    requests: int = 0
    responses: int = 0
    zeek: str = ""  # how Zeek's log differs; empty where it does not
    zeek_lengths: str = ""  # the same, with the lengths of bodies that Zeek decoded
    zeek_rows: list = field(default_factory=lambda: [0, 0])  # of its log: those that agree, all

    @property
    def path(self):
        return self.row["path"]

    @property
    def crashed(self):
        """A signal, a sanitizer's report, or an exit code that a file cannot cause."""
        sanitizer = "Sanitizer" in self.stderr or "runtime error:" in self.stderr
        return not self.hung and (self.code not in (0, 1) or sanitizer)

    @property
    def refused(self):
        """Exit 1: the program says that it could not read the capture to its end."""
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
    """Runs the program on one capture; returns (exit code or None if hung, stdout, stderr)."""
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
    """Runs the program on one capture and works out its Result."""
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
    """Returns the records of the output; adds a complaint to `broken` for each bad line."""
    *lines, rest = stdout.split(b"\n")
    if rest:
        broken.append(f"line {len(lines) + 1} does not end")
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = parse_record(line)
        except ValueError as error:  # of UTF-8 or of JSON
            broken.append(f"line {number}: {error}")
            continue
        records.append(record)
        broken.extend(f"line {number}: {complaint}" for complaint in check_times(record))
    return records


def parse_record(line):
    """Parses one line, with its numbers exact."""
    def refuse(word):
        raise ValueError(f"{word} is no JSON")
    # A key given twice would hide the first one's value from every check.
    def unique(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)
    record = json.loads(line.decode("utf-8"), parse_float=Decimal, parse_int=Decimal,
                        parse_constant=refuse, object_pairs_hook=unique)
    if not isinstance(record, dict):
        raise ValueError("not an object")
    return record


def check_times(record):
    """Returns what is wrong with a record's times."""
    times = {key: value for key, value in record.items() if key.endswith("_s")}
    wrong = [f"{key} is {value!r}, no number" for key, value in times.items()
             if value is not None and not isinstance(value, Decimal)]
    if wrong:
        return wrong
    complaints = [f"{key} is negative: {value}" for key, value in times.items()
                  if value is not None and value < 0]
    if record.get("type") == "exchange":
        complaints += check_sum(record, PHASES) + check_sum(record, CAUSES)
    return complaints


def check_sum(record, parts):
    """Returns a complaint where the parts are known and do not sum to total_s exactly."""
    absent = [key for key in parts + ("total_s",) if key not in record]
    if absent:
        return ["no column " + ", ".join(absent)]
    values = [record[key] for key in parts]
    if record["total_s"] is None or None in values or sum(values) == record["total_s"]:
        return []
    return [f"{' + '.join(parts)} is {sum(values)}, total_s {record['total_s']}"]


# ---- Zeek ------------------------------------------------------------------

def compare_zeek(log, exchanges, decoded):
    """Returns how the exchanges differ from those of Zeek's log, empty where they agree, and
    how many of its rows agree, of how many. The length of a body with one of the
    codings `decoded` is not compared."""
    columns, theirs = read_zeek(log)
    rows = len(theirs)
    extra = []
    for exchange in exchanges:
        candidates = zeek_rows_of(exchange, columns)
        # The column is the request's where the response has none.
        coding = exchange["content-encoding"] if not exchange["request_body_bytes"] else None
        passed = LENGTH if (coding or "").lower() in decoded else None
        match = next((row for leave_out in (None, passed) for row in theirs
                      if any(is_same(columns, row, ours, leave_out) for ours in candidates)), None)
        if match is not None:
            theirs.remove(match)
        elif any(candidates[0]):
            extra.append(candidates[0])
    text = "; ".join(show_rows("only Zeek", theirs) + show_rows("only wirelap", extra))
    return text, rows - len(theirs), rows


def is_same(columns, row, ours, passed):
    """Tells whether the rows are equal but for the column `passed`."""
    return all(theirs == our for name, theirs, our in zip(columns, row, ours) if name != passed)


def read_zeek(log):
    """Returns the log's columns that we have too, and a tuple of their values for each row."""
    header, rows = None, []
    with open(log, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines.read().split("\n"):
            if line.startswith("#fields\t"):
                header = line.split("\t")[1:]
            elif line.startswith("#") or not line:
                continue
            elif header is None:
                header = line.split("\t")  # some logs have bare column names
            else:
                rows.append(dict(zip(header, line.split("\t"))))
    columns = [name for name in ZEEK_COLUMNS if name in (header or ())]
    values = [tuple(zeek_value(name, row.get(name, "-")) for name in columns) for row in rows]
    # A row without any value notes something odd on a connection, not an exchange.
    return columns, [row for row in values if any(row)]


def zeek_value(column, text):
    """Returns a field's value: an integer for numbers, else text; 0 or empty where unset."""
    if column in ("status_code", LENGTH):
        return int(text) if text.isdigit() else 0  # HTTP/0.9 has status 0 in the log
    if text in ("-", "(empty)"):
        return ""
    raw = text.encode("utf-8", "surrogateescape")
    raw = re.sub(rb"\\x([0-9a-fA-F]{2})", lambda hexes: bytes([int(hexes[1], 16)]), raw)
    return raw.decode("utf-8", "replace")


def zeek_rows_of(exchange, columns):
    """Returns the rows that Zeek may have for an exchange, the one as sent first."""
    rows = []
    for target in target_spellings(exchange.get("target") or ""):
        ours = dict(exchange, target=target)
        rows.append(tuple(our_value(name, ours.get(ZEEK_COLUMNS[name])) for name in columns))
    return rows


def our_value(column, value):
    """Returns our value in the form of zeek_value."""
    if column in ("status_code", LENGTH):
        return int(value or 0)
    return value or ""


def target_spellings(target):
    """Returns a target as sent, without scheme and authority, and both percent-decoded."""
    stripped = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?]*", "", target)
    sent = [target, stripped]
    return sent + [unquote_to_bytes(text).decode("utf-8", "replace") for text in sent]


def show_rows(title, rows):
    """Returns a text for each of the first rows, and how many there are more."""
    shown = [f"{title} ({' '.join(printable(str(value or '-')) for value in row)})"
             for row in rows[:SHOWN_ROWS]]
    return shown + ([f"and {len(rows) - SHOWN_ROWS} more"] if len(rows) > SHOWN_ROWS else [])


def printable(text):
    """Escapes what comes from the wire: the captures are hostile to terminals too."""
    return text.encode("unicode_escape").decode("ascii")


# ---- the report ------------------------------------------------------------

def container(row):
    """Returns which of CONTAINERS a capture is in."""
    if row["format"].endswith("+gz"):
        return "gz"
    return "pcapng" if row["format"].startswith("pcapng") else "plain pcap"


def describe(result):
    """Returns the line for a capture that disagrees."""
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
    return "hung" if result.hung else f"exit {result.code}"


def first_line(text):
    return printable(text.partition("\n")[0])


def print_group(name, results, known):
    """Prints the captures of a container that disagree, the unexplained ones first."""
    differing = [r for r in results if not r.agrees]
    for title, chosen in (("disagree", [r for r in differing if r.path not in known]),
                          ("disagree, explained", [r for r in differing if r.path in known])):
        if chosen:
            print(f"{name}: {len(chosen)} {title}")
        for result in chosen:
            reason = known.get(result.path)
            print(describe(result) + (f" [{reason}]" if reason else ""))


def print_faults(results):
    """Prints the runs that crashed, hung, could not read on, or wrote a broken record."""
    refused = [r for r in results if r.refused]
    for title, chosen in (("crashed", [r for r in results if r.crashed]),
                          ("hung", [r for r in results if r.hung]),
                          ("exit 1", refused)):
        if chosen:
            print(f"{title}: {len(chosen)}")
        for result in chosen:
            print(f"  {result.path}: {ending(result)}: {first_line(result.stderr)}")
    for result in results:
        if result.broken:
            print(f"  {result.path}: {len(result.broken)} complaints about records: "
                  f"{printable(result.broken[0])}")


def print_stale(results, known):
    """Prints what the list of explanations no longer needs."""
    differing = {r.path for r in results if not r.agrees}
    for path in known:
        if path not in differing:
            print(f"explained, but agrees or is not there: {path}")


def print_agreement(title, results, known, agrees):
    """Prints one line of the summary: how many of the results agree."""
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
            print(f"  {len(exact)} with the lengths of decoded bodies; rows: {agreeing}/{rows}")
    results = [r for name in CONTAINERS for r in groups[name]]
    print(f"crashes {sum(r.crashed for r in results)}, hangs {sum(r.hung for r in results)}, "
          f"exit 1 {sum(r.refused for r in results)}, "
          f"broken records {sum(len(r.broken) for r in results)}")


def failed(groups, known):
    """Tells whether the run has to end with 1."""
    return any(r.crashed or r.hung or r.broken or (not r.agrees and r.path not in known)
               for results in groups.values() for r in results)


# ---- input -----------------------------------------------------------------

def read_index(folder):
    """Returns the rows of the folder's index."""
    with open(os.path.join(folder, "INDEX.tsv"), encoding="utf-8", newline="") as index:
        return list(csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE))


def read_known(path):
    """Returns the reason for each path of a list of explanations."""
    known = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            capture, tab, reason = line.partition("\t")
            if not tab or not reason.strip():
                raise ValueError(f"{path}:{number}: not a path, a tab and a reason")
            known[capture] = reason.strip()
    return known


def parse_arguments():
    parser = argparse.ArgumentParser(description="compare wirelap with tshark and Zeek")
    parser.add_argument("binary")
    parser.add_argument("folder")
    parser.add_argument("--known", help="list of explained disagreements: path, tab, reason")
    arguments = parser.parse_args()
    if not os.access(arguments.binary, os.X_OK):
        parser.error(f"{arguments.binary}: not a program")
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
    print_faults(results)
    print_stale(results, known)
    print_summary(groups, known)
    return 1 if failed(groups, known) else 0


if __name__ == "__main__":
    sys.exit(main())
