# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""How long engines stand still while a daemon is replaced, by number of connections: `saddle-bench
upgrade`."""
import json
import math

from .page import number, put, put_figure, table
from .place import Failed, is_root

# Hand-overs by number of connections; so many with a hundred that the rare ones are among them,
# which take two hours on a slow day.
UPGRADES = {1: 100, 100: 1000, 1000: 50, 10000: 50}
UPGRADES_QUICK = {1: 2, 100: 2}
NAME = "upgrades"
# Upper bounds of the histogram, ms.
BOUNDS = (0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, math.inf)
BAR_CHARACTERS = 50  # of the longest


# What is drawn, one panel above the other: title, and lines with a colour that stands out against
# white and black alike.
def blackout(quantile):
    return lambda made: made["blackout_ms"][quantile]


PANELS = (("Blackout, ms", (("p50", "#2b8a8a", blackout("p50")),
                            ("p99", "#c77d11", blackout("p99")),
                            ("max", "#c0504d", blackout("max")))),
          ("State, bytes", (("median", "#2b8a8a", lambda made: made["state_bytes"]),)))
WIDTH, HEIGHT, LEFT, TOP, BETWEEN = 640, 180, 90, 40, 60  # of a panel, and around it
GREY = "#888888"


def decades(values):
    """The powers of ten below and above all of them, as exponents."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def panel(title, lines, made, top):
    """One of the drawing, on logarithmic axes."""
    values = {label: [(one["connections"], value(one)) for one in made if value(one) > 0]
              for label, _, value in lines}
    every = [y for points in values.values() for _, y in points] or [1]
    (left, right), (low, high) = decades([one["connections"] for one in made]), decades(every)

    def at(x, y):
        return (LEFT + WIDTH * (math.log10(x) - left) / (right - left),
                top + HEIGHT * (high - math.log10(y)) / (high - low))

    out = [f'<text x="{LEFT}" y="{top - 12}" font-weight="bold">{title}</text>']
    for power in range(low, high + 1):
        y = at(1, 10 ** power)[1]
        out += [f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="{GREY}" stroke-opacity="0.4"/>',
                f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10 ** power:,}</text>']
    for power in range(left, right + 1):
        x = at(10 ** power, 10 ** low)[0]
        out.append(f'<text x="{x:.1f}" y="{top + HEIGHT + 18}" text-anchor="middle">'
                   f'{10 ** power:,}</text>')
    for index, (label, colour, _) in enumerate(lines):
        points = [at(*point) for point in values[label]]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        out.append(f'<text x="{LEFT + WIDTH + 10}" y="{top + 14 + 18 * index}" fill="{colour}">'
                   f'{label}</text>')
    return out


def draw(made):
    """SVG: blackout and state by number of connections."""
    height = TOP + len(PANELS) * (HEIGHT + BETWEEN)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 80} {height}" '
           f'font-family="sans-serif" font-size="13" fill="{GREY}">',
           "<title>Blackout and state by number of connections</title>"]
    for index, (title, lines) in enumerate(PANELS):
        out += panel(title, lines, made, TOP + index * (HEIGHT + BETWEEN))
    return "\n".join([*out, f'<text x="{LEFT + WIDTH / 2}" y="{height - 8}" '
                      'text-anchor="middle">connections</text>', "</svg>", ""])


def planned(place):
    return UPGRADES_QUICK if place.quick else UPGRADES


def files(place):
    return [f"upgrade-{connections}" for connections in planned(place)]


def measure(place):
    """Documents that are there already stay as they are."""
    words = [place.program("tools/bench/saddle-bench"), "upgrade", "--json",
             "--saddled", place.program("daemon/saddled"),
             "--control", place.program("control/gateway/saddle-control"),
             "--saddlectl", place.program("tools/saddlectl/saddlectl"),
             *(() if is_root() else ("--local",)), *place.options]
    for connections, count in planned(place).items():
        if place.has(f"upgrade-{connections}"):
            continue
        made = json.loads(place.run([*words, "--connections", connections, "--count", count],
                                    keeps=True))
        if made["packets_missed"]:
            raise Failed(f"packets were missed with {connections} connections: {made}")
        place.keep(f"upgrade-{connections}", made)


def histogram(values):
    """How often what took how long, as lines of text."""
    counts = [sum(low < value <= high for value in values)
              for low, high in zip((0, *BOUNDS), BOUNDS)]
    there = [index for index, count in enumerate(counts) if count]
    unit = max(1, max(counts) / BAR_CHARACTERS)
    lines = []
    for index in range(there[0], there[-1] + 1):
        most = "more" if BOUNDS[index] == math.inf else f"{BOUNDS[index]:g}"
        lines.append(f"    {most:>8}  {counts[index]:>6,}  "
                     f"{'#' * math.ceil(counts[index] / unit)}".rstrip())
    return ["    up to ms   times", *lines]


def prober(phase):
    """Cells of a prober's quantiles in one phase."""
    return ["", ""] if phase is None else [number(phase["p50"]), number(phase["p99"])]


def text(made):
    heads = ["Connections", "Hand-overs", "Blackout, ms, p50", "p99", "max", "State, bytes",
             "Brownout, ms, p50", "Missed", "Sent again", "Prober, us, p50", "p99",
             "In brownout, p50", "p99"]
    rows = [[f"{one['connections']:,}", f"{one['upgrades']:,}",
             *(f"{one['blackout_ms'][quantile]:.2f}" for quantile in ("p50", "p99", "max")),
             f"{one['state_bytes']:,}", f"{one['brownout_ms']['p50']:.0f}",
             "" if one["packets_missed"] is None else f"{one['packets_missed']:,}",
             f"{one['retransmissions']:,}", *prober(one["prober_us"]["normal"]),
             *prober(one["prober_us"]["brownout"])] for one in made]
    most = max(made, key=lambda one: one["upgrades"])
    return "\n".join([f"Port `{made[0]['port']}`.", "",
                      "![Blackout and state by number of connections](figures/upgrade.svg)", "",
                      *table(heads, rows), "",
                      f"{most['upgrades']:,} blackouts with {most['connections']:,} connections:",
                      "", *histogram(most["blackouts_ms"])])


def documents(place):
    return [place.read(name) for name in files(place)]


def write(place, page):
    made = documents(place)
    put_figure(place.figure("upgrade.svg"), draw(made), page)
    return put(page, NAME, text(made))


def figures(place):
    """Of all hand-overs with so many connections; what has no range is in the documents."""
    return {f"blackout_ms_{one['connections']}_connections":
            {"median": one["blackout_ms"]["p50"], "min": one["blackouts_ms"][0],
             "max": one["blackout_ms"]["max"], "runs": one["upgrades"]}
            for one in documents(place)}
