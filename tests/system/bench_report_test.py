#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""tools/bench-report, in a try-out: every part of docs/performance.md is measured and written into
a copy of it, or named as one that cannot be had here; the page itself stays as it is. How long
anything took is not looked at.

usage: bench_report_test.py BUILD-DIR
"""
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import xml.etree.ElementTree

import harness
from benches import check_spread
from harness import expect, expect_equal

BUILD = pathlib.Path(sys.argv[1]).resolve()
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
REPORT, PAGE = ROOT / "tools/bench-report", ROOT / "docs/performance.md"
PARTS = ["steps", "ring", "cost", "sweep", "wire", "scale", "job", "sched", "upgrades", "ports",
         "fabric"]
WITH_ROOT = ["ports"]
# The demonstration would build all of it once more.
TRIED = [part for part in PARTS if part != "job"]
PATIENCE_S = 30 * harness.PATIENCE_S
SPREAD = ["max", "median", "min", "runs"]
MARK = re.compile(r"^<!-- ([a-z -]+): tools/bench-report write-([a-z]+) -->$", re.MULTILINE)


class Folder:
    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="saddle-system-"))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path)


def report(*arguments):
    return harness.run([REPORT, *arguments], patience=PATIENCE_S)


def only(parts):
    return [word for part in parts for word in ("--only", part)]


def between(page, name):
    """What stands between the two lines of a name."""
    found = re.search(rf"<!-- {name}: [^\n]*-->\n(.*?)<!-- {name} end -->\n", page, re.DOTALL)
    expect(found is not None, f"no place for {name}")
    return found.group(1)


def check_figures(made):
    for part, figures in made["figures"].items():
        expect(figures, f"{part} has no figures")
        for name, figure in figures.items():
            expect_equal(sorted(figure), SPREAD, f"{part}, {name}")
            expect(figure["min"] <= figure["median"] <= figure["max"] and figure["runs"] > 0,
                   f"{part}, {name}: {figure}")


def check_page(page, parts):
    """Every part that was measured is told anew, and every line that names a part names one."""
    before = PAGE.read_text(encoding="utf-8")
    expect_equal(MARK.findall(page), MARK.findall(before), "places")
    for name, part in MARK.findall(page):
        expect(part in PARTS, f"no part {part}")
        text = between(page, name)
        expect("| --- |" in text, f"no table of {name}:\n{text}")
        # What is simulated is the same again.
        if part != "fabric":
            expect_equal(text != between(before, name), part in parts, f"{name} was written")
    expect("median of 1 interleaved runs" in page, "the steps were not written")


def test_all_of_it():
    refused = [] if os.getuid() == 0 else WITH_ROOT
    wanted = [part for part in TRIED if part not in refused]
    before = PAGE.read_bytes()
    with Folder() as folder:
        status, out, errors = report("all", BUILD, folder, "--quick", "--json", "-", *only(TRIED))
        expect_equal(status, 3 if refused else 0, f"a try-out:\n{errors}")
        made = json.loads(out)
        page = (folder / "quick/performance.md").read_text(encoding="utf-8")
        for drawing in (folder / "quick/figures").iterdir():
            xml.etree.ElementTree.parse(drawing)
        expect_equal(sorted(os.listdir(folder)), ["quick"], "the folder")
    expect_equal(sorted(made), ["figures", "machine", "not_measured", "performance", "settings"],
                 "keys")
    expect_equal(sorted(made["figures"]), sorted(wanted), f"parts:\n{errors}")
    expect_equal(sorted(made["not_measured"]), refused, "what is missing")
    check_figures(made)
    check_spread(made["figures"]["ring"]["rtt_us"], "a main figure")
    check_page(page, wanted)
    expect_equal(PAGE.read_bytes(), before, "the page itself")


def test_what_is_there_stays():
    """A run that was interrupted goes on: what the folder has is not measured again."""
    figure = {"median": 1.0, "min": 0.5, "max": 2.0, "runs": 3}
    with Folder() as folder:
        page = folder / "page.md"
        shutil.copyfile(PAGE, page)
        kept = {"idle_end_bytes": figure, "idle_end_bytes_more": figure}
        (folder / "scale.json").write_text(json.dumps(kept), encoding="utf-8")
        status, _, errors = report("all", folder / "nothing", folder, "--page", page,
                                   *only(["scale"]))
        expect_equal(status, 0, f"what is there:\n{errors}")
        made = json.loads((folder / "performance.json").read_text(encoding="utf-8"))
        expect_equal(made["figures"], {"scale": kept}, "figures")
        expect("| Resident, for one end of an idle connection | 1 | 0 to 2 |"
               in between(page.read_text(encoding="utf-8"), "scale"), "the page")


def test_not_built():
    with Folder() as folder:
        status, _, errors = report("all", folder / "nothing", folder, "--quick",
                                   *only(["ring", "fabric"]))
        expect_equal(status, 3, f"without a build:\n{errors}")
        made = json.loads((folder / "quick/performance.json").read_text(encoding="utf-8"))
        expect_equal(made["figures"], {}, "figures")
        for part in ("ring", "fabric"):
            expect("build" in made["not_measured"][part], f"{made['not_measured']}")


def test_what_goes_wrong_is_named():
    """The parts after it are measured all the same."""
    with Folder() as folder:
        build = folder / "build"
        for name in ("tools/bench/saddle-bench", "daemon/saddled"):
            (build / name).parent.mkdir(parents=True)
            (build / name).write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
            (build / name).chmod(0o755)
        status, _, errors = report("all", build, folder, "--tests", BUILD, "--quick",
                                   *only(["ring", "fabric"]))
        made = json.loads((folder / "quick/performance.json").read_text(encoding="utf-8"))
    expect_equal(status, 1, f"a part that went wrong:\n{errors}")
    expect_equal((list(made["figures"]), list(made["not_measured"])), (["fabric"], ["ring"]),
                 "parts")
    expect("status 9" in made["not_measured"]["ring"], f"{made['not_measured']}")


def test_usage():
    for arguments in (["all"], ["every", "a", "b"], ["all", "a", "b", "--only", "no-such"],
                      ["measure-ring", "a"], ["write-no-such", "a"]):
        status, out, errors = report(*arguments)
        expect_equal((status, out), (2, ""), f"status for {arguments}")
        expect("usage: " in errors, f"{arguments}: {errors}")
    status, out, errors = report("write-ring", "/nowhere/at/all")
    expect_equal((status, out), (1, ""), "a wrong folder")
    expect("/nowhere/at/all" in errors, errors)


harness.main([test_all_of_it, test_what_is_there_stays, test_not_built,
              test_what_goes_wrong_is_named, test_usage])
