#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""A host that is not Saddle's, made from docs/wire.md alone, speaks with a real daemon and its
applications, in both directions; then it says wrong things.

    application -- saddled  left [eth0] ======= veth ======= [eth0] right  wire_peer.Peer

Needs root.

usage: wire_peer_test.py SADDLED WIRE_PEER_APP DISSECTOR KIND
"""
import contextlib
import dataclasses
import pathlib
import signal
import subprocess
import sys

import harness
import hosts
import netns
import tshark
import wire_peer
import wire_peer_format as wire

SADDLED, APP, DISSECTOR = (pathlib.Path(word) for word in sys.argv[1:4])
KIND = sys.argv[4]
ECONNREFUSED, ERANGE, EACCES, EBADMSG, EPROTO = 111, 34, 13, 74, 71
EAGER_MAX = 16384
UNKNOWN_ID = 7
CREDITS_MAX = 1000  # more than a session has places for messages


class Application:
    """On the daemon's host."""

    def __init__(self, host):
        self.process = subprocess.Popen(
            [str(word) for word in (APP, host.socket, "alpha")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def begin(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self):
        return self.process.stdout.readline().rstrip("\n")

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(harness.PATIENCE_S)
        self.process.stdout.close()
        harness.expect_equal(status, 0, "the application's end")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Bed:
    """A daemon, its application and a peer."""

    def __init__(self, host, pair, checksums):
        self.host, self.pair, self.checksums = host, pair, checksums
        self.app = Application(host)
        self.peer = None

    def use(self, family, **options):
        """A fresh peer, at the address of a family: 0 or 1 for IPv4 or IPv6."""
        self.drop()
        self.peer = wire_peer.Peer(self.pair.right, self.pair.addresses[1][family],
                                   self.pair.addresses[0][family], hosts.UDP_PORT,
                                   checksums=self.checksums, **options)
        return self.peer

    def drop(self):
        if self.peer:
            self.peer.close()
            self.peer = None

    def tell(self, command, wanted="0"):
        """The application does something, while the peer answers."""
        self.app.begin(command)
        got = self.answer()
        if wanted is not None:
            harness.expect_equal(got, wanted, f"application: {command}")
        return got

    def answer(self):
        """What the application says; the peer works meanwhile."""
        output = self.app.process.stdout
        self.peer.until(lambda: wire_peer.readable(output), "the application's answer")
        return self.app.answer()

    def connected(self, service):
        """A connection that the peer has made to a new service of the application."""
        self.tell(f"listen {service}")
        if self.peer.out_token is None:
            self.peer.open_flow()
        self.app.begin("accept")
        connection = self.peer.connect(service)
        harness.expect_equal((connection.error, self.answer()), (0, "0"), "connecting")
        return connection


@contextlib.contextmanager
def bed(checksums=True):
    with netns.network(netns.Pair) as pair:
        pair.right.offloads("eth0", "off")
        host = hosts.Host(SADDLED, hosts.KINDS[KIND], pair, 0)
        made = None
        try:
            made = Bed(host, pair, checksums)
            yield made
            made.app.end()
            host.daemon.check_alive()
            host.daemon.stop()
        except (harness.Failure, wire.Malformed) as failure:
            raise harness.Failure(f"{failure}\n{host.daemon.text()}") from failure
        finally:
            if made:
                made.drop()
                made.app.kill()
            host.remove()


@contextlib.contextmanager
def captured(space, path):
    """What tcpdump sees of a host's interface, packet by packet, in a file."""
    process = space.start("tcpdump", "-n", "-U", "--immediate-mode", "-Z", "root", "-i", "eth0",
                          "-w", path, stderr=subprocess.PIPE)
    try:
        process.stderr.readline()  # its first words say that it has begun
        yield
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=harness.PATIENCE_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def text_of(count):
    return "".join(chr(ord("a") + at % 26) for at in range(count))


# ---- What a host does ----

def exchange(made, connection):
    """Messages of several sizes each way."""
    peer = made.peer
    for number, size in enumerate((1, 64, 65, 1000, 1001, EAGER_MAX)):
        harness.expect_equal(peer.message(connection, text_of(size).encode()), 0, "DELIVERED")
        made.tell("receive", f"0 {text_of(size)}")
        made.tell(f"send {text_of(size)}")
        harness.expect_equal(peer.received(connection, 0, number), text_of(size).encode(),
                             "message")


def calls(made):
    """The peer calls, and the peer hangs up."""
    peer, connection = made.peer, made.connected(f"calls-{made.peer.own}")
    exchange(made, connection)
    peer.echo(3, 800)
    key = int(made.tell("expose Read-me", None).split()[1])
    harness.expect_equal(peer.read(connection, 1, key, 0, 7), b"Read-me", "READ")
    harness.expect_equal(peer.read(connection, 2, key, 5, 4000)[:2], b"me", "READ in the middle")
    harness.expect_equal(peer.read(connection, 3, key, 4090, 7), ERANGE, "READ beyond")
    harness.expect_equal(peer.read(connection, 4, key + 1, 0, 7), EACCES, "READ of another key")
    harness.expect_equal(peer.read(connection, 6, key, 0, 0), EPROTO, "READ of nothing")
    harness.expect_equal(peer.write(connection, 5, key, 0, text_of(3000).encode()), 0, "WRITE")
    made.tell("look", f"0 {text_of(3000)}")
    harness.expect_equal(peer.connect("nobody").error, ECONNREFUSED, "an unknown service")
    peer.hang_up(connection)
    made.tell("receive", "0")


def is_called(made):
    """The application calls, and hangs up."""
    peer = made.peer
    peer.services["answers"] = 32
    peer.regions[4711] = bytearray(b"Read me too" + bytes(3000))
    made.tell(f"ping {peer.own} 500")
    made.tell(f"connect {peer.own} answers")
    exchange(made, peer.accepted[0])
    made.tell("read 4711 11", "0 Read me too")
    made.tell("read 4712 11", "EACCES")
    made.tell(f"write 4711 {text_of(2500)}")
    harness.expect_equal(peer.regions[4711][:2500].decode(), text_of(2500), "what was written")
    made.tell("close")
    harness.expect_equal((peer.accepted[0].closed, peer.accepted[0].reason), (True, 0), "CLOSE")
    made.tell(f"connect {peer.own} nobody", "ECONNREFUSED")


def both_ways():
    with bed() as made:
        for family in range(2):
            made.use(family, seed=family)
            calls(made)
            is_called(made)


def opened_by_the_daemon():
    with bed() as made:
        for family in range(2):
            made.use(family, seed=10 + family)
            is_called(made)
            calls(made)


def wireshark_shows_all_of_it():
    """tcpdump looks on as both families speak; the dissector finds nothing wrong."""
    with bed() as made:
        file = made.host.folder.path / "capture.pcap"
        with captured(made.pair.right, file):
            for family in range(2):
                made.use(family, seed=20 + family)
                calls(made)
                is_called(made)
            # In order, so that what came before it is in the file.
            harness.await_true(lambda: made.peer.last_sent in file.read_bytes(),
                               "the last packet is captured")
        seen = tshark.dissect(DISSECTOR, file, "-Y",
                              "udp and not icmp and not icmpv6")  # which quote what they refuse
        for one in seen:
            harness.expect_equal((one.protocol, one.findings), ("Saddle", []), f"{one}")
            harness.expect_equal(one.columns["saddle.header_crc.status"], ["good"], f"{one}")
            harness.expect_equal(set(one.columns["saddle.op.payload_crc.status"]) - {"good"}, set(),
                                 f"{one}")
        types = {number for one in seen for number in one.numbers("saddle.type")}
        operations = {number for one in seen for number in one.numbers("saddle.op.type")}
        harness.expect(types >= {wire.DATA, wire.ACK, wire.HELLO}, f"types {types}")
        harness.expect(operations >= {wire.OPEN, wire.OPENED, wire.CLOSE, wire.CLOSED, wire.MESSAGE,
                                      wire.DELIVERED, wire.READ, wire.READ_DATA, wire.WRITE,
                                      wire.DONE, wire.ECHO, wire.ECHOED}, f"{operations}")


def without_udp_checksums():
    with bed(checksums=False) as made:
        for family in range(2):
            made.use(family)
            calls(made)


def answers_are_counted():
    """CLOSED comes when all answers have, those of each fragment of a read among them; by whichever
    side the connection is closed."""
    with bed() as made:
        for service in ("peer-closes", "daemon-closes"):
            peer = made.use(0, seed=len(service))
            connection = made.connected(service)
            key = int(made.tell("expose region", None).split()[1])
            peer.regions[5] = bytearray(text_of(4000).encode())
            harness.expect_equal(len(peer.read(connection, 1, key, 0, 4096)), 4096, "READ")
            made.tell("read 5 4000", f"0 {text_of(4000)}")
            harness.expect_equal(peer.message(connection, b"m"), 0, "DELIVERED")
            made.tell("receive", "0 m")
            peer.answer_done(connection, UNKNOWN_ID, 0)  # late, as far as the daemon can tell
            harness.expect(connection.taken > 2 and connection.answers == 5, "several answers")
            if service == "peer-closes":
                peer.hang_up(connection)
                made.tell("receive", "0")
            else:
                made.tell("close")
                harness.expect_equal((connection.closed, connection.promised),
                                     (True, connection.taken), "CLOSE")


# ---- Acknowledgements ----

def lost_packets_are_asked_for():
    """The peer leaves one out; the bitmap shows the others, and the gap closes."""
    with bed() as made:
        peer, connection = made.use(0), made.connected("gap")
        pieces = peer.fragments(connection, text_of(4000).encode(), peer.begin_message(connection))
        peer.send(wire.Operation(wire.ECHO, 0, b"first", id=1))
        peer.until(lambda: not peer.unacknowledged, "acknowledgement of all")
        lost = peer.next_out
        peer.unacknowledged[lost] = [tuple(pieces[:1]), float("inf")]  # not sent yet
        peer.next_out = (lost + 1) % (1 << 32)
        for piece in pieces[1:]:
            peer.send(piece)
        peer.until(lambda: list(peer.unacknowledged) == [lost], "selective acknowledgement")
        peer.transmit(lost)
        harness.expect_equal(peer.outcome(connection, 0, 0), 0, "DELIVERED")
        peer.until(lambda: not peer.unacknowledged, "acknowledgement of the gap")
        made.tell("receive", f"0 {text_of(4000)}")
        peer.hang_up(connection)


def duplicates_are_counted_and_delivered_once():
    with bed() as made:
        peer, connection = made.use(0), made.connected("twice")
        before = peer.duplicates_told
        number = peer.next_out
        peer.begin_message(connection)
        again = tuple(peer.fragments(connection, b"once", 0))
        peer.send(*again)
        harness.expect_equal(peer.outcome(connection, 0, 0), 0, "DELIVERED")
        for _ in range(3):
            peer.emit(peer.seal(wire.Packet(wire.DATA, peer.out_token, number, peer.next_in,
                                            operations=again)))
        peer.until(lambda: peer.duplicates_told >= before + 3, "duplicates told")
        made.tell("receive", "0 once")
        harness.expect_equal(peer.message(connection, b"next"), 0, "DELIVERED")
        made.tell("receive", "0 next")
        peer.hang_up(connection)


def unacknowledged_is_sent_again():
    """The daemon's packets are lost on their way to the peer, which asks for none."""
    with bed() as made:
        peer = made.use(0)
        connection = made.connected("again")
        made.app.begin("send again")
        first = made.peer.inbox
        peer.drop_next = 3  # packets with the message
        harness.expect_equal(made.answer(), "0", "sending")
        harness.expect(first is peer.inbox and peer.drop_next == 0, "three were lost")
        harness.expect_equal(peer.received(connection, 0, 0), b"again", "message")
        peer.hang_up(connection)


def checksums_of_udp():
    """Right ones are as good as none; what has a wrong one is dropped."""
    with bed() as made:
        peer, connection = made.use(0), made.connected("udp")
        for number, wrong in enumerate((1, 0)):
            peer.emit_raw(peer.seal(wire.Packet(
                wire.DATA, peer.out_token, peer.next_out, peer.next_in,
                operations=(wire.Operation(wire.ECHO, id=number),))), wrong)
        peer.next_out = (peer.next_out + 1) % (1 << 32)
        peer.until(lambda: peer.echoed, "ECHOED")
        harness.expect_equal(list(peer.echoed), [1], "echoes")
        peer.hang_up(connection)


def congestion_is_echoed():
    with bed() as made:
        for family in range(2):
            peer = made.use(family, seed=family)
            peer.open_flow()
            peer.echo(1, 10)
            harness.expect_equal(peer.echoes, 0, "ECN_ECHO")
            peer.mark(wire_peer.CE)
            peer.probe()
            peer.until(lambda peer=peer: peer.echoes > 0, "ECN_ECHO")
            peer.mark(wire_peer.ECT0)
            peer.echo(2, 10)
            peer.echo(3, 10)
            # The probe may have been sent twice, on a slow machine, and be answered so.
            harness.expect(peer.echoes <= 1 + peer.resent, f"ECN_ECHO {peer.echoes} times")


# ---- What a hostile host does ----

def wrong_cookies():
    """None opens a flow; each is answered with a right one."""
    with bed() as made:
        peer = made.use(0)
        for count, cookie in enumerate((0, 1, (1 << 64) - 1)):
            peer.call(cookie, nonce=1000 + count)  # not the peer's own: it takes no answer
            peer.until(lambda count=count: len(peer.hellos) == count + 1, "COOKIE")
            harness.expect_equal((peer.hellos[-1].kind, peer.hellos[-1].nonce),
                                 (wire.COOKIE, 1000 + count), "answer")
        peer.call(peer.hellos[-1].cookie)  # which belongs to another nonce
        peer.until(lambda: peer.out_token is not None, "a flow by a cookie of its own")
        harness.expect_equal([hello.kind for hello in peer.hellos],
                             [wire.COOKIE] * 4 + [wire.WELCOME], "answers")


def no_common_version():
    with bed() as made:
        peer = made.use(0)
        peer.call(version_min=14, version_max=15)
        peer.until(lambda: peer.hellos, "REFUSE")
        refuse = peer.hellos[0]
        harness.expect_equal((refuse.kind, refuse.error, refuse.nonce),
                             (wire.REFUSE, 93, peer.nonce), "answer")
        harness.expect(refuse.version_min <= wire.VERSION <= refuse.version_max, f"{refuse}")


def replayed_calls_harm_no_flow():
    with bed() as made:
        peer, connection = made.use(0), made.connected("replay")
        cookie = next(hello.cookie for hello in peer.hellos if hello.kind == wire.COOKIE)

        def welcomes():
            return [hello for hello in peer.hellos if hello.kind == wire.WELCOME]

        # A call that was repeated on the way here may have a late answer that asks for a cookie.
        first, count = welcomes()[-1], len(welcomes())
        peer.call(cookie)
        peer.until(lambda: len(welcomes()) > count, "an answer")
        harness.expect_equal(welcomes()[-1], first, "the same WELCOME again")
        # Another nonce has a cookie of its own to get first.
        other = peer.nonce ^ 1

        def answers():
            return [hello for hello in peer.hellos if hello.nonce == other]

        peer.call(nonce=other)
        peer.until(answers, "COOKIE")
        before = peer.probes
        peer.call(answers()[0].cookie, nonce=other)
        peer.until(lambda: peer.probes > before, "PROBE on the open flow")
        harness.expect_equal([hello.kind for hello in answers()], [wire.COOKIE],
                             "answers to a CALL beside an open flow")
        harness.expect_equal(peer.message(connection, b"still there"), 0, "DELIVERED")
        made.tell("receive", "0 still there")
        peer.hang_up(connection)


def a_peer_that_started_again():
    """Its old flow is answered with RESET, and the application learns of it."""
    with bed() as made:
        peer = made.use(0)
        made.connected("restart")
        peer.forget()
        peer.epoch ^= 1
        peer.open_flow()
        made.tell("receive", "ECONNRESET")
        peer.echo(1, 100)


def unknown_tokens_are_reset():
    with bed() as made:
        peer, connection = made.use(0), made.connected("reset")
        for packet in (wire.Packet(wire.DATA, 4711, 1, 1,
                                   operations=(wire.Operation(wire.ECHO, id=1),)),
                       wire.Packet(wire.PROBE, 4712, 1, 1)):
            before = len(peer.resets)
            peer.emit(peer.seal(packet))
            peer.until(lambda before=before: len(peer.resets) > before, "RESET")
            harness.expect_equal(peer.resets[-1], packet.token, "the token of RESET")
        # Neither a RESET nor one for a token that nobody uses ends anything.
        before = len(peer.resets)
        peer.emit(peer.seal(wire.Packet(wire.RESET, 4713)))
        peer.emit(peer.seal(wire.Packet(wire.RESET, peer.out_token)))
        harness.expect_equal(peer.message(connection, b"unharmed"), 0, "DELIVERED")
        made.tell("receive", "0 unharmed")
        harness.expect_equal(len(peer.resets), before, "RESETs that answer RESET")
        # The right one does: what the daemon's packets carry.
        peer.emit(peer.seal(wire.Packet(wire.RESET, peer.token)))
        made.tell("receive", "ECONNRESET")


def damaged_headers_are_ignored():
    """A packet with any wrong bit that header_crc covers is dropped without an answer: the one
    that follows is the first that the daemon takes."""
    with bed() as made:
        peer, connection = made.use(0), made.connected("headers")
        number = peer.begin_message(connection)
        good = peer.seal(wire.Packet(
            wire.DATA, peer.out_token, peer.next_out, peer.next_in,
            operations=tuple(peer.fragments(connection, b"good", number))))
        for at in range(wire.FIXED + wire.OPERATION.size):
            peer.emit(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1:])
        other = dataclasses.replace(peer.route(), source="10.77.0.9")
        peer.emit(wire.seal(good, other))
        peer.emit(good[:-1])
        peer.emit(peer.seal(good + b"\0"))
        resets = len(peer.resets)
        peer.send(*peer.fragments(connection, b"good", number))
        harness.expect_equal(peer.outcome(connection, 0, number), 0, "DELIVERED")
        made.tell("receive", "0 good")
        harness.expect(peer.duplicates_told <= peer.resent, "a damaged packet was taken")
        harness.expect_equal(len(peer.resets), resets, "RESETs")
        peer.hang_up(connection)


def lies_are_dropped():
    """What is well formed otherwise, and its sender cannot mean; then an honest packet with the
    same number."""
    with bed() as made:
        peer, connection = made.use(0), made.connected("lies")
        honest = wire.Packet(wire.DATA, peer.out_token, peer.next_out, peer.next_in,
                             operations=(wire.Operation(wire.ECHO, id=1),))
        packed = honest.pack()
        for lie in (dataclasses.replace(honest, ack=(peer.next_in + 5) % (1 << 32)),
                    dataclasses.replace(honest, seq=(peer.next_out + wire.WINDOW) % (1 << 32)),
                    dataclasses.replace(honest, flags=0x02),
                    dataclasses.replace(honest, flags=0x80),
                    dataclasses.replace(honest, operations=honest.operations * 65),
                    bytes([0xf0 | wire.DATA]) + packed[1:],
                    bytes([wire.VERSION << 4 | 0x0f]) + packed[1:],
                    bytes([wire.VERSION << 4 | wire.ACK]) + packed[1:],
                    bytes([wire.VERSION << 4 | wire.PROBE]) + packed[1:],
                    packed[:wire.FIXED]):
            peer.emit(peer.seal(lie))
        peer.send(wire.Operation(wire.ECHO, id=2))
        peer.until(lambda: peer.echoed, "ECHOED")
        harness.expect_equal(list(peer.echoed), [2], "echoes")
        harness.expect(peer.duplicates_told <= peer.resent, "a lie was taken")
        peer.echoed.clear()
        peer.hang_up(connection)


def a_damaged_payload_fails_one_operation():
    with bed() as made:
        peer, connection = made.use(0), made.connected("payload")
        numbers = [peer.begin_message(connection) for _ in range(3)]
        texts = (b"before", b"broken", b"after")
        pieces = [peer.fragments(connection, text, number)[0]
                  for text, number in zip(texts, numbers)]
        pieces[1].payload_crc = pieces[1].right_crc() ^ 1
        peer.send(*pieces)
        harness.expect_equal([peer.outcome(connection, 0, number) for number in numbers],
                             [0, EBADMSG, 0], "outcomes")
        made.tell("receive", "0 before")
        made.tell("receive", "0 after")
        peer.until(lambda: not peer.unacknowledged, "acknowledgement: the flow is not stalled")
        # What is not application data is as good as lost: it arrives when it is sent again, whole.
        damaged = wire.Operation(wire.CLOSE, connection.other, bytes(8), id=connection.own,
                                 payload_crc=1)
        peer.emit(peer.seal(wire.Packet(wire.DATA, peer.out_token, peer.next_out, peer.next_in,
                                        operations=(damaged,))))
        peer.hang_up(connection)
        harness.expect(peer.duplicates_told <= peer.resent, "a damaged packet was acknowledged")


def broken_rules_end_the_connection():
    """And that alone: each on a connection of its own, of one flow."""
    with bed() as made:
        peer = made.use(0)
        for name, operation in BROKEN.items():
            connection = made.connected(name)
            broken = dataclasses.replace(operation, connection=connection.other)
            peer.send(broken)
            peer.until(lambda connection=connection: connection.closed, f"CLOSE for {name}")
            harness.expect_equal(connection.reason, EPROTO, name)
            made.tell("receive", "EPROTO")
            peer.echo(1, 10)  # the flow goes on


def credits_are_kept():
    """A sender that begins one message more than it was allowed loses the connection."""
    with bed() as made:
        peer, connection = made.use(0), made.connected("credits")
        while not connection.closed:  # each message may bring a credit, while there is memory
            harness.expect(connection.begun < CREDITS_MAX, "credits have no end")
            peer.send(wire.Operation(wire.OFFER, connection.other, id=connection.begun,
                                     offset=EAGER_MAX + 1))
            connection.begun += 1
            peer.until(lambda: not peer.unacknowledged or connection.closed, "acknowledgement")
        harness.expect(connection.begun > connection.credits, "it was closed too early")
        harness.expect_equal(connection.reason, EPROTO, "reason")
        peer.echo(1, 10)  # the flow goes on


BROKEN = {
    "type": wire.Operation(99),
    "flags": wire.Operation(wire.MESSAGE, payload=b"x", flags=0x41),
    "reserved": wire.Operation(wire.MESSAGE, payload=b"x", flags=wire.LAST, reserved=1),
    "stream": wire.Operation(wire.MESSAGE, payload=b"x", flags=wire.LAST, stream=64),
    "empty": wire.Operation(wire.MESSAGE, flags=wire.LAST),
    "access": wire.Operation(wire.READ, payload=bytes(19), id=UNKNOWN_ID),
    "last": wire.Operation(wire.CREDIT, flags=wire.LAST, offset=1),
    "delivered": wire.Operation(wire.DELIVERED, payload=wire.ENTRY.pack(0, 0, 5)),
    "short": wire.Operation(wire.DELIVERED, payload=bytes(7)),
}

netns.require()
harness.main([
    both_ways, opened_by_the_daemon, without_udp_checksums, wireshark_shows_all_of_it,
    answers_are_counted, lost_packets_are_asked_for, duplicates_are_counted_and_delivered_once,
    unacknowledged_is_sent_again, checksums_of_udp, congestion_is_echoed, wrong_cookies,
    no_common_version, replayed_calls_harm_no_flow, a_peer_that_started_again,
    unknown_tokens_are_reset, damaged_headers_are_ignored, lies_are_dropped,
    a_damaged_payload_fails_one_operation, credits_are_kept, broken_rules_end_the_connection])
