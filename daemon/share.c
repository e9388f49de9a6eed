/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/share.h"

#include "daemon/config_shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static_assert(CONFIG_MATES_MAX == FAN_MEMBERS_MAX,
              "all engines that may share a port have a place at it");
static_assert(CONFIG_MATES_MAX == DIRECTORY_ENGINES_MAX, "and in the directory");
static_assert(TRANSPORT_ADDRESSES_MAX <= FAN_ADDRESSES_MAX, "the fan knows all their addresses");

#define ANSWER_NS (1 * NSEC_PER_SEC) /* an engine that is silent for longer hangs */

struct share {
    struct fan *fan;
    struct shaping *shaping; /* NULL: there is no shaper */
    struct directory *directory;
    uint16_t udp_ports[CONFIG_MATES_MAX];
    uint32_t count;
};

static int make_directory(struct share *share)
{
    uint8_t key[DIRECTORY_KEY_BYTES];
    int error = -EIO;

    if (getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key))
        error = directory_create(&share->directory, share->udp_ports, share->count, key);
    explicit_bzero(key, sizeof(key));
    return error;
}

/* What is not for the kernel, if it is to have its part. */
static void describe_rest(struct fan_config *fan, const struct config *config, const char *name,
                          const struct config_engine *first)
{
    const struct schema_text *addresses = first->addresses.items;

    fan->rest = config_kernel_on(config, name);
    fan->vlan = (uint16_t)first->vlan;
    for (uint32_t i = 0; i < first->addresses.count; i++) {
        struct config_subnet subnet;

        if (!config_subnet(addresses[i].text, &subnet))
            fan->addresses[fan->address_count++] = subnet.address;
    }
}

/* Of the port with this name, for these engines. */
static int make_fan(struct share *share, const struct config *config, const char *name,
                    struct port *port, struct resolver *resolver, const struct config_engine *first)
{
    struct fan_config fan = {
        .port = port,
        .count = share->count,
        .resolver = resolver,
        .hops_max = config_hops_on(config, name),
    };
    int error = -EIO;

    memcpy(fan.udp_ports, share->udp_ports, sizeof(fan.udp_ports));
    describe_rest(&fan, config, name, first);
    if (getrandom(fan.key, sizeof(fan.key), 0) == (ssize_t)sizeof(fan.key))
        error = fan_create(&share->fan, &fan);
    explicit_bzero(fan.key, sizeof(fan.key));
    return error;
}

static int fail_shaping(const struct config_engine *engine, const struct port *port, int error,
                        const struct reason *reason)
{
    if (error == -ETIMEDOUT)
        return reason_set(reason, error, "engine %s, or another one on its port, does not answer",
                          engine->name.text);
    if (error == -EINVAL)
        return reason_set(reason, -EPERM,
                          "engine %s: classes: a burst is less than two frames of port %s, whose "
                          "mtu is %u",
                          engine->name.text, port->name, port->mtu);
    return reason_set(reason, error, "engine %s: classes: %s", engine->name.text, strerror(-error));
}

static int make_shaping(struct share *share, const struct config_engine *engine, struct port *port,
                        const struct reason *reason)
{
    struct schema_source source = {.file = ""};
    struct shape shape;
    struct shaping_config config = {
        .fan = share->fan,
        .members = share->count + (fan_rest(share->fan) != NULL),
        .policy = &shape,
    };
    int error = config_shape_make(&shape, engine, &source);

    if (error)
        return reason_set(reason, error, "engine %s: %s", engine->name.text, source.error);
    error = -EIO;
    if (getrandom(config.key, sizeof(config.key), 0) == (ssize_t)sizeof(config.key))
        error = shaping_create(&share->shaping, &config);
    explicit_bzero(config.key, sizeof(config.key));
    config_shape_free(&shape);
    return error ? fail_shaping(engine, port, error, reason) : 0;
}

int share_reshape(const struct share *share, struct engine *engine,
                  const struct config_engine *wanted, const struct reason *reason)
{
    struct schema_source source = {.file = ""};
    struct shape shape;
    int error = config_shape_make(&shape, wanted, &source);

    if (error)
        return reason_set(reason, error, "engine %s: %s", wanted->name.text, source.error);
    error = shaping_replace(share->shaping, engine, &shape, ANSWER_NS);
    config_shape_free(&shape);
    return error ? fail_shaping(wanted, fan_port(share->fan), error, reason) : 0;
}

int share_create(struct share **share, const struct config *config, const char *name,
                 struct port *port, struct resolver *resolver, const struct reason *reason)
{
    const struct config_engine *owner = config_steer_on(config, name);
    const struct config_engine *mates[CONFIG_MATES_MAX];
    struct share *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    made->count = config_mates(config, name, mates);
    for (uint32_t i = 0; i < made->count; i++)
        made->udp_ports[i] = (uint16_t)mates[i]->udp_port;
    error = make_fan(made, config, name, port, resolver, mates[0]);
    if (!error)
        error = make_directory(made);
    if (error)
        reason_set(reason, error, "port %s: sharing it out: %s", name, strerror(-error));
    else if (owner->kind == CONFIG_SHAPER)
        error = make_shaping(made, owner, port, reason);
    if (error) {
        share_destroy(made);
        return error;
    }
    *share = made;
    return 0;
}

void share_destroy(struct share *share)
{
    if (!share)
        return;
    shaping_destroy(share->shaping);
    fan_destroy(share->fan);
    directory_destroy(share->directory);
    free(share);
}

struct fan *share_fan(const struct share *share)
{
    return share->fan;
}

struct shaping *share_shaping(const struct share *share)
{
    return share->shaping;
}

static uint32_t place_of(const struct share *share, uint16_t udp_port)
{
    uint32_t place = 0;

    while (place + 1 < share->count && share->udp_ports[place] != udp_port)
        place++;
    return place;
}

struct port *share_port(const struct share *share, uint16_t udp_port)
{
    uint32_t place = place_of(share, udp_port);

    return share->shaping ? shaping_port(share->shaping, place) : fan_member(share->fan, place);
}

struct port *share_kernel_port(const struct share *share)
{
    struct port *rest = fan_rest(share->fan);

    return rest && share->shaping ? shaping_port(share->shaping, share->count) : rest;
}

struct resolver *share_resolver(const struct share *share, uint16_t udp_port)
{
    return fan_member_resolver(share->fan, place_of(share, udp_port));
}

void share_describe(const struct share *share, uint16_t udp_port, struct pony_config *pony)
{
    pony->directory = share->directory;
    pony->directory_row = place_of(share, udp_port);
    pony->transport.call_port = share->udp_ports[0];
}
