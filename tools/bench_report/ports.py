# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""How long engines stand still on other kinds of port, by the tests that replace daemons there."""
import re

from .page import put, spread, table
from .place import PYTHON, ROOT, Missing, is_root

NAME = "ports"
TESTS = ROOT / "tests/system"
# What the page calls a kind of port, and what becomes of packets meanwhile.
KINDS = {"xdp": ("`xdp`", "waits in the kernel"),
         "af-packet": ("`net_af_packet`",
                       "waits in the newcomer's socket, which is open already"),
         "memif": ("`memif`", "waits in the memory of the connection"),
         "tap": ("`net_tap`, `persist`", "is lost: the device is closed and opened")}
QUICK = ("memif",)
# One test of those of upgrade_test.py, whose arguments follow.
ONE_TEST = ("import sys; sys.path.insert(0, sys.argv.pop(1)); import upgrade_test; "
            "upgrade_test.harness.main([upgrade_test.test_both_sides_are_replaced])")
TOLD = re.compile(r"^blackouts, ms:((?: [\d.]+)+)$", re.MULTILINE)


def files(_):
    return [NAME]


def measure(place):
    """Each of two daemons is replaced three times, and says how long that took."""
    if not is_root():
        raise Missing("network namespaces take root")
    programs = [place.program("daemon/saddled"), place.test_program("tests/system/operations"),
                place.test_program("tests/system/victim"),
                place.program("control/gateway/saddle-control"),
                place.program("tools/saddlectl/saddlectl")]
    made = {}
    for kind in QUICK if place.quick else KINDS:
        told = place.run([PYTHON, "-c", ONE_TEST, TESTS, *programs, kind], keeps=True)
        made[kind] = spread([float(word) for line in TOLD.findall(told) for word in line.split()])
    place.keep(NAME, made)


def write(place, page):
    rows = [[KINDS[kind][0], f"{one['median']:.2f}", f"{one['min']:.2f} to {one['max']:.2f}",
             KINDS[kind][1]] for kind, one in place.read(NAME).items()]
    return put(page, NAME, "\n".join(table(
        ["Port", "Blackout, ms, median", "Range", "What arrives meanwhile"], rows)))


def figures(place):
    return {f"blackout_ms_{kind}": one for kind, one in place.read(NAME).items()}
