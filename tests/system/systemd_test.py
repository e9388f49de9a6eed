#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""A daemon that systemd looks after, and that is replaced, refused, hung and stopped, while
applications use it. In a stand-in for a machine (machine.py); needs root.

       the unit saddled                                 a transient unit, in another network
    operations --- alpha --- [eth0] ====== veth ====== [eth0] --- beta --- operations

usage: systemd_test.py BUILD OPERATIONS SURVIVOR SADDLED_DIRECTED upgrades|ends|crashes
"""
import contextlib
import json
import pathlib
import re
import subprocess
import sys

import harness
import machine
from harness import await_true, expect, expect_equal

BUILD, OPERATIONS, SURVIVOR, DIRECTED = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
ATTACH = "/run/saddle/attach.sock"
WISH = "/run/saddle/upgrade"
PEER = "/run/peer"
ADDRESSES = ("10.77.0.1", "10.77.0.2")
NAMES = ("alpha", "beta")
UDP_PORT = 50707
TIMES = 3  # that the daemon is replaced
KEPT = "4"  # descriptors that systemd keeps: two sockets, each with its lock
# A watchdog, and a time of silence, that a busy machine does not trip, and that can be waited for;
# time to look while no daemon runs; and how the daemon ended, which the service manager forgets
# when it starts it again, is written to the journal.
DROP_IN = """\
[Service]
WatchdogSec=5s
RestartSec=3s
ExecStopPost=/bin/sh -c 'echo "ended: ${SERVICE_RESULT} ${EXIT_CODE} ${EXIT_STATUS}"'
"""
CONFIG = """\
socket: {{path: {run}/attach.sock, mode: "0666"}}
memory: 64MiB
hugepages: off
ports: [{{name: eth, driver: xdp, interface: eth0}}]
engines: [{{name: {name}, port: eth, addresses: [{address}], dead_after: 120s}}]
groups: [{{name: main, mode: spreading, engines: [{name}]}}]
policy: [{{any: true, allow: all}}]
control: {{path: {run}/control.sock, mode: "0666", observe: [{{any: true}}]}}
upgrade: {{socket: {run}/upgrade.sock, blackout: 5s}}
"""
NETWORK = """\
set -e
ip netns add peer
ip link add eth0 type veth peer name eth0 netns peer
ip address add {}/24 dev eth0
ip link set eth0 up
ip -n peer address add {}/24 dev eth0
ip -n peer link set eth0 up
""".format(*ADDRESSES)


def config(index, run):
    return CONFIG.format(run=run, name=NAMES[index], address=ADDRESSES[index])


def program(host):
    """Where the unit has saddled."""
    return re.search(r"path=(\S+) ;", host.show("ExecStart"))[1]


def operations(host):
    """All kinds of operation between the two daemons; how much of them a hand-over survives is
    shown elsewhere."""
    return harness.Application(
        host.inside(OPERATIONS, ATTACH, f"{PEER}/attach.sock", *ADDRESSES, "slowly"), "the load",
        start_new_session=True)


@contextlib.contextmanager
def loaded(host):
    load = operations(host)
    try:
        yield load
        load.stop()
    finally:
        load.kill()


class Survivor:
    """An application that attaches again when its daemon has gone, or one that takes its calls."""

    def __init__(self, host, *arguments):
        self.process = subprocess.Popen(
            host.inside(SURVIVOR, "--service", "stay", *arguments),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        self.expect("ready")

    def expect(self, *lines):
        for line in lines:
            got = self.process.stdout.readline().strip()
            expect_equal(got, line, "what the application says")

    def end(self):
        _, errors = self.process.communicate(timeout=harness.PATIENCE_S)
        expect_equal((self.process.returncode, errors), (0, ""), "the application's end")


@contextlib.contextmanager
def calling(host):
    """One that calls, and one that is called; they end in order."""
    programs = []
    try:
        programs.append(Survivor(host, "--socket", f"{PEER}/attach.sock"))
        programs.append(Survivor(host, "--socket", ATTACH, "--host", ADDRESSES[1], "--again"))
        programs[1].expect("connected")
        yield programs
        for program_ in reversed(programs):
            program_.end()
    finally:
        for program_ in programs:
            harness.kill(program_.process)


@contextlib.contextmanager
def connected():
    """Both daemons, ready."""
    with machine.installed(BUILD) as host:
        host.must(NETWORK)
        host.must(f"mkdir {PEER}")
        host.write(config(0, "/run/saddle"))
        host.write(config(1, PEER), f"{PEER}/saddled.yaml")
        host.drop_in("test", DROP_IN)
        host.must("systemd-run --quiet --unit=peer --property=Type=notify "
                  "--property=NetworkNamespacePath=/run/netns/peer "
                  f"{program(host)} --config {PEER}/saddled.yaml")
        host.must("systemctl start saddled")
        yield host


class Service:
    """What the service manager says of the unit; what may not change is compared."""

    def __init__(self, host):
        self.host = host
        self.began = self.since()
        self.pid = self.main()

    def main(self):
        return self.host.show("MainPID")

    def since(self):
        """When it left "inactive" and when it became active last, and how often it was restarted:
        what a reload does not change, and anything else does."""
        return [self.host.show(name) for name in (
            "InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic", "NRestarts")]

    def check(self, pid):
        """It was active all the time, and this is its main process; beside that there is only the
        one that speaks with operators."""
        expect_equal(self.host.show("ActiveState"), "active", "the unit")
        expect_equal(self.since(), self.began, "times of its changes, and restarts")
        expect_equal(self.main(), pid, "the main process")
        expect_equal(self.host.show("StatusText"), "ready: 1 engines", "its status")
        expect_equal(self.host.show("NFileDescriptorStore"), KEPT, "descriptors that are kept")
        await_true(lambda: len(self.host.processes()) <= 2, "the other daemon has gone")
        children = self.host.must(f"cat /proc/{pid}/task/{pid}/children").split()
        expect_equal(sorted(self.host.processes()), sorted([pid, *children]), "processes")

    def fed(self):
        """When the watchdog last heard that all is well."""
        return int(self.host.show("WatchdogTimestampMonotonic"))

    def check_watchdog(self):
        before = self.fed()
        await_true(lambda: self.fed() > before, "the watchdog hears that all is well")

    def all_said(self):
        return [entry["MESSAGE"] for entry in self.host.journal()]

    def said(self, pattern):
        """Whether a line of the unit's journal is like that."""
        return any(re.search(pattern, line) for line in self.all_said())


def history(host):
    return json.loads(host.must("saddlectl --json upgrades"))["upgrades"]


def check_replaced(service, load, count):
    """Somebody else is the main process, of which the one before has told; the applications went
    on, and go on."""
    await_true(lambda: service.main() != service.pid
               and service.host.show("ActiveState") == "active", "another main process")
    before, service.pid = service.pid, service.main()
    service.check(service.pid)
    expect(service.host.run(f"test -e /proc/{before}")[0] != 0, "the old daemon is there")
    load.check_progress()
    known = history(service.host)
    expect_equal(len(known), count, "hand-overs that are known")
    expect_equal((known[-1]["outcome"], known[-1]["role"], str(known[-1]["peer"])),
                 ("moved", "new", before), "the last one")
    service.check_watchdog()


def test_replaced():
    """By the operator's command, and by what that does."""
    with connected() as host, loaded(host) as load:
        service = Service(host)
        service.check(service.pid)
        service.check_watchdog()
        host.must("saddlectl upgrade --check")
        service.check(service.pid)
        for number in range(TIMES):
            if number == 0:
                host.must(f"printf 'move\\n5000000\\n' > {WISH} && chown saddle: {WISH} "
                          "&& systemctl reload saddled")
            else:
                said = host.must("saddlectl upgrade")
                expect(re.search(r"moved", said), said)
            check_replaced(service, load, number + 2)


@contextlib.contextmanager
def stand_in(host, text, directed=None):
    """Another program in the place of saddled, with {} where saddled itself is now; `directed` is
    put beside it, where the unit sees it."""
    path = program(host)
    host.must(f"mv {path} {path}.real")
    if directed:
        host.must(f"cp {directed} $(dirname {path})/directed")
    host.write("#!/bin/sh\n" + text.format(f"{path}.real"), path)
    host.must(f"chmod 755 {path}")
    try:
        yield
    finally:
        host.must(f"mv {path}.real {path}")


@contextlib.contextmanager
def file_changed(host, old, new):
    host.write(config(0, "/run/saddle").replace(old, new))
    try:
        yield
    finally:
        host.write(config(0, "/run/saddle"))


# What is wrong with the newcomer; what saddlectl says of it, and what the journal.
REFUSALS = {
    "it does not start": (
        lambda host: stand_in(host, "echo not for this machine >&2\nexit 1\n"),
        "no hand-over was over", "^not for this machine$"),
    "it is killed at once": (
        lambda host: stand_in(host, "echo killed at once >&2\nkill -9 $$\n"),
        "no hand-over was over", "^killed at once$"),
    "its file is wrong": (
        lambda host: file_changed(host, "port: eth", "port: ethernet"),
        "no hand-over was over", rf'^{machine.CONFIG}:5:\d+: .*"ethernet"'),
    "it knocks elsewhere": (
        lambda host: file_changed(host, "upgrade.sock", "elsewhere.sock"),
        "no hand-over was over", "^socket /run/saddle/elsewhere.sock: .*no daemon waits there"),
    "it serves no application as new as ours": (
        lambda host: stand_in(host, 'SADDLE_SERVES_TO=2 exec "$(dirname "$0")/directed" "$@"\n',
                              DIRECTED),
        "untouched, at welcome: sessions: ABI versions 3 to 3 are attached, "
        "and the new daemon serves 2 to 2", "ABI versions 3 to 3 are attached"),
    "it cannot take what is offered": (
        lambda host: stand_in(host, "ulimit -n 24\nexec {} \"$@\"\n"),
        "untouched, at adopt of set alpha", "Too many open files"),
}


def test_refused():
    """Nothing changes, and why is to be seen."""
    with connected() as host, loaded(host) as load:
        service = Service(host)
        for what, (wrong, told, written) in REFUSALS.items():
            with wrong(host):
                status, output, errors = host.run("saddlectl upgrade --wait 2")
                expect_equal(status, 1, f"{what}: saddlectl's status")
                expect(told in errors, f"{what}: {output}{errors}")
                # saddlectl waits no longer than it was told; the newcomer may not be so far:
                # what is wrong stays so until it is.
                await_true(lambda pattern=written: service.said(pattern),
                           lambda pattern=written: f"{what}: {pattern} in {service.all_said()}")
            service.check(service.pid)
            load.check_progress()
        host.must("saddlectl upgrade")
        # Two of those above came far enough to be remembered.
        check_replaced(service, load, 3)


def check_nothing_left(host):
    """Of a daemon that has ended, in whatever way."""
    expect_equal(host.processes(), [], "processes")
    await_true(lambda: "xdp" not in host.must("ip -details link show dev eth0"),
               "no XDP program is left")
    expect(f":{UDP_PORT}" not in host.must("ss -Hlun"), "the UDP port is still taken")


def check_restarted(service, restarts):
    """By the service manager, after the daemon had ended badly."""
    before = service.pid
    await_true(lambda: service.main() not in ("0", before)
               and service.host.show("ActiveState") == "active", "it is restarted")
    service.__init__(service.host)
    expect_equal(service.began[-1], str(restarts), "restarts")
    service.check(service.pid)


def test_hung():
    """Whoever does not say that he is well is killed, and started again; applications are told,
    and attach again."""
    with connected() as host:
        load = operations(host)
        service = Service(host)
        host.must("systemctl kill --kill-whom=main --signal=STOP saddled")
        check_restarted(service, 1)
        expect(service.said("^ended: watchdog killed ABRT$"), "the watchdog did not kill it")
        expect("Connection reset by peer" in load.end(), "what the applications say")
        with loaded(host) as load:
            load.check_progress()


def test_stopped():
    """In order: applications are told, and nothing stays; a start finds all as it was."""
    with connected() as host:
        for _ in range(2):
            load = operations(host)
            service = Service(host)
            host.must("systemctl stop saddled")
            expect_equal(host.show("ActiveState"), "inactive", "the unit")
            expect_equal(host.show("Result"), "success", "its result")
            expect(service.said("^ended: success exited 0$"), "it did not end in order")
            load.end()
            check_nothing_left(host)
            expect_equal(host.show("NFileDescriptorStore"), "0", "descriptors that are kept")
            expect(host.run("test -e /run/saddle")[0] != 0, "its folder is left")
            host.must("systemctl start saddled")


def kill(service):
    service.host.must("systemctl kill --kill-whom=main --signal=KILL saddled")


def test_crashed():
    """Applications are told at once, wait for the next daemon without being refused, and go on with
    it; so does one that was started to replace another one. The other host's ends see an error."""
    with connected() as host, calling(host) as (server, caller):
        service = Service(host)
        for number in (1, 2):
            kill(service)
            caller.expect("over ECONNRESET", "ready", "connected")
            server.expect("lost ECONNRESET")
            check_restarted(service, number)
            expect(service.said("^ended: signal killed KILL$"), "it was not killed")
            service.check_watchdog()
        host.must("saddlectl upgrade")
        await_true(lambda: service.main() != service.pid, "another main process")
        service.pid = service.main()
        service.check(service.pid)
        kill(service)
        caller.expect("over ECONNRESET", "ready", "connected")
        check_restarted(service, 3)


def test_killed_for_good():
    """Nothing holds the interface, and a start finds all as it was."""
    with connected() as host, calling(host) as (server, _):
        host.drop_in("once", "[Service]\nRestart=no\n")
        service = Service(host)
        kill(service)
        await_true(lambda: host.show("ActiveState") == "failed", "it has failed")
        check_nothing_left(host)
        host.must("systemctl start saddled")
        server.expect("lost ECONNRESET")
        service = Service(host)
        service.check(service.pid)


def test_nobody_there():
    """What is asked while no daemon runs is answered by the next one."""
    with connected() as host:
        service = Service(host)
        kill(service)
        await_true(lambda: service.main() == "0", "the daemon has gone")
        Survivor(host, "--socket", ATTACH).end()
        check_restarted(service, 1)
        kill(service)
        await_true(lambda: service.main() == "0" and not host.processes(), "all of it has gone")
        host.must(f"saddlectl --timeout {harness.PATIENCE_S} status")
        check_restarted(service, 2)


def test_restarted():
    """By the operator: applications are told that the daemon stops, and find the next one."""
    with connected() as host, calling(host) as (_, caller):
        host.must("systemctl restart saddled")
        caller.expect("over ESHUTDOWN", "ready", "connected")
        service = Service(host)
        service.check(service.pid)
        expect(not service.said("is refused"), "something that was kept was refused")


def test_what_is_kept_is_no_good():
    """A socket that lies at its path no longer is replaced, and what is kept is right after it."""
    with connected() as host, calling(host) as (_, caller):
        service = Service(host)
        host.must(f"rm {ATTACH}")
        kill(service)
        caller.expect("over ECONNRESET", "refused ENOENT", "ready", "connected")
        check_restarted(service, 1)
        expect(service.said(f'^socket {ATTACH}: what was kept as "saddle-attach" is refused: '
                            "it is not at its path any more$"), "nothing says what is wrong")
        kill(service)
        caller.expect("over ECONNRESET", "ready", "connected")
        check_restarted(service, 2)


machine.require()
harness.main({
    "upgrades": [test_replaced, test_refused],
    "ends": [test_hung, test_stopped, test_restarted, test_killed_for_good],
    "crashes": [test_crashed, test_nobody_there, test_what_is_kept_is_no_good],
}[sys.argv[5]])
