#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""What operators see of peers, flows, connections and regions of a real daemon, compared with what
its applications did, while others exchange all along and must notice nothing.

    grpcio, saddlectl --- saddle-control --- saddled --- [alpha] ===== [beta]

usage: pony_module_test.py SADDLED VICTIM CROWD SADDLE_CONTROL SADDLECTL PROTOSET
"""
import contextlib
import json
import pathlib
import subprocess
import sys
import threading

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import harness
from harness import expect, expect_equal

SADDLED, VICTIM, CROWD, CONTROL, SADDLECTL, PROTOSET = (
    pathlib.Path(word).resolve() for word in sys.argv[1:7])
MANY = 1000  # connections of the crowd
LISTENING, OPEN = 1, 4  # states of a connection
FLOW_OPEN, HELLO_OPEN = 2, 3
REGION, READS = 12000, 5  # of the crowd
CONFIG = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 128MiB
hugepages: off
ports:
  - {{name: wire-a, driver: net_ring, peer: wire-b, mtu: 5000}}
  - {{name: wire-b, driver: net_ring, peer: wire-a, mtu: 5000}}
engines:
  - {{name: alpha, port: wire-a, addresses: [10.77.0.1, 'fd77::1'], connections: 4096}}
  - {{name: beta, port: wire-b, addresses: [10.77.0.2, 'fd77::2'], connections: 4096}}
groups:
  - {{name: main, mode: spreading, engines: [alpha, beta]}}
policy: [{{any: true, allow: attach}}]
control: {{path: {control}, mode: "0666", program: {program}, observe: [{{any: true}}]}}
""".replace("spreading", harness.MODE)


class Plane:
    """A daemon with a control socket, and two applications that exchange all along."""

    def __init__(self, folder, daemon, honest, channel):
        self.folder, self.daemon, self.honest, self.channel = folder, daemon, honest, channel
        self.pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(PROTOSET.read_bytes()).file:
            self.pool.Add(file)
        self.factory = message_factory.MessageFactory(self.pool)

    def call(self, name, **fields):
        """`name` is without its package, as in "Flows/List"."""
        method = self.pool.FindMethodByName(f"saddle.v1.{name.replace('/', '.')}")
        request = self.factory.GetPrototype(method.input_type)(**fields)
        return self.channel.unary_unary(
            f"/saddle.v1.{name}", request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=self.factory.GetPrototype(method.output_type).FromString)(
                request, timeout=harness.PATIENCE_S)

    def pages(self, name, rows, page_size=0, **fields):
        """Each page of a list, one after the other."""
        token = ""
        while True:
            answer = self.call(f"{name}/List", page_size=page_size, page_token=token, **fields)
            expect(len(getattr(answer, rows)) <= (page_size or 100), "a page is too long")
            yield list(getattr(answer, rows))
            token = answer.next_page_token
            if not token:
                return

    def all(self, name, rows, page_size=0, **fields):
        return [one for page in self.pages(name, rows, page_size, **fields) for one in page]

    def connections(self, **fields):
        return self.all("Connections", "connections", **fields)

    def code(self, name, **fields):
        """The status that a call ends with, and its text."""
        try:
            self.call(name, **fields)
            return grpc.StatusCode.OK, ""
        except grpc.RpcError as error:
            return error.code(), error.details()

    def ctl(self, *words, **environment):
        return harness.run([SADDLECTL, *words], stdin=subprocess.DEVNULL, env={
            "SADDLE_CONTROL_SOCKET": str(self.folder.socket.parent / "control.sock"),
            **environment})


@contextlib.contextmanager
def running():
    folder = harness.Folder()
    daemon = honest = None
    path = folder.path / "saddled.yaml"
    control = folder.socket.parent / "control.sock"
    path.write_text(CONFIG.format(socket=folder.socket, control=control, program=CONTROL))
    try:
        daemon = harness.Daemon(SADDLED, path, folder)
        honest = harness.Victim(VICTIM, folder.socket)
        with grpc.insecure_channel(f"unix:{control}") as channel:
            yield Plane(folder, daemon, honest, channel)
        daemon.check_alive()
        honest.check_progress()
        honest.stop()
        daemon.check_descriptors(daemon.quiet_descriptors, "the last call")
        daemon.stop()
    finally:
        for process in (honest, daemon):
            if process:
                process.kill()
        folder.remove()


class Crowd:
    """Many connections, as crowd.c says."""

    def __init__(self, plane, count):
        self.process = subprocess.Popen([CROWD, plane.folder.socket, str(count)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.expect_word("ready")

    def expect_word(self, wanted):
        word = self.process.stdout.readline().strip()
        expect(word == wanted, f"crowd: {self.process.stderr.read() if not word else word}")

    def change(self, by):
        """So many connections more, or fewer."""
        self.process.stdin.write(f"{by}\n")
        self.process.stdin.flush()
        self.expect_word("done")

    def end(self):
        _, errors = self.process.communicate(timeout=harness.PATIENCE_S)
        expect_equal((self.process.returncode, errors), (0, ""), "the crowd's end")


@contextlib.contextmanager
def crowd(plane, count):
    made = Crowd(plane, count)
    try:
        yield made
        made.end()
    finally:
        made.process.kill()
        made.process.communicate()


class Watchers:
    """Operators who list everything again and again in the background."""
    LISTS = (("Peers", "peers", {}), ("Flows", "flows", {}), ("Regions", "regions", {}),
             ("Connections", "connections", {"page_size": 7}), ("Neighbours", "neighbours", {}))

    def __init__(self, plane):
        self.plane, self.ended, self.faults, self.rounds = plane, False, [], 0
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        try:
            while not self.ended:
                for name, rows, fields in self.LISTS:
                    self.plane.all(name, rows, **fields)
                self.rounds += 1
        except (grpc.RpcError, harness.Failure) as fault:
            self.faults.append(str(fault))

    def end(self):
        self.ended = True
        self.thread.join()
        expect_equal(self.faults, [], "what the watchers met")
        expect(self.rounds > 0, "the watchers saw nothing")


@contextlib.contextmanager
def watched(plane):
    watchers = Watchers(plane)
    try:
        yield watchers
    finally:
        watchers.end()


def session_of(plane, application, engine):
    sessions = plane.call("Sessions/List", engine=engine).sessions
    return next(one.id for one in sessions if one.application == application)


def test_many_connections():
    """A thousand of them: each seen once, with the messages that went over it."""
    with running() as plane, crowd(plane, MANY), watched(plane):
        for engine, sent, received in (
                ("alpha", lambda i: i % 4, lambda i: (i + 1) % 2),
                ("beta", lambda i: (i + 1) % 2, lambda i: i % 4)):
            session = session_of(plane, "crowd", engine)
            pages = list(plane.pages("Connections", "connections", 64, session=session))
            expect(len(pages) >= MANY // 64, f"{len(pages)} pages")
            found = [one for page in pages for one in page if one.state == OPEN]
            expect_equal(len(found), MANY, f"connections of {engine}")
            expect_equal(len({one.handle for one in found}), MANY, "different ones")
            # Handles are given in order, as long as no place is used again.
            found.sort(key=lambda one: one.handle & 0xffff)
            for index, one in enumerate(found):
                expect_equal((one.messages_sent, one.messages_received, one.queued, one.service,
                              one.application, one.engine, one.session),
                             (sent(index), received(index), 0, "crowd", "crowd", engine, session),
                             f"connection {index} of {engine}")
        plane.honest.check_progress()


def test_pages_while_they_come_and_go():
    """Those that stay are seen once, whatever goes on between two pages."""
    with running() as plane, crowd(plane, 100) as others, watched(plane):
        session = session_of(plane, "crowd", "alpha")
        staying = {one.handle for one in plane.connections(session=session)}
        expect_equal(len(staying), 100, "at first")
        others.change(50)
        seen = []
        for number, page in enumerate(plane.pages("Connections", "connections", 9,
                                                  session=session)):
            seen += [one.handle for one in page]
            others.change(-5 if number % 2 else 5)
        expect_equal(sorted(handle for handle in seen if handle in staying), sorted(staying),
                     "those that stayed")
        expect_equal(len(seen), len(set(seen)), "nothing twice")
        plane.honest.check_progress()


def test_listeners_and_regions():
    with running() as plane, crowd(plane, 1), watched(plane):
        session = session_of(plane, "crowd", "beta")
        found = plane.connections(session=session)
        expect_equal(sorted((one.service, one.state) for one in found),
                     [("crowd", LISTENING), ("crowd", OPEN), ("nobody's", LISTENING)],
                     "what beta has")
        regions = plane.all("Regions", "regions", session=session)
        expect_equal([(one.length, list(one.rights), one.reads, one.writes, one.bytes,
                       one.application, one.engine) for one in regions],
                     [(REGION, ["read"], READS, 0, READS * REGION // 4, "crowd", "beta")],
                     "the region")
        one = plane.call("Regions/Get", engine="beta", id=regions[0].id)
        expect_equal((one.id, one.length), (regions[0].id, REGION), "the region by its number")
        connection = next(one for one in found if one.state == OPEN)
        mine = plane.call("Connections/Get", engine="beta", handle=connection.handle)
        theirs = plane.call("Connections/Get", engine="alpha", handle=connection.peer_handle)
        expect_equal((theirs.peer_handle, theirs.address, mine.address),
                     (mine.handle, "10.77.0.2", "10.77.0.1"), "both ends of a connection")
        expect_equal(theirs.peer, "beta", "the peer's name")
        # Peers list: all of a peer's connections, and none of the listeners.
        by_peer = plane.connections(engine="beta", peer=mine.address)
        expect(by_peer and all(one.address == mine.address for one in by_peer), "by peer")
        victims = plane.all("Regions", "regions", session=session_of(plane, "victim", "alpha"))
        expect_equal(sorted(tuple(one.rights) for one in victims), [("read",), ("write",)],
                     "the victim's regions")


def test_peers_and_flows():
    """They grow with what goes over them, and both ends agree."""
    with running() as plane:
        plane.honest.check_progress(20)
        peer = plane.call("Peers/Get", engine="alpha", peer="beta")
        expect_equal((peer.address, peer.hello, peer.flows, peer.version, list(peer.features),
                      peer.configured, peer.last_error, peer.way_error),
                     ("10.77.0.2", HELLO_OPEN, 1, 2,
                      ["echo", "onesided", "messages", "siblings", "grants"], True, "", ""),
                     "the peer")
        expect(peer.round_trip_ns > 0 and peer.silent_ns > 0 and peer.mac, f"{peer}")
        flow = plane.all("Flows", "flows", engine="alpha", peer="beta")[0]
        expect_equal((flow.state, flow.address, flow.local_address, flow.port, flow.peer,
                      flow.congestion, flow.error),
                     (FLOW_OPEN, "10.77.0.2", "10.77.0.1", 50707, "beta", "swift", ""), "the flow")
        for field in ("packets_sent", "packets_received", "bytes_sent", "bytes_received", "age_ns",
                      "round_trip_ns", "rto_ns", "window", "base_ns", "target_ns",
                      "references"):
            expect(getattr(flow, field) > 0, f"{field} of {flow}")
        plane.honest.check_progress(20)
        later = plane.call("Flows/Get", engine="alpha", id=flow.id)
        expect(later.packets_sent > flow.packets_sent and later.bytes_sent > flow.bytes_sent and
               later.age_ns > flow.age_ns, f"{flow} {later}")
        # What beta got by now alpha had sent by then.
        theirs = plane.all("Flows", "flows", engine="beta")[0]
        final = plane.call("Flows/Get", engine="alpha", id=flow.id)
        expect(flow.packets_sent <= theirs.packets_received <= final.packets_sent,
               "packets on both ends")


def test_wrong_requests():
    code = grpc.StatusCode
    with running() as plane:
        for name, fields, wanted, word in (
                ("Peers/List", {"engine": "gamma"}, code.NOT_FOUND, "gamma"),
                ("Flows/List", {"peer": "nobody"}, code.NOT_FOUND, "nobody"),
                ("Flows/List", {"peer": "x" * 1000}, code.NOT_FOUND, "peer"),
                ("Connections/List", {"session": 2**64 - 1}, code.NOT_FOUND, str(2**64 - 1)),
                ("Regions/List", {"page_size": 1001}, code.INVALID_ARGUMENT, "1001"),
                ("Regions/List", {"page_token": "\u2603"}, code.INVALID_ARGUMENT, "page_token"),
                ("Connections/List", {"page_token": "alpha:" + "9" * 30}, code.INVALID_ARGUMENT,
                 "page_token"),
                ("Neighbours/List", {"port": "wire-c"}, code.NOT_FOUND, "wire-c"),
                ("Neighbours/List", {"page_token": "wire-a:12"}, code.INVALID_ARGUMENT,
                 "page_token"),
                ("Flows/Get", {"id": 0}, code.INVALID_ARGUMENT, "engine"),
                ("Flows/Get", {"engine": "beta", "id": 2**32 - 1}, code.NOT_FOUND, "beta"),
                ("Connections/Get", {"engine": "alpha", "handle": 0xffff}, code.NOT_FOUND,
                 "65535"),
                ("Peers/Get", {}, code.NOT_FOUND, "peer")):
            got, text = plane.code(name, **fields)
            expect_equal(got, wanted, f"{name} {fields}: {text}")
            expect(word in text and "\n" not in text, f"{name} {fields}: {text}")
        links = plane.call("Neighbours/List").links
        expect_equal([(one.port, one.owner, one.engine) for one in links],
                     [("wire-a", "nobody", "alpha"), ("wire-b", "nobody", "beta")], "links")


def test_saddlectl():
    """As a person and as a program sees them."""
    with running() as plane, crowd(plane, MANY + 50):
        for words, rows in ((["peer", "list"], "peers"), (["flow", "list"], "flows"),
                            (["connection", "list"], "connections"),
                            (["region", "list"], "regions"),
                            (["neighbour", "list"], "neighbours")):
            status, output, errors = plane.ctl(*words, COLUMNS="100")
            expect_equal((status, errors), (0, ""), f"{words}")
            lines = output.splitlines()
            expect(all(len(line) <= 100 for line in lines), f"{words}: {output[:500]}")
            status, output, errors = plane.ctl("--json", *words)
            expect_equal((status, errors, output.count("\n")), (0, "", 1), f"{words} as JSON")
            answer = json.loads(output)
            expect_equal(len(answer[rows]), len(lines) - 1, f"rows of {words}")
            expect_equal(answer["next_page_token"], "", "it is the whole")
        session = session_of(plane, "crowd", "alpha")
        answer = json.loads(plane.ctl("--json", "connection", "list", "--session", session)[1])
        expect_equal(len(answer["connections"]), MANY + 50, "of one session, in two pages")
        expect_equal({one["state"] for one in answer["connections"]}, {"open"}, "states")
        for status, words in ((0, ["flow", "list", "--engine", "alpha", "--peer", "beta"]),
                              (0, ["neighbour", "list", "--port", "wire-a"]),
                              (1, ["peer", "list", "--engine", "gamma"]),
                              (1, ["region", "list", "--session", "4711"]),
                              (2, ["region", "list", "--session", "x"]),
                              (2, ["region", "list", "--peer", "beta"]),
                              (2, ["engine", "list", "--engine", "alpha"]),
                              (2, ["flow", "list", "alpha"]), (2, ["peer", "list", "--peer", ""])):
            got, output, errors = plane.ctl(*words)
            expect_equal(got, status, f"{words}: {output[:500]} {errors}")
            expect(got == 0 or errors.startswith("saddlectl: "), errors)


harness.main([test_many_connections, test_pages_while_they_come_and_go, test_listeners_and_regions,
              test_peers_and_flows, test_wrong_requests, test_saddlectl])
