#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Hello in Python, by ctypes: `hello.py` waits for a message and prints it, `hello.py HOST` sends
one there. Speaks with the hello of C.
"""
import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p

SERVICE = b"hello"
TEXT = b"Hello, world\0"  # C's hello sends the end of its string too
PATIENCE_MS = 5000
FOR_EVER = -1

# A handle is a uint32_t; a session and a channel are pointers that only the library follows.
library = ctypes.CDLL("libsaddle.so.0")
SIGNATURES = {
    "saddle_attach": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, c_size_t]),
    "saddle_detach": (None, [c_void_p]),
    "saddle_strerror": (c_char_p, [c_void_p]),
    "saddle_channel": (c_void_p, [c_void_p, c_uint32]),
    "saddle_listen_wait": (c_int, [c_void_p, c_char_p, c_int, POINTER(c_uint32)]),
    "saddle_accept_wait": (c_int, [c_void_p, c_uint32, c_int, POINTER(c_uint32)]),
    "saddle_connect_wait": (c_int, [c_void_p, c_char_p, c_char_p, c_int, POINTER(c_uint32)]),
    "saddle_send_wait": (c_int, [c_void_p, c_uint32, c_char_p, c_size_t, c_int]),
    "saddle_recv_wait": (c_int64, [c_void_p, c_uint32, c_char_p, c_size_t, c_int]),
    "saddle_close_wait": (c_int, [c_void_p, c_uint32, c_int]),
}
for name, (result_type, argument_types) in SIGNATURES.items():
    function = getattr(library, name)
    function.restype, function.argtypes = result_type, argument_types


def must(session, result):
    """Passes a result on that is no error."""
    if result < 0:
        sys.exit("hello.py: " + library.saddle_strerror(session).decode())
    return result


def send(session, channel, host):
    peer = c_uint32()
    must(session, library.saddle_connect_wait(channel, host, SERVICE, PATIENCE_MS, byref(peer)))
    must(session, library.saddle_send_wait(channel, peer, TEXT, len(TEXT), PATIENCE_MS))
    print("sent")
    return peer


def receive(session, channel):
    listener, peer = c_uint32(), c_uint32()
    text = ctypes.create_string_buffer(200)
    must(session, library.saddle_listen_wait(channel, SERVICE, PATIENCE_MS, byref(listener)))
    must(session, library.saddle_accept_wait(channel, listener, FOR_EVER, byref(peer)))
    must(session, library.saddle_recv_wait(channel, peer, text, len(text) - 1, FOR_EVER))
    print(text.value.decode())
    return peer


def main():
    session, reason = c_void_p(), ctypes.create_string_buffer(200)
    if library.saddle_attach(byref(session), None, reason, len(reason)) != 0:
        sys.exit("hello.py: " + reason.value.decode())
    channel = library.saddle_channel(session, 0)
    if len(sys.argv) > 1:
        peer = send(session, channel, sys.argv[1].encode())
    else:
        peer = receive(session, channel)
    library.saddle_close_wait(channel, peer, PATIENCE_MS)
    library.saddle_detach(session)


main()
