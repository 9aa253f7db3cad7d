#!/usr/bin/env python3
"""make soak: a long run: 50 million packets through one pipe, with pauses, then a connection with a response of 9.5 GB.
Prints memory over time, and at each pause the time between the last packet and the end of the last record. Exits with 1
if memory grows, records are late, or the results are not what was generated."""

import argparse
import array
import fcntl
import json
import os
import struct
import subprocess
import sys
import termios
import threading
import time

PAUSES = 20


class Records:
    """Reads the program's output in a thread; keeps the number of lines and the last one."""

    def __init__(self, pipe):
        self.count, self.last, self.bytes = 0, b"", 0
        self.bodies = 0
        self.thread = threading.Thread(target=self.read, args=(pipe,))
        self.thread.start()

    def read(self, pipe):
        rest = b""
        while True:
            block = os.read(pipe.fileno(), 1 << 20)
            if not block:
                return
            self.bytes += len(block)
            self.count += block.count(b"\n")
            rest = (rest + block)[-16384:]
            lines = rest.split(b"\n")
            if len(lines) > 1:
                self.last = lines[-2]


def last_packet_time(tail):
    """Returns the time of the last complete record header in `tail`, part of a pcap file in the byte order of this
    machine. The records in it are found by their lengths."""
    found = None
    for at in range(len(tail) - 16):
        chain, place, moment = 0, at, None
        while place + 16 <= len(tail):
            seconds, micros, captured, length = struct.unpack_from("<IIII", tail, place)
            if not (1_600_000_000 < seconds < 2_000_000_000 and micros < 1_000_000 and 54 <= captured == length < 66_000):
                break
            chain, moment, place = chain + 1, seconds + micros / 1e6, place + 16 + captured
        if chain > 5:
            return moment
    return found


def end_of(record):
    """Returns when an exchange ended. `start` is the first byte of the request; total_s includes the handshake before."""
    return record["start"] + record["total_s"] - (record["connect_s"] or 0)


def resident_kib(pid):
    with open("/proc/%d/status" % pid) as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def waiting_bytes(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, count)
    return count[0]


def run(build, generate, size):
    """Pipes generated packets through the program; returns samples at the pauses, the totals, and the last record."""
    totals_path = os.path.join(build, "bench", "soak.totals")
    maker = subprocess.Popen([os.path.join(build, "bench", "generate"), *generate, "--bytes", str(size), "--totals",
                              totals_path], stdout=subprocess.PIPE)
    program = subprocess.Popen([os.path.join(build, "wirelap"), "-f", "ndjson", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    records = Records(program.stdout)
    fed, next_pause, tail, samples = 0, size // PAUSES, b"", []
    began = time.monotonic()
    while block := maker.stdout.read(1 << 18):
        program.stdin.write(block)
        fed, tail = fed + len(block), block
        if fed < next_pause:
            continue
        next_pause += size // PAUSES
        program.stdin.flush()
        while waiting_bytes(program.stdin) != 0:
            time.sleep(0.01)
        time.sleep(0.3)
        lag = last_packet_time(tail) - end_of(json.loads(records.last)) if records.last else float("nan")
        samples.append((fed, resident_kib(program.pid), records.count, lag))
    program.stdin.close()
    messages = program.stderr.read().decode().strip()
    _, status, usage = os.wait4(program.pid, 0)
    records.thread.join()
    maker.wait()
    with open(totals_path) as lines:
        totals = {name: int(value) for name, value in (line.split("\t") for line in lines)}
    for bytes_fed, kib, count, lag in samples:
        print("%6.2f GB read: %6.2f MiB resident, %9d records, the last one ends %.3f s before the last packet" %
              (bytes_fed / 1e9, kib / 1024, count, lag))
    print("%d packets, %.2f GB in %.0f s; processor %.0f s; peak %.2f MiB; %s\n" %
          (totals["packets"], fed / 1e9, time.monotonic() - began, usage.ru_utime + usage.ru_stime,
           usage.ru_maxrss / 1024, messages.split("\n")[0]), flush=True)
    if status != 0:
        sys.exit("soak: " + messages)
    if records.count != totals["exchanges"]:
        sys.exit("soak: %d exchanges generated, %d found" % (totals["exchanges"], records.count))
    return samples, totals, json.loads(records.last)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--bytes", type=float, default=9.7e9, help="of short connections, about 190 a packet")
    parser.add_argument("--response", type=float, default=9.5e9, help="of one response; 0: leave it out")
    arguments = parser.parse_args()
    samples, _, _ = run(arguments.build, ["--kind", "small"], int(arguments.bytes))
    settled, last = samples[len(samples) // 4][1], samples[-1][1]
    if last > settled * 1.02 + 256:
        sys.exit("soak: memory grew from %d to %d KiB" % (settled, last))
    if max(lag for *_, lag in samples) > 1:
        sys.exit("soak: records are late")
    if arguments.response == 0:
        return
    size = int(arguments.response)
    _, totals, record = run(arguments.build, ["--kind", "bulk", "--flows", "1", "--response", str(size)], size)
    print("the last record: %d bytes of response, outcome %s" % (record["response_bytes"], record["outcome"]))
    if record["response_body_bytes"] < 1 << 32:
        sys.exit("soak: no response of more than 4 GiB")


main()
