# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The steps on the way of a message, by `saddle-bench micro`, and what instructions they take."""
import json
import re

from .page import number
from .place import ROOT

NAME = "steps"
INSTRUCTIONS = ROOT / "tools/bench/instructions.txt"
QUICK = ("--runs", "1", "--iterations", "100")


def files(_):
    return ["micro"]


def measure(place):
    """By the build whose instructions are counted, which is that of the tests."""
    words = [place.test_program("tools/bench/saddle-bench"), "micro", "--json",
             *(QUICK if place.quick else ()), *place.options]
    place.keep("micro", json.loads(place.run(words, keeps=True)))


def write(place, page):
    """New figures in the rows of the first table, which has its own words for the cases."""
    micro = place.read("micro")
    counted = dict(line.split() for line in INSTRUCTIONS.read_text(encoding="utf-8").splitlines())

    def row(match):
        name, what = match.group(1), match.group(2)
        if name not in micro["cases"]:
            return match.group(0)
        case = micro["cases"][name]
        instructions = f"{int(counted[name]):,}" if name in counted else ""
        return (f"| `{name}` | {what} | {number(case['median'])} | {number(case['min'])} to "
                f"{number(case['max'])} | {instructions} |".replace("|  |", "| |"))

    page = re.sub(r"^\| `([\w-]+)` \| ([^|]+) \| [\d.,]+ \| [\d., to]+ \| [\d,]*\s*\|$", row, page,
                  flags=re.MULTILINE)
    return re.sub(r"median of \d+ interleaved runs", f"median of {micro['runs']} interleaved runs",
                  page)


def figures(place):
    micro = place.read("micro")
    return {f"{name}_ns": {**case, "runs": micro["runs"]} for name, case in micro["cases"].items()}
