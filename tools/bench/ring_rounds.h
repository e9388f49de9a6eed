/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The order in which cases are measured: each once in a round, one after the other, so that a
 * change in the machine's speed meets all of them alike; those of one place follow each other,
 * since a daemon is started once for all of them. The work of a case is a process of its own
 * (actor.h).
 *
 * Ownership: outcomes and the command are borrowed; the shared memory stays. Threads: the process's
 * first.
 */
#ifndef BENCH_RING_ROUNDS_H
#define BENCH_RING_ROUNDS_H

#include "tools/bench/ring_command.h"

struct ring_rounds {
    const struct ring_command *command;
    const struct ring_settings *settings;
    struct ring_outcome *outcomes;
    uint32_t count;
    /* Its own. */
    struct ring_shared *shared;
    uint32_t cpu, far_cpu; /* the first and the last that this process may use */
};

/* 0, -ENODEV if there is one processor alone, or another negative errno. */
int ring_rounds_open(struct ring_rounds *rounds);
/* 0, or what the first that failed ended with, whose reason went to standard error. */
int ring_rounds_measure(struct ring_rounds *rounds);

#endif
