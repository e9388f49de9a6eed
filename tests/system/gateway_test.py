#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""saddle-control between clients of gRPC and a daemon that is played here, frame by frame: what a
real daemon does not show, or not at will.

usage: gateway_test.py SADDLE_CONTROL
"""
import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import grpc

import harness
from harness import expect, expect_equal

CONTROL = sys.argv[1]
PATIENCE_S = harness.PATIENCE_S
STRANGER = 12345  # a user id that is nobody's

# control/link.h
LINK_FD, LISTEN_FD = 3, 4
CALL, MESSAGE, FINISHED, CANCEL, CREDIT, END, REFUSED = range(1, 8)
MORE = 1
BODY_MAX = 16384
REQUEST_MAX = 64 << 10  # bytes
METHOD_MAX = 128
CREDITS = 4
OBSERVE, OPERATE = range(2)
FRAME = struct.Struct("=IBBHI")
CALLER = struct.Struct("=IIi")
REFUSALS = struct.Struct("=3I")

CONNECTIONS_PER_USER = 64  # of saddle-control
STREAMS = 1000
VANISHING = 200
DAEMONS = 40     # that end under load
BOMB = 512 << 20  # bytes that a small message says it holds
FULL = 64        # messages at a time that are all but whole
RESIDENT_MAX_KIB = 192 << 10
CANCELLED = 1

# Descriptors where saddle-control's are to be are in nobody's way.
HELD = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]


class Call:
    """One call as the daemon sees it."""

    def __init__(self, caller, method):
        self.role, self.uid, self.pid = caller
        self.method = method
        self.request = b""
        self.credits = CREDITS
        self.answers = []
        self.end = None


class Daemon:
    """Saddled's side of the link, on a thread. Methods: Echo sends each request back; Count sends
    as many answers as its request says; Fail ends as its request says; Wait says nothing."""

    def __init__(self, link):
        self.link = link
        self.open, self.seen = {}, []
        self.requests = self.cancelled = self.turned_away = 0
        self.fault = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while datagram := self.link.recv(FRAME.size + BODY_MAX):
                number, kind, flags, status, length = FRAME.unpack_from(datagram)
                body = datagram[FRAME.size:]
                expect_equal((len(body), status), (length, 0), "a frame")
                self.take(number, kind, flags, body)
        except (OSError, AssertionError, harness.Failure, KeyError, ValueError) as error:
            self.fault = error

    def take(self, number, kind, flags, body):
        if kind == CALL:
            expect(number not in self.open, f"call {number} is open already")
            call = Call(CALLER.unpack_from(body), body[CALLER.size:].decode("ascii"))
            expect(all("!" <= letter <= "~" for letter in call.method), f"{call.method!r}")
            self.open[number] = call
            self.seen.append(call)
            return
        if kind == REFUSED:
            self.turned_away += sum(REFUSALS.unpack(body))
            return
        call = self.open.get(number)
        if call is None:
            return  # ended here while that was on its way
        if kind == MESSAGE:
            call.request += body
            if not flags & MORE:
                request, call.request = call.request, b""
                self.requests += 1
                self.answer(call, request)
        elif kind == CREDIT:
            call.credits += 1
        elif kind == CANCEL:
            self.cancelled += 1
            call.answers, call.end = [], (CANCELLED, "")
        elif call.method != "t/Wait":
            expect_equal(kind, FINISHED, "a kind")
            call.end = call.end or (0, "")
        self.advance(number, call)

    def answer(self, call, request):
        if call.method == "t/Echo":
            call.answers.append(request)
        elif call.method == "t/Count":
            call.answers += [str(i).encode() for i in range(int(request))]
        elif call.method == "t/Fail":
            code, text = request.decode().split(" ", 1)
            call.end = (int(code), text)

    def advance(self, number, call):
        while call.answers and call.credits > 0:
            call.credits -= 1
            self.send(number, call.answers.pop(0))
        if call.end and not call.answers:
            text = call.end[1].encode()
            self.link.send(FRAME.pack(number, END, 0, call.end[0], len(text)) + text)
            del self.open[number]

    def send(self, number, message):
        while True:
            piece, message = message[:BODY_MAX], message[BODY_MAX:]
            self.link.send(FRAME.pack(number, MESSAGE, MORE if message else 0, 0, len(piece))
                           + piece)
            if not message:
                return


class Gateway:
    """A running saddle-control and its daemon."""

    def __init__(self, arguments):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="saddle-system-"))
        self.folder.chmod(0o755)
        self.path = self.folder / "control.sock"
        self.log = self.folder / "log"
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listening.bind(str(self.path))
        self.path.chmod(0o666)
        listening.listen(64)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Its end does not block; a file description has that, not the process.
        fcntl.fcntl(theirs, fcntl.F_SETFL, os.O_NONBLOCK)
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT)
        self.pid = os.posix_spawn(CONTROL, [CONTROL, *arguments], os.environ, file_actions=[
            (os.POSIX_SPAWN_DUP2, theirs.fileno(), LINK_FD),
            (os.POSIX_SPAWN_DUP2, listening.fileno(), LISTEN_FD),
            (os.POSIX_SPAWN_DUP2, log, 2)])
        os.close(log)
        theirs.close()
        listening.close()
        self.pidfd = os.pidfd_open(self.pid)
        self.code = None
        self.daemon = Daemon(ours)

    def channel(self, *options):
        return grpc.insecure_channel(f"unix:{self.path}", options=[
            ("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1),
            ("grpc.enable_retries", 0), *options])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_kib(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines()
                    if line.startswith("VmHWM:"))

    def wait(self):
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def hang_up(self):
        """The daemon is gone."""
        self.daemon.link.shutdown(socket.SHUT_RDWR)
        return self.wait()

    def check(self):
        """It has broken no rule, is there, and serves."""
        if self.daemon.fault:
            raise harness.Failure(f"the link: {self.daemon.fault!r}") from self.daemon.fault
        with self.channel() as channel:
            expect_equal(unary(channel, "t/Echo", b"still there"), b"still there", "an echo")
        harness.await_true(lambda: not self.daemon.open, "every call has ended")

    def remove(self):
        if self.code is None:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            self.wait()
        os.close(self.pidfd)
        self.daemon.link.close()
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def running(*arguments):
    gateway = Gateway(arguments)
    try:
        yield gateway
        if gateway.code is None:
            gateway.check()
            expect_equal(gateway.hang_up(), 0, f"its exit: {gateway.log.read_text()}")
    finally:
        gateway.remove()


def unary(channel, method, request, **options):
    return channel.unary_unary(f"/{method}")(request, timeout=PATIENCE_S, **options)


def refused(call):
    """The status that a call ends with, and its text."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise harness.Failure("it was answered")


def code_of(call):
    return refused(call)[0]


def test_calls():
    """Each kind of call, and messages of each size."""
    with running() as gateway, gateway.channel() as channel:
        for length in (0, 1, BODY_MAX - 1, BODY_MAX, BODY_MAX + 1, REQUEST_MAX - 1, REQUEST_MAX):
            data = os.urandom(length)
            expect(unary(channel, "t/Echo", data) == data, f"an echo of {length} bytes")
        stream = channel.unary_stream("/t/Count")(b"1000", timeout=PATIENCE_S)
        expect_equal([int(one) for one in stream], list(range(1000)), "a stream")
        pieces = [os.urandom(i * 600) for i in range(100)]
        bidi = channel.stream_stream("/t/Echo")(iter(pieces), timeout=PATIENCE_S)
        expect(list(bidi) == pieces, "a conversation")
        for code in range(1, 17):
            got, text = refused(lambda: unary(channel, "t/Fail", b"%d why: %%\xc3\xa4" % code))
            expect_equal((got.value[0], text), (code, "why: %ä"), "a status")
        got, text = refused(lambda: unary(channel, "t/Fail", b"5 " + b"x" * 1024))
        expect_equal((got, text), (grpc.StatusCode.NOT_FOUND, "x" * 1024), "the longest text")
        pids = {(call.role, call.uid, call.pid) for call in gateway.daemon.seen}
        expect_equal(pids, {(OPERATE, os.geteuid(), os.getpid())}, "callers")


def test_cancelled():
    """By the client, and by its deadline."""
    with running() as gateway, gateway.channel() as channel:
        wait = channel.unary_stream("/t/Wait")
        one = wait(b"", timeout=PATIENCE_S)
        harness.await_true(lambda: gateway.daemon.requests == 1, "the request")
        one.cancel()
        expect_equal(code_of(lambda: next(one)), grpc.StatusCode.CANCELLED, "cancelled")
        harness.await_true(lambda: gateway.daemon.cancelled == 1, "the daemon knows")
        expect_equal(code_of(lambda: next(wait(b"", timeout=0.05))),
                     grpc.StatusCode.DEADLINE_EXCEEDED, "its deadline has passed")
        harness.await_true(lambda: gateway.daemon.cancelled == len(gateway.daemon.seen),
                           "the daemon knows of it too")


def test_slow_client():
    """One that reads nothing holds up its own stream alone, and few of its answers are there."""
    with running() as gateway, gateway.channel() as channel:
        slow = channel.stream_stream("/t/Echo")
        data = os.urandom(REQUEST_MAX)
        sent = threading.Semaphore(0)

        def requests():
            for _ in range(64):
                sent.release()
                yield data
        answers = slow(requests(), timeout=PATIENCE_S)
        sent.acquire()
        expect_equal(unary(channel, "t/Echo", b"beside"), b"beside", "another call")
        expect(all(one == data for one in answers), "what it reads late")


METHODS = ("t/E cho", "t/Ech\x7f", "t/\x01", "t\t/x", "t/x" + "y" * (METHOD_MAX - 2), "t/" +
           "y" * 4000, "")


def test_methods():
    """Names that the link cannot carry are nobody's; the link is none the worse."""
    with running() as gateway, gateway.channel() as channel:
        longest = "t/" + "y" * (METHOD_MAX - 2)
        expect_equal(code_of(lambda: unary(channel, "t/Fail", b"12 no")),
                     grpc.StatusCode.UNIMPLEMENTED, "a refusal")
        channel.unary_unary(f"/{longest}").future(b"").cancel()
        for method in METHODS:
            expect_equal(code_of(lambda: unary(channel, method, b"")),
                         grpc.StatusCode.UNIMPLEMENTED, f"method {method[:20]!r}")


def compressed(gateway, algorithm, length):
    """A request that is small on the wire and says it holds `length` bytes."""
    with gateway.channel() as channel:
        return code_of(lambda: channel.unary_unary("/t/Wait")(
            bytes(length), timeout=PATIENCE_S, compression=algorithm))


def test_bombs():
    """What is small until it is looked at, and what is too large at once."""
    with running() as gateway:
        for algorithm in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            expect_equal(compressed(gateway, algorithm, BOMB), grpc.StatusCode.UNIMPLEMENTED,
                         "compressed requests")
        with gateway.channel() as channel:
            expect_equal(code_of(lambda: unary(channel, "t/Echo", bytes(REQUEST_MAX + 1))),
                         grpc.StatusCode.RESOURCE_EXHAUSTED, "a message that is too large")
            expect_equal(code_of(lambda: unary(
                channel, "t/Echo", b"", metadata=[(f"x-{i}", "v" * 4000) for i in range(40)])),
                grpc.StatusCode.RESOURCE_EXHAUSTED, "a bomb of headers")
        expect(gateway.resident_kib() < RESIDENT_MAX_KIB, f"{gateway.resident_kib()} KiB")


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") \
        + payload


def literal(name, value):
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


HEADERS = b"".join(literal(*pair) for pair in (
    (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/t/Wait"), (b":authority", b"x"),
    (b"te", b"trailers"), (b"content-type", b"application/grpc")))


def hoard(path, streams):
    """A client that leaves each message without its last byte; ends when it is told to."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(PATIENCE_S)
    made.connect(path)
    made.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
    head = b"\x00" + REQUEST_MAX.to_bytes(4, "big")
    for i in range(streams):
        made.sendall(frame(1, 4, 2 * i + 1, HEADERS) + frame(0, 0, 2 * i + 1, head))
    return made


def windows(made, buffer):
    """The frames that have come: (kind, stream, payload)."""
    while len(buffer) >= 9:
        length = int.from_bytes(buffer[:3], "big")
        if len(buffer) < 9 + length:
            return
        yield buffer[3], buffer[4], int.from_bytes(buffer[5:9], "big"), bytes(buffer[9:9 + length])
        del buffer[:9 + length]


def pour(made, streams):
    """Sends of each message as much as the other side has room for, all but its last byte."""
    left = {2 * i + 1: REQUEST_MAX - 1 for i in range(streams)}
    room = {stream: 65535 - 5 for stream in left}
    whole, initial, largest = 65535 - 5 * streams, 65535, 16384
    buffer = bytearray()
    while left:
        for stream in list(left):
            while left.get(stream) and min(whole, room[stream]) > 0:
                length = min(left[stream], whole, room[stream], largest)
                made.sendall(frame(0, 0, stream, bytes(length)))
                left[stream] -= length
                whole -= length
                room[stream] -= length
                if not left[stream]:
                    del left[stream]
        if not left:
            return
        got = made.recv(65536)
        if not got:
            return
        buffer += got
        for kind, flags, stream, payload in windows(made, buffer):
            if kind == 8 and stream == 0:
                whole += int.from_bytes(payload, "big")
            elif kind == 8 and stream in room:
                room[stream] += int.from_bytes(payload, "big")
            elif kind == 3:
                left.pop(stream, None)
            elif kind == 4 and not flags & 1:
                for at in range(0, len(payload), 6):
                    if payload[at:at + 2] == b"\x00\x04":
                        value = int.from_bytes(payload[at + 2:at + 6], "big")
                        room = {one: have + value - initial for one, have in room.items()}
                        initial = value
                made.sendall(frame(4, 1, 0, b""))
            elif kind == 6 and not flags & 1:
                made.sendall(frame(6, 1, 0, payload))
            elif kind == 7:
                return


def test_hoarded():
    """Messages that never become whole: many times the memory that saddle-control may have."""
    with running() as gateway:
        hoards = []
        for _ in range(4):
            with contextlib.suppress(OSError):
                hoards.append(hoard(str(gateway.path), FULL))
                pour(hoards[-1], FULL)
        with gateway.channel() as channel:
            expect_equal(unary(channel, "t/Echo", b"beside"), b"beside", "another client")
        expect(gateway.resident_kib() < RESIDENT_MAX_KIB, f"{gateway.resident_kib()} KiB")
        for one in hoards:
            one.close()


def test_many_streams():
    with running() as gateway:
        channels = [gateway.channel() for _ in range(10)]
        calls = [channels[i % 10].unary_stream("/t/Wait")(b"", timeout=PATIENCE_S)
                 for i in range(STREAMS)]
        harness.await_true(lambda: len(gateway.daemon.open) == STREAMS, "all are open")
        for call in calls:
            call.cancel()
        harness.await_true(lambda: gateway.daemon.cancelled == STREAMS, "all are over")
        # A thousand more than there are numbers for: whoever gets none is told.
        waits = [channels[i % 10].unary_unary("/t/Wait").future(b"", timeout=PATIENCE_S)
                 for i in range(1100)]
        harness.await_true(lambda: sum(one.done() for one in waits) >= 1100 - 1024, "the refused")
        codes = {one.code() for one in waits if one.done()}
        expect_equal(codes, {grpc.StatusCode.RESOURCE_EXHAUSTED}, "those beyond the bound")
        for one in waits:
            one.cancel()
        for channel in channels:
            channel.close()


VANISHES = """\
import grpc, os, sys, threading
channel = grpc.insecure_channel(sys.argv[1])
data = bytes(60000)
def requests():
    yield data
    sys.stdout.write('.')
    sys.stdout.flush()
    yield data
calls = [channel.stream_stream('/t/Echo')(requests()) for _ in range(4)]
next(calls[0])
os.kill(os.getpid(), 9)
"""


def test_vanishing():
    """Clients that are gone in the middle of a message, and after a beginning of each length."""
    with running() as gateway:
        gateway.check()
        before = gateway.descriptors()
        whole = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
                 + frame(1, 4, 1, HEADERS) + frame(0, 0, 1, b"\x00\x00\x00\x00\x05hello")
                 + frame(0, 1, 1, b"\x00\x00\x00\x00\x01!"))
        for i in range(VANISHING):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
                made.connect(str(gateway.path))
                with contextlib.suppress(OSError):
                    made.sendall(whole[:1 + i * len(whole) // VANISHING])
        for _ in range(4):
            subprocess.run(["/usr/bin/python3", "-c", VANISHES, f"unix:{gateway.path}"],
                           check=False, timeout=PATIENCE_S, stdout=subprocess.DEVNULL)
        harness.await_true(lambda: not gateway.daemon.open, "every call has ended")
        harness.await_true(lambda: gateway.descriptors() <= before,
                           f"back at {before} descriptors")


KNOCKS = """\
import socket, sys
made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
made.settimeout(60)
made.connect(sys.argv[1])
try:
    made.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n')
    sys.exit(made.recv(1) != b'')
except OSError:
    pass
"""


def test_roles():
    def knock(uid, group=None):
        return subprocess.run(["/usr/bin/python3", "-c", KNOCKS, gateway.path], check=False,
                              user=uid, group=group or uid, extra_groups=[], cwd="/",
                              timeout=PATIENCE_S).returncode

    with running("--observe", f"uid:{STRANGER}", "--operate", f"gid:{STRANGER + 9}") as gateway:
        expect_equal(knock(harness.NOBODY), 0, "nobody hears a byte")
        expect(f"uid {harness.NOBODY}, process" in gateway.log.read_text(), "it is logged")
        expect_equal(knock(STRANGER), 1, "an observer is spoken to")
        expect_equal(knock(STRANGER, STRANGER + 9), 1, "and so is one of the group")


CROWDS = """\
import socket, sys
made = []
for _ in range(int(sys.argv[2])):
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.connect(sys.argv[1])
    one.settimeout(float(sys.argv[3]))
    made.append(one)
print([bool(one.recv(1)) for one in made].count(True), flush=True)
sys.stdin.read()
"""


def test_many_connections():
    """The bound of one user who observes; who operates still comes in, and whoever hangs up makes
    room."""
    with running("--observe", f"uid:{STRANGER}") as gateway:
        crowd = subprocess.Popen(
            ["/usr/bin/python3", "-c", CROWDS, gateway.path, str(CONNECTIONS_PER_USER + 3),
             str(PATIENCE_S)], user=STRANGER, group=STRANGER, extra_groups=[], cwd="/", text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            expect_equal(crowd.stdout.readline(), f"{CONNECTIONS_PER_USER}\n", "are spoken to")
            with gateway.channel() as channel:
                expect_equal(unary(channel, "t/Echo", b"x"), b"x", "an echo for who operates")
        finally:
            crowd.kill()
            crowd.communicate()
        harness.await_true(lambda: gateway.descriptors() < CONNECTIONS_PER_USER, "they are gone")


def test_daemon_ends():
    """In the middle of everything: it ends in order each time."""
    for _ in range(DAEMONS):
        with running() as gateway:
            channels = [gateway.channel() for _ in range(3)]
            calls = [channel.stream_stream("/t/Echo")(iter([bytes(60000)] * 3))
                     for channel in channels for _ in range(4)]
            next(calls[0])
            expect_equal(gateway.hang_up(), 0, "its exit")
            for call in calls:
                with contextlib.suppress(grpc.RpcError):
                    list(call)
            for channel in channels:
                channel.close()


def test_broken_links():
    """A frame that breaks a rule ends it, with one line."""
    echo = FRAME.pack(7, MESSAGE, 0, 0, 1) + b"x"
    for what, data in (("a call that is not open", echo), ("no frame", b"x"),
                       ("a call by the daemon", FRAME.pack(0, CALL, 0, 0, 13) + bytes(13)),
                       ("an unknown kind", FRAME.pack(0, 99, 0, 0, 0)),
                       ("a number that is too large", FRAME.pack(1024, END, 0, 0, 0))):
        with running() as gateway:
            gateway.check()
            gateway.daemon.link.send(data)
            expect_equal(gateway.wait(), 1, what)
            expect_equal(gateway.log.read_text().count("\n"), 1, f"lines for {what}")


def test_usage():
    """Without a daemon it does not run; a wrong option is named."""
    for status, words, wanted in ((1, [], "descriptor 3"), (2, ["--observe", "uid:-1"], "uid:-1"),
                                  (2, ["--operate", "gid:4294967295"], "4294967295"),
                                  (2, ["--observe", "all"], "all"), (2, ["--cpus", "x"], "x"),
                                  (2, ["more"], "more"), (2, ["--nonsense"], "nonsense")):
        got, output, errors = harness.run([CONTROL, *words])
        expect_equal((got, output), (status, ""), f"{words}")
        expect(wanted in errors, errors)


# Only root can become somebody else.
AS_OTHERS = [test_roles, test_many_connections] if os.geteuid() == 0 else []

harness.main([*AS_OTHERS, test_calls, test_cancelled, test_slow_client, test_methods, test_bombs,
              test_hoarded, test_many_streams, test_vanishing, test_daemon_ends,
              test_broken_links, test_usage])
