#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""saddle-bench sched, in short runs: what it writes has its form, what cannot be had is named, and
however it ends nothing is left. How long anything took is not looked at.

    prober and echo, a stream, hogs ---- saddle-bench ---- its saddled
"""
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree

import benches
import harness

SADDLED, BENCH = sys.argv[1:3]
SHORT = ["--seconds", "0.2", "--runs", "1"]
# A class each, and a mode each, beside each kind of load.
SOME = ["wake/*/hogs", "wake/ordinary/*", "saddle/*/ordinary/idle/nice0/idle",
        "saddle/dedicated/deadline/idle/nice0/idle", "saddle/spreading/*/loaded/realtime/idle",
        "saddle/compacting/fifo/idle/realtime/mmap", "tcp/*/hogs", "tcp/idle/nice0/*"]
# What everybody may have.
MEASURED = ["saddle/dedicated/ordinary/idle/nice0/idle",
            "saddle/spreading/ordinary/idle/nice0/idle",
            "saddle/compacting/ordinary/idle/nice0/idle",
            "tcp/idle/nice0/idle", "tcp/idle/nice0/hogs", "tcp/idle/nice0/mmap"]
QUANTILES = ["p50", "p99", "p99.9", "max"]


class Place(benches.Place):
    """Where one run keeps its files; has to be empty of the program's own at the end."""

    def __init__(self):
        super().__init__(0o711)
        self.own = self.path / "own"
        self.own.mkdir()
        self.own.chmod(0o777)
        self.memory = set(os.listdir("/dev/shm"))

    def start(self, arguments, user=None):
        """In a session of its own, by which its processes are told."""
        command = [BENCH, "sched", "--saddled", SADDLED, *arguments]
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True, user=user, group=user,
            extra_groups=[] if user is not None else None,
            env={**os.environ, "TMPDIR": str(self.own)})
        return self.process

    def run(self, arguments, user=None):
        out, errors = self.start(arguments, user).communicate(timeout=5 * harness.PATIENCE_S)
        self.check_clean(errors)
        return self.process.returncode, out, errors

    def check_clean(self, errors=""):
        """At once: it has waited for them itself."""
        harness.expect_equal(self.processes(), set(), "processes left")
        super().check_clean(errors)
        harness.expect_equal(sorted(set(os.listdir("/dev/shm")) - self.memory), [], "memory left")


def names(patterns):
    """The variants that are meant, as the program lists them."""
    status, out, errors = harness.run(
        [BENCH, "sched", "--list", *(word for name in patterns for word in ("--variant", name))])
    harness.expect_equal((status, errors), (0, ""), "the list")
    return out.split()


def check_spread(spread, what):
    harness.expect_equal(sorted(spread), ["max", "median", "min"], what)
    harness.expect(0 <= spread["min"] <= spread["median"] <= spread["max"], f"{what}: {spread}")


def check_quantiles(quantiles, what):
    harness.expect_equal(list(quantiles), QUANTILES, what)
    for name in QUANTILES:
        check_spread(quantiles[name], f"{what} {name}")
    medians = [quantiles[name]["median"] for name in QUANTILES]
    harness.expect_equal(medians, sorted(medians), what)


def check_measured(variant, probes):
    name = variant["name"]
    harness.expect_equal(variant["probes"], probes, f"probes of {name}")
    harness.expect(0 <= variant["unsent"] <= variant["missed"] <= probes, f"misses of {name}")
    check_quantiles(variant["delay_us"], f"delays of {name}")
    check_quantiles(variant["late_us"], f"lateness of {name}")
    users = {"wake": ["engines"], "saddle": ["application", "engines"], "tcp": ["application"]}
    harness.expect_equal(list(variant["cpu"]), users[variant["kind"]], f"cpu of {name}")
    for user, share in variant["cpu"].items():
        check_spread(share, f"cpu of {name}, {user}")
    harness.expect_equal("streamed" in variant, variant["engine"] == "loaded", f"stream of {name}")
    if variant["engine"] == "loaded":
        check_spread(variant["streamed"], f"stream of {name}")


def check_words(variant):
    """Its name says what its other words say."""
    words = [variant["kind"], variant["mode"], variant["class"], variant["engine"],
             None if variant["kind"] == "wake" else variant["prober"], variant["load"]]
    harness.expect_equal("/".join(word for word in words if word), variant["name"], "words")


def check_document(made, wanted, probes):
    harness.expect_equal(list(made), ["sched", "machine", "settings", "variants", "bars"], "keys")
    harness.expect_equal(made["sched"], 1, "the form's version")
    harness.expect_equal(made["machine"]["cores"], len(os.sched_getaffinity(0)), "cores")
    harness.expect_equal(made["machine"]["kernel"], os.uname().release, "kernel")
    harness.expect_equal([variant["name"] for variant in made["variants"]], wanted, "variants")
    for variant in made["variants"]:
        check_words(variant)
        if variant["refused"] is None:
            check_measured(variant, probes)
        else:
            harness.expect("delay_us" not in variant, f"refused: {variant}")
            # Its class, if the probers' priority was granted: then the daemon says why.
            harness.expect("real-time" in variant["refused"] or
                           "refused: " in variant["refused"], f"no reason: {variant}")


def check_figure(path, made):
    root = xml.etree.ElementTree.parse(path).getroot()
    svg = "{http://www.w3.org/2000/svg}"
    harness.expect_equal(root.tag, svg + "svg", "the figure's root")
    labels = [text for text in root.iter(svg + "text") if text.get("class") == "label"]
    harness.expect_equal(len(labels), len(made["variants"]), "rows of the figure")
    bars = sum(1 for variant in made["variants"] if variant["refused"] is None)
    harness.expect_equal(len(list(root.iter(svg + "rect"))), bars, "bars of the figure")


def test_all_kinds():
    wanted = names(SOME)
    harness.expect(len(wanted) > 15, f"variants: {wanted}")
    patterns = [word for name in SOME for word in ("--variant", name)]
    with Place() as at:
        document, figure = at.path / "sched.json", at.path / "sched.svg"
        status, out, errors = at.run(
            [*SHORT, "--rate", "500", "--stream-rate", "200", "--json", document, "--svg", figure,
             *patterns])
        harness.expect_equal(errors, "", "complaints")
        made = json.loads(document.read_text(encoding="utf-8"))
        check_document(made, wanted, 100)
        check_figure(figure, made)
    refused = {variant["name"] for variant in made["variants"] if variant["refused"]}
    harness.expect_equal(status, 3 if refused else 0, "exit status")
    for name in wanted:
        harness.expect(name in out, f"{name} is not in the table:\n{out}")
    for name in MEASURED:
        harness.expect(name not in refused, f"{name} was refused:\n{out}")
    if os.getuid() == 0:
        for name in ("wake/nice/hogs", "wake/fifo/hogs", "wake/ordinary/hogs"):
            harness.expect(name not in refused, f"{name} was refused:\n{out}")
        harness.expect(made["bars"]["wake_hogs_fifo_to_nice"]["ratio"] > 0, "the bar")
        harness.expect("p99.9: fifo takes" in out, f"no bar:\n{out}")


def test_small_stream_and_standard_output():
    with Place() as at:
        status, out, errors = at.run(
            [*SHORT, "--json", "-", "--stream-bytes", "64", "--variant",
             "saddle/spreading/ordinary/loaded/nice0/idle"])
        harness.expect_equal((status, errors), (0, ""), "one variant")
        made = json.loads(out)
    check_document(made, ["saddle/spreading/ordinary/loaded/nice0/idle"], 200)
    harness.expect_equal(made["settings"]["stream_bytes"], 64, "settings")
    harness.expect(made["variants"][0]["streamed"]["max"] > 0, "the stream stood still")


def test_refused():
    """Who is not root is told what is left out, and gets the rest."""
    if os.getuid() != 0:
        return
    with Place() as at:
        status, out, errors = at.run(
            [*SHORT, "--variant", "wake/fifo/idle", "--variant", "tcp/idle/*/idle"],
            user=harness.NOBODY)
    harness.expect_equal((status, errors), (3, ""), "a user's run")
    left_out = out.partition("could not be had")[2]
    for name in ("wake/fifo/idle", "tcp/idle/realtime/idle"):
        harness.expect(name in left_out, f"{name} is not among the refused:\n{out}")
    harness.expect("Operation not permitted" in left_out, f"no reason:\n{out}")
    harness.expect("tcp/idle/nice0/idle" not in left_out, f"TCP was refused:\n{out}")


def begin(at):
    """A run in the middle of its measurement: daemon, echo, hogs, prober."""
    at.start(["--seconds", "600", "--variant", "saddle/spreading/ordinary/idle/nice0/hogs"])
    wanted = 4 + 2 * len(os.sched_getaffinity(0))
    harness.await_true(lambda: len(at.processes()) >= wanted or at.process.poll() is not None,
                       f"{wanted} processes")


def test_interrupted():
    for number in (signal.SIGINT, signal.SIGTERM):
        with Place() as at:
            begin(at)
            at.process.send_signal(number)
            _, errors = at.process.communicate(timeout=harness.PATIENCE_S)
            harness.expect_equal((at.process.returncode, errors),
                                 (1, "saddle-bench: interrupted\n"), "after an interrupt")
            at.check_clean()


def test_killed():
    """Not even then does one of its processes go on."""
    with Place() as at:
        begin(at)
        at.process.kill()
        at.process.communicate()
        harness.await_true(lambda: not at.processes(), "all processes gone")


def test_daemon_does_not_start():
    with Place() as at:
        name = "saddle/spreading/ordinary/idle/nice0/idle"
        status, out, errors = at.run(["--variant", name, "--saddled", at.path / "nothing",
                                      "--json", at.path / "sched.json"])
        harness.expect_equal((status, out), (1, ""), "without a daemon")
        harness.expect(errors.startswith(f"saddle-bench: {name}: saddled did not start: "),
                       f"errors: {errors}")
        harness.expect_equal(len(errors.splitlines()), 1, "lines")
        harness.expect(not (at.path / "sched.json").exists(), "a document without figures")


def test_usage():
    for arguments in (["--sedonds", "1"], ["more"], ["--seconds", "0"], ["--seconds", "1e9"],
                      ["--seconds", "nan"], ["--runs", "1.5"], ["--runs", "0"], ["--runs", "x"],
                      ["--rate", "20001"], ["--stream-bytes", "0"], ["--variant", "no/such"],
                      ["--rate", "1", "--seconds", "0.5"], ["--json"],
                      ["--json", "-", "--svg", "-"]):
        status, out, errors = harness.run([BENCH, "sched", *arguments])
        harness.expect_equal((status, out), (2, ""), f"status for {arguments}")
        harness.expect_equal(len(errors.splitlines()), 1, f"lines for {arguments}: {errors}")
    status, out, errors = harness.run([BENCH, "sched", "--json", "/nowhere/at/all"])
    harness.expect_equal((status, out), (1, ""), "a wrong path")
    harness.expect("/nowhere/at/all: No such file or directory" in errors, errors)
    status, out, errors = harness.run([BENCH, "shed"])
    harness.expect_equal((status, out), (2, ""), "a wrong command")
    harness.expect("'shed'" in errors, errors)


def test_micro():
    """With the word and without."""
    for command in ([BENCH], [BENCH, "micro"]):
        status, out, errors = harness.run(
            [*command, "--case", "mailbox-post", "--runs", "1", "--iterations", "1000", "--json"])
        harness.expect_equal((status, errors), (0, ""), "one case")
        harness.expect_equal(list(json.loads(out)["cases"]), ["mailbox-post"], "cases")


harness.main([test_all_kinds, test_small_stream_and_standard_output, test_refused,
              test_interrupted, test_killed, test_daemon_does_not_start, test_usage, test_micro])
