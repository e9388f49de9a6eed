# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Applications that do what a test tells them, each as some user: rights_client.c."""
import contextlib
import subprocess

import harness
from harness import expect, expect_equal


class Application:
    """A rights-client, as some user."""

    def __init__(self, client, socket, engine, uid=None, group=None, heap=0, enter=None):
        """With so many bytes of heap, if it is not 0; `enter` is called before it starts."""
        own = {} if uid is None else {"user": uid, "group": group or uid, "extra_groups": []}
        command = [client, socket, engine, *([str(heap)] if heap else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=enter, **own)
        self.attached = self.line()

    def line(self):
        return self.process.stdout.readline().strip()

    def tell(self, command):
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def ask(self, command):
        """What comes of it: "0", or an error's name and an explanation."""
        self.tell(command)
        what, _, outcome = self.line().partition(": ")
        expect_equal(what, command.split()[0], "the answer is of what was asked")
        return outcome

    def call(self, host, service, callee):
        """Connects, and hears from whoever accepts."""
        self.tell(f"connect {host} {service}")
        callee.may("accept")
        expect_equal(self.line(), "connect: 0", f"{service} is called")
        callee.tell("send")
        self.may("receive")
        expect_equal(callee.line(), "send: 0", "it is received")

    def may(self, command):
        expect_equal(self.ask(command), "0", command)

    def may_not(self, command, error="EACCES", explanation=""):
        outcome = self.ask(command)
        expect(outcome.startswith(f"{error}: ") and explanation in outcome,
               f"{command}: {outcome}")

    def stop(self):
        self.process.communicate(timeout=harness.PATIENCE_S)
        expect_equal(self.process.returncode, 0, "its exit status")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def applications(client, socket, *who):
    """Engine, and user and group if they are others, of each; all attach."""
    made = []
    try:
        for one in who:
            made.append(Application(client, socket, *one))
            expect_equal(made[-1].attached, "attach: 0", f"{one}")
        yield made
        for one in made:
            one.stop()
    finally:
        for one in made:
            one.kill()
