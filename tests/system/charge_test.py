#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""What a real daemon charges for known work, and what quotas of work do. Both engines are on one
thread.

    large: 3 parts of the reads ---.                     .--- what large reads
    small: 1 part -----------------+- [alpha] === [beta] -+-- what small reads
                                         `- thread -'

usage: charge_test.py SADDLED VICTIM WORKER SADDLE_CONTROL SADDLECTL
"""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

import harness
from harness import await_true, expect, expect_equal

SADDLED, VICTIM, WORKER, CONTROL, SADDLECTL = (pathlib.Path(word).resolve()
                                               for word in sys.argv[1:6])
ENGINES = ("alpha", "beta")
READS = 128  # in a round of a worker's
PIECES = 25
CYCLES = 4  # in a piece: what else the machine does has its effect on all parts of it alike
PART_ROUNDS = 128  # of a part
ROUNDS = 200  # some time's work for two operations at a time
LOAD_PIECES = 15
LOAD_ROUNDS = 60
THROTTLED_ROUNDS = 8  # many times what goes at once
MAXIMUM_OVERHEAD = 0.15  # of busy time, under load
MAXIMUM_REMAINDER = 0.02  # of busy time: two clocks, read at different points of a turn
BUCKET_DEPTH_NS = 10_000_000  # sched/bucket.h: so much time's share goes at once
LIMITED, OTHER = 12350, 12351  # users that are nobody's
SHARE = 10_000  # parts per million: 1 %


class Worker:
    def __init__(self, socket, service, uid=None):
        own = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        self.process = subprocess.Popen([WORKER, socket, service], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, **own)
        self.completed = 0
        expect_equal(self.line(), "ready", service)

    def line(self):
        return self.process.stdout.readline().strip()

    def tell(self, rounds):
        self.process.stdin.write(f"{rounds}\n")
        self.process.stdin.flush()
        self.completed += rounds * READS

    def check(self):
        """All that it was told to do is done."""
        expect_equal(self.line(), str(self.completed), "reads completed")

    def work(self, rounds):
        self.tell(rounds)
        self.check()

    def stop(self):
        self.process.communicate(timeout=harness.PATIENCE_S)
        expect_equal(self.process.returncode, 0, "a worker's exit status")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Plane:
    """A daemon, and what its operator sees."""

    def __init__(self, daemon):
        self.daemon = daemon

    def ask(self, *words):
        status, output, errors = harness.run(
            [SADDLECTL, "--socket", self.daemon.folder.socket.parent / "control.sock",
             "--timeout", harness.PATIENCE_S, "--json", *words])
        expect_equal((status, errors), (0, ""), f"{words}")
        return json.loads(output)

    def sessions(self, worker):
        """A worker's, by engine."""
        return {one["engine"]: one for one in self.ask("session", "list")["sessions"]
                if one["pid"] == worker.process.pid}

    def charged(self, worker):
        sessions = self.sessions(worker)
        return {engine: int(sessions[engine]["cpu_ns"]) for engine in ENGINES}

    def engines(self):
        return {one["name"]: {key: int(one[key]) for key in
                              ("busy_ns", "sessions_ns", "overhead_ns", "remainder_ns")}
                for one in self.ask("engine", "list")["engines"]}

    def counter(self, engine, name):
        counters = self.ask("stats", "get", f"engine/{engine}")["engines"][0]["counters"]
        return next(int(one["value"]) for one in counters if one["name"] == name)


@contextlib.contextmanager
def running(*users, limits="", victim=False):
    """A daemon with workers, one of each user (None: the test's own)."""
    folder = harness.Folder()
    daemon = honest = None
    workers = []
    try:
        control = f"control: {{path: {folder.socket.parent}/control.sock, program: {CONTROL}}}\n"
        path = folder.config(extra=f"policy: [{{any: true, allow: all}}]\n{control}")
        text = path.read_text().replace("limits: {", f"limits: {{{limits}")
        wanted = f"mode: {harness.MODE}"
        expect(wanted in text, text)
        path.write_text(text.replace(wanted, "mode: compacting, threads: 1"))
        daemon = harness.Daemon(SADDLED, path, folder)
        if victim:
            honest = harness.Victim(VICTIM, folder.socket, arguments=[harness.EAGER])
        for number, uid in enumerate(users):
            workers.append(Worker(folder.socket, f"worker-{number}", uid))
        yield Plane(daemon), workers
        for worker in workers:
            worker.stop()
        if honest:
            honest.check_progress()
            honest.stop()
        daemon.stop()
    finally:
        for process in (*workers, honest, daemon):
            if process:
                process.kill()
        folder.remove()


def work_in_turn(large, small, spacer):
    """Three parts of one and one of the other. A third works before each, so that none follows
    itself; and each works for so long that it matters little how cold its caches were, which those
    of the one that works seldom are most."""
    for cycle in range(CYCLES):
        for turn in range(4):
            spacer.work(1)
            (small if turn == cycle % 4 else large).work(PART_ROUNDS)


def test_three_to_one():
    """Pieces of both in turn; what each was charged by either engine, as the median of pieces."""
    with running(None, None, None) as (plane, (large, small, spacer)):
        work_in_turn(large, small, spacer)
        ratios = {engine: [] for engine in ENGINES}
        before = [plane.charged(worker) for worker in (large, small)]
        for _ in range(PIECES):
            done = [worker.completed for worker in (large, small)]
            work_in_turn(large, small, spacer)
            expect_equal(large.completed - done[0], 3 * (small.completed - done[1]), "the work")
            after = [plane.charged(worker) for worker in (large, small)]
            for engine in ENGINES:
                ratios[engine].append((after[0][engine] - before[0][engine]) /
                                      (after[1][engine] - before[1][engine]))
            before = after
    for engine in ENGINES:
        ratio = statistics.median(ratios[engine])
        print(f"        {engine}: {ratio:.3f} to 1", flush=True)
        expect(2.85 <= ratio <= 3.15, f"{engine} charged {ratio:.3f} to 1: "
               f"{[round(one, 2) for one in sorted(ratios[engine])]}")


def parts_of(before, after):
    """Overhead and remainder of an engine's busy time between two looks."""
    one = {key: after[key] - before[key] for key in after}
    expect_equal(one["sessions_ns"] + one["overhead_ns"] + one["remainder_ns"], one["busy_ns"],
                 "the parts of busy time")
    return [one[key] / one["busy_ns"] for key in ("overhead_ns", "remainder_ns")]


def test_it_adds_up():
    """Under load, all of an engine's busy time is somebody's, and little of it is nobody's."""
    with running(None, None) as (plane, workers):
        parts = {engine: [] for engine in ENGINES}
        before = plane.engines()
        for _ in range(LOAD_PIECES):
            for worker in workers:
                worker.tell(LOAD_ROUNDS)
            for worker in workers:
                worker.check()
            after = plane.engines()
            for engine in ENGINES:
                parts[engine].append(parts_of(before[engine], after[engine]))
            before = after
        for engine in ENGINES:
            overhead, remainder = (statistics.median(part) for part in zip(*parts[engine]))
            print(f"        {engine}: overhead {overhead:.1%}, remainder {remainder:.2%}",
                  flush=True)
            expect(overhead <= MAXIMUM_OVERHEAD, f"{engine}'s overhead: {parts[engine]}")
            expect(abs(remainder) <= MAXIMUM_REMAINDER, f"{engine}'s remainder: {parts[engine]}")
            # Nobody has left: the engine's sum is that of its sessions.
            await_true(lambda name=engine: plane.engines()[name]["sessions_ns"] == sum(
                plane.charged(worker)[name] for worker in workers), f"the sum of {engine}")


def test_operations_per_session():
    """Who asks for more at a time waits for them one after the other, and misses none."""
    with running(None, victim=True, limits="operations_per_session: 2, ") as (plane, (worker,)):
        worker.tell(ROUNDS)
        # At any time; the victim has a session on each engine too, and two operations at most.
        for engine in ENGINES:
            at_a_time = plane.counter(engine, "operations")
            expect(at_a_time <= 4, f"{engine} has {at_a_time} operations")
        worker.check()
        for engine in ENGINES:
            expect_equal(plane.counter(engine, "over_quota"), 0, "refused")
            expect_equal(plane.counter(engine, "violations"), 0, "sessions that broke a rule")
            expect_equal(plane.sessions(worker)[engine]["throttled"], False, "throttled")


def check_bound(plane, user, workers):
    """What a user's sessions were charged is within his quota of the time since the first came.
    Looked at when none is throttled: then nothing of it is in debt."""
    def calm():
        return all(not session["throttled"] for worker in workers
                   for session in plane.sessions(worker).values())
    await_true(calm, f"no session of {user} is throttled any more")
    sessions = [one for worker in workers for one in plane.sessions(worker).values()]
    age = max(int(one["age_ns"]) for one in sessions)
    charged = sum(int(one["cpu_ns"]) for one in sessions)
    most = (age + BUCKET_DEPTH_NS) * SHARE // 1_000_000
    print(f"        {user}: {charged / 1e6:.2f} ms charged of {most / 1e6:.2f}", flush=True)
    expect(charged <= most, f"{user}: {charged} ns, more than {most}")
    return sum(int(one["throttled_ns"]) for one in sessions)


def times_of_users(plane):
    return {one["uid"]: int(one["cpu_ns"]) for one in plane.ask("policy", "show")["usage"]}


def test_cpu_per_uid():
    """A user's sessions together, on both engines: throttled, which is shown, and nothing is lost.
    Another user's work has his own quota, and goes on."""
    with running(LIMITED, LIMITED, OTHER, limits="cpu_per_uid: 1%, ") as (plane, workers):
        *limited, other = workers
        for worker in limited:
            worker.tell(THROTTLED_ROUNDS)
        await_true(lambda: any(session["throttled"] for worker in limited
                               for session in plane.sessions(worker).values()),
                   "a session is shown as throttled")
        other.work(1)
        for worker in limited:
            worker.check()
        limited_ns, other_ns = (check_bound(plane, who, those)
                                for who, those in (("limited", limited), ("other", [other])))
        expect(limited_ns > other_ns, f"throttled for {limited_ns} and {other_ns}")
        for uid, those in ((LIMITED, limited), (OTHER, [other])):
            await_true(lambda uid=uid, those=those: times_of_users(plane)[uid] == sum(
                sum(plane.charged(worker).values()) for worker in those),
                f"what {uid}'s sessions were charged is what he was")


def test_cpu_per_session():
    """The same for each session alone."""
    with running(None, None, limits="cpu_per_session: 1%, ") as (plane, (busy, quiet)):
        busy.tell(THROTTLED_ROUNDS)
        await_true(lambda: any(session["throttled"] for session in plane.sessions(busy).values()),
                   "a session is shown as throttled")
        quiet.work(1)
        busy.check()
        busy_ns, quiet_ns = (sum(int(one["throttled_ns"])
                                 for one in plane.sessions(worker).values())
                             for worker in (busy, quiet))
        expect(busy_ns > quiet_ns, f"throttled for {busy_ns} and {quiet_ns}")
        expect_equal({one["cpu_share"] for one in plane.sessions(busy).values()}, {SHARE},
                     "the quota that is shown")


# Only root can become somebody else.
AS_OTHERS = [test_cpu_per_uid] if os.geteuid() == 0 else []

# Figures are the product's, not those of a build with a sanitizer in it.
FIGURES = [] if harness.has_shadow(SADDLED) else [test_three_to_one, test_it_adds_up]

harness.main([*FIGURES, test_operations_per_session, test_cpu_per_session, *AS_OTHERS])
