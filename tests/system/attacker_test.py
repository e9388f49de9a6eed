#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Every lie of the attacker, told to a daemon that serves a victim.

    attacker --- [alpha] ===== [beta] --- attacker's partner
    victim   --- [alpha] ===== [beta] --- victim's other end

The daemon lives, the victim sees no error, and what the attacker took is given back.

usage: attacker_test.py SADDLED VICTIM ATTACKER [CASE]...
"""
import functools
import sys

import harness

RESIDENT_GROWTH_KIB = 64 * 1024  # over all cases; a leak of one arena per session is far more


def attack(daemon, victim, attacker, descriptors, case):
    status, _, errors = harness.run(
        [attacker, "--socket", daemon.folder.socket, "--case", case])
    daemon.check_alive()
    harness.expect_equal((status, errors), (0, ""), f"attack {case}")
    victim.check_progress()
    daemon.check_descriptors(descriptors, case)
    print(f"ok      {case}", flush=True)


def attack_all(saddled, victim_path, attacker, cases):
    # Some cases wait for the daemon's patience to end.
    with harness.running(saddled, victim_path, handshake="500ms") as (daemon, victim):
        victim.check_progress()
        descriptors = daemon.descriptors()
        resident = 0
        for case in cases:
            attack(daemon, victim, attacker, descriptors, case)
            resident = resident or daemon.resident_kib()
        growth = daemon.resident_kib() - resident
        harness.expect(growth < RESIDENT_GROWTH_KIB, f"saddled grew by {growth} KiB")


def main():
    saddled, victim, attacker, *cases = sys.argv[1:]
    if not cases:
        _, listed, _ = harness.run([attacker, "--list"])
        cases = listed.split()
    test = functools.partial(attack_all, saddled, victim, attacker, cases)
    test.__name__ = "attack"
    harness.main([test])


main()
