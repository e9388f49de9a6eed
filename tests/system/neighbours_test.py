#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Neighbours as operators see them, of a port that the kernel owns, and of one that Saddle does.
Needs root.

    alpha --- [eth0] ========= veth ========= [eth0] --- beta

usage: neighbours_test.py SADDLED VICTIM SADDLE_CONTROL SADDLECTL KIND
"""
import json
import pathlib
import subprocess
import sys

import harness
import hosts
import netns
from harness import expect, expect_equal

SADDLED, VICTIM, CONTROL, SADDLECTL = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
KIND = hosts.KINDS[sys.argv[5]]
OWNER = "saddle" if isinstance(KIND, hosts.Owned) else "kernel"


def listed(host, *words):
    status, output, errors = harness.run(
        [SADDLECTL, "--json", "--socket", host.control, "neighbour", "list", *words],
        stdin=subprocess.DEVNULL)
    expect_equal((status, errors), (0, ""), "neighbour list")
    return json.loads(output)


def place(network, host):
    """The link-layer address of a host."""
    return host.kind.mac(host.index, network) if OWNER == "saddle" else host.space.mac("eth0")


def test_each_other():
    """Each host has the other one in its list, at the right place, for as long as they speak."""
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network, program=CONTROL) as (left, right):
        for host in (left, right):
            expect_equal([(one["port"], one["owner"]) for one in listed(host)["links"]],
                         [("eth", OWNER)], "links")
        for family, address in enumerate((right.address, right.address6)):
            with hosts.exchanging(VICTIM, left, right, "--host", address) as honest:
                honest.check_progress()
                for host, other in ((left, right), (right, left)):
                    found = {one["address"]: one for one in listed(host)["neighbours"]}
                    one = found.get((other.address, other.address6)[family])
                    expect(one, f"{host.index} does not list {other.index}: {found}")
                    expect_equal((one["mac"].lower(), one["owner"], one["port"], one["used"],
                                  one["engine"]),
                                 (place(network, other), OWNER, "eth", True,
                                  hosts.ENGINES[host.index]), "the other one")
                    expect(one["state"] in ("reachable", "stale"), f"{one}")
                honest.check_progress()


netns.require()
harness.main([test_each_other])
