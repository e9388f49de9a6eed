/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/module.h"

#include <errno.h>
#include <stdlib.h>

const struct module *const modules_all[] = {
    &module_system, &module_engines, &module_sessions,
    &module_policy, &module_health,  &module_reflection,
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
    for (uint32_t i = 0; i < MODULE_COUNT && !error; i++) {
        struct rpc_service *service = &all->services[i];

        service->methods = modules_all[i]->methods;
        service->method_count = modules_all[i]->method_count;
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
    for (uint32_t i = 0; i < modules->made; i++)
        modules_all[i]->destroy(modules->services[i].module);
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
