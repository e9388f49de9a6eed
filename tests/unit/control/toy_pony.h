/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Pony's half of a session, as far as control can see it: made, handed in, handed out, freed. It
 * stands in for the engine in tests of control, and remembers what became of its sessions.
 *
 * Threads: the mailbox functions run on the group's, the rest on the test's.
 */
#ifndef TESTS_UNIT_CONTROL_TOY_PONY_H
#define TESTS_UNIT_CONTROL_TOY_PONY_H

#include "engines/pony/pony.h"

#include <stdatomic.h>

struct toy_pony {
    _Atomic int made;     /* sessions that exist */
    _Atomic int attached; /* of them, in an engine */
    _Atomic int refusal;  /* what attaching and adopting answer: 0 or negative errno */
    _Atomic bool loaded;  /* whether engines know the sessions that they adopted */
    _Atomic int error;    /* what every session says of itself */
    struct pony_session_config last;
};

extern struct toy_pony toy_pony;

#endif
