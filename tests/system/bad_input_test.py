#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""What people and programs get wrong: each is one line that names the culprit, with the right exit
status or error, nothing left behind, and everybody else unharmed.

    bad client --- [alpha] ===== [beta] --- bad client
    victim     --- [alpha] ===== [beta] --- victim's other end

usage: bad_input_test.py SADDLED VICTIM BAD_CLIENT DOCS
"""
import errno
import json
import os
import pathlib
import re
import sys

import harness
from harness import expect, expect_equal

SADDLED, VICTIM, CLIENT, DOCS = sys.argv[1:]
NO_ATTACH = 3
STRANGER = 65533
# More than any machine for tests has free.
IMPOSSIBLE_MEMORY = "memory: 1024GiB\n"


def one_line(text, *parts):
    lines = text.splitlines()
    expect_equal(len(lines), 1, f"lines in {text!r}")
    for part in parts:
        expect(part in lines[0], f"no {part!r} in {lines[0]!r}")


def check_config(text, *parts):
    folder = harness.Folder()
    path = folder.path / "broken.yaml"
    path.write_text(text)
    for arguments in (["--check-config", path], ["--config", path]):
        status, output, errors = harness.run([SADDLED, *arguments])
        expect_equal((status, output), (1, ""), "saddled")
        one_line(errors, f"{path}:", *parts)
    folder.check_clean()
    folder.remove()


def test_unknown_key():
    check_config("memory: 64MiB\nprots: []\n", ":2:1:", '"prots"', '"ports"')


def test_wrong_unit():
    check_config("memory: 64us\n", ":1:9:", '"64us"', "MiB")
    check_config("limits: {handshake_timeout: 5MiB}\n", '"5MiB"', "ms")


def test_not_there():
    status, _, errors = harness.run([SADDLED, "--check-config", "/nonexistent.yaml"])
    expect_equal(status, 1, "saddled")
    one_line(errors, "/nonexistent.yaml", "No such file")


def test_good_configuration():
    folder = harness.Folder()
    expect_equal(harness.run([SADDLED, "--check-config", folder.config()]), (0, "", ""), "check")
    status, output, errors = harness.run([SADDLED, "--config", folder.config(), "--show-config"])
    expect_equal((status, errors), (0, ""), "show")
    expect("handshake_timeout: 5s" in output, output)
    folder.remove()


def test_usage():
    for arguments in (["--no-such-option"], ["stray"], ["--ready-fd", "x"], ["--config"]):
        status, output, errors = harness.run([SADDLED, *arguments])
        expect_equal((status, output), (2, ""), f"saddled {arguments}")
        expect(arguments[0].lstrip("-").split("=")[0] in errors, errors)
    status, output, _ = harness.run([SADDLED, "--help"])
    expect(status == 0 and "--check-config" in output, output)
    status, output, _ = harness.run([SADDLED, "--version"])
    expect(status == 0 and output.startswith("saddled "), output)


def test_manual_is_complete():
    """Every option is written about."""
    _, usage, _ = harness.run([SADDLED, "--help"])
    manual = (pathlib.Path(DOCS) / "man/saddled.8.scd").read_text()
    for option in re.findall(r"--[a-z-]+", usage):
        expect(f"*{option}*" in manual, f"{option} is not in saddled.8.scd")


def test_missing_hugepages():
    folder = harness.Folder()
    config = folder.config(hugepages="required")
    config.write_text(config.read_text().replace("memory: 128MiB\n", IMPOSSIBLE_MEMORY))
    status, _, errors = harness.run([SADDLED, "--config", config])
    expect_equal(status, 1, "saddled")
    one_line(errors, "error:", "hugepages", "nr_hugepages")
    folder.check_clean()
    folder.remove()


def test_hugepages_auto():
    with harness.running(SADDLED, hugepages="auto"):
        pass


def test_second_daemon():
    with harness.running(SADDLED, VICTIM) as (daemon, victim):
        status, _, errors = harness.run(
            [SADDLED, "--config", daemon.folder.path / "saddled.yaml"])
        expect_equal(status, 1, "the second saddled")
        one_line(errors, "error:", str(daemon.folder.socket), "another saddled")
        victim.check_progress()


def test_stats_file():
    folder = harness.Folder()
    config = folder.config()
    status, _, errors = harness.run(
        [SADDLED, "--config", config, "--stats-file", "/nonexistent/stats.json"])
    expect_equal(status, 1, "saddled")
    one_line(errors, "error:", "/nonexistent/stats.json")
    path = folder.path / "stats.json"
    daemon = harness.Daemon(SADDLED, config, folder, ["--stats-file", path])
    daemon.stop()
    engines = json.loads(path.read_text())["engines"]
    expect_equal(sorted(engines), ["alpha", "beta"], "engines in the statistics")
    expect(all(isinstance(value, int) for value in engines["alpha"].values()), str(engines))
    folder.remove()


def test_socket_of_a_dead_daemon():
    folder = harness.Folder()
    config = folder.config()
    dead = harness.Daemon(SADDLED, config, folder)
    dead.kill()
    expect(folder.socket.exists(), "a killed daemon leaves its socket")
    daemon = harness.Daemon(SADDLED, config, folder)
    daemon.stop()
    folder.remove()


def test_without_permission():
    """Root and the daemon's own user may, others not; an ordinary user can only be himself."""
    if os.geteuid() != 0:
        with harness.running(SADDLED, VICTIM):
            pass
        return
    with harness.running(SADDLED, VICTIM) as (daemon, victim):
        status, output, errors = harness.run(
            [CLIENT, "--socket", daemon.folder.socket], user=STRANGER, group=STRANGER,
            extra_groups=[])
        expect_equal((status, errors), (NO_ATTACH, ""), "the stranger")
        one_line(output, "EACCES", "policy", f"uid {STRANGER}")
        expect(f"uid {STRANGER}" in daemon.text(), "the log names the stranger")
        victim.check_progress()
    with harness.running(SADDLED, extra=f"policy: [{{gid: {STRANGER}, allow: all}}]") as (
            daemon, _):
        status, output, _ = harness.run([CLIENT, "--socket", daemon.folder.socket],
                                        user=harness.NOBODY, group=STRANGER, extra_groups=[])
        expect_equal(status, 0, f"the permitted stranger: {output}")


def test_asking_too_much():
    with harness.running(SADDLED, VICTIM) as (daemon, victim):
        status, output, errors = harness.run([CLIENT, "--socket", daemon.folder.socket])
        expect_equal((status, errors), (0, ""), "the bad client")
        lines = output.splitlines()
        wanted = [
            ("connect", errno.ECONNREFUSED), ("connect", errno.EHOSTUNREACH),
            ("connect", errno.EHOSTUNREACH), ("read outside", errno.ERANGE),
            ("read far outside", errno.ERANGE), ("read without key", errno.EACCES),
            ("write without right", errno.EACCES),
        ]
        for line, (attempt, code) in zip(lines, wanted):
            expect(line.startswith(f"{attempt}: {errno.errorcode[code]}: "), line)
        for line, culprit in zip(lines, ("nobody-listens", "no-such-host", "10.99.0.1")):
            expect(culprit in line, f"no {culprit!r} in {line!r}")
        expect_equal(lines[len(wanted):], ["read inside: 0"], "the end")
        victim.check_progress()


harness.main([value for name, value in list(globals().items()) if name.startswith("test_")])
