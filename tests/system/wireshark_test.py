#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The Wireshark dissector: what hosts of the simulator send is shown, all of it and rightly, as the
parser of wire_peer_format.py sees it; what is spoilt is marked, and never too much for it.

usage: wireshark_test.py DISSECTOR SADDLE_SIM
"""
import dataclasses
import itertools
import pathlib
import random
import shutil
import struct
import sys
import tempfile

import harness
import tshark
import wire_peer_format as wire

DISSECTOR, SIM = (pathlib.Path(word) for word in sys.argv[1:3])
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="saddle-wireshark-"))
PORT = 50707
ROUTES = (wire.Route("10.77.0.1", "10.77.0.2", 50000, PORT),
          wire.Route("fd77::1", "fd77::2", 50001, PORT))
SIM_WORDS = ("--seeds", "1..6", "--ops", "120")
FIRST_OPERATION = wire.FIXED
OPERATIONS_MAX = 64
LONG, SOME_BITS = 200, 7  # bytes; one bit of so many
UNKNOWN_OPERATION, UNKNOWN_TYPE, UNKNOWN_VERSION = 99, 15, 15

SHAPES = {  # a payload of each operation
    wire.OPEN: b"\0\0\0\5name", wire.OPENED: bytes(range(12)), wire.CLOSE: bytes(range(8)),
    wire.MESSAGE: b"text", wire.BULK: b"bulk", wire.DELIVERED: bytes(range(24)),
    wire.READ: bytes(range(20)), wire.READ_DATA: b"data", wire.WRITE: bytes(range(27)),
    wire.ECHO: b"echo", wire.ECHOED: b"echo", wire.READ_INDIRECT: bytes(range(20)),
    wire.READ_BATCH: bytes(range(36)), wire.SCAN_READ: bytes(range(32)),
    wire.COMPARE_SWAP: bytes(range(32)), wire.FETCH_ADD: bytes(range(24)),
    wire.RESULT: bytes(range(24)),
}
LAYOUTS = {  # how a payload begins, and the names of the fields
    wire.OPEN: ("!I", "credits"), wire.OPENED: ("!III", "own", "credits", "error"),
    wire.CLOSE: ("!II", "error", "answers"),
    wire.READ: ("!QQI", "key", "access_offset", "access_length"),
    wire.WRITE: ("!QQI", "key", "access_offset", "access_length"),
    wire.READ_INDIRECT: ("!QQI", "key", "access_offset", "access_length"),
    wire.READ_BATCH: ("!QI", "key", "access_length"),
    wire.SCAN_READ: ("!QQQII", "key", "access_offset", "scan.match", "scan.entries",
                     "access_length"),
    wire.COMPARE_SWAP: ("!QQQQ", "key", "access_offset", "atomic.operand", "atomic.expected"),
    wire.FETCH_ADD: ("!QQQ", "key", "access_offset", "atomic.operand"),
    wire.RESULT: ("!Q", "result.value"),
}
REPEATED = {  # and what it repeats then
    wire.DELIVERED: ("!HHI", "entry.stream", "entry.status", "entry.id"),
    wire.READ_BATCH: ("!Q", "batch.entry"), wire.RESULT: ("!II", "item.status", "item.length"),
}


NUMBERS = {wire.ACK: "saddle.duplicates", wire.SEARCH: "saddle.question",
           wire.FOUND: "saddle.question"}


def dissect(frames, *options):
    path = FOLDER / "made.pcap"
    tshark.write(path, frames)
    return tshark.dissect(DISSECTOR, path, *options)


def packets():
    """One of each kind, with a number of everything in its fields."""
    yield wire.Hello(wire.CALL, mtu=1500, features=1, seq=3, token=4, nonce=5, epoch=6)
    yield wire.Hello(wire.COOKIE, nonce=5, cookie=7)
    yield wire.Hello(wire.WELCOME, mtu=1500, seq=8, token=9, nonce=5, epoch=10)
    yield wire.Hello(wire.REFUSE, error=93, nonce=5)
    yield wire.Packet(wire.PROBE, 4, 11, 12)
    yield wire.Packet(wire.RESET, 4)
    yield wire.Packet(wire.ACK, 4, 2, 0xfffffffe, bitmap=b"\x8d" + bytes(31))
    yield wire.Packet(wire.ACK, 4, 2, 0xfffffffe, bitmap=b"\x8d", version=2)
    yield wire.Packet(wire.ACK, 4, 2, 3, version=2)
    yield wire.Packet(wire.SEARCH, 4, 2, 3, body=bytes(50), version=2)
    yield wire.Packet(wire.FOUND, 4, 2, 3, version=2)
    yield wire.Packet(wire.PART, 4, 2, 3, body=struct.pack("!HH", 300, 256) + bytes(44), version=2)
    operations = [wire.Operation(kind, 100 + kind, SHAPES.get(kind, b""), id=kind, offset=kind)
                  for kind in wire.OPERATIONS]
    for operation in operations:
        yield wire.Packet(wire.DATA, 4, 13, 14, operations=(operation,))
    yield wire.Packet(wire.DATA, 4, 13, 14, wire.ECN_ECHO, 15, tuple(operations))


def sealed():
    for route, packet in itertools.product(ROUTES, packets()):
        yield wire.seal(packet, route), route


def payload_fields(operations):
    """What is in the payloads, by name."""
    found = {name: [] for _, *names in (*LAYOUTS.values(), *REPEATED.values()) for name in names}

    def take(layout, names, payload, at):
        for name, value in zip(names, struct.unpack_from(layout, payload, at)):
            found[name].append(value & ~wire.ENTRY_UNORDERED if name == "entry.stream" else value)

    for operation in operations:
        layout, *names = LAYOUTS.get(operation.type, ("",))
        take(layout, names, operation.payload, 0)
        if operation.type in REPEATED:
            again, *names = REPEATED[operation.type]
            for at in range(struct.calcsize(layout), len(operation.payload),
                            struct.calcsize(again)):
                take(again, names, operation.payload, at)
    return found


def good(seen, frame):
    """tshark says what the parser says."""
    payload, route = tshark.open_frame(frame)
    packet = wire.parse(payload, route)
    columns, where = seen.columns, f"{packet}, shown as {seen.columns}"
    harness.expect_equal((seen.protocol, seen.findings), ("Saddle", []), where)
    harness.expect_equal(columns["saddle.header_crc.status"], ["good"], where)
    if isinstance(packet, wire.Hello):
        harness.expect_equal((seen.numbers("saddle.hello.kind"), seen.numbers("saddle.hello.nonce"),
                              seen.numbers("saddle.hello.mtu")),
                             ([packet.kind], [packet.nonce], [packet.mtu]), where)
        return packet
    number = NUMBERS.get(packet.type, "saddle.seq")
    harness.expect_equal([seen.numbers(name) for name in ("saddle.type", "saddle.token", number,
                                                          "saddle.ack")],
                         [[packet.type], [packet.token], [packet.seq], [packet.ack]], where)
    for name in ("type", "connection", "id", "offset", "stream"):
        harness.expect_equal(seen.numbers(f"saddle.op.{name}"),
                             [getattr(operation, name) for operation in packet.operations], where)
    for name, values in payload_fields(packet.operations).items():
        harness.expect_equal(seen.numbers(f"saddle.op.{name}"), values, where)
    harness.expect_equal(columns["saddle.op.service"],
                         [operation.payload[4:].decode() for operation in packet.operations
                          if operation.type == wire.OPEN], where)
    harness.expect_equal(columns["saddle.op.payload_crc.status"],
                         ["good"] * len(packet.operations), where)
    return packet


def made_packets():
    """Every type and operation, over IPv4 and IPv6."""
    frames = [tshark.frame(*packet) for packet in sealed()]
    seen = dissect(frames)
    for one, frame in zip(seen, frames, strict=True):
        good(one, frame)
    texts = [one.columns["saddle.arrived"] for one in seen if one.columns["saddle.arrived"]]
    # Bits 0, 2, 3 and 7 of the first byte, and the numbers wrap.
    harness.expect_equal(texts, [["4294967295, 1-2, 6"]] * 4, "arrived")
    harness.expect_equal([one.columns["saddle.hello.call"] for one in seen[1:4]], [["1"]] * 3,
                         "answers to a CALL")
    harness.expect(any("OPEN name" in one.info for one in seen), "no OPEN names its service")


def simulated_packets():
    """What real engines send."""
    path = FOLDER / "sim.pcap"
    status, output, errors = harness.run([SIM, *SIM_WORDS, "--pcap", path])
    harness.expect(status == 0, f"saddle-sim: {output}{errors}")
    frames = tshark.read(path)
    types, operations = set(), set()
    for one, frame in zip(tshark.dissect(DISSECTOR, path), frames, strict=True):
        packet = good(one, frame)
        types.add(wire.HELLO if isinstance(packet, wire.Hello) else packet.type)
        operations.update(operation.type for operation in getattr(packet, "operations", ()))
    harness.expect(types >= {wire.DATA, wire.ACK, wire.HELLO, wire.SEARCH, wire.FOUND},
                   f"types {types}")
    harness.expect(operations >= {wire.OPEN, wire.OPENED, wire.CLOSE, wire.CLOSED, wire.MESSAGE,
                                  wire.DELIVERED, wire.READ, wire.READ_DATA, wire.WRITE, wire.DONE,
                                  wire.ECHO, wire.ECHOED, wire.READ_INDIRECT, wire.COMPARE_SWAP,
                                  wire.RESULT}, f"operations {operations}")


def other_ports():
    """A right header_crc tells a packet at a port that nobody knows; nothing else is taken there.
    The preference is another way."""
    route = dataclasses.replace(ROUTES[0], destination_port=4000)
    packet = wire.seal(next(packets()), route)
    frames = [tshark.frame(packet, route), tshark.frame(packet[:-1] + b"\1", route)]
    harness.expect_equal([one.protocol for one in dissect(frames)], ["Saddle", "UDP"], "by sum")
    seen = dissect(frames, "-o", "saddle.port:4000")
    harness.expect_equal([one.protocol for one in seen], ["Saddle", "Saddle"], "by port")
    harness.expect(not seen[0].findings and seen[1].findings, "findings by port")
    seen = dissect(frames[1:], "-o", "saddle.port:4000", "-o", "saddle.check:FALSE")
    harness.expect_equal(seen[0].columns["saddle.header_crc.status"], ["not checked"], "unchecked")


# ---- Spoilt ones ----

def marked(frames, wanted):
    """Each of them has a finding, with one of the words that `wanted` has for it, if it has any."""
    for one, frame, words in zip(dissect(frames), frames, wanted, strict=True):
        harness.expect(one.protocol == "Saddle" and one.findings, f"{frame.hex()}: {one}")
        text = " ".join(one.findings)
        harness.expect(not words or any(word in text for word in words),
                       f"{frame.hex()}, not {words}: {one}")


def truncated_packets():
    """At every length: by whoever sent it, with the sum left as it was or made right."""
    for again in (False, True):
        frames = [tshark.frame(wire.seal(packet[:length], route)
                               if again and length >= wire.FIXED else packet[:length], route)
                  for packet, route in sealed() for length in range(1, len(packet))
                  if not again or not still_whole(packet, length)]
        marked(frames, [()] * len(frames))


def still_whole(packet, length):
    """Whether what is left is a good packet too: operations up to the end of one, less padding, or
    a bitmap that says less."""
    if packet[0] in (2 << 4 | wire.SEARCH, 2 << 4 | wire.ACK):
        return True
    at = wire.FIXED
    while packet[0] & 0x0f == wire.DATA and at < length:
        at += wire.OPERATION.size + int.from_bytes(packet[at + 2:at + 4], "big")
    return packet[0] & 0x0f == wire.DATA and at == length > wire.FIXED


def snapped_packets():
    """A capture that holds only the beginning is no fault of the packet's, and checks no sum."""
    frames, whole = [], []
    for packet, route in sealed():
        frame = tshark.frame(packet, route)
        start = len(frame) - len(packet)
        frames += [(frame, start + length) for length in range(1, len(packet))]
        whole += [packet[0]] * (len(packet) - 1)
    for one, first in zip(dissect(frames), whole, strict=True):
        harness.expect_equal((one.protocol, one.findings), ("Saddle", []), f"{first:x}: {one}")
        harness.expect(one.columns["saddle.header_crc.status"] in ([], ["not checked"]), f"{one}")


def flipped_bits():
    """Every bit that a sum covers; some of them in a packet that is long."""
    frames = []
    for packet, route in sealed():
        if route is ROUTES[0]:  # the other one's are the same, but for the sum
            for bit in range(0, 8 * len(packet), 1 if len(packet) < LONG else SOME_BITS):
                spoilt = bytearray(packet)
                spoilt[bit // 8] ^= 1 << bit % 8
                frames.append(tshark.frame(bytes(spoilt), route))
    marked(frames, [()] * len(frames))


def absurd_lengths():
    """Lengths of operations that are too long for the packet, or for their type."""
    frames = []
    for packet, route in sealed():
        if packet[0] & 0x0f == wire.DATA:
            length = int.from_bytes(packet[FIRST_OPERATION + 2:FIRST_OPERATION + 4], "big")
            for other in (length + 1, length + 1000, 0x7fff, 0x8000, 0xffff):
                spoilt = bytearray(packet)
                spoilt[FIRST_OPERATION + 2:FIRST_OPERATION + 4] = other.to_bytes(2, "big")
                frames.append(tshark.frame(wire.seal(bytes(spoilt), route), route))
    marked(frames, [("fit", "cut", "bytes", "known")] * len(frames))


def broken_rules():
    """What is well formed and may not be."""
    def data(*operations, **options):
        return wire.Packet(wire.DATA, 4, 1, 2, operations=operations, **options)

    message = wire.Operation(wire.MESSAGE, 1, b"text", wire.LAST)
    replace = dataclasses.replace
    hello = wire.Hello(wire.CALL, mtu=1500, token=1, nonce=2, epoch=3)
    probe = wire.Packet(wire.PROBE, 4, 1, 2)
    broken = {
        "not known": [data(replace(message, type=UNKNOWN_OPERATION)),
                      data(replace(message, type=0)),
                      bytes([wire.VERSION << 4 | UNKNOWN_TYPE]) + probe.pack()[1:],
                      bytes([UNKNOWN_VERSION << 4 | wire.PROBE]) + probe.pack()[1:],
                      replace(hello, kind=9)],
        "payload_crc|should be": [data(replace(message, payload_crc=1))],
        "reserved is not 0": [data(replace(message, reserved=1))],
        "streams 0 to 63": [data(replace(message, stream=64))],
        "flags": [data(replace(message, flags=0x80)), data(message, flags=0x80),
                  data(message, flags=0x02),
                  data(wire.Operation(wire.CREDIT, 1, flags=wire.LAST))],
        "of 0 bytes": [data(replace(message, payload=b""))],
        "of 67 bytes|of 68 bytes": [data(wire.Operation(wire.OPEN, 1, bytes(68)))],
        "form": [data(wire.Operation(wire.DELIVERED, 1, bytes(9)))],
        "No operation": [data()],
        "65 operations": [data(*[message] * (OPERATIONS_MAX + 1))],
        "token": [replace(hello, token=0)],
        "MTU": [replace(hello, mtu=575)],
        "above": [replace(hello, version_min=2, version_max=1)],
        "too many": [probe.pack() + b"\0", wire.Packet(wire.RESET, 4).pack() + bytes(8)],
        "bitmap": [wire.Packet(wire.ACK, 4, bitmap=bytes(31)),
                   wire.Packet(wire.ACK, 4, bitmap=bytes(33)), wire.Packet(wire.ACK, 4)],
        "last bit": [wire.Packet(wire.ACK, 4, bitmap=bytes(31) + b"\x80")],
        "byte of 0": [wire.Packet(wire.ACK, 4, bitmap=b"\1\0", version=2)],
        "part header": [wire.Packet(wire.PART, 4, body=bytes(3), version=2)],
        "slice": [wire.Packet(wire.PART, 4, version=2,
                              body=struct.pack("!HH", 300, at) + bytes(size))
                  for at, size in ((0, 0), (0, 100), (100, 200), (256, 45), (384, 128))],
        "type of packet": [wire.Packet(wire.FOUND, 4)],
    }
    frames = [tshark.frame(wire.seal(packet, ROUTES[0]), ROUTES[0])
              for spoilt in broken.values() for packet in spoilt]
    marked(frames, [words.split("|") for words, spoilt in broken.items() for _ in spoilt])


def noise():
    """Random bytes, alone and behind a header that looks right."""
    generator = random.Random(1)
    frames = []
    for length in range(1, 300):
        frames.append(tshark.frame(generator.randbytes(length), ROUTES[length % 2]))
        for version, kind in itertools.product((1, 2), (*range(1, 10), UNKNOWN_TYPE)):
            first = kind if kind == wire.HELLO else version << 4 | kind
            text = bytes([first]) + generator.randbytes(length)
            if length >= wire.FIXED and length % 2:
                text = wire.seal(text, ROUTES[0])
            frames.append(tshark.frame(text, ROUTES[0]))
    seen = dissect(frames)
    harness.expect_equal(len(seen), len(frames), "packets")
    harness.expect(all(one.protocol == "Saddle" for one in seen), "some are not shown as Saddle's")


try:
    harness.main([made_packets, simulated_packets, other_ports, truncated_packets, snapped_packets,
                  flipped_bits, absurd_lengths, broken_rules, noise])
finally:
    shutil.rmtree(FOLDER)
