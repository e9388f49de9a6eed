#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Twenty thousand connections on one engine: what an idle one costs, and that nothing is left.

    thousands --- alpha ===== beta --- thousands
                     `-- saddled --'

Both engines are one daemon's, so each connection has both of its ends in it. With a KIND of port,
two daemons on hosts of their own, with a link between them that loses packets. Needs root then.

usage: scale_test.py SADDLED THOUSANDS SADDLE_CONTROL SADDLECTL [KIND]
"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys

import harness
import hosts
import netns
from harness import expect, expect_equal

SADDLED, THOUSANDS, CONTROL, SADDLECTL = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
KIND = hosts.KINDS[sys.argv[5]] if sys.argv[5:] else None
CONNECTIONS = 20000
PLACES = 2 * CONNECTIONS  # one session may have half of them, and its part of those set aside
BYTES_MAX = 512  # of the daemon's memory, for one end of an idle connection
# Questions before memory is looked at: more than there are receive slots and operations to be
# touched for the first time, so that what comes on top is connections' alone.
WARM_UP = 20000
# What a second round may take beyond the first: pools let an entry rest while 1024 others are used.
SECOND_ROUND_MAX = 2 * 1024 * BYTES_MAX
ENGINES = ("alpha", "beta")
CONFIG = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 128MiB
hugepages: off
ports:
  - {{name: wire-a, driver: net_ring, peer: wire-b, mtu: 5000}}
  - {{name: wire-b, driver: net_ring, peer: wire-a, mtu: 5000}}
engines:
  - {{name: alpha, port: wire-a, addresses: [10.77.0.1], connections: {places}}}
  - {{name: beta, port: wire-b, addresses: [10.77.0.2], connections: {places}}}
groups:
  - {{name: main, mode: compacting, threads: 1, engines: [alpha, beta]}}
policy: [{{any: true, allow: attach}}]
control: {{path: {control}, mode: "0666", program: {program}, observe: [{{any: true}}]}}
""".replace("spreading", harness.MODE)


class Thousands:
    """The applications, as thousands.c says."""

    def __init__(self, left, right, count):
        self.process = subprocess.Popen([THOUSANDS, left, right, str(count)], text=True,
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

    def __init__(self, daemon, control, engines):
        self.daemon, self.control, self.engines = daemon, control, engines

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
        for engine in self.engines:
            handles = self.open_connections(engine)
            expect_equal((len(handles), len(set(handles))), (connections, connections),
                         f"open connections of {engine}")
            counters = self.counters(engine)
            expect_equal((counters["connections"], counters["operations"], counters["violations"],
                          counters["peer_violations"]), (connections, 0, 0, 0),
                         f"what {engine} has")


@contextlib.contextmanager
def applications(left, right):
    many = Thousands(left, right, CONNECTIONS)
    try:
        yield many
    finally:
        if many.process.poll() is None:
            many.process.kill()
            many.process.communicate()


@contextlib.contextmanager
def one_daemon():
    folder = harness.Folder()
    path, control = folder.path / "saddled.yaml", folder.socket.parent / "control.sock"
    path.write_text(CONFIG.format(socket=folder.socket, control=control, program=CONTROL,
                                  places=PLACES))
    daemon = None
    try:
        daemon = harness.Daemon(SADDLED, path, folder)
        with applications(folder.socket, folder.socket) as many:
            yield [Plane(daemon, control, ENGINES)], many
        daemon.check_descriptors(daemon.quiet_descriptors, "the last session")
        daemon.stop()
    finally:
        if daemon:
            daemon.kill()
        folder.remove()


@contextlib.contextmanager
def two_daemons():
    netns.require()
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network, program=CONTROL, port="impair: {loss: 1%}",
                          engine=f"connections: {PLACES}") as (left, right), \
            applications(left.socket, right.socket) as many:
        yield [Plane(host.daemon, host.control, (engine,))
               for host, engine in zip((left, right), ENGINES)], many


def test_twenty_thousand():
    # A malloc that fills what it gives out would touch all of it.
    os.environ.pop("MALLOC_PERTURB_", None)
    with two_daemons() if KIND else one_daemon() as (planes, many):
        def check_counts(connections):
            for plane in planes:
                plane.check_counts(connections)

        def resident_kib():
            """Of memory of their own, where the tables are. How much of an arena was touched
            depends on how far an application ran ahead."""
            return sum(plane.daemon.resident_kib("RssAnon") for plane in planes)

        check_counts(1)
        many.do(f"one {WARM_UP}")
        resident = [resident_kib()]
        for _ in range(2):
            many.do("open")
            many.do("use")
            resident.append(resident_kib())
            check_counts(1 + CONNECTIONS)
            many.do("close")
            check_counts(1)
            many.do("one 1")
        bytes_of_one = (resident[1] - resident[0]) * 1024 / (len(ENGINES) * CONNECTIONS)
        # Whoever leaves without a word leaves nothing.
        many.do("open")
        many.end()
        harness.await_true(
            lambda: all(plane.counters(engine)["connections"] == 0
                        for plane in planes for engine in plane.engines),
            "all connections are gone")
        print(f"{bytes_of_one:.0f} bytes for one end of an idle connection; resident: {resident}")
        if harness.has_shadow(SADDLED):
            return
        expect(0 < bytes_of_one <= BYTES_MAX, f"{bytes_of_one} bytes for one end of a connection")
        expect((resident[2] - resident[1]) * 1024 <= len(ENGINES) * SECOND_ROUND_MAX,
               f"KiB resident at first, with connections, and with others again: {resident}")


harness.main([test_twenty_thousand])
