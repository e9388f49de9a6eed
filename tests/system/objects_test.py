#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""An engine in the simulator and in the daemon is the same object code.

Asks the build what each program is made of: every object of an engine in one is in the other, and
no source of an engine is compiled twice for either.
"""

import subprocess
import sys


def engine_parts(build, program, ending):
    """The files of engines that `program` is made from, which end in `ending`."""
    inputs = subprocess.run(["ninja", "-C", build, "-t", "inputs", program], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.split()
    return {path for path in inputs if path.endswith(ending) and "engines/" in path
            and "tests/" not in path}


def main():
    build, daemon, simulator = sys.argv[1:]
    objects = {program: engine_parts(build, program, ".o") for program in (daemon, simulator)}
    sources = {program: engine_parts(build, program, ".c") for program in (daemon, simulator)}
    failures = []
    if not objects[daemon]:
        failures.append(f"{daemon} has no object of an engine")
    for path in sorted(objects[daemon] ^ objects[simulator]):
        failures.append(f"{path} is in one of {daemon}, {simulator} alone")
    for program in (daemon, simulator):
        if len(objects[program]) != len(sources[program]):
            failures.append(f"{program}: {len(sources[program])} sources of engines, "
                            f"{len(objects[program])} objects")
    for failure in failures:
        print(failure)
    print(f"{len(objects[daemon])} objects in common")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
