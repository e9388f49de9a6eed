/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/host.h"

#include "control/log.h"
#include "daemon/eal.h"
#include "daemon/kernel_resolver.h"
#include "daemon/ports.h"
#include "engines/pony/pony.h"
#include "sched/group.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define STATS_MAX 128u /* counters of one engine or port */

static_assert(CONFIG_ENGINES_MAX <= GROUP_ENGINES_MAX, "all engines fit into one group");
static_assert(CONFIG_ENGINES_MAX <= PLANT_MAX && CONFIG_GROUPS_MAX <= PLANT_MAX &&
                  CONFIG_PORTS_MAX <= PLANT_MAX,
              "operators see all of them");

struct host {
    const struct config *config;
    struct ports *ports;
    struct engine *engines[CONFIG_ENGINES_MAX];
    struct group *groups[CONFIG_GROUPS_MAX];
    struct group *group_of[CONFIG_ENGINES_MAX]; /* where the engine runs; NULL: nowhere */
    struct kernel_resolver *resolvers[CONFIG_ENGINES_MAX];
    struct server *server;
    struct reason reason;
};

static int __attribute__((format(printf, 3, 4)))
fail(struct host *host, int error, const char *format, ...)
{
    const struct reason *reason = &host->reason;
    size_t used;
    va_list args;

    va_start(args, format);
    vsnprintf(reason->text, reason->bytes, format, args);
    va_end(args);
    used = strlen(reason->text);
    snprintf(reason->text + used, reason->bytes - used, ": %s", strerror(-error));
    return error;
}

static int add_peer(struct transport_peer *peer, const char *name, const char *address)
{
    struct config_subnet subnet;

    if (config_subnet(address, &subnet))
        return -EINVAL;
    snprintf(peer->name, sizeof(peer->name), "%.*s", (int)sizeof(peer->name) - 1, name);
    peer->address = subnet.address;
    return 0;
}

static bool known(const struct transport_peer *peers, uint32_t count, const struct address *address)
{
    for (uint32_t i = 0; i < count; i++) {
        if (address_equal(&peers[i].address, address))
            return true;
    }
    return false;
}

static bool named(const struct transport_peer *peers, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(peers[i].name, name))
            return true;
    }
    return false;
}

/* Those that are listed, then the engine at the other end of the ring, unless it is among them. A
 * name stands for one address: the first. Returns how many. */
static uint32_t collect_peers(const struct config *config, const struct config_engine *engine,
                              struct transport_peer peers[TRANSPORT_PEERS_MAX])
{
    const struct config_peer *listed = engine->peers.items;
    const struct config_port *port = config_find_port(config, engine->port.text);
    const struct config_engine *joined = config_engine_on(config, port->peer.text);
    uint32_t count = 0;

    for (uint32_t i = 0; i < engine->peers.count; i++) {
        if (add_peer(&peers[count], listed[i].name.text, listed[i].address.text))
            continue;
        if (listed[i].mac.text[0])
            config_mac(listed[i].mac.text, &peers[count].mac);
        count++;
    }
    for (uint32_t i = 0; joined && i < joined->addresses.count; i++) {
        const struct schema_text *addresses = joined->addresses.items;
        const char *name = named(peers, count, joined->name.text) ? "" : joined->name.text;

        if (count == TRANSPORT_PEERS_MAX)
            break;
        if (add_peer(&peers[count], name, addresses[i].text) ||
            known(peers, count, &peers[count].address))
            continue;
        ports_mac(config, ports_index(config, port->peer.text), &peers[count].mac);
        count++;
    }
    return count;
}

static void describe_engine(struct pony_config *pony, const struct config_engine *engine)
{
    const struct schema_text *addresses = engine->addresses.items;
    struct transport_config *transport = &pony->transport;

    for (uint32_t i = 0; i < engine->addresses.count; i++) {
        struct config_subnet subnet;

        if (!config_subnet(addresses[i].text, &subnet))
            transport->addresses[transport->address_count++] = subnet.address;
    }
    transport->udp_port = (uint16_t)engine->udp_port;
    transport->vlan = (uint16_t)engine->vlan;
    transport->dscp = (uint8_t)engine->dscp;
    transport->flows_max = (uint32_t)engine->flows;
    transport->cc_params.window_max = (uint32_t)engine->window;
    transport->rto_min_ns = engine->rto_min;
    transport->rto_max_ns = engine->rto_max;
    transport->dead_after_ns = engine->dead_after;
    transport->keepalive_ns = engine->keepalive;
    transport->hello_timeout_ns = engine->hello_timeout;
    transport->ack_delay_ns = engine->ack_delay;
    pony->sessions_max = (uint32_t)engine->sessions;
    pony->connections_max = (uint32_t)engine->connections;
    pony->operations_max = (uint32_t)engine->operations;
    pony->regions_max = (uint32_t)engine->regions;
}

/* Whether nothing has to be asked for. */
static bool all_peers_fixed(const struct config_engine *engine)
{
    const struct config_peer *peers = engine->peers.items;

    for (uint32_t i = 0; i < engine->peers.count; i++) {
        if (!peers[i].mac.text[0])
            return false;
    }
    return engine->peers.count > 0;
}

/* Where the kernel owns the interface, it says where packets go. A VLAN that it does not know can
 * still be used between hosts that know each other. */
static int ask_kernel(struct host *host, uint32_t index, struct transport_config *transport)
{
    const struct config_engine *engine = config_engine(host->config, index);
    const struct config_port *port = config_find_port(host->config, engine->port.text);
    const struct schema_text *addresses = engine->addresses.items;
    struct config_subnet subnets[TRANSPORT_ADDRESSES_MAX];
    const struct kernel_resolver_config config = {
        .interface = port->interface.text,
        .vlan = (uint16_t)engine->vlan,
        .mtu = ports_get(host->ports, ports_index(host->config, port->name.text))->mtu,
        .addresses = subnets,
        .address_count = engine->addresses.count,
        .hops_max = config_hops_max(engine),
    };
    int error;

    for (uint32_t i = 0; i < engine->addresses.count; i++)
        config_subnet(addresses[i].text, &subnets[i]);
    error = kernel_resolver_create(&host->resolvers[index], &config, &host->reason);
    if (error == -ENODEV && engine->vlan && all_peers_fixed(engine)) {
        log_line(LOG_WARNING, "engine %s reaches none but its peers: %s", engine->name.text,
                 host->reason.text);
        return 0;
    }
    if (!error)
        transport->resolver = kernel_resolver_lend(host->resolvers[index]);
    return error;
}

static int make_resolver(struct host *host, uint32_t index, struct transport_config *transport)
{
    const struct config_engine *engine = config_engine(host->config, index);
    const struct config_port *port = config_find_port(host->config, engine->port.text);

    if (config_owner(port) == CONFIG_OWNER_KERNEL)
        return ask_kernel(host, index, transport);
    transport->resolver = ports_resolver(host->ports, ports_index(host->config, port->name.text));
    return 0;
}

/* From now on the control thread works for the engine. */
static int serve_engine(struct host *host, uint32_t index)
{
    struct kernel_resolver *resolver = host->resolvers[index];

    if (!resolver)
        return 0;
    kernel_resolver_serve(resolver, host->engines[index]);
    return server_watch(host->server, kernel_resolver_fd(resolver), kernel_resolver_work, resolver);
}

static int make_pony(struct host *host, uint32_t index, const struct pony_config *pony)
{
    const struct config_engine *engine = config_engine(host->config, index);
    struct port *port = ports_get(host->ports, ports_index(host->config, engine->port.text));
    uint8_t seed[RNG_SEED_BYTES];
    int error = -EIO;

    if (getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
        error =
            pony_create(&host->engines[index], engine->name.text, pony, port, &clock_machine, seed);
    explicit_bzero(seed, sizeof(seed));
    if (!error)
        error = serve_engine(host, index);
    return error ? fail(host, error, "engine %s", engine->name.text) : 0;
}

static int make_engine(struct host *host, uint32_t index)
{
    const struct config_engine *engine = config_engine(host->config, index);
    struct pony_config pony = {.control_fd = server_control_fd(host->server)};
    struct transport_peer *peers = calloc(TRANSPORT_PEERS_MAX, sizeof(*peers));
    int error;

    if (!peers)
        return reason_set(&host->reason, -ENOMEM, "out of memory");
    describe_engine(&pony, engine);
    pony.transport.peers = peers;
    pony.transport.peer_count = collect_peers(host->config, engine, peers);
    error = make_resolver(host, index, &pony.transport);
    if (!error)
        error = make_pony(host, index, &pony);
    free(peers);
    return error;
}

static int make_engines(struct host *host)
{
    int error = 0;

    for (uint32_t i = 0; i < host->config->engines.count && !error; i++)
        error = make_engine(host, i);
    return error;
}

static int fill_group(struct host *host, uint32_t index)
{
    const struct config_group *group = config_group(host->config, index);
    const struct schema_text *members = group->engines.items;

    for (uint32_t i = 0; i < group->engines.count; i++) {
        uint32_t engine = (uint32_t)(config_find_engine(host->config, members[i].text) -
                                     config_engine(host->config, 0));
        int error = group_add(host->groups[index], host->engines[engine]);

        if (error)
            return fail(host, error, "group %s: engine %s", group->name.text, members[i].text);
        host->group_of[engine] = host->groups[index];
    }
    return 0;
}

static int make_groups(struct host *host)
{
    for (uint32_t i = 0; i < host->config->groups.count; i++) {
        const struct config_group *group = config_group(host->config, i);
        struct group_config config = {
            .mode = group->mode == CONFIG_SPIN ? &group_mode_spin : &group_mode_sleep,
            .threads = (uint32_t)group->threads,
            .idle_ns = group->idle,
            .thread_start = eal_thread_start,
            .thread_stop = eal_thread_stop,
        };
        int error;

        snprintf(config.name, sizeof(config.name), "%.*s", (int)sizeof(config.name) - 1,
                 group->name.text);
        error = config_cpus(group->cpus.text, &config.cpus);
        if (!error)
            error = group_create(&host->groups[i], &config);
        if (error)
            return fail(host, error, "group %s", group->name.text);
        error = fill_group(host, i);
        if (error)
            return error;
    }
    return 0;
}

int host_create(struct host **host, const struct config *config, struct server *server,
                const struct reason *reason)
{
    struct host *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    made->config = config;
    made->server = server;
    error = ports_create(&made->ports, config, reason);
    if (error) {
        host_destroy(made);
        return error;
    }
    *host = made;
    return 0;
}

int host_start(struct host *host, const struct reason *reason)
{
    int error;

    host->reason = *reason;
    error = make_engines(host);
    return error ? error : make_groups(host);
}

struct engine *const *host_engines(const struct host *host, uint32_t *count)
{
    *count = host->config->engines.count;
    return host->engines;
}

static void describe_engines(const struct host *host, struct plant *plant)
{
    const struct config *config = host->config;

    for (uint32_t i = 0; i < config->engines.count; i++) {
        struct plant_engine *engine = &plant->engines[plant->engine_count++];

        engine->engine = host->engines[i];
        engine->port = config_engine(config, i)->port.text;
        for (uint32_t j = 0; j < config->groups.count; j++) {
            if (host->group_of[i] == host->groups[j])
                engine->group = config_group(config, j)->name.text;
        }
    }
}

static void describe_ports(const struct host *host, struct plant *plant)
{
    static const char *const owners[] = {
        [CONFIG_OWNER_NOBODY] = "nobody",
        [CONFIG_OWNER_KERNEL] = "kernel",
        [CONFIG_OWNER_SADDLE] = "saddle",
    };

    for (uint32_t i = 0; i < host->config->ports.count; i++) {
        const struct config_port *port = config_port(host->config, i);
        const struct config_engine *engine = config_engine_on(host->config, port->name.text);

        plant->ports[plant->port_count++] = (struct plant_port){
            .port = ports_get(host->ports, i),
            .name = port->name.text,
            .driver = config_driver_name(port->driver),
            .interface = port->interface.text,
            .owner = owners[config_owner(port)],
            .engine = engine ? engine->name.text : "",
        };
    }
}

void host_describe(const struct host *host, struct plant *plant)
{
    memset(plant, 0, sizeof(*plant));
    describe_engines(host, plant);
    for (uint32_t i = 0; i < host->config->groups.count; i++) {
        const struct config_group *group = config_group(host->config, i);

        plant->groups[plant->group_count++] = (struct plant_group){
            .group = host->groups[i],
            .name = group->name.text,
            .mode = group->mode == CONFIG_SPIN ? "spin" : "sleep",
            .cpus = group->cpus.text,
            .idle_ns = group->idle,
        };
    }
    describe_ports(host, plant);
    plant->ready_ns = clock_now(&clock_machine);
}

void host_stop(struct host *host)
{
    for (uint32_t i = 0; i < host->config->engines.count; i++) {
        if (host->group_of[i])
            group_remove(host->group_of[i], host->engines[i]);
        host->group_of[i] = NULL;
    }
    for (uint32_t i = 0; i < host->config->groups.count; i++) {
        group_destroy(host->groups[i]);
        host->groups[i] = NULL;
    }
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
    fputs("{\n  \"engines\": {\n", stream);
    for (uint32_t i = 0; i < host->config->engines.count; i++) {
        if (i)
            fputs(",\n", stream);
        write_engine(host->engines[i], stream);
    }
    fputs("\n  },\n  \"ports\": {\n", stream);
    for (uint32_t i = 0; i < host->config->ports.count; i++) {
        if (i)
            fputs(",\n", stream);
        write_port(host, i, stream);
    }
    fputs("\n  }\n}\n", stream);
}

void host_destroy(struct host *host)
{
    if (!host)
        return;
    for (uint32_t i = 0; i < host->config->engines.count; i++) {
        if (host->engines[i])
            host->engines[i]->ops->destroy(host->engines[i]);
        if (host->resolvers[i])
            server_unwatch(host->server, kernel_resolver_fd(host->resolvers[i]));
        kernel_resolver_destroy(host->resolvers[i]);
    }
    ports_destroy(host->ports);
    free(host);
}
