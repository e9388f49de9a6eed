# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Pony's packets, as docs/wire.md describes them: written from that page alone, to show that the
page says enough. Knows nothing of sockets and keeps no state.
"""
import dataclasses
import ipaddress
import struct

VERSION = 1
DATA, ACK, PROBE, HELLO, RESET, SEARCH, FOUND, PART = range(1, 9)
CALL, COOKIE, WELCOME, REFUSE = 1, 2, 3, 4

ECN_ECHO = 0x01

(OPEN, OPENED, CLOSE, CLOSED, MESSAGE, OFFER, PULL, BULK, DELIVERED, CREDIT, STARVED, SKIP, READ,
 READ_DATA, WRITE, DONE, ECHO, ECHOED, READ_INDIRECT, READ_BATCH, SCAN_READ, COMPARE_SWAP,
 FETCH_ADD, RESULT) = range(1, 25)
ELSEWHERE = 28
LAST, UNORDERED = 0x01, 0x02
# By type, the flags that an operation may have.
OPERATIONS = {kind: (LAST if kind in (MESSAGE, BULK, SKIP, READ_DATA, WRITE) else 0)
              | (UNORDERED if kind in (MESSAGE, OFFER, PULL, BULK, SKIP) else 0)
              for kind in (*range(OPEN, RESULT + 1), ELSEWHERE)}
ENTRY_UNORDERED = 0x8000  # in the stream of an entry of DELIVERED

FEATURE_ECHO = 0x1

FLOW_HEADER = struct.Struct("!BBHIQII")
OPERATION = struct.Struct("!BBHIHHIII")
HELLO_LAYOUT = struct.Struct("!BBBBIHHIIHHQQQQ")
HELLO_BYTES = 96
ACCESS = struct.Struct("!QQI")
ENTRY = struct.Struct("!HHI")
BITMAP_BYTES = 32
PART_HEADER = struct.Struct("!HH")
PART_UNIT = 128
WINDOW = 256  # packets from `ack` on
CRC_AT = 4
FIXED = 24  # bytes that header_crc covers first
UDP_HEADER = 8


def _table():
    """Of CRC32C by bytes, reflected."""
    entries = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
        entries.append(value)
    return entries


_TABLE = _table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def before(left, right):
    """Whether packet number `left` comes before `right`, modulo 2^32."""
    return (left - right) % (1 << 32) >= 1 << 31


def address_bytes(text):
    """16 bytes: an IPv4 address counts as mapped into IPv6."""
    address = ipaddress.ip_address(text)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


@dataclasses.dataclass
class Route:
    """Where a packet comes from and goes to."""
    source: str
    destination: str
    source_port: int
    destination_port: int


@dataclasses.dataclass
class Operation:
    type: int
    connection: int = 0
    payload: bytes = b""
    flags: int = 0
    stream: int = 0
    id: int = 0
    offset: int = 0
    reserved: int = 0
    payload_crc: int = None  # None: the right one

    def right_crc(self):
        return crc32c(self.payload) if self.payload else 0

    def header(self):
        crc = self.right_crc() if self.payload_crc is None else self.payload_crc
        return OPERATION.pack(self.type, self.flags, len(self.payload), self.connection,
                              self.stream, self.reserved, self.id, self.offset, crc)

    @property
    def last(self):
        return bool(self.flags & LAST)


@dataclasses.dataclass
class Hello:
    kind: int
    version_min: int = VERSION
    version_max: int = VERSION
    error: int = 0
    mtu: int = 0
    features: int = 0
    seq: int = 0
    token: int = 0
    nonce: int = 0
    cookie: int = 0
    epoch: int = 0
    udp_port: int = 0

    def pack(self):
        return HELLO_LAYOUT.pack(
            HELLO, self.kind, self.version_min, self.version_max, 0, self.error, self.mtu,
            self.features, self.seq, self.udp_port, 0, self.token, self.nonce, self.cookie,
            self.epoch
        ).ljust(HELLO_BYTES, b"\0")


@dataclasses.dataclass
class Packet:
    """Of a flow: everything but HELLO."""
    type: int
    token: int
    seq: int = 0
    ack: int = 0
    flags: int = 0
    ack_delay: int = 0
    operations: tuple = ()
    bitmap: bytes = b""
    version: int = VERSION
    body: bytes = b""  # of SEARCH and PART

    def pack(self):
        body = b"".join(operation.header() + operation.payload for operation in self.operations)
        return FLOW_HEADER.pack(self.version << 4 | self.type, self.flags, self.ack_delay, 0,
                                self.token, self.seq, self.ack) + self.bitmap + self.body + body


def header_crc(packet, route):
    """Of a packet's bytes, with whatever header_crc they carry."""
    covered = [address_bytes(route.source), address_bytes(route.destination),
               struct.pack("!HHI", route.source_port, route.destination_port,
                           UDP_HEADER + len(packet)),
               packet[:CRC_AT], bytes(4), packet[CRC_AT + 4:FIXED]]
    if packet[0] & 0x0f == DATA:
        at = FIXED
        while at + OPERATION.size <= len(packet):
            covered.append(packet[at:at + OPERATION.size])
            at += OPERATION.size + int.from_bytes(packet[at + 2:at + 4], "big")
    else:
        covered.append(packet[FIXED:])
    return crc32c(b"".join(covered))


def seal(packet, route):
    """The bytes to be sent, of a Hello or Packet, or of bytes."""
    packed = packet if isinstance(packet, bytes) else packet.pack()
    crc = header_crc(packed, route)
    return packed[:CRC_AT] + crc.to_bytes(4, "big") + packed[CRC_AT + 4:]


class Malformed(Exception):
    """A packet breaks docs/wire.md."""


def _must(condition, what):
    if not condition:
        raise Malformed(what)


def _operations(made, body):
    at, found = 0, []
    while at < len(body):
        _must(at + OPERATION.size <= len(body), "an operation's header is cut")
        (kind, flags, length, connection, stream, reserved, number, offset,
         crc) = OPERATION.unpack_from(body, at)
        at += OPERATION.size
        _must(at + length <= len(body), "an operation's payload is cut")
        operation = Operation(kind, connection, body[at:at + length], flags, stream, number,
                              offset, reserved, crc)
        at += length
        _must(kind in OPERATIONS and not flags & ~OPERATIONS[kind] and reserved == 0
              and stream < 64, f"{operation}")
        _must(crc == operation.right_crc(), f"payload_crc of {operation}")
        found.append(operation)
    _must(1 <= len(found) <= 64, f"{len(found)} operations")
    made.operations = tuple(found)


def _bitmap(made, body):
    _must(len(body) == BITMAP_BYTES and not body[-1] & 0x80, f"bitmap {body.hex()}")
    made.bitmap = body


def _short_bitmap(made, body):
    _must(len(body) <= BITMAP_BYTES and (not body or body[-1])
          and not (len(body) == BITMAP_BYTES and body[-1] & 0x80), f"bitmap {body.hex()}")
    made.bitmap = body


def _search(made, body):
    _must(not any(body), f"padding of {made}")
    made.body = body


def _part(made, body):
    _must(len(body) > PART_HEADER.size, f"part of {made}")
    total, offset = PART_HEADER.unpack_from(body)
    stop = offset + len(body) - PART_HEADER.size
    _must(offset % PART_UNIT == 0 and stop <= total and (stop == total or stop % PART_UNIT == 0),
          f"part of {made}")
    made.body = body


def _nothing(made, body):
    _must(not body, f"{made}")


def _reset(made, body):
    _must(not body and (made.seq, made.ack) == (0, 0), f"{made}")


# By version and type: what takes that apart which follows a flow header.
BODIES = {(1, DATA): _operations, (1, ACK): _bitmap, (1, PROBE): _nothing, (1, RESET): _reset,
          (2, DATA): _operations, (2, ACK): _short_bitmap, (2, PROBE): _nothing,
          (2, RESET): _reset, (2, SEARCH): _search, (2, FOUND): _nothing, (2, PART): _part}


def _parse_hello(packet):
    _must(len(packet) >= HELLO_BYTES, "HELLO is short")
    (_, kind, least, most, _, error, mtu, features, seq, port, _, token, nonce, cookie,
     epoch) = HELLO_LAYOUT.unpack_from(packet)
    hello = Hello(kind, least, most, error, mtu, features, seq, token, nonce, cookie, epoch, port)
    _must(CALL <= kind <= REFUSE, f"{hello}")
    _must((kind == REFUSE) == (error != 0), f"error of {hello}")
    if kind in (CALL, WELCOME):
        _must(mtu >= 576 and token != 0, f"{hello}")
    else:
        _must((mtu, features, seq, port, token, epoch) == (0, 0, 0, 0, 0, 0), f"{hello}")
    _must((cookie != 0) if kind == COOKIE else (kind == CALL or cookie == 0), f"{hello}")
    return hello


def parse(packet, route):
    """A Hello or a Packet; a Saddle that sends anything else has a bug."""
    _must(len(packet) >= FIXED, "short")
    _must(header_crc(packet, route) == int.from_bytes(packet[CRC_AT:CRC_AT + 4], "big"),
          "header_crc")
    if packet[0] == HELLO:
        return _parse_hello(packet)
    _, flags, delay, _, token, seq, ack = FLOW_HEADER.unpack_from(packet)
    version, kind = packet[0] >> 4, packet[0] & 0x0f
    made = Packet(kind, token, seq, ack, flags, delay, version=version)
    _must((version, kind) in BODIES and not flags & ~ECN_ECHO, f"version {version}, {made}")
    BODIES[version, kind](made, packet[FIXED:])
    return made
