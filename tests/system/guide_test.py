#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Every program of docs/client.md, compiled as it stands there, and run as the page shows, between
the two hosts of one daemon: it prints what the page says. guide.py says how a page is written.

    left --- [left] ===== [right] --- right

usage: guide_test.py SADDLED PAGE INCLUDE LIBRARY EXAMPLES
"""
import os
import pathlib
import re
import subprocess
import sys

import guide
import harness

SADDLED, PAGE, INCLUDE, LIBRARY, EXAMPLES = (pathlib.Path(word) for word in sys.argv[1:6])
NOBODY_YET = "Connection refused"  # the service will be there in a moment
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")


def compile_all(folder):
    """Against the header and the library alone."""
    guide.write(PAGE, folder)
    for name in guide.programs(PAGE):
        status, output, errors = harness.run(
            ["cc", *FLAGS, f"-I{INCLUDE}", "-o", folder / name, folder / f"{name}.c", LIBRARY,
             f"-Wl,-rpath,{LIBRARY.parent}"])
        harness.expect_equal((status, output, errors), (0, "", ""), f"compiling {name}")


class Shell:
    """What a command of the page is run with."""

    def __init__(self, folder, daemon_folder):
        self.folder, self.socket = folder, daemon_folder.socket

    def start(self, command, number):
        """Its output goes to a file, so that nobody has to read meanwhile."""
        name, *words = command.words
        program = ([sys.executable, EXAMPLES / name] if name.endswith(".py")
                   else [self.folder / name])
        environment = dict(os.environ, SADDLE_SOCKET=str(self.socket), SADDLE_ENGINE=command.host,
                           LD_LIBRARY_PATH=str(LIBRARY.parent), PYTHONUNBUFFERED="1")
        with open(self.output(number), "wb") as output:
            return subprocess.Popen([str(word) for word in [*program, *words]], env=environment,
                                    stdin=subprocess.PIPE, stdout=output, stderr=output)

    def output(self, number):
        return self.folder / f"output-{number}"

    def call(self, command, number):
        """To its end; again as long as nobody listens yet."""
        def answered():
            nonlocal process
            process = self.start(command, number)
            end(process)
            return NOBODY_YET not in self.output(number).read_text()

        process = None
        harness.await_true(answered, f"somebody answers {command}")
        self.check(command, number, process)

    def check(self, command, number, process):
        printed = self.output(number).read_text()
        harness.expect(process.returncode == 0
                       and re.fullmatch(pattern(command.printed), printed),
                       f"{command.words}: status {process.returncode}, printed {printed!r}, not "
                       f"{command.printed}")


def pattern(lines):
    return "".join(re.escape(line).replace(re.escape("..."), ".*") + "\n" for line in lines)


def end(process, line=b""):
    """Waits for it, after giving it a line."""
    try:
        process.communicate(line, timeout=harness.PATIENCE_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def run_session(shell, commands):
    """One block of the page."""
    servers = [(command, number, shell.start(command, number))
               for number, command in enumerate(commands) if not command.calls]
    try:
        for number, command in enumerate(commands):
            if command.calls:
                shell.call(command, number)
        for command, number, process in servers:
            end(process, b"\n")
            shell.check(command, number, process)
    finally:
        for _, _, process in servers:
            if process.poll() is None:
                process.kill()
                process.communicate()


def every_program():
    folder = harness.Folder()
    daemon = None
    try:
        compile_all(folder.path)
        config = folder.config()
        text = config.read_text()
        config.write_text(text.replace("alpha", "left").replace("beta", "right"))
        daemon = harness.Daemon(SADDLED, config, folder)
        shell = Shell(folder.path, folder)
        run = set()
        for commands in guide.sessions(PAGE):
            run_session(shell, commands)
            run.update(command.words[0] for command in commands)
        harness.expect_equal(set(guide.programs(PAGE)) - run, set(), "programs that nobody runs")
        daemon.check_descriptors(daemon.quiet_descriptors, "the last program")
        daemon.stop()
    finally:
        if daemon:
            daemon.kill()
        folder.remove()


def differences_are_found():
    """The comparison can fail."""
    for lines, printed, equal in ((["a", "b"], "a\nb\n", True), (["a"], "a\nb\n", False),
                                  (["1 ... us"], "1 2.3 us\n", True), (["..."], "a\nb\n", False),
                                  ([], "", True), ([], "x\n", False), (["a.c"], "abc\n", False)):
        harness.expect_equal(bool(re.fullmatch(pattern(lines), printed)), equal, f"{lines}")


harness.main([differences_are_found, every_program])
