#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Saved state by the manual: a reader that knows nothing but docs/state.md reads what engines
write, and what those of the version before wrote.

usage: state_test.py SADDLE_STATES SOURCE
"""
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

import harness
from harness import expect, expect_equal

STATES = pathlib.Path(sys.argv[1]).resolve()
SOURCE = pathlib.Path(sys.argv[2]).resolve()
MANUAL = (SOURCE / "docs/state.md").read_text()
GOLDEN = SOURCE / "tests/system/golden/state"

HEADER = struct.Struct("<4sHHIIQ")
RECORD = struct.Struct("<HHI")
NUMBERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q"}


# ---- What the manual says ----

class Field:
    def __init__(self, name, kind, since, meaning):
        self.name, self.since, self.meaning = name.strip(" `·"), int(since), meaning
        self.inner = name.startswith("·")
        kind, _, bit = kind.partition(" if ")
        self.kind, self.bit = kind, int(bit, 16) if bit else 0
        self.parts = []  # of a list


def fields_of(text):
    fields = []
    for row in re.findall(r"^\| (?:· )?`.*\|$", text, re.MULTILINE):
        field = Field(*[cell.strip() for cell in re.split(r" \| |\|$", row[2:])[:4]])
        (fields[-1].parts if field.inner else fields).append(field)
    return fields


def described():
    """By type: the record's name and its fields."""
    parts = re.split(r"^### 0x([0-9a-f]{4}) ([A-Z]+)$", MANUAL, flags=re.MULTILINE)
    return {int(number, 16): (name, fields_of(text.split("\n## ")[0]))
            for number, name, text in zip(parts[1::3], parts[2::3], parts[3::3])}


def versions():
    """By writer: its version, and the names of its documents."""
    rows = re.findall(r"^\| ([0-9]{2}) \| ([0-9]+) \| (.*)\|$", MANUAL, re.MULTILINE)
    return {int(writer, 16): (int(version), re.findall("`([a-z-]+)`", kinds))
            for writer, version, kinds in rows}


RECORDS, VERSIONS = described(), versions()


# ---- Reading and writing by it ----

def crc32c(data):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def records_of(data):
    """The records of a document that is whole: type, version, bytes."""
    magic, version, zero, total, more, length = HEADER.unpack_from(data)
    expect_equal((magic, version, zero, more), (b"SDST", 1, 0, 0), "header")
    expect_equal(length, len(data) - HEADER.size, "length in the header")
    expect_equal(total, crc32c(data[HEADER.size:]), "sum in the header")
    at, records = HEADER.size, []
    while at < len(data):
        kind, version, length = RECORD.unpack_from(data, at)
        at += RECORD.size
        expect(version > 0 and at + length <= len(data), f"record {kind:#06x} at {at}")
        records.append((kind, version, data[at:at + length]))
        at += length
    return records


def document(records):
    body = b"".join(RECORD.pack(kind, version, len(data)) + data
                    for kind, version, data in records)
    return HEADER.pack(b"SDST", 1, 0, crc32c(body), 0, len(body)) + body


class Cursor:
    """Walks through the fields of a record up to a version."""

    def __init__(self, data, version):
        self.data, self.version, self.at, self.flags = data, version, 0, 0
        self.listed = 0  # bytes of what is in lists

    def number(self, kind):
        value, = struct.unpack_from(NUMBERS[kind], self.data, self.at)
        self.at += struct.calcsize(NUMBERS[kind])
        return value

    def skip(self, size):
        count = self.number("u32")
        self.at += size * count

    def field(self, field):
        if field.since > self.version or (field.bit and not self.flags & field.bit):
            return
        if field.kind == "bytes":
            self.skip(1)
        elif field.kind == "counters":
            self.skip(8)
        elif field.kind == "list" or field.kind.endswith(" times"):
            count = self.number("u32") if field.kind == "list" else int(field.kind.split()[0])
            begin = self.at
            for _ in range(count):
                self.fields(field.parts)
            self.listed += self.at - begin if field.kind == "list" else 0
        else:
            value = self.number(field.kind)
            if field.name == "flags":
                self.flags = value

    def fields(self, fields):
        for field in fields:
            self.field(field)
        return self.at


def check_document(name, data):
    """Every record is described, and is as long as that says."""
    kinds = set()
    for kind, version, fields in records_of(data):
        expect(kind in RECORDS, f"{name}: record {kind:#06x} is not in docs/state.md")
        title, known = RECORDS[kind]
        try:
            end = Cursor(fields, version).fields(known)
        except struct.error as error:
            raise harness.Failure(f"{name}: {title} of version {version}: {error}") from error
        expect_equal(end, len(fields), f"{name}: bytes of a {title} of version {version}")
        kinds.add(title)
    return kinds


def as_before(data):
    """What the version before would have written, or would take from it."""
    kept = []
    for kind, version, fields in records_of(data):
        before = max(VERSIONS[kind >> 8][0] - 1, 1)
        known = RECORDS[kind][1]
        if min(field.since for field in known) <= before:
            version = min(version, before)
            kept.append((kind, version, fields[:Cursor(fields, version).fields(known)]))
    return document(kept)


# ---- The program ----

def states(*words):
    status, out, errors = harness.run([STATES, *words])
    expect_equal((status, errors), (0, ""), " ".join(str(word) for word in words) + out)
    return out


FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="saddle-state-"))


def made(how):
    """Documents of engines of now, by kind."""
    folder = FOLDER / how
    if not folder.exists():
        folder.mkdir()
        states(how, folder)
    return {path.stem: path for path in sorted(folder.glob("*.state"))}


# ---- Tests ----

def test_all_types():
    """Each type in the source is described, by its name and number, and none else is."""
    found = {}
    for path in (SOURCE / "engines").rglob("*.c"):
        for name, number in re.findall(r"^#define RECORD_([A-Z]+) +0x([0-9a-f]{4})u",
                                       path.read_text(), re.MULTILINE):
            found[int(number, 16)] = path.parent.name.upper() if name == "COUNTERS" else name
    upper = (SOURCE / "engines/pony/upper_state.h").read_text()
    for place, name in enumerate(re.findall(r"^    UPPER_RECORD_([A-Z]+)\b", upper, re.MULTILINE)):
        found[0x0200 + place] = name
    expect_equal({f"{kind:#06x}": name for kind, name in sorted(found.items())},
                 {f"{kind:#06x}": name for kind, (name, _) in sorted(RECORDS.items())},
                 "types of records in the source, and in docs/state.md")


def test_versions():
    """The versions in the source are those of the manual."""
    for writer, path, name in ((1, "engines/pony/transport_state.c", "RECORD_VERSION"),
                               (2, "engines/pony/upper_state.h", "UPPER_STATE_VERSION"),
                               (3, "engines/steer/steer.c", "RECORD_VERSION"),
                               (5, "engines/kernel/kernel.c", "RECORD_VERSION"),
                               (6, "engines/shaper/shaper.c", "RECORD_VERSION")):
        version = re.search(rf"^#define {name} +([0-9]+)u", (SOURCE / path).read_text(),
                            re.MULTILINE).group(1)
        expect_equal(VERSIONS[writer][0], int(version), f"version of writer {writer:02}")
    for kind, (name, fields) in RECORDS.items():
        order = [field.since for field in fields]
        expect_equal(order, sorted(order), f"{name}: fields are in the order of their versions")
        expect(order[-1] <= VERSIONS[kind >> 8][0], f"{name}: a field of a version to come")


def test_numbers():
    """What states are called by is what the source calls them by."""
    for enum, path in (("connection_state", "connection.h"), ("operation_state", "operation.h"),
                       ("slot_state", "session.h"), ("slot_due", "session.h")):
        text = (SOURCE / "engines/pony" / path).read_text()
        body = re.search(rf"enum {enum} {{(.*?)\n}};", text, re.DOTALL).group(1)
        names = re.findall(r"^ +[A-Z]+?_(?:DUE_)?([A-Z]+),", body, re.MULTILINE)
        row = re.search(rf"^\| `{enum}` \| (.*) \|$", MANUAL, re.MULTILINE).group(1)
        expect_equal(row, ", ".join(f"{i} {name}" for i, name in enumerate(names)), enum)


def test_counters():
    """In the order of the structures that hold them."""
    for kind, path, name in ((0x0100, "engines/pony/transport.h", "transport_stats"),
                             (0x0200, "engines/pony/upper.h", "upper_counters"),
                             (0x0300, "engines/steer/fan.h", "fan_stats"),
                             (0x0500, "engines/kernel/kernel.c", "counts")):
        body = re.search(rf"struct {name} {{(.*?)\n}};", (SOURCE / path).read_text(), re.DOTALL)
        lines = re.findall(r"uint64_t ([a-z_, ]+);", body.group(1))
        field = next(field for field in RECORDS[kind][1] if field.kind == "counters")
        expect_equal(re.findall("`([a-z_]+)`", field.meaning),
                     [word for line in lines for word in line.split(", ")], f"struct {name}")


def test_now():
    """What engines write is what the manual says; nearly every record is among it."""
    kinds = set()
    for how in ("write", "rare"):
        for name, path in made(how).items():
            kinds |= check_document(name, path.read_bytes())
    # No pair of engines has these at the moment that is written.
    rare = {"ENDED", "SERVED", "FETCH", "REPLY", "RESULT"}
    expect_equal({name for name, _ in RECORDS.values()} - kinds - rare, set(), "never written")


def golden():
    """By kind, and the version in the name."""
    found = {}
    for path in sorted(GOLDEN.glob("*.state")):
        name, version = path.stem.rsplit("-", 1)
        found[name, int(version)] = path
    return found


def test_golden_set():
    """There is one of each kind, of this version and the one before."""
    wanted = {(kind, version) for last, kinds in VERSIONS.values() for kind in kinds
              for version in range(max(last - 1, 1), last + 1)}
    expect_equal(set(golden()), wanted, "documents (docs/state.md says how they are made)")


def test_golden():
    """They are read, by the manual and by engines, which go on with what they were at."""
    for (name, version), path in golden().items():
        data = path.read_bytes()
        check_document(path.name, data)
        newest = {kind >> 8: known for kind, known, _ in records_of(data)}
        writer = next(writer for writer, (_, kinds) in VERSIONS.items() if name in kinds)
        expect_equal(newest[writer], version, f"version in {path.name}")
        states("again", name, path, FOLDER / "again.state")
    for version in {version for _, version in golden()}:
        pair = [golden().get((f"pony-{side}", version)) for side in ("server", "client")]
        if all(pair):
            states("resume", *pair)


def test_back():
    """Without what the version before does not know, engines go on all the same, and have lost
    nothing that it knows."""
    folder = FOLDER / "before"
    folder.mkdir()
    paths = {}
    for name, path in made("write").items():
        paths[name] = folder / path.name
        paths[name].write_bytes(as_before(path.read_bytes()))
        whole, less = FOLDER / "whole.state", FOLDER / "less.state"
        states("again", name, path, whole)
        states("again", name, paths[name], less)
        expect(as_before(less.read_bytes()) == as_before(whole.read_bytes()),
               f"{name}: what was left out makes a difference to the rest")
    states("resume", paths["pony-server"], paths["pony-client"])


def test_ahead():
    """Records and fields of a version to come are passed over."""
    folder = FOLDER / "ahead"
    folder.mkdir()
    paths = {}
    for name, path in made("write").items():
        records = [(kind, version + 1, fields + b"\xa5" * 9)
                   for kind, version, fields in records_of(path.read_bytes())]
        more = [(kind | 0xf0, 9, b"\x5a" * 5) for kind in {kind & 0xff00 for kind, _, _ in records}]
        paths[name] = folder / path.name
        paths[name].write_bytes(document(more + records + more))
        states("again", name, paths[name], FOLDER / "again.state")
        states("again", name, path, FOLDER / "reread.state")
        expect((FOLDER / "again.state").read_bytes() == (FOLDER / "reread.state").read_bytes(),
               f"{name}: what is not known makes a difference")
    states("resume", paths["pony-server"], paths["pony-client"])


def test_sizes():
    """The figures of the manual."""
    _, connection = states("sizes").split()
    fields, version = next((fields, version) for kind, version, fields
                           in records_of(made("write")["pony-client"].read_bytes())
                           if RECORDS[kind][0] == "FLOW")
    cursor = Cursor(fields, version)
    flow = RECORD.size + cursor.fields(RECORDS[0x0101][1]) - cursor.listed
    figures = re.findall(r"^\| (?:idle|open) (connection|flow) .* \| ([0-9]+) \|$", MANUAL,
                         re.MULTILINE)
    print(f"connection {connection}\nflow {flow}")
    expect_equal(figures, [("connection", connection), ("flow", str(flow))],
                 "figures in docs/state.md")


if __name__ == "__main__":
    try:
        harness.main([test_all_types, test_versions, test_numbers, test_counters, test_now,
                      test_golden_set, test_golden, test_back, test_ahead, test_sizes])
    finally:
        subprocess.run(["rm", "-rf", FOLDER], check=False)
