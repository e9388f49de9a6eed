#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Rights and quotas of a real daemon: what an application may not do is refused, by name, and what
it may do goes on; two honest applications beside it notice nothing.

    application --- [alpha] ===== [beta] --- application
    victim      --- [alpha] ===== [beta] --- victim's other end

usage: policy_test.py SADDLED VICTIM RIGHTS_CLIENT SADDLE_CONTROL SADDLECTL
"""
import contextlib
import json
import os
import pathlib
import sys

import harness
from harness import expect, expect_equal
from rights import Application, applications

SADDLED, VICTIM, CLIENT, CONTROL, SADDLECTL = (pathlib.Path(word).resolve()
                                               for word in sys.argv[1:6])
# Users and groups that are nobody's.
BARE, LISTENER, CALLER, EXPOSER, SPEAKER, USELESS, STRANGER = range(12340, 12347)
CLUB = 12400
RULES = f"""\
policy:
  - {{gid: {CLUB}, allow: attach}}
  - {{uid: {LISTENER}, allow: [attach, listen]}}
  - {{uid: {CALLER}, allow: [connect, attach]}}
  - {{uid: {EXPOSER}, allow: expose}}
  - {{uid: {USELESS}, allow: [listen, connect, expose]}}
  - {{uid: {SPEAKER}, allow: all}}
"""
EXPLAINED = {"listen": "no right to listen", "connect": "no right to connect"}


def lines_of(daemon, *words):
    status, output, errors = harness.run(
        [SADDLECTL, "--socket", daemon.folder.socket.parent / "control.sock", "--json", *words])
    expect_equal((status, errors), (0, ""), f"{words}")
    return json.loads(output)


@contextlib.contextmanager
def running(extra="", limits=None, victim=True):
    """A daemon with a control socket. Its engines' counters are in `counters` after the block."""
    folder = harness.Folder()
    daemon = honest = None
    try:
        control = f"control: {{path: {folder.socket.parent}/control.sock, program: {CONTROL}}}\n"
        path = folder.config(extra=extra + control)
        if limits:
            path.write_text(path.read_text().replace("limits: {", f"limits: {{{limits}, "))
        stats = folder.path / "stats.json"
        daemon = harness.Daemon(SADDLED, path, folder, ["--stats-file", stats])
        daemon.counters = {}
        honest = harness.Victim(VICTIM, folder.socket) if victim else None
        yield daemon
        if honest:
            honest.check_progress()
            honest.stop()
        daemon.stop()
        daemon.counters.update(json.loads(stats.read_text())["engines"])
    finally:
        for process in (honest, daemon):
            if process:
                process.kill()
        folder.remove()


def test_attach_alone():
    """It has a session, and may ping; nothing else, however often it tries."""
    with running(RULES) as daemon:
        with applications(CLIENT, daemon.folder.socket, ("alpha", BARE, CLUB)) as (bare,):
            for _ in range(3):
                bare.may_not("listen mine", explanation=EXPLAINED["listen"])
                bare.may_not("connect beta mine", explanation=EXPLAINED["connect"])
                bare.may_not("expose 4096")
                bare.may("ping beta")
    counted = daemon.counters
    expect_equal((counted["alpha"]["commands_denied"], counted["beta"]["commands_denied"]), (9, 0),
                 "denied")
    expect_equal(counted["alpha"]["violations"], 0, "sessions that broke a rule")


def test_each_right():
    """One user may listen, another call; the two speak, and neither does more. The rights of all
    rules that name a process are added up."""
    with running(RULES) as daemon:
        with applications(CLIENT, daemon.folder.socket, ("alpha", CALLER), ("beta", LISTENER),
                          ("beta", EXPOSER, CLUB)) as (caller, listener, exposer):
            listener.may("listen echo")
            caller.may_not("listen echo", explanation=EXPLAINED["listen"])
            listener.tell("accept")
            caller.may("connect beta echo")
            expect_equal(listener.line(), "accept: 0", "the listener")
            listener.may_not("connect alpha echo", explanation=EXPLAINED["connect"])
            for one in (caller, listener):
                one.may_not("expose 4096")
            for sender, receiver in ((caller, listener), (listener, caller)):
                sender.may("send")
                receiver.may("receive")
            exposer.may("expose 4096")
            exposer.may_not("listen other", explanation=EXPLAINED["listen"])
            exposer.may_not("connect alpha echo", explanation=EXPLAINED["connect"])
            rights = {one["uid"]: one["rights"]
                      for one in (lines_of(daemon, "session", "show", str(listed["id"]))
                                  for listed in lines_of(daemon, "session", "list")["sessions"])}
            expect_equal([rights[uid] for uid in (CALLER, LISTENER, EXPOSER, os.geteuid())],
                         [["attach", "connect"], ["attach", "listen"], ["attach", "expose"],
                          ["attach", "listen", "connect", "expose"]], "rights of sessions")


def test_no_attach():
    """Nobody's rule, and rules that grant everything but a session."""
    with running(RULES) as daemon:
        for uid, granted in ((STRANGER, "nothing"), (USELESS, "listen, connect, expose")):
            refused = Application(CLIENT, daemon.folder.socket, "alpha", uid)
            expect(refused.attached.startswith("attach: EACCES: ")
                   and f"uid {uid}" in refused.attached and granted in refused.attached,
                   refused.attached)
            refused.process.communicate(timeout=harness.PATIENCE_S)
            expect_equal(refused.process.returncode, 3, "its exit status")


def test_everything():
    with running(RULES) as daemon:
        with applications(CLIENT, daemon.folder.socket, ("alpha", SPEAKER),
                          ("beta", SPEAKER)) as (one, other):
            for application in (one, other):
                application.may("expose 4096")
            other.may("listen echo")
            other.tell("accept")
            one.may("connect beta echo")
            expect_equal(other.line(), "accept: 0", "the listener")


QUOTAS = ("sessions_per_uid: 3, connections_per_session: 1, listeners_per_session: 2, "
          "regions_per_session: 2, exposed_per_session: 64KiB")


def test_quotas():
    """What is beyond is refused; the session and its other things stay."""
    with running(limits=QUOTAS, victim=False) as daemon:
        with applications(CLIENT, daemon.folder.socket, ("alpha",), ("beta",),
                          ("alpha",)) as (caller, callee, other):
            callee.may("listen echo")
            callee.may("listen second")
            callee.may_not("listen third", "EDQUOT", "quota")
            callee.tell("accept")
            caller.may("connect beta second")
            expect_equal(callee.line(), "accept: 0", "the listener")
            caller.may_not("connect beta second", "EDQUOT", "quota")
            # The callee has no room for another: who calls hears a refusal.
            other.may_not("connect beta second", "ECONNREFUSED")
            caller.may("expose 65536")
            caller.may_not("expose 1", "EDQUOT")
            other.may("expose 4096")
            other.may("expose 4096")
            other.may_not("expose 4096", "EDQUOT")
            caller.may("send")
            callee.may("receive")
            fourth = Application(CLIENT, daemon.folder.socket, "alpha")
            expect(fourth.attached.startswith("attach: EDQUOT: "), fourth.attached)
            fourth.process.communicate(timeout=harness.PATIENCE_S)
    counted = daemon.counters
    expect_equal((counted["alpha"]["over_quota"], counted["beta"]["over_quota"]), (3, 2),
                 "over quota")
    expect_equal(counted["alpha"]["violations"], 0, "sessions that broke a rule")


def test_shown():
    """What operators see of the policy, and what it would mean for somebody."""
    with running(RULES) as daemon:
        shown = lines_of(daemon, "policy", "show")
        expect_equal([(rule["number"], rule["who"]) for rule in shown["rules"]],
                     list(enumerate([f"gid {CLUB}", *(f"uid {uid}" for uid in (
                         LISTENER, CALLER, EXPOSER, USELESS, SPEAKER))], 1)), "rules")
        expect_equal(shown["rules"][5]["allow"], ["attach", "listen", "connect", "expose"], "all")
        expect_equal((shown["owner"], shown["limits"]["sessions_per_uid"],
                      shown["limits"]["connections_per_session"]), (os.geteuid(), 64, 0), "limits")
        expect_equal([(one["uid"], one["sessions"]) for one in shown["usage"]],
                     [(os.geteuid(), 2)], "who has sessions")
        with applications(CLIENT, daemon.folder.socket, ("alpha", BARE, CLUB)):
            usage = {one["uid"]: one for one in lines_of(daemon, "policy", "show")["usage"]}
            expect_equal(usage[BARE]["sessions"], 1, "its sessions")
            expect(usage[BARE]["arena_bytes"] > 16 << 20, f"its memory: {usage}")
        for words, allowed, rules, trusted in (
                ([STRANGER], [], [], False), ([BARE, CLUB], ["attach"], [1], False),
                ([LISTENER], ["attach", "listen"], [2], False),
                ([EXPOSER, 7, CLUB], ["attach", "expose"], [1, 4], False),
                ([0], ["attach", "listen", "connect", "expose"], [], True)):
            uid, *gids = words
            answer = lines_of(daemon, "policy", "check", "--uid", str(uid),
                              *(word for gid in gids for word in ("--gid", str(gid))))
            expect_equal((answer["allow"], [rule["number"] for rule in answer["rules"]],
                          answer["trusted"]), (allowed, rules, trusted), f"{words}")


# Only root can become somebody else.
AS_OTHERS = [test_attach_alone, test_each_right, test_no_attach, test_everything,
             test_shown] if os.geteuid() == 0 else []

harness.main([*AS_OTHERS, test_quotas])
