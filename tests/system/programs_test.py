#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The example programs and saddle-cat, between the two hosts of one daemon.

    caller --- [alpha] ===== [beta] --- server

usage: programs_test.py SADDLED SADDLE_CAT HELLO ECHO COPY
"""
import os
import pathlib
import random
import signal
import subprocess
import sys

import harness

SADDLED, CAT, HELLO, ECHO, COPY = (pathlib.Path(word) for word in sys.argv[1:6])
HOSTS = ("10.77.0.2", "fd77::2")  # both are beta
UNREACHED = 3  # exit status of saddle-cat


def environment(folder, engine):
    return dict(os.environ, SADDLE_SOCKET=str(folder.socket), SADDLE_ENGINE=engine)


class Server:
    """A program on beta."""

    def __init__(self, daemon, command):
        self.folder = daemon.folder
        self.output = self.folder.path / "server.out"
        self.errors = self.folder.path / "server.err"
        with open(self.output, "wb") as output, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=errors, env=environment(self.folder, "beta"))

    def end(self):
        """Its exit status, output and errors, once it has ended by itself."""
        try:
            self.process.wait(harness.PATIENCE_S)
        finally:
            self.kill()
        return self.process.returncode, self.output.read_bytes(), self.errors.read_text()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def call(daemon, command, given=b""):
    """Runs a program on alpha; again as long as nobody listens yet."""
    results = []

    def answered():
        result = subprocess.run([str(word) for word in command], input=given, check=False,
                                capture_output=True, timeout=harness.PATIENCE_S,
                                env=environment(daemon.folder, "alpha"))
        results.append((result.returncode, result.stdout, result.stderr.decode()))
        return "Connection refused" not in results[-1][2]

    harness.await_true(answered, f"somebody answers {command}")
    return results[-1]


def some_bytes(count):
    return random.Random(count).randbytes(count)


def hello():
    with harness.running(SADDLED) as (daemon, _):
        for host in HOSTS:
            server = Server(daemon, [HELLO])
            harness.expect_equal(call(daemon, [HELLO, host]), (0, b"sent\n", ""),
                                 "caller")
            harness.expect_equal(server.end(), (0, b"Hello, world\n", ""), "server")


def echo():
    words = ["a", "several words", "x" * 64, "y" * 65, "z" * 16384]
    with harness.running(SADDLED) as (daemon, _):
        server = Server(daemon, [ECHO, "echo"])
        try:
            for host in HOSTS:
                status, output, errors = call(daemon, [ECHO, host, "echo", *words])
                harness.expect_equal((status, errors), (0, ""), "caller")
                harness.expect_equal(output.decode().split("\n"), [*words, ""], "echo")
        finally:
            server.kill()


def copy():
    with harness.running(SADDLED) as (daemon, _):
        source = daemon.folder.path / "source"
        target = daemon.folder.path / "target"
        for size in (0, 1, 16384, 16385, 1 << 20, (1 << 20) + 1, (12 << 20) + 12345):
            source.write_bytes(some_bytes(size))
            server = Server(daemon, [COPY, "file", target])
            harness.expect_equal(call(daemon, [COPY, HOSTS[0], "file", source]),
                                 (0, b"", ""), f"sending {size} bytes")
            harness.expect_equal(server.end(), (0, b"", ""), f"receiving {size} bytes")
            harness.expect(source.read_bytes() == target.read_bytes(), f"{size} bytes differ")


def cat_carries_everything():
    with harness.running(SADDLED) as (daemon, _):
        for size in (0, 1, 64, 65, 16384, 16385, (8 << 20) + 777):
            given = some_bytes(size)
            server = Server(daemon, [CAT, "--listen", "pipe"])
            harness.expect_equal(call(daemon, [CAT, HOSTS[size % 2], "pipe"], given),
                                 (0, b"", ""), f"sending {size} bytes")
            status, output, errors = server.end()
            harness.expect_equal((status, errors), (0, ""), f"receiving {size} bytes")
            harness.expect(output == given, f"{size} bytes differ")


def cat_reports_a_killed_sender():
    with harness.running(SADDLED) as (daemon, _):
        server = Server(daemon, [CAT, "--listen", "pipe"])
        sender = None

        def connected():
            nonlocal sender
            sender = subprocess.Popen([CAT, HOSTS[0], "pipe"], stdin=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL,
                                      env=environment(daemon.folder, "alpha"))
            sender.stdin.write(b"half a sentence")
            sender.stdin.flush()
            harness.await_true(lambda: server.output.stat().st_size > 0
                               or sender.poll() is not None, "the first bytes")
            return sender.poll() is None

        harness.await_true(connected, "the sender is connected")
        sender.send_signal(signal.SIGKILL)
        sender.communicate()
        harness.expect_equal(server.end(), (1, b"half a sentence",
                             "saddle-cat: receiving: Connection reset by peer\n"), "receiver")


def cat_reports_a_receiver_that_goes():
    with harness.running(SADDLED) as (daemon, _):
        with open("/dev/full", "wb") as full:
            server = subprocess.Popen([CAT, "--listen", "pipe"], stdin=subprocess.DEVNULL,
                                      stdout=full, stderr=subprocess.PIPE,
                                      env=environment(daemon.folder, "beta"))
        status, _, errors = call(daemon, [CAT, HOSTS[0], "pipe"], some_bytes(64 << 20))
        # By a message that was under way, or the first one after it.
        harness.expect((status, errors) in [
            (1, f"saddle-cat: sending: {why}\n") for why in (
                "Connection reset by peer", "Transport endpoint is not connected")],
            f"sender: {status}, {errors}")
        _, errors = server.communicate(timeout=harness.PATIENCE_S)
        harness.expect_equal((server.returncode, errors),
                             (1, b"saddle-cat: standard output: No space left on device\n"),
                             "receiver")


def cat_says_what_cannot_be_reached():
    with harness.running(SADDLED) as (daemon, _):
        def say(*words):
            status, output, errors = harness.run([CAT, *words],
                                                 env=environment(daemon.folder, "alpha"),
                                                 stdin=subprocess.DEVNULL)
            harness.expect_equal((status, output), (UNREACHED, ""), f"{words}: {errors}")
            return errors

        harness.expect_equal(
            say(HOSTS[0], "nobody"),
            "saddle-cat: 10.77.0.2: connecting to nobody of 10.77.0.2: Connection refused\n",
            "no such service")
        harness.expect("No route to host" in say("nowhere", "pipe"), "no such host")
        harness.expect("gamma" in say("--engine", "gamma", HOSTS[0], "pipe"), "no such engine")
        server = Server(daemon, [ECHO, "pipe"])
        try:
            call(daemon, [ECHO, HOSTS[0], "pipe", "ready"])
            harness.expect("Address already in use" in say("-e", "beta", "--listen", "pipe"),
                           "a service offered twice")
        finally:
            server.kill()


harness.main([hello, echo, copy, cat_carries_everything, cat_reports_a_killed_sender,
              cat_reports_a_receiver_that_goes, cat_says_what_cannot_be_reached])
