#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Whose memory an arena is: the application's memory cgroup carries it, not the daemon's. Needs
root and a memory controller.

    cgroup "daemon": saddled ----- arena ----- rights-client: cgroup "application"
                             `---- victim, in neither

usage: cgroup_test.py SADDLED VICTIM RIGHTS_CLIENT
"""
import contextlib
import pathlib
import signal
import sys

import cgroups
import harness
from harness import expect, expect_equal
from rights import Application

SADDLED, VICTIM, CLIENT = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
HEAP = 96 << 20  # bytes: far more than whatever else a process takes meanwhile
# What the daemon may take beside it; a sanitizer has an eighth of all that is mapped as its own.
OF_DAEMON = HEAP // 10 + (HEAP // 8 if harness.has_shadow(SADDLED) else 0)
LIMIT = HEAP // 2
NO_ATTACH = 3  # the application's exit status


@contextlib.contextmanager
def running():
    """A daemon in a cgroup of its own, a victim in none, and an empty cgroup."""
    with cgroups.made(KIND, "daemon", "application") as (of_daemon, of_application):
        folder = harness.Folder()
        daemon = honest = None
        try:
            daemon = harness.Daemon(SADDLED, folder.config(), folder, space=of_daemon)
            honest = harness.Victim(VICTIM, folder.socket)
            honest.check_progress()
            descriptors = daemon.descriptors()
            yield daemon, of_daemon, of_application
            # Nobody else was harmed, and nothing is left of the application.
            honest.check_progress()
            daemon.check_descriptors(descriptors, "the application")
            honest.stop()
            daemon.stop()
        finally:
            for process in (honest, daemon):
                if process:
                    process.kill()
            folder.remove()


def attach(daemon, cgroup):
    return Application(CLIENT, daemon.folder.socket, "alpha", heap=HEAP, enter=cgroup.enter)


def test_the_application_carries_its_arena():
    with running() as (daemon, of_daemon, of_application):
        before, own_before = of_daemon.usage(), of_application.usage()
        application = attach(daemon, of_application)
        try:
            expect_equal(application.attached, "attach: 0", "within no limit")
            grown, own = of_daemon.usage() - before, of_application.usage() - own_before
            expect(own >= HEAP * 9 // 10, f"an arena of {HEAP} bytes, its cgroup grew by {own}")
            expect(grown < OF_DAEMON, f"an arena of {HEAP} bytes, the daemon's grew by {grown}")
            # The daemon's use of it is no reason for another charge.
            application.may("expose 65536")
            application.may("ping beta")
            grown = of_daemon.usage() - before
            expect(grown < OF_DAEMON, f"after use the daemon's grew by {grown}")
            application.stop()
            harness.await_true(lambda: of_application.usage() - own_before < HEAP // 10,
                               "the arena's memory is given back")
        finally:
            application.kill()


def test_a_limit_below_the_arena():
    """Its own limit refuses it or kills it, and nobody else."""
    with running() as (daemon, of_daemon, of_application):
        before = of_daemon.usage()
        of_application.limit(LIMIT)
        application = attach(daemon, of_application)
        try:
            application.process.communicate(timeout=harness.PATIENCE_S)
            code = application.process.returncode
            print(f"        exit status {code}, said {application.attached!r}", flush=True)
            if code == -signal.SIGKILL:
                expect_equal(application.attached, "", "killed while it attached")
            else:
                expect_equal(code, NO_ATTACH, "its exit status")
                expect(application.attached.startswith("attach: ENOMEM: no memory for an arena"),
                       application.attached)
        finally:
            application.kill()
        grown = of_daemon.usage() - before
        expect(grown < OF_DAEMON, f"the daemon's cgroup grew by {grown}")
        # It was its limit alone that was in its way.
        of_application.limit(2 * HEAP)
        second = attach(daemon, of_application)
        try:
            expect_equal(second.attached, "attach: 0", "with enough")
            second.stop()
        finally:
            second.kill()


KIND = cgroups.require()
harness.main([test_the_application_carries_its_arena, test_a_limit_below_the_arena])
