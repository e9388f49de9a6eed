# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""What callgrind counted of a case of `saddle-bench micro`, by source file or by function."""
import collections
import pathlib
import re
import subprocess
import tempfile

from .place import Failed

# As tools/bench-instructions has them: whole windows, or enough that start and end do not matter.
ITERATIONS = ((re.compile("write-"), 20), (re.compile("message|read"), 2048),
              (re.compile(""), 200000))
NAMED = re.compile(r"\((\d+)\)(?: (.*))?$")
UNKNOWN = "???"  # what callgrind calls a file where there is no debug information


class Names:
    """callgrind writes a name once, with a number, and then the number alone."""

    def __init__(self):
        self.known = {}

    def read(self, text):
        match = NAMED.match(text)
        if not match:
            return text
        if match[2] is not None:
            self.known[match[1]] = match[2]
        return self.known[match[1]]


def read_counts(lines, by_function):
    """Instructions of each file or function; of a file that is not known, of the library."""
    files, functions, objects = Names(), Names(), Names()
    counts = collections.Counter()
    file = function = library = None
    inclusive = False  # the line at hand is of a call, and counted where it is made
    for line in lines:
        key, _, value = line.rstrip("\n").partition("=")
        if key == "ob":
            library = objects.read(value)
        elif key == "cob":
            objects.read(value)
        elif key in ("fl", "fi", "fe"):
            file = files.read(value)
        elif key in ("cfl", "cfi"):
            files.read(value)
        elif key == "fn":
            function = functions.read(value)
        elif key == "cfn":
            functions.read(value)
        elif key == "calls":
            inclusive = True
        elif line[:1].isdigit() or line[:1] in "+-*":
            if not inclusive:
                where = library if file == UNKNOWN else file
                counts[function if by_function else where] += int(line.split()[1])
            inclusive = False
    return counts


def iterations_of(case):
    return next(count for pattern, count in ITERATIONS if pattern.match(case))


def count(bench, case, iterations, by_function):
    with tempfile.TemporaryDirectory(prefix="saddle-cost-") as folder:
        out = pathlib.Path(folder) / "callgrind.out"
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", bench, "micro",
             "--virtual-time", "--case", case, "--runs", "1", "--iterations", str(iterations)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8", check=False)
        if done.returncode:
            last = (done.stderr.strip() or "valgrind says nothing").splitlines()[-1]
            raise Failed(f"{case}: {last}")
        with open(out, encoding="utf-8", errors="replace") as lines:
            return read_counts(lines, by_function)


def count_each(bench, case, by_function):
    """Of one iteration: the count for 2 N less that for N, divided by N, so that start and end
    cancel out."""
    iterations = iterations_of(case)
    once, twice = (count(bench, case, times * iterations, by_function) for times in (1, 2))
    twice.subtract(once)
    return {name: number / iterations for name, number in twice.items()}
