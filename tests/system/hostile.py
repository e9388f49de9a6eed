# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Requests that nobody means well with, made from a message's descriptor: fields of wrong types,
endless numbers and texts, bytes that are no text, messages within messages, lists without an end.
"""
from google.protobuf.descriptor import FieldDescriptor

VARINT, FIXED64, LENGTH, GROUP, GROUP_END, FIXED32 = range(6)
REPEATS = 5000  # two bytes each at least: within what a request may have
DEEP = 200      # messages within messages
LONG = 60000    # bytes, within what a request may have
NUMBERS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
TEXTS = (b"", b"%s%n%x", b"../../../etc/passwd", b"/", b"a" * 31, b"a" * 32, b"a" * 33,
         b"x" * LONG, b"\x1b[2J", b"\n", b"a b", b"'\"\\;$(reboot)", "\u202e\U0001f300".encode(),
         b"-1", b"18446744073709551616", b"0x10", b"nan", b": {[", b"&a [*a, *a]")
NO_TEXTS = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\x00b", b"\xe2\x82")
NO_MESSAGES = (b"\xff", b"\x80" * 20, b"\x00", b"\x00\x00", b"\x0b", b"\x0c", b"\x0a\xff",
               b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x0e\x00", b"\x08",
               b"\xf8\xff\xff\xff\x0f\x00", b"\xff" * LONG)
STRANGERS = (b"\xf8\xff\xff\xff\x0e\x01", b"\xfa\x07\x03abc" * 1000)  # fields that nobody knows

NUMERIC = {
    FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SINT64,
    FieldDescriptor.TYPE_BOOL, FieldDescriptor.TYPE_ENUM,
}


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number, kind):
    return varint(number << 3 | kind)


def delimited(number, data):
    return tag(number, LENGTH) + varint(len(data)) + data


def wrong_types(field):
    """Each wire type in turn, also the right one, with something behind it."""
    yield tag(field.number, VARINT) + b"\x01"
    yield tag(field.number, FIXED64) + bytes(8)
    yield tag(field.number, FIXED32) + bytes(4)
    yield delimited(field.number, b"\x01")
    yield tag(field.number, GROUP) + tag(field.number, GROUP_END)
    yield tag(field.number, GROUP_END)
    yield tag(field.number, 6)
    yield tag(field.number, 7)
    yield tag(field.number, LENGTH) + varint(2**63)
    yield tag(field.number, VARINT) + b"\xff" * 9 + b"\x7f"


def values(field, depth):
    if field.type in NUMERIC:
        for number in NUMBERS:
            yield tag(field.number, VARINT) + varint(number)
            yield delimited(field.number, varint(number) * 3)  # packed
        yield delimited(field.number, b"\x01" * LONG)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        nested = b""
        for _ in range(DEEP):
            nested = delimited(field.number, nested)
        yield nested
        if depth > 0:
            for inner in requests(field.message_type, depth - 1):
                if len(inner) < LONG:
                    yield delimited(field.number, inner)
    else:
        for text in TEXTS + NO_TEXTS:
            yield delimited(field.number, text)


def requests(descriptor, depth=1):
    """Packed messages; those that are whole are all but certain to ask for what is not there."""
    yield b""
    yield from NO_MESSAGES
    yield from STRANGERS
    for field in descriptor.fields:
        yield from wrong_types(field)
        yield from values(field, depth)
        yield delimited(field.number, b"a") * (REPEATS if field.type not in NUMERIC else 1)
        yield (tag(field.number, VARINT) + b"\x01") * REPEATS
    # All fields at a time, with the largest that each may have.
    whole = b""
    for field in descriptor.fields:
        if field.type in NUMERIC:
            whole += tag(field.number, VARINT) + varint(NUMBERS[-1])
        elif field.type == FieldDescriptor.TYPE_STRING:
            whole += delimited(field.number, b"nobody")
    yield whole
