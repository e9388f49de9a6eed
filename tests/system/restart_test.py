# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""A daemon that is killed and started again, while an application of the other host goes on.

     alpha, the caller's        beta, killed and started again
    +--------------------+     +--------------------+
    |  survivor (calls)  |     |  survivor (serves) |
    |  saddled           |     |  saddled           |
    |        eth0 -------+-----+------- eth0        |
    +--------------------+     +--------------------+

The caller keeps its session: its connection ends with ECONNRESET as soon as the new daemon has said
that it knows nothing of it, and its next call works. And a caller whose own daemon is killed: it is
told, attaches again, and the other host's connection has ended by then.

usage: restart_test.py SADDLED SURVIVOR KIND
"""
import contextlib
import pathlib
import subprocess
import sys

import harness
import hosts
import netns
from harness import expect_equal

SADDLED, SURVIVOR = (pathlib.Path(word) for word in sys.argv[1:3])
KIND = hosts.KINDS[sys.argv[3]]
RESTARTS = 3
# A start takes less than that, however busy the machine: silence is not what ends connections.
PATIENT = "dead_after: 120s"


class Survivor:
    def __init__(self, host, *arguments):
        self.process = subprocess.Popen(
            [SURVIVOR, "--socket", host.socket, "--service", "stay", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.expect("ready")

    def expect(self, line, perhaps=()):
        """The next line, but for others that may come before."""
        got = self.process.stdout.readline().strip()
        while got in perhaps:
            got = self.process.stdout.readline().strip()
        expect_equal(got, line, "what the application says")

    def check_alive(self):
        expect_equal(self.process.poll(), None, "the application's end")

    def end(self, status):
        self.process.communicate(timeout=harness.PATIENCE_S)
        expect_equal(self.process.returncode, status, "the application's exit status")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def test_the_other_host_restarts():
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network, engine=PATIENT) as (left, right), \
            contextlib.ExitStack() as applications:
        server = Survivor(right)
        applications.callback(server.kill)
        caller = Survivor(left, "--host", right.address)
        applications.callback(caller.kill)
        caller.expect("connected")
        for _ in range(RESTARTS):
            right.daemon.kill()
            server.end(1)
            right.start()
            server = Survivor(right)
            applications.callback(server.kill)
            caller.expect("ended ECONNRESET")
            caller.expect("connected")
            caller.check_alive()
        caller.end(0)
        server.end(0)
        left.daemon.check_alive()


def check_nothing_left(host):
    """Nothing of a daemon that was killed holds the interface, and nothing its UDP port."""
    def link():
        return host.space.run("ip", "-details", "link", "show", "eth0")

    harness.await_true(lambda: "xdp" not in link(), "no XDP program is left")
    listening = host.space.run("ss", "-Hlun")
    harness.expect(f":{hosts.UDP_PORT}" not in listening, f"a socket is left: {listening}")


def test_the_own_daemon_restarts():
    with netns.network(KIND.network) as network, \
            hosts.running(SADDLED, KIND, network, engine=PATIENT) as (left, right), \
            contextlib.ExitStack() as applications:
        server = Survivor(right)
        applications.callback(server.kill)
        caller = Survivor(left, "--host", right.address, "--again")
        applications.callback(caller.kill)
        caller.expect("connected")
        quiet = left.daemon.quiet_descriptors
        for _ in range(RESTARTS):
            left.daemon.kill()
            caller.expect("over ECONNRESET")
            # While it dies there is still somebody who listens, and does not answer.
            caller.expect("refused ECONNREFUSED", perhaps=["refused ECONNRESET"])
            check_nothing_left(left)
            left.start()
            # The socket of the dead one goes before that of the new one is there, and listens.
            caller.expect("ready", perhaps=["refused ENOENT", "refused ECONNREFUSED"])
            # It may have attached before they could be counted.
            left.daemon.quiet_descriptors = quiet
            server.expect("lost ECONNRESET")
            caller.expect("connected")
        server.check_alive()
        caller.end(0)
        server.end(0)
        right.daemon.check_alive()


if __name__ == "__main__":
    netns.require()
    harness.main([test_the_other_host_restarts, test_the_own_daemon_restarts])
