/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/placement.h"

#include <errno.h>
#include <string.h>

#define NOWHERE UINT32_MAX

void placement_init(struct placement *placement, struct engine *const *engines, uint32_t count,
                    const uint16_t *hosts)
{
    memset(placement, 0, sizeof(*placement));
    placement->engines = engines;
    placement->count = count < PLACEMENT_ENGINES_MAX ? count : PLACEMENT_ENGINES_MAX;
    placement->hosts = hosts;
}

bool placement_add(void *context, const struct session *session, pid_t pid)
{
    struct placement *placement = context;

    (void)pid;
    for (uint32_t i = 0; i < placement->count; i++) {
        if (placement->engines[i] != session_engine(session))
            continue;
        placement->loads[i].sessions++;
        placement->loads[i].exclusive |= session_exclusive(session);
    }
    return true;
}

static uint32_t find(const struct placement *placement, const char *name)
{
    for (uint32_t i = 0; i < placement->count; i++) {
        if (placement->hosts && placement->hosts[i] == PLACEMENT_NO_HOST)
            continue;
        if (!*name || !strcmp(placement->engines[i]->name, name))
            return i;
    }
    return NOWHERE;
}

/* Whether it has engines, and no sessions itself. */
static bool is_host(const struct placement *placement, uint32_t index)
{
    for (uint32_t i = 0; placement->hosts && i < placement->count; i++) {
        if (i != index && placement->hosts[i] == index)
            return true;
    }
    return false;
}

static bool has_room(const struct placement *placement, uint32_t index, bool exclusive)
{
    return !placement->loads[index].exclusive &&
           (!exclusive || placement->loads[index].sessions == 0);
}

/* The engine of a host with the fewest sessions. */
static uint32_t least(const struct placement *placement, uint32_t host, bool exclusive)
{
    uint32_t found = NOWHERE;

    for (uint32_t i = 0; i < placement->count; i++) {
        if (i == host || placement->hosts[i] != host || !has_room(placement, i, exclusive))
            continue;
        if (found == NOWHERE || placement->loads[i].sessions < placement->loads[found].sessions)
            found = i;
    }
    return found;
}

int placement_choose(const struct placement *placement, const char *name,
                     struct session_owner *owner, struct saddle_attach_reply *reply)
{
    uint32_t found = find(placement, name);

    if (found == NOWHERE)
        return attach_refuse(reply, -ENODEV, "attach: there is no engine \"%s\"", name);
    if (is_host(placement, found))
        found = least(placement, found, owner->exclusive);
    else if (!has_room(placement, found, owner->exclusive))
        found = NOWHERE;
    if (found == NOWHERE)
        return attach_refuse(reply, -EBUSY,
                             owner->exclusive
                                 ? "attach: the policy wants an engine for uid %u's session alone, "
                                   "and there is none without sessions"
                                 : "attach: another's session has the engine to itself, and there "
                                   "is none for uid %u",
                             owner->uid);
    owner->engine = placement->engines[found];
    return 0;
}
