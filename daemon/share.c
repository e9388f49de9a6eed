/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static_assert(CONFIG_MATES_MAX == FAN_MEMBERS_MAX,
              "all engines that may share a port have a place at it");
static_assert(CONFIG_MATES_MAX == DIRECTORY_ENGINES_MAX, "and in the directory");

struct share {
    struct fan *fan;
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

static int make_fan(struct share *share, struct port *port, struct resolver *resolver,
                    uint32_t hops_max)
{
    struct fan_config fan = {
        .port = port,
        .count = share->count,
        .resolver = resolver,
        .hops_max = hops_max,
    };
    int error = -EIO;

    memcpy(fan.udp_ports, share->udp_ports, sizeof(fan.udp_ports));
    if (getrandom(fan.key, sizeof(fan.key), 0) == (ssize_t)sizeof(fan.key))
        error = fan_create(&share->fan, &fan);
    explicit_bzero(fan.key, sizeof(fan.key));
    return error;
}

int share_create(struct share **share, const struct config *config, const char *name,
                 struct port *port, struct resolver *resolver)
{
    const struct config_engine *mates[CONFIG_MATES_MAX];
    struct share *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->count = config_mates(config, name, mates);
    for (uint32_t i = 0; i < made->count; i++)
        made->udp_ports[i] = (uint16_t)mates[i]->udp_port;
    error = make_fan(made, port, resolver, config_hops_on(config, name));
    if (!error)
        error = make_directory(made);
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
    fan_destroy(share->fan);
    directory_destroy(share->directory);
    free(share);
}

struct fan *share_fan(const struct share *share)
{
    return share->fan;
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
    return fan_member(share->fan, place_of(share, udp_port));
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
