/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/host.h"

#include "control/log.h"
#include "control/placement.h"
#include "daemon/chores.h"
#include "daemon/host_private.h"
#include "engines/port_link.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATS_MAX 128u /* counters of one engine or port */

static_assert(CONFIG_ENGINES_MAX <= GROUP_ENGINES_MAX, "all engines fit into one group");
static_assert(CONFIG_ENGINES_MAX <= PLANT_MAX, "operators see all of them");
static_assert(CONFIG_GROUPS_MAX <= PLANT_MAX, "operators see all of them");
static_assert(CONFIG_PORTS_MAX <= PLANT_MAX, "operators see all of them");
static_assert(TOPOLOGY_TEXT_BYTES == PLANT_NODES_BYTES, "operators see all nodes");

static void say_nodes(const struct topology *topology)
{
    uint32_t count = topology_count(topology);

    if (count == 0)
        log_line(LOG_INFO, "memory: the kernel knows no nodes (NUMA)");
    else
        log_line(LOG_INFO, "memory: %u node%s (NUMA)", count, count == 1 ? "" : "s");
}

int host_create_empty(struct host **host, const struct config *config, struct server *server,
                      const struct reason *reason)
{
    struct host *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    made->opened = made->running.config = config;
    made->server = server;
    topology_init(&made->topology, &topology_machine);
    say_nodes(&made->topology);
    error = ports_create_none(&made->ports, config, &made->topology, reason);
    if (error) {
        host_destroy(made);
        return error;
    }
    *host = made;
    return 0;
}

int host_create(struct host **host, const struct config *config, struct server *server,
                const struct reason *reason)
{
    int error = host_create_empty(host, config, server, reason);

    if (error)
        return error;
    error = ports_make((*host)->ports, UINT64_MAX, reason);
    if (error) {
        host_destroy(*host);
        *host = NULL;
    }
    return error;
}

/* Where the engine that stands for this one's host is. */
static uint32_t stands_for(const struct config *config, uint32_t index)
{
    const struct config_engine *engine = config_engine(config, index);
    const struct config_engine *steer = config_steer_on(config, engine->port.text);

    return (uint32_t)((steer ? steer : engine) - config_engine(config, 0));
}

void host_list(struct host *host, const struct host_layout *layout)
{
    const struct config *config = layout->config;
    uint16_t places[CONFIG_ENGINES_MAX] = {0};

    memset(host->list, 0, sizeof(host->list));
    host->listed = 0;
    for (uint32_t i = 0; i < config->engines.count; i++) {
        places[i] = (uint16_t)host->listed;
        if (layout->engines[i].engine)
            host->list[host->listed++] = layout->engines[i].engine;
    }
    for (uint32_t i = 0; i < config->engines.count; i++) {
        if (!layout->engines[i].engine)
            continue;
        host->hosts[places[i]] = config_engine(config, i)->kind == CONFIG_KERNEL
                                     ? PLACEMENT_NO_HOST
                                     : places[stands_for(config, i)];
    }
    server_set_hosts(host->server, host->hosts);
}

static int begin_chores(const struct host *host, const struct reason *reason)
{
    struct chores *chores = ports_chores(host->ports);
    int error = server_watch(host->server, chores_fd(chores), chores_work, chores);

    return error ? host_fail(reason, error, "chores of ports") : 0;
}

int host_make_groups(struct host *host, const struct reason *reason)
{
    struct host_layout *layout = &host->running;
    int error = 0;

    for (uint32_t i = 0; i < layout->config->groups.count && !error; i++)
        error = host_make_group(host, layout, i, reason);
    return error;
}

int host_settle(struct host *host, const struct reason *reason)
{
    struct host_layout *layout = &host->running;

    for (uint32_t i = 0; i < layout->config->groups.count; i++)
        host_tell_class(layout->groups[i]);
    host_list(host, layout);
    return begin_chores(host, reason);
}

int host_start(struct host *host, const struct reason *reason)
{
    struct host_layout *layout = &host->running;
    const struct config *config = layout->config;
    int error = 0;

    for (uint32_t i = 0; i < config->engines.count && !error; i++)
        error = host_make_engine(host, layout, i, reason);
    if (!error)
        error = host_make_groups(host, reason);
    for (uint32_t i = 0; i < config->engines.count && !error; i++)
        error = host_join_group(layout, &i, 1, reason);
    return error ? error : host_settle(host, reason);
}

const struct config *host_configuration(const struct host *host)
{
    return host->running.config;
}

struct engine *const *host_engines(const struct host *host, uint32_t *count)
{
    *count = host->listed;
    return host->list;
}

static void describe_engines(const struct host_layout *layout, struct plant *plant)
{
    const struct config *config = layout->config;

    for (uint32_t i = 0; i < config->engines.count; i++) {
        if (!layout->engines[i].engine)
            continue;
        plant->engines[plant->engine_count++] = (struct plant_engine){
            .engine = layout->engines[i].engine,
            .port = config_engine(config, i)->port.text,
            .group = config_group(config, host_group_index(config, i))->name.text,
        };
    }
}

bool host_is_whole(const struct host *host)
{
    if (host->left)
        return false;
    for (uint32_t i = 0; i < host->running.config->engines.count; i++) {
        if (!host->running.engines[i].group)
            return false;
    }
    return true;
}

/* Whose word is taken for where hosts on the port's link are. */
static struct plant_neighbours describe_neighbours(const struct host *host, uint32_t index,
                                                   const struct config_engine *engine)
{
    const struct host_layout *running = &host->running;
    uint32_t at = engine ? (uint32_t)(engine - config_engine(running->config, 0)) : 0;

    if (engine && running->engines[at].resolver)
        return (struct plant_neighbours){kernel_resolver_view, running->engines[at].resolver,
                                         false};
    if (engine && ports_resolver(host->ports, index))
        return (struct plant_neighbours){port_link_view, ports_get(host->ports, index), true};
    return (struct plant_neighbours){NULL, NULL, false};
}

/* The engine that receives from an engine's port and sends to it. */
static const char *owner_name(const struct config *config, const struct config_engine *engine)
{
    const struct config_engine *steer = config_steer_on(config, engine->port.text);

    return (steer ? steer : engine)->name.text;
}

static void describe_ports(const struct host *host, struct plant *plant)
{
    static const char *const owners[] = {
        [CONFIG_OWNER_NOBODY] = "nobody",
        [CONFIG_OWNER_KERNEL] = "kernel",
        [CONFIG_OWNER_SADDLE] = "saddle",
    };
    const struct config *config = host->running.config;

    for (uint32_t i = 0; i < config->ports.count; i++) {
        const struct config_port *port = config_port(config, i);
        const struct config_engine *engine = config_engine_on(config, port->name.text);

        if (!ports_get(host->ports, i))
            continue;
        plant->ports[plant->port_count] = (struct plant_port){
            .port = ports_get(host->ports, i),
            .name = port->name.text,
            .driver = config_driver_name(port->driver),
            .interface = config_link_interface(config, port),
            .owner = owners[config_link_owner(config, port)],
            .engine = engine ? owner_name(config, engine) : "",
            .neighbours = describe_neighbours(host, i, engine),
        };
        topology_format(&host->topology, topology_bit(ports_node(host->ports, i)),
                        plant->ports[plant->port_count++].node);
    }
}

void host_describe(const struct host *host, struct plant *plant)
{
    const struct host_layout *layout = &host->running;
    const struct config *config = layout->config;
    uint64_t generation = plant->generation + 1;
    uint64_t ready_ns = plant->ready_ns;

    memset(plant, 0, sizeof(*plant));
    plant->generation = generation;
    plant->ready_ns = ready_ns ? ready_ns : clock_now(&clock_machine);
    describe_engines(layout, plant);
    for (uint32_t i = 0; i < config->groups.count; i++) {
        const struct config_group *group = config_group(config, i);

        plant->groups[plant->group_count] = (struct plant_group){
            .group = layout->groups[i],
            .name = group->name.text,
            .mode = group_mode_name(group_configuration(layout->groups[i])->mode),
            .cpus = group->cpus.text,
        };
        topology_format(&host->topology, layout->nodes[i],
                        plant->groups[plant->group_count++].nodes);
    }
    describe_ports(host, plant);
}

void host_stop(struct host *host)
{
    struct host_layout *layout = &host->running;
    char line[SADDLE_REASON_BYTES];
    const struct reason reason = {line, sizeof(line)};

    (void)host_end_left(host, &reason);
    for (uint32_t i = 0; i < layout->config->engines.count; i++) {
        struct host_engine *engine = &layout->engines[i];

        if (engine->group)
            group_remove(engine->group, engine->engine);
        engine->group = NULL;
    }
    for (uint32_t i = 0; i < layout->config->groups.count; i++) {
        group_destroy(layout->groups[i]);
        layout->groups[i] = NULL;
    }
    host_end_left_groups(host);
}

/* Names need no escaping: the schema allows letters, digits, '.', '_' and '-' alone. */
static void write_engine(const struct engine *engine, FILE *stream)
{
    struct engine_stat stats[STATS_MAX];
    uint32_t count = engine->ops->stats(engine, stats, STATS_MAX);

    fprintf(stream, "    \"%s\": {\n", engine->name);
    for (uint32_t i = 0; i < count && i < STATS_MAX; i++)
        fprintf(stream, "      \"%s\": %llu,\n", stats[i].name, (unsigned long long)stats[i].value);
    fprintf(stream, "      \"busy_ns\": %llu,\n",
            (unsigned long long)atomic_load_explicit(&engine->busy_ns, memory_order_relaxed));
    fprintf(stream, "      \"runs\": %llu\n    }",
            (unsigned long long)atomic_load_explicit(&engine->runs, memory_order_relaxed));
}

static void write_port(const struct host *host, uint32_t index, FILE *stream)
{
    const struct port *port = ports_get(host->ports, index);
    struct port_stat stats[STATS_MAX];
    uint32_t count = port->ops->stats ? port->ops->stats(port, stats, STATS_MAX) : 0;

    fprintf(stream, "    \"%s\": {", port->name);
    for (uint32_t i = 0; i < count && i < STATS_MAX; i++)
        fprintf(stream, "%s\n      \"%s\": %llu", i ? "," : "", stats[i].name,
                (unsigned long long)stats[i].value);
    fputs(count ? "\n    }" : "}", stream);
}

void host_write_stats(const struct host *host, FILE *stream)
{
    const char *between = "";

    fputs("{\n  \"engines\": {\n", stream);
    for (uint32_t i = 0; i < host->listed; i++) {
        fputs(i ? ",\n" : "", stream);
        write_engine(host->list[i], stream);
    }
    fputs("\n  },\n  \"ports\": {\n", stream);
    for (uint32_t i = 0; i < host->running.config->ports.count; i++) {
        if (!ports_get(host->ports, i))
            continue;
        fputs(between, stream);
        write_port(host, i, stream);
        between = ",\n";
    }
    fputs("\n  }\n}\n", stream);
}

void host_destroy(struct host *host)
{
    if (!host)
        return;
    if (host->ports)
        server_unwatch(host->server, chores_fd(ports_chores(host->ports)));
    for (uint32_t i = 0; i < host->running.config->engines.count; i++)
        host_end_engine(host, &host->running.engines[i]);
    ports_destroy(host->ports);
    free(host);
}
