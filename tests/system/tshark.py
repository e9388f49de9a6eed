# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Captures: files of packets, and what tshark says of them with Saddle's dissector.

A file is in libpcap's format, Ethernet, with times in nanoseconds or microseconds.
"""
import dataclasses
import os
import pathlib
import socket
import struct

import harness
import wire_peer_format as wire

MAGIC_NS, MAGIC_US = 0xa1b23c4d, 0xa1b2c3d4
LINK_ETHERNET = 1
FILE_HEADER, RECORD_HEADER = struct.Struct("=IHHiIII"), struct.Struct("=IIII")
ETHERNET, IPV4_BYTES, IPV6_BYTES = bytes(12), 20, 40
TYPE_IPV4, TYPE_IPV6 = 0x0800, 0x86dd
TTL = 64
WARN = 0x600000  # severity of expert information, from here on
PATIENCE_S = 5 * harness.PATIENCE_S  # thousands of packets, by a dissector in Lua
COLUMNS = ("frame.number", "_ws.col.Protocol", "_ws.col.Info", "saddle.type", "saddle.version",
           "saddle.seq", "saddle.duplicates", "saddle.question", "saddle.ack", "saddle.token",
           "saddle.arrived", "saddle.header_crc.status", "saddle.hello.kind", "saddle.hello.call",
           "saddle.hello.nonce", "saddle.hello.mtu", "saddle.op.type", "saddle.op.connection",
           "saddle.op.id", "saddle.op.offset", "saddle.op.length", "saddle.op.stream",
           "saddle.op.payload_crc.status", "saddle.op.credits", "saddle.op.service",
           "saddle.op.own", "saddle.op.error", "saddle.op.answers", "saddle.op.entry.stream",
           "saddle.op.entry.status", "saddle.op.entry.id", "saddle.op.key",
           "saddle.op.access_offset", "saddle.op.access_length", "saddle.op.batch.entry",
           "saddle.op.scan.match", "saddle.op.scan.entries", "saddle.op.atomic.operand",
           "saddle.op.atomic.expected", "saddle.op.result.value", "saddle.op.item.status",
           "saddle.op.item.length", "_ws.expert.message", "_ws.expert.severity", "_ws.lua.error",
           "_ws.lua.text")


def read(path):
    """The frames of a file."""
    data = pathlib.Path(path).read_bytes()
    magic, *_, link = FILE_HEADER.unpack_from(data)
    harness.expect(magic in (MAGIC_NS, MAGIC_US) and link == LINK_ETHERNET, f"{path}: no capture")
    at, frames = FILE_HEADER.size, []
    while at < len(data):
        _, _, held, whole = RECORD_HEADER.unpack_from(data, at)
        harness.expect(held == whole, f"{path}: a frame is cut")
        at += RECORD_HEADER.size
        frames.append(data[at:at + held])
        at += held
    return frames


def write(path, frames):
    """A frame is bytes, or bytes of which a capture held so many."""
    with open(path, "wb") as file:
        file.write(FILE_HEADER.pack(MAGIC_NS, 2, 4, 0, 0, 1 << 18, LINK_ETHERNET))
        for frame in frames:
            whole, held = frame if isinstance(frame, tuple) else (frame, len(frame))
            file.write(RECORD_HEADER.pack(0, 0, held, len(whole)) + whole[:held])


def frame(payload, route):
    """A UDP packet, without a checksum, in a frame."""
    udp = struct.pack("!HHHH", route.source_port, route.destination_port,
                      wire.UDP_HEADER + len(payload), 0) + payload
    if ":" in route.source:
        return (ETHERNET + struct.pack("!HIHBB", TYPE_IPV6, 6 << 28, len(udp), socket.IPPROTO_UDP,
                                       TTL)
                + wire.address_bytes(route.source) + wire.address_bytes(route.destination) + udp)
    return (ETHERNET + struct.pack("!HBBHHHBBH", TYPE_IPV4, 0x45, 0, IPV4_BYTES + len(udp), 0,
                                   0x4000, TTL, socket.IPPROTO_UDP, 0)
            + socket.inet_aton(route.source) + socket.inet_aton(route.destination) + udp)


def open_frame(data):
    """The payload and the route of a UDP packet in a frame, None if it is another."""
    kind, at = int.from_bytes(data[12:14], "big"), len(ETHERNET) + 2
    if kind == TYPE_IPV4 and data[at + 9] == socket.IPPROTO_UDP:
        addresses = [socket.inet_ntoa(data[at + 12 + 4 * side:at + 16 + 4 * side])
                     for side in range(2)]
        at += IPV4_BYTES
    elif kind == TYPE_IPV6 and data[at + 6] == socket.IPPROTO_UDP:
        addresses = [socket.inet_ntop(socket.AF_INET6, data[at + 8 + 16 * side:at + 24 + 16 * side])
                     for side in range(2)]
        at += IPV6_BYTES
    else:
        return None
    source, destination, length, _ = struct.unpack_from("!HHHH", data, at)
    return (data[at + wire.UDP_HEADER:at + length],
            wire.Route(addresses[0], addresses[1], source, destination))


@dataclasses.dataclass
class Seen:
    """What tshark says of one packet: each column a list of strings."""
    columns: dict

    def numbers(self, name):
        return [int(text, 0) for text in self.columns[name]]

    @property
    def protocol(self):
        return self.columns["_ws.col.Protocol"][0]

    @property
    def info(self):
        return self.columns["_ws.col.Info"][0]

    @property
    def findings(self):
        """Expert information that warns, or worse."""
        return [message for message, severity in zip(self.columns["_ws.expert.message"],
                                                     self.columns["_ws.expert.severity"])
                if int(severity) >= WARN]

    @property
    def remarks(self):
        """All of it."""
        return self.columns["_ws.expert.message"]


def dissect(dissector, path, *options):
    """A Seen for each packet of a file; no packet may be too much for the dissector."""
    words = ["tshark", "-n", "-X", f"lua_script:{dissector}", "-r", path, "-T", "fields",
             "-o", "udp.ignore_ipv6_zero_checksum:TRUE", "-o", "ip.check_checksum:FALSE",
             "-E", "occurrence=a", "-E", "aggregator=\x1f", "-E", "separator=\x1e", *options]
    for column in COLUMNS:
        words += ["-e", column]
    # Neither a personal configuration nor one of the machine.
    status, output, errors = harness.run(words, PATIENCE_S, env={
        **os.environ, "HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"})
    harness.expect(status == 0 and "Lua" not in errors, f"tshark: status {status}: {errors}")
    seen = []
    for line in output.split("\n")[:-1]:
        values = [text.split("\x1f") if text else [] for text in line.split("\x1e")]
        seen.append(Seen(dict(zip(COLUMNS, values))))
        harness.expect(not seen[-1].columns["_ws.lua.error"] and "Lua" not in line,
                       f"the dissector failed: {line}")
    return seen
