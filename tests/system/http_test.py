#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""HTTP of a real daemon: metrics and health, for monitoring that behaves and for clients that do
not, with two applications beside it that must notice nothing.

    http.client, raw sockets --- saddle-control --- saddled --- [alpha] ===== [beta]

usage: http_test.py SADDLED VICTIM SADDLE_CONTROL SADDLECTL
"""
import contextlib
import http.client
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys

import grpc

import harness
from harness import expect, expect_equal

SADDLED, VICTIM, CONTROL, SADDLECTL = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
STRANGER = 12345  # a user id that is nobody's
PATIENCE_S = harness.PATIENCE_S
HOARD = 300  # connections: several times as many as there are places
SLOW = 200
NEW = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
       "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")  # as Prometheus asks
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"

EXTRA = """\
policy: [{any: true, allow: attach}]
control: {path: %(path)s, mode: "0666", program: %(program)s, http: {address: "%(address)s"}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as made:
        return made.getsockname()[1]


class Plane:
    """A daemon with HTTP, and two applications that exchange."""

    def __init__(self, folder, daemon, honest, port):
        self.folder, self.daemon, self.honest, self.port = folder, daemon, honest, port
        self.path = folder.socket.parent / "control.sock"

    def get(self, path="/metrics", method="GET", **headers):
        """Status, headers and body."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(client):
            client.request(method, path, headers=headers)
            answer = client.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def child(self):
        """The process number of saddle-control; None between an end and the next start."""
        pid = self.daemon.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None

    def check_served(self):
        """It answers, and the applications go on."""
        expect_equal(self.get("/healthz")[::2], (200, "ok\n"), "health")
        expect_equal(self.get()[0], 200, "metrics")
        if self.honest:
            self.honest.check_progress()


@contextlib.contextmanager
def running(lives=True, victim=True):
    """`lives`: saddle-control does not end meanwhile. `victim`: applications are beside it."""
    folder = harness.Folder()
    daemon = honest = None
    port = free_port()
    try:
        extra = EXTRA % {"path": folder.socket.parent / "control.sock", "program": CONTROL,
                         "address": f"127.0.0.1:{port}"}
        daemon = harness.Daemon(SADDLED, folder.config(extra=extra), folder)
        honest = harness.Victim(VICTIM, folder.socket) if victim else None
        plane = Plane(folder, daemon, honest, port)
        plane.get("/healthz")
        child = plane.child()
        yield plane
        daemon.check_alive()
        expect(not lives or child == plane.child(), "saddle-control ended")
        if honest:
            honest.check_progress()
            honest.stop()
        daemon.stop()
    finally:
        for process in (honest, daemon):
            if process:
                process.kill()
        folder.remove()


SAMPLE = re.compile(r'([a-z_][a-z0-9_]*)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? '
                    r'([0-9]+(?:\.[0-9]+)?)')


def parse(text):
    """The samples of an OpenMetrics text that keeps the rules: name and labels to value."""
    expect(text.endswith("# EOF\n"), "there is no end")
    samples, seen, family, told = {}, set(), None, {}
    for line in text.splitlines()[:-1]:
        if line.startswith("# "):
            what, name, rest = line[2:].split(" ", 2)
            expect(what in ("HELP", "TYPE", "UNIT") and rest, line)
            if name != family:
                expect(name not in seen, f"{name} stands in two places")
                seen.add(name)
                family, told = name, {}
            expect(what not in told, f"{what} of {name} twice")
            told[what] = rest
            expect(what != "UNIT" or name.endswith("_" + rest), line)
            continue
        match = SAMPLE.fullmatch(line)
        expect(match, f"no sample: {line}")
        suffixes = {"counter": ["_total"], "info": ["_info"], "gauge": [""],
                    "histogram": ["_bucket", "_count", "_sum"]}[told["TYPE"]]
        expect(match[1] in [family + suffix for suffix in suffixes],
               f"{match[1]} is the name of a {told['TYPE']}")
        expect("HELP" in told and match[1] + (match[2] or "") not in samples, line)
        samples[match[1] + (match[2] or "")] = float(match[3])
    check_histograms(samples)
    return samples


def check_histograms(samples):
    """Buckets contain those before them, and the last one everything."""
    last = {}
    for name, value in samples.items():
        match = re.fullmatch(r'(.*)_bucket\{(.*),le="(.*)"\}', name)
        if not match:
            continue
        bound, count = last.get(match[1] + match[2], (0, 0))
        expect(float(match[3]) > bound and value >= count, f"{name} after {bound}")
        last[match[1] + match[2]] = (float(match[3]), value)
        if match[3] == "+Inf":
            expect_equal(samples[f"{match[1]}_count{{{match[2]}}}"], value, name)


def counters_only_grow(before, after):
    for name, value in before.items():
        if re.sub(r"\{.*", "", name).endswith(("_total", "_bucket", "_count", "_sum")):
            expect(after[name] >= value, f"{name} went from {value} to {after[name]}")


def test_metrics():
    """Both formats, by what is asked for; promtool and a reader of our own find nothing wrong."""
    with running() as plane:
        for accept, wanted in ((NEW, OPENMETRICS), ("application/openmetrics-text", OPENMETRICS),
                               ("text/html, Application/OpenMetrics-Text ; q=0.1", OPENMETRICS),
                               ("*/*", PLAIN), ("text/plain", PLAIN), ("", PLAIN),
                               ("application/openmetrics-text;q=0", PLAIN),
                               ("application/openmetrics-text; q=0.000, */*", PLAIN),
                               ("application/openmetrics-texts", PLAIN), ("," * 1000, PLAIN)):
            status, headers, _ = plane.get(Accept=accept)
            expect_equal((status, headers["Content-Type"]), (200, wanted), f"asked for {accept}")
        _, headers, text = plane.get()
        expect_equal(headers["Content-Type"], PLAIN, "asked for nothing")
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                 capture_output=True, timeout=PATIENCE_S, check=False)
        expect_equal((checked.returncode, checked.stdout, checked.stderr), (0, "", ""), "promtool")
        before = parse(plane.get(Accept=NEW)[2])
        plane.honest.check_progress()
        busy = 'saddle_engine_busy_seconds_total{engine="alpha"}'
        harness.await_true(lambda: parse(plane.get(Accept=NEW)[2])[busy] > before[busy],
                           "an engine's time goes on")
        after = parse(plane.get(Accept=NEW)[2])
        counters_only_grow(before, after)
        expect_equal(set(after), set(before), "the samples of two texts")
        for name, value in (("saddle_degraded", 0), ("saddle_problems", 0),
                            ('saddle_sessions{engine="alpha"}', 1),
                            ('saddle_engine_sessions{engine="beta"}', 1),
                            ('saddle_engine_alive{engine="alpha"}', 1),
                            ("saddle_control_restarts_total", 0)):
            expect_equal(after.get(name), value, name)
        for name in ('saddle_engine_messages_sent_total{engine="alpha"}', "saddle_uptime_seconds",
                     'saddle_engine_queueing_delay_seconds_count{engine="alpha"}',
                     'saddle_thread_wakes_total{group="main",thread="0",cause="event"}'):
            expect(after[name] > 0, f"{name}: {after[name]}")
        status, output, _ = harness.run([SADDLECTL, "--socket", plane.path, "metrics"])
        expect_equal((status, set(parse(output))), (0, set(after)), "saddlectl's")
        status, headers, body = plane.get(method="HEAD")
        expect_equal((status, body), (200, ""), "HEAD")


def test_refused():
    """Whatever else is asked for."""
    with running() as plane:
        for path in ("/", "/metrics/", "/metricsx", "//metrics", "/%00", "/" + "x" * 8000,
                     "/../metrics"):
            expect(plane.get(path)[0] in (404, 414), path)
        expect_equal(plane.get("/metrics?x=y")[0], 200, "a query")
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "NONSENSE"):
            status, headers, _ = plane.get(method=method)
            expect_equal((status, headers["Allow"]), (405, "GET, HEAD"), method)
        with grpc.insecure_channel(f"unix:{plane.path}") as channel:
            for method in ("metrics", "metrics-old", "health"):
                try:
                    channel.unary_unary(f"/http/{method}")(b"", timeout=PATIENCE_S)
                    code = grpc.StatusCode.OK
                except grpc.RpcError as error:
                    code = error.code()
                expect_equal(code, grpc.StatusCode.UNIMPLEMENTED, f"{method} by gRPC")
        plane.check_served()


def drain(connection):
    """Until the other side has hung up."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass


def test_garbage():
    """Bytes that are no HTTP, or too much of it; nothing of it does any harm."""
    bombs = (b"\x00" * 65536, os.urandom(65536), b"GET\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n",
             b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
             b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
             b"GET /metrics HTTP/1.1\r\nHost: x\r\nA: " + b"b" * (1 << 20) + b"\r\n\r\n",
             b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
             b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
             b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff",
             b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    with running() as plane:
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(plane.raw()) for _ in bombs]
            for connection, bomb in zip(connections, bombs):
                with contextlib.suppress(OSError):
                    connection.sendall(bomb)
                    connection.shutdown(socket.SHUT_WR)
            for connection in connections:
                drain(connection)
        plane.check_served()


def test_slow():
    """Those who write a byte now and then, or do not read, hold no place for long."""
    with running() as plane:
        slow = []
        for i in range(SLOW):
            connection = plane.raw()
            with contextlib.suppress(ConnectionError):
                if i % 2:
                    connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                else:
                    connection.sendall(b"GET /met")
            slow.append(connection)
            if i % 50 == 0:
                plane.check_served()
        plane.check_served()
        for connection in slow:
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"r")
            drain(connection)
            connection.close()
        plane.check_served()


def test_hoard():
    """Many connections that say nothing."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    with running() as plane:
        folder = f"/proc/{plane.child()}/fd"
        before = len(os.listdir(folder))
        hoard = [plane.raw() for _ in range(min(HOARD, most - 100))]
        plane.check_served()
        expect(len(os.listdir(folder)) < before + 100, "saddle-control keeps them all")
        for connection in hoard:
            connection.close()
        plane.check_served()
        harness.await_true(lambda: len(os.listdir(folder)) <= before, "their descriptors")


def test_no_answer():
    """A daemon that does not answer: said in time, and forgotten when it does. It is stopped as a
    whole, so no applications are there."""
    with running(victim=False) as plane:
        pid = plane.daemon.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            status, _, body = plane.get("/healthz")
            expect_equal((status, body), (503, "no answer in time\n"), "health meanwhile")
        finally:
            os.kill(pid, signal.SIGCONT)
        plane.check_served()


def test_killed():
    """Killed, it is back, and nobody is turned away meanwhile: the daemon keeps the address."""
    with running(lives=False) as plane:
        for _ in range(5):
            harness.await_true(plane.child, "saddle-control is there")
            victim = plane.child()
            os.kill(victim, signal.SIGKILL)
            harness.await_true(lambda: plane.child() not in (None, victim), "another one is there")
            plane.check_served()
        expect_equal(parse(plane.get(Accept=NEW)[2])["saddle_control_restarts_total"], 5,
                     "restarts")


def test_turned_away():
    """Who has no role on the control socket is counted."""
    with running() as plane:
        name = 'saddle_control_connections_refused_total{reason="role"}'
        expect_equal(parse(plane.get(Accept=NEW)[2])[name], 0, name)
        for _ in range(3):
            harness.run([SADDLECTL, "--socket", plane.path, "status"], user=STRANGER,
                        group=STRANGER, extra_groups=[])
        # saddlectl knocks, and calls.
        harness.await_true(lambda: parse(plane.get(Accept=NEW)[2])[name] >= 6, "they are counted")


def test_refused_configurations():
    for address, wanted in (("9464", "no address with a port"), ("localhost:9464", "no address"),
                            ("127.0.0.1", "no address"), ("127.0.0.1:0", "no address"),
                            ("127.0.0.1:65536", "no address"), ("::1:80", "no address"),
                            ("x" * 200, "longer than")):
        folder = harness.Folder()
        try:
            extra = f"control: {{path: {folder.path}/c, http: {{address: '{address}'}}}}"
            status, _, errors = harness.run([SADDLED, "--check-config", folder.config(extra=extra)])
            expect_equal((status, errors.count("\n")), (1, 1), address)
            expect(wanted in errors and "saddled.yaml:" in errors, errors)
            extra = f"control: {{http: {{address: '{address}', nonsense: 1}}}}"
            status, _, errors = harness.run([SADDLED, "--check-config", folder.config(extra=extra)])
            expect_equal((status, errors.count("\n")), (1, 1), "an unknown key")
            extra = "control: {http: {address: '127.0.0.1:9464'}}"
            status, _, errors = harness.run([SADDLED, "--check-config", folder.config(extra=extra)])
            expect_equal((status, "control socket" in errors), (1, True), "without a socket")
        finally:
            folder.remove()


def test_taken():
    """An address that is somebody else's: one line, no daemon."""
    folder = harness.Folder()
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            extra = EXTRA % {"path": folder.socket.parent / "control.sock", "program": CONTROL,
                             "address": f"127.0.0.1:{port}"}
            with contextlib.suppress(harness.Failure):
                harness.Daemon(SADDLED, folder.config(extra=extra), folder)
                raise AssertionError("it started")
        text = (folder.path / "daemon.log").read_text()
        expect(f"control: http: address 127.0.0.1:{port}: Address already in use" in text, text)
        folder.check_clean()
    finally:
        folder.remove()


def test_show():
    """What is shown can be read again, with HTTP and without."""
    for extra in ("", "control: {path: /tmp/c, http: {address: '[::1]:9464'}}"):
        folder = harness.Folder()
        try:
            shown = harness.run([SADDLED, "--config", folder.config(extra=extra),
                                 "--show-config"])[1]
            path = folder.path / "shown.yaml"
            path.write_text(shown)
            expect_equal(harness.run([SADDLED, "--check-config", path]), (0, "", ""), "the check")
            expect_equal("http:" in shown, bool(extra), "HTTP")
        finally:
            folder.remove()


# Only root can become somebody else.
AS_OTHERS = [test_turned_away] if os.geteuid() == 0 else []

harness.main([*AS_OTHERS, test_metrics, test_refused, test_garbage, test_slow, test_hoard,
              test_no_answer, test_killed, test_refused_configurations, test_taken, test_show])
