#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""How the kernel schedules a daemon's threads, read from /proc, for each class of a group, and for
a daemon that may not have any.

    saddled --- main thread, EAL: ordinary       group main: [alpha] ===== [beta], the applications
            `-- governor, where there is a budget
            `-- saddle-control: ordinary, whatever its parent's threads are

usage: class_test.py SADDLED VICTIM SADDLE_CONTROL SADDLECTL
"""
import contextlib
import json
import os
import pathlib
import sys

import harness
from harness import await_true, expect, expect_equal

SADDLED, VICTIM, CONTROL, SADDLECTL = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
OTHER, FIFO, IDLE, DEADLINE = 0, 1, 5, 6  # policies, sched(7)
GOVERNOR = ("governor", FIFO, 2)
ONE_THREAD = "mode: compacting, threads: 1"

EXTRA = """\
policy: [{{any: true, allow: all}}]
control: {{path: {control}, mode: "0666", program: {program}, observe: [{{any: true}}]}}
"""


class Plane:
    def __init__(self, folder, daemon):
        self.daemon = daemon
        self.path = folder.socket.parent / "control.sock"

    def ask(self, *words):
        status, output, errors = harness.run(
            [SADDLECTL, "--socket", self.path, "--timeout", harness.PATIENCE_S, "--json", *words])
        expect_equal((status, errors), (0, ""), f"{words}: {output}")
        return json.loads(output)

    def group(self):
        return self.ask("group", "list", "main")["groups"][0]

    def events(self):
        return [event["text"] for event in self.ask("event", "list", "class_refused")["events"]]

    def table(self):
        status, output, errors = harness.run([SADDLECTL, "--socket", self.path, "group", "list"])
        expect_equal((status, errors), (0, ""), output)
        return output


@contextlib.contextmanager
def running(user=None, arguments=()):
    folder = harness.Folder()
    daemon = honest = None
    try:
        extra = EXTRA.format(control=folder.socket.parent / "control.sock", program=CONTROL)
        config = folder.config(extra=extra)
        text, before = config.read_text(), f"mode: {harness.MODE}"
        expect(before in text, text)
        config.write_text(text.replace(before, ONE_THREAD))
        daemon = harness.Daemon(SADDLED, config, folder, user=user, arguments=arguments)
        honest = harness.Victim(VICTIM, folder.socket)
        yield Plane(folder, daemon)
        honest.check_progress(3)
        honest.stop()
        daemon.stop()
    finally:
        for process in (honest, daemon):
            if process:
                process.kill()
        folder.remove()


def scheduling(pid, tid):
    """Name, policy, real-time priority and nice value of a thread."""
    text = pathlib.Path(f"/proc/{pid}/task/{tid}/stat").read_text()
    name, fields = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
    return name, int(fields[38]), int(fields[37]), int(fields[16])


def threads_of(pid):
    return {int(path.name): scheduling(pid, int(path.name))
            for path in pathlib.Path(f"/proc/{pid}/task").iterdir()}


def children_of(pid):
    return [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()]


def check_others(plane, governor):
    """Everything but engine threads is ordinary."""
    pid = plane.daemon.process.pid
    engines = {thread["tid"] for thread in plane.group()["threads"]}
    others = {tid: found for tid, found in threads_of(pid).items() if tid not in engines}
    governors = [found[:3] for found in others.values() if found[0] == "governor"]
    expect_equal(governors, [GOVERNOR] if governor else [], "the governor")
    for name, policy, _, nice in others.values():
        expect(name == "governor" or (policy, nice) == (OTHER, 0),
               f"thread {name} has policy {policy}, nice {nice}")
    children = children_of(pid)
    expect(children, "saddle-control is there")
    for child in children:
        for name, policy, _, nice in threads_of(child).values():
            expect_equal((policy, nice), (OTHER, 0), f"policy of saddle-control's thread {name}")


def check_class(plane, name, reason, governor=False):
    """What is shown, of one thread; returns its policy and nice value."""
    check_others(plane, governor)
    threads = plane.group()["threads"]
    expect_equal(len(threads), 1, "threads")
    expect_equal((threads[0]["class"], threads[0]["reason"]), (name, reason), "the class")
    _, policy, _, nice = scheduling(plane.daemon.process.pid, threads[0]["tid"])
    return policy, nice


def test_auto_is_fifo():
    with running() as plane:
        policy, _ = check_class(plane, "fifo", "auto: sleeps when idle", governor=True)
        expect(policy in (FIFO, IDLE), f"policy {policy}")
        group = plane.group()
        expect_equal((group["class"], group["runtime_ns"], group["period_ns"]),
                     ("auto", 900_000, 1_000_000), "what is configured")
        thread = group["threads"][0]
        expect_equal((thread["share_ppm"], thread["refused"]), (900_000, False), "its share")
        await_true(lambda: plane.group()["threads"][0]["used_ppm"] > 0, "its use is shown")
        await_true(lambda: plane.group()["threads"][0]["used_ns"] > 0, "its budget is charged")
        expect("auto: sleeps when idle" in plane.table(), plane.table())
        expect_equal(plane.events(), [], "events")


def test_a_class_changes():
    """Beneath applications, which miss nothing."""
    with running() as plane:
        for name, wanted, governor in (("nice", (OTHER, -20), False),
                                       ("ordinary", (OTHER, 0), False),
                                       ("deadline", (DEADLINE, 0), False),
                                       ("fifo", None, True)):
            plane.ask("group", "change", "main", f"class={name}", "runtime=200us", "period=400us")
            found = check_class(plane, name, f"configured: {name}", governor)
            expect(wanted is None or found[0] == wanted[0], f"{name}: policy {found[0]}")
            expect(name == "deadline" or wanted is None or found == wanted, f"{name}: {found}")
            group = plane.group()
            expect_equal((group["runtime_ns"], group["period_ns"]), (200_000, 400_000), "the share")
        status, output, _ = harness.run([SADDLECTL, "--socket", plane.path, "group", "change",
                                         "main", "runtime=400us"])
        expect(status == 1 and "leaves at least 10us" in output + _, f"{output}{_}")


def test_pinned_threads_have_no_deadline():
    with running() as plane:
        plane.ask("group", "change", "main", "class=deadline", "cpus=0")
        check_class(plane, "fifo", "configured: deadline; deadline refused: sched_setattr: EPERM, "
                    "no sys_nice, or not all CPUs", governor=True)
        await_true(plane.events, "an event tells of it")
        expect("group main: its threads are fifo: configured: deadline; deadline refused" in
               plane.daemon.text(), plane.daemon.text())


def test_nobody_may_have_none():
    """A daemon without rights starts, and says what it does without."""
    with running(user=harness.NOBODY) as plane:
        reason = ("auto: sleeps when idle; fifo refused: sched_setattr: EPERM, no sys_nice, or no "
                  "real-time runtime in its cgroup; deadline refused: sched_setattr: EPERM, no "
                  "sys_nice, or not all CPUs; nice refused: sched_setattr: EPERM, no sys_nice")
        expect_equal(check_class(plane, "ordinary", reason), (OTHER, 0), "its policy")
        thread = plane.group()["threads"][0]
        expect_equal((thread["refused"], thread["share_ppm"]), (True, 0), "what is shown")
        await_true(plane.events, "an event tells of it")
        expect_equal(plane.events(), [f"group main: {reason}"], "the event")
        expect("its threads are ordinary" in plane.daemon.text(), plane.daemon.text())


harness.main([test_auto_is_fifo, test_a_class_changes, test_pinned_threads_have_no_deadline,
              test_nobody_may_have_none])
