#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""saddled as a service: what is installed, in a stand-in for a machine (machine.py). Needs root.

usage: service_test.py BUILD
"""
import pathlib
import re
import sys

import harness
from machine import CONFIG, installed, require

BUILD = pathlib.Path(sys.argv[1])
SOCKET = "/run/saddle/attach.sock"
UNIT = "/lib/systemd/system/saddled.service"
EXPOSURE = 28  # tenths
# CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK, CAP_SYS_NICE, CAP_BPF
BOUNDING = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 23 | 1 << 39

GOOD = """\
socket: {path: /run/saddle/attach.sock, mode: "0666"}
memory: 128MiB
hugepages: off
ports:
  - {name: wire-a, driver: net_ring, peer: wire-b}
  - {name: wire-b, driver: net_ring, peer: wire-a}
engines:
  - {name: alpha, port: wire-a, addresses: [10.77.0.1]}
  - {name: beta, port: wire-b, addresses: [10.77.0.2]}
groups:
  - {name: main, mode: spreading, engines: [alpha, beta]}
policy: [{any: true, allow: all}]
control: {path: /run/saddle/control.sock, mode: "0666", observe: [{any: true}]}
"""
BROKEN = GOOD.replace("port: wire-b,", "port: wire-c,")


def check_running(machine):
    """Active, as whom, with which rights; and it says what it is."""
    harness.expect_equal(machine.show("ActiveState"), "active", "the unit")
    harness.expect_equal(machine.show("StatusText"), "ready: 2 engines", "its status")
    status = machine.must(f"cat /proc/{machine.show('MainPID')}/status")
    uid = machine.must("id -u saddle").strip()
    harness.expect(re.search(rf"^Uid:\t{uid}\t{uid}\t{uid}\t{uid}$", status, re.MULTILINE), status)
    harness.expect("NoNewPrivs:\t1" in status, status)
    for name in ("CapEff", "CapPrm", "CapBnd"):
        has = int(re.search(rf"^{name}:\t(\w+)$", status, re.MULTILINE)[1], 16)
        harness.expect_equal(has & ~BOUNDING, 0, name)


def check_application(machine):
    machine.must("setpriv --reuid=65534 --regid=65534 --clear-groups "
                 "saddle-ping --engine alpha --count 3 10.77.0.2")


def check_control(machine):
    """Another user asks how it is, through a process that holds nothing."""
    said = machine.must("setpriv --reuid=65534 --regid=65534 --clear-groups saddlectl status")
    harness.expect(re.search(r"^condition +ok$", said, re.MULTILINE), said)
    main = machine.show("MainPID")
    child = machine.must(f"cat /proc/{main}/task/{main}/children").split()
    harness.expect_equal(len(child), 1, "children")
    status = machine.must(f"cat /proc/{child[0]}/status")
    for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        harness.expect(re.search(rf"^{name}:\t0+$", status, re.MULTILINE), status)


def check_journal(machine):
    entries = [entry for entry in machine.journal() if "attached" in entry["MESSAGE"]]
    harness.expect(entries, "nothing in the journal says that a session is attached")
    entry = entries[-1]
    session = re.match(r"session (\d+): attached", entry["MESSAGE"])[1]
    got = {key: entry.get(key) for key in ("SADDLE_SESSION", "SADDLE_ENGINE", "SADDLE_UID",
                                           "PRIORITY", "SYSLOG_IDENTIFIER")}
    harness.expect_equal(got, {"SADDLE_SESSION": session, "SADDLE_ENGINE": "alpha",
                               "SADDLE_UID": "65534", "PRIORITY": "6",
                               "SYSLOG_IDENTIFIER": "saddled"}, "fields")


def check_unit(machine):
    """No word that systemd does not know, and no more exposed than docs/operations.md says."""
    harness.expect_equal(machine.run(f"systemd-analyze verify --man=no {UNIT}"), (0, "", ""),
                         "systemd-analyze verify")
    machine.must(f"systemd-analyze security --offline=true --threshold={EXPOSURE} {UNIT}")


def life_of_a_service():
    with installed(BUILD) as machine:
        check_unit(machine)
        machine.write(BROKEN)
        harness.expect(machine.run("systemctl start saddled")[0] != 0, "a broken start succeeded")
        said = [entry["MESSAGE"] for entry in machine.journal()]
        harness.expect(any(re.match(rf'{CONFIG}:9:\d+: .*"wire-c"', line) for line in said), said)

        machine.must("systemctl stop saddled")
        machine.write(GOOD)
        machine.must("systemctl start saddled")
        check_running(machine)
        check_application(machine)
        check_control(machine)
        check_journal(machine)

        before = machine.show("MainPID")
        machine.must("systemctl reload saddled")
        check_running(machine)
        harness.expect_equal(machine.show("MainPID"), before, "after a reload, the process")

        machine.must("systemctl kill --kill-whom=main --signal=KILL saddled")
        harness.await_true(lambda: machine.show("ActiveState") == "active"
                           and machine.show("MainPID") not in ("0", before), "it is restarted")
        check_running(machine)
        check_application(machine)

        machine.must("systemctl stop saddled")
        harness.expect_equal(machine.show("ActiveState"), "inactive", "the unit")
        harness.expect_equal(machine.show("Result"), "success", "its result")
        harness.expect_equal(machine.show("ExecMainStatus"), "0", "the exit status")
        harness.expect(machine.run(f"test -e {SOCKET}")[0] != 0, "the socket is left")


require()
harness.main([life_of_a_service])
