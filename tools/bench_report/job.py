# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The main job beside the kernel's TCP, by `tools/demo`, which builds what it takes."""
import json

from .page import digits, put, spread, table
from .place import ROOT, Failed

NAME = "job"
RUNS, RUNS_QUICK = 5, 1
MB = 1e6
# Name of the figure, what it is in words, and where it is in the demonstration's document, for
# Saddle and for TCP; None: TCP has none.
FIGURES = (("copy_gbps", "File of {mb:.0f} MB, Gbit/s", ("file", "gbps"), ("gbps",)),
           ("cpu_s_per_gb", "CPU seconds per gigabyte, applications and daemon",
            ("cpu_s_per_gb",), ("cpu_s_per_gb",)),
           ("rtt_us", "64-byte round trip, spinning, p50, us", ("rtt_us", "p50"), None),
           ("rtt_waiting_us", "64-byte round trip, waiting, p50, us", ("rtt_wait_us", "p50"),
            ("rtt_us", "p50")),
           ("packets_sent_again", "Packets sent again", ("retransmissions",), None))


def files(_):
    return [NAME]


def at(made, path):
    for name in path:
        made = made[name]
    return made


def measure(place):
    words = [ROOT / "tools/demo", "--local", "--json", *(("--quick",) if place.quick else ())]
    runs = [json.loads(place.run(words, keeps=True))
            for _ in range(RUNS_QUICK if place.quick else RUNS)]
    if not all(run["file"]["sha256_match"] for run in runs):
        raise Failed("a copied file differs")
    made = {"bytes": runs[0]["file"]["bytes"]}
    for name, _, ours, theirs in FIGURES:
        made[name] = spread([at(run, ours) for run in runs])
        if theirs:
            made[f"tcp_{name}"] = spread([at(run["tcp"], theirs) for run in runs])
    place.keep(NAME, made)


def cell(made, name):
    if name not in made:
        return ""
    one = made[name]
    return f"{digits(one['median'])} ({digits(one['min'])} to {digits(one['max'])})"


def write(place, page):
    made = place.read(NAME)
    rows = [[what.format(mb=made["bytes"] / MB), cell(made, name), cell(made, f"tcp_{name}")]
            for name, what, _, _ in FIGURES]
    return put(page, NAME, "\n".join(
        [f"Medians of {made['rtt_us']['runs']} runs, with their range.", "",
         *table(["", "Saddle, `net_ring`", "Kernel TCP, loopback"], rows)]))


def figures(place):
    return {name: one for name, one in place.read(NAME).items() if isinstance(one, dict)}
