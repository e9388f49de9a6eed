/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include "control/arena.h"
#include "daemon/config_check.h"
#include "daemon/ethdev.h"
#include "engines/pony/transport.h"
#include "engines/pony/wire.h"
#include "sched/group.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MTU_DEFAULT          1500u /* bytes, of a port without the kernel's interface */
#define PACKETS_MIN          512u  /* receive ring and bursts leave some to send with */
#define PACKETS_MAX          (1u << 20)
#define POLICY_RULES_MAX     256u
#define CONNECTIONS_MAX      61440u /* a handle has 16 bits of index, listeners included */
#define OPERATIONS_MAX       (1u << 20)
#define REGIONS_MAX          65536u
#define FLOWS_MAX            4096u
#define WINDOW_MIN           2u             /* packets: one to be lost, one to tell */
#define WINDOW_MAX           WIRE_SACK_BITS /* packets: what an acknowledgement can speak of */
#define VLAN_MAX             4094u          /* IEEE 802.1Q: 4095 is reserved */
#define DSCP_MAX             63u
#define MEMORY_MIN           (32ull << 20)
#define MEMORY_MAX           (1ull << 40)
#define NAME_LENGTH_MAX      31u /* struct port and struct engine: 32 with the final NUL */
#define INTERFACE_LENGTH_MAX 15u /* IFNAMSIZ without the final NUL */
#define USER_LENGTH_MAX      32u /* useradd(8) */
#define V4_BITS              32u
#define V6_BITS              128u
#define GATEWAYS_MAX         2u /* one of each family */
#define TIME_MAX             (3600 * NSEC_PER_SEC)

static const char *const hugepages_choices[] = {"auto", "off", "required", NULL};
static const char *const driver_choices[] = {"net_ring", "net_null", "ethdev", "xdp", NULL};
static const char *const xdp_mode_choices[] = {"auto", "native", "generic", NULL};
static const char *const zerocopy_choices[] = {"auto", "off", "required", NULL};
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
    TEXT(config_port, device, SCHEMA_TEXT, 0, ""),
    TEXT(config_port, interface, SCHEMA_NAME, INTERFACE_LENGTH_MAX, ""),
    CHOICE(config_port, xdp_mode, xdp_mode_choices, "auto"),
    CHOICE(config_port, zerocopy, zerocopy_choices, "auto"),
    TEXT(config_port, mac, SCHEMA_TEXT, 0, ""),
    NUMBER(config_port, mtu, UNITS_COUNT, CONFIG_MTU_MIN, CONFIG_MTU_MAX, ""),
    NUMBER(config_port, packets, UNITS_COUNT, PACKETS_MIN, PACKETS_MAX, "4096"),
    NESTED(config_port, impair, SCHEMA_MAPPING, 0, &impair_schema),
    END,
};
static const struct schema port_schema = {port_fields, sizeof(struct config_port)};

static const struct schema_field peer_fields[] = {
    TEXT(config_peer, name, SCHEMA_NAME, SADDLE_NAME_BYTES - 1, NULL),
    TEXT(config_peer, address, SCHEMA_TEXT, 0, NULL),
    TEXT(config_peer, mac, SCHEMA_TEXT, 0, ""),
    END,
};
static const struct schema peer_schema = {peer_fields, sizeof(struct config_peer)};

static const struct schema_field engine_fields[] = {
    TEXT(config_engine, name, SCHEMA_NAME, NAME_LENGTH_MAX, NULL),
    CHOICE(config_engine, kind, kind_choices, "pony"),
    TEXT(config_engine, port, SCHEMA_NAME, ETHDEV_NAME_MAX, NULL),
    NESTED(config_engine, addresses, SCHEMA_TEXTS, TRANSPORT_ADDRESSES_MAX, NULL),
    NESTED(config_engine, gateways, SCHEMA_TEXTS, GATEWAYS_MAX, NULL),
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

static const struct schema_field caller_fields[] = {
    NUMBER(config_caller, uid, UNITS_COUNT, 0, UINT32_MAX - 1, ""),
    NUMBER(config_caller, gid, UNITS_COUNT, 0, UINT32_MAX - 1, ""),
    CHOICE(config_caller, any, bool_choices, "false"),
    END,
};
static const struct schema caller_schema = {caller_fields, sizeof(struct config_caller)};

static const struct schema_field control_fields[] = {
    TEXT(config_control, path, SCHEMA_TEXT, 0, ""),
    NUMBER(config_control, mode, UNITS_MODE, 0, 0777, "0660"),
    TEXT(config_control, cpus, SCHEMA_TEXT, 0, ""),
    TEXT(config_control, program, SCHEMA_TEXT, 0, SADDLE_CONTROL_PROGRAM),
    NESTED(config_control, observe, SCHEMA_MAPPINGS, CONFIG_CALLERS_MAX, &caller_schema),
    NESTED(config_control, operate, SCHEMA_MAPPINGS, CONFIG_CALLERS_MAX, &caller_schema),
    END,
};
static const struct schema control_schema = {control_fields, sizeof(struct config_control)};

static const struct schema_field fields[] = {
    NESTED(config, socket, SCHEMA_MAPPING, 0, &socket_schema),
    TEXT(config, user, SCHEMA_NAME, USER_LENGTH_MAX, ""),
    NUMBER(config, memory, UNITS_BYTES, MEMORY_MIN, MEMORY_MAX, "256MiB"),
    CHOICE(config, hugepages, hugepages_choices, "auto"),
    NESTED(config, ports, SCHEMA_MAPPINGS, CONFIG_PORTS_MAX, &port_schema),
    NESTED(config, engines, SCHEMA_MAPPINGS, CONFIG_ENGINES_MAX, &engine_schema),
    NESTED(config, groups, SCHEMA_MAPPINGS, CONFIG_GROUPS_MAX, &group_schema),
    NESTED(config, policy, SCHEMA_MAPPINGS, POLICY_RULES_MAX, &rule_schema),
    NESTED(config, limits, SCHEMA_MAPPING, 0, &limits_schema),
    NESTED(config, control, SCHEMA_MAPPING, 0, &control_schema),
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

const char *config_driver_name(uint64_t driver)
{
    return driver_choices[driver];
}

uint32_t config_hops_max(const struct config_engine *engine)
{
    return engine->peers.count + (uint32_t)engine->flows + 1;
}

enum config_owner config_owner(const struct config_port *port)
{
    if (port->interface.text[0])
        return CONFIG_OWNER_KERNEL;
    return port->driver == CONFIG_ETHDEV ? CONFIG_OWNER_SADDLE : CONFIG_OWNER_NOBODY;
}

/* What follows the slash. */
static int parse_prefix(const char *text, struct config_subnet *subnet)
{
    unsigned long longest = address_is_v4(&subnet->address) ? V4_BITS : V6_BITS;
    unsigned long prefix;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    prefix = strtoul(text, &end, 10);
    if (*end || prefix > longest)
        return -EINVAL;
    subnet->prefix = (uint8_t)prefix;
    return 0;
}

int config_subnet(const char *text, struct config_subnet *subnet)
{
    char address[ADDRESS_TEXT_BYTES];
    size_t length = strcspn(text, "/");

    if (length >= sizeof(address))
        return -EINVAL;
    memcpy(address, text, length);
    address[length] = '\0';
    if (address_parse(&subnet->address, address))
        return -EINVAL;
    subnet->prefix = CONFIG_PREFIX_NONE;
    return text[length] ? parse_prefix(text + length + 1, subnet) : 0;
}

bool config_subnet_has(const struct config_subnet *subnet, const struct address *address)
{
    bool v4 = address_is_v4(&subnet->address);
    unsigned bits = subnet->prefix + (v4 ? V6_BITS - V4_BITS : 0);
    unsigned whole = bits / CHAR_BIT;
    uint8_t mask = (uint8_t)(UINT8_MAX << (CHAR_BIT - bits % CHAR_BIT));

    if (subnet->prefix == CONFIG_PREFIX_NONE || address_is_v4(address) != v4 ||
        memcmp(subnet->address.bytes, address->bytes, whole) != 0)
        return false;
    return bits % CHAR_BIT == 0 ||
           ((subnet->address.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
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

/* The kernel knows how large the packets of its interfaces may be. */
static void set_mtus(struct config *config)
{
    struct config_port *ports = config->ports.items;

    for (uint32_t i = 0; i < config->ports.count; i++) {
        if (ports[i].mtu == SCHEMA_UNSET && config_owner(&ports[i]) != CONFIG_OWNER_KERNEL)
            ports[i].mtu = MTU_DEFAULT;
    }
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
    if (error)
        return error;
    set_mtus(config);
    return config_check(config, source);
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
