#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts with two engines each, in different groups, that share a port.

    sessions --- [alpha0] --+                       +-- [beta0] --- sessions
                            +-- [alpha] === [beta] -+
    sessions --- [alpha1] --+                       +-- [beta1] --- sessions

One daemon with a wire in it, or two over real ports of a KIND, for which it needs root.

usage: engines_test.py SADDLED VICTIM RIGHTS_CLIENT [KIND SADDLE_PING]
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
from rights import Application, applications

SADDLED, VICTIM, CLIENT = (pathlib.Path(word) for word in sys.argv[1:4])
KIND = hosts.KINDS[sys.argv[4]] if len(sys.argv) > 4 else None
PING = pathlib.Path(sys.argv[5]) if KIND else None

PAIRS = 4       # of applications that exchange
EXCHANGES = 40  # every size of message, and every operation on memory, in both directions
LONER, OTHER = 12350, 12351  # users
ABSENT = ("10.77.0.200", "fd77::200")
UNREACHED = 3   # exit status of saddle-ping
MEMBERS = ("alpha0", "alpha1", "beta0", "beta1")

WIRE = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 128MiB
hugepages: off
ports:
  - {{name: wire-a, driver: net_ring, peer: wire-b, mtu: 5000}}
  - {{name: wire-b, driver: net_ring, peer: wire-a, mtu: 5000}}
engines:
  - {{name: alpha, kind: steer, port: wire-a}}
  - {{name: alpha0, port: wire-a, addresses: [10.77.0.1, 'fd77::1']}}
  - {{name: alpha1, port: wire-a, addresses: [10.77.0.1, 'fd77::1'], udp_port: 50708}}
  - {{name: beta, kind: steer, port: wire-b}}
  - {{name: beta0, port: wire-b, addresses: [10.77.0.2, 'fd77::2']}}
  - {{name: beta1, port: wire-b, addresses: [10.77.0.2, 'fd77::2'], udp_port: 50710}}
groups:
  - {{name: one, mode: spreading, engines: [alpha, alpha0, beta1]}}
  - {{name: two, mode: spreading, engines: [beta, alpha1, beta0]}}
policy:
  - {{uid: {loner}, allow: all, engines: exclusive}}
  - {{uid: {other}, allow: all}}
""".replace("spreading", harness.MODE)
REAL = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 64MiB
hugepages: off
ports: [{{name: eth, {port}}}]
engines:
  - {{name: {name}, kind: steer, port: eth}}
  - name: {name}0
    port: eth
    {addresses}
    peers: [{peers}]
    {times}
  - name: {name}1
    port: eth
    {addresses}
    peers: [{peers}]
    udp_port: 50708
    {times}
groups:
  - {{name: one, mode: spreading, engines: [{name}, {name}0]}}
  - {{name: two, mode: spreading, engines: [{name}1]}}
""".replace("spreading", harness.MODE)


class Shared(hosts.Host):
    """A daemon whose host has two engines."""

    def config(self, times="dead_after: 5s"):
        path = self.folder.path / "saddled.yaml"
        path.write_text(REAL.format(
            socket=self.socket, name=hosts.ENGINES[self.index],
            port=self.kind.port(self.index, self.network),
            addresses=self.kind.engine(self.index, self.network),
            peers=self.kind.peers(self.network)[1 - self.index], times=times))
        return path

    def start(self):
        self.daemon = harness.Daemon(self.saddled, self.config(**self.options), self.folder,
                                     ["--stats-file", self.folder.path / "stats.json"],
                                     space=self.space)

    def counters(self):
        return json.loads((self.folder.path / "stats.json").read_text())["engines"]


def refused(socket, engine, uid=None):
    """Why an application may not attach."""
    application = Application(CLIENT, socket, engine, uid)
    application.kill()
    expect(application.attached.startswith("attach: E"), application.attached)
    return application.attached.removeprefix("attach: ")


@contextlib.contextmanager
def wire():
    """One daemon; its engines' counters are in `counters` after the block."""
    folder = harness.Folder()
    daemon = None
    try:
        path = folder.path / "saddled.yaml"
        path.write_text(WIRE.format(socket=folder.socket, loner=LONER, other=OTHER))
        stats = folder.path / "stats.json"
        daemon = harness.Daemon(SADDLED, path, folder, ["--stats-file", stats])
        daemon.counters = {}
        yield daemon
        daemon.check_alive()
        daemon.check_descriptors(daemon.quiet_descriptors, "the last session")
        daemon.stop()
        daemon.counters.update(json.loads(stats.read_text())["engines"])
    finally:
        if daemon:
            daemon.kill()
        folder.remove()


@contextlib.contextmanager
def exchanging(socket, other=None, pairs=PAIRS):
    """Applications on both hosts that exchange, every byte compared; each pair has a service."""
    made = []
    try:
        for number in range(pairs):
            arguments = ["--service", f"service{number}", *(["--other", other] if other else [])]
            made.append(harness.Victim(VICTIM, socket, arguments=arguments))
        yield made
        for honest in made:
            honest.stop()
    finally:
        for honest in made:
            honest.kill()


def check_counters(counters):
    """All engines had sessions and traffic, nothing went astray, and callers were sent on."""
    for name in MEMBERS:
        for counter in ("commands", "rx_packets", "tx_packets", "message_bytes_received"):
            expect(counters[name][counter] > EXCHANGES, f"{name}: {counter} in {counters[name]}")
        expect_equal((counters[name]["rx_malformed"], counters[name]["rx_bad_crc"],
                      counters[name]["flows_ended"]), (0, 0, 0), f"{name}: wrong packets")
    for name in hosts.ENGINES:
        steer = counters[name]
        members = [counters[member] for member in MEMBERS if member.startswith(name)]
        expect_equal(steer["rx_full"], 0, f"{name}: packets dropped")
        # Some ports hear what is the kernel's.
        expect(KIND or steer["rx_strays"] == 0, f"{name}: {steer['rx_strays']} strays")
        # What was on its way at the end was counted once.
        received = steer["rx_packets"] - steer["rx_strays"] + steer["rx_for_all"]
        expect(received >= sum(member["rx_packets"] for member in members), f"{name}: received")
        expect(steer["tx_packets"] <= sum(member["tx_packets"] for member in members),
               f"{name}: sent")
        expect(min(received, steer["tx_packets"]) > EXCHANGES, f"{name}: {steer}")
    sent_on = sum(counters[name]["callers_sent_on"] for name in MEMBERS)
    expect(sent_on > 0, "a caller was sent on")
    expect_equal(sum(counters[name]["calls_sent_on"] for name in MEMBERS), sent_on, "and went")


def test_sessions_spread_over_the_engines():
    with wire() as daemon:
        with exchanging(daemon.folder.socket) as pairs:
            for honest in pairs:
                honest.check_progress(EXCHANGES)
    check_counters(daemon.counters)


def test_a_service_is_one_engines():
    with wire() as daemon:
        with applications(CLIENT, daemon.folder.socket, ("alpha0",), ("alpha1",), ("beta0",),
                          ("beta1",)) as (alpha0, alpha1, beta0, beta1):
            alpha1.may("listen here")
            expect(alpha0.ask("listen here").startswith("EADDRINUSE"), "a name is used once")
            beta0.may("listen here")
            alpha0.may("listen there")
            for caller in (beta0, beta1):
                caller.call("alpha", "here", alpha1)
                caller.call("alpha", "there", alpha0)
                expect(caller.ask("connect alpha nowhere").startswith("ECONNREFUSED"), "nobody")
            for caller in (alpha0, alpha1):
                caller.call("beta", "here", beta0)
            alpha1.stop()
            harness.await_true(lambda: alpha0.ask("listen here") == "0", "the name is free")
            beta1.call("alpha", "here", alpha0)


def test_exclusive_sessions():
    with wire() as daemon:
        socket = daemon.folder.socket
        with applications(CLIENT, socket, ("alpha", LONER), ("alpha", LONER)) as (first, _):
            for engine in ("alpha", "alpha0", "alpha1"):
                for uid in (None, OTHER, LONER):
                    why = refused(socket, engine, uid)
                    expect(why.startswith("EBUSY: attach: "), why)
            with applications(CLIENT, socket, ("beta", OTHER), ("beta0", OTHER), ("beta", OTHER)):
                expect("policy wants" in refused(socket, "beta", LONER), "all have sessions")
            first.stop()

            def attaches():
                application = Application(CLIENT, socket, "alpha", OTHER)
                free = application.attached == "attach: 0"
                if free:
                    application.stop()
                else:
                    application.kill()
                return free

            harness.await_true(attaches, "the engine is free again")
        with applications(CLIENT, socket, ("alpha", OTHER), ("alpha", LONER)) as (shared, alone):
            shared.may("listen one")
            alone.may("listen two")
            expect(refused(socket, "alpha", LONER).startswith("EBUSY"), "none is left")
            with applications(CLIENT, socket, ("alpha", OTHER), ("alpha", OTHER)):
                pass


@contextlib.contextmanager
def real(counters, **options):
    """Two daemons over real ports; their engines' counters are in `counters` after the block."""
    made = []
    with netns.network(KIND.network) as network:
        try:
            for index in range(len(hosts.ENGINES)):
                made.append(Shared(SADDLED, KIND, network, index, **options))
            yield made
            for host in made:
                host.daemon.check_alive()
                host.daemon.stop()
                counters.update(host.counters())
        except harness.Failure as failure:
            logs = "\n".join(host.daemon.text() for host in made if host.daemon)
            raise harness.Failure(f"{failure}\n{logs}") from failure
        finally:
            for host in made:
                host.remove()


def test_real_ports():
    counters = {}
    with real(counters) as (left, right):
        with exchanging(left.socket, right.socket) as pairs:
            for honest in pairs:
                honest.check_progress(EXCHANGES)
    check_counters(counters)


def test_every_engine_finds_hosts():
    """Each engine of a host finds who is on its link, and says who is not there."""
    with real({}) as (left, right):
        for name in ("alpha0", "alpha1"):
            def ping(address, name=name):
                return harness.run([PING, "-c", "3", "-e", name, address],
                                   env=left.environment(), stdin=subprocess.DEVNULL)

            for address in (right.address, right.address6):
                status, _, errors = ping(address)
                expect_equal(status, 0, f"{name}: {address}: {errors}")
            for address in ABSENT:
                status, output, errors = ping(address)
                expect_equal((status, output), (UNREACHED, ""), f"{name}: {address}")
                expect(f"cannot be reached: {hosts.NOBODY_THERE}" in errors, f"{name}: {errors}")


def test_a_daemon_killed_and_started_again():
    """Engines that call hear of it at once, not only by silence: dead_after is longer than a
    test may take."""
    with real({}, times="dead_after: 600s") as (left, right):
        with exchanging(left.socket, right.socket, pairs=2) as pairs:
            for honest in pairs:
                honest.check_progress(EXCHANGES)
            right.daemon.kill()
            right.start()
            for honest in pairs:
                honest.end()
                honest.kill()
            pairs.clear()

        def served():
            try:
                with exchanging(left.socket, right.socket, pairs=2) as again:
                    for honest in again:
                        honest.check_progress(EXCHANGES)
                return True
            except harness.Failure as failure:
                expect("connect:" in str(failure), str(failure))
                return False

        harness.await_true(served, "calls succeed")


def main():
    if KIND:
        harness.main([test_real_ports, test_every_engine_finds_hosts,
                      test_a_daemon_killed_and_started_again])
    tests = [test_sessions_spread_over_the_engines, test_a_service_is_one_engines]
    harness.main(tests + ([test_exclusive_sessions] if os.geteuid() == 0 else []))


if __name__ == "__main__":
    main()
