/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that is two more applications, with a connection of their own between them: the one
 * sends a small message at a fixed rate, whatever becomes of it, and the other sends it back. What
 * a round trip takes is told while daemons are replaced.
 *
 * Ownership: the memory is shared with the process, by mmap before it is started, and stays.
 * Threads: one here, one there; the process writes samples and then their number, and what is read
 * here is taken as it was then.
 */
#ifndef BENCH_UPGRADE_PROBE_H
#define BENCH_UPGRADE_PROBE_H

#include "tools/bench/actor.h"
#include "tools/bench/phases.h"

#include <stdatomic.h>
#include <stdbool.h>

#define UPGRADE_PROBE_ENDS 2u
#define UPGRADE_PROBE_LINE 448u
/* Samples that are kept until they are taken: of an hour, and nothing takes that long. */
#define UPGRADE_PROBE_ROOM (1u << 20)

struct upgrade_probe {
    /* What is asked. Texts are the parent's. */
    const char *sockets[UPGRADE_PROBE_ENDS];
    const char *hosts[UPGRADE_PROBE_ENDS];
    atomic_bool ending;

    /* What comes of it. */
    _Atomic uint64_t written; /* samples, in a ring */
    _Atomic uint64_t errors;
    char reason[UPGRADE_PROBE_LINE]; /* of the first one */
    uint64_t taken;                  /* samples; the parent's */
    struct phase_sample samples[UPGRADE_PROBE_ROOM];
};

/* NULL: no memory. */
struct upgrade_probe *upgrade_probe_create(void);
/* Starts the process, and waits until the first message was there and back: 0, -EINTR, or a
 * negative errno, with a line in `reason` if it said why. */
int upgrade_probe_begin(struct upgrade_probe *probe, struct actor *actor);
/* Adds what came since the last call to the phases of a hand-over. 0 or -ENOMEM. */
int upgrade_probe_take(struct upgrade_probe *probe, const struct phase_marks *marks,
                       struct phases *phases);
/* Has it end in order; what could not be is counted. */
void upgrade_probe_finish(struct upgrade_probe *probe, struct actor *actor);

#endif
