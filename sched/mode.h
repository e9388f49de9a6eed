/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scheduling mode decides. A group asks its mode where an engine goes and when a thread that
 * finds nothing to do may sleep; how threads run engines is the same in every mode (worker.h).
 *
 * Ownership: static tables. Threads: `place` is called by control, `rests` by each of the group's
 * threads; neither keeps state.
 */
#ifndef SCHED_MODE_H
#define SCHED_MODE_H

#include <stdbool.h>
#include <stdint.h>

struct group_mode {
    const char *name; /* as in the configuration */
    /* Chooses the thread for one more engine: `engines` holds how many each thread has, and
     * `threads`, at least 1, is their number. */
    uint32_t (*place)(const uint32_t *engines, uint32_t threads);
    /* May a thread sleep that has found nothing for `idle_ns`, in a group that allows `limit_ns`
     * of that? */
    bool (*rests)(uint64_t idle_ns, uint64_t limit_ns);
};

#endif
