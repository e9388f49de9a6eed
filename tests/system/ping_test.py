#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""saddle-ping, between the two hosts of one daemon.

    saddle-ping --- [alpha] ===== [beta]

usage: ping_test.py SADDLED SADDLE_PING
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import harness

SADDLED, PING = (pathlib.Path(word) for word in sys.argv[1:3])
HOSTS = {"10.77.0.2": 4924, "fd77::2": 4904}  # both are beta, and the largest ping at MTU 5000
SOME, USAGE, UNREACHED = 1, 2, 3  # exit statuses
STRANGER = 12345  # a user id that is nobody's

PACKETS = re.compile(r"(\d+) packets, (\d+) sent again \(\d+\.\d %\)")
LINE = re.compile(r"(\d+): (\d+\.\d) us(, after HELLO)?")
TRIPS = re.compile(r"round trip min/avg/max/p99 = ([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+) us")


@contextlib.contextmanager
def running(*changes):
    """A daemon whose configuration differs from the usual one by these (old, new)."""
    folder = harness.Folder()
    daemon = None
    try:
        config = folder.config()
        text = config.read_text()
        for old, new in changes:
            harness.expect_equal(text.count(old), 1, f"places of {old!r}")
            text = text.replace(old, new)
        config.write_text(text)
        daemon = harness.Daemon(SADDLED, config, folder)
        yield daemon
        daemon.check_descriptors(daemon.quiet_descriptors, "the last session")
        daemon.stop()
    finally:
        if daemon:
            daemon.kill()
        folder.remove()


def ping(daemon, *words, **options):
    return harness.run([PING, "--socket", daemon.folder.socket, "--engine", "alpha", *words],
                       stdin=subprocess.DEVNULL, **options)


def ping_json(daemon, *words):
    status, output, errors = ping(daemon, "--json", *words)
    harness.expect_equal(errors, "", f"errors of {words}")
    harness.expect_equal(output.count("\n"), 1, f"lines of {words}")
    return status, json.loads(output)


def check_trips(least, mean, most, p99):
    harness.expect(0 < least <= mean <= most and least <= p99 <= most,
                   f"round trips {least}, {mean}, {most}, {p99}")


def check_packets(packets, again, pings):
    """A busy machine asks for signs of life, and sends again what is merely late."""
    harness.expect(pings <= packets <= 10 * pings and again <= 10 * pings,
                   f"{packets} packets, {again} sent again")


def answered():
    with running() as daemon:
        for host, most in HOSTS.items():
            status, output, errors = ping(daemon, "-c", "3", "-i", "0.001", host)
            harness.expect_equal((status, errors), (0, ""), f"ping of {host}")
            lines = output.splitlines()
            harness.expect_equal(
                lines[0], f"{host} ({host}): 56 bytes of at most {most}, MTU 5000, wire version 2, "
                "ABI version 3, saddle 0.1.0", "the first line")
            for number, line in enumerate(lines[1:4], 1):
                found = LINE.fullmatch(line)
                harness.expect(found and int(found[1]) == number, f"line {number}: {line}")
                harness.expect_equal(bool(found[3]), number == 1, f"HELLO in line {number}")
            harness.expect_equal(lines[4], "3 pings, 3 answered, 0 not (0.0 %)", "the summary")
            check_packets(*(int(word) for word in PACKETS.fullmatch(lines[5]).groups()), 3)
            check_trips(*(float(word) for word in TRIPS.fullmatch(lines[6]).groups()))
            harness.expect_equal(len(lines), 7, "lines")
        status, output, _ = ping(daemon, "-q", "-c", "2", "-i", "0.001", "beta")
        harness.expect_equal((status, len(output.splitlines())), (0, 4), "quietly")
        harness.expect(output.startswith("beta (10.77.0.2): "), output)


def as_json():
    with running() as daemon:
        for host, most in HOSTS.items():
            status, said = ping_json(daemon, "-c", "5", "-i", "0.001", "-s", str(most), host)
            trips = said.pop("round_trip_us")
            check_trips(trips["min"], trips["avg"], trips["max"], trips["p99"])
            check_packets(said.pop("packets"), said.pop("packets_sent_again"), 5)
            harness.expect_equal(
                (status, said),
                (0, {"host": host, "address": host, "unreachable": None, "error": None,
                     "saddle": "0.1.0", "abi": 3, "wire": 2, "mtu": 5000, "payload": most,
                     "payload_max": most, "pings": 5, "answered": 5}), f"ping of {host}")


def sizes():
    with running() as daemon:
        for host, most in HOSTS.items():
            for size in (0, 1, 1000, most):
                status, output, _ = ping(daemon, "-c", "1", "-s", str(size), host)
                harness.expect_equal(status, 0, f"{size} bytes to {host}: {output}")
            for size in (most + 1, 65535):
                status, output, errors = ping(daemon, "-c", "3", "-s", str(size), host)
                harness.expect_equal((status, errors), (SOME, ""), f"{size} bytes to {host}")
                harness.expect(f"1: {size} bytes do not fit into one packet: at MTU 5000 a ping "
                               f"carries at most {most}\n1 pings, 0 answered" in output, output)
                status, said = ping_json(daemon, "-c", "3", "-s", str(size), host)
                harness.expect_equal((status, said["answered"], said["unreachable"]),
                                     (SOME, 0, None), "as JSON")
                harness.expect("do not fit" in said["error"], said["error"])


def lossy():
    """Every ping is answered, and the loss is told."""
    loss = ("peer: wire-b, mtu: 5000", "peer: wire-b, mtu: 5000, impair: {loss: 20%, seed: 7}")
    with running(loss) as daemon:
        status, said = ping_json(daemon, "-c", "100", "-i", "0.001", "beta")
        harness.expect_equal((status, said["answered"]), (0, 100), "pings")
        harness.expect(said["packets"] >= 100, "packets of the flow")
        harness.expect(5 <= said["packets_sent_again"],
                       f"{said['packets_sent_again']} packets sent again")


def interrupted():
    with running() as daemon:
        for which in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen(
                [PING, "--socket", daemon.folder.socket, "-e", "alpha", "-i", "3600", "beta"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                first = [process.stdout.readline() for _ in range(2)]
                process.send_signal(which)
                output, errors = process.communicate(timeout=harness.PATIENCE_S)
            finally:
                process.kill()
            harness.expect(first[1].startswith("1: "), f"the first ping: {first}")
            harness.expect_equal((process.returncode, errors), (0, ""), "the end")
            harness.expect(output.startswith("1 pings, 1 answered"), output)


def unreachable():
    """Each reason in one line, and in JSON."""
    ghost = ("10.77.0.1, 'fd77::1']", "10.77.0.1, 'fd77::1'], hello_timeout: 50ms, udp_port: 7777, "
             "peers: [{name: ghost, address: 10.77.0.9, mac: '02:00:00:00:00:99'}]")
    with running(ghost) as daemon:
        def why(host, reason):
            line = f"{host} cannot be reached: {reason}"
            status, output, errors = ping(daemon, "-c", "3", host)
            harness.expect_equal((status, output, errors),
                                 (UNREACHED, "", f"saddle-ping: {line}\n"), host)
            status, said = ping_json(daemon, "-c", "3", host)
            harness.expect_equal((status, said["unreachable"], said["pings"], said["answered"]),
                                 (UNREACHED, line, 1, 0), f"{host} as JSON")

        why("ghost", "10.77.0.9 does not answer: no saddled is there, or a firewall drops UDP port "
            "7777")
        why("nobody", "it is neither an address nor a name that the daemon knows")
        why("10.99.0.1", "10.99.0.1 is not a host that this engine can speak to")
        # Sooner than the engine gives up.
        status, _, errors = ping(daemon, "-c", "1", "-W", "0.001", "ghost")
        harness.expect_equal((status, errors.count("\n")), (UNREACHED, 1), errors)


def no_session():
    """The daemon is not there, knows no such engine, or goes away."""
    with running() as daemon:
        status, output, errors = harness.run([PING, "--socket", "/nonexistent/socket", "beta"])
        harness.expect_equal((status, output, errors),
                             (UNREACHED, "", "saddle-ping: /nonexistent/socket: no such socket; is "
                              "saddled running?\n"), "no daemon")
        status, _, errors = harness.run([PING, "--socket", daemon.folder.socket, "-e", "gamma",
                                         "beta"])
        harness.expect_equal((status, errors.count("\n")), (UNREACHED, 1), errors)
        harness.expect("gamma" in errors, errors)
        if os.geteuid() == 0:
            status, _, errors = ping(daemon, "beta", user=STRANGER, group=STRANGER,
                                     extra_groups=[])
            harness.expect_equal((status, errors.count("\n")), (UNREACHED, 1), errors)
            harness.expect("policy" in errors and str(STRANGER) in errors, errors)
    folder = harness.Folder()
    daemon = harness.Daemon(SADDLED, folder.config(), folder)
    try:
        process = subprocess.Popen(
            [PING, "--socket", folder.socket, "-e", "alpha", "-i", "3600", "beta"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2):
            process.stdout.readline()
        daemon.stop()
        _, errors = process.communicate(timeout=harness.PATIENCE_S)
        harness.expect_equal((process.returncode, errors.count("\n")), (UNREACHED, 1), errors)
        harness.expect(errors.startswith("saddle-ping: "), errors)
    finally:
        process.kill()
        daemon.kill()
        folder.remove()


harness.main([answered, as_json, sizes, lossy, interrupted, unreachable, no_session])
