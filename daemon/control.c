/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control.h"

#include "control/module.h"
#include "daemon/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RULE_BYTES 24u

_Static_assert(GATEWAY_ARGUMENTS_MAX >= 2 * (2 * CONFIG_CALLERS_MAX + 1),
               "an option and a value each");

struct control {
    const struct config *config;
    struct gateway *gateway;
    struct server *server;
    struct plant plant;
    struct module_world world;
    struct modules *modules;
    char rules[2 * CONFIG_CALLERS_MAX][RULE_BYTES];
    uint32_t rule_count;
};

static void add_rules(struct control *control, struct gateway_config *gateway, uint32_t *count,
                      const char *option, const struct schema_list *list)
{
    const struct config_caller *callers = list->items;

    for (uint32_t i = 0; i < list->count; i++) {
        char *rule = control->rules[control->rule_count++];

        if (callers[i].any)
            snprintf(rule, RULE_BYTES, "any");
        else if (callers[i].uid != SCHEMA_UNSET)
            snprintf(rule, RULE_BYTES, "uid:%u", (uint32_t)callers[i].uid);
        else
            snprintf(rule, RULE_BYTES, "gid:%u", (uint32_t)callers[i].gid);
        gateway->arguments[(*count)++] = option;
        gateway->arguments[(*count)++] = rule;
    }
}

int control_create(struct control **control, const struct config *config,
                   const struct reason *reason)
{
    const struct config_control *given = &config->control;
    struct gateway_config gateway = {
        .program = given->program.text,
        .socket = given->path.text,
        .mode = (mode_t)given->mode,
    };
    struct control *made;
    uint32_t count = 0;
    int error;

    if (!given->path.text[0])
        return 0;
    made = calloc(1, sizeof(*made));
    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    made->config = config;
    add_rules(made, &gateway, &count, "--observe", &given->observe);
    add_rules(made, &gateway, &count, "--operate", &given->operate);
    if (given->cpus.text[0]) {
        gateway.arguments[count++] = "--cpus";
        gateway.arguments[count++] = given->cpus.text;
    }
    error = gateway_create(&made->gateway, &gateway, reason);
    if (error) {
        free(made);
        return error;
    }
    *control = made;
    return 0;
}

static void tick(void *context, uint64_t now)
{
    struct control *control = context;

    modules_tick(control->modules, now);
    gateway_flush(control->gateway);
}

int control_start(struct control *control, struct server *server, const struct host *host,
                  const struct reason *reason)
{
    int error;

    if (!control)
        return 0;
    control->server = server;
    host_describe(host, &control->plant);
    control->world = (struct module_world){.plant = &control->plant, .server = server};
    error = modules_create(&control->modules, &control->world);
    if (error)
        return reason_set(reason, error, "control: out of memory");
    server_set_tick(server, tick, control);
    return gateway_start(control->gateway, server, &control->world, reason);
}

void control_destroy(struct control *control)
{
    if (!control)
        return;
    if (control->server)
        server_set_tick(control->server, NULL, NULL);
    gateway_destroy(control->gateway);
    modules_destroy(control->modules);
    free(control);
}
