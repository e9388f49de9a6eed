/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ports.h"

#include "daemon/carrier.h"
#include "daemon/chores.h"
#include "daemon/port_xdp.h"
#include "daemon/ports_private.h"
#include "daemon/reserve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static_assert(CONFIG_PORTS_MAX <= 64, "a set of them is a word");

void ports_mac(const struct config *config, uint32_t index, struct rte_ether_addr *mac)
{
    const char *given = config_port(config, index)->mac.text;
    const uint32_t number = index + 1;

    if (given[0] && !config_mac(given, mac))
        return;
    *mac = (struct rte_ether_addr){
        {0x02, 0, 0, 0, (uint8_t)(number >> 8), (uint8_t)(number & UINT8_MAX)}};
}

uint32_t ports_index(const struct config *config, const char *name)
{
    return (uint32_t)(config_find_port(config, name) - config_port(config, 0));
}

int ports_check(const struct config *config, const struct reason *reason)
{
    for (uint32_t i = 0; i < config->ports.count; i++) {
        const struct config_port *port = config_port(config, i);
        char line[PORTS_LINE_BYTES];
        int error = 0;

        if (port->driver == CONFIG_XDP)
            error = port_xdp_check(port->interface.text, &(struct reason){line, sizeof(line)});
        if (error)
            return reason_set(reason, error, "port %s: %s", port->name.text, line);
    }
    return 0;
}

int ports_create_none(struct ports **ports, const struct config *config,
                      const struct topology *topology, const struct reason *reason)
{
    struct ports *made = calloc(1, sizeof(*made));

    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    made->config = config;
    made->topology = topology;
    for (uint32_t i = 0; i < CONFIG_PORTS_MAX; i++)
        made->node[i] = TOPOLOGY_ANY;
    int error = chores_create(&made->chores);
    if (error) {
        free(made);
        return reason_set(reason, error, "chores of ports: %s", strerror(-error));
    }
    *ports = made;
    return 0;
}

int ports_make(struct ports *ports, uint64_t which, const struct reason *reason)
{
    int error;

    ports->reason = reason;
    ports->parcel = NULL;
    error = ports_make_some(ports, which);
    if (error)
        ports_end(ports, which);
    return error;
}

int ports_create(struct ports **ports, const struct config *config, const struct topology *topology,
                 const struct reason *reason)
{
    int error = ports_create_none(ports, config, topology, reason);

    if (error)
        return error;
    error = ports_make(*ports, UINT64_MAX, reason);
    if (error) {
        ports_destroy(*ports);
        *ports = NULL;
    }
    return error;
}

struct port *ports_get(const struct ports *ports, uint32_t index)
{
    return ports->port[index];
}

int ports_node(const struct ports *ports, uint32_t index)
{
    return ports->node[index];
}

const struct share *ports_share(const struct ports *ports, uint32_t index)
{
    return ports->share[index];
}

struct chores *ports_chores(const struct ports *ports)
{
    return ports->chores;
}

struct port *ports_tap(const struct ports *ports, uint32_t index)
{
    return ports->tap[index];
}

struct resolver *ports_resolver(const struct ports *ports, uint32_t index)
{
    return ports->resolver[index];
}

void ports_end(struct ports *ports, uint64_t which)
{
    for (uint32_t i = 0; i < CONFIG_PORTS_MAX; i++) {
        if (!ports_has(which, i))
            continue;
        share_destroy(ports->share[i]);
        if (ports->tap[i]) {
            carriers_remove(ports->carriers, ports->tap[i]);
            ports->tap[i]->ops->destroy(ports->tap[i]);
        }
        ports_leave_alone(ports, i);
        if (ports->port[i])
            ports->port[i]->ops->destroy(ports->port[i]);
        reserve_destroy(ports->reserve[i]);
        ports->share[i] = NULL;
        ports->tap[i] = ports->port[i] = ports->device[i] = NULL;
        ports->resolver[i] = NULL;
        ports->reserve[i] = NULL;
    }
}

void ports_destroy(struct ports *ports)
{
    if (!ports)
        return;
    ports_end(ports, UINT64_MAX);
    carriers_destroy(ports->carriers);
    chores_destroy(ports->chores);
    free(ports);
}
