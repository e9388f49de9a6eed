/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The plant: what runs in this daemon, as modules see it. Modules know no configuration and no way
 * to make a port; the daemon does, and fills this in.
 *
 * Ownership: the daemon's; everything it names outlives it. Threads: control's.
 */
#ifndef CONTROL_PLANT_H
#define CONTROL_PLANT_H

#include "engines/port.h"
#include "sched/engine.h"
#include "sched/group.h"

#include <stdint.h>

#define PLANT_MAX 64u /* engines, groups, ports */

struct plant_engine {
    struct engine *engine;
    const char *group, *port; /* by name */
};

struct plant_group {
    const struct group *group;
    const char *name, *mode, *cpus; /* as configured; cpus "" for any */
    uint64_t idle_ns;
};

struct plant_port {
    const struct port *port;
    const char *name, *driver;
    const char *interface; /* the kernel's beneath, or "" */
    const char *owner;     /* of addresses and neighbours: "kernel", "saddle", "nobody" */
    const char *engine;    /* "" if none has it */
};

struct plant {
    struct plant_engine engines[PLANT_MAX];
    struct plant_group groups[PLANT_MAX];
    struct plant_port ports[PLANT_MAX];
    uint32_t engine_count, group_count, port_count;
    uint64_t ready_ns; /* CLOCK_MONOTONIC, since when it runs */
};

#endif
