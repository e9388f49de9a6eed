/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the engines get on: an engine is stuck when since the last look it has had no
 * turn, and its thread does not sleep and did not.
 *
 * Ownership: the caller's; plain data. Threads: control; it reads what engines and their threads
 * publish, and never waits for them. Trust: none is involved.
 */
#ifndef DAEMON_PROGRESS_H
#define DAEMON_PROGRESS_H

#include "sched/engine.h"

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_ENGINES_MAX 64u

/* Zero it first. */
struct progress {
    struct progress_seen {
        const struct engine *engine;
        uint64_t runs;
        uint64_t rests;
    } seen[PROGRESS_ENGINES_MAX];
    uint32_t count;
};

/* `engines` are those in groups, PROGRESS_ENGINES_MAX at most. True if each engine has had a turn
 * since the last look, or is new since then, or sleeps. Else *stuck is one that has not. */
bool progress_check(struct progress *progress, struct engine *const *engines, uint32_t count,
                    const struct engine **stuck);

#endif
