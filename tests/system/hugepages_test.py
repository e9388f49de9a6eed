#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Sessions whose memory is of huge pages, since the policy trusts their users. Needs root and a
kernel that gives huge pages away; the pool is the test's own meanwhile, and then as it was.

    trusted  --- [alpha] ===== [beta] --- trusted, or stranger
    (2 MiB)                               (2 MiB)     (4 KiB)

usage: hugepages_test.py SADDLED VICTIM RIGHTS_CLIENT SADDLE_CONTROL SADDLECTL
"""
import contextlib
import fcntl
import json
import os
import pathlib
import re
import sys

import harness
from harness import expect, expect_equal
from rights import Application

SADDLED, VICTIM, CLIENT, CONTROL, SADDLECTL = (pathlib.Path(word).resolve()
                                               for word in sys.argv[1:6])
POOL = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
SMALL_KB, HUGE_KB = 4, 2048
TRUSTED, INSISTENT, STRANGER = range(12350, 12353)  # nobody's
HEAP = 1 << 20
EACH = 3  # huge pages of a session with that heap: slots of 4 MiB, queues and header come on top
ENOUGH = 4 * EACH
RULES = f"""\
policy:
  - {{any: true, allow: all}}
  - {{uid: {TRUSTED}, allow: attach, hugepages: auto}}
  - {{uid: {INSISTENT}, allow: attach, hugepages: required}}
"""


class Pool:
    """The machine's huge pages, of which so many are free as a test wants. Whoever else runs this
    test waits."""

    def __init__(self):
        self.file = POOL / "nr_hugepages"
        self.lock = open(self.file, encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.before = self.read("nr_hugepages")

    def read(self, name):
        return int((POOL / name).read_text())

    def free(self):
        return self.read("free_hugepages") - self.read("resv_hugepages")

    def offer(self, count):
        """So many are free, whatever is in use; those go back to the kernel, not here, if they are
        more than there are to be."""
        for _ in range(ENOUGH):  # who has some may give them back meanwhile
            used = self.read("nr_hugepages") - self.free()
            self.file.write_text(str(used + count if count else 0))
            if self.free() == count:
                return
        raise harness.Failure(f"{self.free()} huge pages are free, not {count}")

    def restore(self):
        self.file.write_text(str(self.before))
        self.lock.close()


def require_pool():
    """Ends the test here, as one that was left out, where there can be none."""
    if os.geteuid() != 0:
        harness.leave_out("only root sets huge pages aside")
    if not POOL.exists():
        harness.leave_out(f"no huge pages of 2 MiB in this kernel: {POOL} is not there")
    try:
        pool = Pool()
    except OSError as error:
        harness.leave_out(f"huge pages cannot be looked at: {error}")
    try:
        pool.offer(ENOUGH)
    except (OSError, harness.Failure) as error:
        with contextlib.suppress(OSError):
            pool.restore()
        harness.leave_out(f"no huge pages to be set aside: {error}")
    return pool


@contextlib.contextmanager
def running():
    """A daemon with a control socket, and two others that exchange all along."""
    folder = harness.Folder()
    honest, daemons = None, []
    try:
        run = folder.socket.parent
        path = folder.config(extra=RULES + f"control: {{path: {run}/control.sock, "
                             f"program: {CONTROL}}}\nupgrade: {{socket: {run}/upgrade.sock}}\n")
        daemons.append(harness.Daemon(SADDLED, path, folder))
        daemons[0].config = path
        honest = harness.Victim(VICTIM, folder.socket)
        yield daemons
        honest.check_progress()
        honest.stop()
        daemons[-1].stop()
    finally:
        for process in (honest, *daemons):
            if process:
                process.kill()
        folder.remove()


def attach(daemon, engine, uid):
    return Application(CLIENT, daemon.folder.socket, engine, uid, heap=HEAP)


@contextlib.contextmanager
def attached(daemon, *who):
    """(engine, uid) of each; all attach, and end in order if they live."""
    made = []
    try:
        for engine, uid in who:
            made.append(attach(daemon, engine, uid))
            expect_equal(made[-1].attached, "attach: 0", f"{uid} on {engine}")
        yield made
        for one in made:
            if one.process.poll() is None:
                one.stop()
    finally:
        for one in made:
            one.kill()


def pages_of(pid):
    """KiB of a page of each arena that the process has mapped."""
    sizes, within = [], False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
            within = "memfd:saddle-arena" in line
        elif within and line.startswith("KernelPageSize:"):
            sizes.append(int(line.split()[1]))
    return sizes


def listed(daemon):
    """Sessions by the process that has them: whether they have huge pages."""
    status, output, errors = harness.run(
        [SADDLECTL, "--socket", daemon.folder.socket.parent / "control.sock", "--json", "session",
         "list"])
    expect_equal((status, errors), (0, ""), "session list")
    return {one["pid"]: one["huge_pages"] for one in json.loads(output)["sessions"]}


def exchange(caller, callee):
    for sender, receiver in ((caller, callee), (callee, caller)):
        sender.tell("send")
        receiver.may("receive")
        expect_equal(sender.line(), "send: 0", "it is received")


def connect(caller, callee, service):
    callee.may(f"listen {service}")
    callee.tell("accept")
    caller.may(f"connect beta {service}")
    expect_equal(callee.line(), "accept: 0", "the listener")


def test_whom_the_policy_trusts():
    """He gets huge pages, and nobody else does, root included."""
    with running() as (daemon,):
        POOL_OF_TEST.offer(ENOUGH)
        with attached(daemon, ("alpha", TRUSTED), ("beta", STRANGER), ("alpha", INSISTENT),
                      ("beta", 0)) as who:
            trusted, stranger, insistent, root = who
            expect_equal([pages_of(one.process.pid) for one in who],
                         [[HUGE_KB], [SMALL_KB], [HUGE_KB], [SMALL_KB]], "pages of applications")
            own = pages_of(daemon.process.pid)
            expect_equal(own.count(HUGE_KB), 2, f"the daemon's arenas: {own}")
            expect_equal(POOL_OF_TEST.free(), ENOUGH - 2 * EACH, "free with two sessions")
            shown = listed(daemon)
            expect_equal([shown[one.process.pid] for one in who], [True, False, True, False],
                         "as operators see them")
            connect(trusted, stranger, "one")
            connect(insistent, root, "other")
            for _ in range(3):
                exchange(trusted, stranger)
                exchange(insistent, root)
            trusted.may("expose 65536")
        harness.await_true(lambda: POOL_OF_TEST.free() == ENOUGH, "all pages are given back")
        # Also of one that does not end in order.
        with attached(daemon, ("alpha", TRUSTED)) as (trusted,):
            expect_equal(POOL_OF_TEST.free(), ENOUGH - EACH, "free with one session")
            trusted.kill()
            harness.await_true(lambda: POOL_OF_TEST.free() == ENOUGH, "they are given back")


def test_too_few_pages():
    """Ordinary ones do, unless huge ones are required; a line says why."""
    with running() as (daemon,):
        POOL_OF_TEST.offer(EACH - 1)
        with attached(daemon, ("alpha", TRUSTED), ("beta", STRANGER)) as (trusted, stranger):
            expect_equal(pages_of(trusted.process.pid), [SMALL_KB], "pages")
            expect_equal(listed(daemon)[trusted.process.pid], False, "as operators see it")
            line = f"ordinary pages in place of {EACH} huge ones of 2 MiB: too few are free"
            expect_equal(daemon.text().count(line), 1, f"\"{line}\" in the log:\n{daemon.text()}")
            expect_equal(POOL_OF_TEST.free(), EACH - 1, "none is taken")
            connect(trusted, stranger, "one")
            exchange(trusted, stranger)
            refused = attach(daemon, "alpha", INSISTENT)
            expect_equal(refused.attached, "attach: ENOMEM: attach: the policy requires huge pages "
                         f"for uid {INSISTENT}, {EACH} of 2 MiB in this case: too few are free",
                         "who needs them")
            refused.process.communicate(timeout=harness.PATIENCE_S)
            POOL_OF_TEST.offer(EACH)
            with attached(daemon, ("alpha", INSISTENT)):
                expect_equal(POOL_OF_TEST.free(), 0, "all are taken")
            exchange(trusted, stranger)


def test_another_daemon_takes_over():
    """It maps the same pages, though no other is free; the session goes on, and gives them back."""
    with running() as daemons:
        POOL_OF_TEST.offer(2 * EACH)
        old = daemons[0]
        with attached(old, ("alpha", TRUSTED), ("beta", INSISTENT)) as (caller, callee):
            connect(caller, callee, "one")
            exchange(caller, callee)
            new = harness.Daemon(SADDLED, old.config, old.folder, arguments=["--takeover"],
                                 log="newer.log")
            daemons.append(new)
            expect_equal(old.process.wait(harness.PATIENCE_S), 0, f"its end:\n{old.text()}")
            exchange(caller, callee)
            expect_equal(pages_of(new.process.pid).count(HUGE_KB), 2, "huge arenas")
            expect_equal([listed(new)[one.process.pid] for one in (caller, callee)], [True, True],
                         "as operators see them")
            expect_equal(POOL_OF_TEST.free(), 0, "no more are taken")
        harness.await_true(lambda: POOL_OF_TEST.free() == 2 * EACH, "all pages are given back")


def punch(application, pages):
    """The first pages of its arena, or with a number below 0 the last ones, as the application
    itself could."""
    maps = pathlib.Path(f"/proc/{application.process.pid}/maps").read_text().splitlines()
    span, = (line.split()[0] for line in maps if "memfd:saddle-arena" in line)
    start, end = (int(word, 16) for word in span.split("-"))
    length = abs(pages) * HUGE_KB * 1024
    offset = end - start - length if pages < 0 else 0
    status, _, errors = harness.run(
        ["fallocate", "--punch-hole", "--offset", str(offset), "--length", str(length),
         f"/proc/{application.process.pid}/map_files/{span}"])
    expect_equal((status, errors), (0, ""), "fallocate")


def test_a_hole():
    """Whoever punches one, on a machine without a page to fill it, ends his own session and
    harms nobody; one that nobody notices, in a heap, is no reason to refuse a take-over."""
    with running() as daemons:
        daemon = daemons[0]
        POOL_OF_TEST.offer(ENOUGH)
        with attached(daemon, ("alpha", TRUSTED), ("beta", TRUSTED), ("alpha", TRUSTED),
                      ("beta", INSISTENT)) as (caller, puncher, other, callee):
            connect(caller, puncher, "one")
            connect(other, callee, "two")
            exchange(caller, puncher)
            # What is in use now goes back to the kernel as it is freed.
            POOL_OF_TEST.offer(0)
            punch(puncher, EACH)
            expect_equal(POOL_OF_TEST.free(), 0, "free after the hole")
            caller.tell("send")
            harness.await_true(lambda: "its memory was taken away" in daemon.text()
                               or daemon.process.poll() is not None, "the session ends")
            daemon.check_alive()
            expect_equal(daemon.text().count("its memory was taken away"), 1, "sessions that end")
            caller.line()
            exchange(other, callee)
            shown = listed(daemon)
            expect_equal([one.process.pid in shown for one in (caller, puncher, other, callee)],
                         [True, False, True, True], "who has a session")
            puncher.kill()
            connect(caller, callee, "three")
            punch(other, -1)
            new = harness.Daemon(SADDLED, daemon.config, daemon.folder, arguments=["--takeover"],
                                 log="newer.log")
            daemons.append(new)
            expect_equal(daemon.process.wait(harness.PATIENCE_S), 0, f"its end:\n{daemon.text()}")
            exchange(caller, callee)
            expect(listed(new)[other.process.pid], "the session with a hole goes on")
            other.may("ping beta")
            new.check_alive()


POOL_OF_TEST = require_pool()
try:
    harness.main([test_whom_the_policy_trusts, test_too_few_pages,
                  test_another_daemon_takes_over, test_a_hole])
finally:
    POOL_OF_TEST.restore()
