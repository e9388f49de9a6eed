# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The cost model: what a small message and a full packet take, step by step, by instructions
(callgrind), cache lines (lackey) and time (perf)."""
import bisect
import collections
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

from .callgrind import count_each
from .page import put, table
from .place import ROOT, Failed, Missing

NAME = "cost"
LINE_SHIFT = 6  # of a cache line of 64 bytes
VALGRIND_BASE = 0x108000  # where valgrind puts a program that may lie anywhere
WINDOW = 64  # messages on their way at a time in saddle-bench micro
WINDOWS = 4  # traced; the last but one counts: before it things get warm, after it they end
PERF_HZ = 4000
SECONDS_NS = 3e9  # of one case under perf
MARK = "saddle_send"  # entered once for each message
MTU, HEADERS = 5000, 20 + 8 + 24 + 24 + 20  # IPv4, UDP, flow, operation, access of a write
MIB = 1 << 20
# What is counted: the case, what one of it is, and how many are in an iteration.
UNITS = {"message": ("message", 1), "packet": ("write-1MiB", MIB / (MTU - HEADERS))}
REST = "everything else"
# The first that matches a source file, or a library's name.
STEPS = (
    ("the library: commands made, events taken", r"^client/|^include/"),
    ("queues, doorbells, copies of shared words", r"^mailbox/"),
    ("turns, clocks, timers, accounts", r"^sched/|^engines/wheel|pony/(pony|fair|purse)|vdso"),
    ("packets: written, checked, kept until acknowledged, paced",
     r"pony/(output|input|flow|tx_window|rx_window|recovery|rtt|cc_|transport|peer|pmtu|parts|wire|"
     r"ring_bits|packet|path|payload|mapper|tagging)"),
    ("sessions, connections, messages, one-sided operations", r"^engines/pony/|^control/"),
    ("network headers, checksums", r"^engines/|isal|mmintrin"),
    ("packet buffers and the port", r"^daemon/|rte_|/dpdk/"),
    ("other copies", r"libc|string/|sysdeps/"),
    ("the two applications", r"^tools/bench/"),
)


def files(_):
    return [NAME]


def step_of(path):
    try:
        path = str(pathlib.Path(path).resolve().relative_to(ROOT))
    except ValueError:
        pass
    return next((name for name, pattern in STEPS if re.search(pattern, path)), REST)


def grouped(each):
    steps = collections.Counter()
    for path, number in each.items():
        steps[step_of(path)] += number
    return steps


class Source:
    """Which source file an address of the program is from."""

    def __init__(self, bench):
        self.bench, self.known = bench, {}

    def learn(self, addresses):
        fresh = sorted(set(addresses) - set(self.known))
        told = subprocess.run(["addr2line", "-e", self.bench], input="\n".join(map(hex, fresh)),
                              stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
        for address, line in zip(fresh, told.splitlines()):
            path = pathlib.Path(line.rsplit(":", 1)[0])
            self.known[address] = str(path if path.is_absolute()
                                      else self.bench.parent / path)


def symbol(bench, name):
    for line in subprocess.run(["nm", bench], stdout=subprocess.PIPE, encoding="utf-8",
                               check=True).stdout.splitlines():
        if line.split()[-1] == name:
            return int(line.split()[0], 16)
    raise Missing(f"{bench.name} has no function {name}: build it with debug information")


# ---- Cache lines ----

def traced(bench):
    """Instruction addresses and lines of memory, from the first message on."""
    mark = f"{VALGRIND_BASE + symbol(bench, MARK):08x}"
    words = ["valgrind", "--tool=lackey", "--trace-mem=yes", "--log-fd=1", bench, "micro",
             "--virtual-time", "--case", "message", "--runs", "1", "--iterations",
             str(WINDOW * WINDOWS)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tracer, \
            subprocess.Popen(["sed", "-n", f"/^I  {mark},/,$p"], stdin=tracer.stdout,
                             stdout=subprocess.PIPE, encoding="utf-8") as found:
        for line in found.stdout:
            yield line[:2], line[3:].rstrip("\n"), mark


def count_lines(bench):
    """Lines of data that a window of messages touches, and those it writes, and of code; each for
    one message, by the step that touches it first."""
    touched, written, code, sent, address = {}, set(), set(), 0, 0
    for kind, what, mark in traced(bench):
        where, _, size = what.partition(",")
        if kind == "I ":
            address = int(where, 16) - VALGRIND_BASE
            sent += where == mark
            if sent == WINDOW * (WINDOWS - 2) + 1 and where == mark:
                touched, written, code = {}, set(), set()
            if sent <= WINDOW * (WINDOWS - 1):
                code.add((address + VALGRIND_BASE) >> LINE_SHIFT)
        elif kind in (" L", " S", " M") and sent <= WINDOW * (WINDOWS - 1):
            first = int(where, 16) >> LINE_SHIFT
            last = int(where, 16) + int(size) - 1 >> LINE_SHIFT
            for line in range(first, last + 1):
                touched.setdefault(line, address)
                if kind != " L":
                    written.add(line)
    if sent != WINDOW * WINDOWS:
        raise Failed(f"{sent} messages were traced, not {WINDOW * WINDOWS}")
    size = bench.stat().st_size
    source = Source(bench)
    source.learn(at for at in touched.values() if 0 < at < size)
    steps = grouped(collections.Counter(source.known.get(at, "/dpdk/") for at in touched.values()))
    return ({name: count / WINDOW for name, count in steps.items()},
            {"touched": len(touched) / WINDOW, "written": len(written) / WINDOW,
             "code": len(code) / WINDOW})


# ---- Time ----

def sampled(bench, case, iterations):
    """The steps' parts of the time of a case, without what goes before it."""
    with tempfile.TemporaryDirectory(prefix="saddle-cost-") as folder:
        data = pathlib.Path(folder) / "perf.data"
        subprocess.run(["perf", "record", "-q", "-F", str(PERF_HZ), "-e", "cpu-clock:u", "-o",
                        data, "--", bench, "micro", "--case", case, "--runs", "1", "--iterations",
                        str(iterations)], stdout=subprocess.DEVNULL, check=True)
        text = subprocess.run(["perf", "script", "-i", data, "--show-mmap-events", "-F",
                               "comm,time,ip,dso,event"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, encoding="utf-8", check=True).stdout
    base, samples = None, []
    for line in text.splitlines():
        mapped = re.search(r"\[0x([0-9a-f]+)\(.* @ (?:0x)?([0-9a-f]+) .*r-xp (\S+)", line)
        if mapped and pathlib.Path(mapped[3]) == bench:
            base = int(mapped[1], 16) - int(mapped[2], 16)
        found = re.search(r"\s([\d.]+):.*\s([0-9a-f]+) \((.*)\)$", line)
        if found and not mapped:
            samples.append((float(found[1]), int(found[2], 16), found[3]))
    if base is None or not samples:
        raise Failed("perf tells nothing of the program")
    times = [sample[0] for sample in samples]
    samples = samples[bisect.bisect(times, (times[0] + times[-1]) / 2):]
    source = Source(bench)
    source.learn(ip - base for _, ip, dso in samples if pathlib.Path(dso) == bench)
    steps = grouped(collections.Counter(
        source.known[ip - base] if pathlib.Path(dso) == bench else dso for _, ip, dso in samples))
    return {name: count / len(samples) for name, count in steps.items()}


def time_steps(place, bench, case):
    micro = json.loads(place.run([bench, "micro", "--json", "--case", case], keeps=True))
    ns = micro["cases"][case]["median"]
    return ns, {name: part * ns for name, part in
                sampled(bench, case, int(SECONDS_NS / ns)).items()}


# ---- All of it ----

def measure_unit(place, bench, case, number):
    each = count_each(bench, case, False)
    made = {"instructions": {name: count / number for name, count in grouped(each).items()}}
    if not place.quick:
        ns, steps = time_steps(place, bench, case)
        made["ns"] = {name: part / number for name, part in steps.items()}
        made["ns_whole"] = ns / number
    return made


def measure(place):
    bench = place.program("tools/bench/saddle-bench")
    symbol(bench, MARK)
    for program in ("valgrind", "addr2line") + (() if place.quick else ("perf",)):
        if not shutil.which(program):
            raise Missing(f"no {program}")
    made = {name: measure_unit(place, bench, *unit) for name, unit in UNITS.items()}
    if not place.quick:
        made["message"]["lines"], made["lines"] = count_lines(bench)
    place.keep(NAME, made)


def rows_of(unit):
    columns = [unit["instructions"], unit.get("lines"), unit.get("ns")]

    def cells(name):
        return [f"{column.get(name, 0):,.0f}" if number != 1 else f"{column.get(name, 0):.1f}"
                for number, column in enumerate(columns) if column]

    rows = [[name, *cells(name)] for name in [*(name for name, _ in STEPS), REST]
            if any(column and column.get(name, 0) >= 0.05 for column in columns)]
    sums = [f"**{sum(column.values()):,.0f}**" if number != 1 else f"**{sum(column.values()):.1f}**"
            for number, column in enumerate(columns) if column]
    return [*rows, ["**together**", *sums]]


def write(place, page):
    made = place.read(NAME)
    text = []
    for name, title in (("message", "**One message of 64 bytes**, of a full window:"),
                        ("packet", "**One packet of 5000 bytes**, of a write of a megabyte:")):
        heads = ["Step", "Instructions", *(["Cache lines"] if "lines" in made[name] else []),
                 *(["ns"] if "ns" in made[name] else [])]
        text += [title, "", *table(heads, rows_of(made[name]))]
    if "lines" in made:
        lines = made["lines"]
        text += [f"Of the {lines['touched']:.1f} lines {lines['written']:.1f} are written; beside "
                 f"them {lines['code']:.1f} lines of code, which a window of 64 has in common.", ""]
    return put(page, NAME, "\n".join(text).rstrip("\n") + "\n")


def figures(place):
    made = place.read(NAME)
    return {f"{name}_{what}": {"median": total, "min": total, "max": total, "runs": 1}
            for name in UNITS for what, total in
            [("instructions", sum(made[name]["instructions"].values())),
             *([("ns", made[name]["ns_whole"])] if "ns_whole" in made[name] else [])]}
