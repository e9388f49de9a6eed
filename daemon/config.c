/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include "control/arena.h"
#include "daemon/ethdev.h"
#include "engines/pony/transport.h"
#include "engines/pony/wire.h"
#include "sched/group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MTU_MIN           1280u /* bytes: what IPv6 needs (RFC 8200 section 5) */
#define MTU_MAX           9000u /* bytes: the usual jumbo frame */
#define PACKETS_MIN       512u  /* receive ring and bursts leave some to send with */
#define PACKETS_MAX       (1u << 20)
#define POLICY_RULES_MAX  256u
#define CONNECTIONS_MAX   61440u /* a handle has 16 bits of index, listeners included */
#define OPERATIONS_MAX    (1u << 20)
#define REGIONS_MAX       65536u
#define FLOWS_MAX         4096u
#define WINDOW_MIN        2u             /* packets: one to be lost, one to tell */
#define WINDOW_MAX        WIRE_SACK_BITS /* packets: what an acknowledgement can speak of */
#define VLAN_MAX          4094u          /* IEEE 802.1Q: 4095 is reserved */
#define DSCP_MAX          63u
#define MEMORY_MIN        (32ull << 20)
#define MEMORY_MAX        (1ull << 40)
#define NAME_LENGTH_MAX   31u  /* struct port and struct engine: 32 with the final NUL */
#define SOCKET_LENGTH_MAX 107u /* sun_path with its final NUL: unix(7) */
#define TIME_MAX          (3600 * NSEC_PER_SEC)

#define ADDRESSES(engine) ((const struct schema_text *)(engine)->addresses.items)
#define PEERS(engine)     ((const struct config_peer *)(engine)->peers.items)
#define MEMBERS(group)    ((const struct schema_text *)(group)->engines.items)
#define RULES(config)     ((const struct config_rule *)(config)->policy.items)

static const char *const hugepages_choices[] = {"auto", "off", "required", NULL};
static const char *const driver_choices[] = {"net_ring", "net_null", NULL};
static const char *const kind_choices[] = {"pony", NULL};
static const char *const mode_choices[] = {"spin", "sleep", NULL};
static const char *const bool_choices[] = {"false", "true", NULL};
static const char *const allow_choices[] = {"attach", NULL};

#define NUMBER(structure, member, unit, low, high, value)                                          \
    {                                                                                              \
        .key = #member, .kind = SCHEMA_NUMBER, .units = (unit),                                    \
        .offset = offsetof(struct structure, member), .min = (low), .max = (high),                 \
        .fallback = (value)                                                                        \
    }
#define TEXT(structure, member, type, length, value)                                               \
    {                                                                                              \
        .key = #member, .kind = (type), .offset = offsetof(struct structure, member),              \
        .max = (length), .fallback = (value)                                                       \
    }
#define CHOICE(structure, member, all, value)                                                      \
    {                                                                                              \
        .key = #member, .kind = SCHEMA_CHOICE, .offset = offsetof(struct structure, member),       \
        .fallback = (value), .choices = (all)                                                      \
    }
#define NESTED(structure, member, type, count, inner)                                              \
    {                                                                                              \
        .key = #member, .kind = (type), .offset = offsetof(struct structure, member),              \
        .max = (count), .element = (inner)                                                         \
    }
#define END                                                                                        \
    {                                                                                              \
        .key = NULL                                                                                \
    }

static const struct schema_field impair_fields[] = {
    NUMBER(config_impair, loss, UNITS_SHARE, 0, 1000000, "0"),
    NUMBER(config_impair, duplicate, UNITS_SHARE, 0, 1000000, "0"),
    NUMBER(config_impair, reorder, UNITS_SHARE, 0, 1000000, "0"),
    NUMBER(config_impair, corrupt, UNITS_SHARE, 0, 1000000, "0"),
    NUMBER(config_impair, burst_enter, UNITS_SHARE, 0, 1000000, "0"),
    NUMBER(config_impair, burst_leave, UNITS_SHARE, 0, 1000000, "0"),
    NUMBER(config_impair, burst_loss, UNITS_SHARE, 0, 1000000, "0"),
    NUMBER(config_impair, reorder_by, UNITS_DURATION, 0, 10 * NSEC_PER_SEC, "100us"),
    NUMBER(config_impair, delay, UNITS_DURATION, 0, 10 * NSEC_PER_SEC, "0"),
    NUMBER(config_impair, jitter, UNITS_DURATION, 0, 10 * NSEC_PER_SEC, "0"),
    NUMBER(config_impair, seed, UNITS_COUNT, 0, INT64_MAX, "1"),
    END,
};
static const struct schema impair_schema = {impair_fields, sizeof(struct config_impair)};

static const struct schema_field port_fields[] = {
    TEXT(config_port, name, SCHEMA_NAME, ETHDEV_NAME_MAX, NULL),
    CHOICE(config_port, driver, driver_choices, NULL),
    TEXT(config_port, peer, SCHEMA_NAME, ETHDEV_NAME_MAX, ""),
    TEXT(config_port, mac, SCHEMA_TEXT, 0, ""),
    NUMBER(config_port, mtu, UNITS_COUNT, MTU_MIN, MTU_MAX, "1500"),
    NUMBER(config_port, packets, UNITS_COUNT, PACKETS_MIN, PACKETS_MAX, "4096"),
    NESTED(config_port, impair, SCHEMA_MAPPING, 0, &impair_schema),
    END,
};
static const struct schema port_schema = {port_fields, sizeof(struct config_port)};

static const struct schema_field peer_fields[] = {
    TEXT(config_peer, name, SCHEMA_NAME, SADDLE_NAME_BYTES - 1, NULL),
    TEXT(config_peer, address, SCHEMA_TEXT, 0, NULL),
    TEXT(config_peer, mac, SCHEMA_TEXT, 0, NULL),
    END,
};
static const struct schema peer_schema = {peer_fields, sizeof(struct config_peer)};

static const struct schema_field engine_fields[] = {
    TEXT(config_engine, name, SCHEMA_NAME, NAME_LENGTH_MAX, NULL),
    CHOICE(config_engine, kind, kind_choices, "pony"),
    TEXT(config_engine, port, SCHEMA_NAME, ETHDEV_NAME_MAX, NULL),
    NESTED(config_engine, addresses, SCHEMA_TEXTS, TRANSPORT_ADDRESSES_MAX, NULL),
    NESTED(config_engine, peers, SCHEMA_MAPPINGS, TRANSPORT_PEERS_MAX, &peer_schema),
    NUMBER(config_engine, udp_port, UNITS_COUNT, 1, UINT16_MAX, "50707"),
    NUMBER(config_engine, vlan, UNITS_COUNT, 0, VLAN_MAX, "0"),
    NUMBER(config_engine, dscp, UNITS_COUNT, 0, DSCP_MAX, "0"),
    NUMBER(config_engine, window, UNITS_COUNT, WINDOW_MIN, WINDOW_MAX, "256"),
    NUMBER(config_engine, rto_min, UNITS_DURATION, NSEC_PER_USEC, TIME_MAX, "1ms"),
    NUMBER(config_engine, rto_max, UNITS_DURATION, NSEC_PER_USEC, TIME_MAX, "200ms"),
    NUMBER(config_engine, dead_after, UNITS_DURATION, NSEC_PER_MSEC, TIME_MAX, "5s"),
    NUMBER(config_engine, keepalive, UNITS_DURATION, NSEC_PER_MSEC, TIME_MAX, "1s"),
    NUMBER(config_engine, hello_timeout, UNITS_DURATION, NSEC_PER_MSEC, TIME_MAX, "2s"),
    NUMBER(config_engine, ack_delay, UNITS_DURATION, NSEC_PER_USEC, TIME_MAX, "20us"),
    NUMBER(config_engine, sessions, UNITS_COUNT, 1, ARENAS_MAX, "64"),
    NUMBER(config_engine, connections, UNITS_COUNT, 1, CONNECTIONS_MAX, "1024"),
    NUMBER(config_engine, operations, UNITS_COUNT, 1, OPERATIONS_MAX, "16384"),
    NUMBER(config_engine, regions, UNITS_COUNT, 1, REGIONS_MAX, "256"),
    NUMBER(config_engine, flows, UNITS_COUNT, 1, FLOWS_MAX, "256"),
    END,
};
static const struct schema engine_schema = {engine_fields, sizeof(struct config_engine)};

static const struct schema_field group_fields[] = {
    TEXT(config_group, name, SCHEMA_NAME, NAME_LENGTH_MAX, NULL),
    CHOICE(config_group, mode, mode_choices, "sleep"),
    TEXT(config_group, cpus, SCHEMA_TEXT, 0, ""),
    NUMBER(config_group, threads, UNITS_COUNT, 0, GROUP_THREADS_MAX, "0"),
    NUMBER(config_group, idle, UNITS_DURATION, NSEC_PER_USEC, NSEC_PER_SEC, "20us"),
    NESTED(config_group, engines, SCHEMA_TEXTS, GROUP_ENGINES_MAX, NULL),
    END,
};
static const struct schema group_schema = {group_fields, sizeof(struct config_group)};

static const struct schema_field rule_fields[] = {
    NUMBER(config_rule, uid, UNITS_COUNT, 0, UINT32_MAX - 1, ""),
    NUMBER(config_rule, gid, UNITS_COUNT, 0, UINT32_MAX - 1, ""),
    CHOICE(config_rule, any, bool_choices, "false"),
    CHOICE(config_rule, allow, allow_choices, NULL),
    END,
};
static const struct schema rule_schema = {rule_fields, sizeof(struct config_rule)};

static const struct schema_field socket_fields[] = {
    TEXT(config_socket, path, SCHEMA_TEXT, 0, "/run/saddle/attach.sock"),
    NUMBER(config_socket, mode, UNITS_MODE, 0, 0777, "0660"),
    END,
};
static const struct schema socket_schema = {socket_fields, sizeof(struct config_socket)};

static const struct schema_field limits_fields[] = {
    NUMBER(config_limits, sessions_per_uid, UNITS_COUNT, 1, ARENAS_MAX, "64"),
    NUMBER(config_limits, memory_per_uid, UNITS_BYTES, 1u << 20, MEMORY_MAX, "4GiB"),
    NUMBER(config_limits, handshake_timeout, UNITS_DURATION, NSEC_PER_MSEC, TIME_MAX, "5s"),
    END,
};
static const struct schema limits_schema = {limits_fields, sizeof(struct config_limits)};

static const struct schema_field fields[] = {
    NESTED(config, socket, SCHEMA_MAPPING, 0, &socket_schema),
    NUMBER(config, memory, UNITS_BYTES, MEMORY_MIN, MEMORY_MAX, "256MiB"),
    CHOICE(config, hugepages, hugepages_choices, "auto"),
    NESTED(config, ports, SCHEMA_MAPPINGS, CONFIG_PORTS_MAX, &port_schema),
    NESTED(config, engines, SCHEMA_MAPPINGS, CONFIG_ENGINES_MAX, &engine_schema),
    NESTED(config, groups, SCHEMA_MAPPINGS, CONFIG_GROUPS_MAX, &group_schema),
    NESTED(config, policy, SCHEMA_MAPPINGS, POLICY_RULES_MAX, &rule_schema),
    NESTED(config, limits, SCHEMA_MAPPING, 0, &limits_schema),
    END,
};
static const struct schema schema = {fields, sizeof(struct config)};

const struct config_port *config_port(const struct config *config, uint32_t index)
{
    return (const struct config_port *)config->ports.items + index;
}

const struct config_engine *config_engine(const struct config *config, uint32_t index)
{
    return (const struct config_engine *)config->engines.items + index;
}

const struct config_group *config_group(const struct config *config, uint32_t index)
{
    return (const struct config_group *)config->groups.items + index;
}

const struct config_port *config_find_port(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->ports.count; i++) {
        if (!strcmp(config_port(config, i)->name.text, name))
            return config_port(config, i);
    }
    return NULL;
}

const struct config_engine *config_find_engine(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->engines.count; i++) {
        if (!strcmp(config_engine(config, i)->name.text, name))
            return config_engine(config, i);
    }
    return NULL;
}

const struct config_engine *config_engine_on(const struct config *config, const char *port)
{
    for (uint32_t i = 0; i < config->engines.count; i++) {
        if (!strcmp(config_engine(config, i)->port.text, port))
            return config_engine(config, i);
    }
    return NULL;
}

int config_mac(const char *text, struct rte_ether_addr *mac)
{
    if (rte_ether_unformat_addr(text, mac) || !rte_is_valid_assigned_ether_addr(mac))
        return -EINVAL;
    return 0;
}

/* One CPU number at *text, moving past it. */
static int read_cpu(const char **text, unsigned long *cpu)
{
    char *end;

    if (**text < '0' || **text > '9')
        return -EINVAL;
    *cpu = strtoul(*text, &end, 10);
    *text = end;
    return *cpu < CPU_SETSIZE ? 0 : -EINVAL;
}

int config_cpus(const char *text, cpu_set_t *cpus)
{
    CPU_ZERO(cpus);
    while (*text) {
        unsigned long first, last;

        if (read_cpu(&text, &first))
            return -EINVAL;
        last = first;
        if (*text == '-' && (text++, read_cpu(&text, &last)))
            return -EINVAL;
        if (last < first || (*text && *text != ',') || (*text == ',' && !text[1]))
            return -EINVAL;
        for (; first <= last; first++)
            CPU_SET(first, cpus);
        if (*text == ',')
            text++;
    }
    return 0;
}

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

static int check_port(const struct config *config, struct schema_source *source,
                      const struct config_port *port)
{
    const struct config_port *peer = config_find_port(config, port->peer.text);
    bool joined = port->peer.text[0] != '\0';

    if (port->driver != CONFIG_NET_RING)
        return joined ? schema_fail(source, port->peer.place,
                                    "peer: \"%s\" has driver %s, and "
                                    "only net_ring joins ports",
                                    port->name.text, driver_choices[port->driver])
                      : check_mac(source, &port->mac);
    if (!joined)
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
    return check_mac(source, &port->mac);
}

/* The address, and that no other engine has it. */
static int check_address(const struct config *config, struct schema_source *source,
                         const struct schema_text *text)
{
    struct address address, other;

    if (address_parse(&address, text->text))
        return schema_fail(source, text->place, "addresses: \"%s\" is no IP address", text->text);
    for (uint32_t i = 0; i < config->engines.count; i++) {
        const struct config_engine *engine = config_engine(config, i);

        for (uint32_t j = 0; j < engine->addresses.count; j++) {
            if (&ADDRESSES(engine)[j] == text)
                return 0;
            if (!address_parse(&other, ADDRESSES(engine)[j].text) &&
                address_equal(&address, &other))
                return schema_fail(source, text->place,
                                   "addresses: %s is already used by engine \"%s\"", text->text,
                                   engine->name.text);
        }
    }
    return 0;
}

static int check_peer(struct schema_source *source, const struct config_peer *peer)
{
    struct address address;

    if (address_parse(&address, peer->address.text))
        return schema_fail(source, peer->address.place, "address: \"%s\" is no IP address",
                           peer->address.text);
    return check_mac(source, &peer->mac);
}

static int check_peer_address(struct schema_source *source, const struct config_peer *peers,
                              uint32_t index)
{
    struct address address, other;

    if (address_parse(&address, peers[index].address.text))
        return -EINVAL;
    for (uint32_t i = 0; i < index; i++) {
        if (!address_parse(&other, peers[i].address.text) && address_equal(&address, &other))
            return schema_fail(source, peers[index].address.place,
                               "address: %s is already that of peer \"%s\"",
                               peers[index].address.text, peers[i].name.text);
    }
    return 0;
}

static int check_engine(const struct config *config, struct schema_source *source,
                        const struct config_engine *engine)
{
    int error = 0;

    if (!config_find_port(config, engine->port.text))
        return schema_fail(source, engine->port.place, "port: there is no port \"%s\"",
                           engine->port.text);
    if (config_engine_on(config, engine->port.text) != engine)
        return schema_fail(source, engine->port.place,
                           "port: \"%s\" already belongs to engine \"%s\"", engine->port.text,
                           config_engine_on(config, engine->port.text)->name.text);
    if (engine->addresses.count == 0)
        return schema_fail(source, engine->place, "engine \"%s\": the key \"addresses\" is missing",
                           engine->name.text);
    if (engine->rto_max < engine->rto_min)
        return schema_fail(source, engine->place, "engine \"%s\": rto_max is below rto_min",
                           engine->name.text);
    for (uint32_t i = 0; i < engine->addresses.count && !error; i++)
        error = check_address(config, source, &ADDRESSES(engine)[i]);
    for (uint32_t i = 0; i < engine->peers.count && !error; i++)
        error = check_peer(source, &PEERS(engine)[i]);
    if (!error)
        error = check_unique(source, &engine->peers, sizeof(struct config_peer),
                             offsetof(struct config_peer, name));
    for (uint32_t i = 1; i < engine->peers.count && !error; i++)
        error = check_peer_address(source, PEERS(engine), i);
    return error;
}

static int check_group(const struct config *config, struct schema_source *source,
                       const struct config_group *group)
{
    cpu_set_t cpus;

    if (config_cpus(group->cpus.text, &cpus))
        return schema_fail(source, group->cpus.place, "cpus: \"%s\" is no list of CPUs (0-2,5)",
                           group->cpus.text);
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

    if (who == 1)
        return 0;
    return schema_fail(source, rule->place, "a rule has one of uid, gid and any, not %d", who);
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

static int check(const struct config *config, struct schema_source *source)
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
    return error;
}

/* Without groups, all engines share one that sleeps when idle. */
static int add_default_group(struct config *config, struct schema_source *source)
{
    static const char text[] = "name: default";
    struct config_group *group;
    struct schema_text *members;
    int error;

    if (config->groups.count || !config->engines.count)
        return 0;
    group = calloc(1, sizeof(*group));
    members = calloc(config->engines.count, sizeof(*members));
    if (!group || !members) {
        free(group);
        free(members);
        return schema_fail(source, config->place, "out of memory");
    }
    config->groups = (struct schema_list){group, 1};
    error = schema_load(&group_schema, group, source, text, sizeof(text) - 1);
    group->engines = (struct schema_list){members, config->engines.count};
    for (uint32_t i = 0; i < config->engines.count; i++)
        members[i] = config_engine(config, i)->name;
    return error;
}

int config_parse(struct config *config, struct schema_source *source, const char *text,
                 size_t length)
{
    int error;

    memset(config, 0, sizeof(*config));
    source->error[0] = '\0';
    error = schema_load(&schema, config, source, text, length);
    if (!error)
        error = add_default_group(config, source);
    return error ? error : check(config, source);
}

static int fail_file(struct schema_source *source, int error)
{
    snprintf(source->error, sizeof(source->error), "%s: %s", source->file, strerror(-error));
    return error;
}

static int read_file(struct schema_source *source, char *text, size_t *length)
{
    int fd = open(source->file, O_RDONLY | O_CLOEXEC);
    ssize_t got = 0;

    if (fd < 0)
        return fail_file(source, -errno);
    do {
        got = read(fd, text + *length, CONFIG_BYTES_MAX + 1 - *length);
        if (got > 0)
            *length += (size_t)got;
    } while (got > 0 && *length <= CONFIG_BYTES_MAX);
    if (got < 0)
        got = fail_file(source, -errno);
    else if (*length > CONFIG_BYTES_MAX)
        got = fail_file(source, -EFBIG);
    close(fd);
    return got < 0 ? (int)got : 0;
}

int config_load(struct config *config, struct schema_source *source)
{
    char *text = malloc(CONFIG_BYTES_MAX + 1);
    size_t length = 0;
    int error;

    memset(config, 0, sizeof(*config));
    if (!text)
        return fail_file(source, -ENOMEM);
    error = read_file(source, text, &length);
    if (!error)
        error = config_parse(config, source, text, length);
    free(text);
    return error;
}

void config_free(struct config *config)
{
    schema_free(&schema, config);
}

void config_print(const struct config *config, FILE *stream)
{
    schema_print(&schema, config, stream);
}
