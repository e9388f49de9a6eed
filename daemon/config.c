/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include "control/policy.h"
#include "daemon/config_check.h"
#include "daemon/config_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MTU_DEFAULT 1500u /* bytes, of a port without the kernel's interface */
#define V4_BITS     32u
#define V6_BITS     128u

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

static bool is_on(const struct config_engine *engine, enum config_kind kind, const char *port)
{
    return engine->kind == kind && !strcmp(engine->port.text, port);
}

static const struct config_engine *find_on(const struct config *config, enum config_kind kind,
                                           const char *port)
{
    for (uint32_t i = 0; i < config->engines.count; i++) {
        if (is_on(config_engine(config, i), kind, port))
            return config_engine(config, i);
    }
    return NULL;
}

const struct config_engine *config_engine_on(const struct config *config, const char *port)
{
    return find_on(config, CONFIG_PONY, port);
}

const struct config_engine *config_steer_on(const struct config *config, const char *port)
{
    const struct config_engine *steer = find_on(config, CONFIG_STEER, port);

    return steer ? steer : find_on(config, CONFIG_SHAPER, port);
}

const struct config_engine *config_kernel_on(const struct config *config, const char *port)
{
    return find_on(config, CONFIG_KERNEL, port);
}

uint32_t config_mates(const struct config *config, const char *port,
                      const struct config_engine *mates[CONFIG_MATES_MAX])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < config->engines.count && count < CONFIG_MATES_MAX; i++) {
        if (is_on(config_engine(config, i), CONFIG_PONY, port))
            mates[count++] = config_engine(config, i);
    }
    return count;
}

const struct config_engine *config_in_place(const struct config *config,
                                            const struct config_engine *engine)
{
    bool shared = config_steer_on(config, engine->port.text);

    for (uint32_t i = 0; i < config->engines.count; i++) {
        const struct config_engine *other = config_engine(config, i);

        if (is_on(other, (enum config_kind)engine->kind, engine->port.text) &&
            (!shared || other->udp_port == engine->udp_port))
            return other;
    }
    return NULL;
}

const char *config_host_name(const struct config *config, const char *port)
{
    const struct config_engine *steer = config_steer_on(config, port);

    return steer ? steer->name.text : config_engine_on(config, port)->name.text;
}

const char *config_driver_name(uint64_t driver)
{
    return config_drivers[driver];
}

uint32_t config_rights(const struct config_rule *rule)
{
    return rule->allow & CONFIG_ALLOW_ALL ? POLICY_ALL : (uint32_t)rule->allow;
}

uint32_t config_hops_max(const struct config_engine *engine)
{
    return engine->peers.count + (uint32_t)engine->flows + 1;
}

uint32_t config_hops_on(const struct config *config, const char *port)
{
    const struct config_engine *mates[CONFIG_MATES_MAX];
    uint32_t count = config_mates(config, port, mates), most = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (config_hops_max(mates[i]) > most)
            most = config_hops_max(mates[i]);
    }
    return most;
}

enum config_owner config_owner(const struct config_port *port)
{
    if (port->interface.text[0])
        return CONFIG_OWNER_KERNEL;
    return port->driver == CONFIG_ETHDEV || port->driver == CONFIG_MEMIF ? CONFIG_OWNER_SADDLE
                                                                         : CONFIG_OWNER_NOBODY;
}

enum config_owner config_link_owner(const struct config *config, const struct config_port *port)
{
    return config_kernel_on(config, port->name.text) ? CONFIG_OWNER_KERNEL : config_owner(port);
}

const char *config_link_interface(const struct config *config, const struct config_port *port)
{
    const struct config_engine *kernel = config_kernel_on(config, port->name.text);

    return kernel ? kernel->interface.text : port->interface.text;
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

struct quanta_config config_quanta(const struct config *config, const struct config_group *group)
{
    return (struct quanta_config){
        .class = (enum quanta_class)group->class,
        .runtime_ns = group->runtime,
        .period_ns = group->period,
        .deadline_ppm = (uint32_t)config->deadline_share,
    };
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
    error = schema_load(&config_group_schema, group, source, text, sizeof(text) - 1);
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
    error = schema_load(&config_schema, config, source, text, length);
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
    schema_free(&config_schema, config);
}

void config_print(const struct config *config, FILE *stream)
{
    schema_print(&config_schema, config, stream);
}

void config_describe(FILE *stream)
{
    schema_describe(&config_schema, stream);
}
