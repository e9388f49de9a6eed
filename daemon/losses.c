/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/losses.h"

#include <stdio.h>
#include <string.h>

#define STATS_MAX  128u              /* counters of one engine or port */
#define SENT_AGAIN "retransmissions" /* an engine's counter */

_Static_assert(HANDOVER_SETS_MAX == UPGRADES_SETS_MAX, "a set has one number in both");

/* A port's counters. What found no buffer is among what the kernel dropped. */
static const char *const missed_names[] = {"kernel_rx_dropped", "kernel_rx_ring_full"};

static bool is_missed(const char *name)
{
    for (uint32_t i = 0; i < sizeof(missed_names) / sizeof(missed_names[0]); i++) {
        if (!strcmp(name, missed_names[i]))
            return true;
    }
    return false;
}

uint64_t losses_missed_by(const struct port *port)
{
    struct port_stat stats[STATS_MAX];
    uint32_t count = port->ops->stats ? port->ops->stats(port, stats, STATS_MAX) : 0;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count && i < STATS_MAX; i++) {
        if (is_missed(stats[i].name))
            sum += stats[i].value;
    }
    return sum;
}

static uint64_t sent_again(const struct engine *engine)
{
    struct engine_stat stats[STATS_MAX];
    uint32_t count = engine->ops->stats(engine, stats, STATS_MAX);

    for (uint32_t i = 0; i < count && i < STATS_MAX; i++) {
        if (!strcmp(stats[i].name, SENT_AGAIN))
            return stats[i].value;
    }
    return 0;
}

/* Counters that began anew meanwhile say nothing. */
static uint64_t growth(uint64_t before, uint64_t after)
{
    return after > before ? after - before : 0;
}

void losses_adopted(struct losses *losses, uint32_t set, uint64_t missed)
{
    losses->before[set] = missed;
    losses->missed[set] = 0;
}

static struct losses_engine *find(struct losses *losses, const char *name)
{
    for (uint32_t i = 0; i < losses->engine_count; i++) {
        if (!strcmp(losses->engines[i].name, name))
            return &losses->engines[i];
    }
    return NULL;
}

void losses_loaded(struct losses *losses, uint32_t set, const struct engine *engine)
{
    struct losses_engine *of = find(losses, engine->name);

    if (!of && losses->engine_count == CONFIG_ENGINES_MAX)
        return;
    if (!of)
        of = &losses->engines[losses->engine_count++];
    snprintf(of->name, sizeof(of->name), "%s", engine->name);
    of->set = set;
    of->before = sent_again(engine);
}

void losses_ran(struct losses *losses, uint32_t set, uint64_t missed, uint64_t now)
{
    losses->missed[set] = growth(losses->before[set], missed);
    losses->until = now + LOSSES_AFTER_NS;
}

static uint64_t sent_again_since(const struct losses_engine *of, struct engine *const *engines,
                                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(engines[i]->name, of->name))
            return growth(of->before, sent_again(engines[i]));
    }
    return 0;
}

void losses_describe(const struct losses *losses, struct engine *const *engines, uint32_t count,
                     struct upgrade_record *upgrade)
{
    for (uint32_t i = 0; i < upgrade->set_count; i++) {
        upgrade->sets[i].missed = losses->missed[i];
        upgrade->sets[i].retransmitted = 0;
    }
    for (uint32_t i = 0; i < losses->engine_count; i++) {
        const struct losses_engine *of = &losses->engines[i];

        if (of->set < upgrade->set_count)
            upgrade->sets[of->set].retransmitted += sent_again_since(of, engines, count);
    }
}
