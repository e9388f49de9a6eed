#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""gRPC over TLS to a real daemon, by certificates of an authority that is thrown away: who gets in,
who does not, and what strangers do to it, with two applications beside it that must notice nothing.

    grpcio, saddlectl, raw sockets === saddle-control --- saddled --- [alpha] ===== [beta]

usage: tls_test.py SADDLED VICTIM SADDLE_CONTROL SADDLECTL
"""
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

os.environ["GRPC_VERBOSITY"] = "NONE"  # it would complain of what is meant to fail

import grpc

import harness
from harness import expect, expect_equal

SADDLED, VICTIM, CONTROL, SADDLECTL = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
PATIENCE_S = harness.PATIENCE_S
HOARD = 1000  # connections
STREAMS = 50
STATUS, CLOSE = "saddle.v1.System/GetStatus", "saddle.v1.Sessions/Close"
CALLS = "saddle_control_calls_total"
REFUSED = 'saddle_control_connections_refused_total{reason="%s"}'
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE

CONTROL_KEYS = """\
policy: [{any: true, allow: attach}]
control:
  path: %(path)s
  program: %(program)s
  tls:
    address: "127.0.0.1:%(port)s"
    certificate: %(pki)s/server.pem
    key: %(pki)s/server.key
    authority: %(pki)s/ca.pem
    observe: [watcher.example, "urn:saddle:watcher", both.example]
    operate: [operator.example, operator@example.net, both.example, plain-operator]
"""


class Authority:
    """Certificates, made by openssl in a folder."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-nodes", "-subj", f"/CN={name}", "-days", "2", "-keyout", f"{name}.key",
                     "-out", f"{name}.pem")

    def openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)
        expect_equal(done.returncode, 0, f"openssl {words}: {done.stderr}")

    def make(self, name, names="", common="nobody", days=2, usage="clientAuth"):
        """name.pem and name.key."""
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-subj", f"/CN={common}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        lines = [f"extendedKeyUsage = {usage}"] + ([f"subjectAltName = {names}"] if names else [])
        (self.folder / f"{name}.ext").write_text("\n".join(lines) + "\n")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem", "-CAkey",
                     f"{self.name}.key", "-CAcreateserial", "-days", str(days), "-extfile",
                     f"{name}.ext", "-out", f"{name}.pem")


def make_all(folder):
    """What the tests show, and the daemon its clients."""
    authority = Authority(folder)
    authority.make("server", "IP:127.0.0.1,DNS:localhost", usage="serverAuth")
    authority.make("operator", "DNS:somebody.example,DNS:operator.example")
    authority.make("mail", "email:operator@example.net")
    authority.make("watcher", "URI:urn:saddle:watcher")
    authority.make("both", "DNS:watcher.example,DNS:both.example")
    authority.make("plain", common="plain-operator")
    # Nobody of these has a role.
    authority.make("stranger", "DNS:stranger.example")
    authority.make("commoner", "DNS:stranger.example", common="plain-operator")
    authority.make("nameless")
    authority.make("longer", "DNS:operator.example.evil.example")
    authority.make("shorter", "DNS:operator.exampl")
    authority.make("star", "DNS:*.example")
    # Nobody of these is believed.
    authority.make("expired", "DNS:operator.example", days=-1)
    authority.make("serving", "DNS:operator.example", usage="serverAuth")
    Authority(folder, "other").make("alien", "DNS:operator.example")


class Plane:
    """A daemon that speaks TLS, and two applications that exchange."""

    def __init__(self, folder, daemon, honest, pki, port):
        self.folder, self.daemon, self.honest = folder, daemon, honest
        self.pki, self.port = pki, port
        self.looks = 0  # calls that this made to look at counters

    def child(self):
        """The process number of saddle-control; None between an end and the next start."""
        pid = self.daemon.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None

    def channel(self, name, authority="ca"):
        read = lambda file: (self.pki / file).read_bytes()
        credentials = grpc.ssl_channel_credentials(
            read(f"{authority}.pem"), *(read(f"{name}{kind}") if name else None
                                        for kind in (".key", ".pem")))
        return grpc.secure_channel(f"127.0.0.1:{self.port}", credentials,
                                   options=[("grpc.use_local_subchannel_pool", 1)])

    def code(self, name, method=STATUS, request=b"", **how):
        """The status that a call with this certificate ends with."""
        with self.channel(name, **how) as channel:
            return code_of(lambda: channel.unary_unary(f"/{method}")(request, timeout=PATIENCE_S))

    def saddlectl(self, name, *words, authority="ca", server=None):
        return harness.run([SADDLECTL, "--server", server or f"127.0.0.1:{self.port}", "--cert",
                            self.pki / f"{name}.pem", "--key", self.pki / f"{name}.key",
                            "--authority", self.pki / f"{authority}.pem", *words])

    def counter(self, name):
        """By the control socket, in one call."""
        self.looks += 1
        status, output, errors = harness.run(
            [SADDLECTL, "--socket", self.folder.socket.parent / "control.sock", "metrics"])
        expect_equal(status, 0, errors)
        return int(re.search(rf"^{re.escape(name)} (\d+)$", output, re.MULTILINE)[1])

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def check_served(self):
        expect_equal(self.code("operator"), grpc.StatusCode.OK, "an operator's call")
        self.honest.check_progress()


def code_of(call):
    try:
        call()
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as made:
        return made.getsockname()[1]


def configure(folder, pki, port):
    return folder.config(extra=CONTROL_KEYS % {
        "path": folder.socket.parent / "control.sock", "program": CONTROL, "pki": pki,
        "port": port})


@contextlib.contextmanager
def running(lives=True):
    """`lives`: saddle-control does not end meanwhile."""
    folder = harness.Folder()
    pki = folder.path / "pki"
    shutil.copytree(MADE, pki)
    daemon = honest = None
    port = free_port()
    try:
        daemon = harness.Daemon(SADDLED, configure(folder, pki, port), folder)
        honest = harness.Victim(VICTIM, folder.socket)
        plane = Plane(folder, daemon, honest, pki, port)
        plane.check_served()
        child = plane.child()
        yield plane
        daemon.check_alive()
        expect(not lives or child == plane.child(), "saddle-control ended")
        plane.check_served()
        honest.stop()
        daemon.stop()
    finally:
        for process in (honest, daemon):
            if process:
                process.kill()
        folder.remove()


def test_roles():
    """Each name of a certificate counts, whole and by itself; and what its role does not allow is
    refused by the daemon."""
    close = b"\x08\x07"  # session 7, which is not there
    with running() as plane:
        for name in ("operator", "mail", "plain", "both"):
            expect_equal(plane.code(name), grpc.StatusCode.OK, f"{name} looks")
            expect_equal(plane.code(name, CLOSE, close), grpc.StatusCode.NOT_FOUND,
                         f"{name} acts")
        expect_equal(plane.code("watcher"), grpc.StatusCode.OK, "watcher looks")
        expect_equal(plane.code("watcher", CLOSE, close), grpc.StatusCode.PERMISSION_DENIED,
                     "watcher acts")
        refused = plane.counter(REFUSED % "role")
        before, looks = plane.counter(CALLS), plane.looks
        nobody = ("stranger", "commoner", "nameless", "longer", "shorter", "star")
        for name in nobody:
            expect_equal(plane.code(name), UNAVAILABLE, name)
        # The core may have tried more than once. None of it was a call.
        harness.await_true(lambda: plane.counter(REFUSED % "role") >= refused + len(nobody),
                           "they are counted")
        text = plane.daemon.text()
        expect('"stranger.example" has no role' in text, text)
        expect_equal(plane.counter(CALLS) - before, plane.looks - looks, "calls")


def test_strangers():
    """No certificate, one that has expired, that another authority made, or that is for something
    else; no TLS at all, or an old one. No call of theirs reaches the daemon."""
    with running() as plane:
        refused = plane.counter(REFUSED % "certificate")
        before, looks = plane.counter(CALLS), plane.looks
        strangers = (None, "expired", "alien", "serving")
        for name in strangers:
            expect_equal(plane.code(name), UNAVAILABLE, name)
        with grpc.insecure_channel(f"127.0.0.1:{plane.port}") as channel:
            call = channel.unary_unary(f"/{STATUS}")
            expect_equal(code_of(lambda: call(b"", timeout=PATIENCE_S)), UNAVAILABLE,
                         "without TLS")
        old = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{plane.port}", "-tls1_1", "-cipher",
             "ALL:@SECLEVEL=0", "-cert", "operator.pem", "-key", "operator.key"], cwd=plane.pki,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S,
            check=False)
        expect(old.returncode != 0 and "protocol version" in old.stderr, old.stderr)
        http = ssl.create_default_context(cafile=plane.pki / "ca.pem")
        http.load_cert_chain(plane.pki / "operator.pem", plane.pki / "operator.key")
        http.set_alpn_protocols(["http/1.1"])
        with contextlib.suppress(ssl.SSLError), plane.raw() as connection:
            http.wrap_socket(connection, server_hostname="localhost")
            raise AssertionError("it speaks HTTP/1.1")
        harness.await_true(
            lambda: plane.counter(REFUSED % "certificate") >= refused + len(strangers) + 3,
            "they are counted")
        expect_equal(plane.counter(CALLS) - before, plane.looks - looks, "calls")


def drain(connection):
    """Until the other side has hung up."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass


def test_garbage():
    """Bytes that are no TLS, or TLS and then no HTTP/2."""
    trusted = ssl.create_default_context(cafile=MADE / "ca.pem")
    trusted.load_cert_chain(MADE / "operator.pem", MADE / "operator.key")
    trusted.set_alpn_protocols(["h2"])
    bombs = (b"\x00" * 65536, os.urandom(65536), b"GET / HTTP/1.1\r\n\r\n",
             b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\x01" * 65536,
             b"\x16\x03\x01\x00\x05\x01\x00\xff\xff\xff", b"\x15\x03\x03\x00\x02\x02\x28")
    with running() as plane:
        for bomb in bombs:
            with plane.raw() as connection:
                with contextlib.suppress(OSError):
                    connection.sendall(bomb)
                    connection.shutdown(socket.SHUT_WR)
                drain(connection)
            with contextlib.suppress(OSError), plane.raw() as connection:
                inner = trusted.wrap_socket(connection, server_hostname="localhost")
                inner.sendall(bomb)
                inner.unwrap().close()
        plane.check_served()


def test_hoard():
    """A thousand connections that say nothing, and as many that begin and go no further: an
    operator's stream goes on beside them, and another one gets in."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    with running() as plane, plane.channel("operator") as channel:
        folder = f"/proc/{plane.child()}/fd"
        before = len(os.listdir(folder))
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        next(watch)
        hoard = []
        for i in range(min(HOARD, most - 200)):
            connection = plane.raw()
            if i % 2:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(b"\x16\x03\x01\x02\x00\x01")
            hoard.append(connection)
        plane.check_served()
        expect(len(os.listdir(folder)) < before + 150, "saddle-control keeps them all")
        expect_equal(code_of(lambda: channel.unary_unary(f"/{STATUS}")(b"", timeout=PATIENCE_S)),
                     grpc.StatusCode.OK, "a call on the connection that was there before")
        expect(watch.is_active(), "the stream ended")
        watch.cancel()
        harness.await_true(lambda: plane.counter(REFUSED % "crowded") > 0, "they are counted")
        for connection in hoard:
            connection.close()
        channel.close()
        harness.await_true(lambda: len(os.listdir(folder)) <= before, "their descriptors")


def test_crowd():
    """As many who have a role as there is room for: one more is turned away, and those inside go
    on."""
    with running() as plane, contextlib.ExitStack() as stack:
        inside = [stack.enter_context(plane.channel("watcher")) for _ in range(70)]
        codes = [code_of(lambda one=one: one.unary_unary(f"/{STATUS}")(b"", timeout=PATIENCE_S))
                 for one in inside]
        expect_equal(codes[:60], [grpc.StatusCode.OK] * 60, "the first ones")
        expect(UNAVAILABLE in codes[60:], f"all of {len(codes)} got in")
        expect_equal(code_of(lambda: inside[0].unary_unary(f"/{STATUS}")(b"", timeout=PATIENCE_S)),
                     grpc.StatusCode.OK, "one of them")
        for one in inside:
            one.close()
        harness.await_true(lambda: plane.code("operator") == grpc.StatusCode.OK, "there is room")


def test_streams():
    """Many at a time on one connection, and large requests: TLS carries all of it."""
    with running() as plane, plane.channel("operator") as channel:
        watches = [channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
                   for _ in range(STREAMS)]
        for watch in watches:
            expect_equal(next(watch), b"\x08\x01", "a watch")
        large = b"\x12" + b"\xff\xdf\x03" + b"x" * 0xefff  # a field that the request does not have
        for _ in range(STREAMS):
            expect_equal(code_of(lambda: channel.unary_unary(f"/{STATUS}")(
                large, timeout=PATIENCE_S)), grpc.StatusCode.OK, "a large request")
        answer = channel.unary_unary("/saddle.v1.Metrics/Read")(b"", timeout=PATIENCE_S)
        expect(answer.endswith(b"# EOF\n"), "metrics")
        for watch in watches:
            watch.cancel()


def test_vanishing():
    """Clients that are gone in the middle; nothing of theirs stays."""
    program = """\
import grpc, os, sys
read = lambda name: open(f"{sys.argv[1]}/{name}", "rb").read()
credentials = grpc.ssl_channel_credentials(read("ca.pem"), read("operator.key"),
                                           read("operator.pem"))
channel = grpc.secure_channel(sys.argv[2], credentials)
watches = [channel.unary_stream("/grpc.health.v1.Health/Watch")(b"") for _ in range(20)]
next(watches[-1])
os.kill(os.getpid(), 9)
"""
    with running() as plane:
        folder = f"/proc/{plane.child()}/fd"
        before = len(os.listdir(folder))
        for _ in range(5):
            subprocess.run(["/usr/bin/python3", "-c", program, plane.pki,
                            f"127.0.0.1:{plane.port}"], check=False, timeout=PATIENCE_S)
        harness.await_true(lambda: len(os.listdir(folder)) <= before, "their descriptors")


def test_killed():
    """saddle-control killed: calls under way end UNAVAILABLE, and it is back at that address."""
    with running(lives=False) as plane:
        for _ in range(5):
            harness.await_true(plane.child, "saddle-control is there")
            with plane.channel("operator") as channel:
                watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
                next(watch)
                victim = plane.child()
                os.kill(victim, signal.SIGKILL)
                expect_equal(code_of(lambda: next(watch)), UNAVAILABLE, "a watch under way")
            harness.await_true(lambda: plane.child() not in (None, victim), "another one is there")
            plane.check_served()


def replace(pki, **files):
    """Each file becomes another one in one step."""
    for name, source in files.items():
        target = pki / name.replace("_", ".")
        shutil.copy(pki / source, pki / "new")
        os.replace(pki / "new", target)


def test_renewed():
    """New files are read when they are there; those before stay while the new ones are wrong."""
    with running() as plane:
        child = plane.child()
        replace(plane.pki, server_key="other.key")
        harness.await_true(lambda: plane.code("operator") == grpc.StatusCode.OK
                           and "server.key: it does not belong" in plane.daemon.text(),
                           "a key of another certificate is refused")
        Authority(plane.pki, "next").make("server2", "IP:127.0.0.1", usage="serverAuth")
        replace(plane.pki, server_key="server2.key", server_pem="server2.pem", ca_pem="other.pem")
        harness.await_true(lambda: plane.code("alien", authority="next") == grpc.StatusCode.OK,
                           "another authority's client gets in")
        expect_equal(plane.code("operator", authority="next"), UNAVAILABLE, "the one from before")
        expect_equal(plane.child(), child, "saddle-control")
        shutil.copytree(MADE, plane.pki, dirs_exist_ok=True)
        harness.await_true(lambda: plane.code("operator") == grpc.StatusCode.OK, "back again")


def test_saddlectl():
    """By TLS as by the socket; and in words, why not."""
    with running() as plane:
        status, output, errors = plane.saddlectl("operator", "status")
        expect_equal((status, errors), (0, ""), "the status")
        expect("condition" in output, output)
        expect_equal(plane.saddlectl("operator", "health", server=f"localhost:{plane.port}")[0], 0,
                     "by the host's name")
        status, _, errors = plane.saddlectl("watcher", "session", "close", "7")
        expect_equal(status, 1, "closing, by an observer")
        expect('"observe"' in errors, errors)
        for name, how in (("stranger", {}), ("expired", {}), ("alien", {}),
                          ("operator", {"authority": "other"})):
            status, output, errors = plane.saddlectl(name, "status", **how)
            expect_equal((status, output, errors.count("\n")), (3, "", 1), name)
            expect("certificate" in errors, errors)
        status, _, errors = plane.saddlectl("operator", "status", server=f"127.0.0.1:{free_port()}")
        expect_equal(status, 3, "where nobody is")
        expect("refused" in errors, errors)
        for words in (["--server", f"127.0.0.1:{plane.port}", "status"],
                      ["--cert", plane.pki / "operator.pem", "status"],
                      ["--server", "127.0.0.1", "status"], ["--server", ":80", "status"],
                      ["--server", "::1:80", "status"]):
            status, output, errors = harness.run([SADDLECTL, *words])
            expect_equal((status, output), (2, ""), f"{words}")
            expect("--server" in errors, errors)
        status, _, errors = plane.saddlectl("nowhere", "status")
        expect_equal(status, 2, "a file that is not there")
        expect("nowhere.pem: No such file" in errors, errors)


def test_refused_configurations():
    files = "certificate: /c, key: /k, authority: /a"
    for words, wanted in (("address: 'x', " + files, "no address with a port"),
                          ("address: '127.0.0.1:9465'", '"certificate" is missing'),
                          ("address: '127.0.0.1:9465', certificate: /c", '"key" is missing'),
                          ("address: '127.0.0.1:9465', certificate: /c, key: /k", '"authority"'),
                          ("address: '127.0.0.1:9465', certificate: c, key: /k, authority: /a",
                           "slash"),
                          (files, "without an address"), ("nonsense: 1", "nonsense"),
                          ("observe: x", "a list expected"),
                          (f"observe: [{', '.join(['a'] * 17)}]", "at most 16")):
        folder = harness.Folder()
        try:
            path = folder.config(extra=f"control: {{path: {folder.path}/c, tls: {{{words}}}}}")
            status, _, errors = harness.run([SADDLED, "--check-config", path])
            expect_equal((status, errors.count("\n")), (1, 1), words)
            expect(wanted in errors and "saddled.yaml:" in errors, errors)
        finally:
            folder.remove()


def test_wrong_files():
    """Found by --check-config and at start, in the same one line; no daemon is left."""
    folder = harness.Folder()
    pki = folder.path / "pki"
    try:
        for file, text, wanted in (
                ("server.pem", None, "certificate {}: No such file"),
                ("server.key", None, "key {}: No such file"),
                ("ca.pem", None, "authority {}: No such file"),
                ("server.pem", b"", "certificate {}: no start line"),
                ("server.key", (MADE / "ca.key").read_bytes(), "key {}: it does not belong"),
                ("server.key", os.urandom(1000), "key {}: "),
                ("ca.pem", (MADE / "ca.key").read_bytes(), "authority {}: ")):
            shutil.copytree(MADE, pki)
            (pki / file).unlink()
            if text is not None:
                (pki / file).write_bytes(text)
            config = configure(folder, pki, free_port())
            status, _, errors = harness.run([SADDLED, "--check-config", config])
            expect_equal((status, errors.count("\n")), (1, 1), f"{file}: {errors}")
            expect(wanted.format(pki / file) in errors, errors)
            with contextlib.suppress(harness.Failure):
                harness.Daemon(SADDLED, config, folder)
                raise AssertionError("it started")
            expect(wanted.format(pki / file) in (folder.path / "daemon.log").read_text(), file)
            folder.check_clean()
            shutil.rmtree(pki)
        shutil.copytree(MADE, pki)
        config = configure(folder, pki, free_port())
        expect_equal(harness.run([SADDLED, "--check-config", config]), (0, "", ""), "good ones")
    finally:
        folder.remove()


with tempfile.TemporaryDirectory(prefix="saddle-pki-") as place:
    MADE = pathlib.Path(place)
    make_all(MADE)
    harness.main([test_roles, test_strangers, test_garbage, test_hoard, test_crowd, test_streams,
                  test_vanishing, test_killed, test_renewed, test_saddlectl,
                  test_refused_configurations, test_wrong_files])
