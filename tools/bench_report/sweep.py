# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of every size and window, by `saddle-bench ring` with --sizes and --windows."""
from .page import digits, put, put_figure, table

NAME = "sweep"
SIZES = [8 << (3 * step) for step in range(8)]  # 8 B to 16 MiB
WINDOWS = [1, 4, 16, 64, 256]
LONG = ("--runs", "3", "--seconds", "0.5")  # the windows of each size make it long
SIZES_QUICK, WINDOWS_QUICK = [64, 65536], [1, 16]
KIB = 1024


def files(_):
    return [NAME]


def listed(numbers):
    return ",".join(str(number) for number in numbers)


def measure(place):
    sizes, windows = (SIZES_QUICK, WINDOWS_QUICK) if place.quick else (SIZES, WINDOWS)
    place.bench("ring", "--saddled", place.program("daemon/saddled"),
                "--json", place.folder / "sweep.json", "--svg", place.folder / "sweep.svg",
                *(("--quick",) if place.quick else LONG), "--case", "size/*",
                "--sizes", listed(sizes), "--windows", listed(windows))


def size(number):
    for unit in ("B", "KiB", "MiB"):
        if number < KIB:
            break
        number //= KIB
    return f"{number} {unit}"


def text(made):
    """A row for each size: round trips, and messages a second by window."""
    settings = made["settings"]
    windows = sorted({one["window"] for one in made["sweep"] if "messages_per_s" in one})
    rows = {}
    for one in made["sweep"]:
        row = rows.setdefault(one["bytes"], {})
        if "rtt_us" in one:
            row["rtt"] = digits(one["rtt_us"]["median"])
        else:
            row[one["window"]] = digits(one["messages_per_s"]["median"])
    return "\n".join([
        f"Medians of {settings['runs']} rounds of {settings['seconds']:g} s a case; messages a "
        "second, with so many of them on their way.", "",
        "![Rates and round trips by size and window](figures/sweep.svg)", "",
        *table(["Size", "There and back, us", *(f"{window}" for window in windows)],
               [[size(number), row.get("rtt", ""), *(row.get(window, "") for window in windows)]
                for number, row in sorted(rows.items())])])


def write(place, page):
    drawing = (place.folder / "sweep.svg").read_text(encoding="utf-8")
    put_figure(place.figure("sweep.svg"), drawing, page)
    return put(page, NAME, text(place.read(NAME)))


def figures(place):
    found = {}
    for one in place.read(NAME)["sweep"]:
        for name in ("rtt_us", "messages_per_s", "gbps"):
            if name in one:
                where = f"{one['bytes']}_bytes" + (
                    "" if name == "rtt_us" else f"_window_{one['window']}")
                found[f"{name}_{where}"] = one[name]
    return found
