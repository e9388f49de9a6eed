#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""A running daemon whose configuration changes in every way that it may, and in many that it may
not, while two applications exchange messages and lose none.

    saddlectl --- saddle-control --- saddled --- [alpha] ===== [beta]     the applications
                                             `-- [gamma] ===== [delta]     created and destroyed

usage: configuration_test.py SADDLED VICTIM SADDLE_PING SADDLE_CONTROL SADDLECTL
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import grpc

import harness
from harness import expect, expect_equal

SADDLED, VICTIM, PING, CONTROL, SADDLECTL = (pathlib.Path(word).resolve()
                                             for word in sys.argv[1:6])
PATIENCE_S = harness.PATIENCE_S
STRANGER = 12345  # a user id that is nobody's
ROUNDS = 10

CONFIG = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 128MiB
hugepages: off
ports:
  - {{name: wire-a, driver: net_ring, peer: wire-b, mtu: 5000}}
  - {{name: wire-b, driver: net_ring, peer: wire-a, mtu: 5000}}
  - {{name: wire-c, driver: net_ring, peer: wire-d, packets: 1024}}
  - {{name: wire-d, driver: net_ring, peer: wire-c, packets: 1024}}
  - {{name: nowhere, driver: net_null, packets: 512}}
engines:
  - {{name: alpha, port: wire-a, addresses: [10.77.0.1, 'fd77::1']}}
  - name: beta
    port: wire-b
    addresses: [10.77.0.2, 'fd77::2']
    window: 200
groups:
  - name: main
    mode: spreading
    cpus: 0-{last}
    idle: 30us
    engines: [alpha, beta]
policy:
  - {{uid: 54321, allow: attach}}
limits:
  sessions_per_uid: 32
  handshake_timeout: 500ms
control:
  path: {control}
  mode: "0666"
  program: {program}
  observe: [{{any: true}}]
"""
GAMMA = "{name: gamma, port: wire-c, addresses: [10.78.0.1]}"
DELTA = "{name: delta, port: wire-d, addresses: [10.78.0.2]}"


class Plane:
    """A daemon, its file, two applications that exchange, and saddlectl."""

    def __init__(self, folder, file, daemon, honest):
        self.folder, self.file, self.daemon, self.honest = folder, file, daemon, honest
        self.text = file.read_text()
        self.path = folder.socket.parent / "control.sock"

    def ask(self, *words, text=None, user=None):
        """Status, standard output, standard error."""
        ended = subprocess.run(
            [str(word) for word in (SADDLECTL, "--socket", self.path, "--timeout", PATIENCE_S,
                                    "--json", *words)],
            input=text, capture_output=True, text=True, timeout=PATIENCE_S, check=False, user=user,
            group=user, extra_groups=[] if user else None)
        return ended.returncode, ended.stdout, ended.stderr

    def do(self, *words, text=None):
        """What the answer says; the call goes well."""
        status, output, errors = self.ask(*words, text=text)
        expect_equal((status, errors), (0, ""), f"{words}: {output}")
        return json.loads(output)

    def changes(self, *words, text=None):
        return self.do("config", *words, text=text)["changes"]

    def refuse(self, code, *words, text=None):
        """Why it does not go well: one line."""
        status, output, errors = self.ask(*words, text=text)
        expect_equal((status, errors), (1, ""), f"{words}: {output}")
        error = json.loads(output)["error"]
        expect_equal(error["code"], code, f"{words}: {error['message']}")
        expect(error["message"] and "\n" not in error["message"], f"{words}: {error['message']}")
        return error["message"]

    def shown(self):
        return self.do("config", "show")["text"]

    def groups(self):
        return {group["name"]: group for group in self.do("group", "list")["groups"]}

    def engines(self):
        return {engine["name"]: engine for engine in self.do("engine", "list")["engines"]}

    def events(self, *kinds):
        """What is told of these kinds: engine and text."""
        return [(event["engine"], event["text"])
                for event in self.do("event", "list", *kinds)["events"]]

    def check(self):
        """The applications go on, and all engines are alive."""
        self.daemon.check_alive()
        self.honest.check_progress(3)


@contextlib.contextmanager
def running():
    folder = harness.Folder()
    daemon = honest = None
    try:
        file = folder.path / "saddled.yaml"
        last = max(os.sched_getaffinity(0))
        file.write_text(CONFIG.format(socket=folder.socket, program=CONTROL, last=last,
                                      control=folder.socket.parent / "control.sock"))
        file.chmod(0o644)
        daemon = harness.Daemon(SADDLED, file, folder)
        honest = harness.Victim(VICTIM, folder.socket)
        plane = Plane(folder, file, daemon, honest)
        yield plane
        plane.check()
        honest.stop()
        daemon.check_descriptors(daemon.quiet_descriptors, "the last session")
        daemon.stop()
    finally:
        for process in (honest, daemon):
            if process:
                process.kill()
        folder.remove()


def test_show_and_check():
    """What is shown is what runs, and is a configuration itself."""
    with running() as plane:
        text = plane.shown()
        expect("window: 200" in text and "keepalive: 1s" in text, text)
        expect_equal(plane.changes("diff", "-", text=text), [], "changes to what is shown")
        expect_equal(plane.changes("diff", plane.file), [], "changes to the file")
        plane.do("config", "check", plane.file)
        expect("1:9: memory" in plane.refuse("INVALID_ARGUMENT", "config", "check", "-",
                                             text="memory: 1"), "where it is wrong")
        status, output, errors = plane.ask("config", "check", "-", text="x" * (70 << 10))
        expect_equal((status, errors), (1, ""), "one that is too large")
        expect("RESOURCE_EXHAUSTED" in output, output)


def test_engines_move():
    with running() as plane:
        plane.do("group", "create", "-", text="{name: other}")
        for i in range(ROUNDS):
            plane.do("engine", "move", "alpha", ("other", "main")[i % 2])
            plane.do("engine", "move", "beta", ("other", "main")[i // 2 % 2])
            plane.check()
        expect_equal(plane.groups()["other"]["engines"], ["beta"], "engines of other")
        plane.do("engine", "move", "beta", "main")
        plane.do("group", "destroy", "other")
        expect_equal(list(plane.groups()), ["main"], "groups")
        moves = plane.events("engine_moved")
        expect_equal(moves[0], ("alpha", "from group main to group other"), "the first move")
        expect_equal(moves[-1], ("beta", "from group other to group main"), "the last move")


def test_a_group_changes():
    last = max(os.sched_getaffinity(0))
    with running() as plane:
        before = plane.groups()["main"]["threads"][0]["tid"]
        for i in range(ROUNDS):
            mode = ("dedicated", "spreading", "compacting")[i % 3]
            threads = 2 if mode == "spreading" else 1 + i % 2
            plane.do("group", "change", "main", f"mode={mode}", f"cpus={last if i % 4 else 0}",
                     f"threads={1 + i % 2}", f"idle={i + 1}us", f"slo={i + 10}us",
                     f"moderation={i + 20}us")
            plane.check()
            group = plane.groups()["main"]
            expect_equal((group["mode"], group["cpus"], len(group["threads"]), group["idle_ns"]),
                         (mode, str(last if i % 4 else 0), threads, (i + 1) * 1000), "the group")
            expect_equal(group["moderation_ns"], (i + 20) * 1000, "the moderation")
            expect_equal(group["slo_ns"], (i + 10) * 1000 if mode == "compacting" else 0, "the SLO")
            expect_equal(sorted(sum((thread["engine_names"] for thread in group["threads"]), [])),
                         ["alpha", "beta"], "the engines are on its threads")
            threads = os.listdir(f"/proc/{plane.daemon.process.pid}/task")
            expect(str(group["threads"][0]["tid"]) in threads, "its threads are there")
            expect(str(before) not in threads, "the old ones are not")
            before = group["threads"][0]["tid"]


def ping(plane, engine, host, count=1):
    return harness.run([PING, "--socket", plane.folder.socket, "-e", engine, "-c", count, host])


def test_an_engine_comes_and_goes():
    """Created, used by an application that names it, and destroyed."""
    with running() as plane:
        for _ in range(3):
            plane.do("engine", "create", "-", "main", text=GAMMA)
            plane.do("engine", "create", "-", "main", text=DELTA)
            expect_equal(list(plane.engines()), ["alpha", "beta", "gamma", "delta"], "engines")
            status, output, errors = ping(plane, "gamma", "delta")
            expect_equal((status, errors), (0, ""), f"a ping: {output}")
            plane.do("engine", "destroy", "delta")
            plane.do("engine", "destroy", "gamma")
            status, _, errors = ping(plane, "gamma", "delta")
            expect(status != 0 and 'no engine "gamma"' in errors, errors)
            plane.check()
        # Gamma is made anew when it gets a neighbour.
        told = [(name, f"it {tense} in group main")
                for name, tense in (("gamma", "is"), ("gamma", "was"), ("gamma", "is"),
                                    ("delta", "is"), ("delta", "was"), ("gamma", "was"))]
        expect_equal(plane.events("engine_created", "engine_destroyed"), 3 * told, "what is told")
        expect_equal(len(plane.events("configuration_applied")), 12, "changes that are told of")


def attached(plane, engine, host):
    """A ping that has had its first answer, and waits."""
    doomed = subprocess.Popen(
        [PING, "--socket", plane.folder.socket, "-e", engine, "-i", "3600", host],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(2):
        doomed.stdout.readline()
    return doomed


def test_sessions_end_only_if_they_may():
    """And their applications read why."""
    with running() as plane:
        for text in (GAMMA, DELTA):
            plane.do("engine", "create", "-", "main", text=text)
        text = plane.shown()
        other = re.sub(r'(name: "gamma"(?:\n.*)*?\n +window:) 256', r"\1 100", text)
        for command, why in (
                (["engine", "destroy", "gamma"], "engine gamma is removed"),
                (["config", "apply", "-"], "engine gamma is configured anew")):
            entry = other if command[0] == "config" else None
            doomed = attached(plane, "gamma", "delta")
            try:
                said = plane.refuse("FAILED_PRECONDITION", *command, text=entry)
                expect("gamma has 1 session," in said, said)
                expect_equal(plane.shown(), text, "what runs")
                expect(doomed.poll() is None, "it ended")
                if entry:
                    expect_equal([(one["path"], one["old"], one["new"], one["effect"])
                                  for one in plane.changes("diff", "-", text=entry)],
                                 [("engines.gamma.window", "256", "100", "ends 1 session")],
                                 "the changes")
                plane.do(*command, "--disrupt", text=entry)
                _, errors = doomed.communicate(timeout=PATIENCE_S)
            finally:
                doomed.kill()
                doomed.communicate()
            expect(why in errors, f"the application heard: {errors}")
            plane.check()
            if not entry:
                plane.do("config", "rollback")
                expect_equal(plane.engines()["gamma"]["sessions"], 0, "sessions of gamma")
        expect("window: 100" in plane.shown(), "the window")
        expect_equal(ping(plane, "gamma", "delta")[0], 0, "a ping afterwards")
        for name in ("gamma", "delta"):
            plane.do("engine", "destroy", name)


def test_policy():
    """Who may attach, and how often, changes for those who attach from then on."""
    if os.geteuid() != 0:
        return

    def status():
        return harness.run(
            [PING, "--socket", plane.folder.socket, "-e", "alpha", "-c", "1", "beta"],
            user=STRANGER, group=STRANGER, extra_groups=[])

    with running() as plane:
        allowed = plane.text.replace("uid: 54321", f"uid: {STRANGER}")
        expect("policy" in status()[2], "a stranger is refused")
        changed = plane.changes("apply", "-", text=allowed)
        expect_equal([(one["path"], one["effect"]) for one in changed], [("policy", "at once")],
                     "the change")
        expect_equal(status()[::2], (0, ""), "a ping by the stranger")
        plane.do("config", "rollback")
        expect("policy" in status()[2], "a stranger is refused again")
        plane.do("config", "apply", "-",
                 text=plane.text.replace("sessions_per_uid: 32", "sessions_per_uid: 2"))
        expect("has its 2 sessions already" in ping(plane, "alpha", "beta")[2], "the limit")


def test_a_rollback_takes_back():
    with running() as plane:
        first = plane.shown()
        said = plane.refuse("FAILED_PRECONDITION", "config", "rollback")
        expect("before this one" in said, said)
        plane.do("config", "apply", "-", text=plane.text.replace("idle: 30us", "idle: 40us"))
        second = plane.shown()
        expect(first != second, "nothing has changed")
        expect_equal(plane.changes("rollback")[0]["path"], "groups.main.idle", "what changed")
        expect_equal(plane.shown(), first, "after a rollback")
        plane.do("config", "rollback")
        expect_equal(plane.shown(), second, "after another one")
        plane.check()


def test_reload():
    """By SIGHUP and by a call; a bad file changes nothing and is told of, as is one that would end
    sessions."""
    def lines(words):
        return plane.daemon.text().count(words)

    with running() as plane:
        first = plane.shown()
        plane.file.write_text(plane.text.replace("mode: spreading", "mode: dedicated"))
        plane.daemon.process.send_signal(signal.SIGHUP)
        harness.await_true(lambda: plane.groups()["main"]["mode"] == "dedicated", "it is reloaded")
        plane.check()
        for count, (wanted, bad) in enumerate((
                ("unknown key", plane.text + "nonsense: 1\n"),
                ("in no group", plane.text.replace("engines: [alpha, beta]", "engines: [alpha]")),
                ("needs a restart", plane.text.replace("memory: 128MiB", "memory: 64MiB")),
                ("has 1 session", plane.text.replace("window: 200", "window: 100"))), 1):
            plane.file.write_text(bad)
            plane.daemon.process.send_signal(signal.SIGHUP)
            harness.await_true(lambda: lines("configuration: not applied") == 2 * count - 1,
                               f"{wanted}: it is told of")
            said = plane.refuse("FAILED_PRECONDITION", "config", "reload")
            expect(wanted in said, said)
            expect(wanted in plane.daemon.text(), plane.daemon.text())
            refused = [text for _, text in plane.events("configuration_refused")]
            expect(len(refused) == 2 * count and wanted in refused[-1] and wanted in refused[-2],
                   f"both are told of: {refused}")
            expect_equal(plane.groups()["main"]["mode"], "dedicated", wanted)
        plane.file.unlink()
        expect("No such file" in plane.refuse("FAILED_PRECONDITION", "config", "reload"), "none")
        plane.file.write_text(plane.text)
        expect_equal(plane.changes("reload")[0]["new"], "spreading", "the mode")
        expect_equal(plane.shown(), first, "what runs")


def mutations(text):
    """Each line of a good configuration, in turn, without it, twice, and damaged."""
    lines = text.splitlines(keepends=True)
    for at, line in enumerate(lines):
        before, after = "".join(lines[:at]), "".join(lines[at + 1:])
        yield f"line {at + 1} is missing", before + after
        yield f"line {at + 1} stands twice", before + line + line + after
        yield f"line {at + 1} is cut", before + line[:len(line) // 2] + "\n" + after
        yield f"line {at + 1} is deeper", before + " " + line + after
        yield f"line {at + 1} has a wrong key", before + re.sub(r"(\w+):", r"\1x:", line, 1) + after
        for digits in sorted(set(re.findall(r"\d+", line))):
            for other in ("0", "-1", "7", str(2**64), digits + "9"):
                yield (f"line {at + 1} has {other} for {digits}",
                       before + line.replace(digits, other, 1) + after)
        for name in sorted({"alpha", "beta", "main", "wire-a", "spreading", "net_ring"} & set(
                re.findall(r"[\w-]+", line))):
            for other in ("beta", "gamma", "dedicated", "net_null"):
                yield (f"line {at + 1} has {other} for {name}",
                       before + line.replace(name, other, 1) + after)


def speak(channel, method, text=""):
    """A call of Configuration whose request and answer are one text each, by hand: field 1."""
    data = text.encode()
    length = len(data)
    head = b"\x0a"
    while length >= 0x80:
        head += bytes([length & 0x7f | 0x80])
        length >>= 7
    request = head + bytes([length]) + data if data else b""
    return channel.unary_unary(f"/saddle.v1.Configuration/{method}")(request, timeout=PATIENCE_S)


def test_every_line():
    """Whatever a configuration says: it runs as a whole, or what ran before does."""
    with running() as plane, grpc.insecure_channel(f"unix:{plane.path}") as channel:
        good = speak(channel, "Show")
        applied = refused = 0
        for what, text in mutations(plane.text):
            try:
                speak(channel, "Apply", text)
                applied += 1
                expect_equal(speak(channel, "Diff", text), b"", f"{what}: changes to what runs")
                plane.honest.check_progress()
                speak(channel, "Apply", plane.text)
            except grpc.RpcError as error:
                refused += 1
                expect(error.code() in (grpc.StatusCode.INVALID_ARGUMENT,
                                        grpc.StatusCode.FAILED_PRECONDITION), f"{what}: {error}")
                expect("\n" not in error.details() and len(error.details()) > 8, error.details())
            expect_equal(speak(channel, "Show"), good, f"{what}: what runs in the end")
            plane.daemon.check_alive()
        print(f"        {applied} were applied, {refused} refused", flush=True)
        expect(applied > 20 and refused > 100, f"{applied} were applied, {refused} refused")


def test_wrong_requests():
    """One line names the offender, and nothing changes."""
    with running() as plane:
        good = plane.shown()
        for code, wanted, words, text in (
                ("NOT_FOUND", 'group "none"', ["engine", "create", "-", "none"], GAMMA),
                ("NOT_FOUND", 'engine "none"', ["engine", "destroy", "none"], None),
                ("NOT_FOUND", 'engine "none"', ["engine", "move", "none", "main"], None),
                ("NOT_FOUND", 'group "none"', ["engine", "move", "alpha", "none"], None),
                ("NOT_FOUND", 'group "none"', ["group", "change", "none", "mode=dedicated"], None),
                ("NOT_FOUND", 'group "none"', ["group", "destroy", "none"], None),
                ("ALREADY_EXISTS", '"alpha"', ["engine", "create", "-", "main"],
                 "{name: alpha, port: nowhere, addresses: [10.0.0.1]}"),
                ("ALREADY_EXISTS", '"main"', ["group", "create", "-"], "name: main"),
                ("INVALID_ARGUMENT", '"nothing"', ["engine", "create", "-", "main"],
                 "{name: x, port: nothing, addresses: [10.0.0.1]}"),
                ("INVALID_ARGUMENT", "1:11: unknown key", ["engine", "create", "-", "main"],
                 "{name: x, pork: nowhere}"),
                ("INVALID_ARGUMENT", "not YAML", ["engine", "create", "-", "main"], "{"),
                ("INVALID_ARGUMENT", "not YAML", ["group", "create", "-"], "a: [\x07"),
                ("INVALID_ARGUMENT", "empty", ["group", "create", "-"], ""),
                ("INVALID_ARGUMENT", "engines", ["group", "create", "-"],
                 "{name: x, engines: [alpha]}"),
                ("INVALID_ARGUMENT", "mode", ["group", "change", "main", "mode=fast"], None),
                ("INVALID_ARGUMENT", "cpus", ["group", "change", "main", "cpus=a"], None),
                ("FAILED_PRECONDITION", "main", ["group", "change", "main", "cpus=1023"], None),
                ("FAILED_PRECONDITION", "2 engines", ["group", "destroy", "main"], None),
                ("FAILED_PRECONDITION", "1 session", ["engine", "destroy", "beta"], None)):
            said = plane.refuse(code, *words, text=text)
            expect(wanted in said, f"{words}: {said}")
            expect_equal(plane.shown(), good, f"{words}: what runs")
        plane.check()


def test_roles():
    """Who may only look changes nothing."""
    if os.geteuid() != 0:
        return
    with running() as plane:
        expect_equal(plane.ask("config", "show", user=STRANGER)[0], 0, "show, by an observer")
        for words in (["config", "apply", "-"], ["config", "rollback"], ["config", "reload"],
                      ["engine", "move", "alpha", "main"], ["group", "destroy", "main"]):
            status, output, _ = plane.ask(*words, text="", user=STRANGER)
            expect_equal((status, json.loads(output)["error"]["code"]), (1, "PERMISSION_DENIED"),
                         f"{words}")


class Manager:
    """The service manager's socket."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(PATIENCE_S)

    def hear(self, word):
        """All that is said until a message has the word."""
        said = ""
        while word not in said.rpartition("\0")[2]:
            said += "\0" + self.socket.recv(4096).decode()
        return said

    def close(self):
        self.socket.close()
        self.path.unlink()


def test_the_service_manager_is_told():
    with tempfile_folder() as folder:
        manager = Manager(folder / "notify")
        os.environ["NOTIFY_SOCKET"] = str(manager.path)
        try:
            with running() as plane:
                manager.hear("READY=1")
                for text, wanted in ((plane.text.replace("idle: 30us", "idle: 9us"), "ready: 2"),
                                     ("nonsense", "not reloaded"), (plane.text, "ready: 2")):
                    plane.file.write_text(text)
                    plane.daemon.process.send_signal(signal.SIGHUP)
                    said = manager.hear("READY=1")
                    expect(0 <= said.find("RELOADING=1") < said.find("READY=1"), said)
                    expect("MONOTONIC_USEC=" in said and wanted in said, said)
        finally:
            del os.environ["NOTIFY_SOCKET"]
            manager.close()


@contextlib.contextmanager
def tempfile_folder():
    folder = harness.Folder()
    try:
        yield folder.path
    finally:
        folder.remove()


harness.main([test_show_and_check, test_engines_move, test_a_group_changes,
              test_an_engine_comes_and_goes, test_sessions_end_only_if_they_may, test_policy,
              test_a_rollback_takes_back, test_reload, test_every_line, test_wrong_requests,
              test_roles, test_the_service_manager_is_told])
