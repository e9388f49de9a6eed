#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""What daemons cost that have nothing to do: two over each kind of port, with idle sessions, all at
the same time. It is measured, so nothing else may run. Needs root.

usage: idle_test.py SADDLED VICTIM KIND...
"""
import contextlib
import pathlib
import sys
import time

import harness
import hosts
import netns
from harness import expect

SADDLED, VICTIM = (pathlib.Path(word) for word in sys.argv[1:3])
KINDS = {name: hosts.KINDS[name] for name in sys.argv[3:]}
WATCHED_S = 3  # long enough for several keep-alives


@contextlib.contextmanager
def idle(kind):
    """Both daemons, with a session on each and a connection between these."""
    with netns.network(kind.network) as network, \
            hosts.running(SADDLED, kind, network) as both, \
            hosts.exchanging(VICTIM, *both, "--idle"):
        yield both


def used_ns(pairs):
    """Processor time of both daemons so far, by kind of port."""
    return {name: sum(host.cpu_ns() for host in both) for name, both in pairs.items()}


def test_idle():
    """Both daemons together use next to nothing."""
    with contextlib.ExitStack() as stack:
        pairs = {name: stack.enter_context(idle(kind)) for name, kind in KINDS.items()}
        before, begun_ns = used_ns(pairs), time.monotonic_ns()
        time.sleep(WATCHED_S)
        after, ended_ns = used_ns(pairs), time.monotonic_ns()
        for name, kind in KINDS.items():
            share = (after[name] - before[name]) / (ended_ns - begun_ns)
            print(f"{name}: {share:.1%} of a processor", flush=True)
            expect(share < kind.idle_share, f"{name}: idle daemons use {share:.1%} of a processor")


netns.require()
harness.main([test_idle])
