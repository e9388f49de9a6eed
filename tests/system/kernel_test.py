#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The kernel's own traffic on an interface that Saddle owns. Needs root.

         saddle0 10.77.0.1                                10.77.0.2
            |                                                 |
    kernel, pony -- steer -- [eth0] ==== veth ==== [eth0] -- kernel; a daemon beside it

         saddle0 10.77.0.1                                10.77.0.2 saddle0
            |                                                          |
    kernel, pony -- steer ====== net_memif, or veth ====== steer -- pony, kernel

usage: kernel_test.py SADDLED VICTIM SADDLE_CONTROL SADDLECTL

Where the daemon owns eth0 the kernel has no address there, and gets nothing from it: what it has,
it has by saddle0, which the daemon makes.
"""
import contextlib
import hashlib
import json
import pathlib
import random
import socket
import subprocess
import sys
import tempfile

import harness
import hosts
import netns
from harness import EAGER, await_true, expect, expect_equal

SADDLED, VICTIM, CONTROL, SADDLECTL = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
TAP = "saddle0"
EXCHANGES = 20
PINGS = 20
LARGE = 20000  # bytes: many fragments
FILE_BYTES = 24 << 20
SECONDS = 1  # of iperf3, each way
IPERF_PORT = 5201
HTTP_PORT = 8080
MTU = 1500
VLAN, OTHER_VLAN = 77, 88
AGAIN_S = 0.5  # after which a raw frame that has not come is sent again
EXPERIMENT = 0x88B5  # an Ethernet type for experiments: IEEE 802
ETH_P_ALL = 3  # linux/if_ether.h
TAGGED = 0x8100

OWNED = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 64MiB
hugepages: off
ports: [{{name: nic, driver: ethdev, device: "{device}", mtu: {mtu}{more}}}]
engines:
  - {{name: {name}, port: nic, {owner}}}
  - {{name: {name}-host, kind: kernel, port: nic, interface: saddle0}}
  - {{name: {name}-0, port: nic, addresses: [{addresses}], {engine}}}
control: {{path: {control}, mode: "0666", program: {program}, observe: [{{any: true}}]}}
"""
SHAPER = "kind: shaper, classes: [{name: host, rate: 50Mbit, match: [kernel]}]"
BESIDE = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 64MiB
hugepages: off
ports: [{{name: nic, driver: ethdev, device: "{device}", interface: eth0}}]
engines: [{{name: {name}, port: nic, addresses: [{addresses}], {engine}}}]
"""


class OneBare(netns.Pair):
    """The left kernel has no address on the cable."""

    def settle(self, space, ipv4, ipv6):
        if space is self.left:
            space.sysctl("net/ipv6/conf/eth0/disable_ipv6", 1)
        else:
            super().settle(space, ipv4, ipv6)


class Apart:
    """Two hosts without a cable: their daemons find each other by a socket in a folder."""
    addresses = netns.Alone.addresses

    def __init__(self):
        self.left, self.right = netns.Space(), netns.Space()
        self.spaces = (self.left, self.right)
        self.folder = tempfile.TemporaryDirectory(prefix="saddle-memif-")
        self.mtu = MTU

    def close(self):
        for space in self.spaces:
            space.close()
        self.folder.cleanup()


class Host:
    """A daemon in its namespace, and what its kernel has there."""

    def __init__(self, network, index, engines=("", ""), owner="kind: steer"):
        self.network = network
        self.index = index
        self.owner = owner
        self.space = network.spaces[index]
        self.name = hosts.ENGINES[index]
        self.address, self.address6 = network.addresses[index]
        self.owns = index == 0 or not isinstance(network, OneBare)
        self.folder = harness.Folder()
        self.socket = self.folder.socket
        self.control = self.socket.parent / "control.sock"
        self.daemon = None
        self.config = self.folder.path / "saddled.yaml"
        self.config.write_text(self.text(engines[index]))
        if self.owns and not isinstance(network, Apart):
            keep_off(self.space)

    def text(self, engine):
        device, more = "net_af_packet0,iface=eth0", ""
        if isinstance(self.network, Apart):
            device = (f"net_memif0,socket={self.network.folder.name}/memif,socket-abstract=no,"
                      f"role={('server', 'client')[self.index]}")
            more = f", mac: '02:00:00:00:00:0{self.index + 1}'"
        return (OWNED if self.owns else BESIDE).format(
            socket=self.socket, name=self.name, mtu=self.network.mtu, device=device, more=more,
            addresses=hosts.quoted(self.network.addresses[self.index]), engine=engine,
            control=self.control, program=CONTROL, owner=self.owner)

    def start(self):
        """Also again: the interface is another one then, and has to be given its addresses."""
        self.daemon = harness.Daemon(SADDLED, self.config, self.folder, space=self.space)
        if self.owns:
            self.space.address(TAP, f"{self.address}/24", f"{self.address6}/64")

    def tell(self, *words):
        """What saddlectl says."""
        status, output, errors = harness.run([SADDLECTL, "--socket", self.control, *words])
        expect_equal((status, errors), (0, ""), f"saddlectl {words}")
        return output

    def classes(self):
        listed = json.loads(self.tell("shaping", "list", "--json"))["classes"]
        return {one["name"]: one for one in listed}

    def has_tap(self):
        return self.space.try_run("ip", "link", "show", TAP)[0] == 0

    def counters(self):
        """Of the kernel's engine."""
        output = self.tell("--json", "stats", "get", f"engine/{self.name}-host")
        return {counter["name"]: int(counter["value"])
                for counter in json.loads(output)["engines"][0]["counters"]}

    def remove(self):
        if self.daemon:
            self.daemon.kill()
        self.folder.remove()


def keep_off(space):
    """What arrives on eth0 is Saddle's alone: the kernel would answer a second time, for its
    addresses are not only on the interface that they were given to."""
    for words in ("add table netdev saddle",
                  "add chain netdev saddle eth0 { type filter hook ingress device eth0 priority 0; "
                  "policy drop; }"):
        space.run("nft", *words.split())


@contextlib.contextmanager
def running(kind=OneBare, engines=None, owner="kind: steer"):
    """Daemons on both hosts; `engines` says more of theirs, when the network is there, and `owner`
    what the engine is that shares the port out."""
    made = []
    with netns.network(kind) as network:
        for space in network.spaces if kind is not Apart else ():
            space.offloads("eth0", "off")
        try:
            for index in range(2):
                made.append(Host(network, index, engines(network) if engines else ("", ""), owner))
                made[index].start()
            yield made
            for host in made:
                host.daemon.check_alive()
                host.daemon.stop()
                expect(not host.owns or not host.has_tap(), f"{TAP} is there after the end")
        except harness.Failure as failure:
            logs = "\n".join(f"{host.name}: {host.daemon.text()}" for host in made if host.daemon)
            raise harness.Failure(f"{failure}\n{logs}") from failure
        finally:
            for host in made:
                host.remove()


def check_pings(host, address, size):
    await_true(lambda: host.space.ping(address) == 1, f"a ping of {address}")
    for bytes_of, count in ((56, PINGS), (size, 3)):
        status, output, errors = host.space.try_run(
            "ping", "-n", "-q", "-c", count, "-i", "0.01", "-W", "5", "-s", bytes_of, address)
        expect(status == 0 and f" {count} received" in output and "DUP" not in output,
               f"pings of {address} with {bytes_of} bytes: {output}{errors}")


@contextlib.contextmanager
def serving(space, told, *words):
    """A server that says on its standard output when it serves."""
    process = space.start(*words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        while told not in (line := process.stdout.readline()):
            expect(line, f"{' '.join(map(str, words))} ended")
        yield
    finally:
        process.kill()
        process.communicate()


def check_http(server, client, address):
    """A file by HTTP: the same bytes."""
    content = random.Random(FILE_BYTES).randbytes(FILE_BYTES)
    folder = server.folder.path / "files"
    folder.mkdir(exist_ok=True)
    (folder / "file").write_bytes(content)
    got = folder / "got"
    url = f"http://{f'[{address}]' if ':' in address else address}:{HTTP_PORT}/file"
    with serving(server.space, "Serving", sys.executable, "-u", "-m", "http.server", HTTP_PORT,
                 "--bind", address, "--directory", folder):
        client.space.run("curl", "-sS", "--noproxy", "*", "--max-time", harness.PATIENCE_S / 2,
                         "-o", got, url)
    expect_equal(hashlib.sha256(got.read_bytes()).hexdigest(),
                 hashlib.sha256(content).hexdigest(), f"sha256 of {url}")


def check_iperf(server, client, *options):
    """Bytes flow by TCP, and no more arrive than were sent."""
    with serving(server.space, "listening", "iperf3", "-s", "--forceflush", "-B", server.address,
                 "-p", IPERF_PORT):
        result = json.loads(client.space.run("iperf3", "-J", "-c", server.address, "-p",
                                             IPERF_PORT, "-t", SECONDS, *options))
    expect("error" not in result, f"iperf3: {result}")
    end = result["end"]
    expect(0 < end["sum_received"]["bytes"] <= end["sum_sent"]["bytes"], f"iperf3: {end}")


def check_counters(host, moved):
    """What went through the engine was counted; nothing was lost there."""
    counters = host.counters()
    for way in ("to", "from"):
        expect(counters[f"{way}_kernel_bytes"] > moved, f"{way}: {counters}")
        expect(counters[f"{way}_kernel_packets"] > 0, f"{way}: {counters}")
    lost = {name: counters[name] for name in (
        "to_kernel_refused", "from_kernel_refused", "from_kernel_oversized", "to_kernel_down",
        "to_kernel_scattered", "to_kernel_failed")}
    expect(not any(lost.values()), f"lost: {lost}")


def check_kernels(left, right, large):
    """Everything between two kernels, while `large` bytes are the size of a large ping by IPv4."""
    for host, other in ((left, right), (right, left)):
        check_pings(host, other.address, large)
        check_pings(host, other.address6, LARGE)
    for server, client in ((left, right), (right, left)):
        check_http(server, client, server.address)
        check_http(server, client, server.address6)
        check_iperf(server, client)
        check_iperf(server, client, "-R")


def test_the_kernels_traffic_beside_pony():
    """DPDK's driver joins the fragments that arrive by IPv4, and cuts off what is then too long: a
    large ping is one packet there."""
    with running() as (left, right):
        with hosts.exchanging(VICTIM, left, right, "--host", right.address) as honest:
            check_kernels(left, right, MTU - 28)
            honest.check_progress(EXCHANGES)
        check_counters(left, 2 * FILE_BYTES)


def test_the_same_by_a_wire_of_daemons():
    with running(Apart) as (left, right):
        check_pings(left, right.address, LARGE)
        with hosts.exchanging(VICTIM, left, right, "--host", right.address) as honest:
            check_kernels(left, right, LARGE)
            honest.check_progress(EXCHANGES)
        for host in (left, right):
            check_counters(host, 2 * FILE_BYTES)


def test_the_kernel_has_a_class():
    """A shaper in the steer's place: the kernel has its rate, and Pony goes on beside it."""
    with running(owner=SHAPER) as (left, right):
        with hosts.exchanging(VICTIM, left, right, "--host", right.address) as honest:
            check_pings(left, right.address, MTU - 28)
            check_iperf(right, left)
            honest.check_progress(EXCHANGES)
            seen = left.classes()
            expect(int(seen["host"]["exhausted"]) > 0, f"the kernel was held back: {seen}")
            expect(int(seen["host"]["bytes"]) > left.counters()["from_kernel_bytes"] // 2,
                   f"what the kernel sends is of its class: {seen}")
            expect(int(seen["default"]["bytes"]) > 0, f"what Pony sends is of none: {seen}")
            # Another policy, twice: the kernel's engine has gone over to the first.
            path = left.folder.path / "class.yaml"
            for rate in ("10Mbit", "1Gbit"):
                path.write_text(f"{{name: host, rate: {rate}, match: [kernel]}}\n")
                left.tell("shaping", "set", left.name, path)
            check_pings(left, right.address, MTU - 28)
            check_http(left, right, left.address)
            check_counters(left, 0)
            honest.check_progress(EXCHANGES)


def has_carrier(host):
    return "NO-CARRIER" not in host.space.run("ip", "link", "show", TAP)


def test_the_link_is_followed():
    """A wire without another end is a cable that is not plugged in."""
    with netns.network(Apart) as network:
        made = [Host(network, index) for index in range(2)]
        try:
            made[0].start()
            await_true(lambda: not has_carrier(made[0]), "no carrier")
            made[1].start()
            for host in made:
                await_true(lambda one=host: has_carrier(one), "a carrier")
            check_pings(made[0], made[1].address, LARGE)
            for host in made:
                host.daemon.stop()
        finally:
            for host in made:
                host.remove()


def frame_of(source, vlan, payload):
    tag = TAGGED.to_bytes(2, "big") + vlan.to_bytes(2, "big") if vlan else b""
    return b"\xff" * 6 + source + tag + EXPERIMENT.to_bytes(2, "big") + payload


def raw_socket(space, interface):
    made = space.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.settimeout(AGAIN_S)
    made.bind((interface, 0))
    return made


def heard(incoming, payload):
    """What has come with it; None: nothing for a while."""
    with contextlib.suppress(TimeoutError):
        while payload not in (got := incoming.recv(MTU)):
            pass
        return got
    return None


def check_frame(sender, receiver, vlan):
    """A frame that one of them sends, the other gets with its tag. A link may lose one, where a
    machine has too much to do; so it is sent until it has come."""
    source = bytes.fromhex(sender.space.mac(TAP).replace(":", ""))
    payload = random.Random(vlan).randbytes(200)
    frame = frame_of(source, vlan, payload)
    with raw_socket(receiver.space, TAP) as incoming, raw_socket(sender.space, TAP) as outgoing:
        for _ in range(int(harness.PATIENCE_S / AGAIN_S)):
            outgoing.send(frame)
            got = heard(incoming, payload)
            if got:
                break
    expect(got, "the frame does not come")
    # The kernel takes the tag of a frame out before it hands it to a program, and tells apart.
    expect(got in (frame, frame_of(source, 0, payload)), f"{got.hex()}, not {frame.hex()}")


def test_vlans():
    """Pony has a VLAN, known to it alone; the kernel has all others, and the frames without."""
    def engines(network):
        macs = [space.mac("eth0") for space in network.spaces]
        return [f"vlan: {VLAN}, peers: [{{name: {hosts.ENGINES[1 - index]}, "
                f"address: {network.addresses[1 - index][0]}, mac: '{macs[1 - index]}'}}]"
                for index in range(2)]

    with running(netns.PairBare, engines) as (left, right):
        with hosts.exchanging(VICTIM, left, right, "--host", right.address) as honest:
            for sender, receiver in ((left, right), (right, left)):
                for vlan in (0, OTHER_VLAN):
                    check_frame(sender, receiver, vlan)
            check_pings(left, right.address, MTU - 28)
            honest.check_progress(EXCHANGES)


def test_the_interface_goes_with_the_daemon():
    """However it ends; and a new one begins."""
    with running() as (left, right):
        for _ in range(2):
            expect_equal(left.space.mac(TAP), left.space.mac("eth0"), "the interface's address")
            check_pings(left, right.address, MTU - 28)
            left.daemon.kill()
            await_true(lambda: not left.has_tap(), f"{TAP} is gone")
            left.start()
        # Somebody takes it away: what is Pony's goes on.
        with hosts.exchanging(VICTIM, left, right, EAGER, "--host", right.address) as honest:
            left.space.run("ip", "link", "delete", TAP)
            honest.check_progress(EXCHANGES)


def refusal(text, *wrapper):
    """The one line of a daemon that does not start."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "saddled.yaml")
        path.write_text(text)
        space = netns.Space()
        try:
            space.run("ip", "link", "add", "taken", "type", "veth", "peer", "eth0")
            status, _, errors = space.try_run(*wrapper, SADDLED, "--config", path)
        finally:
            space.close()
    expect(status != 0, "it started")
    return errors.splitlines()[-1]


BAD = """\
socket: {{path: {folder}/attach.sock}}
memory: 64MiB
hugepages: off
ports: [{{name: nic, {port}}}, {{name: other, driver: net_null}}]
engines:
  - {{name: a, kind: {kind}, port: nic{steer}}}
  {pony}
  - {{name: host, {kernel}}}
  {more}
"""
MEMIF = 'driver: ethdev, device: "net_memif0,socket={0}/memif,socket-abstract=no,role=server"'


def test_bad_input():
    """One clear line each."""
    with tempfile.TemporaryDirectory() as folder:
        good = {"folder": folder, "port": MEMIF.format(folder), "kind": "steer",
                "steer": "", "more": "",
                "pony": '- {name: a0, port: nic, addresses: ["10.0.0.1/24"]}',
                "kernel": "kind: kernel, port: nic, interface: saddle0"}
        for change, wanted in (
                ({"more": "- {name: again, kind: kernel, port: nic, interface: saddle1}"},
                 'port: "nic" has an engine for the kernel already, "host"'),
                ({"kernel": "kind: kernel, port: nic, interface: taken"},
                 "engine host: interface taken is there already: it has to be a new one"),
                ({"kernel": "kind: kernel, port: nic, interface: sixteen-letters-"},
                 'interface: "sixteen-letters-" is longer than'),
                ({"kernel": "kind: kernel, port: nic"},
                 'engine "host": the key "interface" is missing'),
                ({"port": "driver: xdp, interface: eth0"},
                 'port: "nic" is on "eth0", which the kernel owns'),
                ({"kind": "pony", "pony": "", "steer": ', addresses: ["10.0.0.1/24"]'},
                 'port: no engine of kind steer or shaper shares "nic" out'),
                ({"kernel": "kind: kernel, port: other, interface: saddle0"},
                 'port: "other" (net_null) has no network behind it for the kernel'),
                ({"kernel": 'kind: kernel, port: nic, interface: saddle0, addresses: ["10.0.0.2"]'},
                 'engine "host": the kernel has addresses, gateways and peers of its own'),
                ({"steer": ", interface: saddle1"}, 'interface: "a" is no engine of kind kernel')):
            line = refusal(BAD.format(**{**good, **change}))
            expect(wanted in line, f"{line}, not {wanted}")
        line = refusal(BAD.format(**good), "setpriv", "--bounding-set", "-net_admin")
        expect("interface saddle0 cannot be made without the capability net_admin" in line, line)


netns.require()
harness.main([value for name, value in list(globals().items()) if name.startswith("test_")])
