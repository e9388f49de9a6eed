#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Two daemons over real ports. Needs root.

    alpha --- [eth0] ========= veth ========= [eth0] --- beta
    alpha --- [eth0] ==== [left] router [right] ==== [eth0] --- beta

usage: ports_test.py SADDLED VICTIM SADDLE_PING KIND
"""
import pathlib
import signal
import subprocess
import sys

import harness
import hosts
import netns
from harness import EAGER, expect, expect_equal

SADDLED, VICTIM, PING = (pathlib.Path(word) for word in sys.argv[1:4])
TCP_BYTES = 8 << 20
UDP_QUESTIONS = 200
EXCHANGES = 40  # every size of message, and every operation on memory, in both directions

SOON_DEAD = "keepalive: 200ms\n    dead_after: 1s"

UNREACHED = 3  # exit status of saddle-ping
PINGS = 10

KIND = hosts.KINDS[sys.argv[4]]


def exchange(left, right):
    """All operations both ways, over both families."""
    for address in (right.address, right.address6):
        with hosts.exchanging(VICTIM, left, right, "--host", address) as honest:
            honest.check_progress(EXCHANGES)


def served(left, right, address):
    try:
        with hosts.exchanging(VICTIM, left, right, "--host", address):
            return True
    except harness.Failure as failure:
        expect("connect:" in str(failure), str(failure))
        return False


def await_served(left, right):
    """A call may fail as long as what was before is not known to be dead."""
    for address in (right.address, right.address6):
        harness.await_true(lambda host=address: served(left, right, host), "a call succeeds")


def beside(left, right):
    """What the kernel's own stack does on the same cable: everything arrives, once and whole."""
    spaces = left.space, right.space
    expect_equal([spaces[0].ping(address, 20) for address in (right.address, right.address6)],
                 [20, 20], "pings answered")
    expect_equal(spaces[1].ping(left.address, 20), 20, "pings answered the other way")
    netns.tcp_exchange(*spaces, right.address, TCP_BYTES)
    expect_equal(netns.udp_exchange(*spaces, right.address, UDP_QUESTIONS), UDP_QUESTIONS,
                 "questions answered")


def test_everything_both_ways():
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network) as (left, right):
        exchange(left, right)


def reload(host, before, after, outcome):
    """Changes a word of the file, and has the daemon read it again."""
    path = host.folder.path / "saddled.yaml"
    count = host.daemon.text().count(outcome)
    text = path.read_text()
    expect(before in text, f"{before} in {text}")
    path.write_text(text.replace(before, after))
    host.daemon.process.send_signal(signal.SIGHUP)
    harness.await_true(lambda: host.daemon.text().count(outcome) > count, outcome)


def test_another_configuration():
    """Engines go on in other threads; made anew they reach each other again, where they can be."""
    mode = "dedicated" if harness.MODE == "spreading" else "spreading"
    more = f"{SOON_DEAD}\n    window: 99\n    udp_port: {hosts.UDP_PORT}"
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network, engine=more) as (left, right):
        with hosts.exchanging(VICTIM, left, right, EAGER, "--host", right.address) as honest:
            for before, after in ((harness.MODE, mode), (mode, harness.MODE)):
                for host in (left, right):
                    reload(host, f"mode: {before}", f"mode: {after}", "configuration: read again")
                    honest.check_progress(EXCHANGES)
        if isinstance(KIND, hosts.Owned):
            reload(left, "window: 99", "window: 98", "window needs a restart")
        else:
            reload(left, "window: 99", "window: 98", "configuration: read again")
            reload(left, f"udp_port: {hosts.UDP_PORT}", "udp_port: 7", "udp_port needs a restart")
            await_served(left, right)
        exchange(left, right)


def test_sizes_of_packets():
    """Smaller than usual; and what the port takes on any kernel."""
    for mtu in (1280, KIND.mtu_max):
        with netns.network(KIND.network, mtu=mtu) as network, \
                hosts.running(SADDLED, KIND, network) as (left, right):
            exchange(left, right)


def test_packets_larger_than_that():
    """Either they work as well, or one line says that they do not; drivers may have something to
    add."""
    with netns.network(KIND.network, mtu=9000) as network:
        try:
            with hosts.running(SADDLED, KIND, network) as (left, right):
                exchange(left, right)
        except hosts.Refused as refused:
            line = refused.text.splitlines()[-1]
            expect("error: port eth" in line and "9000" in line and "mtu" in line, refused.text)


def test_kernel_beside():
    """The kernel's own traffic is not disturbed by Saddle at full rate, nor the other way round."""
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network) as (left, right):
        with hosts.exchanging(VICTIM, left, right, EAGER) as first, \
                hosts.exchanging(VICTIM, left, right, EAGER, "--service", "second") as second:
            for _ in range(3):
                beside(left, right)
                first.check_progress()
                second.check_progress()


def test_loss_on_the_way():
    with netns.network(KIND.routed) as network, \
            hosts.running(SADDLED, KIND, network) as (left, right):
        network.lose(5)
        exchange(left, right)
        expect(network.lost() > 0, "the router lost nothing")


def test_interface_down_and_up():
    """Not for long enough to be taken for dead: whatever was under way goes on."""
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network) as (left, right):
        with hosts.exchanging(VICTIM, left, right, EAGER) as honest:
            for host in (left, right):
                honest.check_progress()
                host.space.down("eth0")
                host.space.up("eth0")
                honest.check_progress(EXCHANGES)


def test_link_of_the_router_goes_and_comes():
    """Long enough to be taken for dead: the applications hear of it; the next ones are served."""
    with netns.network(KIND.routed) as network, \
            hosts.running(SADDLED, KIND, network, engine=SOON_DEAD) as (left, right):
        honest = hosts.start_exchanging(VICTIM, left, right, EAGER)
        honest.check_progress()
        network.router.down("right")
        expect("timed out" in honest.end().lower(), "the victim names the reason")
        network.router.up("right")
        await_served(left, right)
        exchange(left, right)


def test_vlan():
    """In one VLAN they find each other; what is in another one is nowhere."""
    with netns.network(KIND.network) as network:
        KIND.use_vlan(network)
        with hosts.running(SADDLED, KIND, network, engine="vlan: 77",
                           peers=KIND.peers(network, vlan=True)) as (left, right):
            exchange(left, right)
            for host in (left, right):
                host.daemon.stop()
            right.options["engine"] = "vlan: 78"
            for host in (left, right):
                host.start()
            why_not(left, right.address, KIND.unseen(right.address))


def why_not(host, address, reason):
    """saddle-ping names this reason why there is no answer."""
    status, output, errors = harness.run([PING, "-c", "1", address], env=host.environment(),
                                         stdin=subprocess.DEVNULL)
    expect_equal((status, output), (UNREACHED, ""), f"a ping of {address}")
    expect(errors.startswith(f"saddle-ping: {address} cannot be reached: {reason}"), errors)


def check_neighbour(space, host, network):
    """The kernel in the namespace and a daemon whose link is its own find each other."""
    for address in (host.address, host.address6):
        expect_equal(space.ping(address, PINGS), PINGS, f"pings of {address} answered")
        expect_equal(space.neighbour_mac(address), KIND.mac(host.index, network),
                     f"where the kernel finds {address}")


def test_kernel_on_the_link():
    """The kernel's own stack is a neighbour: it finds the daemons and they answer its pings; and
    they find it."""
    with netns.network(netns.Bridged) as network, \
            hosts.running(SADDLED, KIND, network) as (left, right):
        for host, space in zip((left, right), network.spaces):
            check_neighbour(space, host, network)
        check_neighbour(left.space, right, network)
        # It is there, and no saddled is; and somebody that nobody has heard of.
        for address in network.kernel[1]:
            why_not(left, address, hosts.silent(address))
        for address in ("10.77.0.200", "fd77::200"):
            why_not(left, address, hosts.NOBODY_THERE)
        exchange(left, right)


def test_kernel_as_router():
    """The kernel's own stack is the gateway: it finds the daemons, also from afar."""
    with netns.network(netns.RoutedBare) as network, \
            hosts.running(SADDLED, KIND, network) as (left, right):
        exchange(left, right)
        for host in (left, right):
            check_neighbour(network.router, host, network)


def test_peer_killed_and_restarted():
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network, engine=SOON_DEAD) as (left, right):
        for _ in range(2):
            honest = hosts.start_exchanging(VICTIM, left, right, EAGER)
            honest.check_progress()
            right.daemon.kill()
            honest.end()
            left.daemon.check_alive()
            if KIND.network is netns.Pair:
                expect_equal(left.space.ping(right.address, 5), 5, "the kernel has the interface")
            right.start()
            await_served(left, right)
            exchange(left, right)


def test_trace_beside():
    """A trace taken beside the daemon has what is the kernel's; and of Saddle's packets what the
    kernel gets to see."""
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network) as (left, right):
        with right.space.trace("eth0") as trace:
            exchange(left, right)
            beside(left, right)
        for words in ("ICMP echo request", "ICMP echo reply", f"> {right.address}"):
            expect(words in trace.text, f"no {words!r} in the trace")
        saddle = [line for line in trace.text.splitlines()
                  if f"{right.address}.{hosts.UDP_PORT}: UDP" in line]
        expect_equal(bool(saddle), KIND.seen, "Saddle's packets in the trace of their receiver")


EVERYWHERE = [test_everything_both_ways, test_another_configuration, test_sizes_of_packets,
              test_packets_larger_than_that, test_vlan, test_peer_killed_and_restarted]
ON_THE_KERNELS_INTERFACE = [test_kernel_beside, test_interface_down_and_up, test_trace_beside]
THROUGH_A_ROUTER = [test_loss_on_the_way, test_link_of_the_router_goes_and_comes]
OF_A_NETWORK = {netns.Pair: ON_THE_KERNELS_INTERFACE, netns.Bridged: [test_kernel_on_the_link],
                netns.PairBare: [test_kernel_as_router], netns.Alone: []}

netns.require()
harness.main(EVERYWHERE + OF_A_NETWORK[KIND.network] + (THROUGH_A_ROUTER if KIND.routed else []))
