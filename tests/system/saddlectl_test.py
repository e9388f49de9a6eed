#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""saddlectl against a daemon that is not one: it says what the test wants it to say, also what
saddled never would.

    saddlectl --- grpcio, with the messages of saddle.protoset

usage: saddlectl_test.py SADDLECTL PROTOSET MAN_PAGE [write]

MAN_PAGE is the source of the page. `write` makes the golden files anew, to be looked at.
"""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import harness
from harness import expect, expect_equal

SADDLECTL, PROTOSET, MAN_PAGE = (pathlib.Path(word) for word in sys.argv[1:4])
WRITE = sys.argv[4:] == ["write"]
GOLDEN = pathlib.Path(__file__).parent / "golden"
LICENCE = "".join(pathlib.Path(__file__).read_text().splitlines(keepends=True)[1:3])
MAX64, MAX32 = 2**64 - 1, 2**32 - 1
SHORT_S = "0.2"  # nobody answers at all, so nothing can come too late

CHANGES = {"changes": [
    {"path": "engines.alpha.window", "old": "256", "new": "128", "effect": "ends 3 sessions"},
    {"path": "groups.main.engines", "old": "[alpha, beta]", "new": "[alpha]", "effect": "at once"},
    {"path": "engines.gamma", "new": "{name: gamma, " + "x" * 200, "effect": "at once"},
    {"path": "memory", "old": "256MiB", "new": "1GiB", "effect": "needs a restart"}]}
ANSWERS = {
    "saddle.v1.System/GetStatus": {
        "condition": 1, "version": "0.1.0", "abi": 1, "wire": 1, "pid": 4711,
        "uptime_ns": 93784 * 10**9, "engines": 2, "groups": 1, "ports": 2, "sessions": 3,
        "calls": 12, "calls_refused": 1, "calls_failed": 2, "control_restarts": 1},
    "saddle.v1.System/ListModules": {"modules": [
        {"name": "system", "about": "the daemon as a whole",
         "methods": ["saddle.v1.System/GetStatus", "saddle.v1.System/ListModules"]},
        {"name": "empty"}]},
    "saddle.v1.Engines/List": {"engines": [
        {"name": "alpha", "kind": "pony", "group": "main", "port": "wire-a", "alive": True,
         "sessions": 1, "busy_ns": 999, "runs": 0, "tid": 4712,
         "sessions_ns": 900, "overhead_ns": 100, "remainder_ns": -1, "idle_ns": 7,
         "delay_p50_ns": 1024, "delay_p99_ns": 53_248, "delay_p999_ns": 1_048_576,
         "delay_max_ns": 1_500_000_000, "delays": 12_345},
        {"name": "an-engine-with-a-long-name", "kind": "pony", "group": "group-of-the-others",
         "port": "port-with-a-name", "sessions": MAX32, "busy_ns": MAX64, "runs": MAX64,
         "sessions_ns": MAX64, "overhead_ns": MAX64, "remainder_ns": 10**15}]},
    "saddle.v1.Groups/List": {"groups": [
        {"name": "main", "mode": "spreading", "cpus": "0-2,5", "idle_ns": 50_000,
         "moderation_ns": 20_000,
         "engines": ["alpha", "beta"], "class": "auto", "runtime_ns": 900_000,
         "period_ns": 10**6, "nodes": "0-1,3", "threads": [
             {"tid": 1, "sleeps": MAX64, "cpus": "2", "engine_names": ["alpha", "beta"],
              "class": "fifo", "reason": "auto: sleeps when idle",
              "share_ppm": 900_000, "used_ppm": 1_234, "used_ns": 77, "demotions": MAX64,
              "overruns": 1, "engines": 2},
             {"tid": MAX32, "class": "ordinary", "refused": True,
              "reason": "auto: sleeps when idle; fifo refused: sched_setattr: EPERM, no sys_nice, "
                        "or no real-time runtime in its cgroup"}]},
        {"name": "spare", "mode": "dedicated", "idle_ns": MAX64, "pause": "tpause",
         "engines": [f"engine-{i}" for i in range(8)]}]},
    "saddle.v1.Ports/List": {"ports": [
        {"name": "eth", "driver": "xdp", "interface": "enp0s31f6", "owner": "kernel",
         "engine": "alpha", "mac": "02:00:00:00:00:01", "mtu": 1500,
         "wakes": "interrupt", "node": "1"},
        {"name": "a-port-with-a-long-name", "driver": "net_memif", "owner": "saddle",
         "engine": "an-engine-with-a-long-name", "mac": "02:00:00:00:00:02", "mtu": 9000,
         "node": "any"}]},
    "saddle.v1.Sessions/List": {"sessions": [
        {"id": 1, "engine": "alpha", "application": "saddle-cat", "uid": 1000, "pid": 77,
         "abi": 1, "channels": 1, "arena_bytes": 5 << 20, "age_ns": 61 * 10**9,
         "cpu_ns": 1_500_000_000, "weight": 1},
        {"id": MAX64, "engine": "beta", "application": "\x1b[2J\u009b2Jx\ny\x7f\u00e9",
         "uid": MAX32, "pid": MAX32, "abi": 1, "channels": 16, "arena_bytes": MAX64,
         "age_ns": MAX64, "cpu_ns": MAX64, "weight": 16, "throttled_ns": MAX64,
         "huge_pages": True}]},
    "saddle.v1.Sessions/Get": {
        "id": 1, "engine": "alpha", "application": "saddle-cat", "uid": 1000, "pid": 77,
        "abi": 1, "channels": 1, "arena_bytes": 1023, "age_ns": 1_500_000,
        "rights": ["attach", "connect"], "cpu_ns": 999_999, "weight": 4, "cpu_share": 125_000,
        "throttled": True, "throttled_ns": 61 * 10**9, "connection_bytes": 512,
        "operation_bytes": 1 << 10, "record_bytes": 40 << 10},
    "saddle.v1.Sessions/Close": {},
    "saddle.v1.Peers/List": {"peers": [
        {"engine": "alpha", "name": "beta", "address": "10.77.0.2", "hello": 3, "version": 1,
         "features": ["echo"], "flows": 1, "round_trip_ns": 41_500, "silent_ns": 120_000,
         "mac": "02:00:00:00:00:02", "mtu": 1500, "configured": True},
        {"engine": "an-engine-with-a-long-name", "address": "2001:db8:1234:5678:9abc:def0:1:2",
         "hello": 1, "way_error": "Host is down", "last_error": "Connection timed out",
         "last_error_age_ns": 61 * 10**9}]},
    "saddle.v1.Peers/Get": {
        "engine": "alpha", "name": "beta", "address": "10.77.0.2", "hello": 3, "version": 1,
        "features": ["echo"], "flows": 1, "round_trip_ns": 41_500, "silent_ns": 120_000,
        "mac": "02:00:00:00:00:02", "mtu": 1500, "configured": True},
    "saddle.v1.Flows/Get": {
        "engine": "alpha", "id": 1, "peer": "beta", "local_address": "10.77.0.1",
        "local_port": 50000, "address": "10.77.0.2", "port": 50707, "state": 2, "version": 1,
        "mtu": 1500, "age_ns": 61 * 10**9, "round_trip_ns": 41_500, "rto_ns": 10**6,
        "congestion": "swift", "base_ns": 10_500, "target_ns": 60_500,
        "window": 256, "bytes_sent": MAX64, "packets_sent": MAX64},
    "saddle.v1.Connections/Get": {
        "engine": "alpha", "handle": 65536, "peer_handle": 65537, "session": 1,
        "application": "\x1b[2J", "service": "cat", "peer": "beta", "address": "10.77.0.2",
        "state": 4, "messages_sent": 77, "queued": 1, "credits": 16},
    "saddle.v1.Regions/Get": {
        "engine": "alpha", "id": 65536, "session": 1, "application": "saddle-cat",
        "length": 64 << 10, "rights": ["read"], "reads": 5},
    "saddle.v1.Flows/List": {"flows": [
        {"engine": "alpha", "id": 1, "peer": "beta", "local_address": "10.77.0.1",
         "local_port": 50000, "address": "10.77.0.2", "port": 50707, "state": 2, "version": 1,
         "mtu": 1500, "age_ns": 61 * 10**9, "silent_ns": 120_000, "round_trip_ns": 41_500,
         "rto_ns": 10**6, "window": 256, "in_flight": 3, "packets_sent": 1000,
         "bytes_sent": 5 << 20, "bytes_received": 1 << 10, "retransmissions": 12,
         "fast_retransmissions": 11, "timeouts": 1, "references": 2},
        {"engine": "alpha", "id": MAX32, "address": "fd77::2", "state": 1, "bytes_sent": MAX64,
         "packets_sent": MAX64, "age_ns": MAX64, "rto_ns": 10**7}]},
    "saddle.v1.Connections/List": {"connections": [
        {"engine": "alpha", "handle": 65536, "peer_handle": 65537, "session": 1,
         "application": "saddle-cat", "service": "cat", "peer": "beta", "address": "10.77.0.2",
         "state": 4, "messages_sent": 77, "messages_received": 76, "queued": 1, "credits": 16,
         "streams": 1},
        {"engine": "alpha", "handle": 126976, "session": MAX64, "application": "?[2J",
         "service": "a-service-with-a-long-name", "state": 1, "waiting": 2},
        {"engine": "alpha", "handle": MAX32, "session": 2, "state": 8,
         "error": "Connection reset by peer"}]},
    "saddle.v1.Regions/List": {"regions": [
        {"engine": "alpha", "id": 65536, "session": 1, "application": "saddle-cat",
         "length": 64 << 10, "rights": ["read", "write"], "reads": 5, "writes": 1,
         "bytes": 1 << 20}]},
    "saddle.v1.Neighbours/List": {"neighbours": [
        {"port": "eth", "owner": "kernel", "engine": "alpha", "address": "10.77.0.254",
         "mac": "02:00:00:00:00:fe", "state": 1, "age_ns": 10**9, "used": True},
        {"port": "a-port-with-a-long-name", "owner": "saddle",
         "engine": "an-engine-with-a-long-name", "address": "fd77::200", "state": 4,
         "age_ns": 61 * 10**9}],
        "links": [{"port": "eth", "owner": "kernel", "engine": "alpha"}, {"port": "wire-a",
                                                                         "owner": "nobody"}]},
    "saddle.v1.Shaping/ListClasses": {"classes": [
        {"engine": "alpha", "name": "root", "rate": 10**10, "burst": 5 * 10**6, "weight": 1,
         "packets": 77, "bytes": 77 * 1538, "tokens": 4096},
        {"engine": "an-engine-with-a-long-name", "name": "a-class-with-a-long-name",
         "parent": "the-class-that-is-above-it-now", "level": 4, "rate": 8000, "burst": MAX32,
         "priority": 7, "weight": 1000, "packets": MAX64, "bytes": MAX64, "queued": MAX64,
         "queue_max": 32, "delayed_ns": MAX64, "tokens": MAX64, "exhausted": MAX64}]},
    "saddle.v1.Shaping/SetClass": {},
    "saddle.v1.Shaping/RemoveClass": {},
    "saddle.v1.Policy/Get": {
        "owner": 900,
        "rules": [{"number": 1, "who": "any", "allow": ["attach"], "weight": 1},
                  {"number": 256, "who": f"uid {MAX32 - 1}",
                   "allow": ["attach", "listen", "connect", "expose"], "weight": 16,
                   "hugepages": "auto"}],
        "limits": {"sessions_per_uid": 64, "memory_per_uid": 4 << 30,
                   "handshake_timeout_ns": 5 * 10**9, "listeners_per_session": 8,
                   "exposed_per_session": 1 << 20, "operations_per_session": 64,
                   "cpu_per_session": 200_000, "cpu_per_uid": 1_500_000},
        "usage": [{"uid": 0, "sessions": 1, "arena_bytes": 17 << 20, "cpu_ns": 1_500},
                  {"uid": MAX32, "sessions": MAX32, "arena_bytes": MAX64}]},
    "saddle.v1.Policy/Check": {
        "allow": ["attach", "connect"],
        "rules": [{"number": 1, "who": "any", "allow": ["attach"]},
                  {"number": 7, "who": "gid 50", "allow": ["connect"]}]},
    "saddle.v1.Engines/Create": {}, "saddle.v1.Engines/Destroy": {}, "saddle.v1.Engines/Move": {},
    "saddle.v1.Groups/Create": {}, "saddle.v1.Groups/Change": {}, "saddle.v1.Groups/Destroy": {},
    "saddle.v1.Configuration/Show": {"text": "memory: 256MiB\n"},
    "saddle.v1.Configuration/Check": {}, "saddle.v1.Configuration/Diff": CHANGES,
    "saddle.v1.Configuration/Apply": CHANGES, "saddle.v1.Configuration/Rollback": {},
    "saddle.v1.Configuration/Reload": {},
    "saddle.v1.Upgrades/List": {"upgrades": [
        {"number": 1, "time_ns": 1_795_662_721_004_000_000, "total_ns": 1_500_000_000,
         "outcome": 5, "role": 1, "pid": 77, "peer": MAX32, "release": "\x1b[2J", "killed": True,
         "step": "enter", "set": "beta-with-a-long-name",
         "reason": "its state names a flow that is none, and there is nothing that can be done",
         "sets": [
             {"name": "alpha", "place": 1, "brownout_ns": 61 * 10**9, "blackout_ns": 1_500,
              "offer_bytes": 5 << 10, "state_bytes": 77, "missed": 3, "retransmitted": 4,
              "step": "run", "blackout_at_ns": 5},
             {"name": "beta-with-a-long-name", "place": 3, "brownout_ns": MAX64,
              "blackout_ns": MAX64, "offer_bytes": MAX64, "state_bytes": MAX64, "missed": MAX64,
              "retransmitted": MAX64, "step": "enter", "reason": "its state names a flow"}]},
        {"number": MAX64, "outcome": 3, "role": 2, "pid": 78, "peer": 77, "release": "0.1.0"}]},
    "saddle.v1.Metrics/Read": {"text": "a 1\n\x1b\u00e9\nb 2\n"},
    "saddle.v1.Events/List": {"next": 1200, "events": [
        {"number": 7, "time_ns": 1_795_662_721_004_000_000, "monotonic_ns": 5, "kind": 13,
         "text": "2 engines"},
        {"number": 1198, "time_ns": 1_795_662_781_999_999_999, "kind": 1, "session": MAX64,
         "engine": "an-engine-with-a-long-name", "application": "\x1b[2Jx", "has_uid": True,
         "uid": MAX32, "pid": 77,
         "text": 'uid 4294967295, process 77, calls itself "a name that is not at all short"'},
        {"number": 1199, "kind": 4, "engine": "alpha", "text": "engine alpha does not answer"},
        {"number": 1200, "kind": 1000, "text": "of a later daemon"}]},
    "saddle.v1.Statistics/Get": {
        "time_ns": 1_795_662_721_004_000_000, "monotonic_ns": 5,
        "engines": [{"name": "alpha", "counters": [{"name": "busy_ns", "value": MAX64},
                                                   {"name": "runs"}]},
                    {"name": "an-engine-with-a-long-name"}],
        "groups": [{"name": "main", "counters": [{"name": "sleeps", "value": 12}]}],
        "ports": [{"name": "eth", "counters": [{"name": "packets_received", "value": 1}]}]},
    "grpc.health.v1.Health/Check": {"status": 1},
}
# What each command that needs no argument, or gets one here, is shown by.
SHOWN = (["status"], ["modules"], ["engine", "list"], ["group", "list"], ["group", "threads"],
         ["port", "list"], ["session", "list"], ["session", "show", "1"], ["session", "close", "1"],
         ["peer", "list"], ["flow", "list"], ["connection", "list"], ["region", "list"],
         ["peer", "show", "beta"], ["flow", "show", "1"], ["connection", "show", "65536"],
         ["region", "show", "65536"], ["neighbour", "list"], ["shaping", "list"],
         ["policy", "show"],
         ["policy", "check", "--uid", "1000", "--gid", "50"], ["config", "show"],
         ["config", "diff", "/dev/null"], ["config", "rollback"], ["event", "list"],
         ["stats", "get"], ["upgrades"], ["metrics"], ["health"])


class Abort(Exception):
    """An answer that is an error."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


class Fake(grpc.GenericRpcHandler):
    """Answers by ANSWERS, or by `instead`: fields, bytes, an Abort, or what makes one of them."""

    def __init__(self):
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(PROTOSET.read_bytes()).file:
            pool.Add(file)
        self.pool, self.factory = pool, message_factory.MessageFactory(pool)
        self.instead, self.asked = {}, []

    def service(self, handler_call_details):
        name = handler_call_details.method.lstrip("/")

        def answer(request, context):
            method = self.pool.FindMethodByName(name.replace("/", "."))
            self.asked.append((name, self.factory.GetPrototype(method.input_type)
                               .FromString(request)))
            told = self.instead.get(name, ANSWERS.get(name))
            if callable(told):
                told = told(self.asked[-1][1])
            if isinstance(told, Abort):
                context.abort(told.code, told.text)
            if isinstance(told, bytes):
                return told
            return self.factory.GetPrototype(method.output_type)(**told).SerializeToString()

        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.contextmanager
def serving(name="control.sock"):
    """A fake on a socket of its own."""
    with tempfile.TemporaryDirectory(prefix="saddle-system-") as folder:
        path = pathlib.Path(folder) / name
        path.parent.mkdir(exist_ok=True)
        fake = Fake()
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), handlers=[fake])
        server.add_insecure_port(f"unix:{folder}/fake.sock")
        server.start()
        os.link(f"{folder}/fake.sock", path)
        try:
            yield fake, path
        finally:
            server.stop(None).wait()


def run(path, *words, **environment):
    return harness.run([SADDLECTL, "--socket", path, *words], env={**os.environ, **environment})


def check_golden(name, text):
    file = GOLDEN / name
    if WRITE:
        file.write_text(LICENCE + text)
    expect_equal(text.splitlines(),
                 [line for line in file.read_text().splitlines() if not line.startswith("# ")],
                 name)


def test_tables():
    """As a person sees them, on a narrow and on a wide terminal."""
    with serving() as (_, path):
        for width in (80, 200):
            text = ""
            for words in SHOWN:
                status, output, errors = run(path, *words, COLUMNS=str(width))
                expect_equal((status, errors), (0, ""), f"{words}")
                expect(all(len(line) <= width for line in output.splitlines()), output)
                expect(re.fullmatch(r"[ -~\n\u00a0-\uffff]*", output),
                       f"bare characters: {output!r}")
                text += f"$ saddlectl {' '.join(words)}\n{output}"
            check_golden(f"saddlectl-{width}.txt", text)
        bare = run(path, "--no-header", "engine", "list", COLUMNS="200")[1].splitlines()
        expect_equal(run(path, "engine", "list", COLUMNS="200")[1].splitlines()[1:], bare,
                     "without a header")


def test_json():
    """One document, every field, numbers as they are."""
    with serving() as (fake, path):
        text = ""
        for words in SHOWN:
            status, output, errors = run(path, "--json", *words)
            expect_equal((status, errors, output.count("\n")), (0, "", 1), f"{words}")
            answer = json.loads(output)
            described = fake.pool.FindMethodByName(fake.asked[-1][0].replace("/", "."))
            expect_equal(list(answer), [field.name for field in described.output_type.fields],
                         f"fields of {words}")
            text += f"$ saddlectl --json {' '.join(words)}\n{output}"
        check_golden("saddlectl-json.txt", text)
        sessions = json.loads(run(path, "--json", "session", "list")[1])["sessions"]
        expect_equal((sessions[1]["id"], sessions[1]["application"]),
                     (MAX64, "\x1b[2J\u009b2Jx\ny\x7f\u00e9"), "a session as it is")


def test_requests():
    """What the words of a command become."""
    with serving() as (fake, path):
        for words, wanted in (
                (["engine", "list", "a", "b"], {"names": ["a", "b"]}),
                (["group", "list", "g"], {"names": ["g"]}), (["port", "list"], {}),
                (["session", "list", "alpha"], {"engine": "alpha"}),
                (["session", "show", str(MAX64)], {"id": MAX64}),
                (["session", "close", "7", "enough"], {"id": 7, "reason": "enough"}),
                (["session", "close", "7", "--", "-x"], {"id": 7, "reason": "-x"}),
                (["policy", "show"], {}), (["policy", "check", "--uid", "1"], {"uid": 1}),
                (["--gid=7", "policy", "--uid", "5", "check", "--gid", "8"],
                 {"uid": 5, "gids": [7, 8]}),
                (["health", "group/main"], {"service": "group/main"}),
                (["event", "list", "engine_back", "DAEMON_READY"], {"kinds": [5, 13]}),
                (["stats", "get", "port/a", "engine/b", "engine/c"],
                 {"ports": ["a"], "engines": ["b", "c"]}),
                (["call", "saddle.v1.Sessions/Close", ' {"id": 18446744073709551615} '],
                 {"id": MAX64}),
                (["call", "saddle.v1.Sessions/Close",
                  '{"id": 1, "reason": "\\"99999999999999999999\\\\"}'],
                 {"id": 1, "reason": '"99999999999999999999\\'}),
                (["call", "saddle.v1.Engines/List"], {}),
                (["flow", "list"], {"page_size": 1000}),
                (["flow", "list", "--engine", "alpha", "--peer=beta"],
                 {"engine": "alpha", "peer": "beta", "page_size": 1000}),
                (["--session", str(MAX64), "connection", "list"],
                 {"session": MAX64, "page_size": 1000}),
                (["neighbour", "list", "--port", "eth"], {"port": "eth", "page_size": 1000}),
                (["peer", "show", "beta"], {"peer": "beta"}),
                (["flow", "show", "--engine", "alpha", "7"], {"engine": "alpha", "id": 7})):
            expect_equal(run(path, *words)[::2], (0, ""), f"{words}")
            asked = {field.name: value for field, value in fake.asked[-1][1].ListFields()}
            expect_equal(asked, wanted, f"{words}")


def test_pages():
    """Lists that come in pages are shown as one; a token that leads nowhere ends it."""
    method = "saddle.v1.Flows/List"
    pages = {"": {"flows": [{"id": 1}, {"id": 2}], "next_page_token": "a:2"},
             "a:2": {"next_page_token": "a:9"},
             "a:9": {"flows": [{"id": 3}], "next_page_token": ""}}
    with serving() as (fake, path):
        fake.instead[method] = lambda request: pages[request.page_token]
        for words in ((), ("--engine", "a")):
            fake.asked.clear()
            status, output, errors = run(path, "--json", "flow", "list", *words)
            expect_equal((status, errors, output.count("\n")), (0, "", 1), "in pages")
            answer = json.loads(output)
            expect_equal(([flow["id"] for flow in answer["flows"]], answer["next_page_token"]),
                         ([1, 2, 3], ""), "the whole")
            expect_equal([(request.page_token, request.engine) for _, request in fake.asked],
                         [(token, "".join(words[1:])) for token in ("", "a:2", "a:9")], "asked")
        expect_equal(len(run(path, "--no-header", "flow", "list")[1].splitlines()), 3, "lines")
        fake.instead[method] = lambda request: {"next_page_token": "a:1"}
        status, output, errors = run(path, "flow", "list")
        expect_equal((status, output), (1, ""), "the same token again")
        expect("what it should be" in errors, errors)
        pages["a:2"] = Abort(grpc.StatusCode.UNAVAILABLE, "engine a does not answer")
        fake.instead[method] = lambda request: pages[request.page_token]
        expect_equal(run(path, "flow", "list"), (1, "", "saddlectl: engine a does not answer\n"),
                     "half a list is none")


def test_files():
    """What a command reads, and what it does not."""
    with serving() as (fake, path), tempfile.TemporaryDirectory() as folder:
        good, nul, large = (pathlib.Path(folder) / name for name in ("good", "nul", "large"))
        good.write_text("memory: 1GiB\n# ä\n")
        nul.write_bytes(b"a\0b")
        large.write_bytes(b" " * ((1 << 20) + 1))
        text = good.read_text()
        for words, wanted in (
                (["config", "check", good], {"text": text}),
                (["config", "diff", good], {"text": text}),
                (["config", "apply", good], {"text": text}),
                (["config", "apply", "--disrupt", good], {"text": text, "disrupt": True}),
                (["config", "rollback", "--disrupt"], {"disrupt": True}),
                (["config", "reload"], {}),
                (["engine", "create", good, "main"], {"engine": text, "group": "main"}),
                (["engine", "destroy", "alpha", "--disrupt"], {"name": "alpha", "disrupt": True}),
                (["engine", "move", "alpha", "main"], {"engine": "alpha", "group": "main"}),
                (["group", "create", good], {"group": text}),
                (["group", "change", "main", "mode=dedicated", "cpus=0-1,3"],
                 {"name": "main", "mode": "dedicated", "cpus": "0-1,3"}),
                (["group", "destroy", "main"], {"name": "main"}),
                (["shaping", "set", "alpha", good], {"engine": "alpha", "class": text}),
                (["shaping", "remove", "alpha", "slow"],
                 {"engine": "alpha", "class": "slow"})):
            status, _, errors = run(path, *words)
            expect_equal((status, errors), (0, ""), f"{words}")
            asked = {field.name: value for field, value in fake.asked[-1][1].ListFields()}
            expect_equal(asked, wanted, f"{words}")
        ended = subprocess.run([SADDLECTL, "--socket", path, "config", "check", "-"], input=text,
                               text=True, check=False, timeout=harness.PATIENCE_S)
        expect_equal((ended.returncode, fake.asked[-1][1].text), (0, text), "standard input")
        fake.asked.clear()
        for words, wanted in ((["config", "apply", f"{folder}/none"], "No such file"),
                              (["config", "apply", folder], "directory"),
                              (["config", "apply", nul], "NUL"),
                              (["config", "apply", large], "larger"), (["config", "apply"], "FILE"),
                              (["config", "diff", "--disrupt", good], "disrupt"),
                              (["group", "change", "main"], "KEY=VALUE"),
                              (["group", "change", "main", "mode"], "mode"),
                              (["group", "change", "main", "=x"], "=x"),
                              (["group", "change", "main", "name=x"], "name"),
                              (["group", "change", "main", "idle=1us", "idle=2us"], "idle"),
                              (["group", "change", "main", "colour=red"], "colour")):
            status, output, errors = run(path, *words)
            expect_equal((status, output, errors.count("\n")), (2, "", 2), f"{words}: {errors}")
            expect(wanted in errors.splitlines()[0], f"{words}: {errors}")
        expect_equal(fake.asked, [], "what was asked")


def test_wrong_requests():
    """Nothing is sent that was not meant."""
    close = "saddle.v1.Sessions/Close"
    with serving() as (fake, path):
        for words in (["call", close, '{"id": 18446744073709551616}'],
                      ["call", close, '{"id": -1}'],
                      ["call", close, '{"id": 5} {"id": 6}'], ["call", close, '{"id": 5.0}'],
                      ["call", close, '{"id": "5"}'], ["call", close, "[]"],
                      ["call", close, '{"id": 5, "reason": "\\"", "x": 99999999999999999999}'],
                      ["call", close, "null"], ["call", close, ""],
                      ["call", close, '{"id": 5, "reason": "a\\u0000b"}'],
                      ["call", close, '{"nothing": 5}'], ["call", "saddle.v1.Sessions/None"],
                      ["call", close, "[" * 100], ["call"], ["session", "close"],
                      ["session", "close", "-1"], ["session", "close", "18446744073709551616"],
                      ["session", "close", "1", "why", "more"], ["session"], ["help", "more"],
                      ["policy"], ["policy", "check"], ["policy", "check", "1"],
                      ["policy", "check", "--gid", "1"], ["policy", "check", "--uid", "x"],
                      ["policy", "check", "--uid", "-1"],
                      ["policy", "check", "--uid", "4294967296"],
                      ["policy", "check", "--uid", "1", "--gid", "4294967296"],
                      ["policy", "check", "--uid", "1", "--uid", "2"],
                      ["policy", "check", "--uid", "1", *(["--gid", "1"] * 300)],
                      ["policy", "show", "--uid", "1"], ["status", "--gid", "1"],
                      ["call", close, "{}", "--uid", "1"], ["help", "--uid", "1"],
                      ["flow", "list", "--session", "1"], ["region", "list", "--peer", "beta"],
                      ["engine", "list", "--engine", "alpha"], ["status", "--port", "eth"],
                      ["region", "list", "--session", "x"],
                      ["region", "list", "--session", ""], ["peer", "list", "--engine", ""],
                      ["call", close, "{}", "--engine", "alpha"], ["peer", "list", "beta"],
                      ["nonsense"], [], ["--timeout", "0", "status"],
                      ["--timeout", "nan", "status"], ["--nothing", "status"],
                      ["event", "list", "engine"], ["event", "list", ""], ["stats", "get", "a"],
                      ["call", "saddle.v1.Events/List", '{"kinds": [5]}'], ["report", "x"],
                      ["--watch=0", "status"], ["--watch", "session", "close", "1"],
                      ["upgrade", "now"], ["upgrade", "--wait", "x"], ["upgrades", "--check"],
                      ["upgrade", "--check", "--check"], ["--watch", "upgrade"],
                      ["upgrade", "--launcher", ""], ["status", "--unit", "x"],
                      ["--output", "x", "status"], ["--anonymous", "status"]):
            status, output, errors = run(path, *words)
            expect_equal((status, output), (2, ""), f"{words}")
            expect_equal((errors.splitlines()[0].split(":")[0], errors.splitlines()[1:]),
                         ("saddlectl", ["Try: saddlectl help"]), f"{words}: {errors}")
        expect_equal(fake.asked, [], "what was asked")


def test_refusals():
    """What the daemon says no to, in its own words on one line."""
    code = grpc.StatusCode
    method = "saddle.v1.Engines/List"
    with serving() as (fake, path):
        for told, wanted in ((Abort(code.NOT_FOUND, 'engine "x": none'), 'engine "x": none'),
                             (Abort(code.UNAVAILABLE, "engine alpha: busy"), "engine alpha: busy"),
                             (Abort(code.DEADLINE_EXCEEDED, "engine alpha: silent"),
                              "engine alpha: silent"),
                             (Abort(code.INTERNAL, ""), "INTERNAL"),
                             (Abort(code.NOT_FOUND, "a\x1b[2J\nb\u009bc"), "a?[2J?b??c"),
                             (b"\xff\xff", f"{path}: the answer is not what it should be")):
            fake.instead[method] = told
            expect_equal(run(path, "engine", "list"), (1, "", f"saddlectl: {wanted}\n"), wanted)
            status, output, errors = run(path, "--json", "engine", "list")
            expect_equal((status, errors, output.count("\n")), (1, "", 1), wanted)
            name = told.code.name if isinstance(told, Abort) else "INTERNAL"
            expect_equal(json.loads(output)["error"]["code"], name, wanted)


LIST, START, CHECK = (f"saddle.v1.Upgrades/{name}" for name in ("List", "Start", "Check"))
MOVED, CHECKED, CAME_BACK = 3, 2, 4


def after(outcome, count=2, **fields):
    """What List answers: at first the hand-over before, from the count-th time on this one too."""
    asked = []

    def answer(_):
        asked.append(None)
        new = [{"number": 8, "outcome": outcome, **fields}] if len(asked) >= count else []
        return {"upgrades": [{"number": 7, "outcome": MOVED, "reason": "of old"}, *new]}

    return answer


@contextlib.contextmanager
def programs():
    """A folder with programs that write down how they were called; systemctl first of all."""
    with tempfile.TemporaryDirectory(prefix="saddle-system-") as folder:
        folder = pathlib.Path(folder)
        for name, status in (("systemctl", 0), ("launch", 0), ("broken", 7)):
            (folder / name).write_text(f"#!/bin/sh\necho {name} $* >> {folder}/called\n"
                                       f"echo said by {name}\nexit {status}\n")
            (folder / name).chmod(0o755)
        yield folder


def called(folder):
    """What was, since it was last asked."""
    file = folder / "called"
    text = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    return text


def upgrade(path, folder, *words):
    return run(path, "upgrade", *words, PATH=f"{folder}:{os.environ['PATH']}")


def test_upgrade_by_the_service_manager():
    """It is told to reload the unit once the daemon is ready, and List says how it went."""
    with serving() as (fake, path), programs() as folder:
        for words, outcome, method, reloaded in (
                ((), MOVED, START, "saddled.service"),
                (("--check",), CHECKED, CHECK, "saddled.service"),
                (("--unit", "saddled@b.service"), MOVED, START, "saddled@b.service")):
            fake.asked.clear()
            fake.instead = {LIST: after(outcome, 4), START: {"managed": True},
                            CHECK: {"managed": True}}
            status, output, errors = upgrade(path, folder, *words)
            expect_equal((status, errors), (0, "said by systemctl\n"), f"{words}")
            expect("of old" not in output and re.search(r"^ +8 ", output, re.MULTILINE), output)
            expect_equal(called(folder), f"systemctl reload -- {reloaded}\n", f"{words}")
            expect_equal([name for name, _ in fake.asked], [LIST, method, LIST, LIST, LIST],
                         f"{words}")


def test_upgrade_that_fails():
    """Whatever does not go as it should has status 1 and says why."""
    back = {"step": "enter", "set": "beta", "reason": "it is\x1b gone"}
    precondition = grpc.StatusCode.FAILED_PRECONDITION
    with serving() as (fake, path), programs() as folder:
        for words, answers, wanted, was_called in (
                ((), {START: Abort(precondition, "no socket: restart it")},
                 "no socket: restart it", False),
                ((), {}, "no service manager runs the daemon: name a program", False),
                ((), {START: {"managed": True}, LIST: after(CAME_BACK, **back)},
                 "came_back, at enter of set beta: it is? gone", True),
                ((), {START: {"managed": True}, LIST: after(CHECKED)}, "checked", True),
                (("--wait", "1"), {START: {"managed": True}, LIST: after(MOVED, 1000)},
                 "no hand-over was over within 1 s", True)):
            fake.instead = {LIST: after(MOVED), START: {"managed": False}, **answers}
            status, output, errors = upgrade(path, folder, *words)
            expect_equal(status, 1, f"{words}: {errors}")
            expect(f"saddlectl: {wanted}" in errors, errors)
            expect_equal("  beta  " in output, answers.get(LIST) is not None and "beta" in wanted,
                         output)
            expect_equal(bool(called(folder)), was_called, wanted)
        (folder / "systemctl").write_text("#!/bin/sh\nexit 5\n")
        fake.instead = {LIST: after(MOVED, 1000), START: {"managed": True}}
        status, _, errors = upgrade(path, folder)
        expect_equal((status, errors),
                     (1, "saddlectl: systemctl ended with status 5, and the daemon knows of no "
                         "hand-over\n"), "a reload that failed")
        (folder / "systemctl").unlink()
        status, _, errors = run(path, "upgrade", PATH=str(folder))
        expect_equal((status, errors), (1, "saddlectl: systemctl: No such file or directory\n"),
                     "no systemctl")


def test_upgrade_in_json():
    """One document, and what it says is the status."""
    with serving() as (fake, path), programs() as folder:
        for outcome, wanted in ((MOVED, 0), (CAME_BACK, 1)):
            fake.instead = {LIST: after(outcome), START: {"managed": True}}
            status, output, _ = upgrade(path, folder, "--json")
            expect_equal((status, output.count("\n")), (wanted, 1), "one document")
            expect_equal([one["number"] for one in json.loads(output)["upgrades"]], [8], "it")
        fake.instead = {LIST: after(MOVED), START: {}}
        status, output, _ = upgrade(path, folder, "--json")
        expect_equal((status, json.loads(output)["error"]["code"]), (1, "FAILED_PRECONDITION"),
                     "an error")


def test_launchers_refused():
    """One that somebody else could change is not run, and the daemon is not asked."""
    with serving() as (fake, path), programs() as folder:
        launch = folder / "launch"
        cases = [("launch", "its path does not begin at the root"),
                 (f"{folder}/none", "No such file"), ("/etc", "it is no file"),
                 ("/etc/passwd", "it is no program")]
        if os.geteuid() == 0:
            open_folder = folder / "open"
            open_folder.mkdir()
            open_folder.chmod(0o777)
            (open_folder / "launch").write_text("#!/bin/sh\n")
            (open_folder / "launch").chmod(0o755)
            (folder / "link").symlink_to(open_folder / "launch")
            (folder / "theirs").write_text("#!/bin/sh\n")
            (folder / "theirs").chmod(0o755)
            os.chown(folder / "theirs", harness.NOBODY, harness.NOBODY)
            (folder / "loose").write_text("#!/bin/sh\n")
            (folder / "loose").chmod(0o775)
            cases += [(folder / "loose", "others than root may write to it"),
                      (folder / "theirs", "it is not root's"),
                      (open_folder / "launch", "others than root may write to it"),
                      (folder / "link", "others than root may write to it")]
        else:
            cases.append((launch, "it is not root's"))
        for launcher, wanted in cases:
            status, output, errors = upgrade(path, folder, "--launcher", launcher)
            expect_equal((status, output, errors.count("\n")), (1, "", 1), f"{launcher}: {errors}")
            expect(errors.startswith("saddlectl: launcher: ") and wanted in errors, errors)
        expect_equal((fake.asked, called(folder)), ([], ""), "what was asked and called")


def test_launchers():
    """Of root's, where no service manager is; it is told what for."""
    if os.geteuid() != 0:
        return
    with serving() as (fake, path), programs() as folder:
        for words, outcome, told in (((), MOVED, "move"), (("--check",), CHECKED, "check")):
            # A program that has ended well may have started what is not done yet.
            fake.instead = {LIST: after(outcome, 5), START: {}, CHECK: {}}
            status, _, errors = upgrade(path, folder, "--launcher", folder / "launch", *words)
            expect_equal((status, errors), (0, "said by launch\n"), f"{words}")
            expect_equal(called(folder), f"launch {told}\n", f"{words}")
        fake.instead = {LIST: after(MOVED, 1000), START: {}}
        status, _, errors = upgrade(path, folder, "--launcher", folder / "broken")
        expect_equal(status, 1, errors)
        expect("broken ended with status 7" in errors, errors)
        expect_equal(called(folder), "broken move\n", "called")
        fake.instead = {LIST: after(MOVED), START: {"managed": True}}
        status, _, errors = upgrade(path, folder, "--launcher", folder / "launch")
        expect_equal((status, called(folder)), (1, ""), errors)
        expect("without --launcher" in errors, errors)


def test_degraded():
    """What is not well has a status of its own."""
    with serving() as (fake, path):
        fake.instead["saddle.v1.System/GetStatus"] = {"condition": 2, "problems": ["a", "b"]}
        fake.instead["grpc.health.v1.Health/Check"] = {"status": 2}
        for words, said in ((["status"], "a, b"), (["health"], "not_serving"),
                            (["--json", "status"], '"problems":["a","b"]'),
                            (["--json", "health"], '"not_serving"')):
            status, output, errors = run(path, *words)
            expect_equal((status, errors), (4, ""), f"{words}")
            expect(said in output, output)


@contextlib.contextmanager
def listening(folder, name, backlog):
    """A socket whose owner does nothing."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/{name}")
        listener.listen(backlog)
        yield f"{folder}/{name}", listener


def test_unreachable():
    """Nobody there, nobody who answers, nobody who accepts, nobody who lets one in."""
    with tempfile.TemporaryDirectory(prefix="saddle-system-") as folder:
        with listening(folder, "gone", 1) as (gone, _):
            pass
        with listening(folder, "silent", 8) as (silent, _), \
             listening(folder, "full", 0) as (full, _), socket.socket(socket.AF_UNIX) as first:
            first.connect(full)
            for path, wanted in ((f"{folder}/none", "is saddled running"), (gone, "is saddled"),
                                 (silent, "in time"), (full, "in time"), (folder, "is saddled")):
                status, output, errors = run(path, "--timeout", SHORT_S, "status")
                expect_equal((status, output), (3, ""), path)
                expect(errors.startswith(f"saddlectl: {path}: ") and wanted in errors, errors)
                expect_equal(errors.count("\n"), 1, f"lines of {errors}")
                status, output, errors = run(path, "--timeout", SHORT_S, "--json", "status")
                expect_equal((status, errors), (3, ""), path)
                expect(json.loads(output)["error"]["message"].startswith(f"{path}: "), output)
            if os.geteuid() == 0:  # the folder is root's
                status, _, errors = harness.run([SADDLECTL, "--socket", silent, "status"],
                                                user=harness.NOBODY, group=harness.NOBODY,
                                                extra_groups=[])
                expect_equal((status, "may not connect" in errors), (3, True), errors)
    expect_equal(run("/" * 108, "status")[0], 2, "a path that is too long")


def test_paths():
    """A socket may be called anything."""
    for name in ("with blank", "100%41", "what?#", "ä"):
        with serving(f"{name}/{name}.sock") as (_, path):
            expect_equal(run(path, "status")[::2], (0, ""), name)
    with serving() as (_, path):
        expect_equal(harness.run([SADDLECTL, "status"],
                                 env={"SADDLE_CONTROL_SOCKET": str(path)})[::2], (0, ""),
                     "by the environment")


def test_full():
    """An answer that could not be written is no success."""
    with serving() as (_, path), open("/dev/full", "wb") as full:
        for words in (["status"], ["--json", "status"], ["help"]):
            ended = subprocess.run([SADDLECTL, "--socket", path, *words], stdout=full,
                                   stderr=subprocess.PIPE, text=True, check=False,
                                   timeout=harness.PATIENCE_S)
            expect_equal(ended.returncode, 1, f"{words}")
            expect("standard output" in ended.stderr, ended.stderr)


def test_documented():
    """The help, the manual and the completions know the same commands and options."""
    status, text, errors = harness.run([SADDLECTL, "help"])
    expect_equal((status, errors), (0, ""), "help")
    usage = re.findall(r"^  (\w.*?)(?:  +\w|$)", text, re.MULTILINE)
    options = re.findall(r"^  (--[\w-]+)", text, re.MULTILINE)
    commands = [" ".join(re.findall(r"^[a-z]+(?: [a-z]+)?", line)) for line in usage]
    expect(len(commands) > 8 and len(options) > 5, text)
    page = MAN_PAGE.read_text()
    expect_equal(re.findall(r"^\*([a-z ]+)\*", page.split("# OPTIONS")[0].split("# COMMANDS")[1],
                            re.MULTILINE), commands, "commands of the manual")
    expect_equal(re.findall(r"^\*(--[\w-]+)\*", page, re.MULTILINE), options,
                 "options of the manual")
    for shell in ("bash", "zsh", "fish"):
        script = completion(shell)
        for word in {word for line in commands for word in line.split()}:
            expect(re.search(rf"\b{word}\b", script), f"{word} in {shell}")
        for option in options:
            expect(re.search(rf"(--|-l ){option[2:]}\b", script), f"{option} in {shell}")
    expect_equal(harness.run([SADDLECTL, "--print-completion", "csh"])[0], 2, "another shell")


def completion(shell):
    status, script, errors = harness.run([SADDLECTL, "--print-completion", shell])
    expect_equal((status, errors), (0, ""), shell)
    return script


COMPLETED = (
    (["saddlectl", "eng"], ["engine"]),
    (["/usr/bin/saddlectl", "st"], ["status", "stats"]),
    (["saddlectl", "session", ""], ["list", "show", "close"]),
    (["saddlectl", "--json", "por"], ["port"]),
    (["saddlectl", "--no"], ["--no-header"]),
    (["saddlectl", "--timeout", ""], []),
    (["saddlectl", "--watch", "rep"], ["report"]),
    (["saddlectl", "event", ""], ["list", "watch"]),
    (["saddlectl", "--socket", "/dev/nul"], ["/dev/null"]),
)


def test_bash():
    script = completion("bash")
    for words, wanted in COMPLETED:
        call = (f"{script}\nCOMP_WORDS=({' '.join(repr(word) for word in words)}); "
                f"COMP_CWORD={len(words) - 1}; COMPREPLY=(stale); _saddlectl; "
                'complete -p saddlectl >/dev/null && echo "${COMPREPLY[@]}"')
        status, output, errors = harness.run(["bash", "-uc", call])
        expect_equal((status, errors, output.split()), (0, "", wanted), f"{words}")


def test_zsh():
    """The function as zsh calls it, with compadd and _files that say what they were given."""
    script = completion("zsh")
    for words, wanted in COMPLETED:
        call = ("compadd() { shift; print -- $@ }; _files() { print /dev/null }\n"
                f"words=({' '.join(repr(word) for word in words)}); CURRENT={len(words)}\n"
                f"complete_it() {{\n{script}\n}}\ncomplete_it")
        status, output, errors = harness.run(["zsh", "-fc", call])
        offered = [word for word in output.split() if word.startswith(words[-1])]
        expect_equal((status, errors, offered), (0, "", wanted), f"{words}")


def test_fish():
    with tempfile.TemporaryDirectory(prefix="saddle-system-") as home:
        script = pathlib.Path(home) / "saddlectl.fish"
        script.write_text(completion("fish"))
        for line, wanted in (("eng", ["engine"]), ("session ", ["close", "list", "show"]),
                             ("--json por", ["port"]), ("--no", ["--no-header"])):
            call = f"source {script}; complete --do-complete 'saddlectl {line}'"
            status, output, errors = harness.run(["fish", "--no-config", "-c", call],
                                                 env={**os.environ, "HOME": home})
            offered = sorted(one.split("\t")[0] for one in output.splitlines())
            expect_equal((status, errors, offered), (0, "", wanted), line)


harness.main([test_tables, test_json, test_requests, test_pages, test_files, test_wrong_requests,
              test_refusals, test_upgrade_by_the_service_manager, test_upgrade_that_fails,
              test_upgrade_in_json, test_launchers_refused, test_launchers, test_degraded,
              test_unreachable, test_paths, test_full, test_documented, test_bash, test_zsh,
              test_fish])
