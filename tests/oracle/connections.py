#!/usr/bin/env python3
"""Compares the records of `wirelap --connections` with values computed from tshark's packets.

    connections.py WIRELAP_BINARY CAPTURE...

tshark provides the TCP stream and the header fields of each packet. From these, this program computes the packets and
the distinct payload bytes of each direction, the options, and which end closed the connection. Streams and records are
matched by their first packet. Prints a line for each connection that differs, then a summary.

Exit code: 1 if there is a difference, 2 if wirelap or tshark failed.
"""

import json
import subprocess
import sys
from collections import Counter, defaultdict

FIN, SYN, RST, ACK = 1, 2, 4, 16
FIELDS = ("frame.number", "frame.time_epoch", "tcp.stream", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst",
          "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.flags", "tcp.options.mss_val",
          "tcp.options.wscale.shift", "tcp.options.sack_perm", "tcp.options.timestamp.tsval",
          "frame.len", "frame.cap_len")
COMPARED = ("last_frame", "start", "duration_s", "client", "client_port", "server", "server_port", "packets",
            "client_packets", "server_packets", "client_bytes", "server_bytes", "client_mss", "server_mss",
            "client_window_scale", "server_window_scale", "sack", "timestamps", "ending", "ended_by")


def read_packets(capture):
    """Returns the packets of each stream, as dictionaries with FIELDS."""
    command = ["tshark", "-n", "-r", capture, "-o", "tcp.desegment_tcp_streams:FALSE", "-Y", "tcp", "-T", "fields"]
    for name in FIELDS:
        command += ["-e", name]
    run = subprocess.run(command, capture_output=True, text=True)
    streams = defaultdict(list)
    for line in run.stdout.splitlines():
        row = dict(zip(FIELDS, line.split("\t")))
        if "," in row["tcp.stream"] + row["ip.src"] or not row["tcp.seq_raw"] or not row["tcp.len"]:
            continue  # in a tunnel, in an ICMP error, or not completely captured
        streams[int(row["tcp.stream"])].append(row)
    return streams


class Endpoint:
    """The state of one end of a connection."""

    def __init__(self):
        self.packets, self.syn, self.base, self.high = 0, None, None, 0
        self.spans, self.held = [], []  # ranges of bytes that were sent, and the captured part of them
        self.fin, self.acknowledged = None, 0

    def offset(self, sequence):
        if self.base is None:
            self.base = sequence
        near = (sequence - self.base - self.high) & 0xffffffff
        return self.high + (near - (1 << 32) if near >= 1 << 31 else near)


def count_distinct(spans, low):
    total, reached = 0, low
    for begin, end in sorted(spans):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total, reached


def measure(packets):
    """Returns the columns of one stream."""
    ends = {}
    first = packets[0]
    client, ending, ended_by, over = None, None, None, None
    for p in packets:
        at = (p["ip.src"] or p["ipv6.src"], int(p["tcp.srcport"]))
        to = (p["ip.dst"] or p["ipv6.dst"], int(p["tcp.dstport"]))
        me, peer = ends.setdefault(at, Endpoint()), ends.setdefault(to, Endpoint())
        me.packets += 1
        flags, length = int(p["tcp.flags"], 16), int(p["tcp.len"])
        if over:
            continue
        sequence = int(p["tcp.seq_raw"]) + (1 if flags & SYN else 0)
        if flags & SYN:
            me.syn = p
            client = to if flags & ACK else at
        begin = me.offset(sequence & 0xffffffff)
        if length:
            me.spans.append((begin, begin + length))
            uncaptured = min(length, int(p["frame.len"]) - int(p["frame.cap_len"]))
            me.held.append((begin, begin + length - uncaptured))
            me.high = max(me.high, begin + length)
        if flags & ACK:
            acknowledged = peer.offset(int(p["tcp.ack_raw"]))
            peer.acknowledged = max(peer.acknowledged, min(acknowledged, peer.fin if peer.fin is not None else acknowledged))
        if flags & FIN and me.fin is None:
            me.fin = begin + length
            ended_by = ended_by or at
        if flags & RST:
            refused = client and at != client and ends[client].syn and not me.syn and not ends[client].spans
            ending, ended_by, over = "refused" if refused else "reset", at, True
        elif all(end.fin is not None for end in ends.values()) and len(ends) == 2:
            # The connection is closed when each end's bytes up to its FIN are captured or acknowledged.
            if all(count_distinct(e.spans, 0)[0] >= e.fin or e.acknowledged >= e.fin for e in ends.values()):
                ending, over = "fin", True
    at = (first["ip.src"] or first["ipv6.src"], int(first["tcp.srcport"]))
    to = (first["ip.dst"] or first["ipv6.dst"], int(first["tcp.dstport"]))
    guessed = client is None
    client = client or (at if at[1] > to[1] else to)
    server = to if client == at else at
    c, s = ends[client], ends[server]
    if ending is None:
        both = c.fin is not None and s.fin is not None
        silent = s.packets == 0 and c.syn and s.base is None
        ending = "fin" if both else "unanswered" if silent else "open"
    times = [float(p["frame.time_epoch"]) for p in (first, packets[-1])]
    result = {"first_frame": int(first["frame.number"]), "last_frame": int(packets[-1]["frame.number"]),
              "start": times[0], "duration_s": max(0, times[1] - times[0]), "packets": len(packets),
              "client": client[0], "client_port": client[1], "server": server[0], "server_port": server[1],
              "ending": ending, "ended_by": "client" if ended_by == client else "server" if ended_by else None,
              "guessed": guessed}
    for name, end in (("client", c), ("server", s)):
        result[name + "_packets"] = end.packets
        result[name + "_bytes"] = max(count_distinct(end.spans, 0)[1], end.acknowledged)
        result[name + "_missing"] = result[name + "_bytes"] - count_distinct(end.held, 0)[0]
        syn = end.syn or {}
        mss, scale = syn.get("tcp.options.mss_val"), syn.get("tcp.options.wscale.shift")
        result[name + "_mss"] = int(mss) or None if mss else None
        result[name + "_window_scale"] = min(14, int(scale)) if scale else None
    for name, option in (("sack", "tcp.options.sack_perm"), ("timestamps", "tcp.options.timestamp.tsval")):
        both = c.syn and s.syn
        result[name] = bool(c.syn[option] and s.syn[option]) if both else None
    result["missing_bytes"] = result["client_missing"] + result["server_missing"]
    return result


def differs(name, ours, theirs):
    if name in ("start", "duration_s"):
        return abs(ours - theirs) > 2e-6
    if name == "ending" and theirs == "open":
        return ours not in ("capture_end", "replaced")
    return ours != theirs


def compare(program, capture, tally):
    run = subprocess.run([program, "--connections", "-f", "ndjson", capture], capture_output=True, text=True)
    if run.returncode not in (0, 1):
        sys.exit(2)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    exchanges = Counter(row["connection"] for row in rows if row["type"] == "exchange")
    ours = {row["first_frame"]: row for row in rows if row["type"] == "connection"}
    theirs = {row["first_frame"]: row for row in map(measure, read_packets(capture).values())}
    bad = 0
    for frame in sorted(ours.keys() | theirs.keys()):
        tally["connections"] += 1
        if frame not in ours or frame not in theirs:
            bad += 1
            print(f"{capture}: frame {frame}: {'only wirelap' if frame in ours else 'only tshark'}")
            continue
        mine, other = ours[frame], theirs[frame]
        if mine["exchanges"] != exchanges[mine["connection"]]:
            print(f"{capture}: connection {mine['connection']}: wrong number of exchanges")
            bad += 1
        names = [n for n in COMPARED + ("missing_bytes",) if differs(n, mine[n], other[n])]
        if names:
            bad += 1
            difference = ", ".join(f"{n} {mine[n]} ({other[n]})" for n in names)
            print(f"{capture}: connection {mine['connection']}, frame {frame}: {difference}")
    tally["captures"] += 1
    tally["captures that differ"] += bad > 0
    tally["connections that differ"] += bad
    return bad


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    tally = Counter()
    bad = sum(compare(sys.argv[1], capture, tally) for capture in sys.argv[2:])
    print(", ".join(f"{count} {name}" for name, count in tally.items()))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
