/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/log.h"
#include "daemon/eal.h"
#include "daemon/host_private.h"
#include "engines/kernel/kernel.h"
#include "engines/pony/pony.h"
#include "engines/shaper/shaper.h"
#include "engines/steer/steer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

int host_fail(const struct reason *reason, int error, const char *format, ...)
{
    size_t used;
    va_list args;

    va_start(args, format);
    vsnprintf(reason->text, reason->bytes, format, args);
    va_end(args);
    used = strlen(reason->text);
    snprintf(reason->text + used, reason->bytes - used, ": %s", strerror(-error));
    return error;
}

/* ---- Engines ---- */

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

static const struct cc_ops *congestion(uint64_t choice)
{
    static const struct cc_ops *const all[] = {
        [CONFIG_SWIFT] = &cc_swift,
        [CONFIG_TIMELY] = &cc_timely,
        [CONFIG_WINDOW] = &cc_window,
        [CONFIG_AS_ENGINE] = NULL,
    };

    return all[choice];
}

/* A name stands for one address: the first. */
uint32_t host_collect_peers(const struct config *config, const struct config_engine *engine,
                            struct transport_peer peers[TRANSPORT_PEERS_MAX])
{
    const struct config_peer *listed = engine->peers.items;
    const struct config_port *port = config_find_port(config, engine->port.text);
    const struct config_engine *joined = config_engine_on(config, port->peer.text);
    uint32_t count = 0;

    if (engine->kind != CONFIG_PONY)
        return 0;
    for (uint32_t i = 0; i < engine->peers.count; i++) {
        if (add_peer(&peers[count], listed[i].name.text, listed[i].address.text))
            continue;
        if (listed[i].mac.text[0])
            config_mac(listed[i].mac.text, &peers[count].mac);
        peers[count].cc = congestion(listed[i].congestion);
        count++;
    }
    for (uint32_t i = 0; joined && i < joined->addresses.count; i++) {
        const struct schema_text *addresses = joined->addresses.items;
        const char *host = config_host_name(config, joined->port.text);
        const char *name = named(peers, count, host) ? "" : host;

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
    transport->wire_min = (uint8_t)engine->wire_min;
    transport->wire_max = (uint8_t)engine->wire_max;
    transport->flows_max = (uint32_t)engine->flows;
    transport->cc = congestion(engine->congestion);
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

/* What a part of the host is made from. */
struct making {
    const struct host *host;
    const struct config *config;
    const struct config_engine *engine;
    const struct config_port *port;
    struct host_engine *made;
    const struct reason *reason;
};

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
static int ask_kernel(const struct making *making, struct transport_config *transport)
{
    const struct config_engine *engine = making->engine;
    const struct schema_text *addresses = engine->addresses.items;
    struct config_subnet subnets[TRANSPORT_ADDRESSES_MAX];
    uint32_t port = ports_index(making->host->opened, making->port->name.text);
    const struct kernel_resolver_config config = {
        .interface = config_link_interface(making->host->opened, making->port),
        .fresh = ports_tap(making->host->ports, port) && !(engine->vlan && all_peers_fixed(engine)),
        .vlan = (uint16_t)engine->vlan,
        .mtu = ports_get(making->host->ports, port)->mtu,
        .addresses = subnets,
        .address_count = engine->addresses.count,
        .hops_max = config_hops_max(engine),
    };
    int error;

    for (uint32_t i = 0; i < engine->addresses.count; i++)
        config_subnet(addresses[i].text, &subnets[i]);
    error = kernel_resolver_create(&making->made->resolver, &config, making->reason);
    if (error == -ENODEV && engine->vlan && all_peers_fixed(engine)) {
        log_line(LOG_WARNING, "engine %s reaches none but its peers: %s", engine->name.text,
                 making->reason->text);
        return 0;
    }
    if (!error)
        transport->resolver = kernel_resolver_lend(making->made->resolver);
    return error;
}

static int make_resolver(const struct making *making, struct transport_config *transport)
{
    uint32_t port = ports_index(making->host->opened, making->port->name.text);
    const struct share *share = ports_share(making->host->ports, port);

    if (config_link_owner(making->host->opened, making->port) == CONFIG_OWNER_KERNEL)
        return ask_kernel(making, transport);
    transport->resolver = share ? share_resolver(share, (uint16_t)making->engine->udp_port)
                                : ports_resolver(making->host->ports, port);
    return 0;
}

/* From now on the control thread works for the engine. */
static int serve_engine(const struct making *making)
{
    struct kernel_resolver *resolver = making->made->resolver;

    if (!resolver)
        return 0;
    kernel_resolver_serve(resolver, making->made->engine);
    return server_watch(making->host->server, kernel_resolver_fd(resolver), kernel_resolver_work,
                        resolver);
}

static int make_pony(const struct making *making, const struct pony_config *pony)
{
    const char *name = making->engine->name.text;
    uint32_t index = ports_index(making->host->opened, making->port->name.text);
    const struct share *share = ports_share(making->host->ports, index);
    struct port *port = share ? share_port(share, (uint16_t)making->engine->udp_port)
                              : ports_get(making->host->ports, index);
    uint8_t seed[RNG_SEED_BYTES];
    int error = -EIO;

    if (getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
        error = pony_create(&making->made->engine, name, pony, port, &clock_machine, seed);
    explicit_bzero(seed, sizeof(seed));
    if (!error)
        error = serve_engine(making);
    return error ? host_fail(making->reason, error, "engine %s", name) : 0;
}

static int make_steer(const struct making *making)
{
    uint32_t index = ports_index(making->host->opened, making->port->name.text);
    const struct share *share = ports_share(making->host->ports, index);
    const char *name = making->engine->name.text;
    int error;

    if (share_shaping(share))
        error = shaper_create(&making->made->engine, name, share_shaping(share), &clock_machine);
    else
        error = steer_create(&making->made->engine, name, share_fan(share), &clock_machine);

    return error ? host_fail(making->reason, error, "engine %s", name) : 0;
}

static int make_kernel(const struct making *making)
{
    uint32_t index = ports_index(making->host->opened, making->port->name.text);
    const char *name = making->engine->name.text;
    const struct kernel_config config = {
        .wire = share_kernel_port(ports_share(making->host->ports, index)),
        .kernel = ports_tap(making->host->ports, index),
    };
    int error = kernel_create(&making->made->engine, name, &config, &clock_machine);

    return error ? host_fail(making->reason, error, "engine %s", name) : 0;
}

/* As many as there are, kept with the engine. */
static int keep_peers(const struct making *making)
{
    struct host_engine *made = making->made;
    struct transport_peer *all = calloc(TRANSPORT_PEERS_MAX, sizeof(*all));

    if (!all)
        return reason_set(making->reason, -ENOMEM, "out of memory");
    made->peer_count = host_collect_peers(making->config, making->engine, all);
    made->peers = calloc(made->peer_count + 1, sizeof(*all));
    if (made->peers)
        memcpy(made->peers, all, made->peer_count * sizeof(*all));
    free(all);
    return made->peers ? 0 : reason_set(making->reason, -ENOMEM, "out of memory");
}

static int make_engine(const struct host *host, struct host_layout *layout, uint32_t index,
                       const struct reason *reason)
{
    const struct config_engine *engine = config_engine(layout->config, index);
    const struct making making = {
        .host = host,
        .config = layout->config,
        .engine = engine,
        .port = config_find_port(host->opened, engine->port.text),
        .made = &layout->engines[index],
        .reason = reason,
    };
    struct pony_config pony = {.control_fd = server_control_fd(host->server)};
    const struct share *share;
    int error;

    memset(making.made, 0, sizeof(*making.made));
    if (config_shares(engine))
        return make_steer(&making);
    if (engine->kind == CONFIG_KERNEL)
        return make_kernel(&making);
    error = keep_peers(&making);
    if (error)
        return error;
    describe_engine(&pony, engine);
    pony.transport.peers = making.made->peers;
    pony.transport.peer_count = making.made->peer_count;
    share = ports_share(host->ports, ports_index(host->opened, engine->port.text));
    if (share)
        share_describe(share, (uint16_t)engine->udp_port, &pony);
    error = make_resolver(&making, &pony.transport);
    return error ? error : make_pony(&making, &pony);
}

/* The node that an engine's packets are on. */
static int engine_node(const struct host *host, const struct config_engine *engine)
{
    return ports_node(host->ports, ports_index(host->opened, engine->port.text));
}

int host_make_engine(const struct host *host, struct host_layout *layout, uint32_t index,
                     const struct reason *reason)
{
    int error;

    topology_prefer(&host->topology, engine_node(host, config_engine(layout->config, index)));
    error = make_engine(host, layout, index, reason);
    topology_prefer(&host->topology, TOPOLOGY_ANY);
    return error;
}

void host_end_engine(const struct host *host, struct host_engine *engine)
{
    if (engine->engine)
        engine->engine->ops->destroy(engine->engine);
    /* Its last packets were freed here, and this thread sends none. */
    eal_flush();
    if (engine->resolver)
        server_unwatch(host->server, kernel_resolver_fd(engine->resolver));
    kernel_resolver_destroy(engine->resolver);
    free(engine->peers);
    memset(engine, 0, sizeof(*engine));
}

void host_forget_engine(struct host *host, uint32_t index)
{
    struct host_engine *engine = &host->running.engines[index];

    if (engine->resolver)
        server_unwatch(host->server, kernel_resolver_fd(engine->resolver));
    kernel_resolver_destroy(engine->resolver);
    engine->resolver = NULL;
    engine_fini(engine->engine);
    host->gone[index] = *engine;
    memset(engine, 0, sizeof(*engine));
}

/* ---- Groups ---- */

/* What the operator asked for and does not have is worth a warning. */
void host_tell_class(const struct group *group)
{
    const struct group_config *config = group_configuration(group);
    struct group_thread_stats threads[GROUP_THREADS_MAX];
    char text[QUANTA_TEXT_BYTES];
    uint32_t count = group_threads(group, threads, GROUP_THREADS_MAX);

    for (uint32_t i = 0; i < count; i++) {
        const struct quanta_stats *stats = &threads[i].quanta;

        if (!quanta_is_refused(stats))
            continue;
        log_line(config->quanta.class == QUANTA_AUTO ? LOG_INFO : LOG_WARNING,
                 "group %s: its threads are %s: %s", config->name, quanta_class_name(stats->class),
                 quanta_explain(stats, text, sizeof(text)));
        return;
    }
}

/* Where a group runs for which no CPUs are configured: near its engines' ports, if these are
 * anywhere. Empty: anywhere. */
static void choose_cpus(const struct host *host, const struct config *config, uint32_t index,
                        const cpu_set_t *allowed, cpu_set_t *cpus)
{
    uint64_t nodes = 0;

    for (uint32_t i = 0; i < config->engines.count; i++) {
        if (host_group_index(config, i) == index)
            nodes |= topology_bit(engine_node(host, config_engine(config, i)));
    }
    topology_cpus(&host->topology, nodes, allowed, cpus);
}

static const struct group_mode *mode_of(uint64_t choice)
{
    static const struct group_mode *const all[] = {
        [CONFIG_DEDICATED] = &group_mode_dedicated,
        [CONFIG_SPREADING] = &group_mode_spreading,
        [CONFIG_COMPACTING] = &group_mode_compacting,
    };

    return all[choice];
}

/* Nothing said is 0 to a group. */
static uint64_t idle_of(uint64_t idle)
{
    if (idle == SCHEMA_NEVER)
        return GROUP_NEVER;
    return idle == SCHEMA_UNSET ? 0 : idle;
}

/* The CPUs of a group, and with them its nodes. */
static int place_group(const struct host *host, struct host_layout *layout, uint32_t index,
                       struct group_config *described)
{
    cpu_set_t allowed;
    int error = config_cpus(config_group(layout->config, index)->cpus.text, &described->cpus);

    if (!error && sched_getaffinity(0, sizeof(allowed), &allowed))
        error = -errno;
    if (error)
        return error;
    if (CPU_COUNT(&described->cpus) == 0) {
        choose_cpus(host, layout->config, index, &allowed, &described->cpus);
        described->loose = true;
        /* A spinning thread for each of `cpus`, but not of these. */
        if (described->mode == &group_mode_dedicated && described->threads == 0)
            described->threads = 1;
    }
    layout->nodes[index] =
        topology_nodes(&host->topology,
                       CPU_COUNT(&described->cpus) > 0 ? &described->cpus : &allowed);
    return 0;
}

int host_describe_group(const struct host *host, struct host_layout *layout, uint32_t index,
                        struct group_config *described, const struct reason *reason)
{
    const struct config_group *group = config_group(layout->config, index);
    int error;

    *described = (struct group_config){
        .mode = mode_of(group->mode),
        .threads = (uint32_t)group->threads,
        .idle_ns = idle_of(group->idle),
        .moderation_ns = group->moderation == SCHEMA_NEVER ? 0 : group->moderation,
        .slo_ns = group->slo,
        .pause = group->pause == CONFIG_PAUSE_AUTO,
        .quanta = config_quanta(layout->config, group),
        .thread_start = eal_thread_start,
        .thread_stop = eal_thread_stop,
    };
    snprintf(described->name, sizeof(described->name), "%.*s", (int)sizeof(described->name) - 1,
             group->name.text);
    error = place_group(host, layout, index, described);
    return error ? host_fail(reason, error, "group %s", group->name.text) : 0;
}

int host_make_group(const struct host *host, struct host_layout *layout, uint32_t index,
                    const struct reason *reason)
{
    struct group_config config;
    int error = host_describe_group(host, layout, index, &config, reason);

    if (error)
        return error;
    error = group_create(&layout->groups[index], &config);
    return error ? host_fail(reason, error, "group %s", config.name) : 0;
}

uint32_t host_group_index(const struct config *config, uint32_t index)
{
    const char *name = config_engine(config, index)->name.text;

    for (uint32_t i = 0; i < config->groups.count; i++) {
        const struct schema_list *list = &config_group(config, i)->engines;
        const struct schema_text *members = list->items;

        for (uint32_t j = 0; j < list->count; j++) {
            if (!strcmp(members[j].text, name))
                return i;
        }
    }
    return config->groups.count; /* a checked configuration has none that is nowhere */
}

int host_join_group(struct host_layout *layout, const uint32_t *indices, uint32_t count,
                    const struct reason *reason)
{
    const uint32_t at = host_group_index(layout->config, indices[0]);
    struct group *group = layout->groups[at];
    struct engine *engines[CONFIG_ENGINES_MAX];
    int errors[CONFIG_ENGINES_MAX];
    int error;

    for (uint32_t i = 0; i < count; i++)
        engines[i] = layout->engines[indices[i]].engine;
    error = group_add_all(group, engines, count, errors);
    for (uint32_t i = count; i-- > 0;) {
        if (!errors[i])
            layout->engines[indices[i]].group = group;
        else
            host_fail(reason, errors[i], "group %s: engine %s",
                      config_group(layout->config, at)->name.text, engines[i]->name);
    }
    return error;
}
