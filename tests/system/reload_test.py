#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""What a reload of the unit does: the program that the unit runs, with a stand-in for saddled.

usage: reload_test.py SADDLE_RELOAD
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import harness
from harness import expect, expect_equal

RELOAD = pathlib.Path(sys.argv[1])
MINUTE_S = 60
# Writes down how it was called when it is done, so that whoever sees it sees all of it.
STAND_IN = """\
#!/bin/sh
echo "$* ${{WATCHDOG_USEC-none}}" > {folder}/made
mv {folder}/made {folder}/called
exit {status}
"""
# Programs that a reload may run, each of which somebody may be as fast as: when one has run for the
# first time there is another wish.
MEANWHILE = ("find", "mv", "rm")
SLOW = """\
#!/bin/sh
{program} "$@"
status=$?
if mkdir {folder}/asked 2>/dev/null; then
    printf 'move\\n0\\n' > {folder}/asked/upgrade
    {move} {folder}/asked/upgrade {folder}/upgrade
fi
exit $status
"""


def hear_hangups():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Unit:
    def __init__(self, folder):
        self.folder, self.wish = folder, folder / "upgrade"
        # Whoever runs the tests may ignore what this one is to end by (nohup).
        self.main = subprocess.Popen(["sleep", "1000"], preexec_fn=hear_hangups)
        self.stand_in(0)

    def stand_in(self, status):
        (self.folder / "saddled").write_text(STAND_IN.format(folder=self.folder, status=status))
        (self.folder / "saddled").chmod(0o755)

    def slow(self, name):
        """A program in the way of that name."""
        (self.folder / "bin").mkdir()
        program = self.folder / "bin" / name
        program.write_text(SLOW.format(program=shutil.which(name), move=shutil.which("mv"),
                                       folder=self.folder))
        program.chmod(0o755)

    def reload(self):
        return harness.run([RELOAD, self.folder / "saddled", "/etc/a file"],
                           env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}",
                                "MAINPID": str(self.main.pid),
                                "RUNTIME_DIRECTORY": f"{self.folder}:/nowhere"})

    def called(self):
        """How the stand-in was, once."""
        file = self.folder / "called"
        harness.await_true(file.exists, "saddled is called")
        text = file.read_text()
        file.unlink()
        return text


@contextlib.contextmanager
def unit():
    with tempfile.TemporaryDirectory(prefix="saddle-system-") as folder:
        made = Unit(pathlib.Path(folder))
        try:
            yield made
        finally:
            made.main.kill()
            made.main.wait()


def expect_hangup(made):
    """Which nothing but the signal does to it, and nobody else was called."""
    expect_equal(made.reload(), (0, "", ""), "the reload")
    expect_equal(made.main.wait(harness.PATIENCE_S), -signal.SIGHUP, "the main process")
    expect(not (made.folder / "called").exists(), "saddled was called")
    expect(not made.wish.exists(), "the wish is left")


def test_configuration():
    with unit() as made:
        expect_hangup(made)


def test_old_wish():
    with unit() as made:
        made.wish.write_text("move\n0\n")
        then = made.wish.stat().st_mtime - 2 * MINUTE_S
        os.utime(made.wish, (then, then))
        expect_hangup(made)


def test_wish_of_none():
    """A word that is none, of a later daemon say, is no upgrade."""
    for text in ("neither\n0\n", "\n\n", "", "move"):
        with unit() as made:
            made.wish.write_text(text)
            expect_hangup(made)


def test_move():
    with unit() as made:
        for sign, seen in (("0", "none"), ("15000000", "15000000")):
            made.wish.write_text(f"move\n{sign}\n")
            expect_equal(made.reload(), (0, "", ""), "the reload")
            expect_equal(made.called(), f"--config /etc/a file --takeover {seen}\n", "saddled")
            expect(not made.wish.exists(), "the wish is left")
        expect_equal(made.main.poll(), None, "the main process")


def test_check():
    """Its status is the reload's."""
    with unit() as made:
        for status in (0, 1):
            made.stand_in(status)
            made.wish.write_text("check\n0\n")
            expect_equal(made.reload(), (status, "", ""), "the reload")
            expect_equal(made.called(), "--config /etc/a file --takeover --check none\n", "saddled")
        expect_equal(made.main.poll(), None, "the main process")


def test_wish_meanwhile():
    """One that is written while a reload looks for wishes is not lost, with or without another one
    before: whoever has written it has the unit reloaded."""
    asked = 0
    for name in MEANWHILE:
        for before in (None, "neither\n0\n"):
            with unit() as made:
                made.slow(name)
                if before:
                    made.wish.write_text(before)
                expect_equal(made.reload(), (0, "", ""), f"the reload, with a slow {name}")
                if (made.folder / "asked").exists():
                    asked += 1
                    expect_equal(made.reload(), (0, "", ""), "the next one")
                    made.called()
                    expect(not made.wish.exists(), "the wish is left")
    expect(asked > 0, "no reload was so slow")


harness.main([test_configuration, test_old_wish, test_wish_of_none, test_move, test_check,
              test_wish_meanwhile])
