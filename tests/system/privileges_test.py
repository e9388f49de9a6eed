#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""What the daemon keeps of its privileges, read from /proc for each of its threads, however it was
started: by root, by root for another user, and by that user with ambient capabilities.

Runs in a network namespace of its own, where this makes

    pa 10.8.0.1/24 ---- pb

usage: unshare --net privileges_test.py SADDLED
"""
import os
import pathlib
import pwd
import stat
import sys

import harness
from harness import expect, expect_equal

SADDLED = sys.argv[1]
USER = "nobody"
# capabilities(7), by their bits
NET_ADMIN, NET_RAW, IPC_LOCK, SYS_NICE, BPF = (1 << bit for bit in (12, 13, 14, 23, 39))
ALWAYS = IPC_LOCK | SYS_NICE
AMBIENT = "+net_admin,+net_raw,+bpf,+ipc_lock,+sys_nice"

XDP = "{name: p, driver: xdp, interface: pa}"
PACKET = "{name: p, driver: ethdev, device: 'net_af_packet0,iface=pa', interface: pa}"
TAP = "{name: p, driver: ethdev, device: 'net_tap0,iface=saddle-tap'}"
NULL = "{name: p, driver: net_null}"

CONFIG = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 128MiB
hugepages: off
{extra}
ports: [{port}]
engines: [{{name: alpha, port: p, addresses: [10.8.0.1/24]}}]
"""


def configure(folder, port, extra=""):
    path = folder.path / "saddled.yaml"
    path.write_text(CONFIG.format(socket=folder.socket, port=port,
                                  extra=extra.replace("FOLDER", str(folder.socket.parent))))
    path.chmod(0o644)
    return path


def as_user(folder, *capabilities):
    """A program that starts saddled as the user with those capabilities."""
    user = pwd.getpwnam(USER)
    path = folder.path / "start"
    path.write_text(f"#!/bin/sh\nexec setpriv --reuid {user.pw_uid} --regid {user.pw_gid} "
                    f"--clear-groups {' '.join(capabilities)} {SADDLED} \"$@\"\n")
    path.chmod(0o755)
    return path


def threads(daemon):
    """The status of each thread, the main one's first."""
    statuses = []
    for task in sorted(pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir(),
                       key=lambda path: int(path.name)):
        lines = (task / "status").read_text().splitlines()
        statuses.append({key: value.strip() for key, value in
                         (line.split(":", 1) for line in lines)})
    return statuses


def check_thread(status, capabilities, uid, bounding):
    name = status["Name"]
    for key, wanted in (("CapPrm", capabilities), ("CapEff", capabilities), ("CapInh", 0),
                        ("CapAmb", 0)):
        expect_equal(f"{int(status[key], 16):x}", f"{wanted:x}", f"{key} of thread {name}")
    if bounding is not None:
        expect_equal(int(status["CapBnd"], 16), bounding, f"CapBnd of thread {name}")
    expect_equal(status["NoNewPrivs"], "1", f"NoNewPrivs of thread {name}")
    expect_equal(set(status["Uid"].split()), {str(uid)}, f"Uid of thread {name}")


def check(port, control, saddled=None, extra="", uid=0, bounding=0):
    """Starts it, and looks at every thread: `control` is what the first has beyond the others."""
    folder = harness.Folder()
    daemon = None
    try:
        daemon = harness.Daemon(saddled(folder) if saddled else SADDLED,
                                configure(folder, port, extra), folder)
        statuses = threads(daemon)
        expect(len(statuses) >= 3, f"threads: {[status['Name'] for status in statuses]}")
        check_thread(statuses[0], ALWAYS | control, uid, bounding)
        for status in statuses[1:]:
            check_thread(status, ALWAYS, uid, bounding)
        expect_equal(folder.socket.stat().st_uid, uid, "the socket's owner")
        expect(stat.S_ISSOCK(folder.socket.stat().st_mode), "a socket")
        text = daemon.text()
        expect_equal("running as root" in text, uid == 0, f"the warning in {text}")
        expect(f"privileges: user {pwd.getpwuid(uid).pw_name} ({uid}), capabilities: ipc_lock, "
               "sys_nice" in text and "missing" not in text, text)
        groups = set(statuses[0]["Groups"].split())
        daemon.stop()
        return groups
    finally:
        if daemon:
            daemon.kill()
        folder.remove()


def test_root():
    check(NULL, 0)
    check(TAP, 0)
    check(PACKET, NET_ADMIN)
    check(XDP, NET_ADMIN)


def test_root_for_a_user():
    user = pwd.getpwnam(USER)
    for port, control in ((NULL, 0), (TAP, 0), (PACKET, NET_ADMIN), (XDP, NET_ADMIN)):
        groups = check(port, control, extra=f"user: {USER}", uid=user.pw_uid)
        expect_equal(groups, set(map(str, os.getgrouplist(USER, user.pw_gid))), "groups")


def test_upgradable():
    """Ports that were handed over may have to be opened again."""
    extra = "upgrade: {socket: FOLDER/upgrade.sock}"
    for port, control in ((NULL, 0), (TAP, NET_ADMIN), (PACKET, NET_ADMIN | NET_RAW),
                          (XDP, NET_ADMIN | NET_RAW | BPF)):
        check(port, control, extra=extra)


def test_ambient():
    """Who may not set his bounding set keeps it; it gives nothing without execve."""
    def start(folder):
        return as_user(folder, f"--inh-caps {AMBIENT}", f"--ambient-caps {AMBIENT}")
    for port, control in ((NULL, 0), (TAP, 0), (PACKET, NET_ADMIN), (XDP, NET_ADMIN)):
        check(port, control, saddled=start, uid=pwd.getpwnam(USER).pw_uid, bounding=None)


def refused(port, *parts, saddled=lambda folder: SADDLED, extra="", prepare=None):
    """Does not start, with a line for each of the parts, and leaves nothing."""
    folder = harness.Folder()
    if prepare:
        prepare(folder)
    status, output, errors = harness.run(
        [saddled(folder), "--config", configure(folder, port, extra)])
    expect_equal((status, output), (1, ""), f"saddled, which said {errors}")
    for part in parts:
        expect(part in errors, f"no {part!r} in {errors!r}")
    folder.check_clean()
    folder.remove()


def test_missing():
    """Without what the port needs: which, and how to give it."""
    refused(XDP, "missing: net_admin, net_raw, bpf (setcap cap_net_admin,cap_net_raw,cap_bpf+ep "
            f"{os.path.realpath(SADDLED)})", "port p:", saddled=as_user)
    refused(PACKET, "missing: net_admin, net_raw", "port p:", saddled=as_user)
    # One is not enough: which is left is said.
    refused(PACKET, "missing: net_raw ", "port p:", saddled=lambda folder: as_user(
        folder, "--inh-caps +net_admin", "--ambient-caps +net_admin"))


def test_locked_memory():
    """Without CAP_IPC_LOCK the limit counts, and is named."""
    def start(folder):
        path = as_user(folder, "--inh-caps +net_admin,+net_raw,+bpf",
                       "--ambient-caps +net_admin,+net_raw,+bpf")
        path.write_text(path.read_text().replace("exec ", "ulimit -l 1024\nexec "))
        return path
    refused(XDP, "RLIMIT_MEMLOCK is 1 MiB", "LimitMEMLOCK", "port p:", saddled=start)


def test_users():
    refused(NULL, 'error: user: there is no user "no-such-user"', extra="user: no-such-user")
    refused(NULL, 'error: user: only root can become "root"', extra="user: root", saddled=as_user)
    # A socket that the user could not remove is not made.
    refused(NULL, "error: socket ", "Permission denied", extra=f"user: {USER}",
            prepare=lambda folder: folder.socket.parent.chmod(0o755))


for line in ("link add pa type veth peer name pb", "link set pa up", "link set pb up",
             "address add 10.8.0.1/24 dev pa"):
    expect_equal(harness.run(["ip", *line.split()])[0], 0, f"ip {line}")
harness.main([test_root, test_root_for_a_user, test_upgradable, test_ambient, test_missing,
              test_locked_memory, test_users])
