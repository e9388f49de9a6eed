#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Daemons that are replaced by newer ones while applications go on. Needs root.

    operations --- alpha --- [eth0] ====== veth ====== [eth0] --- beta --- operations
                     |                                              |
             replaced, several times                       then this one

Applications see no error, lose nothing and wait for nothing but the blackout.

usage: upgrade_test.py SADDLED OPERATIONS VICTIM SADDLE_CONTROL SADDLECTL KIND [OTHER]

With OTHER, a saddled of another build, daemons of both take over from each other; nothing else is
tried then.
"""
import contextlib
import json
import pathlib
import signal
import subprocess
import sys
from concurrent import futures

import harness
import hosts
import netns
from harness import expect, expect_equal

SADDLED, OPERATIONS, VICTIM, CONTROL, SADDLECTL = (
    pathlib.Path(word).resolve() for word in sys.argv[1:6])
KIND = hosts.KINDS[sys.argv[6]]
OTHER = pathlib.Path(sys.argv[7]).resolve() if len(sys.argv) > 7 else None
TIMES = 3  # that each daemon is replaced
NS_PER_MS = 1e6
ASKED = "asks for everything"


def operations(left, right):
    """All kinds of operation between two hosts."""
    return harness.Application([OPERATIONS, left.socket, right.socket, left.address, right.address,
                                "0"])


def newcomer(folder, config, space, name, *arguments, before=()):
    """One that is not waited for; `before` is what runs it."""
    with open(folder.path / name, "wb") as log:
        return subprocess.Popen([str(word) for word in (
            *before, SADDLED, "--config", config, "--takeover", *arguments)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=space.enter if space else None)


def replace(old, folder, config, number, space=None, program=SADDLED):
    """A newer daemon in the place of the old one."""
    new = harness.Daemon(program, config, folder, arguments=["--takeover"], space=space,
                         log=f"daemon-{number}.log")
    new.quiet_descriptors = old.quiet_descriptors
    expect_equal(old.process.wait(harness.PATIENCE_S), 0, f"the old one's end:\n{old.text()}")
    for daemon in (old, new):
        expect("everything moved" in daemon.text(), f"not everything moved:\n{daemon.text()}")
        for word in ("ERROR:", "runtime error", "LeakSanitizer"):
            expect(word not in daemon.text(), f"saddled complained:\n{daemon.text()}")
    return new


def check(folder, config, space=None):
    process = newcomer(folder, config, space, "check.log", "--check")
    expect_equal(process.wait(harness.PATIENCE_S), 0,
                 "the check:\n" + (folder.path / "check.log").read_text())


@contextlib.contextmanager
def upgradable(**options):
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network, upgradable=True, **options) as both:
        load = operations(*both)
        try:
            yield both, load
            load.stop()
        finally:
            load.kill()


def history(host):
    """The hand-overs that the host's daemon knows of."""
    status, output, errors = harness.run(
        [SADDLECTL, "--json", "--socket", host.control, "upgrades"], stdin=subprocess.DEVNULL)
    expect_equal((status, errors), (0, ""), "upgrades")
    return json.loads(output)["upgrades"]


def sets(upgrade, figure):
    """One figure of each."""
    return [of[figure] for of in upgrade["sets"]]


def replace_host(host, number, program=SADDLED):
    host.daemon = replace(host.daemon, host.folder, host.config(**host.options), number,
                          host.space, program)


def test_both_sides_are_replaced():
    with upgradable(program=CONTROL) as (both, load):
        number = 0
        for host in both:
            for _ in range(TIMES):
                before = load.ask()
                number += 1
                replace_host(host, number)
                expect(load.ask() > before, "the applications go on")
                status, output, errors = harness.run(
                    [SADDLECTL, "--socket", host.control, "session", "list"],
                    stdin=subprocess.DEVNULL)
                expect_equal((status, errors), (0, ""), "session list")
                expect(hosts.ENGINES[host.index] in output, output)
                expect_equal(sets(history(host)[-1], "missed"), [0], "packets missed")
            blackouts = [sets(upgrade, "blackout_ns")[0] / NS_PER_MS for upgrade in history(host)]
            print("blackouts, ms:", *(f"{blackout:.2f}" for blackout in blackouts))


def test_one_side_is_replaced():
    """The other one's is not of ours."""
    with upgradable(program=CONTROL) as ((left, _), load):
        for number in range(TIMES):
            before = load.ask()
            replace_host(left, number)
            expect(load.ask() > before, "the applications go on")
            expect_equal(sets(history(left)[-1], "missed"), [0], "packets missed")


def test_what_is_sent_again_is_counted():
    """For a while after a hand-over; here, where packets are lost on purpose, there are such. What
    is known of one goes over with the next."""
    with upgradable(program=CONTROL, port="impair: {loss: 5%}") as ((left, _), load):
        load.ask()
        replace_host(left, 1)
        harness.await_true(lambda: sets(history(left)[-1], "retransmitted")[0] > 0,
                           "packets sent again")
        first = history(left)[-1]
        for number in (2, 3):
            replace_host(left, number)
        known = history(left)
        expect_equal([upgrade["number"] for upgrade in known], [1, 2, 3], "hand-overs")
        expect(sets(known[0], "retransmitted") >= sets(first, "retransmitted"),
               f"of the first one: {known[0]}, before: {first}")
        load.ask()


def test_nothing_changes_by_a_check():
    with upgradable() as ((left, _), load):
        before = load.ask()
        check(left.folder, left.config(**left.options), left.space)
        left.daemon.check_alive()
        expect("nothing did" in left.daemon.text(), left.daemon.text())
        expect(load.ask() > before, "the applications go on")


def asked(daemon):
    return daemon.text().count(ASKED)


def test_a_newcomer_that_is_killed():
    """The old one goes on, and a later one is welcome."""
    with upgradable() as ((left, _), load):
        before = asked(left.daemon)
        process = newcomer(left.folder, left.config(**left.options), left.space, "killed.log")
        harness.await_true(lambda: asked(left.daemon) > before, "the newcomer knocks")
        process.send_signal(signal.SIGKILL)
        process.wait(harness.PATIENCE_S)
        rounds = load.ask()
        expect(load.ask() > rounds, "the applications go on")
        left.daemon.check_alive()
        replace_host(left, 1)
        expect(load.ask() > rounds, "the applications go on")


def refused(host, reason, *arguments, **options):
    """A newcomer that gives up, while the old one goes on."""
    process = newcomer(host.folder, host.config(**host.options), host.space, "refused.log",
                       *arguments, **options)
    status = process.wait(harness.PATIENCE_S)
    text = (host.folder.path / "refused.log").read_text()
    expect(status > 0, f"it took over:\n{text}")
    expect(reason in text, f"the reason:\n{text}")
    host.daemon.check_alive()


def test_a_device_that_cannot_be_opened():
    """By the newcomer, when the old one has closed it already: that opens it again."""
    with upgradable() as ((left, _), load):
        before = load.ask()
        refused(left, "nothing moved", before=[
            "unshare", "--mount", "sh", "-c",
            'mount --bind /dev/null /dev/net/tun && exec "$0" "$@"'])
        expect(load.ask() > before, "the applications go on")
        replace_host(left, 1)
        expect(load.ask() > before, "the applications go on")


def test_a_device_that_cannot_go_over():
    with upgradable() as ((left, _), load):
        before = load.ask()
        for arguments in (["--check"], []):
            refused(left, "its driver cannot hand over the connection", *arguments)
        expect(load.ask() > before, "the applications go on")


def test_an_old_one_that_is_killed():
    """Its sessions are gone as in any crash; the newcomer begins anew."""
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network, upgradable=True) as (left, right), \
            futures.ThreadPoolExecutor() as threads:
        old = left.daemon
        heir = threads.submit(harness.Daemon, SADDLED, left.config(**left.options), left.folder,
                              arguments=["--takeover"], space=left.space, log="heir.log")
        # By then it knows what there is, and has to begin anew with it.
        log = left.folder.path / "heir.log"
        harness.await_true(lambda: log.exists() and "EAL:" in log.read_text(),
                           "the newcomer was told what there is")
        old.kill()
        left.daemon = heir.result()
        expect("the other daemon is dead" in left.daemon.text(), left.daemon.text())
        load = operations(left, right)
        load.ask()
        load.stop()


def test_both_ends_of_a_ring():
    """Which are one set."""
    folder = harness.Folder()
    with contextlib.ExitStack() as stack:
        stack.callback(folder.remove)
        config = folder.config(
            extra=f"upgrade: {{socket: {folder.socket.parent}/upgrade.sock, blackout: 5s}}")
        daemon = harness.Daemon(SADDLED, config, folder)
        stack.callback(daemon.kill)
        honest = harness.Victim(VICTIM, folder.socket, arguments=[harness.EAGER])
        stack.callback(honest.kill)
        for number in range(TIMES):
            check(folder, config)
            daemon = replace(daemon, folder, config, number)
            stack.callback(daemon.kill)
            honest.check_progress()
        honest.stop()
        daemon.check_descriptors(daemon.quiet_descriptors, "the last session")
        daemon.stop()


def test_two_builds():
    """From each build to the other and back, with applications of SADDLED's build."""
    with upgradable() as (both, load):
        number = 0
        for program in (OTHER, SADDLED) * TIMES:
            for host in both:
                before = load.ask()
                number += 1
                replace_host(host, number, program)
                expect(load.ask() > before, "the applications go on")


def test_nobody_to_take_from():
    folder = harness.Folder()
    try:
        config = folder.config(
            extra=f"upgrade: {{socket: {folder.socket.parent}/upgrade.sock}}")
        process = newcomer(folder, config, None, "alone.log")
        expect(process.wait(harness.PATIENCE_S) != 0, "it ended well")
        text = (folder.path / "alone.log").read_text()
        expect("no daemon waits there" in text, text)
    finally:
        folder.remove()


if __name__ == "__main__":
    netns.require()
    every = [test_both_sides_are_replaced, test_what_is_sent_again_is_counted,
             test_nothing_changes_by_a_check, test_a_newcomer_that_is_killed,
             test_an_old_one_that_is_killed]
    of_kind = {"tap": [*every, test_a_device_that_cannot_be_opened],
               "memif-to-client": [test_one_side_is_replaced],
               "memif-to-server": [test_one_side_is_replaced],
               "net-memif": [test_a_device_that_cannot_go_over]}
    harness.main([test_two_builds] if OTHER else [
        *of_kind.get(sys.argv[6], every), test_both_ends_of_a_ring, test_nobody_to_take_from])
