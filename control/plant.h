/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The plant: what runs in this daemon, as modules see it. Modules know no configuration and no way
 * to make a port; the daemon does, and fills this in, anew whenever what runs has changed.
 *
 * Ownership: the daemon's; everything it names lives until it is filled in anew, so that nobody
 * keeps a name or a position beyond one generation. Threads: control's.
 */
#ifndef CONTROL_PLANT_H
#define CONTROL_PLANT_H

#include "engines/neighbour_page.h"
#include "engines/port.h"
#include "sched/engine.h"
#include "sched/group.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PLANT_MAX         64u /* engines, groups, ports */
#define PLANT_NODES_BYTES 32u

struct plant_engine {
    struct engine *engine;
    const char *group, *port; /* by name */
};

struct plant_group {
    const struct group *group;
    const char *name, *mode, *cpus; /* as configured; cpus "" for any */
    char nodes[PLANT_NODES_BYTES];  /* of memory, that its threads run on: "0-1", or "any" */
};

/* Who keeps the table of the hosts on a port's link. */
struct plant_neighbours {
    neighbour_view_fn *view; /* NULL: nobody */
    void *context;
    bool by_engine; /* it is called on the thread of the port's engine, else on control's */
};

struct plant_port {
    const struct port *port;
    const char *name, *driver;
    const char *interface; /* the kernel's beneath, or "" */
    const char *owner;     /* of addresses and neighbours: "kernel", "saddle", "nobody" */
    const char *engine;    /* "" if none has it */
    struct plant_neighbours neighbours;
    char node[PLANT_NODES_BYTES]; /* that its device is on, or "any" */
};

struct plant {
    struct plant_engine engines[PLANT_MAX];
    struct plant_group groups[PLANT_MAX];
    struct plant_port ports[PLANT_MAX];
    uint32_t engine_count, group_count, port_count;
    uint64_t generation; /* counts how often it was filled in */
    uint64_t ready_ns;   /* CLOCK_MONOTONIC, since when it runs */
};

/* The position of an engine by its name, or -1. */
static inline int plant_find_engine(const struct plant *plant, const char *name)
{
    for (uint32_t i = 0; i < plant->engine_count; i++) {
        if (!strcmp(plant->engines[i].engine->name, name))
            return (int)i;
    }
    return -1;
}

#endif
