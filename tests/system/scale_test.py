#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Twenty thousand connections on one engine: what an idle one costs, and that nothing is left.

    thousands --- alpha ===== beta --- thousands
                     `-- saddled --'

Both engines are one daemon's, so each connection has both of its ends in it.

usage: scale_test.py SADDLED THOUSANDS SADDLE_CONTROL SADDLECTL
"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys

import harness
from harness import expect, expect_equal

SADDLED, THOUSANDS, CONTROL, SADDLECTL = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
CONNECTIONS = 20000
BYTES_MAX = 512  # of the daemon's memory, for one end of an idle connection
# Questions before memory is looked at: more than there are packet buffers, receive slots and
# operations to be touched for the first time, so that what comes on top is connections' alone.
WARM_UP = 20000
# What a second round may take beyond the first: pools let an entry rest while 1024 others are used.
SECOND_ROUND_MAX = 2 * 1024 * BYTES_MAX
ENGINES = ("alpha", "beta")
# One session may have half of the places, and its part of those set aside.
CONFIG = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 128MiB
hugepages: off
ports:
  - {{name: wire-a, driver: net_ring, peer: wire-b, mtu: 5000}}
  - {{name: wire-b, driver: net_ring, peer: wire-a, mtu: 5000}}
engines:
  - {{name: alpha, port: wire-a, addresses: [10.77.0.1], connections: 40000}}
  - {{name: beta, port: wire-b, addresses: [10.77.0.2], connections: 40000}}
groups:
  - {{name: main, mode: sleep, engines: [alpha, beta]}}
policy: [{{any: true, allow: attach}}]
control: {{path: {control}, mode: "0666", program: {program}, observe: [{{any: true}}]}}
"""


class Thousands:
    """The applications, as thousands.c says."""

    def __init__(self, socket, count):
        self.process = subprocess.Popen([THOUSANDS, socket, socket, str(count)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.expect_word("ready")

    def expect_word(self, wanted):
        word = self.process.stdout.readline().strip()
        expect(word == wanted, word or self.process.stderr.read())

    def do(self, what):
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        self.expect_word("done")

    def end(self):
        _, errors = self.process.communicate(timeout=harness.PATIENCE_S)
        expect_equal((self.process.returncode, errors), (0, ""), "the applications' end")


class Plane:
    """The daemon, and operators' look at it."""

    def __init__(self, daemon, control):
        self.daemon, self.control = daemon, control

    def ask(self, *words):
        status, output, errors = harness.run(
            [SADDLECTL, "--socket", self.control, "--json", *words], stdin=subprocess.DEVNULL)
        expect_equal((status, errors), (0, ""), f"{words}")
        return json.loads(output)

    def open_connections(self, engine):
        """Handles of those that are open, page by page."""
        listed = self.ask("connection", "list", "--engine", engine)["connections"]
        return [one["handle"] for one in listed if one["state"] == "open"]

    def counters(self, engine):
        answer = self.ask("stats", "get", f"engine/{engine}")
        return {one["name"]: int(one["value"])
                for owner in answer["engines"] for one in owner["counters"]}

    def check_counts(self, connections):
        for engine in ENGINES:
            handles = self.open_connections(engine)
            expect_equal((len(handles), len(set(handles))), (connections, connections),
                         f"open connections of {engine}")
            counters = self.counters(engine)
            expect_equal((counters["connections"], counters["operations"], counters["violations"],
                          counters["peer_violations"]), (connections, 0, 0, 0),
                         f"what {engine} has")


@contextlib.contextmanager
def running():
    # A malloc that fills what it gives out would touch all of it.
    os.environ.pop("MALLOC_PERTURB_", None)
    folder = harness.Folder()
    path, control = folder.path / "saddled.yaml", folder.socket.parent / "control.sock"
    path.write_text(CONFIG.format(socket=folder.socket, control=control, program=CONTROL))
    daemon = many = None
    try:
        daemon = harness.Daemon(SADDLED, path, folder)
        many = Thousands(folder.socket, CONNECTIONS)
        yield Plane(daemon, control), many
        daemon.check_descriptors(daemon.quiet_descriptors, "the last session")
        daemon.stop()
    finally:
        for process in (many and many.process, daemon and daemon.process):
            if process and process.poll() is None:
                process.kill()
                process.communicate()
        folder.remove()


def test_twenty_thousand():
    with running() as (plane, many):
        plane.check_counts(1)
        many.do(f"one {WARM_UP}")
        resident = [plane.daemon.resident_kib()]
        for _ in range(2):
            many.do("open")
            many.do("use")
            resident.append(plane.daemon.resident_kib())
            plane.check_counts(1 + CONNECTIONS)
            many.do("close")
            plane.check_counts(1)
            many.do("one 1")
        bytes_of_one = (resident[1] - resident[0]) * 1024 / (len(ENGINES) * CONNECTIONS)
        # Whoever leaves without a word leaves nothing.
        many.do("open")
        many.end()
        harness.await_true(
            lambda: all(plane.counters(engine)["connections"] == 0 for engine in ENGINES),
            "all connections are gone")
        print(f"{bytes_of_one:.0f} bytes for one end of an idle connection; resident: {resident}")
        if harness.has_shadow(SADDLED):
            return
        expect(0 < bytes_of_one <= BYTES_MAX, f"{bytes_of_one} bytes for one end of a connection")
        expect((resident[2] - resident[1]) * 1024 <= len(ENGINES) * SECOND_ROUND_MAX,
               f"KiB resident at first, with connections, and with others again: {resident}")


harness.main([test_twenty_thousand])
