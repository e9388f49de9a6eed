# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts of a test: network namespaces, and the virtual cables between them.

A namespace has no name that could collide or stay: it lives as long as its descriptor and the
processes in it. Interfaces go with it. So nothing has to be cleaned up, whatever ends a test.

Needs root. Addresses are usable at once: duplicate address detection is off.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import threading

import harness

CLONE_NEWNET = 0x40000000  # sched.h
PIECE = 1 << 16  # bytes taken from a socket at a time
DNS_PORT = 53

_libc = ctypes.CDLL(None, use_errno=True)


def _must(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _setns(descriptor):
    _must(_libc.setns(descriptor, CLONE_NEWNET), "setns")


def require():
    """Ends the test here, as one that was left out, for a user who may make no namespace."""
    try:
        Space().close()
    except PermissionError as error:
        harness.leave_out(error)


class Space:
    """One namespace, with its loopback up."""

    def __init__(self):
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _must(_libc.unshare(CLONE_NEWNET), "a network namespace needs root")
            self.descriptor = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            _setns(home)
        finally:
            os.close(home)
        self.sysctl("net/ipv6/conf/default/accept_dad", 0)
        self.sysctl("net/ipv6/conf/all/accept_dad", 0)
        # Nobody here advertises routers: asking for one only makes a trace unsteady.
        self.sysctl("net/ipv6/conf/default/router_solicitations", 0)
        # An interface that goes down and comes back still has its addresses.
        self.sysctl("net/ipv6/conf/default/keep_addr_on_down", 1)
        self.sysctl("net/ipv6/conf/all/keep_addr_on_down", 1)
        self.run("ip", "link", "set", "lo", "up")

    @property
    def path(self):
        """For programs that take a namespace as a file, `ip link set netns` among them."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def enter(self):
        """For a new process, before its program: see subprocess's preexec_fn."""
        _setns(self.descriptor)

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread makes meanwhile belong to the namespace, for ever."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(self.descriptor)
            yield
        finally:
            _setns(home)
            os.close(home)

    def try_run(self, *words):
        """Status, standard output and standard error of a program in the namespace."""
        return harness.run(words, preexec_fn=self.enter)

    def run(self, *words):
        """Standard output of a program that must succeed."""
        status, output, errors = self.try_run(*words)
        harness.expect(status == 0, f"{' '.join(map(str, words))}: status {status}: {errors}")
        return output

    def start(self, *words, **options):
        return subprocess.Popen([str(word) for word in words], preexec_fn=self.enter, **options)

    def sysctl(self, name, value):
        with self.inside():
            pathlib.Path("/proc/sys", name).write_text(str(value), encoding="ascii")

    def socket(self, *arguments):
        with self.inside():
            return socket.socket(*arguments)

    def address(self, interface, *prefixes):
        for prefix in prefixes:
            nodad = ["nodad"] if ":" in prefix else []
            self.run("ip", "address", "add", prefix, "dev", interface, *nodad)

    def up(self, interface):
        self.run("ip", "link", "set", interface, "up")

    def down(self, interface):
        self.run("ip", "link", "set", interface, "down")

    def offloads(self, interface, state):
        """Checksums and large segments: left to the device, or done before it."""
        self.run("ethtool", "-K", interface, *(
            word for name in ("tx", "tso", "gso", "gro") for word in (name, state)))

    def mac(self, interface):
        return json.loads(self.run("ip", "-j", "link", "show", interface))[0]["address"]

    def neighbour(self, address):
        """The kernel's state of it ("REACHABLE"), empty if it knows none."""
        words = self.run("ip", "neigh", "show", "to", address).split()
        return words[-1] if words else ""

    def neighbour_mac(self, address):
        """Where the kernel thinks it is, empty if nowhere."""
        words = self.run("ip", "neigh", "show", "to", address).split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else ""

    def ping(self, host, count=1):
        """How many of so many echo requests were answered."""
        _, output, _ = self.try_run("ping", "-n", "-q", "-c", count, "-i", "0.01", "-W", "5",
                                    host)
        return int(output.split(" received")[0].split()[-1])

    @contextlib.contextmanager
    def trace(self, interface):
        made = Trace(self, interface)
        try:
            yield made
        finally:
            made.end()

    def close(self):
        os.close(self.descriptor)


def tcp_exchange(client, server, address, count):
    """So many bytes there and back again over the kernel's TCP; fails if one differs."""
    given = random.Random(count).randbytes(count)
    with server.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, \
            client.socket(socket.AF_INET, socket.SOCK_STREAM) as caller:
        listener.bind((address, 0))
        listener.listen()
        for one in (listener, caller):
            one.settimeout(harness.PATIENCE_S)

        def echo():
            accepted, _ = listener.accept()
            with accepted:
                while piece := accepted.recv(PIECE):
                    accepted.sendall(piece)

        def send():
            caller.sendall(given)
            caller.shutdown(socket.SHUT_WR)

        caller.connect(listener.getsockname())
        threads = [threading.Thread(target=work) for work in (echo, send)]
        for thread in threads:
            thread.start()
        got = b"".join(iter(lambda: caller.recv(PIECE), b""))
        for thread in threads:
            thread.join()
    harness.expect(got == given, f"TCP: {len(got)} bytes came back of {count}, or others")


def udp_exchange(client, server, address, count):
    """Small questions, each with an answer, one after the other, as DNS has them; returns how many
    were answered rightly at the first attempt."""
    good = 0
    with server.socket(socket.AF_INET, socket.SOCK_DGRAM) as answerer, \
            client.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        answerer.bind((address, DNS_PORT))
        for one in (answerer, asker):
            one.settimeout(harness.PATIENCE_S)
        for number in range(count):
            asker.sendto(b"question %d" % number, (address, DNS_PORT))
            question, origin = answerer.recvfrom(PIECE)
            answerer.sendto(question.replace(b"question", b"answer"), origin)
            good += asker.recv(PIECE) == b"answer %d" % number
    return good


class Trace:
    """What tcpdump sees of an interface, from its start to the end of the block."""

    def __init__(self, space, interface):
        self.text = ""
        self.process = space.start("tcpdump", "-n", "-l", "-i", interface, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Its first words say that it has begun.
        self.process.stderr.readline()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        self.text = self.process.stdout.read()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(harness.PATIENCE_S)
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


def cable(left, left_name, right, right_name, mtu=1500, queues=1, macs=(None, None)):
    """Joins two spaces by a veth. It is down until the addresses are set."""
    def end(name, mac):
        return ["name", name, *(["address", mac] if mac else []), "mtu", mtu,
                "numtxqueues", queues, "numrxqueues", queues]

    left.run("ip", "link", "add", *end(left_name, macs[0]), "type", "veth",
             "peer", *end(right_name, macs[1]), "netns", right.path)


class Pair:
    """Two hosts and a cable between them.

        left [eth0] 10.77.0.1 fd77::1 ======= 10.77.0.2 fd77::2 [eth0] right
    """
    interface = "eth0"
    addresses = (("10.77.0.1", "fd77::1"), ("10.77.0.2", "fd77::2"))
    gateways = ((), ())

    def __init__(self, mtu=1500, queues=1):
        self.left, self.right = Space(), Space()
        self.spaces = (self.left, self.right)
        cable(self.left, "eth0", self.right, "eth0", mtu, queues)
        self.mtu = mtu
        for space, (ipv4, ipv6) in zip(self.spaces, self.addresses):
            space.up("eth0")
            self.settle(space, ipv4, ipv6)

    def settle(self, space, ipv4, ipv6):
        """A host's kernel gets its addresses."""
        space.address("eth0", f"{ipv4}/24", f"{ipv6}/64")

    def close(self):
        for space in self.spaces:
            space.close()


class PairBare(Pair):
    """The same, and the hosts' kernels have no address on the cable: their daemons do."""

    def settle(self, space, ipv4, ipv6):
        space.sysctl("net/ipv6/conf/eth0/disable_ipv6", 1)


class Bridged:
    """Two hosts whose daemons have a link of their own: a tap, joined by a bridge to the cable. The
    kernel is a third and fourth host there.

        left  sad0 == [br0] .101 === veth === .102 [br0] == sad0  right
              .1                                            .2
    """
    addresses = (("10.77.0.1", "fd77::1"), ("10.77.0.2", "fd77::2"))
    kernel = (("10.77.0.101", "fd77::101"), ("10.77.0.102", "fd77::102"))
    gateways = ((), ())

    def __init__(self, mtu=1500):
        self.left, self.right = Space(), Space()
        self.spaces = (self.left, self.right)
        self.mtu = mtu
        cable(self.left, "eth0", self.right, "eth0", mtu)
        for space, (ipv4, ipv6) in zip(self.spaces, self.kernel):
            space.run("ip", "link", "add", "br0", "type", "bridge")
            # It outlives the daemon that uses it, as the bridge expects of its ports.
            space.run("ip", "tuntap", "add", "sad0", "mode", "tap", "multi_queue")
            for port in ("eth0", "sad0"):
                space.run("ip", "link", "set", port, "mtu", mtu, "master", "br0")
                space.up(port)
            space.up("br0")
            space.address("br0", f"{ipv4}/24", f"{ipv6}/64")

    def close(self):
        for space in self.spaces:
            space.close()


class Alone:
    """Two daemons on one host: what joins them is in no network."""
    addresses = (("10.77.0.1", "fd77::1"), ("10.77.0.2", "fd77::2"))
    gateways = ((), ())

    def __init__(self, mtu=1500):
        self.left = self.right = Space()
        self.spaces = (self.left, self.right)
        self.mtu = mtu
        self.place = tempfile.TemporaryDirectory(prefix="saddle-alone-")
        self.folder = self.place.name  # for what joins them, if it has a name

    def close(self):
        self.left.close()
        self.place.cleanup()


class Routed:
    """Two hosts, and a router between them that can lose packets and links.

        left [eth0] 10.77.1.1 ==== .254 [left] router [right] .254 ==== 10.77.2.1 [eth0] right
                    fd77:1::1      ::fe                       ::fe      fd77:2::1
    """
    interface = "eth0"
    addresses = (("10.77.1.1", "fd77:1::1"), ("10.77.2.1", "fd77:2::1"))
    gateways = (("10.77.1.254", "fd77:1::fe"), ("10.77.2.254", "fd77:2::fe"))

    def __init__(self, mtu=1500):
        self.left, self.right, self.router = Space(), Space(), Space()
        self.spaces = (self.left, self.right)
        self.router.sysctl("net/ipv4/ip_forward", 1)
        self.router.sysctl("net/ipv6/conf/all/forwarding", 1)
        self.mtu = mtu
        for space, name, own, gateways in zip(self.spaces, ("left", "right"), self.addresses,
                                              self.gateways):
            cable(space, "eth0", self.router, name, mtu)
            self.router.up(name)
            space.up("eth0")
            for address, gateway, bits in zip(own, gateways, (24, 64)):
                self.router.address(name, f"{gateway}/{bits}")
                self.settle(space, address, gateway, bits)

    def settle(self, space, address, gateway, bits):
        """A host's kernel gets an address there, and a way beyond."""
        space.address("eth0", f"{address}/{bits}")
        space.run("ip", "route", "add", "default", "via", gateway)

    def lose(self, percent):
        """That share of what is forwarded, either way; 0 ends it."""
        self.router.try_run("nft", "delete", "table", "inet", "loss")
        if percent == 0:
            return
        for words in ("add table inet loss",
                      "add chain inet loss forward { type filter hook forward priority 0; }",
                      f"add rule inet loss forward numgen random mod 100 < {percent} "
                      "counter drop"):
            self.router.run("nft", *words.split())

    def lost(self):
        """How many packets the rule has dropped."""
        words = self.router.run("nft", "list", "chain", "inet", "loss", "forward").split()
        return int(words[words.index("packets") + 1])

    def close(self):
        for space in (*self.spaces, self.router):
            space.close()


class RoutedBare(Routed):
    """The same, and the hosts' kernels have no address on the cables: their daemons do, and are the
    router's neighbours."""

    def settle(self, space, address, gateway, bits):
        space.sysctl("net/ipv6/conf/eth0/disable_ipv6", 1)


@contextlib.contextmanager
def network(kind, **options):
    """A topology for the time of a test."""
    made = kind(**options)
    try:
        yield made
    finally:
        made.close()
