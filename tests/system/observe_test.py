#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Looking at a daemon: every method that reflection tells of, streams, readers that are slow or
gone, and saddle-control killed again and again; beside two applications that exchange without a
pause and a prober, none of which may lose a message.

    grpcio, saddlectl --- saddle-control --- saddled --- [alpha] ===== [beta]

usage: observe_test.py SADDLED VICTIM SADDLE_PING SADDLE_CONTROL SADDLECTL PART [few | long]

PART is one of methods, streams, kills and commands. With `few` a fifth of the streams, for a build
that takes several times as long for each; with `long` kills for as long as it takes.
"""
import collections
import contextlib
import json
import os
import pathlib
import pty
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import grpc

import harness
import hostile
from harness import expect, expect_equal
from plane import Plane, code_of

SADDLED, VICTIM, PING, CONTROL, SADDLECTL = (pathlib.Path(word).resolve()
                                             for word in sys.argv[1:6])
PART = sys.argv[6]
LONG = sys.argv[7:] == ["long"]
FEW = sys.argv[7:] == ["few"]
STRANGER = 12345  # a user id that is nobody's
PATIENCE_S = harness.PATIENCE_S
CODE = grpc.StatusCode
OWN = ("grpc.use_local_subchannel_pool", 1)  # a connection of its own

KILLS = 20
KILLING_S = 30         # with `long`
KILL_EVERY_S = 0.1
CALLERS = 4
STREAMS = 2000 if FEW else 10_000
CONNECTIONS = 50       # fewer than one user may have
VANISHING = 60
ROUNDS, REFUSALS = 12, 600  # refusals of a round: more than half of what is kept
EVENTS_KEPT = 1024

# What a call may end with that the daemon did not like.
REFUSALS_OF_A_CALL = {
    CODE.INVALID_ARGUMENT, CODE.NOT_FOUND, CODE.ALREADY_EXISTS, CODE.PERMISSION_DENIED,
    CODE.RESOURCE_EXHAUSTED, CODE.FAILED_PRECONDITION, CODE.OUT_OF_RANGE}
READS = {"saddle.v1.System/GetStatus", "saddle.v1.System/ListModules", "saddle.v1.Engines/List",
         "saddle.v1.Groups/List", "saddle.v1.Ports/List", "saddle.v1.Sessions/List",
         "saddle.v1.Events/List", "saddle.v1.Events/Watch", "saddle.v1.Statistics/Get",
         "saddle.v1.Statistics/Watch", "grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"}

EXTRA = """\
policy: [{any: true, allow: attach}]
control: {path: %(path)s, mode: "0666", program: %(program)s, observe: [{any: true}]}
"""


class Prober:
    """Pings without a pause; at the end each one has been answered."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [PING, "--socket", folder.socket, "-e", "alpha", "-i", "0.002", "-W", str(PATIENCE_S),
             "--json", "beta"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=PATIENCE_S)
        told = json.loads(output)
        expect_equal((told["error"], told["unreachable"], errors), (None, None, ""), "the prober")
        # One may have been under way when it was told to stop.
        expect(told["pings"] - told["answered"] <= 1 and told["answered"] > 0,
               f"the prober lost some: {output}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@contextlib.contextmanager
def running():
    folder = harness.Folder()
    daemon = honest = prober = None
    try:
        extra = EXTRA % {"path": folder.socket.parent / "control.sock", "program": CONTROL}
        daemon = harness.Daemon(SADDLED, folder.config(extra=extra), folder)
        # The first session is over: whoever ends number 1 ends nobody's.
        expect_equal(harness.run([PING, "--socket", folder.socket, "-e", "alpha", "-c", "1",
                                  "beta"])[::2], (0, ""), "a ping")
        honest = harness.Victim(VICTIM, folder.socket)
        prober = Prober(folder)
        plane = Plane(folder, daemon, honest)
        plane.learn()
        yield plane
        daemon.check_alive()
        honest.check_progress()
        honest.stop()
        prober.stop()
        daemon.check_descriptors(daemon.quiet_descriptors, "the last call")
        daemon.stop()
    finally:
        for process in (prober, honest, daemon):
            if process:
                process.kill()
        folder.remove()


def restarts(plane):
    with plane.channel(OWN) as channel:
        return plane.call(channel, "saddle.v1.System/GetStatus").control_restarts


# ---- Every method ----

OBSERVES = """\
import json, sys
from plane import Client, code_of
client = Client(sys.argv[1])
client.learn()
with client.channel() as channel:
    for method in sorted(client.methods):
        answers = []
        code = code_of(lambda: answers.append(client.send(channel, method, b"")))
        print(json.dumps([method, code.name, bool(answers and answers[0] is not None)]))
"""


def observe(plane):
    """What comes of an empty request to whatever there is, as somebody who may only look."""
    somebody = {"user": STRANGER, "group": STRANGER, "extra_groups": []} \
        if os.geteuid() == 0 else {}
    # Others may not be able to enter the tree that this is in.
    place = plane.folder.path / "modules"
    place.mkdir()
    place.chmod(0o755)
    for name in ("harness.py", "plane.py"):
        copy = place / name
        copy.write_text(pathlib.Path(__file__).with_name(name).read_text())
        copy.chmod(0o644)
    status, output, errors = harness.run(["/usr/bin/python3", "-c", OBSERVES, plane.path],
                                         cwd="/", env={"PYTHONPATH": str(place)},
                                         **somebody)
    expect_equal((status, errors), (0, ""), "the observer")
    return {method: (CODE[name], answered)
            for method, name, answered in map(json.loads, output.splitlines())}


def test_every_method_that_reads():
    """Whoever may only look learns from reflection what there is, and calls all of it: he gets an
    answer, or is told that he may not, or that this is no request; streams give a message."""
    with running() as plane:
        told = observe(plane)
        expect_equal(set(told), set(plane.methods), "methods")
        for method, (code, answered) in told.items():
            expect((code == CODE.OK and answered) or code in REFUSALS_OF_A_CALL,
                   f"{method}: {code}")
        reads = {method for method, (code, _) in told.items() if code == CODE.OK}
        expect(READS <= reads, f"these read: {sorted(reads)}")


def test_hostile_arguments():
    """Every method, with whatever its request's description allows and forbids: each is answered,
    or refused with a status that is about the request, and nothing else changes."""
    with running() as plane:
        counts = collections.Counter()
        with plane.channel() as channel:
            for method in sorted(plane.methods):
                described = plane.describe(plane.methods[method].input_type)
                for data in hostile.requests(described):
                    code = code_of(lambda: plane.send(channel, method, data))
                    expect(code == CODE.OK or code in REFUSALS_OF_A_CALL,
                           f"{method} with {data[:40]!r} ({len(data)} bytes): {code}")
                    counts[code] += 1
                plane.daemon.check_alive()
                plane.honest.check_progress()
        for code in (CODE.OK, CODE.INVALID_ARGUMENT, CODE.NOT_FOUND):
            expect(counts[code] > 10, f"{counts}")
        expect_equal(restarts(plane), 0, "restarts")


# ---- Streams ----

def refuse(plane, count):
    """So many events: applications that do not know what to say."""
    for _ in range(count):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as knock:
            knock.settimeout(PATIENCE_S)
            knock.connect(str(plane.folder.socket))
            try:
                knock.send(b"?")
                knock.recv(4096)
            except OSError as error:
                plane.daemon.check_alive()
                raise harness.Failure(f"hung up on: {error}\n{plane.daemon.text()}") from error


class Reader:
    """Reads a watch of events, and sees that nothing is missing without being said."""

    def __init__(self, plane, channel, **fields):
        self.watch = plane.watch(channel, "saddle.v1.Events/Watch", **fields)
        opened = next(self.watch)
        expect_equal((len(opened.events), opened.missed), (0, 0), "what a watch begins with")
        self.next = opened.next
        self.seen = self.missed = 0

    def read(self):
        batch = next(self.watch)
        numbers = [event.number for event in batch.events]
        expect_equal(len(numbers) + batch.missed, batch.next - self.next,
                     f"events {numbers[:3]}... from {self.next} on")
        expect(numbers == sorted(set(numbers)) and numbers[0] >= self.next, f"order: {numbers}")
        self.next = batch.next
        self.seen += len(numbers)
        self.missed += batch.missed

    def read_to(self, number):
        while self.next < number:
            self.read()


def test_slow_readers():
    """Clients that do not read what they asked for: they learn how much they missed, and nobody
    else notices."""
    narrow = ("grpc.http2.bdp_probe", 0)  # takes no more than 64 KiB ahead
    with running() as plane, plane.channel(OWN, narrow) as slow_channel, \
         plane.channel(OWN) as channel:
        idle = [plane.watch(slow_channel, "saddle.v1.Statistics/Watch") for _ in range(20)]
        slow, quick = Reader(plane, slow_channel), Reader(plane, channel)
        begin = slow.next
        for i in range(ROUNDS):
            refuse(plane, REFUSALS)
            quick.read_to(begin + (i + 1) * REFUSALS)
        end = quick.next
        expect(end - begin >= ROUNDS * REFUSALS, f"{end - begin} events")
        slow.read_to(end)
        expect_equal(slow.seen + slow.missed, slow.next - begin, "what the slow one knows")
        expect(slow.missed > 0 and slow.seen >= EVENTS_KEPT,
               f"seen {slow.seen}, missed {slow.missed}")
        # Of counters there is the latest: of the older ones few were kept.
        times = [next(idle[0]).monotonic_ns for _ in range(8)]
        expect_equal(times, sorted(set(times)), "samples in order")
        listed = plane.call(channel, "saddle.v1.Events/List", kinds=[3])
        expect_equal((len(listed.events), listed.missed), (EVENTS_KEPT, 0), "what is kept")
        expect("request" in listed.events[0].text, listed.events[0].text)
        for watch in (*idle, slow.watch, quick.watch):
            watch.cancel()


def test_many_streams():
    """Thousands at a time: as many as are allowed are served, the others are told."""
    with running() as plane:
        channels = [plane.channel(OWN) for _ in range(CONNECTIONS)]
        try:
            methods = [name for name, method in sorted(plane.methods.items())
                       if method.server_streaming and not method.client_streaming]
            # In turns, so that none of the connections has more of those that stay than it may.
            watches = [plane.watch(channels[i % CONNECTIONS],
                                   methods[i // CONNECTIONS % len(methods)])
                       for i in range(STREAMS)]
            codes = collections.Counter(code_of(lambda one=watch: next(one)) for watch in watches)
            plane.honest.check_progress()
            for watch in watches:
                watch.cancel()
        finally:
            for channel in channels:
                channel.close()
        expect_equal(set(codes), {CODE.OK, CODE.RESOURCE_EXHAUSTED}, "statuses")
        expect(codes[CODE.OK] >= 256, f"{codes}")
        with plane.channel(OWN) as channel:
            for method in methods:
                harness.await_true(lambda one=method: code_of(
                    lambda: plane.send(channel, one, b"")) == CODE.OK, f"{method} has room again")
        expect_equal(restarts(plane), 0, "restarts")


VANISHES = """\
import grpc, os, sys
channel = grpc.insecure_channel(sys.argv[1])
watches = [channel.unary_stream('/' + method)(b'') for method in sys.argv[2:] for _ in range(20)]
for watch in watches:
    next(watch)
os.kill(os.getpid(), 9)
"""


def test_vanishing():
    """Clients that are killed in the middle of their streams leave nothing behind."""
    streams = [name for name in READS if name.endswith("/Watch")]
    with running() as plane:
        folder = f"/proc/{plane.child()}/fd"
        harness.await_true(lambda: len(os.listdir(folder)) > 0, "saddle-control runs")
        restarts(plane)
        before = len(os.listdir(folder))
        for _ in range(5):
            ended = subprocess.run(["/usr/bin/python3", "-c", VANISHES, f"unix:{plane.path}",
                                    *streams], check=False, timeout=PATIENCE_S)
            expect_equal(ended.returncode, -signal.SIGKILL, "the client's end")
        harness.await_true(lambda: len(os.listdir(folder)) <= before,
                           f"saddle-control back at {before} descriptors")
        # More than may be open at a time: places are given back.
        with plane.channel(OWN) as channel:
            for _ in range(300):
                for method in streams:
                    expect(plane.send(channel, method, b"") is not None, method)
        expect_equal(restarts(plane), 0, "restarts")


# ---- saddle-control killed ----

class Caller(threading.Thread):
    """Calls without a pause, and opens streams, whatever becomes of them."""

    def __init__(self, plane):
        super().__init__(daemon=True)
        self.plane, self.stopped = plane, threading.Event()
        self.codes, self.failure = collections.Counter(), None

    def run(self):
        while not self.stopped.is_set():
            with self.plane.channel(OWN) as channel:
                code = code_of(lambda: self.plane.call(channel, "saddle.v1.Engines/List"))
                self.codes[code] += 1
                while code == CODE.OK and not self.stopped.is_set():
                    watch = self.plane.watch(channel, "saddle.v1.Statistics/Watch")
                    code = code_of(lambda: collections.deque(self.until_stopped(watch), maxlen=0))
                    self.codes[code] += 1

    def until_stopped(self, watch):
        for answer in watch:
            if self.stopped.is_set():
                watch.cancel()
                return
            yield answer

    def finish(self):
        self.stopped.set()
        self.join(PATIENCE_S)
        expect(not self.is_alive(), "a caller does not come back")
        return self.codes


def kill_again_and_again(plane, callers):
    """Every tenth of a second, if there is one to kill, until it has hit somebody's call; returns
    how often there was."""
    kills = 0
    begin = time.monotonic()
    while kills < KILLS or time.monotonic() < begin + KILLING_S * LONG or \
            not any(caller.codes[CODE.UNAVAILABLE] for caller in callers):
        expect(time.monotonic() < begin + KILLING_S + PATIENCE_S, f"none of {kills} hit a call")
        victim = plane.child()
        if victim:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                kills += 1
        time.sleep(KILL_EVERY_S)
    return kills


def test_killed():
    """saddle-control killed every 100 ms under full traffic: no message is lost, calls under way
    end UNAVAILABLE, it comes back, nothing is left behind, and events tell it all."""
    with running() as plane:
        callers = [Caller(plane) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        kills = kill_again_and_again(plane, callers)
        plane.honest.check_progress()
        # It is back: who calls gets an answer.
        with plane.channel(OWN) as channel:
            harness.await_true(lambda: code_of(lambda: plane.call(
                channel, "saddle.v1.System/GetStatus")) == CODE.OK, "calls are answered again")
        codes = sum((caller.finish() for caller in callers), collections.Counter())
        expect(set(codes) <= {CODE.OK, CODE.UNAVAILABLE, CODE.CANCELLED}, f"{codes}")
        expect(codes[CODE.UNAVAILABLE] > 0 and codes[CODE.OK] > 0, f"{codes}")
        with plane.channel(OWN) as channel:
            events = plane.call(channel, "saddle.v1.Events/List").events
        names = collections.Counter(event.kind for event in events)
        started, ended, ready = names[9], names[10], names[13]
        expect_equal((ended, started - ended, ready), (restarts(plane), 1, 1), "events")
        # One that was killed as it started counts as well; so may one be that was dead already.
        expect(0 < ended <= kills, f"{ended} ended, {kills} killed")
        print(f"        {kills} kills, {ended} ends; {dict(codes)}", flush=True)


# ---- saddlectl ----

def saddlectl(plane, *words, **options):
    return harness.run([SADDLECTL, "--socket", plane.path, *words], stdin=subprocess.DEVNULL,
                       **options)


class Tool:
    """A saddlectl that goes on until it is interrupted."""

    def __init__(self, plane, *words, stdout=subprocess.PIPE):
        self.process = subprocess.Popen([SADDLECTL, "--socket", plane.path, *words], text=True,
                                        stdout=stdout, stderr=subprocess.PIPE)

    def line(self):
        return self.process.stdout.readline()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=PATIENCE_S)
        expect_equal((self.process.returncode, errors), (0, ""), "the end of an interrupted one")
        return output

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def test_saddlectl_streams():
    """event, stats and call: a line for each answer, until interrupted."""
    with running() as plane:
        with Tool(plane, "--json", "event", "watch", "session_refused") as tool:
            expect_equal(json.loads(tool.line())["events"], [], "the first answer")
            refuse(plane, 1)
            told = json.loads(tool.line())
            expect_equal([event["kind"] for event in told["events"]], ["session_refused"], "kinds")
            tool.interrupt()
        with Tool(plane, "event", "watch") as tool:
            expect(tool.line().split()[:3] == ["NUMBER", "TIME", "KIND"], "the header")
            refuse(plane, 1)
            expect("session_refused" in tool.line(), "an event")
            tool.interrupt()
        with Tool(plane, "call", "saddle.v1.Statistics/Watch", '{"engines": ["alpha"]}') as tool:
            first, second = json.loads(tool.line()), json.loads(tool.line())
            expect(second["monotonic_ns"] > first["monotonic_ns"], "samples")
            expect_equal(([one["name"] for one in second["engines"]], second["ports"]),
                         (["alpha"], []), "what was named")
            tool.interrupt()
        with Tool(plane, "--watch=1", "stats", "watch", "engine/beta") as tool:
            expect_equal(tool.line().split(), ["OWNER", "COUNTER", "VALUE"], "the header")
            expect(tool.line().startswith("engine/beta"), "a counter")
            tool.interrupt()
        with Tool(plane, "event", "watch") as tool:
            tool.line()
            os.kill(plane.child(), signal.SIGKILL)
            _, errors = tool.process.communicate(timeout=PATIENCE_S)
            expect_equal((tool.process.returncode, errors.count("\n")), (3, 1), errors)


def test_saddlectl_watch():
    """--watch: a line of JSON each round; on a terminal one picture in the place of the other;
    what goes away for a while does not end it."""
    with running() as plane:
        with Tool(plane, "--watch=0.1", "--json", "engine", "list", "alpha") as tool:
            for _ in range(3):
                expect_equal(json.loads(tool.line())["engines"][0]["name"], "alpha", "a round")
            for _ in range(5):  # also in the middle of a call
                harness.await_true(plane.child, "saddle-control is back")
                os.kill(plane.child(), signal.SIGKILL)
                lines, line = 0, ""
                while lines < 3:
                    before, line = line, tool.line()
                    expect(line, f"it ended after {before}")
                    lines += "engines" in json.loads(line)
            tool.interrupt()
        outer, inner = pty.openpty()
        with Tool(plane, "--watch=0.1", "status", stdout=inner) as tool:
            os.close(inner)
            seen = b""
            while seen.count(b"\x1b[H\x1b[J") < 3:
                seen += os.read(outer, 4096)
            expect(b"condition" in seen, f"{seen}")
            tool.interrupt()
            os.close(outer)
        # Nobody reads any more: it ends without a word.
        with Tool(plane, "--watch=0.1", "status") as tool:
            tool.line()
            tool.process.stdout.close()
            tool.process.wait(PATIENCE_S)
            expect_equal((tool.process.returncode, tool.process.stderr.read()),
                         (-signal.SIGPIPE, ""), "without a reader")
        for words in (["--watch", "session", "close", "1"], ["--watch=0", "status"],
                      ["--watch=x", "status"], ["--watch", "event", "watch"],
                      ["--watch", "report"], ["--output", "x", "status"],
                      ["--anonymous", "status"], ["--watch", "call", "a/b"],
                      ["stats", "get", "alpha"], ["stats", "get", "engine/"],
                      ["event", "list", "nothing"], ["--watch", "--watch=1e9", "status"]):
            status, output, errors = saddlectl(plane, *words)
            expect_equal((status, output), (2, ""), f"{words}")
            expect_equal(len(errors.splitlines()), 2, f"{words}: {errors}")
        status, output, _ = saddlectl(plane, "--watch=0.1", "session", "show", "999")
        expect_equal((status, output), (1, ""), "a watch of what is not there")


PARTS = ("saddlectl", "status", "health", "modules", "engines", "groups", "ports", "sessions",
         "statistics", "events", "configuration", "kernel", "distribution", "memory", "cpus",
         "limits of saddled", "end")


def test_report():
    """One file with everything, for its owner alone; also without a daemon."""
    with running() as plane:
        path = plane.folder.path / "report.txt"
        expect_equal(saddlectl(plane, "report", "--output", path), (0, f"{path}\n", ""), "a report")
        text = path.read_text()
        for part in PARTS:
            expect(f"==== {part} ====" in text, f"no part {part}: {text}")
        expect_equal(stat.S_IMODE(path.stat().st_mode), 0o600, "its mode")
        for word in ('"victim"', "session_attached", "02:00:", '"busy_ns"', "HugePages_Total",
                     "Max open files"):
            expect(word in text, f"no {word} in {text}")
        status, output, errors = saddlectl(plane, "report", "--output", path)
        expect_equal((status, output, errors.count("\n")), (1, "", 1), "over another one")
        expect_equal(path.read_text(), text, "the one that was there")
        hidden = plane.folder.path / "hidden.txt"
        hidden.symlink_to(plane.folder.path / "nowhere")
        expect_equal(saddlectl(plane, "report", "--output", hidden)[0], 1, "through a link")
        plain = plane.folder.path / "anonymous.txt"
        expect_equal(saddlectl(plane, "--anonymous", "report", "--output", plain)[0], 0, plain)
        for word in ("victim", "02:00:", "10.77.0.1", "saddle-ping"):
            expect(word not in plain.read_text(), f"{word} in {plain.read_text()}")
        status, output, errors = saddlectl(plane, "report", cwd=plane.folder.path)
        expect_equal((status, errors), (0, ""), "with a name of its own")
        expect((plane.folder.path / output.strip()).is_file(), output)
        alone = plane.folder.path / "alone.txt"
        status, output, errors = harness.run(
            [SADDLECTL, "--socket", "/nowhere", "report", "--output", alone])
        expect_equal((status, errors), (0, ""), "without a daemon")
        text = alone.read_text()
        expect("UNAVAILABLE" in text and "no such socket" in text and "MemTotal" in text, text)


harness.main({
    "methods": [test_every_method_that_reads, test_hostile_arguments],
    "streams": [test_slow_readers, test_many_streams, test_vanishing],
    "kills": [test_killed],
    "commands": [test_saddlectl_streams, test_saddlectl_watch, test_report],
}[PART])
