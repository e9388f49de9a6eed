/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/roster.h"

#include <stdio.h>
#include <string.h>

static const struct roster_engine *find(const struct roster *roster,
                                        const struct roster_engine *engine)
{
    for (uint32_t i = 0; i < roster->count; i++) {
        if (roster->engines[i].engine == engine->engine &&
            !strcmp(roster->engines[i].name, engine->name))
            return &roster->engines[i];
    }
    return NULL;
}

static void take_down(struct roster *roster, const struct plant *plant)
{
    roster->count = plant->engine_count;
    for (uint32_t i = 0; i < plant->engine_count; i++) {
        const struct plant_engine *from = &plant->engines[i];
        struct roster_engine *to = &roster->engines[i];

        to->engine = from->engine;
        snprintf(to->name, sizeof(to->name), "%s", from->engine->name);
        snprintf(to->group, sizeof(to->group), "%s", from->group ? from->group : "");
    }
}

void roster_follow(struct roster *roster, const struct plant *plant, struct events *events)
{
    const struct roster before = *roster;

    take_down(roster, plant);
    for (uint32_t i = 0; i < before.count; i++) {
        const struct roster_engine *gone = &before.engines[i];

        if (!find(roster, gone))
            events_add(events, EVENT_ENGINE_DESTROYED, &(struct event_about){.engine = gone->name},
                       "it was in group %s", gone->group);
    }
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct roster_engine *now = &roster->engines[i];
        const struct roster_engine *then = find(&before, now);
        const struct event_about about = {.engine = now->name};

        if (!then)
            events_add(events, EVENT_ENGINE_CREATED, &about, "it is in group %s", now->group);
        else if (strcmp(then->group, now->group) != 0)
            events_add(events, EVENT_ENGINE_MOVED, &about, "from group %s to group %s", then->group,
                       now->group);
    }
}
