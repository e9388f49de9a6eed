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

#include "control/plant.h"
#include "control/pulse.h"
#include "control/rpc.h"
#include "control/server.h"

/* What modules are given. */
struct module_world {
    const struct plant *plant;
    struct server *server;
    struct rpc *rpc;
    struct pulse *pulse; /* of the engines, set by modules_create */
    uint64_t restarts;   /* of saddle-control */
};

struct module {
    const char *name;  /* "system" */
    const char *about; /* one line */
    const struct rpc_method *methods;
    uint32_t method_count;
    /* Makes what the methods are given. 0 or a negative errno. */
    int (*create)(struct module_world *world, void **state);
    void (*destroy)(void *state);
    /* About once a second: streams send what is new. May be NULL. */
    void (*tick)(void *state, uint64_t now);
};

extern const struct module module_system;     /* saddle.v1.System */
extern const struct module module_engines;    /* saddle.v1.Engines, Groups, Ports */
extern const struct module module_sessions;   /* saddle.v1.Sessions */
extern const struct module module_policy;     /* saddle.v1.Policy */
extern const struct module module_health;     /* grpc.health.v1.Health */
extern const struct module module_reflection; /* grpc.reflection.v1 and v1alpha */

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

#endif
