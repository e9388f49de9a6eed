# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of saddle-bench share: a run's folder, its processes, by their session, and the form
of a figure."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import harness


class Place:
    """Where one run keeps its files, and by which its processes are told. Who starts it puts it
    into `process`, as the first of a session. As a context it is removed in the end."""
    patience_s = harness.PATIENCE_S  # with a run that ends by itself

    def __init__(self, mode):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="saddle-system-"))
        self.path.chmod(mode)
        self.own = self.path  # what the program may leave nothing in
        self.process = None

    def launch(self, command, **environment):
        """Starts a program, which keeps its temporary files where it may leave none."""
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "TMPDIR": str(self.own), **environment})
        return self.process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def run(self, *arguments, **options):
        """To its end; its status, and what it wrote. `start` is the test's own."""
        out, errors = self.start(*arguments, **options).communicate(timeout=self.patience_s)
        self.check_clean(errors)
        return self.process.returncode, out, errors

    def processes(self):
        """Those of its session that live."""
        found = set()
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, ProcessLookupError):
                if not entry.name.isdigit():
                    continue
                words = (entry / "stat").read_text().rpartition(") ")[2].split()
                if int(words[3]) == self.process.pid and words[0] != "Z":
                    found.add(int(entry.name))
        return found

    def check_clean(self, errors=""):
        harness.await_true(lambda: not self.processes(), "all processes gone")
        left = sorted(str(path.relative_to(self.own)) for path in self.own.rglob("*"))
        harness.expect_equal(
            left, [], f"files left, after status {self.process.returncode}: {errors}")

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        for number in self.processes() if self.process else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        shutil.rmtree(self.path)


def check_spread(figure, what, runs=1):
    """A figure, as `ring` and `wire` write them: positive, and of so many rounds."""
    harness.expect_equal(sorted(figure), ["max", "median", "min", "runs"], what)
    harness.expect(0 < figure["min"] <= figure["median"] <= figure["max"], f"{what}: {figure}")
    harness.expect_equal(figure["runs"], runs, f"runs of {what}")
