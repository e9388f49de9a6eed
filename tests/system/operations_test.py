#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of operation over real ports that lose packets. Needs root.

    operations --- alpha --- [eth0] ====== veth ====== [eth0] --- beta --- operations
                         loses 1 %                  loses 1 %

usage: operations_test.py SADDLED OPERATIONS SADDLE_CONTROL SADDLECTL KIND
"""
import json
import pathlib
import subprocess
import sys

import harness
import hosts
import netns
from harness import expect, expect_equal

SADDLED, OPERATIONS, CONTROL, SADDLECTL = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
KIND = hosts.KINDS[sys.argv[5]]
ROUNDS = 5  # of each kind and direction, eight operations each


def counters(host):
    status, output, errors = harness.run(
        [SADDLECTL, "--json", "--socket", host.control, "stats", "get",
         f"engine/{hosts.ENGINES[host.index]}"], stdin=subprocess.DEVNULL)
    expect_equal((status, errors), (0, ""), "stats get")
    return {one["name"]: int(one["value"])
            for owner in json.loads(output)["engines"] for one in owner["counters"]}


def check_with(impair):
    """All operations over both families; packets were lost both ways, and nothing else was."""
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network, program=CONTROL,
                          port=f"impair: {impair}") as (left, right):
        for here, there in ((left.address, right.address), (left.address6, right.address6)):
            status, output, errors = harness.run(
                [OPERATIONS, left.socket, right.socket, here, there, str(ROUNDS)])
            expect_equal((status, errors), (0, ""), f"operations with {there}")
            counts = [line.rpartition(": ")[2] for line in output.splitlines()]
            expect(len(counts) > 10 and set(counts) == {str(2 * 8 * ROUNDS)}, output)
        for host in (left, right):
            harness.await_true(lambda one=host: counters(one)["connections"] == 0,
                               "all connections are gone")
        for host, other in ((left, right), (right, left)):
            sent, taken = counters(host), counters(other)
            expect(sent["retransmissions"] > 0, f"{hosts.ENGINES[host.index]} sent nothing again")
            expect_equal((sent["operations"], sent["violations"], sent["peer_violations"],
                          sent["messages_failed"], sent["payload_damaged"]), (0,) * 5,
                         "what is left, and what went wrong")
            if "duplicate" not in impair:
                expect(sent["tx_packets"] > taken["rx_packets"], "nothing was lost")


def test_loss():
    check_with("{loss: 1%}")


def test_loss_duplicates_and_reordering():
    check_with("{loss: 1%, duplicate: 1%, reorder: 2%, reorder_by: 300us}")


netns.require()
harness.main([test_loss, test_loss_duplicates_and_reordering])
