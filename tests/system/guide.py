#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The programs in docs/client.md, and how the page says they are run.

A program is a block of C with a name: ```c NAME.c. A block of kind `console` shows runs of programs
from anywhere on the page, or of examples of client/examples in Python:

    right$ NAME
    what it prints
    left$ NAME right
    what that prints

A command that names a host calls it; the others wait for callers. They are started first, and get a
line on standard input once all calls have ended. `...` in a line stands for anything.

usage: guide.py PAGE FOLDER   writes the programs there
"""
import dataclasses
import pathlib
import re
import sys

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^(left|right)\$ (.+)$")


@dataclasses.dataclass
class Command:
    host: str
    words: list
    printed: list  # lines

    @property
    def calls(self):
        return "left" in self.words or "right" in self.words


def blocks(page, kind):
    """What stands behind the kind, and the text, of each block."""
    for title, text in BLOCK.findall(pathlib.Path(page).read_text(encoding="utf-8")):
        words = title.split()
        if words[:1] == [kind]:
            yield words[1:], text


def programs(page):
    """Text by name. A block of C without a name is a mistake: nobody would try it."""
    found = {}
    for names, text in blocks(page, "c"):
        if len(names) != 1 or not names[0].endswith(".c") or names[0][:-2] in found:
            raise ValueError(f"a program needs a name of its own: {names}, {text[:60]}")
        found[names[0][:-2]] = text
    return found


def sessions(page):
    """The commands of each console block."""
    for _, text in blocks(page, "console"):
        commands = []
        for line in text.splitlines():
            prompt = PROMPT.match(line)
            if prompt:
                commands.append(Command(prompt[1], prompt[2].split(), []))
            else:
                commands[-1].printed.append(line)
        yield commands


def write(page, folder):
    for name, text in programs(page).items():
        pathlib.Path(folder, name + ".c").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(*sys.argv[1:])
