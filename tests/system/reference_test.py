#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The manuals of the configuration against the daemon, which describes it from the tables that it
reads it by.

usage: reference_test.py SADDLED DOCS [write]

`write` makes the reference in DOCS/configuration.md anew.
"""
import pathlib
import re
import sys

import harness
from harness import expect, expect_equal

SADDLED, DOCS = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
WRITE = sys.argv[3:] == ["write"]
MANUAL = DOCS / "configuration.md"
# The reference stands between two lines that nobody sees in the rendered page.
BOUNDS = ("<!-- reference: made by saddled, see docs/testing.md -->",
          "<!-- reference: end -->")


def described():
    status, text, errors = harness.run([SADDLED, "--describe-config"])
    expect_equal((status, errors), (0, ""), "saddled --describe-config")
    return text.rstrip("\n")


def test_reference():
    """What stands in the manual is what the daemon says."""
    text = MANUAL.read_text()
    parts = re.split("|".join(re.escape(bound) for bound in BOUNDS), text)
    expect_equal(len(parts), len(BOUNDS) + 1, f"parts of {MANUAL.name}")
    if WRITE:
        MANUAL.write_text(f"{parts[0]}{BOUNDS[0]}\n{described()}\n{BOUNDS[1]}{parts[2]}")
        return
    expect_equal(parts[1].strip("\n").splitlines(), described().splitlines(),
                 f"{MANUAL.name} (docs/testing.md says how it is made anew)")


def test_every_key():
    """In a table of its own mapping, with a meaning, and in the man page."""
    lines = re.findall(r"^\| `([a-z_]+)` \|(.*)\|$", described(), re.MULTILINE)
    keys = {key for key, _ in lines}
    expect({"policy", "allow", "burst_enter", "exposed_per_session"} <= keys, f"keys: {keys}")
    for key, rest in lines:
        cells = [cell.strip() for cell in rest.split(" |")]
        expect(len(cells) >= 5 and cells[0] and cells[-1], f"{key}: {rest}")
    page = (DOCS / "man/saddled.conf.5.scd").read_text()
    missing = sorted(key for key in keys if f"*{key}*" not in page)
    expect_equal(missing, [], "keys not in saddled.conf.5.scd")


def test_shown():
    """Every key of an effective configuration is described, where it stands."""
    folder = harness.Folder()
    _, shown, _ = harness.run([SADDLED, "--config", folder.config(), "--show-config"])
    folder.remove()
    keys = set(re.findall(r"^[ -]*([a-z_]+):", shown, re.MULTILINE))
    missing = sorted(key for key in keys if f"| `{key}` |" not in described())
    expect_equal(missing, [], "keys that are not described")


harness.main([test_reference, test_every_key, test_shown])
