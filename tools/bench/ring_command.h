/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Subcommands that measure cases one after the other, in rounds: `ring`, between two engines of one
 * daemon, and `wire`, between two daemons. Command line, order, applications and what is written
 * are the same; what a case needs beside is told by a table of functions.
 *
 * Ownership: whatever the functions make, they keep. Threads: the process's first (actor.h).
 */
#ifndef BENCH_RING_COMMAND_H
#define BENCH_RING_COMMAND_H

#include "tools/bench/ring_work.h"

#include <stdio.h>

struct ring_command {
    const struct ring_form *form;
    uint32_t wires; /* that cases are of: in a round those of one follow each other */
    void (*usage)(FILE *out);
    /* Fills in up to RING_CASES_MAX; how many. */
    uint32_t (*plan)(const struct ring_settings *settings, struct ring_outcome *outcomes);
    /* Whether this user may measure what is chosen; if not, says why. NULL: everybody may. */
    bool (*permits)(const struct ring_outcome *outcomes, uint32_t count);
    /* Makes what all cases need; the daemons and hosts for the next one, and nothing that disturbs
     * it; and ends all that, whatever came of the others. Each answers 0 or a negative errno, and
     * `provide` leaves a line in the shared `reason`. */
    int (*open)(const char *saddled);
    int (*provide)(struct ring_shared *shared);
    void (*close)(void);
    void (*floor)(void *arg, int word_fd); /* what a process does of RING_FLOOR */
};

/* The whole of a subcommand; its exit status. */
int ring_run(const struct ring_command *command, int argc, char **argv);

#endif
