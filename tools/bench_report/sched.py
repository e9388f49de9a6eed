# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""How long engines and applications that sleep take to answer, by `saddle-bench sched`."""
from .page import number, put, put_figure, table

NAME = "sched"
LOADS = {"idle": "nothing else runs", "hogs": "two busy loops on each core",
         "mmap": "50 MB mapped and unmapped on each core"}
PROBERS = {"realtime": "Real-time probers", "nice0": "Probers of nice 0"}
REFUSED = 3  # exit status of saddle-bench sched: measured, but for what could not be had
QUICK = ("--seconds", "0.05", "--runs", "1", "--variant", "wake/*",
         "--variant", "saddle/*/ordinary/idle/nice0/*", "--variant", "tcp/idle/nice0/*")
QUANTILES = ("p50", "p99", "p99.9")


def files(_):
    return [NAME]


def measure(place):
    document, drawing = place.folder / "sched.json", place.folder / "sched.svg"
    place.bench("sched", "--saddled", place.program("daemon/saddled"), "--json", document,
                "--svg", drawing, *(QUICK if place.quick else ()), takes=(0, REFUSED))


def tail(variant):
    spread = variant["delay_us"]["p99.9"]
    return f"{number(spread['median'])} ({number(spread['min'])} to {number(spread['max'])})"


def delays(variant):
    """Cells of the quantiles of one variant."""
    if variant is None:
        return ["", "", ""]
    if variant["refused"] is not None:
        return ["refused", "", ""]
    return [number(variant["delay_us"]["p50"]["median"]),
            number(variant["delay_us"]["p99"]["median"]), tail(variant)]


def share(variant, user):
    if variant is None or variant["refused"] is not None or user not in variant["cpu"]:
        return ""
    return f"{100 * variant['cpu'][user]['median']:.1f} %"


def wakes(variants):
    chosen = sorted((variant for variant in variants if variant["kind"] == "wake"),
                    key=lambda variant: list(LOADS).index(variant["load"]))
    rows = []
    for variant in chosen:
        late = "" if variant["refused"] is not None else number(
            variant["late_us"]["p99"]["median"])
        rows.append([LOADS[variant["load"]], variant["class"], *delays(variant), late,
                     share(variant, "engines")])
    return ["**Wake-up of an engine that sleeps**, from ringing to its run, in us:", "",
            *table(["Load", "Class", "p50", "p99", "p99.9", "Prober late, p99", "CPU"], rows)]


def trips(variants, prober, load):
    """A row for each way to carry the messages: alone, and beside a stream."""
    found = {}
    for variant in variants:
        if variant["kind"] != "wake" and (variant["prober"], variant["load"]) == (prober, load):
            way = ("kernel TCP", "") if variant["kind"] == "tcp" else (variant["mode"],
                                                                       variant["class"])
            found.setdefault(way, {})[variant["engine"]] = variant
    rows = []
    for (mode, kind), pair in found.items():
        alone, beside = pair.get("idle"), pair.get("loaded")
        rows.append([mode, kind, *delays(alone), share(alone, "application"),
                     share(alone, "engines"), *delays(beside)])
    if not rows:
        return []
    return [f"**{PROBERS[prober]}, {LOADS[load]}**, in us:", "",
            *table(["Mode", "Class", "Alone, p50", "p99", "p99.9", "CPU, applications",
                    "CPU, daemon", "Beside a stream, p50", "p99", "p99.9"], rows)]


def tables(made):
    settings, machine = made["settings"], made["machine"]
    variants = made["variants"]
    lines = [f"Medians of {settings['runs']} runs of {settings['seconds']:g} s, with their range; "
             f"{settings['rate']:,} probes a second; the stream is "
             f"{settings['stream_rate']:,} messages of {settings['stream_bytes']:,} bytes a "
             f"second. {machine['cores']} cores, Linux {machine['kernel']}. CPU is a share of one "
             "core.", "", "![Delays by mode, class and load](figures/sched.svg)", ""]
    lines += wakes(variants)
    bar = made["bars"]["wake_hogs_fifo_to_nice"]
    if bar:
        lines += [f"With two busy loops on each core the p99.9 of `fifo` is {bar['ratio']:.3f} of "
                  f"that of `nice`; the bar is {bar['at_most']:g} at most.", ""]
    for prober in PROBERS:
        for load in LOADS:
            lines += trips(variants, prober, load)
    refused = sorted({f"`{variant['class']}`: {variant['refused']}" if variant["class"] else
                      variant["refused"] for variant in variants if variant["refused"]})
    if refused:
        lines += ["Refused: " + "; ".join(refused) + ".", ""]
    return "\n".join(lines)


def write(place, page):
    drawing = (place.folder / "sched.svg").read_text(encoding="utf-8")
    put_figure(place.figure("sched.svg"), drawing, page)
    return put(page, NAME, tables(place.read("sched")))


def figures(place):
    made = place.read("sched")
    return {f"{variant['name']}_{quantile}_us":
            {**variant["delay_us"][quantile], "runs": made["settings"]["runs"]}
            for variant in made["variants"] if variant["refused"] is None
            for quantile in QUANTILES}
