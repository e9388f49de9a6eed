# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a machine: a systemd that is the first process of namespaces of its own (network,
mounts, processes, control groups), with what is installed.

What it writes to /etc, /usr, /var, /run and /tmp it writes to itself, and all of it goes with it.
Of the system's own units only the journal is started, as others would touch what no namespace holds
apart. Needs root.
"""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import harness

SYSTEMD = pathlib.Path("/lib/systemd/systemd")
GROUPS = pathlib.Path("/sys/fs/cgroup")
CONFIG = "/etc/saddle/saddled.yaml"
UNITS = "/etc/systemd/system"
# The leak sanitizer traces the process as it ends, which the service cannot be: it is not dumpable,
# and its system calls are filtered. Other tests look for leaks.
UNTRACED = """\
[Service]
Environment=ASAN_OPTIONS=detect_leaks=0:halt_on_error=1:abort_on_error=1
"""

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
        self.pid = None

    def boot(self):
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

    def inside(self, *words):
        """The command that runs a program there."""
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", "--pid", "--cgroup", "--uts",
                "--ipc", *(str(word) for word in words)]

    def run(self, command):
        """Status, standard output and standard error."""
        return harness.run(self.inside("bash", "-c", command), stdin=subprocess.DEVNULL)

    def must(self, command):
        status, output, errors = self.run(command)
        harness.expect(status == 0, f"{command}: status {status}: {output}{errors}"
                       + self.run("journalctl --no-pager -u saddled")[1])
        return output

    def write(self, text, path=CONFIG):
        self.must(f"mkdir -p {os.path.dirname(path)} && cat > {path} <<'END'\n{text}END")

    def drop_in(self, name, text):
        """Changes the unit."""
        self.write(text, f"{UNITS}/saddled.service.d/{name}.conf")
        self.must("systemctl daemon-reload")

    def show(self, name):
        return self.must(f"systemctl show --value --property={name} saddled").strip()

    def processes(self):
        """All of the unit's, by their numbers there."""
        group = self.show("ControlGroup")
        # Without processes there is no group, or not for long.
        return self.run(f"cat {GROUPS}{group}/cgroup.procs")[1].split() if group else []

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


def require():
    """Ends the test here, as one that was left out, where there can be no such stand-in."""
    if os.geteuid() != 0 or not SYSTEMD.exists() or find_groups() is None:
        harness.leave_out("it takes root, systemd, and control groups of the second version")


@contextlib.contextmanager
def installed(build):
    """One in which everything of that build folder is installed."""
    machine = Machine(find_groups())
    try:
        machine.boot()
        machine.must(f"meson install -C {build} --no-rebuild --quiet")
        machine.must("ldconfig && systemd-sysusers && systemd-tmpfiles --create saddle.conf")
        if harness.has_shadow(build / "daemon/saddled"):
            machine.drop_in("untraced", UNTRACED)
        machine.must("systemctl daemon-reload")
        harness.expect_equal(machine.must("stat -c '%U %a' /etc/saddle /run/saddle"),
                             "root 755\nsaddle 755\n", "folders")
        yield machine
    finally:
        machine.remove()
