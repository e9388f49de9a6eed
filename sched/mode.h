/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scheduling mode decides: how many threads a group has, where they run, where an engine
 * goes, and when a thread sleeps if nobody says so. How threads run engines is the same in every
 * mode (worker.h).
 *
 * Ownership: static tables. Threads: control's.
 */
#ifndef SCHED_MODE_H
#define SCHED_MODE_H

#include "sched/group.h"

#include <stdbool.h>
#include <stdint.h>

struct group_mode {
    const char *name;       /* as in the configuration */
    uint64_t idle_ns;       /* how long a thread finds nothing before it sleeps; GROUP_NEVER */
    bool pins;              /* each thread to one of the group's CPUs */
    bool thread_per_engine; /* named after it; else threads are numbered */
    bool balances;          /* the first thread moves engines among all (leader.h) */
    /* How many threads a group has that has so many engines. */
    uint32_t (*threads)(const struct group_config *config, uint32_t engines);
    /* Chooses the thread for one more engine: `engines` holds how many each thread has, and
     * `threads`, at least 1, is their number. */
    uint32_t (*place)(const uint32_t *engines, uint32_t threads);
};

#endif
