# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""What an idle connection takes, by the test of twenty thousand of them."""
import re

from .page import put, spread, table
from .place import PYTHON, ROOT, Failed

NAME = "scale"
TEST = ROOT / "tests/system/scale_test.py"
RUNS, RUNS_QUICK = 3, 1
ENDS = 40000  # of connections, both of each in one daemon
KIB = 1024
TOLD = re.compile(r"resident: \[(\d+), (\d+), (\d+)\]")


def files(_):
    return [NAME]


def measure(place):
    programs = [place.program("daemon/saddled"), place.test_program("tests/system/thousands"),
                place.program("control/gateway/saddle-control"),
                place.program("tools/saddlectl/saddlectl")]
    first, more = [], []
    for _ in range(RUNS_QUICK if place.quick else RUNS):
        told = TOLD.search(place.run([PYTHON, TEST, *programs], keeps=True))
        if not told:
            raise Failed(f"{TEST.name} does not say what is resident")
        before, after, again = (int(word) * KIB for word in told.groups())
        first.append((after - before) / ENDS)
        more.append((again - after) / ENDS)
    place.keep(NAME, {"idle_end_bytes": spread(first), "idle_end_bytes_more": spread(more)})


def write(place, page):
    made = place.read(NAME)
    first, more = made["idle_end_bytes"], made["idle_end_bytes_more"]
    rows = [[what, f"{one['median']:.0f}", f"{one['min']:.0f} to {one['max']:.0f}"]
            for what, one in (("Resident, for one end of an idle connection", first),
                              ("Resident beyond that after all were closed and as many others "
                               "opened", more))]
    return put(page, NAME, "\n".join([f"Medians of {first['runs']} runs.", "",
                                      *table(["", "Bytes", "Range"], rows)]))


def figures(place):
    return place.read(NAME)
