# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Where a report is made: what was built, the folder of what was measured, the page, and the
programs that measure."""
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/performance.md"
PYTHON = "/usr/bin/python3"  # the system's own, which has what tests take


class Missing(Exception):
    """It cannot be had here, and the text says why."""


class Failed(Exception):
    """It went wrong, and the text says what."""


def is_root():
    return os.getuid() == 0


@dataclasses.dataclass
class Place:
    folder: pathlib.Path
    build: pathlib.Path = None
    tests: pathlib.Path = None  # the build folder with the programs of tests
    page: pathlib.Path = PAGE
    quick: bool = False
    options: list = dataclasses.field(default_factory=list)  # for the program that measures

    def program(self, name):
        """One that was built."""
        return self._found(self.build, name, "build first")

    def test_program(self, name):
        return self._found(self.tests, name, "build with -Dtests=enabled")

    @staticmethod
    def _found(build, name, what_to_do):
        path = build.resolve() / name
        if not path.exists():
            raise Missing(f"no {build / name}: {what_to_do}")
        return path

    def bench(self, command, *words, takes=(0,)):
        """Runs saddle-bench; what it says goes to standard error."""
        bench = self.program("tools/bench/saddle-bench")
        self.run([bench, command, *words, *self.options], takes)

    def run(self, words, takes=(0,), keeps=False):
        """To its end, with a status that is taken; what it said, if that is to be kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        out = subprocess.PIPE if keeps else sys.stderr
        done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=out,
                              encoding="utf-8", check=False)
        if done.returncode not in takes:
            named = " ".join(pathlib.Path(str(word)).name for word in words[:3])
            raise Failed(f"{named}... ended with status {done.returncode}"
                         + (f": {done.stdout}" if keeps else ""))
        return done.stdout

    def keep(self, name, made):
        """A document of the folder: whole, or not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        new.replace(path)

    def read(self, name):
        try:
            return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Missing(str(error)) from error

    def has(self, *names):
        return all((self.folder / f"{name}.json").exists() for name in names)

    def figure(self, name):
        return self.page.parent / "figures" / name
