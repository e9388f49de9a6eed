# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of every size, window, batch, and number of sessions and flows: `saddle-bench ring`."""
from .page import digits, put, put_figure, table

NAME = "sweep"
SIZES = [8 << (3 * step) for step in range(8)]  # 8 B to 16 MiB
WINDOWS = [1, 4, 16, 64, 256]
LONG = ("--runs", "3", "--seconds", "0.5")  # the windows of each size make it long
BATCHES = [1, 4, 16, 64, 256]
SESSIONS = [1, 4, 16, 64, 100]
FLOWS = [1, 2, 4, 8]
SIZES_QUICK, WINDOWS_QUICK = [64, 65536], [1, 16]
KIB = 1024
STEPS = {"batch": "64 B, so many sent together", "sessions": "64 B, sessions at each engine",
         "flows": "64 B, flows, with a connection on each"}


def files(_):
    return [NAME]


def listed(numbers):
    return ",".join(str(number) for number in numbers)


def measure(place):
    sizes, windows = (SIZES_QUICK, WINDOWS_QUICK) if place.quick else (SIZES, WINDOWS)
    place.bench("ring", "--saddled", place.program("daemon/saddled"),
                "--json", place.folder / "sweep.json", "--svg", place.folder / "sweep.svg",
                *(("--quick",) if place.quick else LONG), "--case", "size/*",
                "--case", "batch/*", "--case", "sessions/*", "--case", "flows/*",
                "--sizes", listed(sizes),
                "--windows", listed(windows), "--batches", listed(BATCHES),
                "--sessions", listed(SESSIONS), "--flows", listed(FLOWS))


def size(number):
    for unit in ("B", "KiB", "MiB"):
        if number < KIB:
            break
        number //= KIB
    return f"{number} {unit}"


def steps(made, name):
    """A table of the steps of a sweep: what each has, and its rate."""
    of = [one for one in made["sweep"] if name in one]
    return table([STEPS[name], *(f"{one[name]}" for one in of)],
                 [["Messages a second", *(digits(one["messages_per_s"]["median"]) for one in of)]])


def text(made):
    """A row for each size: round trips, and messages a second by window."""
    settings = made["settings"]
    sized = [one for one in made["sweep"] if not any(name in one for name in STEPS)]
    windows = sorted({one["window"] for one in sized if "messages_per_s" in one})
    rows = {}
    for one in sized:
        row = rows.setdefault(one["bytes"], {})
        if "rtt_us" in one:
            row["rtt"] = digits(one["rtt_us"]["median"])
        else:
            row[one["window"]] = digits(one["messages_per_s"]["median"])
    return "\n".join([
        f"Medians of {settings['runs']} rounds of {settings['seconds']:g} s a case; messages a "
        "second, with so many of them on their way.", "",
        "![Rates by size, window, batch, sessions and flows](figures/sweep.svg)", "",
        *table(["Size", "There and back, us", *(f"{window}" for window in windows)],
               [[size(number), row.get("rtt", ""), *(row.get(window, "") for window in windows)]
                for number, row in sorted(rows.items())]),
        *(line for name in STEPS for line in steps(made, name))])


def write(place, page):
    drawing = (place.folder / "sweep.svg").read_text(encoding="utf-8")
    put_figure(place.figure("sweep.svg"), drawing, page)
    return put(page, NAME, text(place.read(NAME)))


def place_of(one, name):
    """In the name of a figure."""
    for step in STEPS:
        if step in one:
            return f"{step}_{one[step]}"
    window = "" if name == "rtt_us" else f"_window_{one['window']}"
    return f"{one['bytes']}_bytes{window}"


def figures(place):
    found = {}
    for one in place.read(NAME)["sweep"]:
        for name in ("rtt_us", "messages_per_s", "gbps"):
            if name in one:
                found[f"{name}_{place_of(one, name)}"] = one[name]
    return found
