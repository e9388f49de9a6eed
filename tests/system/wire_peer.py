# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""A host that speaks Pony, made of Python and an ordinary UDP socket: as much of docs/wire.md as
it takes to open a flow from either side, and to use connections, messages and one-sided operations
on it. It is written from that page and owes nothing to the engine.

One thread; whoever waits for something receives meanwhile. Everything that arrives is checked: a
packet that breaks the page raises Malformed. What is to be sent reliably is kept until it is
acknowledged and sent again after a time-out; of congestion the peer knows nothing but a window.
"""
import dataclasses
import random
import select
import socket
import struct
import time

import harness
import wire_peer_format as wire

RESEND_S = 0.1      # what is not acknowledged by then is sent again
CALL_AGAIN_S = 0.05  # likewise a CALL
RECEIVED_MAX = 65536
EAGER_PIECE = 1000  # bytes of a message to one packet
SO_NO_CHECK = 11    # asm-generic/socket.h
UDP_NO_CHECK6_TX, UDP_NO_CHECK6_RX = 101, 102  # linux/udp.h
ECT0, CE = 2, 3     # in the lowest bits of the traffic class


@dataclasses.dataclass
class Connection:
    """This side's end."""
    own: int              # number, by which the daemon names it
    other: int = None     # the daemon's
    credits: int = 0      # total that the daemon has granted
    begun: int = 0        # messages of this side
    answers: int = 0      # given, as CLOSE counts them
    taken: int = 0        # received, likewise
    error: int = None     # of OPENED
    reason: int = None    # of CLOSE
    promised: int = None  # answers that CLOSE announced
    closed: bool = False
    numbers: dict = dataclasses.field(default_factory=dict)   # next message of a stream
    messages: dict = dataclasses.field(default_factory=dict)  # (stream, id): {offset: Operation}
    delivered: dict = dataclasses.field(default_factory=dict)  # (stream, id): status
    pieces: dict = dataclasses.field(default_factory=dict)    # id of a read: {offset: Operation}
    done: dict = dataclasses.field(default_factory=dict)      # id: error


class Peer:
    """A host at `own`, which has one flow, with the daemon at `other`."""

    def __init__(self, space, own, other, port, mtu=1500, seed=1, checksums=True):
        self.space = space
        self.random = random.Random(seed)
        self.own, self.other, self.port, self.mtu = own, other, port, mtu
        family = socket.AF_INET6 if ":" in own else socket.AF_INET
        self.inbox = space.socket(family, socket.SOCK_DGRAM)
        self.outbox = space.socket(family, socket.SOCK_DGRAM)
        self._configure(family, checksums)
        self.inbox.bind((own, port))
        self.outbox.bind((own, self.random.randrange(49152, 65536)))
        self.inbox.setblocking(False)
        self.epoch = self._number64()
        self.regions = {}          # key: bytearray that may be read and written
        self.services = {}         # name: credits to grant
        self.last_sent = b""
        self.hellos = []           # that arrived, newest last
        self.resets = []           # tokens of RESETs that arrived
        self.echoes = 0            # ECN_ECHO seen
        self.probes = 0            # PROBE packets that arrived
        self.drop_next = 0         # packets with messages in them, as if the network lost them
        self.duplicates_told = 0   # that the daemon has counted
        self.forget()

    def _configure(self, family, checksums):
        if family == socket.AF_INET6:
            self.inbox.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
            self.outbox.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_TX, int(not checksums))
        else:
            self.outbox.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, int(not checksums))
        self.mark(ECT0)

    def forget(self):
        """The flow, as if this host had started again."""
        self.token = self._number64()   # that packets to this side carry
        self.out_token = None           # that packets to the daemon carry
        self.nonce = self._number64()
        self.next_out = self.random.getrandbits(32)
        self.first_out = self.next_out
        self.next_in = None
        self.early = set()
        self.duplicates = 0
        self.unacknowledged = {}        # number: [operations, time of sending]
        self.resent = 0                 # packets: what the daemon may rightly call duplicates
        self.connections = {}
        self.accepted = []
        self.echoed = {}

    def _number64(self):
        return self.random.randrange(1, 1 << 64)

    def mark(self, ecn):
        """What packets say about congestion from now on."""
        if self.outbox.family == socket.AF_INET6:
            self.outbox.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, ecn)
        else:
            self.outbox.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, ecn)

    def close(self):
        self.inbox.close()
        self.outbox.close()

    # ---- Packets out ----

    def route(self):
        return wire.Route(self.own, self.other, self.outbox.getsockname()[1], self.port)

    def seal(self, packet):
        return wire.seal(packet, self.route())

    def emit(self, sealed):
        self.last_sent = sealed
        self.outbox.sendto(sealed, (self.other, self.port))

    def emit_raw(self, sealed, wrong_checksum=0):
        """With a UDP checksum that is off by that much, over IPv4."""
        route = self.route()
        length = wire.UDP_HEADER + len(sealed)
        header = struct.pack("!HHHH", route.source_port, route.destination_port, length, 0)
        summed = (socket.inet_aton(self.own) + socket.inet_aton(self.other)
                  + struct.pack("!HH", socket.IPPROTO_UDP, length) + header + sealed
                  + bytes(length % 2))
        total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
        checksum = (0xffff - total % 0xffff + wrong_checksum) % 0xffff or 0xffff
        with self.space.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
            raw.bind((self.own, 0))
            raw.sendto(header[:6] + checksum.to_bytes(2, "big") + sealed, (self.other, 0))

    def call(self, cookie=0, **fields):
        hello = wire.Hello(wire.CALL, mtu=self.mtu, features=wire.FEATURE_ECHO,
                           seq=self.first_out, token=self.token, nonce=self.nonce,
                           cookie=cookie, epoch=self.epoch)
        self.emit(self.seal(dataclasses.replace(hello, **fields)))

    def send(self, *operations):
        """Reliably."""
        self.unacknowledged[self.next_out] = [operations, time.monotonic()]
        self.transmit(self.next_out)
        self.next_out = (self.next_out + 1) % (1 << 32)

    def probe(self):
        """A packet without operations."""
        self.send()

    def transmit(self, number):
        operations = self.unacknowledged[number][0]
        self.emit(self.seal(wire.Packet(wire.DATA if operations else wire.PROBE, self.out_token,
                                        number, self.next_in, operations=operations)))

    def acknowledge(self):
        bitmap = bytearray(wire.BITMAP_BYTES)
        for number in self.early:
            at = (number - self.next_in - 1) % (1 << 32)
            bitmap[at // 8] |= 1 << at % 8
        self.emit(self.seal(wire.Packet(wire.ACK, self.out_token, self.duplicates, self.next_in,
                                        bitmap=bytes(bitmap))))

    # ---- Packets in ----

    def until(self, condition, what):
        """Receives until it holds."""
        end = time.monotonic() + harness.PATIENCE_S
        while not condition():
            harness.expect(time.monotonic() < end, f"never happened: {what}")
            self.step()

    def step(self):
        """What has arrived, and what is due again; waits a little if there is nothing."""
        if not select.select([self.inbox], [], [], 0.01)[0]:
            self._resend()
            return
        packet, origin = self.inbox.recvfrom(RECEIVED_MAX)
        route = wire.Route(self.other, self.own, origin[1], self.port)
        harness.expect_equal(origin[0], self.other, "a packet's source")
        self.take(wire.parse(packet, route))

    def _resend(self):
        if self.out_token is None:
            return
        now = time.monotonic()
        for number, kept in self.unacknowledged.items():
            if now - kept[1] > RESEND_S:
                kept[1] = now
                self.resent += 1
                self.transmit(number)

    def take(self, packet):
        if isinstance(packet, wire.Hello):
            self.hellos.append(packet)
            self.take_hello(packet)
        elif packet.type == wire.RESET:
            self.resets.append(packet.token)
        elif packet.token != self.token:
            self.emit(self.seal(wire.Packet(wire.RESET, packet.token)))
        elif self.out_token is not None:  # else the flow is not open yet
            self.take_packet(packet)

    def take_packet(self, packet):
        if self.drop_next and any(one.type == wire.MESSAGE for one in packet.operations):
            self.drop_next -= 1
            return
        self.probes += packet.type == wire.PROBE
        self.echoes += bool(packet.flags & wire.ECN_ECHO)
        harness.expect(not wire.before(self.next_out, packet.ack),
                       f"what was never sent is acknowledged: {packet}")
        for number in list(self.unacknowledged):
            if wire.before(number, packet.ack):
                del self.unacknowledged[number]
        if packet.type == wire.ACK:
            self.duplicates_told = packet.seq
            for at in range(8 * wire.BITMAP_BYTES):
                if packet.bitmap[at // 8] >> at % 8 & 1:
                    self.unacknowledged.pop((packet.ack + 1 + at) % (1 << 32), None)
            return
        if self.arrived(packet.seq):
            for operation in packet.operations:
                self.take_operation(operation)
        self.acknowledge()

    def arrived(self, number):
        """Whether a packet is new."""
        distance = (number - self.next_in) % (1 << 32)
        if distance >= 1 << 31 or number in self.early:
            self.duplicates += 1
            return False
        harness.expect(distance < wire.WINDOW, f"packet {number} is beyond the window")
        self.early.add(number)
        while self.next_in in self.early:
            self.early.remove(self.next_in)
            self.next_in = (self.next_in + 1) % (1 << 32)
        return True

    # ---- HELLO ----

    def take_hello(self, hello):
        if hello.kind == wire.CALL:
            self.answer_call(hello)
        elif hello.nonce != self.nonce or self.out_token is not None:
            pass  # answers something else
        elif hello.kind == wire.COOKIE:
            self.call(hello.cookie)
        elif hello.kind == wire.WELCOME:
            harness.expect_equal((hello.version_min, hello.version_max),
                                 (wire.VERSION, wire.VERSION), "chosen version")
            harness.expect(not hello.features & ~wire.FEATURE_ECHO, "features were never offered")
            self.begin(hello)

    def begin(self, hello):
        self.out_token, self.next_in = hello.token, hello.seq

    def own_cookie(self, nonce):
        """This answerer trusts its network: it keeps no secret, and gives the nonce itself."""
        return nonce ^ 0x5add1e or 1

    def answer_call(self, hello):
        if not hello.version_min <= wire.VERSION <= hello.version_max:
            self.emit(self.seal(wire.Hello(wire.REFUSE, error=93, nonce=hello.nonce)))
        elif hello.cookie != self.own_cookie(hello.nonce):
            self.emit(self.seal(wire.Hello(wire.COOKIE, nonce=hello.nonce,
                                           cookie=self.own_cookie(hello.nonce))))
        elif self.out_token is None or self.nonce == hello.nonce:
            self.nonce = hello.nonce
            if self.out_token is None:
                self.begin(hello)
            self.emit(self.seal(wire.Hello(
                wire.WELCOME, mtu=self.mtu, features=hello.features & wire.FEATURE_ECHO,
                seq=self.first_out, token=self.token, nonce=hello.nonce, epoch=self.epoch)))
        else:
            self.probe()

    def open_flow(self):
        """Calls until it is answered."""
        again = 0

        def opened():
            nonlocal again
            if self.out_token is None and time.monotonic() > again:
                again = time.monotonic() + CALL_AGAIN_S
                self.call()
            return self.out_token is not None

        self.until(opened, "the daemon's WELCOME")

    # ---- Operations in ----

    def take_operation(self, operation):
        if operation.type == wire.OPEN:
            self.take_open(operation)
        elif operation.type == wire.ECHO:
            self.send(wire.Operation(wire.ECHOED, 0, operation.payload, id=operation.id))
        elif operation.type == wire.ECHOED:
            self.echoed[operation.id] = len(operation.payload)
        else:
            connection = self.connections.get(operation.connection)
            if connection:
                HANDLERS[operation.type](self, connection, operation)
            elif operation.type == wire.CLOSE:
                self.send(wire.Operation(wire.CLOSED, operation.id))

    def take_open(self, operation):
        credits, name = int.from_bytes(operation.payload[:4], "big"), operation.payload[4:]
        granted = self.services.get(name.decode())
        connection = self.new_connection()
        connection.other, connection.credits = operation.connection, credits
        error = 0 if granted else 111  # ECONNREFUSED
        if error:
            del self.connections[connection.own]
        else:
            self.accepted.append(connection)
        self.send(wire.Operation(wire.OPENED, operation.connection, struct.pack(
            "!III", 0 if error else connection.own, granted or 0, error)))

    def take_opened(self, connection, operation):
        number, connection.credits, connection.error = struct.unpack("!III", operation.payload)
        connection.other = None if connection.error else number

    def take_close(self, connection, operation):
        connection.reason, connection.promised = struct.unpack("!II", operation.payload)
        self.finish(connection)

    def finish(self, connection):
        """CLOSED is said when all that was announced is there."""
        if connection.promised == connection.taken and not connection.closed:
            connection.closed = True
            self.send(wire.Operation(wire.CLOSED, connection.other))
            del self.connections[connection.own]

    def take_closed(self, connection, operation):
        connection.closed = True
        del self.connections[connection.own]

    def take_message(self, connection, operation):
        key = operation.stream, operation.id
        pieces = connection.messages.setdefault(key, {})
        pieces[operation.offset] = operation
        if whole(pieces) is not None:
            connection.answers += 1
            self.send(wire.Operation(wire.DELIVERED, connection.other,
                                     wire.ENTRY.pack(operation.stream, 0, operation.id)))

    def take_delivered(self, connection, operation):
        for stream, status, number in wire.ENTRY.iter_unpack(operation.payload):
            harness.expect((stream, number) not in connection.delivered, "answered twice")
            connection.delivered[stream, number] = status
            connection.taken += 1
        self.finish(connection)

    def take_credit(self, connection, operation):
        if wire.before(connection.credits, operation.offset):
            connection.credits = operation.offset

    def take_read(self, connection, operation):
        key, offset, length = wire.ACCESS.unpack(operation.payload)
        region = self.regions.get(key)
        if region is None or offset + length > len(region):
            self.answer_done(connection, operation.id, 13 if region is None else 34)
            return
        for at in range(0, length, EAGER_PIECE):
            piece = bytes(region[offset + at:offset + min(at + EAGER_PIECE, length)])
            connection.answers += 1
            self.send(wire.Operation(wire.READ_DATA, connection.other, piece, id=operation.id,
                                     offset=at,
                                     flags=wire.LAST if at + len(piece) == length else 0))

    def answer_done(self, connection, number, error):
        connection.answers += 1
        self.send(wire.Operation(wire.DONE, connection.other, id=number, offset=error))

    def take_read_data(self, connection, operation):
        connection.pieces.setdefault(operation.id, {})[operation.offset] = operation
        connection.taken += 1
        self.finish(connection)

    def take_write(self, connection, operation):
        key, offset, length = wire.ACCESS.unpack_from(operation.payload)
        piece = operation.payload[wire.ACCESS.size:]
        pieces = connection.pieces.setdefault(operation.id, {})
        pieces[operation.offset] = operation
        region = self.regions.get(key)
        if region is not None and offset + length <= len(region):
            region[offset + operation.offset:offset + operation.offset + len(piece)] = piece
        if whole(pieces, wire.ACCESS.size) is not None:
            self.answer_done(connection, operation.id, 0 if region is not None else 13)

    def take_done(self, connection, operation):
        connection.done[operation.id] = operation.offset
        connection.taken += 1
        self.finish(connection)

    def ignore(self, connection, operation):
        """OFFER waits for ever, STARVED is right, and no message of this side is skipped."""

    # ---- Operations out ----

    def new_connection(self):
        number = self.random.randrange(1, 1 << 32)
        self.connections[number] = Connection(number)
        return self.connections[number]

    def connect(self, service, credits=64):
        """Its `error` says how it went."""
        connection = self.new_connection()
        self.send(wire.Operation(wire.OPEN, connection.own,
                                 credits.to_bytes(4, "big") + service.encode()))
        self.until(lambda: connection.error is not None, f"OPENED for {service}")
        return connection

    def begin_message(self, connection, stream=0):
        """The next message's number."""
        self.until(lambda: wire.before(connection.begun, connection.credits), "a credit")
        connection.begun += 1
        number = connection.numbers.get(stream, 0)
        connection.numbers[stream] = number + 1
        return number

    def fragments(self, connection, text, number, stream=0):
        return [wire.Operation(wire.MESSAGE, connection.other, text[at:at + EAGER_PIECE],
                               wire.LAST if at + EAGER_PIECE >= len(text) else 0, stream, number,
                               at)
                for at in range(0, len(text), EAGER_PIECE)]

    def message(self, connection, text, stream=0):
        """Sends it, and waits until it lies in the application's memory: the status."""
        number = self.begin_message(connection, stream)
        for piece in self.fragments(connection, text, number, stream):
            self.send(piece)
        return self.outcome(connection, stream, number)

    def outcome(self, connection, stream, number):
        self.until(lambda: (stream, number) in connection.delivered, "DELIVERED")
        return connection.delivered[stream, number]

    def received(self, connection, stream, number):
        """The bytes of a message from the daemon."""
        self.until(lambda: whole(connection.messages.get((stream, number), {})) is not None,
                   f"message {number}")
        return whole(connection.messages[stream, number])

    def read(self, connection, number, key, offset, length):
        """The bytes, or an error number."""
        self.send(wire.Operation(wire.READ, connection.other,
                                 wire.ACCESS.pack(key, offset, length), id=number))
        self.until(lambda: number in connection.done
                   or whole(connection.pieces.get(number, {})) is not None, "the read's answer")
        if number in connection.done:
            return connection.done[number]
        return whole(connection.pieces[number])

    def write(self, connection, number, key, offset, text):
        """An error number, 0 if it succeeded."""
        access = wire.ACCESS.pack(key, offset, len(text))
        for at in range(0, len(text), EAGER_PIECE):
            self.send(wire.Operation(
                wire.WRITE, connection.other, access + text[at:at + EAGER_PIECE],
                wire.LAST if at + EAGER_PIECE >= len(text) else 0, id=number, offset=at))
        self.until(lambda: number in connection.done, "DONE")
        return connection.done[number]

    def echo(self, number, length):
        """So many bytes there and back."""
        self.send(wire.Operation(wire.ECHO, 0, bytes(length), id=number))
        self.until(lambda: number in self.echoed, "ECHOED")
        harness.expect_equal(self.echoed.pop(number), length, "length of ECHOED")

    def hang_up(self, connection, reason=0):
        self.send(wire.Operation(wire.CLOSE, connection.other,
                                 struct.pack("!II", reason, connection.answers),
                                 id=connection.own))
        self.until(lambda: connection.closed, "CLOSED")


HANDLERS = {
    wire.OPENED: Peer.take_opened, wire.CLOSE: Peer.take_close, wire.CLOSED: Peer.take_closed,
    wire.MESSAGE: Peer.take_message, wire.OFFER: Peer.ignore, wire.DELIVERED: Peer.take_delivered,
    wire.CREDIT: Peer.take_credit, wire.STARVED: Peer.ignore, wire.READ: Peer.take_read,
    wire.READ_DATA: Peer.take_read_data, wire.WRITE: Peer.take_write, wire.DONE: Peer.take_done,
}


def readable(file):
    """Whether something can be read from it now."""
    return bool(select.select([file], [], [], 0)[0])


def whole(pieces, leading=0):
    """The bytes of fragments that cover the whole once, else None. `leading` bytes of each payload
    belong to something else."""
    text = b""
    for offset in sorted(pieces):
        harness.expect(offset >= len(text), f"fragments overlap at {offset}")
        if offset > len(text):
            return None
        text += pieces[offset].payload[leading:]
        if pieces[offset].last:
            return text
    return None
