#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Either daemon, or both, killed or stopped at each step of an upgrade. Needs root.

    operations --- alpha -- [eth0] ====== veth ====== [eth0] -- beta --- operations
    operations --- gamma -- [eth1] ====== veth ====== [eth1] -- delta -- operations
                     |                                            |
       replaced: two hand-over sets, alpha's before gamma's    another

saddled-directed asks this test at each step what to do (directed.c). Both sides are held at the
step at hand, one of them or both are killed or stopped there, and the rest is left to them. A set
that is not lost is used all along, by applications that compare each byte and know each message;
those of a set that is lost are told, and others find it again. Whoever was stopped goes on in the
end, and does no harm.

usage: upgrade_kills_test.py SADDLED_DIRECTED OPERATIONS SADDLE_CONTROL SADDLECTL SHARE
Of all cases one of SHARE is tried; 1: all.
"""
import collections
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures

import harness
import hosts
import netns
from harness import expect, expect_equal

SADDLED, OPERATIONS, CONTROL, SADDLECTL = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
SHARE = int(sys.argv[5])

SETS = ("alpha", "gamma")
ENGINES = (SETS, ("beta", "delta"))
# Addresses of the two hosts, by set.
ADDRESSES = (("10.77.0.1", "10.77.0.2"), ("10.78.0.1", "10.78.0.2"))
BLACKOUT_S = 2

FIRST_STEPS = ("hello", "welcome", "accept", "first", "take-first")
SET_STEPS = ("offer", "adopt", "leave", "enter", "active", "run", "forget")
LAST_STEPS = ("last", "take-last", "end")
BLACKOUT_STEPS = ("enter", "active", "run")
NO_SET = -1
# In their order: (step, set).
POSITIONS = ([(step, NO_SET) for step in FIRST_STEPS] +
             [(step, number) for number in range(len(SETS)) for step in SET_STEPS] +
             [(step, NO_SET) for step in LAST_STEPS])
OLD, NEW = "giver", "taker"
# Steps of which a side hears only by what the other one says then.
UNSEEN = {"active": OLD, "run": OLD, "forget": NEW}

KILL, STOP = "kill", "stop"
DEEDS = (((OLD,), KILL), ((NEW,), KILL), ((OLD, NEW), KILL),
         ((NEW,), STOP), ((OLD, NEW), STOP), ((OLD,), STOP))
SIGNALS = {KILL: signal.SIGKILL, STOP: signal.SIGSTOP}
GONE, STOPPED = "gone", "T"

CONFIG = """\
socket: {{path: {run}/attach.sock, mode: "0666"}}
memory: 64MiB
hugepages: off
ports: [{{name: eth0, driver: xdp, interface: eth0}}, {{name: eth1, driver: xdp, interface: eth1}}]
engines:
  - {{name: {engines[0]}, port: eth0, addresses: [{addresses[0]}], dead_after: 120s}}
  - {{name: {engines[1]}, port: eth1, addresses: [{addresses[1]}], dead_after: 120s}}
groups: [{{name: main, mode: {mode}, engines: [{engines[0]}, {engines[1]}]}}]
{more}
"""
UPGRADABLE = """\
upgrade: {{socket: {run}/upgrade.sock, blackout: {blackout}s}}
control: {{path: {run}/control.sock, mode: "0666", program: {program}, observe: [{{any: true}}]}}
"""


# ---- What has to come of it ----

class Case(collections.namedtuple("Case", "step set who how")):
    """`who` are killed or stopped at the step."""

    @property
    def name(self):
        names = {(OLD,): "old", (NEW,): "new", (OLD, NEW): "both"}
        where = f"_of_{SETS[self.set]}" if self.set != NO_SET else ""
        return f"test_{names[self.who]}_{self.how}_at_{self.step.replace('-', '_')}{where}"

    @property
    def position(self):
        return POSITIONS.index((self.step, self.set))

    def reached(self, step, number=NO_SET):
        return self.position >= POSITIONS.index((step, number))

    @property
    def is_late(self):
        """Whether a blackout's time is over when both of them go on."""
        return self.step in ("enter", "active")

    def witnesses(self):
        """The sides that are asked at this step."""
        return {side for side in (OLD, NEW) if UNSEEN.get(self.step) != side}


class Outcome(collections.namedtuple("Outcome", "heir kept words")):
    """Who is the daemon then, if anybody; which sets were not lost; and the outcome in its record
    of the upgrade, None: it has none."""


def sets_that(condition):
    return {number for number in range(len(SETS)) if condition(number)}


ALL = sets_that(lambda number: True)


def without_the_new_one(case):
    """What it had said was its own is lost."""
    if case.step == "end":
        return Outcome(None, set(), None)
    kept = sets_that(lambda number: not case.reached("run", number))
    return Outcome(OLD, kept, "alone")


def without_the_old_one(case):
    """What it had written down goes on. A newcomer that knows nothing yet has nothing to go on
    with."""
    kept = sets_that(lambda number: case.reached("enter", number))
    if case.step in ("hello", "welcome"):
        return Outcome(None, set(), None)
    return Outcome(NEW, kept, "moved" if case.reached("take-last") else "alone")


def outcome_of_a_stop(case):
    if case.who == (OLD, NEW):
        # Nobody was gone, but the time of a blackout was over.
        back = "came_back" if case.set > 0 else "untouched"
        return Outcome(OLD, ALL, back) if case.is_late else Outcome(NEW, ALL, "moved")
    if case.who == (NEW,):
        if case.step == "end":
            return Outcome(NEW, ALL, "moved")
        # Before it was offered anything it is let go, and ends by itself.
        return without_the_new_one(case)._replace(
            **({} if case.reached("offer", 0) else {"words": "untouched"}))
    # A newcomer that was given nothing may kill nobody.
    if not case.reached("enter", 0):
        return Outcome(OLD, ALL, "untouched")
    return without_the_old_one(case)


def outcome_of(case):
    if case.how == STOP:
        return outcome_of_a_stop(case)
    if case.who == (OLD, NEW):
        return Outcome(None, set(), None)
    return without_the_old_one(case) if case.who == (OLD,) else without_the_new_one(case)


# ---- Who says when ----

class Notice(collections.namedtuple("Notice", "pid connection")):
    """A process that waits for an answer."""

    def answer(self, word):
        with contextlib.suppress(BrokenPipeError), self.connection:
            self.connection.send(word[:1].encode())


class Director:
    """Answers each daemon that asks at a step. Those of the case at hand are held at its step; who
    is not asked there, at the next one, until the deed is done: it must not begin to wait for who
    is to be stopped before it can be told to hurry."""

    def __init__(self, path):
        self.lock = threading.Condition()
        self.case = None
        self.held = {}      # by side
        self.beyond = []    # of who has come further than the case
        self.newcomer = None  # its number, once it was heard of
        self.given_up = False  # the newcomer has, and said so
        self.word = "go"    # for whoever asks
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(path))
        self.socket.listen()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            line = connection.recv(1 << 10).decode().split()
            if line:
                self.hear(connection, *line)

    def hear(self, connection, side, pid, step, number, back):
        with self.lock:
            notice = Notice(int(pid), connection)
            if side == NEW:
                self.newcomer = notice.pid
                self.given_up |= step == "end" or back == "1"
            case = self.case
            hold = case and (case.step, case.set, "0") == (step, int(number), back) and \
                side in case.witnesses() and side not in self.held
            if hold:
                self.held[side] = notice
                self.lock.notify_all()
                return
            if case and side not in case.witnesses() and back == "0" and \
                    POSITIONS.index((step, int(number))) > case.position:
                self.beyond.append(notice)
                return
            word = self.word
        notice.answer(word)

    def expect(self, case):
        with self.lock:
            self.case, self.held, self.beyond, self.word = case, {}, [], "go"
            self.newcomer, self.given_up = None, False

    def await_all(self):
        """Until whoever is asked at the step of the case is there; whom it holds, by side."""
        with self.lock:
            there = self.lock.wait_for(lambda: set(self.held) == self.case.witnesses(),
                                       harness.PATIENCE_S)
            expect(there, f"only {set(self.held)} came to the step")
            return dict(self.held)

    def release(self, word):
        with self.lock:
            self.case, self.word = None, word
            beyond, self.beyond = self.beyond, []
        for notice in beyond:
            notice.answer(word)

    def hurry(self):
        self.release("hurry")

    def leave_alone(self):
        self.release("go")

    def close(self):
        self.socket.close()


# ---- Processes ----

def state_of(pid):
    """As the kernel has it: "T" stopped, "Z" or gone: dead."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return GONE
    state = stat.rpartition(") ")[2][0]
    return GONE if state in "ZX" else state


def await_state(pid, state):
    harness.await_true(lambda: state_of(pid) == state, f"process {pid} is {state}")


def signal_if_there(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def operations(stage, number):
    """All kinds of operation between a set's engine and the other host's."""
    return harness.Application(
        [OPERATIONS, stage.left.socket, stage.right.socket, *ADDRESSES[number], "0",
         ENGINES[0][number], ENGINES[1][number]], f"{SETS[number]}'s application")


def check_told(load):
    """Its session has ended, and it was told so."""
    errors = load.end()
    expect("Connection reset by peer" in errors, f"what {load.name} was told: {errors}")


class Host:
    """The folder and the namespace of daemons that follow each other."""

    def __init__(self, space, index, more):
        self.space = space
        self.folder = harness.Folder()
        self.run = self.folder.socket.parent
        self.socket = self.folder.socket
        self.config = self.folder.path / "saddled.yaml"
        self.config.write_text(CONFIG.format(
            run=self.run, engines=ENGINES[index], mode=harness.MODE,
            addresses=[ADDRESSES[number][index] for number in ALL], more=more.format(
                run=self.run, blackout=BLACKOUT_S, program=CONTROL)))
        self.count = 0

    def start(self, *arguments):
        self.count += 1
        return harness.Daemon(SADDLED, self.config, self.folder, arguments=arguments,
                              space=self.space, log=f"daemon-{self.count}.log")


class Stage:
    """Two hosts with two cables, daemons, and an application on each cable."""

    def __init__(self):
        self.ends = contextlib.ExitStack()
        try:
            self.build()
        except BaseException:
            self.ends.close()
            raise

    def build(self):
        self.network = netns.Pair()
        self.ends.callback(self.network.close)
        self.cable()
        self.threads = futures.ThreadPoolExecutor()
        self.ends.callback(self.threads.shutdown)
        self.left = Host(self.network.left, 0, UPGRADABLE)
        self.right = Host(self.network.right, 1, "")
        self.ends.callback(self.remove_files)
        self.director = Director(self.left.folder.path / "director.sock")
        self.ends.callback(self.director.close)
        os.environ["SADDLE_DIRECTOR"] = str(self.left.folder.path / "director.sock")
        self.processes = []
        self.ends.callback(self.end_processes)
        self.peer = self.keep(self.right.start())
        self.daemon = self.keep(self.left.start())
        self.quiet = self.daemon.quiet_descriptors
        self.sockets = self.sockets_now()
        self.load = {number: self.keep(operations(self, number)) for number in ALL}
        self.busy = self.daemon.descriptors()

    def cable(self):
        left, right = self.network.spaces
        netns.cable(left, "eth1", right, "eth1")
        for space, address in zip(self.network.spaces, ADDRESSES[1]):
            space.up("eth1")
            space.address("eth1", f"{address}/24")

    def keep(self, made):
        self.processes.append(made)
        return made

    def remove_files(self):
        for host in (self.left, self.right):
            host.folder.remove()

    def end_processes(self):
        for pid in self.daemons():
            signal_if_there(pid, signal.SIGKILL)
        for process in reversed(self.processes):
            process.kill()

    def close(self):
        self.ends.close()

    # ---- What is there ----

    def sockets_now(self):
        return sorted(entry.name for entry in self.left.run.iterdir())

    def daemons(self):
        """Processes of the left host that run saddled or saddle-control."""
        space = os.fstat(self.network.left.descriptor).st_ino
        found = set()
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if os.readlink(entry / "exe") in (str(SADDLED), str(CONTROL)) and \
                        (entry / "ns/net").stat().st_ino == space:
                    found.add(int(entry.name))
        return found

    def programs(self):
        """Interfaces with an XDP program."""
        links = json.loads(self.network.left.run("ip", "-j", "link", "show"))
        return {link["ifname"] for link in links if link.get("xdp", {}).get("prog")}

    def check_left_behind(self):
        """Nothing of a dead daemon, beside what is the living one's."""
        if not self.daemon:
            harness.await_true(lambda: not self.daemons(), "no process is left")
            harness.await_true(lambda: not self.programs(), "no XDP program is left")
            return
        pid = self.daemon.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        harness.await_true(lambda: self.daemons() <= {pid, *map(
            int, children.read_text(encoding="ascii").split())}, "nobody else is left")
        expect_equal(self.programs(), {"eth0", "eth1"}, "interfaces with an XDP program")
        expect_equal(self.sockets_now(), self.sockets, "sockets")

    # ---- A case ----

    def do(self, case, held, pids):
        """To each of them at its step; who sees none there first."""
        for side in sorted(case.who, key=lambda side: side in held):
            if side in held:
                held.pop(side).answer(case.how)
            else:
                signal_if_there(pids[side], SIGNALS[case.how])
            await_state(pids[side], GONE if case.how == KILL else STOPPED)

    def continue_both(self, case, pids):
        """Long after. If it is too late for the set by then, that is the new one's to say; the old
        one, who may kill it, would not wait for long."""
        os.kill(pids[NEW], signal.SIGCONT)
        if case.is_late:
            harness.await_true(lambda: self.director.given_up, "the new one gives up")
        os.kill(pids[OLD], signal.SIGCONT)

    def perform(self, case):
        """The upgrade, up to where it is judged; the newcomer's start, to be waited for."""
        old = self.daemon
        self.director.expect(case)
        heir = self.threads.submit(self.left.start, "--takeover")
        held = self.director.await_all()
        pids = {OLD: old.process.pid, NEW: self.director.newcomer}
        self.do(case, held, pids)
        if case.how == STOP and len(case.who) == 2:
            self.director.leave_alone()
            if case.step in BLACKOUT_STEPS:
                time.sleep(BLACKOUT_S)
            self.continue_both(case, pids)
        elif case.how == STOP:
            self.director.hurry()
        else:
            self.director.leave_alone()
        for notice in held.values():
            notice.answer(self.director.word)
        return heir, pids

    def await_heir(self, case, outcome, heir, pids):
        """Until one of them is the daemon, or nobody."""
        old, log = self.daemon, self.daemon.text
        expected = f"hand-over to process {pids[NEW]}"
        if outcome.heir == OLD:
            if case.who == (OLD,):
                await_state(pids[NEW], GONE)
                os.kill(pids[OLD], signal.SIGCONT)
            harness.await_true(lambda: expected in log() or old.process.poll() is not None,
                               "the old one says what came of it")
            old.check_alive()
        if case.who == (NEW,) and case.how == STOP:
            # It goes on now, if it was not killed.
            if outcome.heir == NEW:
                old.process.wait(harness.PATIENCE_S)
            signal_if_there(pids[NEW], signal.SIGCONT)
        if outcome.heir == NEW:
            self.daemon = self.keep(heir.result(harness.PATIENCE_S))
            expect_equal(old.process.wait(harness.PATIENCE_S),
                         -signal.SIGKILL if case.who == (OLD,) else 0, "the old one's end")
            return
        expect(heir.exception(harness.PATIENCE_S), "the new one went on")
        if not outcome.heir:
            expect_equal(old.process.wait(harness.PATIENCE_S),
                         -signal.SIGKILL if OLD in case.who else 0, "the old one's end")
            self.daemon = None

    def check_record(self, case, outcome, pids):
        """The daemon that lives says what came of it, and at which step."""
        status, output, errors = harness.run(
            [SADDLECTL, "--socket", self.left.run / "control.sock", "--json", "upgrades"],
            stdin=subprocess.DEVNULL)
        expect_equal((status, errors), (0, ""), "saddlectl upgrades")
        last = json.loads(output)["upgrades"][-1]
        roles = {OLD: "old", NEW: "new"}
        other = NEW if outcome.heir == OLD else OLD
        expect_equal((last["outcome"], last["role"], last["pid"], last["peer"]),
                     (outcome.words, roles[outcome.heir], pids[outcome.heir], pids[other]),
                     "the record of the upgrade")
        if case.how == STOP:
            # Who was silent, and could have gone on with what the other one has by now.
            killed = case.who not in ((OLD, NEW), (outcome.heir,)) and outcome.words != "untouched"
            expect_equal(last.get("killed", False), killed, "whether the other one was killed")
        if outcome.words != "moved":
            expect(last.get("reason") and last.get("step"), f"no reason in {last}")

    def check_progress(self):
        """What was under way is through, and a whole round after it."""
        counts = []
        for _ in range(2):
            for load in self.load.values():
                load.give_line()
            counts.append([int(load.line()) for load in self.load.values()])
        expect(all(map(int.__lt__, *counts)), "the applications do not go on")

    def judge(self, case, outcome, pids):
        if outcome.words:
            self.check_record(case, outcome, pids)
        for number in ALL - outcome.kept:
            check_told(self.load[number])
        self.check_left_behind()
        if not self.daemon:
            self.daemon = self.keep(self.left.start())
        for number in ALL - outcome.kept:
            self.load[number] = self.keep(operations(self, number))
        self.check_progress()
        self.daemon.check_descriptors(self.busy, "the upgrade")
        self.check_left_behind()

    def play(self, case):
        outcome = outcome_of(case)
        heir, pids = self.perform(case)
        self.await_heir(case, outcome, heir, pids)
        self.judge(case, outcome, pids)

    def finish(self):
        for load in self.load.values():
            load.stop()
        for daemon, quiet in ((self.daemon, self.quiet), (self.peer, self.peer.quiet_descriptors)):
            daemon.check_descriptors(quiet, "the last session")
            daemon.stop()
        self.daemon = None
        self.check_left_behind()

    def logs(self):
        """Of the last daemons."""
        logs = sorted(self.left.folder.path.glob("daemon-*.log"),
                      key=lambda path: path.stat().st_mtime)[-2:]
        return "\n".join(f"{path.name}:\n{path.read_text(errors='replace')}" for path in logs)


class Play:
    """The cases that were asked for, one after the other on one stage, or on a new one after one
    that failed."""

    def __init__(self):
        self.stage = None

    def test(self, case):
        def run():
            self.stage = self.stage or Stage()
            try:
                self.stage.play(case)
            except (harness.Failure, subprocess.TimeoutExpired, futures.TimeoutError) as failure:
                logs = self.stage.logs()
                self.close()
                raise harness.Failure(f"{failure}\n{logs}") from failure
        run.__name__ = case.name
        return run

    def test_the_end(self):
        if self.stage:
            self.stage.finish()

    def close(self):
        stage, self.stage = self.stage, None
        if stage:
            stage.close()


def cases():
    """Each position with other deeds than the one before."""
    for place, (step, number) in enumerate(POSITIONS):
        for deed, (who, how) in enumerate(DEEDS):
            if (place + deed) % SHARE == 0:
                yield Case(step, number, who, how)


if __name__ == "__main__":
    netns.require()
    play = Play()
    try:
        harness.main([*map(play.test, cases()), play.test_the_end])
    finally:
        play.close()
