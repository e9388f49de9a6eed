# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The main figures: what `saddle-bench ring` and `saddle-bench wire` write, beside what they are to
be."""
from .page import digits, put, table
from .place import is_root

# What the page promises: whether a figure is to be at most or at least so much.
BARS = {"rtt_vs_ucx_posix": ("at most", 3), "rtt_vs_tcp": ("at most", 1 / 15),
        "messages_per_s": ("at least", 3e6), "reads_per_s": ("at least", 4e6),
        "retained_100_sessions": ("at least", 0.7), "retained_10k_connections": ("at least", 0.7),
        "gbps_per_core_vs_tcp": ("at least", 3), "idle_core_percent": ("at most", 0.5),
        "idle_core_percent_compacting": ("at most", 0.5),
        "idle_connection_bytes": ("at most", 512),
        "xdp_gbps_per_core_vs_tcp": ("at least", 1.1)}


def bar(name, median):
    if name not in BARS:
        return ["", ""]
    what, bound = BARS[name]
    met = median <= bound if what == "at most" else median >= bound
    return [f"{what} {digits(bound)}", "met" if met else "missed"]


def of_document(made):
    return {name: figure for name, figure in made.items()
            if isinstance(figure, dict) and "median" in figure}


def text(made):
    settings, machine = made["settings"], made["machine"]
    rows = [[f"`{name}`", digits(figure["median"]),
             f"{digits(figure['min'])} to {digits(figure['max'])}", *bar(name, figure["median"])]
            for name, figure in of_document(made).items()]
    return "\n".join([f"Medians of {settings['runs']} rounds of {settings['seconds']:g} s a case. "
                      f"{machine['cores']} cores, Linux {machine['kernel']}.", "",
                      *table(["Figure", "Median", "Range", "It is to be", ""], rows)])


class Figures:
    """A subcommand whose document is figures alone."""

    def __init__(self, name, without_root=()):
        self.NAME = name
        self.without_root = without_root

    def files(self, _):
        return [self.NAME]

    def measure(self, place):
        place.bench(self.NAME, "--saddled", place.program("daemon/saddled"), "--json",
                    place.folder / f"{self.NAME}.json", *(("--quick",) if place.quick else ()),
                    *(() if is_root() else self.without_root))

    def write(self, place, page):
        return put(page, self.NAME, text(place.read(self.NAME)))

    def figures(self, place):
        return of_document(place.read(self.NAME))


RING = Figures("ring")
WIRE = Figures("wire", ("--case", "memif/*"))
