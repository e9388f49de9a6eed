/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/mode.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* About what a sleep and a wake-up cost: who looks for so long before it sleeps, pays at most twice
 * what it would have with foresight. */
#define IDLE_NS (20 * NSEC_PER_USEC)

static uint32_t cpus_given(const struct group_config *config)
{
    return (uint32_t)CPU_COUNT(&config->cpus);
}

static uint32_t one_per_cpu(const struct group_config *config, uint32_t engines)
{
    (void)engines;
    if (config->threads)
        return config->threads;
    return cpus_given(config) ? cpus_given(config) : 1;
}

static uint32_t one_per_engine(const struct group_config *config, uint32_t engines)
{
    (void)config;
    return engines;
}

/* More threads than engines would be of no use. */
static uint32_t as_needed(const struct group_config *config, uint32_t engines)
{
    uint32_t limit = config->threads ? config->threads : cpus_given(config);

    if (limit == 0)
        limit = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (engines == 0)
        return 1;
    return engines < limit ? engines : limit;
}

/* The thread with the fewest engines, the first of them if there are several. */
static uint32_t place_evenly(const uint32_t *engines, uint32_t threads)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < threads; i++)
        if (engines[i] < engines[best])
            best = i;
    return best;
}

static uint32_t place_first(const uint32_t *engines, uint32_t threads)
{
    (void)engines;
    (void)threads;
    return 0;
}

const struct group_mode group_mode_dedicated = {
    .name = "dedicated",
    .idle_ns = GROUP_NEVER,
    .pins = true,
    .threads = one_per_cpu,
    .place = place_evenly,
};
const struct group_mode group_mode_spreading = {
    .name = "spreading",
    .idle_ns = IDLE_NS,
    .thread_per_engine = true,
    .threads = one_per_engine,
    .place = place_evenly,
};
const struct group_mode group_mode_compacting = {
    .name = "compacting",
    .idle_ns = IDLE_NS,
    .balances = true,
    .threads = as_needed,
    .place = place_first,
};

const struct group_mode *group_mode_by_name(const char *name)
{
    static const struct group_mode *const modes[] = {&group_mode_dedicated, &group_mode_spreading,
                                                     &group_mode_compacting};

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(modes[i]->name, name) == 0)
            return modes[i];
    return NULL;
}

const char *group_mode_name(const struct group_mode *mode)
{
    return mode->name;
}
