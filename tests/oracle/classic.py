#!/usr/bin/env python3
"""A second, independent implementation of `wirelap --format classic`.

    classic.py CAPTURE [--port N ...]

Prints what the rules of the classic format give for one classic pcap file, so
that the program's own output can be compared with it byte for byte. It was
worked out from the rules, not from the program, and shares nothing with it.

Reading: classic pcap, either byte order, micro- or nanoseconds. A cut last
record ends the capture normally. Link types: Ethernet (with VLAN tags), raw IP
(101, 228), BSD null and loop, Linux cooked v1 and v2; packets of any other are
not looked at.

Packets looked at: IPv4 TCP. Not looked at: fragments with a non-zero offset,
packets whose first 20 bytes of TCP header were not all captured, a TCP data
offset below 5, headers that reach beyond the IP length, and packets without a
server's port at either end.

  - Length of data comes from the IP total length, never from the captured
    bytes, so Ethernet padding does not count and a snaplen cut does not
    shorten. A total length of 0 means what there was on the link: the record's
    original length.
  - A server segment is one whose source port is a server's (80, or those given
    with --port instead); else it is a client segment when its destination port
    is one.
  - A connection is an unordered pair of endpoints on one list of VLAN ids. A
    SYN without ACK starts a new one unless it repeats (same endpoint, same
    sequence number) the SYN which began the current one.
  - Connections stand in the order of their first packet. Each is cut before
    every client segment that carries data.
  - A piece that starts with a packet with SYN (SYN+ACK too) gives `addr`, the
    packet's destination, and `syn_rtt` to the piece's next packet; nothing
    where there is none. This comes before the rule for GET.
  - A piece that starts with a client segment whose captured data begins with
    `GET` gives the timing of the answer: the first server segment with data,
    and of the server segments after it all without FIN, empty ones too.
  - Any other piece gives nothing.

Numbers: times are integers in microseconds (nanoseconds truncated); seconds
are a difference of those / 1e6, latencies the difference itself. Offsets count
from the sequence number of the first server segment, modulo 2^32, and "highest"
is the plain maximum of such offsets; IP IDs compare modulo 2^16.
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
    """One TCP segment, with what the rules need from the layers below."""
    time_us: int
    vlans: tuple
    ip_id: int
    source: tuple       # (address, port)
    destination: tuple
    seq: int
    flags: int
    length: int         # bytes of data by the IP header
    data: bytes         # those of them that were captured


# ---- records ---------------------------------------------------------------

def byte_order_and_divisor(magic):
    """Returns struct's byte order and what turns the fraction into microseconds."""
    for order in "<>":
        value = struct.unpack(order + "I", magic)[0]
        if value == 0xA1B2C3D4:
            return order, 1
        if value == 0xA1B23C4D:
            return order, 1000
    raise ValueError("not a classic pcap file")


def read_records(raw):
    """Yields (link type, time in us, original length, captured bytes)."""
    if len(raw) < 24:
        raise ValueError("not a classic pcap file")
    order, divisor = byte_order_and_divisor(raw[:4])
    link_type = struct.unpack_from(order + "I", raw, 20)[0] & 0xFFFF  # above: FCS bits
    at = 24
    while at + 16 <= len(raw):
        seconds, fraction, captured, original = struct.unpack_from(order + "4I", raw, at)
        at += 16
        if at + captured > len(raw):
            return  # the cut last record
        yield link_type, seconds * 1000000 + fraction // divisor, original, raw[at:at + captured]
        at += captured


# ---- link layer ------------------------------------------------------------

def find_ipv4(link_type, frame):
    """Returns (offset of the IPv4 header, VLAN ids), or None where there is none."""
    if link_type in (101, 228):
        return (0, ()) if frame[:1] and frame[0] >> 4 == 4 else None
    if link_type == 0:  # the address family in the capturing host's byte order
        return (4, ()) if frame[:4] in (b"\2\0\0\0", b"\0\0\0\2") else None
    if link_type == 108:  # the same in network byte order
        return (4, ()) if frame[:4] == b"\0\0\0\2" else None
    if link_type == 1:
        return skip_vlans(frame, type_at=12, payload_at=14)
    if link_type == 113:
        return skip_vlans(frame, type_at=14, payload_at=16)
    if link_type == 276:
        return skip_vlans(frame, type_at=0, payload_at=20)
    return None


def skip_vlans(frame, type_at, payload_at):
    """Walks the VLAN tags between a link header and an IPv4 header."""
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
    """Returns the record's TCP segment, or None where it holds none to look at."""
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
    """Writes four bytes as an IPv4 address."""
    return ".".join(str(byte) for byte in address)


# ---- connections and pieces ------------------------------------------------

def group_connections(segments):
    """Returns a list of segments for each connection, in order of first packet."""
    connections = []
    current = {}  # of each pair of endpoints
    for segment in segments:
        key = (segment.vlans, frozenset((segment.source, segment.destination)))
        connection = current.get(key)
        if connection is None or starts_anew(segment, connection[0]):
            connection = current[key] = []
            connections.append(connection)
        connection.append(segment)
    return connections


def is_opening(segment):
    """Tells a SYN without ACK."""
    return segment.flags & (SYN | ACK) == SYN


def starts_anew(segment, first):
    """Tells whether a segment opens another connection than the one `first` began."""
    repeated = (is_opening(first) and first.source == segment.source
                and first.seq == segment.seq)
    return is_opening(segment) and not repeated


def is_server(segment, ports):
    """Tells a segment from a server; of those looked at the others are a client's."""
    return segment.source[1] in ports


def cut_pieces(connection, ports):
    """Cuts a connection before every client segment that carries data."""
    pieces = []
    for segment in connection:
        request = segment.length > 0 and not is_server(segment, ports)
        if request or not pieces:
            pieces.append([])
        pieces[-1].append(segment)
    return pieces


# ---- the output ------------------------------------------------------------

def seconds_between(before, after):
    """Seconds from one segment to another, as the format counts them."""
    return (after.time_us - before.time_us) / 1e6


def report_piece(piece, ports):
    """Returns the record of a piece, or None where it prints nothing."""
    first = piece[0]
    if first.flags & SYN:
        return report_syn(piece)
    # A server's data may begin with GET as well, in a piece that no request began.
    if not is_server(first, ports) and first.data.startswith(b"GET"):
        return report_get(first, [s for s in piece if is_server(s, ports)])
    return None


def report_syn(piece):
    """Returns the record of a handshake."""
    if len(piece) < 2:
        return None
    return {"addr": piece[0].destination[0], "syn_rtt": seconds_between(piece[0], piece[1])}


def report_get(request, answers):
    """Returns the record of a GET; `answers` are the piece's server segments."""
    answers = list(dropwhile(lambda segment: segment.length == 0, answers))
    if not answers:
        return None
    first = answers[0]
    counted = [first] + [s for s in answers[1:] if not s.flags & FIN]
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
    """Returns the flags of a server segment, in the order of the format."""
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
    """Returns the whole result for the bytes of a capture."""
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
    parser = argparse.ArgumentParser(description="the classic format, worked out a second time")
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
