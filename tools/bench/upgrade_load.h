/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that is two applications, one at each end, which have a mixture of messages and
 * operations under way all along (upgrade_mix.h), on many connections in turn. More connections
 * than that may be there: nothing is sent over them but a message each way in the end, which says
 * that they are still what they were.
 *
 * Ownership: the memory is shared with the process, by mmap before it is started, and stays.
 * Threads: one here, one there; what both touch meanwhile is atomic, the rest is read when the
 * process has ended.
 */
#ifndef BENCH_UPGRADE_LOAD_H
#define BENCH_UPGRADE_LOAD_H

#include "tools/bench/actor.h"
#include "tools/bench/tally.h"
#include "tools/bench/upgrade_mix.h"

#include <stdatomic.h>

#define UPGRADE_LOADS 2u   /* one calls from the left, one from the right */
#define LOAD_REASON   448u /* fits into the parent's, with words before it */

struct upgrade_load {
    /* What is asked. Texts are the parent's. */
    uint32_t number, connections;
    uint32_t busy; /* of these, which have turns; the others are idle until the end */
    const char *sockets[MIX_ENDS]; /* of the daemons, left and right; they may be one */
    const char *hosts[MIX_ENDS];
    atomic_bool ending; /* no more turns */

    /* What comes of it. */
    _Atomic uint64_t turns, messages, operations;
    _Atomic uint64_t errors;
    struct tally_faults faults;
    char reason[LOAD_REASON]; /* of the first error */
};

/* NULL: no memory. */
struct upgrade_load *load_create(void);
/* Starts the process, and waits until it is under way: 0, -EINTR, or a negative errno, with a line
 * in `reason` if it said why. */
int load_begin(struct upgrade_load *load, struct actor *actor);
/* Whether it has ended, which it does by itself only if something is wrong. */
bool load_is_over(struct actor *actor);
/* Has it end in order; what could not be is counted. */
void load_finish(struct upgrade_load *load, struct actor *actor);

#endif
