"""lab_score.py PROGRAM [DIR]: compares the records of the lab's scenarios with the logs of the lab's server, client and
link.

DIR (default fixtures/causes) contains a folder for each scenario with client.pcap, server.pcap and truth.json, which
fixtures/lab/scenarios.py makes. For each exchange, at the client and at the server, it compares the cause, each time
that is known (correct within 10 % or one round trip, whichever is more) and the number of lost segments; then, between
the two ends, the cause and the time of each cause. Values that an end cannot observe are not compared there.

  --brief   prints only wrong values and the totals
  --allow N exits with 1 if more than N values are wrong
"""

import argparse
import collections
import json
import os
import subprocess
import sys

ENDS = ("client", "server")
CAUSES = ("network_s", "loss_s", "server_s", "client_s", "window_s", "ack_delay_s")
HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT = os.path.join(os.path.dirname(os.path.dirname(HERE)), "fixtures", "causes")


def records(program, capture):
    """Returns the exchanges that the program reports, by target, and its error if it failed."""
    argv = [program, "--format", "ndjson", capture]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    error = done.stderr.strip() or f"exit {done.returncode}" if done.returncode else ""
    return {r["target"]: r for r in found if r["type"] == "exchange"}, error


JITTER = 0.0005  # of the hosts, in addition to the round trip of the link


def close(expected, got, rtt):
    """Returns whether a time is within 10 % of the expected one, or within one round trip."""
    if expected is None or got is None:
        return False
    return abs(got - expected) <= max(0.1 * abs(expected), rtt + JITTER)


def same_cause(a, b):
    """Returns whether two names of a cause are equal, with the unit of the column or without it."""
    return a is not None and b is not None and a.removesuffix("_s") == b.removesuffix("_s")


def shown(value):
    """Returns a value as text for the table."""
    if value is None:
        return "null"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


class Score:
    """Prints the rows of the table and counts the correct ones."""

    def __init__(self, brief):
        self.brief = brief
        self.kinds = collections.defaultdict(lambda: [0, 0])  # for each kind: correct, wrong

    def row(self, scenario, end, target, what, expected, got, correct):
        """Adds one comparison."""
        kind = what if what in ("cause", "lost", "missing_bytes") else "times"
        kind = "agreement" if end == "both" else kind
        self.kinds[kind][0 if correct else 1] += 1
        if correct and self.brief:
            return
        verdict = "ok" if correct else "WRONG"
        print(
            f"{scenario:26} {end:6} {target:26} {what:12} "
            f"{shown(expected):>12} {shown(got):>12} {verdict}"
        )


def known_times(exchange, end):
    """Returns the times that can be observed at an end."""
    times = {**exchange["times"], **exchange.get("times_at", {}).get(end, {})}
    times["total_s"] = exchange["totals"][end]
    return {what: seconds for what, seconds in times.items() if seconds is not None}


def score_end(score, name, end, exchange, record, rtt):
    """Compares one exchange at one end."""
    target = exchange["target"]
    cause = exchange.get("expect", {}).get(end, exchange["cause"])
    if cause is not None:
        got = record.get("cause")
        score.row(name, end, target, "cause", cause, got, same_cause(cause, got))
    for what, seconds in known_times(exchange, end).items():
        got = record.get(what)
        score.row(name, end, target, what, seconds, got, close(seconds, got, rtt))
    lost = exchange["lost"].get(end)
    if lost is not None:
        got = record.get("lost_packets")
        score.row(name, end, target, "lost", lost, got, got == lost)
    missing = exchange.get("missing_bytes", {}).get(end)
    if missing is not None:
        got = record.get("missing_bytes")
        score.row(name, end, target, "missing_bytes", missing, got, got == missing)


def score_agreement(score, name, exchange, records_, rtt):
    """Compares one exchange between the two ends. Known differences between the ends are subtracted, such as the way of
    the last response segment."""
    target = exchange["target"]
    client, server = records_
    if exchange["cause"] is not None and not exchange.get("expect"):
        a, b = client.get("cause"), server.get("cause")
        score.row(name, "both", target, "cause", a, b, same_cause(a, b))
    at_client, at_server = (known_times(exchange, end) for end in ENDS)
    for what in CAUSES:
        if (what in at_client) != (what in at_server):
            continue
        a, b = client.get(what), server.get(what)
        ours, theirs = at_client.get(what, 0.0), at_server.get(what, 0.0)
        if what == "network_s" and what not in at_client:
            if exchange.get("expect"):
                continue
            ours, theirs = at_client["total_s"], at_server["total_s"]
        shifted = None if b is None else b + ours - theirs
        score.row(name, "both", target, what, a, shifted, close(a, shifted, rtt))


def score_scenario(score, program, folder):
    """Compares all exchanges of one folder."""
    with open(os.path.join(folder, "truth.json")) as file:
        truth = json.load(file)
    name, rtt = truth["scenario"], truth["rtt_ms"] / 1000
    seen = {}
    for end in ENDS:
        seen[end], error = records(program, os.path.join(folder, f"{end}.pcap"))
        if error:
            score.row(name, end, "", "run", "no error", error, False)
    for exchange in truth["exchanges"]:
        both = [seen[end].get(exchange["target"], {}) for end in ENDS]
        for end, record in zip(ENDS, both):
            score_end(score, name, end, exchange, record, rtt)
        score_agreement(score, name, exchange, both, rtt)


def main():
    """Reads the arguments and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program")
    parser.add_argument("folder", nargs="?", default=DEFAULT)
    parser.add_argument("--only", help="scenarios whose names contain this")
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--allow", type=int, metavar="N", help="exit 1 if more than N are wrong")
    options = parser.parse_args()
    score = Score(options.brief)
    print(f"{'scenario':26} {'end':6} {'target':26} {'what':12} {'expected':>12} {'got':>12}")
    for name in sorted(os.listdir(options.folder)):
        folder = os.path.join(options.folder, name)
        if os.path.exists(os.path.join(folder, "truth.json")) and (options.only or "") in name:
            score_scenario(score, options.program, folder)
    for kind, (correct, wrong) in score.kinds.items():
        print(f"{kind}: {correct} correct, {wrong} wrong")
    passed, failed = (sum(k[i] for k in score.kinds.values()) for i in (0, 1))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if options.allow is not None and failed > options.allow else 0)


if __name__ == "__main__":
    main()
