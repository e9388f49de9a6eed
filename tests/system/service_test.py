#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""saddled as a service: what is installed, under a systemd that is the first process of namespaces
of its own (network, mounts, processes, control groups).

What it writes to /etc, /usr, /var, /run and /tmp it writes to itself, and all of it goes with it.
Of the system's own units only the journal is started, as others would touch what no namespace holds
apart. Needs root.

usage: service_test.py BUILD
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import harness

BUILD = pathlib.Path(sys.argv[1])
SYSTEMD = pathlib.Path("/lib/systemd/systemd")
GROUPS = pathlib.Path("/sys/fs/cgroup")
CONFIG = "/etc/saddle/saddled.yaml"
SOCKET = "/run/saddle/attach.sock"
UNITS = "/etc/systemd/system"
UNIT = "/lib/systemd/system/saddled.service"
EXPOSURE = 28  # tenths
# The leak sanitizer traces the process as it ends, which the service cannot be: it is not dumpable,
# and its system calls are filtered. Other tests look for leaks.
UNTRACED = """\
[Service]
Environment=ASAN_OPTIONS=detect_leaks=0:halt_on_error=1:abort_on_error=1
"""
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

# The system's targets, emptied: what they would start sets the whole machine's kernel.
BOOT = """\
set -e
mount -t tmpfs tmpfs {home}
for folder in etc usr var; do
    mkdir -p {home}/$folder/upper {home}/$folder/work
    mount -t overlay overlay /$folder \
        -o lowerdir=/$folder,upperdir={home}/$folder/upper,workdir={home}/$folder/work
done
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
umount -R {groups}
mount -t cgroup2 cgroup2 {groups}
mount -t tmpfs tmpfs {units}
: > /etc/fstab
for target in basic sysinit local-fs swap paths sockets timers slices; do
    printf '[Unit]\\nDefaultDependencies=no\\n' > {units}/$target.target
done
rm -rf /usr/lib/systemd/system/*.wants
printf 'Wants=systemd-journald.service\\nAfter=systemd-journald.service\\n' \
    >> {units}/sysinit.target
rm -rf /var/log/journal
ip link set lo up
export container=saddle
exec {systemd} --unit=basic.target --show-status=no --log-target=null
"""


def find_groups():
    """Where control groups of the second version are."""
    for place in (GROUPS, GROUPS / "unified"):
        if (place / "cgroup.controllers").exists():
            return place
    return None


class Machine:
    """A stand-in with systemd as its first process."""

    def __init__(self, groups):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="saddle-service-"))
        self.group = groups / self.home.name
        self.group.mkdir()
        boot = BOOT.format(home=self.home, groups=GROUPS, units=UNITS, systemd=SYSTEMD)
        with open(self.home.with_suffix(".log"), "wb") as log:
            self.first = subprocess.Popen(
                ["unshare", "--net", "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--fork",
                 "--mount-proc", "--kill-child", "bash", "-c", boot],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: (self.group / "cgroup.procs").write_text(str(os.getpid())))
        harness.await_true(self.children, "the first process")
        self.pid = self.children()[0]
        harness.await_true(self.is_up, "systemd is up")

    def children(self):
        path = pathlib.Path(f"/proc/{self.first.pid}/task/{self.first.pid}/children")
        return path.read_text().split()

    def is_up(self):
        harness.expect(self.first.poll() is None, "systemd ended: "
                       + self.home.with_suffix(".log").read_text(errors="replace"))
        return self.run("systemctl is-active basic.target")[1] == "active\n"

    def run(self, command):
        """Status, standard output and standard error."""
        return harness.run(
            ["nsenter", f"--target={self.pid}", "--net", "--mount", "--pid", "--cgroup", "--uts",
             "--ipc", "bash", "-c", command], stdin=subprocess.DEVNULL)

    def must(self, command):
        status, output, errors = self.run(command)
        harness.expect(status == 0, f"{command}: status {status}: {output}{errors}"
                       + self.run("journalctl --no-pager -u saddled")[1])
        return output

    def write(self, text):
        self.must(f"mkdir -p /etc/saddle && cat > {CONFIG} <<'END'\n{text}END")

    def show(self, name):
        return self.must(f"systemctl show --value --property={name} saddled").strip()

    def journal(self):
        self.must("journalctl --sync")
        lines = self.must("journalctl --no-pager -o json -u saddled").splitlines()
        return [json.loads(line) for line in lines]

    def remove(self):
        self.first.kill()
        self.first.wait()
        harness.await_true(lambda: "populated 0" in (self.group / "cgroup.events").read_text(),
                           "all processes have ended")
        for folder, _, _ in os.walk(self.group, topdown=False):
            os.rmdir(folder)
        shutil.rmtree(self.home)
        self.home.with_suffix(".log").unlink()


@contextlib.contextmanager
def installed():
    machine = Machine(find_groups())
    try:
        machine.must(f"meson install -C {BUILD} --no-rebuild --quiet")
        if harness.has_shadow(BUILD / "daemon/saddled"):
            machine.must(f"mkdir {UNITS}/saddled.service.d && "
                         f"cat > {UNITS}/saddled.service.d/untraced.conf <<'END'\n{UNTRACED}END")
        machine.must("ldconfig && systemd-sysusers && systemd-tmpfiles --create saddle.conf && "
                     "systemctl daemon-reload")
        harness.expect_equal(machine.must("stat -c '%U %a' /etc/saddle /run/saddle"),
                             "root 755\nsaddle 755\n", "folders")
        yield machine
    finally:
        machine.remove()


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
    with installed() as machine:
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


if os.geteuid() != 0 or not SYSTEMD.exists() or find_groups() is None:
    harness.leave_out("it takes root, systemd, and control groups of the second version")
harness.main([life_of_a_service])
