/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_check.h"

#include "control/policy.h"
#include "daemon/config_shape.h"
#include "daemon/endpoint.h"
#include "engines/pony/transport.h"
#include "engines/pony/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SOCKET_LENGTH_MAX 107u /* sun_path with its final NUL: unix(7) */
#define DEVICE_NAME_MAX   63u  /* DPDK's RTE_ETH_NAME_MAX_LEN without the final NUL */
#define DEVICE_INTERFACE  ",iface="

#define ADDRESSES(engine) ((const struct schema_text *)(engine)->addresses.items)
#define GATEWAYS(engine)  ((const struct schema_text *)(engine)->gateways.items)
#define PEERS(engine)     ((const struct config_peer *)(engine)->peers.items)
#define MEMBERS(group)    ((const struct schema_text *)(group)->engines.items)
#define RULES(config)     ((const struct config_rule *)(config)->policy.items)

/* Whether the text at `position` of a list of structures stands earlier in it too. */
static int check_unique(struct schema_source *source, const struct schema_list *list, size_t bytes,
                        size_t offset)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const uint8_t *items = list->items;
        const struct schema_text *text = (const void *)(items + i * bytes + offset);

        for (uint32_t j = 0; j < i; j++) {
            const struct schema_text *other = (const void *)(items + j * bytes + offset);

            if (!strcmp(text->text, other->text))
                return schema_fail(source, text->place, "\"%s\" is named twice, first in line %u",
                                   text->text, other->place.line);
        }
    }
    return 0;
}

static int check_mac(struct schema_source *source, const struct schema_text *text)
{
    struct rte_ether_addr mac;

    if (!text->text[0] || !config_mac(text->text, &mac))
        return 0;
    return schema_fail(source, text->place,
                       "mac: \"%s\" is no unicast Ethernet address (02:00:00:00:00:01)",
                       text->text);
}

/* Keys that mean something to some drivers alone. */
static int check_port_keys(struct schema_source *source, const struct config_port *port)
{
    const bool ethdev = port->driver == CONFIG_ETHDEV;
    const bool xdp = port->driver == CONFIG_XDP;
    const bool memif = port->driver == CONFIG_MEMIF;
    const char *driver = config_driver_name(port->driver);

    if (port->driver != CONFIG_NET_RING && port->peer.text[0])
        return schema_fail(source, port->peer.place,
                           "peer: \"%s\" has driver %s, and only net_ring joins ports",
                           port->name.text, driver);
    if (!ethdev && port->device.text[0])
        return schema_fail(source, port->device.place,
                           "device: \"%s\" has driver %s, and only ethdev takes a device",
                           port->name.text, driver);
    if (!ethdev && !xdp && port->interface.text[0])
        return schema_fail(source, port->interface.place,
                           "interface: \"%s\" has driver %s, which has none beneath it",
                           port->name.text, driver);
    if (ethdev && !port->device.text[0])
        return schema_fail(source, port->place, "port \"%s\": the key \"device\" is missing",
                           port->name.text);
    if (xdp && !port->interface.text[0])
        return schema_fail(source, port->place, "port \"%s\": the key \"interface\" is missing",
                           port->name.text);
    if (!xdp && (port->xdp_mode != CONFIG_XDP_AUTO || port->zerocopy != CONFIG_ZEROCOPY_AUTO))
        return schema_fail(source, port->place,
                           "port \"%s\" has driver %s, and only xdp has xdp_mode and zerocopy",
                           port->name.text, driver);
    if (memif && port->socket.text[0] != '/')
        return schema_fail(source, port->socket.text[0] ? port->socket.place : port->place,
                           "port \"%s\": the key \"socket\" is missing, or does not begin with a "
                           "slash",
                           port->name.text);
    if (!memif && (port->socket.text[0] || port->role != CONFIG_CLIENT || port->id != 0 ||
                   port->mode != CONFIG_MEMIF_MODE))
        return schema_fail(
            source, port->place,
            "port \"%s\" has driver %s, and only memif has socket, role, id and mode",
            port->name.text, driver);
    if (port->xdp_mode == CONFIG_XDP_GENERIC && port->zerocopy == CONFIG_ZEROCOPY_REQUIRED)
        return schema_fail(source, port->place, "port \"%s\": generic XDP has no zerocopy",
                           port->name.text);
    if (port->interface.text[0] && port->mac.text[0])
        return schema_fail(source, port->mac.place,
                           "mac: the kernel owns \"%s\" (ip link set dev %s address %s)",
                           port->interface.text, port->interface.text, port->mac.text);
    return check_mac(source, &port->mac);
}

/* The name of a device ends where its arguments begin. */
static size_t device_length(const struct config_port *port)
{
    return strcspn(port->device.text, ",");
}

/* An argument that names an interface names the one that the port says. */
static int check_device_interface(struct schema_source *source, const struct config_port *port)
{
    const char *argument = strstr(port->device.text, DEVICE_INTERFACE);
    size_t length;

    if (!argument || !port->interface.text[0])
        return 0;
    argument += strlen(DEVICE_INTERFACE);
    length = strcspn(argument, ",");
    if (length == strlen(port->interface.text) && !strncmp(argument, port->interface.text, length))
        return 0;
    return schema_fail(source, port->interface.place,
                       "interface: \"%s\" is not the one of the device, \"%.*s\"",
                       port->interface.text, (int)length, argument);
}

static int check_device(const struct config *config, struct schema_source *source,
                        const struct config_port *port)
{
    size_t length = device_length(port);

    if (length == 0 || length > DEVICE_NAME_MAX)
        return schema_fail(source, port->device.place,
                           "device: \"%s\" begins with no device's name (net_tap0, 0000:03:00.0)",
                           port->device.text);
    for (const struct config_port *other = config_port(config, 0); other < port; other++) {
        if (other->driver == CONFIG_ETHDEV && device_length(other) == length &&
            !strncmp(other->device.text, port->device.text, length))
            return schema_fail(source, port->device.place,
                               "device: \"%.*s\" is that of port \"%s\" already", (int)length,
                               port->device.text, other->name.text);
    }
    return check_device_interface(source, port);
}

/* The other end of a wire. */
static int check_joined(const struct config *config, struct schema_source *source,
                        const struct config_port *port)
{
    const struct config_port *peer = config_find_port(config, port->peer.text);

    if (!port->peer.text[0])
        return schema_fail(source, port->place, "port \"%s\": the key \"peer\" is missing",
                           port->name.text);
    if (!peer || peer == port)
        return schema_fail(source, port->peer.place, "peer: there is no other port \"%s\"",
                           port->peer.text);
    if (peer->driver != CONFIG_NET_RING || strcmp(peer->peer.text, port->name.text) != 0)
        return schema_fail(source, port->peer.place,
                           "peer: port \"%s\" does not have \"%s\" as its peer", peer->name.text,
                           port->name.text);
    if (peer->mtu != port->mtu)
        return schema_fail(source, port->place, "mtu: ports \"%s\" and \"%s\" differ",
                           port->name.text, peer->name.text);
    return 0;
}

/* One XDP port has all receive queues of its interface. */
static int check_interface(const struct config *config, struct schema_source *source,
                           const struct config_port *port)
{
    for (const struct config_port *other = config_port(config, 0); other < port; other++) {
        if ((other->driver == CONFIG_XDP || port->driver == CONFIG_XDP) &&
            port->interface.text[0] && !strcmp(other->interface.text, port->interface.text))
            return schema_fail(source, port->interface.place,
                               "interface: \"%s\" is that of port \"%s\" already",
                               port->interface.text, other->name.text);
    }
    return 0;
}

/* A memif port listens alone at its socket. */
static int check_socket(const struct config *config, struct schema_source *source,
                        const struct config_port *port)
{
    if (port->driver != CONFIG_MEMIF || port->role != CONFIG_SERVER)
        return 0;
    for (const struct config_port *other = config_port(config, 0); other < port; other++) {
        if (other->driver == CONFIG_MEMIF && other->role == CONFIG_SERVER &&
            !strcmp(other->socket.text, port->socket.text))
            return schema_fail(source, port->socket.place,
                               "socket: \"%s\" is that of port \"%s\" already", port->socket.text,
                               other->name.text);
    }
    return 0;
}

static int check_port(const struct config *config, struct schema_source *source,
                      const struct config_port *port)
{
    int error = check_port_keys(source, port);

    if (!error && port->driver == CONFIG_NET_RING)
        error = check_joined(config, source, port);
    if (!error && port->driver == CONFIG_ETHDEV)
        error = check_device(config, source, port);
    if (!error)
        error = check_socket(config, source, port);
    return error ? error : check_interface(config, source, port);
}

/* Whether an engine of another host that stands before this text in the file has the address too.
 */
static int check_taken(const struct config *config, struct schema_source *source,
                       const struct config_port *port, const struct schema_text *text,
                       const struct address *address)
{
    for (uint32_t i = 0; i < config->engines.count; i++) {
        const struct config_engine *engine = config_engine(config, i);
        const uint32_t count = engine->addresses.count;
        bool own = count > 0 && text >= ADDRESSES(engine) && text < ADDRESSES(engine) + count;
        bool mate = !own && config_steer_on(config, port->name.text) &&
                    !strcmp(engine->port.text, port->name.text);

        for (uint32_t j = 0; j < count; j++) {
            struct config_subnet other;

            if (&ADDRESSES(engine)[j] == text)
                return 0;
            if (!mate && !config_subnet(ADDRESSES(engine)[j].text, &other) &&
                address_equal(address, &other.address))
                return schema_fail(source, text->place,
                                   "addresses: %s is already used by engine \"%s\"", text->text,
                                   engine->name.text);
        }
    }
    return 0;
}

static int check_address(const struct config *config, struct schema_source *source,
                         const struct config_port *port, const struct schema_text *text)
{
    struct config_subnet subnet;

    if (config_subnet(text->text, &subnet))
        return schema_fail(source, text->place, "addresses: \"%s\" is no IP address", text->text);
    if (config_link_owner(config, port) == CONFIG_OWNER_SADDLE &&
        subnet.prefix == CONFIG_PREFIX_NONE)
        return schema_fail(source, text->place,
                           "addresses: %s needs the length of its network's prefix (%s/%u)",
                           text->text, text->text, address_is_v4(&subnet.address) ? 24 : 64);
    return check_taken(config, source, port, text, &subnet.address);
}

/* Whether one of the engine's networks has the address in it. */
static bool on_link(const struct config_engine *engine, const struct address *address)
{
    for (uint32_t i = 0; i < engine->addresses.count; i++) {
        struct config_subnet subnet;

        if (!config_subnet(ADDRESSES(engine)[i].text, &subnet) &&
            config_subnet_has(&subnet, address))
            return true;
    }
    return false;
}

static int check_gateway(struct schema_source *source, const struct config_engine *engine,
                         uint32_t index)
{
    const struct schema_text *text = &GATEWAYS(engine)[index];
    struct address address, other;

    if (address_parse(&address, text->text))
        return schema_fail(source, text->place, "gateways: \"%s\" is no IP address", text->text);
    if (!on_link(engine, &address))
        return schema_fail(source, text->place, "gateways: %s is in no network of engine \"%s\"",
                           text->text, engine->name.text);
    for (uint32_t i = 0; i < index; i++) {
        if (!address_parse(&other, GATEWAYS(engine)[i].text) &&
            address_is_v4(&other) == address_is_v4(&address))
            return schema_fail(source, text->place,
                               "gateways: %s is of that family already, in line %u",
                               GATEWAYS(engine)[i].text, GATEWAYS(engine)[i].place.line);
    }
    return 0;
}

static int check_gateways(const struct config *config, struct schema_source *source,
                          const struct config_port *port, const struct config_engine *engine)
{
    int error = 0;

    if (engine->gateways.count && config_link_owner(config, port) == CONFIG_OWNER_KERNEL)
        return schema_fail(source, GATEWAYS(engine)[0].place,
                           "gateways: the kernel owns \"%s\" and its routes (ip route add)",
                           config_link_interface(config, port));
    if (engine->gateways.count && config_owner(port) == CONFIG_OWNER_NOBODY)
        return schema_fail(source, GATEWAYS(engine)[0].place,
                           "gateways: port \"%s\" (%s) has no network behind it", port->name.text,
                           config_driver_name(port->driver));
    for (uint32_t i = 0; i < engine->gateways.count && !error; i++)
        error = check_gateway(source, engine, i);
    return error;
}

/* Whether whoever has the port can ask where others are. */
static bool can_ask(const struct config_port *port)
{
    return config_owner(port) != CONFIG_OWNER_NOBODY;
}

static int check_peer(struct schema_source *source, const struct config_port *port,
                      const struct config_peer *peer)
{
    struct address address;

    if (address_parse(&address, peer->address.text))
        return schema_fail(source, peer->address.place, "address: \"%s\" is no IP address",
                           peer->address.text);
    if (!peer->mac.text[0] && !can_ask(port))
        return schema_fail(source, peer->place,
                           "peer \"%s\": the key \"mac\" is missing: port \"%s\" (%s) cannot "
                           "ask for it",
                           peer->name.text, port->name.text, config_driver_name(port->driver));
    return check_mac(source, &peer->mac);
}

/* Each address is one peer's. */
static int check_peer_addresses(struct schema_source *source, const struct config_engine *engine)
{
    const struct config_peer *peers = PEERS(engine);
    struct address addresses[TRANSPORT_PEERS_MAX];

    for (uint32_t i = 0; i < engine->peers.count; i++) {
        if (address_parse(&addresses[i], peers[i].address.text))
            return -EINVAL;
        for (uint32_t j = 0; j < i; j++) {
            if (address_equal(&addresses[i], &addresses[j]))
                return schema_fail(source, peers[i].address.place,
                                   "address: %s is already that of peer \"%s\"",
                                   peers[i].address.text, peers[j].name.text);
        }
    }
    return 0;
}

static int check_peers(struct schema_source *source, const struct config_port *port,
                       const struct config_engine *engine)
{
    int error = 0;

    for (uint32_t i = 0; i < engine->peers.count && !error; i++)
        error = check_peer(source, port, &PEERS(engine)[i]);
    if (!error)
        error = check_unique(source, &engine->peers, sizeof(struct config_peer),
                             offsetof(struct config_peer, name));
    return error ? error : check_peer_addresses(source, engine);
}

/* ---- Engines that share a port ---- */

static bool same_texts(const struct schema_list *a, const struct schema_list *b)
{
    const struct schema_text *first = a->items, *second = b->items;

    for (uint32_t i = 0; i < a->count && a->count == b->count; i++) {
        if (strcmp(first[i].text, second[i].text) != 0)
            return false;
    }
    return a->count == b->count;
}

/* Whether an engine that stands earlier in the file shares the port out too. */
static const struct config_engine *shared_before(const struct config *config,
                                                 const struct config_engine *steer)
{
    const struct config_engine *other = config_engine(config, 0);

    while (other < steer &&
           (!config_shares(other) || strcmp(other->port.text, steer->port.text) != 0))
        other++;
    return other;
}

static int check_steer(const struct config *config, struct schema_source *source,
                       const struct config_engine *steer)
{
    const struct config_engine *other = shared_before(config, steer);

    if (other != steer)
        return schema_fail(source, steer->port.place,
                           "port: \"%s\" is shared out by \"%s\" already", steer->port.text,
                           other->name.text);
    if (steer->addresses.count || steer->gateways.count || steer->peers.count)
        return schema_fail(source, steer->place,
                           "engine \"%s\": a %s has no addresses, gateways and peers: those of "
                           "the engines on its port count",
                           steer->name.text, steer->kind == CONFIG_STEER ? "steer" : "shaper");
    if (!config_engine_on(config, steer->port.text))
        return schema_fail(source, steer->place,
                           "engine \"%s\": there is no other engine on port \"%s\"",
                           steer->name.text, steer->port.text);
    return config_shape_check(config, steer, source);
}

/* Whether a port or an engine that stands before this one has the interface. */
static const struct schema_text *find_interface(const struct config *config,
                                                const struct config_engine *kernel)
{
    const char *name = kernel->interface.text;

    for (uint32_t i = 0; i < config->ports.count; i++) {
        if (!strcmp(config_port(config, i)->interface.text, name))
            return &config_port(config, i)->name;
    }
    for (const struct config_engine *other = config_engine(config, 0); other < kernel; other++) {
        if (!strcmp(other->interface.text, name))
            return &other->name;
    }
    return NULL;
}

/* Where the kernel's part of a port is to come from. */
static int check_kernel_port(const struct config *config, struct schema_source *source,
                             const struct config_port *port, const struct config_engine *kernel)
{
    const struct config_engine *first = config_kernel_on(config, port->name.text);

    if (config_owner(port) == CONFIG_OWNER_KERNEL)
        return schema_fail(source, kernel->port.place,
                           "port: \"%s\" is on \"%s\", which the kernel owns: it gets its packets "
                           "without an engine",
                           port->name.text, port->interface.text);
    if (config_owner(port) == CONFIG_OWNER_NOBODY)
        return schema_fail(source, kernel->port.place,
                           "port: \"%s\" (%s) has no network behind it for the kernel",
                           port->name.text, config_driver_name(port->driver));
    if (first != kernel)
        return schema_fail(source, kernel->port.place,
                           "port: \"%s\" has an engine for the kernel already, \"%s\"",
                           port->name.text, first->name.text);
    if (!config_steer_on(config, port->name.text))
        return schema_fail(source, kernel->port.place,
                           "port: no engine of kind steer or shaper shares \"%s\" out, as one of "
                           "kind kernel needs it",
                           port->name.text);
    return 0;
}

static int check_kernel(const struct config *config, struct schema_source *source,
                        const struct config_port *port, const struct config_engine *kernel)
{
    const struct schema_text *taken = find_interface(config, kernel);
    int error = check_kernel_port(config, source, port, kernel);

    if (error)
        return error;
    if (!kernel->interface.text[0])
        return schema_fail(source, kernel->place, "engine \"%s\": the key \"interface\" is missing",
                           kernel->name.text);
    if (taken)
        return schema_fail(source, kernel->interface.place,
                           "interface: \"%s\" is that of \"%s\" already", kernel->interface.text,
                           taken->text);
    if (kernel->addresses.count || kernel->gateways.count || kernel->peers.count)
        return schema_fail(source, kernel->place,
                           "engine \"%s\": the kernel has addresses, gateways and peers of its own "
                           "(ip address add dev %s)",
                           kernel->name.text, kernel->interface.text);
    return 0;
}

/* An engine that is not the first on its port. */
static int check_mate(const struct config *config, struct schema_source *source,
                      const struct config_engine *engine)
{
    const struct config_engine *mates[CONFIG_MATES_MAX];
    uint32_t count = config_mates(config, engine->port.text, mates);
    const struct config_engine *first = mates[0];

    if (!config_steer_on(config, engine->port.text))
        return schema_fail(source, engine->port.place,
                           "port: \"%s\" already belongs to engine \"%s\"", engine->port.text,
                           first->name.text);
    if (engine > mates[count - 1])
        return schema_fail(source, engine->port.place, "port: \"%s\" is for %u engines at most",
                           engine->port.text, CONFIG_MATES_MAX);
    if (engine->udp_port <= first->udp_port || engine->udp_port - first->udp_port >= WIRE_UDP_PORTS)
        return schema_fail(source, engine->place,
                           "engine \"%s\": udp_port is not one of the %u that follow %u, that of "
                           "engine \"%s\"",
                           engine->name.text, WIRE_UDP_PORTS - 1, (uint32_t)first->udp_port,
                           first->name.text);
    if (config_in_place(config, engine) != engine)
        return schema_fail(source, engine->place, "engine \"%s\": udp_port is that of \"%s\" too",
                           engine->name.text, config_in_place(config, engine)->name.text);
    if (!same_texts(&engine->addresses, &first->addresses) ||
        !same_texts(&engine->gateways, &first->gateways) || engine->vlan != first->vlan)
        return schema_fail(source, engine->place,
                           "engine \"%s\": addresses, gateways and vlan are those of the host, as "
                           "engine \"%s\" has them",
                           engine->name.text, first->name.text);
    return 0;
}

static int check_engine(const struct config *config, struct schema_source *source,
                        const struct config_engine *engine)
{
    const struct config_port *port = config_find_port(config, engine->port.text);
    int error = 0;

    if (!port)
        return schema_fail(source, engine->port.place, "port: there is no port \"%s\"",
                           engine->port.text);
    if (engine->kind != CONFIG_KERNEL && engine->interface.text[0])
        return schema_fail(source, engine->interface.place,
                           "interface: \"%s\" is no engine of kind kernel", engine->name.text);
    if (config_shares(engine))
        return check_steer(config, source, engine);
    error = config_shape_check(config, engine, source);
    if (error)
        return error;
    if (engine->kind == CONFIG_KERNEL)
        return check_kernel(config, source, port, engine);
    if (config_engine_on(config, engine->port.text) != engine)
        error = check_mate(config, source, engine);
    if (error)
        return error;
    if (engine->addresses.count == 0)
        return schema_fail(source, engine->place, "engine \"%s\": the key \"addresses\" is missing",
                           engine->name.text);
    if (engine->wire_max < engine->wire_min)
        return schema_fail(source, engine->place, "engine \"%s\": wire_max is below wire_min",
                           engine->name.text);
    if (engine->rto_max < engine->rto_min)
        return schema_fail(source, engine->place, "engine \"%s\": rto_max is below rto_min",
                           engine->name.text);
    for (uint32_t i = 0; i < engine->addresses.count && !error; i++)
        error = check_address(config, source, port, &ADDRESSES(engine)[i]);
    if (!error)
        error = check_gateways(config, source, port, engine);
    return error ? error : check_peers(source, port, engine);
}

static int check_group(const struct config *config, struct schema_source *source,
                       const struct config_group *group)
{
    const struct quanta_config quanta = config_quanta(config, group);
    const char *why;
    cpu_set_t cpus;

    if (config_cpus(group->cpus.text, &cpus))
        return schema_fail(source, group->cpus.place, "cpus: \"%s\" is no list of CPUs (0-2,5)",
                           group->cpus.text);
    if (quanta_check(&quanta, &why))
        return schema_fail(source, group->place, "group \"%s\": %s", group->name.text, why);
    for (uint32_t i = 0; i < group->engines.count; i++) {
        if (!config_find_engine(config, MEMBERS(group)[i].text))
            return schema_fail(source, MEMBERS(group)[i].place,
                               "engines: there is no engine \"%s\"", MEMBERS(group)[i].text);
    }
    return 0;
}

/* Every engine is in exactly one group. */
static int check_membership(const struct config *config, struct schema_source *source,
                            const struct config_engine *engine)
{
    const struct schema_text *found = NULL;

    for (uint32_t i = 0; i < config->groups.count; i++) {
        const struct config_group *group = config_group(config, i);

        for (uint32_t j = 0; j < group->engines.count; j++) {
            if (strcmp(MEMBERS(group)[j].text, engine->name.text) != 0)
                continue;
            if (found)
                return schema_fail(source, MEMBERS(group)[j].place,
                                   "engines: \"%s\" is in a group already, in line %u",
                                   engine->name.text, found->place.line);
            found = &MEMBERS(group)[j];
        }
    }
    if (!found)
        return schema_fail(source, engine->place, "engine \"%s\" is in no group",
                           engine->name.text);
    return 0;
}

static int check_rule(struct schema_source *source, const struct config_rule *rule)
{
    int who = (rule->uid != SCHEMA_UNSET) + (rule->gid != SCHEMA_UNSET) + (rule->any != 0);

    if (who != 1)
        return schema_fail(source, rule->place, "a rule has one of uid, gid and any, not %d", who);
    if (rule->any && rule->hugepages != POLICY_HUGEPAGES_OFF)
        return schema_fail(source, rule->place,
                           "hugepages: %s: not for any: trust is of a uid or a gid",
                           policy_hugepages_words[rule->hugepages]);
    return 0;
}

static int check_callers(struct schema_source *source, const char *role,
                         const struct schema_list *list)
{
    const struct config_caller *callers = list->items;

    for (uint32_t i = 0; i < list->count; i++) {
        int who = (callers[i].uid != SCHEMA_UNSET) + (callers[i].gid != SCHEMA_UNSET) +
                  (callers[i].any != 0);

        if (who != 1)
            return schema_fail(source, callers[i].place,
                               "%s: one of uid, gid and any says who, not %d", role, who);
    }
    return 0;
}

static int check_endpoint(const struct config *config, struct schema_source *source,
                          const struct schema_text *text)
{
    struct endpoint endpoint;

    if (!text->text[0])
        return 0;
    if (endpoint_parse(text->text, &endpoint))
        return schema_fail(source, text->place,
                           "address: \"%s\" is no address with a port (127.0.0.1:9464, [::1]:9464)",
                           text->text);
    if (!config->control.path.text[0])
        return schema_fail(source, text->place, "address: it takes a control socket (path)");
    return 0;
}

static int check_tls(const struct config *config, struct schema_source *source)
{
    const struct config_tls *tls = &config->control.tls;
    const struct {
        const char *key;
        const struct schema_text *file;
    } files[] = {{"certificate", &tls->certificate},
                 {"key", &tls->key},
                 {"authority", &tls->authority}};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *path = files[i].file->text;

        if (tls->address.text[0] && !*path)
            return schema_fail(source, tls->place, "tls: the key \"%s\" is missing", files[i].key);
        if (!tls->address.text[0] && *path)
            return schema_fail(source, files[i].file->place,
                               "%s: without an address there is no TLS", files[i].key);
        if (*path && *path != '/')
            return schema_fail(source, files[i].file->place,
                               "%s: \"%s\" does not begin with a slash", files[i].key, path);
    }
    return check_endpoint(config, source, &tls->address);
}

static int check_upgrade(const struct config *config, struct schema_source *source)
{
    const struct schema_text *path = &config->upgrade.socket;

    if (strlen(path->text) > SOCKET_LENGTH_MAX)
        return schema_fail(source, path->place,
                           "socket: the path has %zu characters, more than the %u of a Unix socket",
                           strlen(path->text), SOCKET_LENGTH_MAX);
    if (path->text[0] && (!strcmp(path->text, config->socket.path.text) ||
                          !strcmp(path->text, config->control.path.text)))
        return schema_fail(source, path->place, "socket: \"%s\" is another one's already",
                           path->text);
    return 0;
}

static int check_control(const struct config *config, struct schema_source *source)
{
    const struct config_control *control = &config->control;
    cpu_set_t cpus;
    int error;

    if (strlen(control->path.text) > SOCKET_LENGTH_MAX)
        return schema_fail(source, control->path.place,
                           "path: longer than the %u characters a Unix socket may have",
                           SOCKET_LENGTH_MAX);
    if (control->path.text[0] && !strcmp(control->path.text, config->socket.path.text))
        return schema_fail(source, control->path.place,
                           "path: applications attach there (socket: path)");
    if (config_cpus(control->cpus.text, &cpus))
        return schema_fail(source, control->cpus.place, "cpus: \"%s\" is no list of CPUs (0-2,5)",
                           control->cpus.text);
    if (control->program.text[0] != '/')
        return schema_fail(source, control->program.place,
                           "program: \"%s\" does not begin with a slash", control->program.text);
    error = check_callers(source, "observe", &control->observe);
    if (!error)
        error = check_callers(source, "operate", &control->operate);
    if (!error)
        error = check_endpoint(config, source, &control->http.address);
    return error ? error : check_tls(config, source);
}

static int check_names(const struct config *config, struct schema_source *source)
{
    int error = check_unique(source, &config->ports, sizeof(struct config_port),
                             offsetof(struct config_port, name));

    if (!error)
        error = check_unique(source, &config->engines, sizeof(struct config_engine),
                             offsetof(struct config_engine, name));
    if (!error)
        error = check_unique(source, &config->groups, sizeof(struct config_group),
                             offsetof(struct config_group, name));
    if (!error && config->engines.count == 0)
        error = schema_fail(source, config->place, "there is no engine");
    if (!error && strlen(config->socket.path.text) > SOCKET_LENGTH_MAX)
        error = schema_fail(source, config->socket.path.place,
                            "path: longer than the %u characters a Unix socket may have",
                            SOCKET_LENGTH_MAX);
    return error;
}

int config_check(const struct config *config, struct schema_source *source)
{
    int error = check_names(config, source);

    for (uint32_t i = 0; i < config->ports.count && !error; i++)
        error = check_port(config, source, config_port(config, i));
    for (uint32_t i = 0; i < config->engines.count && !error; i++)
        error = check_engine(config, source, config_engine(config, i));
    for (uint32_t i = 0; i < config->groups.count && !error; i++)
        error = check_group(config, source, config_group(config, i));
    for (uint32_t i = 0; i < config->engines.count && !error; i++)
        error = check_membership(config, source, config_engine(config, i));
    for (uint32_t i = 0; i < config->policy.count && !error; i++)
        error = check_rule(source, &RULES(config)[i]);
    if (!error)
        error = check_control(config, source);
    return error ? error : check_upgrade(config, source);
}
