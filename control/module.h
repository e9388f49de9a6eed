/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: what operators can ask of one part of the daemon. A module is a table of methods, and
 * what they need; it reaches engines through their mailboxes alone (SOSP'19 section 2.3).
 *
 * Ownership: modules_create makes the state of all modules, which lives as long as the daemon
 * serves. Threads: control's. Trust: requests are strangers', unpacked and bounded (rpc.h).
 */
#ifndef CONTROL_MODULE_H
#define CONTROL_MODULE_H

#include "control/events.h"
#include "control/plant.h"
#include "control/pulse.h"
#include "control/rpc.h"
#include "control/server.h"
#include "control/steward.h"
#include "control/upgrader.h"
#include "control/upgrades.h"

/* What modules are given. */
struct module_world {
    const struct plant *plant;
    struct server *server;
    struct rpc *rpc;
    const struct steward *steward;   /* NULL: the configuration cannot be reached */
    const struct upgrader *upgrader; /* NULL: the daemon cannot be asked for one */
    const struct upgrades *upgrades; /* NULL: none is remembered */
    struct pulse *pulse;             /* of the engines, set by modules_create */
    struct events *events;           /* likewise */
    uint64_t restarts;               /* of saddle-control */
};

struct module {
    const char *name;  /* "system" */
    const char *about; /* one line */
    const struct rpc_method *methods;
    uint32_t method_count;
    /* Makes what the methods are given: 0 or a negative errno. NULL, as is `destroy` then: they are
     * given the world. */
    int (*create)(struct module_world *world, void **state);
    void (*destroy)(void *state);
    /* About once a second: streams send what is new. May be NULL. */
    void (*tick)(void *state, uint64_t now);
};

/* What is worse than it should be, one line each. */
#define MODULE_PROBLEMS_MAX  (PLANT_MAX + 1)
#define MODULE_PROBLEM_BYTES 128u
struct module_problems {
    char text[MODULE_PROBLEMS_MAX][MODULE_PROBLEM_BYTES];
    char *list[MODULE_PROBLEMS_MAX];
    uint32_t count;
};
void module_find_problems(const struct module_world *world, struct module_problems *problems);

extern const struct module module_system;        /* saddle.v1.System */
extern const struct module module_engines;       /* saddle.v1.Engines, Groups, Ports */
extern const struct module module_configuration; /* saddle.v1.Configuration */
extern const struct module module_policy;        /* saddle.v1.Policy */
extern const struct module module_sessions;      /* saddle.v1.Sessions */
extern const struct module module_pony;          /* saddle.v1.Peers, Flows, Connections, Regions */
extern const struct module module_neighbours;    /* saddle.v1.Neighbours */
extern const struct module module_shaping;       /* saddle.v1.Shaping */
extern const struct module module_statistics;    /* saddle.v1.Statistics */
extern const struct module module_events;        /* saddle.v1.Events */
extern const struct module module_upgrades;      /* saddle.v1.Upgrades */
extern const struct module module_metrics;       /* saddle.v1.Metrics, and what HTTP asks for */
extern const struct module module_health;        /* grpc.health.v1.Health */
extern const struct module module_reflection;    /* grpc.reflection.v1 and v1alpha */

/* All of them, in the order in which they are listed. */
extern const struct module *const modules_all[];
extern const uint32_t modules_count;

struct modules;

/* Makes all modules, and the calls that reach them, which world->rpc is set to. `world` is borrowed
 * until modules_destroy. 0 or a negative errno. */
int modules_create(struct modules **modules, struct module_world *world);
/* Ends every call. NULL is fine. */
void modules_destroy(struct modules *modules);
void modules_tick(struct modules *modules, uint64_t now);

/* ---- For modules ---- */

struct openmetrics;
/* What metrics tell of the history. */
void module_upgrades_metrics(struct openmetrics *to, const struct upgrades *upgrades);

/* Has the steward change the configuration; false, and the call is over, if it does not. */
bool module_edit(const struct module_world *world, struct rpc_call *call,
                 const struct steward_edit *edit);
/* Says in the log who changed the configuration, if anything has changed, and in the events who was
 * refused. */
void module_log_change(const struct module_world *world, const struct rpc_call *call, int error,
                       const struct steward_answer *answer);

#endif
