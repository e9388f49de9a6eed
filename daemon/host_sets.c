/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/host_sets.h"

#include <string.h>

static uint32_t port_index(const struct config *config, const char *name)
{
    return (uint32_t)(config_find_port(config, name) - config_port(config, 0));
}

/* The port that stands for all that share memory with this one: of a ring the first of its ends. */
static uint32_t leader_of(const struct config *config, uint32_t index)
{
    const struct config_port *port = config_port(config, index);
    uint32_t peer;

    if (port->driver != CONFIG_NET_RING)
        return index;
    peer = port_index(config, port->peer.text);
    return peer < index ? peer : index;
}

void host_sets_find(struct host_sets *sets, const struct config *config)
{
    uint16_t none = UINT16_MAX, led[CONFIG_PORTS_MAX];

    memset(sets, 0, sizeof(*sets));
    memset(led, 0xff, sizeof(led));
    for (uint32_t i = 0; i < config->engines.count; i++) {
        const char *port = config_engine(config, i)->port.text;
        uint16_t *set = &led[leader_of(config, port_index(config, port))];

        if (*set == none) {
            sets->first[sets->count] = (uint16_t)i;
            *set = (uint16_t)sets->count++;
        }
        sets->of_engine[i] = *set;
    }
    for (uint32_t i = 0; i < config->ports.count; i++) {
        uint16_t set = led[leader_of(config, i)];

        sets->of_port[i] = set == none ? 0 : set;
    }
}

const char *host_sets_name(const struct host_sets *sets, const struct config *config, uint32_t set)
{
    return config_engine(config, sets->first[set])->name.text;
}
