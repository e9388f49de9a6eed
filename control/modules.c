/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/log.h"
#include "control/module.h"

#include <errno.h>
#include <stdlib.h>

const struct module *const modules_all[] = {
    &module_system,     &module_engines,    &module_configuration, &module_policy,
    &module_sessions,   &module_pony,       &module_neighbours,    &module_shaping,
    &module_statistics, &module_events,     &module_upgrades,      &module_metrics,
    &module_health,     &module_reflection,
};
#define MODULE_COUNT (sizeof(modules_all) / sizeof(modules_all[0]))
const uint32_t modules_count = MODULE_COUNT;

struct modules {
    struct module_world *world;
    struct rpc_service services[MODULE_COUNT];
    uint32_t made;
};

int modules_create(struct modules **modules, struct module_world *world)
{
    struct modules *all = calloc(1, sizeof(*all));
    int error = 0;

    if (!all)
        return -ENOMEM;
    all->world = world;
    error = pulse_create(&world->pulse, world->plant);
    if (!error)
        error = events_create(&world->events);
    if (!error)
        server_set_events(world->server, world->events);
    for (uint32_t i = 0; i < MODULE_COUNT && !error; i++) {
        struct rpc_service *service = &all->services[i];

        service->methods = modules_all[i]->methods;
        service->method_count = modules_all[i]->method_count;
        service->module = world;
        if (modules_all[i]->create)
            error = modules_all[i]->create(world, &service->module);
        all->made += !error;
    }
    if (!error)
        error = rpc_create(&world->rpc, all->services, MODULE_COUNT);
    if (error) {
        modules_destroy(all);
        return error;
    }
    *modules = all;
    return 0;
}

void modules_destroy(struct modules *modules)
{
    if (!modules)
        return;
    rpc_destroy(modules->world->rpc);
    modules->world->rpc = NULL;
    for (uint32_t i = 0; i < modules->made; i++) {
        if (modules_all[i]->destroy)
            modules_all[i]->destroy(modules->services[i].module);
    }
    server_set_events(modules->world->server, NULL);
    events_destroy(modules->world->events);
    modules->world->events = NULL;
    pulse_destroy(modules->world->pulse);
    modules->world->pulse = NULL;
    free(modules);
}

void modules_tick(struct modules *modules, uint64_t now)
{
    pulse_tick(modules->world->pulse, now);
    for (uint32_t i = 0; i < modules->made; i++) {
        if (modules_all[i]->tick)
            modules_all[i]->tick(modules->services[i].module, now);
    }
}

void module_log_change(const struct module_world *world, const struct rpc_call *call, int error,
                       const struct steward_answer *answer)
{
    const struct link_caller *caller = rpc_caller(call);
    const struct event_about about = {
        .has_uid = caller->uid != UINT32_MAX,
        .uid = caller->uid,
        .pid = (uint32_t)caller->pid,
    };

    if (error)
        events_add(world->events, EVENT_CONFIGURATION_REFUSED, &about, "%s", answer->line);
    else if (answer->count)
        log_line(LOG_INFO, "configuration: changed by uid %u, process %d (%s)", caller->uid,
                 caller->pid, rpc_method_name(call));
}

bool module_edit(const struct module_world *world, struct rpc_call *call,
                 const struct steward_edit *edit)
{
    const struct steward *steward = world->steward;
    struct steward_answer answer = {0};
    int error;

    if (!steward) {
        rpc_end(call, RPC_UNAVAILABLE, "the configuration of this daemon cannot be reached");
        return false;
    }
    error = steward->ops->edit(steward->context, edit, &answer);
    module_log_change(world, call, error, &answer);
    if (error)
        rpc_end(call, rpc_status_of(error), "%s", answer.line);
    steward_answer_free(&answer);
    return !error;
}
