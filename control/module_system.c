/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/module.h"
#include "engines/pony/wire.h"
#include "saddle_v1_system.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <saddle/abi.h>
#include <saddle/saddle.h>

#define VERSION_BYTES 32u
#define METHODS_MAX   64u /* of one module */

void module_find_problems(const struct module_world *world, struct module_problems *problems)
{
    uint32_t stuck;

    problems->count = 0;
    for (uint32_t i = 0; i < world->plant->engine_count; i++) {
        if (!pulse_alive(world->pulse, i))
            snprintf(problems->text[problems->count++], MODULE_PROBLEM_BYTES,
                     "engine %s does not answer its mailbox",
                     world->plant->engines[i].engine->name);
    }
    server_session_count(world->server, &stuck);
    if (stuck > 0)
        snprintf(problems->text[problems->count++], MODULE_PROBLEM_BYTES,
                 "%u sessions wait for an engine that does not let them go", stuck);
    for (uint32_t i = 0; i < problems->count; i++)
        problems->list[i] = problems->text[i];
}

static void get_status(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const struct module_world *world = state;
    Saddle__V1__Status status = SADDLE__V1__STATUS__INIT;
    struct module_problems problems;
    struct rpc_stats stats;
    char version[VERSION_BYTES];
    uint32_t stuck;

    (void)request;
    module_find_problems(world, &problems);
    rpc_stats(world->rpc, &stats);
    snprintf(version, sizeof(version), "%d.%d.%d", SADDLE_VERSION_MAJOR, SADDLE_VERSION_MINOR,
             SADDLE_VERSION_PATCH);
    status.condition = problems.count ? SADDLE__V1__CONDITION__CONDITION_DEGRADED
                                      : SADDLE__V1__CONDITION__CONDITION_OK;
    status.n_problems = problems.count;
    status.problems = problems.list;
    status.version = version;
    status.abi = SADDLE_ABI_VERSION;
    status.wire = WIRE_VERSION_MAX;
    status.pid = (uint32_t)getpid();
    status.uptime_ns = clock_now(&clock_machine) - world->plant->ready_ns;
    status.engines = world->plant->engine_count;
    status.groups = world->plant->group_count;
    status.ports = world->plant->port_count;
    status.sessions = server_session_count(world->server, &stuck);
    status.calls = stats.calls;
    status.calls_refused = stats.refused;
    status.calls_failed = stats.failed;
    status.control_restarts = world->restarts;
    rpc_answer(call, &status.base);
}

static void list_modules(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    Saddle__V1__ListModulesResponse response = SADDLE__V1__LIST_MODULES_RESPONSE__INIT;
    Saddle__V1__Module list[PLANT_MAX], *pointers[PLANT_MAX];
    char *methods[PLANT_MAX][METHODS_MAX];

    (void)state;
    (void)request;
    for (uint32_t i = 0; i < modules_count; i++) {
        const struct module *module = modules_all[i];

        saddle__v1__module__init(&list[i]);
        list[i].name = rpc_text(module->name);
        list[i].about = rpc_text(module->about);
        list[i].methods = methods[i];
        for (uint32_t j = 0; j < module->method_count && j < METHODS_MAX; j++) {
            /* What has no message is not for clients. */
            if (module->methods[j].request)
                methods[i][list[i].n_methods++] = rpc_text(module->methods[j].name);
        }
        pointers[i] = &list[i];
    }
    response.n_modules = modules_count;
    response.modules = pointers;
    rpc_answer(call, &response.base);
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.System/GetStatus",
     .request = &saddle__v1__get_status_request__descriptor,
     .handle = get_status},
    {.name = "saddle.v1.System/ListModules",
     .request = &saddle__v1__list_modules_request__descriptor,
     .handle = list_modules},
};

const struct module module_system = {
    .name = "system",
    .about = "the daemon as a whole",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};
