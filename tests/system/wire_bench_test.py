#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""saddle-bench wire, in short runs: every figure is there, every message arrived and was compared,
and however it ends nothing is left. How long anything took is not looked at.

    two applications in one thread ---- its saddled ==== wire ==== its saddled

usage: wire_bench_test.py SADDLED SADDLE_BENCH WIRES
WIRES is memif, which anybody may have, or all, which takes root.
"""
import json
import os
import pathlib
import signal
import sys

import benches
import harness
import netns
from benches import check_spread
from harness import expect, expect_equal

SADDLED, BENCH = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
ALL = sys.argv[3] == "all"
CHOICE = [] if ALL else ["--case", "memif/*"]
WHERE = ["xdp", "af_packet", "memif", "veth_tcp", "veth_1500_tcp"]
MEMIF = [f"memif_{what}" for what in ("rtt_us", "rtt_p99_us", "messages_per_s", "gbps")]
FIGURES = [*(f"{where}_{what}" for where in WHERE for what in ("rtt_us", "rtt_p99_us", "gbps")),
           "xdp_messages_per_s", "af_packet_messages_per_s", "memif_messages_per_s",
           "xdp_1500_gbps", "xdp_rtt_vs_tcp", "af_packet_rtt_vs_tcp"]
# By the kernel's clock, which moves every 10 ms: one may be 0, or unknown, in a short run.
MACHINE = [*(f"{where}_gbps_per_core" for where in [*WHERE, "xdp_1500"]),
           *(f"{where}_gbps_per_core_vs_tcp" for where in ("xdp", "xdp_1500", "af_packet")),
           *(f"{where}_floor_{what}" for where in ("xdp", "xdp_1500")
             for what in ("gbps_per_core", "vs_tcp"))]
AROUND = ["wire", "machine", "settings", "checked", "not_measured"]
CASES = [*(f"{where}/{what}" for where in ("xdp", "af-packet", "memif")
           for what in ("rtt", "messages", "bulk")), "xdp-1500/bulk",
         *(f"{where}/tcp/{what}" for where in ("veth", "veth-1500") for what in ("rtt", "bulk")),
         "xdp/floor", "xdp-1500/floor"]
CHOSEN = [name for name in CASES if ALL or name.startswith("memif/")]
PATIENCE_S = 5 * harness.PATIENCE_S  # for all of them, on a machine with more to do


class Place(benches.Place):
    """Where one run keeps its files, and by which its processes are told."""
    patience_s = PATIENCE_S

    def __init__(self):
        super().__init__(0o711)
        self.own = self.path / "own"
        self.own.mkdir()

    def start(self, *arguments, saddled=SADDLED):
        return self.launch([BENCH, "wire", "--saddled", saddled, *arguments])


def check_document(made, runs):
    """All that was chosen was measured, and each message was right."""
    expect_equal(sorted(made), sorted([*FIGURES, *MACHINE, *AROUND]), "keys")
    expect_equal((made["wire"], made["not_measured"]), (1, {}), "the form")
    for name in FIGURES:
        if ALL or name in MEMIF:
            expect(made[name] is not None, f"{name} is null")
            check_spread(made[name], name, runs)
        else:
            expect_equal(made[name], None, name)
    expect_equal(sorted(made["checked"]), sorted(CHOSEN), "cases")
    for name in CHOSEN:
        # Packets alone carry nothing that could be compared.
        if not name.endswith("/floor"):
            expect(made["checked"][name] > 0, f"nothing was compared in {name}")


def test_all_of_it():
    """In two rounds: what the first one leaves behind is in nobody's way."""
    with Place() as at:
        document = at.path / "wire.json"
        status, out, errors = at.run("--quick", "--runs", "2", "--json", document, *CHOICE)
        expect_equal((status, errors), (0, ""), "a quick run")
        made = json.loads(document.read_text(encoding="utf-8"))
    check_document(made, 2)
    for name in FIGURES:
        expect_equal(f"\n{name} " in out, ALL or name in MEMIF, f"{name} in the table:\n{out}")


def test_interrupted():
    for number in (signal.SIGINT, signal.SIGTERM):
        with Place() as at:
            at.start("--seconds", "600", "--case", "xdp/messages" if ALL else "memif/messages")
            # Itself, two daemons, and the applications.
            harness.await_true(lambda one=at: len(one.processes()) >= 4 or
                               one.process.poll() is not None, "a case under way")
            at.process.send_signal(number)
            _, errors = at.process.communicate(timeout=harness.PATIENCE_S)
            expect_equal((at.process.returncode, errors), (1, "saddle-bench: interrupted\n"),
                         "after an interrupt")
            at.check_clean()


def test_killed():
    """Its daemons and applications end with it, and namespaces with them. The folder stays."""
    with Place() as at:
        at.start("--seconds", "600", "--case", "xdp/messages" if ALL else "memif/messages")
        harness.await_true(lambda: len(at.processes()) >= 4 or at.process.poll() is not None,
                           "a case under way")
        at.process.kill()
        at.process.communicate(timeout=harness.PATIENCE_S)
        harness.await_true(lambda: not at.processes(), "all processes gone")


def test_daemon_does_not_start():
    with Place() as at:
        status, out, errors = at.run("--quick", *CHOICE, saddled=at.path / "nothing")
        expect_equal((status, out), (1, ""), "without a daemon")
        first = "xdp/rtt" if ALL else "memif/rtt"
        expect(errors.startswith(f"saddle-bench: {first}: saddled did not start, left: "), errors)
        expect_equal(len(errors.splitlines()), 1, "lines")


def test_list():
    status, out, errors = harness.run([BENCH, "wire", "--list"])
    expect_equal((status, errors), (0, ""), "the list")
    expect_equal(sorted(out.split()), sorted(CASES), "cases")


def test_usage():
    for arguments, word in ((["--sedonds", "1"], "sedonds"), (["more"], "'more'"),
                            (["--sizes", "64"], "--sizes"), (["--windows", "1"], "--windows"),
                            (["--case", "rtt"], "'rtt'"), (["--runs", "0"], "'0'")):
        status, out, errors = harness.run([BENCH, "wire", *arguments])
        expect_equal((status, out), (2, ""), f"status for {arguments}")
        expect_equal(len(errors.splitlines()), 1, f"lines for {arguments}: {errors}")
        expect(word in errors, f"{arguments}: {errors}")
    status, out, errors = harness.run([BENCH, "wire", "--help"])
    expect_equal((status, errors), (0, ""), "--help")
    expect("memif" in out, out)


def test_rights():
    """Without root there is no cable; what it takes is said."""
    if os.getuid() != 0:
        return
    status, out, errors = harness.run([BENCH, "wire", "--quick"], user=harness.NOBODY,
                                      group=harness.NOBODY, extra_groups=[])
    expect_equal((status, out), (2, ""), "a user's run")
    expect("root" in errors and "memif" in errors, errors)


if len(os.sched_getaffinity(0)) < 2:
    sys.exit(harness.LEFT_OUT)
if ALL:
    netns.require()
harness.main([test_all_of_it, test_interrupted, test_killed, test_daemon_does_not_start, test_list,
              test_usage, test_rights])
