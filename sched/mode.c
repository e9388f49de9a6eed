/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/mode.h"

#include "sched/group.h"

#include <stddef.h>
#include <string.h>

/* The thread with the fewest engines, the first of them if there are several. */
static uint32_t place_evenly(const uint32_t *engines, uint32_t threads)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < threads; i++)
        if (engines[i] < engines[best])
            best = i;
    return best;
}

static bool never_rests(uint64_t idle_ns, uint64_t limit_ns)
{
    (void)idle_ns;
    (void)limit_ns;
    return false;
}

static bool rests_when_idle(uint64_t idle_ns, uint64_t limit_ns)
{
    return idle_ns >= limit_ns;
}

const struct group_mode group_mode_dedicated = {.name = "dedicated",
                                                .place = place_evenly,
                                                .rests = never_rests};
const struct group_mode group_mode_spreading = {.name = "spreading",
                                                .place = place_evenly,
                                                .rests = rests_when_idle};

const struct group_mode *group_mode_by_name(const char *name)
{
    static const struct group_mode *const modes[] = {&group_mode_dedicated, &group_mode_spreading};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(modes[i]->name, name) == 0)
            return modes[i];
    return NULL;
}

const char *group_mode_name(const struct group_mode *mode)
{
    return mode->name;
}
