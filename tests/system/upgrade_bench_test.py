#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""saddle-bench upgrade: daemons are replaced again and again, and what it writes says that nothing
was lost, came twice, was out of order or failed. However it ends, nothing is left. How long
anything took is not looked at.

    applications ---- saddle-bench ---- its daemons, one after the other

usage: upgrade_bench_test.py SADDLED SADDLE_BENCH SADDLE_CONTROL SADDLECTL PORT COUNT
PORT is net_ring, and both hosts in one daemon, or xdp, which takes root.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import benches
import harness
import netns
from harness import expect, expect_equal

SADDLED, BENCH, CONTROL, SADDLECTL = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
PORT, COUNT = sys.argv[5], int(sys.argv[6])
LOCAL = ["--local"] if PORT == "net_ring" else []
CONNECTIONS = 100
BUSY_MAX = 100  # of the connections
FEW = 5  # of each, where they are not what is looked at
MANY = 1000  # connections
KEYS = ["upgrades", "lost", "duplicated", "reordered", "application_errors", "blackout_ms",
        "blackouts_ms", "brownout_ms", "state_bytes", "prober_us", "packets_missed",
        "retransmissions", "messages", "operations", "connections", "port"]
TABLE = ["hand-overs", "blackout, ms", "brownout, ms", "prober, us", "state, bytes",
         "lost 0, duplicated 0", "packets missed"]
# For many hand-overs, on a machine with much else to do.
PATIENCE_S = (10 + COUNT // 10) * harness.PATIENCE_S


class Place(benches.Place):
    """Where one run keeps its files, and by which its processes are told."""
    patience_s = PATIENCE_S

    def __init__(self):
        super().__init__(0o777)

    def start(self, *arguments, saddled=SADDLED, user=None):
        command = [BENCH, "upgrade", "--saddled", saddled, "--control", CONTROL,
                   "--saddlectl", SADDLECTL, *arguments]
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True, user=user, group=user,
            extra_groups=[] if user is not None else None,
            env={**os.environ, "TMPDIR": str(self.path)})
        return self.process


def check_times(times, keys):
    expect_equal(list(times), keys, "quantiles")
    values = list(times.values())
    expect(values == sorted(values) and values[0] > 0, f"quantiles: {times}")


def check_document(made, count, connections):
    expect_equal(list(made), KEYS, "keys")
    expect_equal([made[key] for key in KEYS[:5]], [count, 0, 0, 0, 0], "what was harmed")
    check_times(made["blackout_ms"], ["p50", "p99", "max"])
    every = made["blackouts_ms"]
    expect_equal((len(every), every), (count, sorted(every)), "blackouts")
    expect_equal(every[-1], made["blackout_ms"]["max"], "the longest blackout")
    check_times(made["brownout_ms"], ["p50", "max"])
    expect(made["state_bytes"] > 0, "no state went over")
    expect_equal(list(made["prober_us"]), ["normal", "brownout"], "the prober's phases")
    for phase in made["prober_us"].values():
        check_times(phase, ["p50", "p99"])
    expect_equal(made["packets_missed"] is None, bool(LOCAL), "whether the port counts them")
    expect(not made["packets_missed"], f"{made['packets_missed']} packets missed")
    # Between two hand-overs each busy connection has a turn, of several messages and operations.
    busy = min(connections, BUSY_MAX)
    for what in ("messages", "operations"):
        expect(made[what] >= count * busy, f"{what}: {made[what]}")
    expect_equal((made["connections"], made["port"]), (connections, PORT), "what it was of")


def test_nothing_is_harmed():
    with Place() as at:
        status, out, errors = at.run(*LOCAL, "--json", "--count", COUNT)
    expect_equal((status, errors), (0, ""), out)
    check_document(json.loads(out), COUNT, CONNECTIONS)


def test_two_builds():
    """Here the other one is a copy; and fewer connections than have a turn at a time."""
    with Place() as at, tempfile.TemporaryDirectory() as folder:
        heir = pathlib.Path(folder, "heir")
        shutil.copy(SADDLED, heir)
        status, out, errors = at.run(*LOCAL, "--json", "--count", 2, "--connections", FEW,
                                     "--heir", heir)
        expect_equal((status, errors), (0, ""), out)
        check_document(json.loads(out), 2, FEW)


def test_idle_connections():
    """Beside those that are busy: they go over as well, and each carries a message in the end."""
    with Place() as at:
        status, out, errors = at.run(*LOCAL, "--json", "--count", 2, "--connections", MANY)
    expect_equal((status, errors), (0, ""), out)
    check_document(json.loads(out), 2, MANY)


def test_the_table():
    with Place() as at:
        status, out, errors = at.run(*LOCAL, "--count", 1, "--connections", 1)
    expect_equal((status, errors), (0, ""), out)
    for words in TABLE:
        expect(words in out, f"no '{words}':\n{out}")


def test_what_fails():
    """It says what, ends with status 1, and leaves nothing."""
    with Place() as at:
        status, out, errors = at.run(*LOCAL, saddled=at.path / "nothing")
        expect_equal((status, out), (1, ""), "without a daemon")
        expect(f"saddle-bench: {at.path}/nothing" in errors and
               "No such file or directory" in errors, errors)
    with Place() as at:
        # The first hand-over is to what ends at once: the applications go on with the old one.
        status, out, errors = at.run(*LOCAL, "--json", "--count", FEW, "--connections", FEW,
                                     "--heir", "/bin/true")
        expect_equal(status, 1, "with an heir that is none")
        expect("saddle-bench: /bin/true" in errors, errors)
        made = json.loads(out)
        expect_equal([made[key] for key in KEYS[:5]], [0, 0, 0, 0, 0], "what was harmed")


def test_interrupted():
    for number in (signal.SIGINT, signal.SIGTERM):
        with Place() as at:
            at.start(*LOCAL, "--count", 1000)
            harness.await_true(lambda one=at: len(one.processes()) > 3 or
                               one.process.poll() is not None, "its daemons and applications")
            at.process.send_signal(number)
            out, errors = at.process.communicate(timeout=PATIENCE_S)
            expect_equal((at.process.returncode, out, errors),
                         (1, "", "saddle-bench: interrupted\n"), "after an interrupt")
            at.check_clean()


def test_usage():
    for arguments in (["--count", "0"], ["--count", "x"], ["--count", "-1"], ["--count", "100001"],
                      ["--connections", "0"], ["--connections", "10001"],
                      ["--connections", "1.5"], ["--conections", "1"], ["more"], ["--heir"]):
        status, out, errors = harness.run([BENCH, "upgrade", "--local", *arguments])
        expect_equal((status, out), (2, ""), f"status for {arguments}")
        expect_equal(len(errors.splitlines()), 1, f"lines for {arguments}: {errors}")
    status, out, errors = harness.run([BENCH, "upgrade", "--help"])
    expect_equal((status, errors), (0, ""), "--help")
    expect("--connections N" in out, out)
    if os.getuid() == 0:
        with Place() as at:
            status, out, errors = at.run(user=harness.NOBODY)
            expect_equal((status, out), (2, ""), "a user's run")
            expect("root" in errors and "--local" in errors, errors)


if PORT == "xdp":
    netns.require()
harness.main([test_nothing_is_harmed, test_two_builds, test_idle_connections, test_the_table,
              test_what_fails, test_interrupted, test_usage])
