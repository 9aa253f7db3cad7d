#!/usr/bin/env python3
"""A second, independent implementation of `wirelap --format classic`.

    classic.py CAPTURE [--port N ...]

Prints the classic output for one pcap file; the program's output is compared with it byte for byte. It was written
from the rules of the format, not from the program, and shares no code with it.

Captures: pcap in either byte order, with microseconds or nanoseconds. An incomplete last record ends the capture and
is no error. Link types: Ethernet (with VLAN tags), raw IP (101, 228), BSD null and loop, Linux cooked v1 and v2.
Packets of other link types are skipped.

Packets: TCP over IPv4. Skipped: fragments with an offset other than 0, packets without 20 captured bytes of TCP header,
with a TCP data offset below 5, with headers that are longer than the IP length, and with no server port.

  - The length of data comes from the IP total length, not from the captured bytes: Ethernet padding is not data, and a
    snap length does not shorten data. If the total length is 0, the record's original length is used.
  - A server segment is a segment with a server's source port (80, or the ports given with --port); otherwise a segment
    with a server's destination port is a client segment.
  - A connection is an unordered pair of endpoints with the same list of VLAN IDs. A SYN without ACK starts a new
    connection, unless it has the same source and sequence number as the SYN that started the current one.
  - Connections are in the order of their first packets. Each is cut before every client segment with data.
  - A piece that starts with a SYN (also SYN+ACK) gives `addr`, the destination of that packet, and `syn_rtt`, the time
    to the next packet of the piece; nothing if there is no next packet. This rule precedes the rule for GET.
  - A piece that starts with a client segment whose captured data begins with `GET` gives the timing of the response:
    the first server segment with data, and all later server segments without FIN, also those without data.
  - Other pieces give nothing.

Numbers: times are integers in microseconds (nanoseconds are truncated); seconds are a difference of times / 1e6,
latencies are the difference. Offsets count from the sequence number of the first server segment, modulo 2^32;
`highest` is the maximum of such offsets. IP IDs count modulo 2^16.
"""

import argparse
import json
import struct
import sys
from dataclasses import dataclass
from itertools import dropwhile

FIN, SYN, ACK = 0x01, 0x02, 0x10
ETHERTYPE_IPV4 = 0x0800
VLAN_ETHERTYPES = (0x8100, 0x88A8, 0x9100)
FULL_SEGMENTS = (1448, 1460)  # data of a full segment, with and without timestamps
OFFSET_MODULUS = 1 << 32


@dataclass
class Segment:
    """A TCP segment, with the values of lower layers that the rules need."""
    time_us: int
    vlans: tuple
    ip_id: int
    source: tuple       # (address, port)
    destination: tuple
    seq: int
    flags: int
    length: int         # bytes of data, from the IP header
    data: bytes         # the captured part of them


# ---- records ---------------------------------------------------------------

def byte_order_and_divisor(magic):
    """Returns the byte order for struct, and the divisor that makes microseconds of the fraction."""
    for order in "<>":
        value = struct.unpack(order + "I", magic)[0]
        if value == 0xA1B2C3D4:
            return order, 1
        if value == 0xA1B23C4D:
            return order, 1000
    raise ValueError("not a pcap file")


def read_records(raw):
    """Yields (link type, time in us, original length, captured bytes)."""
    if len(raw) < 24:
        raise ValueError("not a pcap file")
    order, divisor = byte_order_and_divisor(raw[:4])
    link_type = struct.unpack_from(order + "I", raw, 20)[0] & 0xFFFF  # the upper bits are about the FCS
    at = 24
    while at + 16 <= len(raw):
        seconds, fraction, captured, original = struct.unpack_from(order + "4I", raw, at)
        at += 16
        if at + captured > len(raw):
            return  # an incomplete last record
        yield link_type, seconds * 1000000 + fraction // divisor, original, raw[at:at + captured]
        at += captured


# ---- link layer ------------------------------------------------------------

def find_ipv4(link_type, frame):
    """Returns (offset of the IPv4 header, VLAN IDs), or None if there is no IPv4 header."""
    if link_type in (101, 228):
        return (0, ()) if frame[:1] and frame[0] >> 4 == 4 else None
    if link_type == 0:  # the address family in the capturing host's byte order
        return (4, ()) if frame[:4] in (b"\2\0\0\0", b"\0\0\0\2") else None
    if link_type == 108:  # the address family in network byte order
        return (4, ()) if frame[:4] == b"\0\0\0\2" else None
    if link_type == 1:
        return skip_vlans(frame, type_at=12, payload_at=14)
    if link_type == 113:
        return skip_vlans(frame, type_at=14, payload_at=16)
    if link_type == 276:
        return skip_vlans(frame, type_at=0, payload_at=20)
    return None


def skip_vlans(frame, type_at, payload_at):
    """Skips the VLAN tags between a link header and an IPv4 header; returns as find_ipv4 does."""
    vlans = []
    while type_at + 2 <= len(frame):
        ethertype = struct.unpack_from(">H", frame, type_at)[0]
        if ethertype == ETHERTYPE_IPV4:
            return payload_at, tuple(vlans)
        if ethertype not in VLAN_ETHERTYPES or payload_at + 4 > len(frame):
            return None
        vlans.append(struct.unpack_from(">H", frame, payload_at)[0] & 0x0FFF)
        type_at, payload_at = payload_at + 2, payload_at + 4
    return None


# ---- IPv4 and TCP ----------------------------------------------------------

def decode(link_type, time_us, original, frame):
    """Returns the TCP segment of a record, or None if the record is skipped."""
    found = find_ipv4(link_type, frame)
    if found is None:
        return None
    ip_at, vlans = found
    if len(frame) < ip_at + 20:
        return None
    version_ihl, _, ip_length, ip_id, fragment, _, protocol = struct.unpack_from(
        ">BBHHHBB", frame, ip_at)
    ip_header = (version_ihl & 15) * 4
    if version_ihl >> 4 != 4 or ip_header < 20 or protocol != 6 or fragment & 0x1FFF:
        return None
    if ip_length == 0:  # segmentation offload
        ip_length = original - ip_at

    tcp_at = ip_at + ip_header
    if len(frame) < tcp_at + 20:
        return None
    source_port, destination_port, seq, _, offset, flags = struct.unpack_from(
        ">HHIIBB", frame, tcp_at)
    tcp_header = (offset >> 4) * 4
    length = ip_length - ip_header - tcp_header
    if tcp_header < 20 or length < 0:
        return None
    data_at = tcp_at + tcp_header
    return Segment(time_us, vlans, ip_id,
                   (dotted(frame[ip_at + 12:ip_at + 16]), source_port),
                   (dotted(frame[ip_at + 16:ip_at + 20]), destination_port),
                   seq, flags, length, frame[data_at:data_at + length])


def dotted(address):
    """Returns four bytes as the text of an IPv4 address."""
    return ".".join(str(byte) for byte in address)


# ---- connections and pieces ------------------------------------------------

def group_connections(segments):
    """Returns a list of segments for each connection, in the order of their first packets."""
    connections = []
    current = {}  # the latest connection of each pair of endpoints
    for segment in segments:
        key = (segment.vlans, frozenset((segment.source, segment.destination)))
        connection = current.get(key)
        if connection is None or starts_anew(segment, connection[0]):
            connection = current[key] = []
            connections.append(connection)
        connection.append(segment)
    return connections


def is_opening(segment):
    """Returns whether a segment is a SYN without ACK."""
    return segment.flags & (SYN | ACK) == SYN


def starts_anew(segment, first):
    """Returns whether a segment starts another connection than the one that `first` started."""
    repeated = (is_opening(first) and first.source == segment.source
                and first.seq == segment.seq)
    return is_opening(segment) and not repeated


def is_server(segment, ports):
    """Returns whether a segment is from a server; otherwise it is from a client."""
    return segment.source[1] in ports


def cut_pieces(connection, ports):
    """Returns the pieces of a connection, cut before every client segment with data."""
    pieces = []
    for segment in connection:
        request = segment.length > 0 and not is_server(segment, ports)
        if request or not pieces:
            pieces.append([])
        pieces[-1].append(segment)
    return pieces


# ---- the output ------------------------------------------------------------

def seconds_between(before, after):
    """Returns the seconds from one segment to another."""
    return (after.time_us - before.time_us) / 1e6


def report_piece(piece, ports):
    """Returns the record of a piece, or None if it gives nothing."""
    first = piece[0]
    if first.flags & SYN:
        return report_syn(piece)
    # The first piece can begin with a server segment, and its data with GET.
    if not is_server(first, ports) and first.data.startswith(b"GET"):
        return report_get(first, [s for s in piece if is_server(s, ports)])
    return None


def report_syn(piece):
    """Returns the record of a handshake."""
    if len(piece) < 2:
        return None
    return {"addr": piece[0].destination[0], "syn_rtt": seconds_between(piece[0], piece[1])}


def report_get(request, responses):
    """Returns the record of a GET; `responses` are the server segments of the piece."""
    responses = list(dropwhile(lambda segment: segment.length == 0, responses))
    if not responses:
        return None
    first = responses[0]
    counted = [first] + [s for s in responses[1:] if not s.flags & FIN]
    highest = first.length
    gaps = []
    for before, segment in zip(counted, counted[1:]):
        start = (segment.seq - first.seq) % OFFSET_MODULUS
        reached = (start + segment.length) % OFFSET_MODULUS
        flags = gap_flags(segment, before, first, start, highest)
        gaps.append([seconds_between(before, segment), reached] + flags)
        highest = max(highest, reached)
    return {
        "bytes": highest,
        "start_latency": first.time_us - request.time_us,
        "finish_latency": counted[-1].time_us - request.time_us,
        "interpacket_times": gaps,
    }


def gap_flags(segment, before, first, start, highest):
    """Returns the flags of a server segment, in the order that the format defines."""
    flags = []
    if before is not first and before.length not in FULL_SEGMENTS:
        flags.append("LAST_PACKET_SHORT")
    if segment.ip_id != (before.ip_id + 1) % (1 << 16):
        flags.append("IPID_GAP")
    if start != highest:
        flags.append("OUT_OF_ORDER")
    if start % 9000 == 0:
        flags.append("9000")
    return flags


def classic(raw, ports):
    """Returns the records of a capture, given its bytes."""
    segments = []
    for record in read_records(raw):
        segment = decode(*record)
        if segment and (segment.source[1] in ports or segment.destination[1] in ports):
            segments.append(segment)
    pieces = (piece for connection in group_connections(segments)
              for piece in cut_pieces(connection, ports))
    reports = (report_piece(piece, ports) for piece in pieces)
    return [report for report in reports if report is not None]


def main():
    parser = argparse.ArgumentParser(description="a second implementation of the classic format")
    parser.add_argument("capture")
    parser.add_argument("--port", type=int, action="append", help="a server's port instead of 80")
    arguments = parser.parse_args()
    with open(arguments.capture, "rb") as capture:
        raw = capture.read()
    try:
        result = classic(raw, set(arguments.port or [80]))
    except ValueError as error:
        sys.exit(f"{arguments.capture}: {error}")
    sys.stdout.write(json.dumps(result, sort_keys=True, indent=2) + "\n")


if __name__ == "__main__":
    main()
