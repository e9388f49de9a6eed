#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Every command of README.md's "Two real machines in five minutes", taken from there and executed.

A machine is a set of namespaces: network, mounts, processes. What it writes to /etc, /run and
/usr it writes to itself, and all of it goes with its first process.

    left [eth0] 10.0.0.1 ======= veth ======= 10.0.0.2 [eth0] right

What cannot be done as it stands, because it would install packages or build for minutes, is done
as ALIKE says. Needs root.

usage: readme_test.py SOURCE BUILD
"""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import harness

SOURCE, BUILD = (pathlib.Path(word) for word in sys.argv[1:3])
SECTION = "Two real machines in five minutes"
NAMES = ("left", "right")
MACS = ("02:00:00:00:00:61", "02:00:00:00:00:62")

# As it stands, and what is done in its place.
ALIKE = {
    "tools/setup": f"test -n \"$({SOURCE}/tools/setup --list)\"",
    "tools/build-release build":
        f"{SOURCE}/tools/build-release --help && test -x {BUILD}/daemon/saddled",
    "meson install -C build": f"meson install -C {BUILD} --no-rebuild --quiet",
}
# Goes on while its machine is given other commands.
WAITS = "saddle-cat --listen file > copy"
# May come before the other side is ready, as a person would not.
AGAIN = {"saddle-cat right file < file": "Connection refused"}
# What a machine has of its own.
OWN = ("/etc", "/usr")

BOOT = """\
set -e
mount -t tmpfs tmpfs {home}
for folder in {own}; do
    mkdir -p {home}/$folder/upper {home}/$folder/work
    mount -t overlay overlay $folder \
        -o lowerdir=$folder,upperdir={home}/$folder/upper,workdir={home}/$folder/work
done
mount -t tmpfs tmpfs /run
ip link set lo up
echo up
sleep infinity & # and bash buries whatever ends
wait
"""


class Machine:
    """A stand-in for one of the two."""

    def __init__(self, name):
        self.name = name
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"saddle-readme-{name}-"))
        self.log = self.home.with_suffix(".log")
        self.waiting = None
        boot = BOOT.format(home=self.home, own=" ".join(OWN))
        self.first = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
             "bash", "-c", boot], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        harness.expect_equal(self.first.stdout.readline(), "up\n", f"{name} is up")
        children = pathlib.Path(f"/proc/{self.first.pid}/task/{self.first.pid}/children")
        self.pid = int(children.read_text().split()[0])

    def words(self, command):
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", "--pid",
                f"--wd={self.home}", "bash", "-c", command]

    def run(self, command):
        """Status, standard output and standard error."""
        return harness.run(self.words(command), stdin=subprocess.DEVNULL)

    def must(self, command):
        status, output, errors = self.run(command)
        harness.expect(status == 0, f"{self.name}# {command}: status {status}: {output}{errors}")
        return output

    def start(self, command):
        """Goes on beside what follows."""
        with open(self.log, "ab") as log:
            return subprocess.Popen(self.words(command), stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log)

    def remove(self):
        self.first.kill()
        self.first.wait()
        self.first.stdout.close()
        if self.waiting:
            self.waiting.kill()
            self.waiting.wait()
        shutil.rmtree(self.home)
        self.log.unlink(missing_ok=True)


@contextlib.contextmanager
def machines():
    made = []
    try:
        for name in NAMES:
            made.append(Machine(name))
        left, right = made
        # In a process namespace of its own, `left` could not name `right`.
        status, _, errors = harness.run(
            ["nsenter", f"--target={left.pid}", "--net", "ip", "link", "add", "eth0",
             "address", MACS[0], "type", "veth", "peer", "name", "eth0", "address", MACS[1],
             "netns", right.pid])
        harness.expect_equal((status, errors), (0, ""), "the cable")
        for machine, address in zip(made, ("10.0.0.1/24", "10.0.0.2/24")):
            machine.must(f"ip address add {address} dev eth0 && ip link set eth0 up")
        yield dict(zip(NAMES, made))
    except harness.Failure as failure:
        logs = "".join(f"\n{machine.name}:\n{machine.log.read_text(errors='replace')}"
                       for machine in made if machine.log.exists())
        raise harness.Failure(f"{failure}{logs}") from failure
    finally:
        for machine in made:
            machine.remove()


def blocks():
    """The section's blocks, in order: who, what kind, the lines, and the words before it."""
    text = (SOURCE / "README.md").read_text()
    found = re.search(rf"^## {SECTION}\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    harness.expect(found, f"README.md has no section \"{SECTION}\"")
    parts = re.split(r"^```(\w*)\n(.*?)^```\n", found[1], flags=re.MULTILINE | re.DOTALL)
    who = None
    for words, kind, body in zip(parts[0::3], parts[1::3], parts[2::3]):
        named = re.findall(r"^\*\*On (both|left|right)\*\*", words, re.MULTILINE)
        who = named[-1] if named else who
        yield who, kind, body, words


class Reader:
    """Does what the section says."""

    def __init__(self, stand_ins):
        self.machines = stand_ins
        self.done = set()
        self.output = ""

    def act(self, machine, command):
        self.done.add(command)
        if command == WAITS:
            machine.waiting = machine.start(command)
            return
        if machine.waiting:
            harness.expect_equal(machine.waiting.wait(harness.PATIENCE_S), 0,
                                 f"{machine.name}# {WAITS}")
            machine.waiting = None
        if command.endswith("&"):
            process = machine.start(command)
            harness.expect_equal(process.wait(harness.PATIENCE_S), 0, command)
            harness.await_true(lambda: machine.run("test -S /run/saddle/attach.sock")[0] == 0
                               or machine.run("pgrep saddled")[0] != 0, "saddled listens")
            machine.must("pgrep saddled")
        elif command in AGAIN:
            self.insist(machine, command)
        else:
            self.output = machine.must(ALIKE.get(command, command))

    def insist(self, machine, command):
        """Until the other side is ready."""
        results = []

        def ready():
            results.append(machine.run(command))
            return AGAIN[command] not in results[-1][2]

        harness.await_true(ready, command)
        harness.expect_equal(results[-1], (0, "", ""), command)

    def follow(self, who, kind, body, words):
        them = self.machines.values() if who == "both" else [self.machines[who]]
        if kind == "yaml":
            path = re.search(r"`(/etc/[\w/.]+)`:\n", words)[1]
            for machine in them:
                subprocess.run(machine.words(f"cat > {path}"), input=body, text=True, check=True)
        elif kind == "sh":
            for command in body.splitlines():
                for machine in them:
                    self.act(machine, command)
        else:
            check_shape(self.output, body)


def check_shape(output, shown):
    """What a command printed is what the page shows, but for times, and packets that a busy machine
    sends again."""
    def shape(text):
        text = re.sub(r"\d+ packets, \d+ sent again \(\d+\.\d %\)", "N packets", text)
        return re.sub(r"\d+\.\d us|(\d+\.\d/)+\d+\.\d us", "T us", text)

    harness.expect_equal(shape(output), shape(shown), "output")


def every_command():
    with machines() as stand_ins:
        reader = Reader(stand_ins)
        sums = []
        for who, kind, body, words in blocks():
            reader.follow(who, kind, body, words)
            if body.strip().splitlines()[-1].startswith("sha256sum"):
                sums.append(reader.output.split()[0])
        harness.expect_equal(len(set(sums)), 1, f"checksums {sums}")
        harness.expect_equal(len(sums), 2, "checksums")
        for machine in stand_ins.values():
            harness.await_true(lambda machine=machine: machine.run("pgrep saddled")[0] != 0,
                               "saddled has ended")
        for command in (*ALIKE, WAITS, *AGAIN):
            harness.expect(command in reader.done, f"README.md does not say \"{command}\"")


if os.geteuid() != 0:
    harness.leave_out("machines are made of namespaces, which takes root")
harness.main([every_command])
