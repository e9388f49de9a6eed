# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Two daemons that reach each other by real packets: alpha on the left host, beta on the right.

What kind of port they have is a parameter of the tests: a Kind says what its configuration is.
"""
import contextlib
import os
import pathlib

import harness
import netns

ENGINES = ("alpha", "beta")
UDP_PORT = 50707

CONFIG = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 64MiB
hugepages: off
ports: [{{name: eth, {port}}}]
engines:
  - name: {engine}
    port: eth
    {addresses}
    peers: [{peers}]
    {more}
groups: [{{name: main, mode: spreading, engines: [{engine}]}}]
{control}
{extra}
""".replace("spreading", harness.MODE)
CONTROL = 'control: {{path: {path}, mode: "0666", program: {program}, observe: [{{any: true}}]}}'


# Why saddle-ping gets no answer: from the link, or from a host on it.
NOBODY_THERE = "no neighbour answers"


def silent(address):
    return f"{address} does not answer"


def quoted(words):
    return ", ".join(f'"{word}"' for word in words)


class Refused(harness.Failure):
    """A daemon did not start; why is in `text`."""

    def __init__(self, text):
        super().__init__(f"saddled did not start:\n{text}")
        self.text = text


class Kind:
    """A kind of port on an interface that the kernel owns."""
    network = netns.Pair
    routed = netns.Routed  # with a router between the hosts; None: there is none for this kind

    def __init__(self, driver, mtu_max, seen, idle_share):
        self.driver = driver
        self.mtu_max = mtu_max
        self.seen = seen              # whether the kernel sees what arrives for Saddle
        self.idle_share = idle_share  # of a processor, which two idle daemons stay below
        self.opens_late = False       # whether it opens descriptors after the daemon is ready

    def port(self, index, network):
        return f"{self.driver}, interface: eth0"

    def engine(self, index, network):
        """Addresses, and further keys, of an engine."""
        return f"addresses: [{quoted(network.addresses[index])}]"

    def unseen(self, address):
        """Why a host in another VLAN is not reached: where it is was configured."""
        return silent(address)

    def use_vlan(self, network):
        """Makes the interfaces leave tags where they are."""
        for space in network.spaces:
            space.run("ethtool", "-K", "eth0", "rxvlan", "off", "txvlan", "off")

    def peers(self, network, vlan=False):
        """What the other host has to be told of each. The kernel here has no VLAN interfaces, so in
        a VLAN nobody says where others are."""
        peers = []
        for name, space, (ipv4, ipv6) in zip(ENGINES, network.spaces, network.addresses):
            mac = f", mac: '{space.mac('eth0')}'" if vlan else ""
            peers.append(f"{{name: {name}, address: {ipv4}{mac}}}")
            if vlan:
                peers[-1] += f", {{name: {name}6, address: '{ipv6}'{mac}}}"
        return peers


class Owned(Kind):
    """A kind of port whose link is Saddle's, addresses and neighbours included."""

    def __init__(self, drivers, network, mtu_max, opens_late=False, routed=None, macs=True):
        super().__init__(drivers, mtu_max, False, POLLED_SHARE)
        self.network = network
        self.opens_late = opens_late
        self.routed = routed
        self.macs = macs  # whether the port is given an address, instead of having one

    def port(self, index, network):
        mac = f", mac: '{self.mac(index, network)}'" if self.macs else ""
        driver = self.driver[index].format(folder=getattr(network, "folder", None))
        return f"{driver}{mac}, mtu: {network.mtu}"

    def mac(self, index, network):
        return f"02:00:00:00:00:0{index + 1}" if self.macs else network.spaces[index].mac("eth0")

    def unseen(self, address):
        return NOBODY_THERE

    def use_vlan(self, network):
        pass

    def peers(self, network, vlan=False):
        return super().peers(network)

    def engine(self, index, network):
        prefixes = [f"{address}/{bits}"
                    for address, bits in zip(network.addresses[index], (24, 64))]
        return (f"addresses: [{quoted(prefixes)}]\n"
                f"    gateways: [{quoted(network.gateways[index])}]")


# A port that is polled wakes its engine 250 times a second.
POLLED_SHARE = 0.05
WOKEN_SHARE = 0.02
XDP_MTU = 3490  # a packet is bounded by one frame of 4 KiB
_MEMIF = "{folder}/memif"  # of the network
_NET_MEMIF = f"net_memif0,socket=saddle-test-{os.getpid()}"
_NET_MEMIF_AT = f"net_memif0,socket={_MEMIF},socket-abstract=no"
_ROLES = ("server", "client")
KINDS = {
    "af-packet": Kind('driver: ethdev, device: "net_af_packet0,iface=eth0"', 1500, True,
                      POLLED_SHARE),
    "xdp": Kind("driver: xdp", XDP_MTU, False, WOKEN_SHARE),
    "tap": Owned(['driver: ethdev, device: "net_tap0,iface=sad0,persist"'] * 2, netns.Bridged,
                 1500),
    "memif": Owned([f"driver: memif, socket: {_MEMIF}, role: {role}" for role in _ROLES],
                   netns.Alone, 9000, opens_late=True),
    # DPDK's driver for the same, on the other side of ours, and on both.
    "memif-to-client": Owned([f"driver: memif, socket: {_MEMIF}, role: server",
                              f'driver: ethdev, device: "{_NET_MEMIF_AT},role=client"'],
                             netns.Alone, 1500, opens_late=True),
    "memif-to-server": Owned([f"driver: memif, socket: {_MEMIF}, role: client",
                              f'driver: ethdev, device: "{_NET_MEMIF_AT},role=server"'],
                             netns.Alone, 1500, opens_late=True),
    "net-memif": Owned([f'driver: ethdev, device: "{_NET_MEMIF},role={role}"' for role in _ROLES],
                       netns.Alone, 1500, opens_late=True),
    # An interface of the kernel that has no address there: all of it is Saddle's.
    "af-packet-owned": Owned(['driver: ethdev, device: "net_af_packet0,iface=eth0"'] * 2,
                             netns.PairBare, 1500, routed=netns.RoutedBare, macs=False),
}


class Host:
    """A daemon in its namespace."""

    def __init__(self, saddled, kind, network, index, **options):
        self.saddled = saddled
        self.kind = kind
        self.network = network
        self.index = index
        self.options = options
        self.space = network.spaces[index]
        self.address, self.address6 = network.addresses[index]
        self.folder = harness.Folder()
        self.socket = self.folder.socket
        self.daemon = None
        self.start()

    @property
    def control(self):
        """The control socket, if the daemon was given the program that serves it."""
        return self.socket.parent / "control.sock"

    @property
    def door(self):
        """Where a newer daemon knocks, if `upgradable`."""
        return self.socket.parent / "upgrade.sock"

    def config(self, port="", engine="", peers=None, program=None, upgradable=False):
        """With further keys of the port and the engine; peers are known by name, if not told
        otherwise. `program` is saddle-control."""
        if peers is None:
            peers = self.kind.peers(self.network)
        path = self.folder.path / "saddled.yaml"
        path.write_text(CONFIG.format(
            socket=self.socket, engine=ENGINES[self.index], peers=peers[1 - self.index],
            port=", ".join([self.kind.port(self.index, self.network), *([port] if port else [])]),
            addresses=self.kind.engine(self.index, self.network), more=engine,
            control=CONTROL.format(path=self.control, program=program) if program else "",
            extra=f"upgrade: {{socket: {self.door}, blackout: 5s}}" if upgradable else ""))
        return path

    def start(self):
        """Also again, after an end of whatever kind."""
        try:
            self.daemon = harness.Daemon(self.saddled, self.config(**self.options), self.folder,
                                         space=self.space)
        except harness.Failure as failure:
            text = (self.folder.path / "daemon.log").read_text()
            self.remove()
            raise Refused(text) from failure

    def cpu_ns(self):
        """Processor time of all the daemon's threads so far."""
        tasks = pathlib.Path(f"/proc/{self.daemon.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0])
                   for task in tasks.iterdir())

    def environment(self):
        return {"SADDLE_SOCKET": str(self.socket), "SADDLE_ENGINE": ENGINES[self.index]}

    def remove(self):
        if self.daemon:
            self.daemon.kill()
        self.folder.remove()


@contextlib.contextmanager
def running(saddled, kind, network, **options):
    """Both daemons, for the time of a test; checks their end."""
    made = []
    try:
        for index in range(len(ENGINES)):
            made.append(Host(saddled, kind, network, index, **options))
        yield made
        for host in made:
            host.daemon.check_alive()
            if not kind.opens_late:
                host.daemon.check_descriptors(host.daemon.quiet_descriptors, "the last session")
            host.daemon.stop()
    except Refused:
        raise
    except harness.Failure as failure:
        logs = "\n".join(f"{ENGINES[host.index]}: {host.daemon.text()}" for host in made)
        raise harness.Failure(f"{failure}\n{logs}") from failure
    finally:
        for host in made:
            host.remove()


def start_exchanging(victim, left, right, *arguments):
    """Two applications, one on each host, that exchange all along; eagerly, where something happens
    to their link, so that it finds packets there."""
    return harness.Victim(victim, left.socket, arguments=["--other", right.socket, *arguments])


@contextlib.contextmanager
def exchanging(victim, left, right, *arguments):
    """The same, and they see no fault."""
    honest = start_exchanging(victim, left, right, *arguments)
    try:
        yield honest
        honest.stop()
    finally:
        honest.kill()
