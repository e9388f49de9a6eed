/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/progress.h"

#include <stdatomic.h>

static struct progress_seen look(const struct engine *engine)
{
    return (struct progress_seen){
        .engine = engine,
        .runs = atomic_load_explicit(&engine->runs, memory_order_relaxed),
        .rests = atomic_load_explicit(&engine->rests, memory_order_relaxed),
    };
}

static bool gets_on(const struct progress *before, const struct progress_seen *now)
{
    if (now->rests % 2)
        return true;
    for (uint32_t i = 0; i < before->count; i++) {
        const struct progress_seen *seen = &before->seen[i];

        if (seen->engine == now->engine)
            return seen->runs != now->runs || seen->rests != now->rests;
    }
    return true;
}

bool progress_check(struct progress *progress, struct engine *const *engines, uint32_t count,
                    const struct engine **stuck)
{
    struct progress now = {0};
    bool well = true;

    for (; now.count < count && now.count < PROGRESS_ENGINES_MAX; now.count++) {
        struct progress_seen *seen = &now.seen[now.count];

        *seen = look(engines[now.count]);
        if (well && !gets_on(progress, seen)) {
            *stuck = seen->engine;
            well = false;
        }
    }
    *progress = now;
    return well;
}
