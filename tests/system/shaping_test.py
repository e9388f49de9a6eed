#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Two hosts over real ports, one of which shapes what it sends; its policy changes under traffic.

    slow user --+                                                  +-- slow user
                +-- [alpha0] -> [alpha: slow | fast] === [beta] ---+
    fast user --+                                                  +-- fast user

As root.

usage: shaping_test.py SADDLED VICTIM SADDLE_CONTROL SADDLECTL KIND
"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys

import harness
import hosts
import netns
from harness import expect, expect_equal

SADDLED, VICTIM, CONTROL, SADDLECTL = (pathlib.Path(word).resolve()
                                       for word in sys.argv[1:5])
KIND = hosts.KINDS[sys.argv[5]]

SLOW, FAST = 12360, 12361  # users
MUCH = 4 << 20  # bytes: at the slow rate more than a minute
SLOW_CLASS = "{{name: slow, rate: {rate}, burst: 64KiB, match: [uid {uid}]}}"

CONFIG = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 64MiB
hugepages: off
ports: [{{name: eth, {port}, packets: 4096}}]
engines:
{engines}
groups: {groups}
policy: [{{any: true, allow: all}}]
control: {{path: {control}, mode: "0666", program: {program}}}
"""
PONY = """\
  - name: {name}
    port: eth
    {{addresses}}
    peers: [{{peers}}]
    dead_after: 60s
"""
SHAPED = """\
  - name: alpha
    kind: shaper
    port: eth
    classes:
      - {slow}
      - {{name: fast, match: [uid {fast}]}}
""" + PONY.format(name="alpha0")
GROUPS = ("[{name: one, mode: spreading, engines: [alpha]},"
          " {name: two, mode: spreading, engines: [alpha0]}]",
          "[{name: one, mode: spreading, engines: [beta]}]")
PLAIN = PONY.format(name="beta")


class Shaping(hosts.Host):
    """The left one has a shaper."""

    def config(self):
        words = {"addresses": self.kind.engine(self.index, self.network),
                 "peers": self.kind.peers(self.network)[1 - self.index],
                 "slow": SLOW_CLASS.format(rate="400kbit", uid=SLOW), "fast": FAST}
        path = self.folder.path / "saddled.yaml"
        path.write_text(CONFIG.format(
            socket=self.socket, port=self.kind.port(self.index, self.network),
            engines=(PLAIN if self.index else SHAPED).format(**words),
            groups=GROUPS[self.index].replace("spreading", harness.MODE),
            control=self.control, program=CONTROL))
        return path

    def tell(self, *words):
        """Result and words of saddlectl."""
        run = subprocess.run([SADDLECTL, "--socket", self.control, *words], text=True,
                             capture_output=True, timeout=harness.PATIENCE_S, check=False)
        return run.returncode, run.stdout, run.stderr

    def must(self, *words):
        code, out, errors = self.tell(*words)
        expect_equal((code, errors), (0, ""), " ".join(words))
        return out

    def classes(self):
        listed = json.loads(self.must("shaping", "list", "--json"))["classes"]
        return {one["name"]: one for one in listed}

    def bytes_of(self, name):
        return int(self.classes()[name].get("bytes", 0))

    def set_class(self, text, engine="alpha"):
        path = self.folder.path / "class.yaml"
        path.write_text(text)
        return self.tell("shaping", "set", engine, str(path))


@contextlib.contextmanager
def running():
    made = []
    with netns.network(KIND.network) as network:
        try:
            for index in range(len(hosts.ENGINES)):
                made.append(Shaping(SADDLED, KIND, network, index))
            yield made
            for host in made:
                host.daemon.check_alive()
                host.daemon.stop()
        except harness.Failure as failure:
            logs = "\n".join(host.daemon.text() for host in made if host.daemon)
            raise harness.Failure(f"{failure}\n{logs}") from failure
        finally:
            for host in made:
                host.remove()


@contextlib.contextmanager
def exchanging(left, right, user):
    """Two applications of this user that exchange all along, as much as they may."""
    honest = harness.Victim(VICTIM, left.socket, user=user, arguments=[
        harness.EAGER, "--other", right.socket, "--service", f"of{user}"])
    try:
        yield honest
        honest.stop()
    finally:
        honest.kill()


def test_a_slow_class_and_another_policy_under_traffic():
    with running() as (left, right):
        with exchanging(left, right, FAST) as fast, exchanging(left, right, SLOW) as slow:
            harness.await_true(lambda: left.bytes_of("fast") > MUCH, "the fast class goes on")
            seen = left.classes()
            expect(0 < int(seen["slow"]["bytes"]) < int(seen["fast"]["bytes"]) // 4,
                   f"the slow class is slow: {seen}")
            expect(int(seen["slow"]["exhausted"]) > 0, "it was out of tokens")
            expect(int(seen["control"]["packets"]) > 0, "acknowledgements are of a class")
            expect(int(seen["root"]["bytes"]) >= int(seen["fast"]["bytes"]), "the root is over all")
            # A class becomes fast while its packets wait, and one goes, whose packets are then of
            # the default one.
            code, _, errors = left.set_class(SLOW_CLASS.format(rate="1Gbit", uid=SLOW))
            expect_equal((code, errors), (0, ""), "shaping set")
            before = left.bytes_of("slow")
            harness.await_true(lambda: left.bytes_of("slow") > before + MUCH, "it is fast now")
            left.must("shaping", "remove", "alpha", "fast")
            harness.await_true(lambda: left.bytes_of("default") > MUCH, "the default class")
            expect("fast" not in left.classes(), "the class is gone")
            for honest in (fast, slow):
                honest.check_progress()
        expect("rate: 1Gbit" in left.must("config", "show"), "the configuration has it")


WRONG = [
    ("{name: x, parent: nobody}", "parent: there is no class \"nobody\""),
    ("{name: x, parent: default}", "there is no class \"default\" that may have others below it"),
    ("{name: a, parent: c}", "class \"a\" is below itself"),
    ("{name: e, parent: d}", "class \"e\" is more than 4 levels below the root"),
    ("{name: x, rate: 0}", "rate: "),
    ("{name: x, rate: 10}", "rate: "),
    ("{name: x, rate: 10MiB}", "rate: "),
    ("{name: x, burst: 64KiB}", "class \"x\" has a burst and no rate"),
    ("{name: x, rate: 1Mbit, burst: 1KiB}", "a burst is less than two frames of port eth"),
    ("{name: x, weight: 0}", "weight: "),
    ("{name: x, priority: 8}", "priority: "),
    ("{name: x, match: [uid]}", "match: \"uid\" is none of"),
    ("{name: x, match: [peer nowhere]}", "match: \"peer nowhere\" is none of"),
    ("{name: x, match: [dscp 64]}", "match: \"dscp 64\" is none of"),
    ("{name: x, match: [kernel dscp 4]}", "match: \"kernel dscp 4\": kernel goes with no other"),
    ("{name: b, parent: a, match: [any]}", "class \"b\" has children"),
    ("{name: control, rate: 1Mbit}", "class \"control\" is built in"),
    ("{name: root, weight: 2}", "class \"root\" is over all"),
    ("{rate: 1Mbit}", "name"),
    ("{", ""),
]


def check_refused(outcome, wanted, what):
    code, out, errors = outcome
    expect(code != 0 and not out, f"{what}: {code} {out}")
    expect_equal(errors.count("\n"), 1, f"{what}: lines in {errors!r}")
    expect(wanted in errors, f"{what}: {errors}")


def test_bad_input():
    with running() as (left, _):
        for text in ("{name: a}", "{name: b, parent: a}", "{name: c, parent: b}",
                     "{name: d, parent: c}"):
            expect_equal(left.set_class(text)[0], 0, text)
        before = left.must("config", "show")
        for text, wanted in WRONG:
            check_refused(left.set_class(text), wanted, text)
        check_refused(left.set_class("{name: x}", "nobody"), "there is no engine \"nobody\"",
                      "engine")
        check_refused(left.set_class("{name: x}", "alpha0"), "of kind pony, not shaper", "kind")
        check_refused(left.tell("shaping", "remove", "alpha", "x"), "has no class \"x\"", "remove")
        check_refused(left.tell("shaping", "remove", "alpha", "a"), "class \"b\": parent", "remove")
        check_refused(left.tell("shaping", "list", "--engine", "x"), "no engine \"x\"", "list")
        expect_equal(left.must("config", "show"), before, "nothing has changed")
        expect_equal(len(left.classes()), 9, "classes")


def main():
    expect(os.geteuid() == 0, "network namespaces need root")
    harness.main([test_a_slow_class_and_another_policy_under_traffic, test_bad_input])


if __name__ == "__main__":
    main()
