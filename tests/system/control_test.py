#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The control plane of a real daemon, with clients that know only what reflection tells them, with
clients that do not behave, and with two applications beside it that must notice nothing.

    grpcio --- saddle-control --- saddled --- [alpha] ===== [beta]

usage: control_test.py SADDLED VICTIM SADDLE_PING SADDLE_CONTROL SADDLECTL
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import grpc

import harness
from harness import expect, expect_equal
from plane import Plane, code_of

SADDLED, VICTIM, PING, CONTROL, SADDLECTL = (pathlib.Path(word).resolve()
                                             for word in sys.argv[1:6])
STRANGER = 12345  # a user id that is nobody's
PATIENCE_S = harness.PATIENCE_S
REQUEST_MAX = 64 << 10  # bytes
VANISHING = 60  # clients of one process
STREAMS = 300
KILLS = 20

EXTRA = """\
policy: [{any: true, allow: all}]
control: {path: %(path)s, mode: "0666", program: %(program)s, observe: [%(observe)s]}
"""


@contextlib.contextmanager
def running(observe="any: true", user=None):
    folder = harness.Folder()
    daemon = honest = None
    try:
        extra = EXTRA % {"path": folder.socket.parent / "control.sock", "program": CONTROL,
                         "observe": "{%s}" % observe}
        daemon = harness.Daemon(SADDLED, folder.config(extra=extra), folder, user=user)
        honest = harness.Victim(VICTIM, folder.socket)
        plane = Plane(folder, daemon, honest)
        plane.learn()
        yield plane
        daemon.check_alive()
        honest.check_progress()
        honest.stop()
        daemon.check_descriptors(daemon.quiet_descriptors, "the last call")
        daemon.stop()
    finally:
        for process in (honest, daemon):
            if process:
                process.kill()
        folder.remove()


READS = {"saddle.v1.System/GetStatus", "saddle.v1.System/ListModules", "saddle.v1.Engines/List",
         "saddle.v1.Groups/List", "saddle.v1.Ports/List", "saddle.v1.Sessions/List",
         "saddle.v1.Policy/Get", "saddle.v1.Policy/Check", "grpc.health.v1.Health/Check"}


def test_reflection_alone():
    """A client that knows no description calls each method that reads."""
    with running() as plane, plane.channel() as channel:
        expect(READS <= set(plane.methods), f"methods: {sorted(plane.methods)}")
        for method in sorted(READS):
            expect(plane.call(channel, method).ListFields(), f"{method} says nothing")
        status = plane.call(channel, "saddle.v1.System/GetStatus")
        expect_equal((status.condition, status.engines, status.ports, status.sessions,
                      status.pid), (1, 2, 2, 2, plane.daemon.process.pid), "the status")
        engines = plane.call(channel, "saddle.v1.Engines/List", names=["beta"]).engines
        expect_equal([(engine.name, engine.kind, engine.alive, engine.sessions)
                      for engine in engines], [("beta", "pony", True, 1)], "engines named beta")
        modules = plane.call(channel, "saddle.v1.System/ListModules").modules
        expect(set(plane.methods) >= READS and len(modules) >= 4, "modules")


def test_sessions():
    """Seen, and ended with a reason that the application reads."""
    with running() as plane, plane.channel() as channel:
        doomed = subprocess.Popen(
            [PING, "--socket", plane.folder.socket, "-e", "alpha", "-i", "3600", "beta"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            for _ in range(2):
                doomed.stdout.readline()
            sessions = plane.call(channel, "saddle.v1.Sessions/List", engine="alpha").sessions
            mine = [one for one in sessions if one.pid == doomed.pid]
            expect_equal([(one.application, one.engine) for one in mine],
                         [("saddle-ping", "alpha")], "its session")
            seen = plane.call(channel, "saddle.v1.Sessions/Get", id=mine[0].id)
            expect_equal((seen.id, seen.uid, seen.engine), (mine[0].id, os.geteuid(), "alpha"),
                         "one session")
            plane.call(channel, "saddle.v1.Sessions/Close", id=mine[0].id, reason="enough of it")
            _, errors = doomed.communicate(timeout=PATIENCE_S)
        finally:
            doomed.kill()
        expect("enough of it" in errors, f"the application heard: {errors}")
        for fields, wanted in (({"id": mine[0].id}, grpc.StatusCode.NOT_FOUND),
                               ({"id": 0}, grpc.StatusCode.NOT_FOUND),
                               ({"id": 2**64 - 1}, grpc.StatusCode.NOT_FOUND),
                               ({"id": 1, "reason": "x" * 400},
                                grpc.StatusCode.INVALID_ARGUMENT)):
            expect_equal(code_of(lambda: plane.call(channel, "saddle.v1.Sessions/Close", **fields)),
                         wanted, f"close {fields}")


def test_health():
    with running() as plane, plane.channel() as channel:
        watch = plane.call(channel, "grpc.health.v1.Health/Watch", stream=True,
                           service="group/main")
        expect_equal(next(watch).status, 1, "group main")
        unknown = plane.call(channel, "grpc.health.v1.Health/Watch", stream=True, service="nobody")
        expect_equal(next(unknown).status, 3, "an unknown service")
        for one in (watch, unknown):
            one.cancel()
        expect_equal(code_of(lambda: plane.call(channel, "grpc.health.v1.Health/Check",
                                                service="nobody")),
                     grpc.StatusCode.NOT_FOUND, "a check of nobody")


def test_roles():
    """Who has none is turned away before a byte of his is read; who may look may not act."""
    def status(plane, *words, user):
        return harness.run([SADDLECTL, "--socket", plane.path, *words], user=user, group=user,
                           extra_groups=[])

    with running(observe=f"uid: {STRANGER}") as plane:
        expect_equal(status(plane, "status", user=STRANGER)[0], 0, "the status, by an observer")
        code, _, errors = status(plane, "session", "close", "1", user=STRANGER)
        expect_equal(code, 1, "closing, by an observer")
        expect("operate" in errors and "observe" in errors, errors)
        code, _, errors = status(plane, "status", user=STRANGER + 1)
        expect_equal((code, errors.count("\n")), (3, 1), "by nobody")
        expect(str(STRANGER + 1) in errors, errors)
        harness.await_true(lambda: f"uid {STRANGER + 1}," in plane.daemon.text(),
                           "the refusal is logged")


def raw(plane):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(PATIENCE_S)
    made.connect(str(plane.path))
    return made


def test_malformed():
    """Bytes that are no message, no method, no HTTP."""
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    with running() as plane, plane.channel() as channel:
        def send(method, data):
            return code_of(lambda: channel.unary_unary(f"/{method}")(data, timeout=PATIENCE_S))

        engines = "saddle.v1.Engines/List"
        for data in (b"\xff", b"\x0a\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe", b"\x0a\x01\x00",
                     b"\x0b", b"\x00\x00", b"\x80" * 20):
            expect_equal(send(engines, data), invalid, f"request {data!r}")
        expect_equal(send(engines, b"\x0a\x04nope"), grpc.StatusCode.NOT_FOUND, "a stranger's name")
        expect_equal(send(engines, b"\x0a\x05alpha" * 1000), invalid, "a name a thousand times")
        expect_equal(send(engines, b"\x0a\x00" * REQUEST_MAX),
                     grpc.StatusCode.RESOURCE_EXHAUSTED, "a request that is too large")
        for method in ("saddle.v1.Engines/Lost", "saddle.v1.Engines", "x/" + "y" * 100, "a b",
                       "x\x7f", ""):
            expect_equal(send(method, b""), grpc.StatusCode.UNIMPLEMENTED, method)
        expect(send("z/" + "y" * 4000, b"") != grpc.StatusCode.OK, "an endless name")
        for words in (b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 4096, os.urandom(4096),
                      b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096):
            with raw(plane) as connection:
                with contextlib.suppress(OSError):
                    connection.sendall(words)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
        bomb = channel.unary_unary(f"/{engines}")
        expect(code_of(lambda: bomb(b"", timeout=PATIENCE_S,
                                    metadata=[(f"x-{i}", "v" * 4000) for i in range(40)]))
               != grpc.StatusCode.OK, "a bomb of headers")
        # A connection that such a thing came on may be closed; saddle-control is still the same.
        with plane.channel(("grpc.use_local_subchannel_pool", 1)) as other:
            status = plane.call(other, "saddle.v1.System/GetStatus")
        expect_equal((status.condition, status.control_restarts), (1, 0), "afterwards")


HOLDS_A_STREAM = """\
import grpc, os, sys
channel = grpc.insecure_channel(sys.argv[1])
watches = [channel.unary_stream('/grpc.health.v1.Health/Watch')(b'') for _ in range(50)]
next(watches[-1])
os.kill(os.getpid(), 9)
"""
HOLDS_ALL = """\
import grpc, sys
watches = []
for _ in range(20):
    channel = grpc.insecure_channel(sys.argv[1], options=[('grpc.use_local_subchannel_pool', 1)])
    for _ in range(100):
        watch = channel.unary_stream('/grpc.health.v1.Health/Watch')(b'')
        watches.append((channel, watch))
        try:
            next(watch)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                print('refused', flush=True)
                sys.stdin.read()
"""
HANGS_UP = """\
import grpc, os, sys
for _ in range(int(sys.argv[2])):
    channel = grpc.insecure_channel(sys.argv[1], options=[('grpc.use_local_subchannel_pool', 1)])
    channel.unary_unary('/saddle.v1.Sessions/List').future(b'')
    channel.close()
os.kill(os.getpid(), 9)
"""


def test_compressed():
    """Nothing is unpacked: a small message cannot become a large one."""
    with running() as plane:
        # 64 MiB of zeroes, were they unpacked.
        with plane.channel(("grpc.max_send_message_length", -1)) as channel:
            call = channel.unary_unary("/saddle.v1.Engines/List")
            code = code_of(lambda: call(bytes(64 << 20), timeout=PATIENCE_S,
                                        compression=grpc.Compression.Gzip))
        expect(code != grpc.StatusCode.OK, "a bomb was taken")
        lines = pathlib.Path(f"/proc/{plane.child()}/status").read_text().splitlines()
        most = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        # A sanitizer's shadow, and what it keeps of what was freed, say nothing of the program.
        expect(most < 60000 or harness.has_shadow(CONTROL), f"saddle-control took {most} KiB")
        with plane.channel() as channel:
            status = plane.call(channel, "saddle.v1.System/GetStatus")
        expect_equal(status.control_restarts, 0, "restarts")


def test_one_user_leaves_room():
    """An observer takes all the calls that he may; who operates still gets through."""
    with running(observe=f"uid: {STRANGER}") as plane:
        greedy = subprocess.Popen(
            ["/usr/bin/python3", "-c", HOLDS_ALL, f"unix:{plane.path}"], user=STRANGER,
            group=STRANGER, extra_groups=[], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        try:
            expect_equal(greedy.stdout.readline(), "refused\n", "the greedy one, in the end")
            with plane.channel() as channel:
                watch = plane.call(channel, "grpc.health.v1.Health/Watch", stream=True)
                expect_equal(next(watch).status, 1, "a watch by root")
                watch.cancel()
        finally:
            greedy.kill()
            greedy.communicate()


def test_vanishing():
    """Clients that are gone in the middle of a call, in every way; nothing of theirs stays."""
    with running() as plane:
        with plane.channel() as channel:
            plane.call(channel, "saddle.v1.System/GetStatus")
        harness.await_true(plane.child, "saddle-control runs")
        folder = f"/proc/{plane.child()}/fd"
        before = len(os.listdir(folder))
        for program in (HOLDS_A_STREAM, HANGS_UP):
            for _ in range(3):
                subprocess.run(["/usr/bin/python3", "-c", program, f"unix:{plane.path}",
                                str(VANISHING)], check=False, timeout=PATIENCE_S)
        harness.await_true(lambda: len(os.listdir(folder)) <= before,
                           lambda: f"saddle-control back at {before} descriptors, it has "
                           f"{[os.readlink(f'{folder}/{fd}') for fd in os.listdir(folder)]}")
        with plane.channel() as channel:
            status = plane.call(channel, "saddle.v1.System/GetStatus")
            expect_equal(status.control_restarts, 0, "restarts")


def test_many_streams():
    """More watches than are allowed: those beyond the bound are refused, the others served."""
    with running() as plane:
        channels = [plane.channel(("grpc.use_local_subchannel_pool", 1)) for _ in range(4)]
        watches = [plane.call(channels[i % 4], "grpc.health.v1.Health/Watch", stream=True)
                   for i in range(STREAMS)]
        codes = {}
        for watch in watches:
            code = code_of(lambda one=watch: next(one))
            codes[code] = codes.get(code, 0) + 1
        expect(codes.get(grpc.StatusCode.OK, 0) >= 200, f"{codes}")
        expect(codes.get(grpc.StatusCode.RESOURCE_EXHAUSTED, 0) > 0, f"{codes}")
        for watch in watches:
            watch.cancel()
        for channel in channels:
            channel.close()
        with plane.channel() as channel:
            harness.await_true(lambda: code_of(
                lambda: next(plane.call(channel, "grpc.health.v1.Health/Watch", stream=True)))
                == grpc.StatusCode.OK, "a new watch is served")


def test_killed():
    """saddle-control killed again and again: applications notice nothing, it comes back, calls that
    are under way end UNAVAILABLE."""
    with running() as plane:
        for _ in range(KILLS):
            harness.await_true(plane.child, "saddle-control is back")
            with plane.channel(("grpc.use_local_subchannel_pool", 1)) as channel:
                watch = plane.call(channel, "grpc.health.v1.Health/Watch", stream=True)
                expect_equal(next(watch).status, 1, "a watch")
                victim = plane.child()
                os.kill(victim, signal.SIGKILL)
                expect_equal(code_of(lambda: next(watch)), grpc.StatusCode.UNAVAILABLE,
                             "a watch under way")
            harness.await_true(lambda: plane.child() not in (None, victim), "another one is there")
            plane.honest.check_progress()
        with plane.channel() as channel:
            status = plane.call(channel, "saddle.v1.System/GetStatus")
            expect_equal(status.control_restarts, KILLS, "restarts")


def test_privileges():
    """saddle-control holds nothing."""
    with running() as plane:
        lines = pathlib.Path(f"/proc/{plane.child()}/status").read_text().splitlines()
        status = {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}
        for key in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            expect_equal(int(status[key], 16), 0, key)
        expect_equal(status["NoNewPrivs"], "1", "NoNewPrivs")


def test_refused_configurations():
    for words, wanted in (("observe: [{}]", "one of uid, gid and any"),
                          ("operate: [{uid: 1, gid: 2}]", "one of uid, gid and any"),
                          ("program: relative", "slash"), ("cpus: x", "list of CPUs"),
                          ("mode: 9999", "mode"), ("nonsense: 1", "nonsense"),
                          ("observe: [{uid: -1}]", "uid")):
        folder = harness.Folder()
        try:
            path = folder.config(extra=f"control: {{path: {folder.path}/c, {words}}}")
            status, _, errors = harness.run([SADDLED, "--check-config", path])
            expect_equal((status, errors.count("\n")), (1, 1), words)
            expect(wanted in errors and "saddled.yaml:" in errors, errors)
        finally:
            folder.remove()


def test_missing_program():
    """Said once at start, with the program's name; no daemon is left."""
    folder = harness.Folder()
    try:
        extra = f"control: {{path: {folder.socket.parent}/control.sock, program: /nowhere/at/all}}"
        with contextlib.suppress(harness.Failure):
            harness.Daemon(SADDLED, folder.config(extra=extra), folder)
            raise AssertionError("it started")
        text = (folder.path / "daemon.log").read_text()
        expect("/nowhere/at/all: No such file" in text, text)
        folder.check_clean()
    finally:
        folder.remove()


def test_saddlectl():
    """Each command, as a person and as a program sees it, and each exit status."""
    def run(plane, *words, **environment):
        return harness.run([SADDLECTL, *words], env={
            "SADDLE_CONTROL_SOCKET": str(plane.path), **environment}, stdin=subprocess.DEVNULL)

    with running() as plane:
        for words in (["status"], ["modules"], ["engine", "list"], ["group", "list"],
                      ["port", "list"], ["session", "list"], ["policy", "show"],
                      ["policy", "check", "--uid", "1"], ["health"], ["health", "group/main"],
                      ["call", "saddle.v1.Groups/List", '{"names": ["main"]}']):
            status, output, errors = run(plane, *words)
            expect_equal((status, errors), (0, ""), f"{words}")
            expect(output, f"{words} says nothing")
            status, output, errors = run(plane, "--json", *words)
            expect_equal((status, errors, output.count("\n")), (0, "", 1), f"{words} as JSON")
            json.loads(output)
        for width, titles in (("80", "PORT    DRIVER    INTERFACE  OWNER   ENGINE  MAC"
                                     "                 MTU  WAKES"),
                              ("45", "PORT    DRIVER    INTERFACE  ENGINE   MTU"),
                              ("35", "PORT    DRIVER    ENGINE   MTU")):
            output = run(plane, "port", "list", COLUMNS=width)[1]
            expect_equal(output.splitlines()[0], titles, f"the header at {width} columns")
            expect(all(len(line) <= int(width) for line in output.splitlines()), output)
        expect_equal(len(run(plane, "--no-header", "engine", "list")[1].splitlines()), 2, "lines")
        for status, words in ((1, ["engine", "list", "gamma"]), (1, ["session", "show", "999"]),
                              (2, []), (2, ["engine"]), (2, ["session", "show"]),
                              (2, ["session", "show", "x"]), (2, ["status", "x"]),
                              (2, ["--timeout", "x", "status"]), (2, ["--nonsense"]),
                              (2, ["call", "a/b"]), (2, ["call", "saddle.v1.Groups/List", "{"]),
                              (2, ["call", "saddle.v1.Groups/List", '{"x": 1}']),
                              (3, ["--socket", "/nowhere", "status"])):
            got, output, errors = run(plane, *words)
            expect_equal((got, output), (status, ""), f"{words}")
            expect(errors.startswith("saddlectl: ") or words == ["--nonsense"], errors)
        status, output, _ = run(plane, "--json", "engine", "list", "gamma")
        expect_equal((status, json.loads(output)["error"]["code"]), (1, "NOT_FOUND"), "as JSON")


# Only root can become somebody else.
AS_OTHERS = [test_roles, test_one_user_leaves_room] if os.geteuid() == 0 else []

harness.main([*AS_OTHERS, test_reflection_alone, test_sessions, test_health, test_malformed,
              test_compressed, test_vanishing, test_many_streams, test_killed, test_privileges,
              test_refused_configurations, test_missing_program, test_saddlectl])
