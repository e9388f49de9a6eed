# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Memory cgroups of a test's own, by version 1 or 2 of the interface, whichever has the controller
here. Needs root."""
import contextlib
import os
import pathlib

import harness

MOUNTS = pathlib.Path("/proc/self/mounts")


class Kind:
    """One version: where its tree is, and what its files are called."""

    def __init__(self, version, root):
        self.version, self.root = version, root
        self.usage, self.limit = (("memory.usage_in_bytes", "memory.limit_in_bytes")
                                  if version == 1 else ("memory.current", "memory.max"))


class Cgroup:
    """One cgroup; gone at the end of `made`."""

    def __init__(self, kind, name):
        self.kind = kind
        self.path = kind.root / f"saddle-test-{os.getpid()}-{name}"
        self.path.mkdir()

    def enter(self):
        """The calling process, a child between fork and exec, is in it from now on."""
        (self.path / "cgroup.procs").write_text("0")

    def usage(self):
        return int((self.path / self.kind.usage).read_text())

    def limit(self, limit):
        (self.path / self.kind.limit).write_text(str(limit))

    def remove(self):
        """A process that has just ended may be in it for a moment more."""
        def gone():
            try:
                self.path.rmdir()
                return True
            except OSError:
                return False
        harness.await_true(gone, f"{self.path} is empty")


def find():
    """The kind with a memory controller, or None."""
    for line in MOUNTS.read_text().splitlines():
        _, where, kind, options = line.split()[:4]
        where = pathlib.Path(where)
        if kind == "cgroup" and "memory" in options.split(","):
            return Kind(1, where)
        if kind == "cgroup2" and "memory" in (where / "cgroup.controllers").read_text().split():
            # Children have it only if their parent says so; who runs systemd has it so already.
            (where / "cgroup.subtree_control").write_text("+memory")
            return Kind(2, where)
    return None


def require():
    """The kind; ends the test here, as one that was left out, where there can be none."""
    try:
        kind = find()
        if kind:
            Cgroup(kind, "trial").remove()
            return kind
        reason = "no memory controller in any cgroup file system"
    except OSError as error:
        reason = f"memory cgroups cannot be made: {error}"
    harness.leave_out(reason)


@contextlib.contextmanager
def made(kind, *names):
    """A cgroup for each name. What runs in them has to be ended before."""
    cgroups = []
    try:
        for name in names:
            cgroups.append(Cgroup(kind, name))
        yield cgroups
    finally:
        for cgroup in cgroups:
            cgroup.remove()
