/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control.h"

#include "control/module.h"
#include "control/roster.h"
#include "daemon/gateway.h"
#include "daemon/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RULE_BYTES 24u

struct control {
    const struct config *config;
    struct gateway *gateway;
    struct server *server;
    const struct host *host;
    struct daemon_steward *steward;
    struct plant plant;
    struct roster roster;
    struct module_world world;
    struct modules *modules;
    const struct upgrader *upgrader;
    struct upgrades *upgrades;
    const struct losses *losses; /* awaited; NULL: none are */
    uint64_t losses_of;          /* the number of their hand-over */
    char rules[2 * CONFIG_CALLERS_MAX][RULE_BYTES];
    uint32_t rule_count;
    bool forgotten; /* its sockets are another daemon's */
};

static void add(struct gateway_config *gateway, uint32_t *count, const char *option,
                const char *value)
{
    gateway->arguments[(*count)++] = option;
    if (value)
        gateway->arguments[(*count)++] = value;
}

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
        add(gateway, count, option, rule);
    }
}

static void add_names(struct gateway_config *gateway, uint32_t *count, const char *option,
                      const struct schema_list *list)
{
    const struct schema_text *names = list->items;

    for (uint32_t i = 0; i < list->count; i++)
        add(gateway, count, option, names[i].text);
}

static void add_network(const struct config_control *given, struct gateway_config *gateway,
                        uint32_t *count)
{
    const struct config_tls *tls = &given->tls;

    if (given->http.address.text[0]) {
        gateway->http = given->http.address.text;
        add(gateway, count, "--http", NULL);
    }
    if (!tls->address.text[0])
        return;
    gateway->tls = tls->address.text;
    add(gateway, count, "--tls-certificate", tls->certificate.text);
    add(gateway, count, "--tls-key", tls->key.text);
    add(gateway, count, "--tls-authority", tls->authority.text);
    add_names(gateway, count, "--tls-observe", &tls->observe);
    add_names(gateway, count, "--tls-operate", &tls->operate);
}

int control_check(const struct config *config, const struct reason *reason)
{
    struct gateway_config gateway = {0};
    uint32_t count = 0;

    if (!config->control.tls.address.text[0])
        return 0;
    add_network(&config->control, &gateway, &count);
    return gateway_check(config->control.program.text, gateway.arguments, reason);
}

int control_create(struct control **control, const struct config *config, bool takes_over,
                   const struct reason *reason)
{
    const struct config_control *given = &config->control;
    struct gateway_config gateway = {
        .program = given->program.text,
        .socket = given->path.text,
        .mode = (mode_t)given->mode,
        .takes_over = takes_over,
        .kept = takes_over ? NULL : store_kept(STORE_CONTROL),
    };
    struct control *made;
    uint32_t count = 0;
    int error;

    if (!given->path.text[0])
        return 0;
    error = control_check(config, reason);
    if (error)
        return error;
    made = calloc(1, sizeof(*made));
    if (!made || upgrades_create(&made->upgrades)) {
        free(made);
        return reason_set(reason, -ENOMEM, "out of memory");
    }
    made->config = config;
    add_rules(made, &gateway, &count, "--observe", &given->observe);
    add_rules(made, &gateway, &count, "--operate", &given->operate);
    if (given->cpus.text[0])
        add(&gateway, &count, "--cpus", given->cpus.text);
    add_network(given, &gateway, &count);
    error = gateway_create(&made->gateway, &gateway, reason);
    if (error) {
        upgrades_destroy(made->upgrades);
        free(made);
        return error;
    }
    *control = made;
    return 0;
}

void control_offer(const struct control *control, struct parcel_draft *draft)
{
    gateway_offer(control->gateway, draft);
}

int control_adopt(struct control *control, struct parcel *parcel, const struct reason *reason)
{
    return gateway_adopt(control->gateway, parcel, reason);
}

int control_open(struct control *control, const struct reason *reason)
{
    return control ? gateway_open(control->gateway, reason) : 0;
}

struct attach_socket *control_socket(struct control *control)
{
    return control ? gateway_socket(control->gateway) : NULL;
}

void control_forget(struct control *control)
{
    if (!control)
        return;
    gateway_forget(control->gateway);
    control->forgotten = true;
}

static void tick(void *context, uint64_t now)
{
    struct control *control = context;

    if (control->losses && now >= control->losses->until)
        control_complete(control);
    modules_tick(control->modules, now);
    gateway_flush(control->gateway);
}

/* The host runs something else. */
static void follow(void *context)
{
    struct control *control = context;

    host_describe(control->host, &control->plant);
    pulse_follow(control->world.pulse);
    roster_follow(&control->roster, &control->plant, control->world.events);
    events_add(control->world.events, EVENT_CONFIGURATION_APPLIED, NULL, "%u engines in %u groups",
               control->plant.engine_count, control->plant.group_count);
}

/* The file that was to be read again is no good. */
static void tell_refused(void *context, const char *line)
{
    struct control *control = context;

    events_add(control->world.events, EVENT_CONFIGURATION_REFUSED, NULL, "%s", line);
}

int control_start(struct control *control, struct server *server, const struct host *host,
                  struct daemon_steward *steward, const struct reason *reason)
{
    int error;

    if (!control)
        return 0;
    control->server = server;
    control->host = host;
    host_describe(host, &control->plant);
    control->world = (struct module_world){
        .plant = &control->plant,
        .server = server,
        .steward = daemon_steward_table(steward),
        .upgrader = control->upgrader,
        .upgrades = control->upgrades,
    };
    error = modules_create(&control->modules, &control->world);
    if (error)
        return reason_set(reason, error, "control: out of memory");
    control->steward = steward;
    daemon_steward_follow(steward, follow, tell_refused, control);
    roster_follow(&control->roster, &control->plant, NULL);
    server_set_tick(server, tick, control);
    error = gateway_start(control->gateway, server, &control->world, reason);
    if (!error)
        events_add(control->world.events, EVENT_DAEMON_READY, NULL, "%u engines",
                   control->plant.engine_count);
    return error;
}

void control_follow(struct control *control)
{
    if (control && control->modules)
        follow(control);
}

void control_set_upgrader(struct control *control, const struct upgrader *upgrader)
{
    if (control)
        control->upgrader = upgrader;
}

struct upgrades *control_upgrades(struct control *control)
{
    return control ? control->upgrades : NULL;
}

/* As far as they are known. */
static void tell_losses(struct control *control)
{
    struct upgrade_record *upgrade = calloc(1, sizeof(*upgrade));
    struct engine *const *engines;
    uint32_t count;

    if (!upgrade)
        return;
    upgrade->set_count = UPGRADES_SETS_MAX;
    engines = host_engines(control->host, &count);
    losses_describe(control->losses, engines, count, upgrade);
    upgrades_complete(control->upgrades, control->losses_of, upgrade);
    free(upgrade);
}

void control_await_losses(struct control *control, uint64_t number, const struct losses *losses)
{
    if (!control)
        return;
    control->losses = losses;
    control->losses_of = number;
    tell_losses(control);
}

void control_complete(struct control *control)
{
    if (!control || !control->losses)
        return;
    tell_losses(control);
    control->losses = NULL;
}

struct events *control_events(struct control *control)
{
    return control ? control->world.events : NULL;
}

/* Whoever watches hears of it, if he is quick. */
static void tell_stopping(struct control *control)
{
    if (!control->modules || control->forgotten)
        return;
    events_add(control->world.events, EVENT_DAEMON_STOPPING, NULL, "every session ends");
    tick(control, clock_now(&clock_machine));
}

void control_destroy(struct control *control)
{
    if (!control)
        return;
    tell_stopping(control);
    if (control->server)
        server_set_tick(control->server, NULL, NULL);
    if (control->steward)
        daemon_steward_follow(control->steward, NULL, NULL, NULL);
    gateway_destroy(control->gateway);
    modules_destroy(control->modules);
    upgrades_destroy(control->upgrades);
    free(control);
}
