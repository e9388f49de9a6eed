/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A port over a device that one process at a time can have. The newcomer makes all but the device
 * ahead; in the blackout the old daemon closes that, and the newcomer opens it. What arrives in
 * between is lost, or waits where the device keeps it, and the old daemon opens it again if the
 * newcomer fails.
 */
#include "daemon/port_ethdev_handover.h"

#include "daemon/port_ethdev_private.h"

#include <errno.h>
#include <rte_ether.h>
#include <string.h>

#define VERSION 2u /* 1 had nothing in it, and kept the device */
/* Its driver keeps the listening socket for as long as the process is there, and a client whose
 * server went away does not come back to another one. */
#define MEMIF "net_memif"

static struct port_ethdev *from_port(struct port *port)
{
    return (struct port_ethdev *)port;
}

static void ethdev_offer(const struct port *port, struct parcel_draft *draft)
{
    state_put_bytes(&draft->state, port->mac.addr_bytes, RTE_ETHER_ADDR_LEN);
}

/* The address that engines and neighbours know. */
static bool get_mac(struct state_reader *state, struct rte_ether_addr *mac)
{
    uint32_t length = 0;
    const void *bytes = state_get_bytes(state, RTE_ETHER_ADDR_LEN, &length);

    if (!bytes || length != RTE_ETHER_ADDR_LEN)
        return false;
    memcpy(mac->addr_bytes, bytes, RTE_ETHER_ADDR_LEN);
    return rte_is_valid_assigned_ether_addr(mac);
}

int port_ethdev_adopt(struct port **port, const struct port_ethdev_config *config,
                      struct parcel *parcel, const struct reason *reason)
{
    struct port_ethdev *self;
    struct rte_ether_addr mac;
    int error;

    if (!strncmp(config->device, MEMIF, strlen(MEMIF)))
        return reason_set(reason, -EOPNOTSUPP,
                          "device %s: its driver cannot hand over the connection (driver: memif "
                          "can)",
                          config->device);
    if (!get_mac(&parcel->state, &mac))
        return reason_set(reason, -EOPNOTSUPP,
                          "device %s: the other daemon is of a version that does not let it go",
                          config->device);
    error = port_ethdev_make(&self, config);
    if (error)
        return reason_set(reason, error, "device %s: %s", config->device, strerror(-error));
    self->port.mac = mac;
    *port = &self->port;
    return 0;
}

static void ethdev_leave(struct port *port, struct state_writer *state)
{
    (void)state;
    port->ops->tx_room(port); /* sends what it still keeps, if the driver takes it now */
    port_ethdev_close(from_port(port));
}

static int ethdev_enter(struct port *port, struct state_reader *state, const struct reason *reason)
{
    struct port_ethdev *self = from_port(port);
    int error = port_ethdev_open(self);

    (void)state;
    return error ? reason_set(reason, error, "device %s: %s", self->device, strerror(-error)) : 0;
}

static int ethdev_begin(struct port *port)
{
    (void)port;
    return 0;
}

static void ethdev_settle(struct port *port)
{
    (void)port;
}

static int ethdev_resume(struct port *port, const struct reason *reason)
{
    struct port_ethdev *self = from_port(port);
    int error = self->open ? 0 : port_ethdev_open(self);

    return error ? reason_set(reason, error, "device %s: %s", self->device, strerror(-error)) : 0;
}

/* Engines that never run again may have its packets still. */
static void ethdev_forget(struct port *port)
{
    (void)port;
}

const struct port_handover_ops port_ethdev_handover = {
    .driver = PORT_ETHDEV_ALONE,
    .version = VERSION,
    .offer = ethdev_offer,
    .leave = ethdev_leave,
    .enter = ethdev_enter,
    .begin = ethdev_begin,
    .settle = ethdev_settle,
    .resume = ethdev_resume,
    .forget = ethdev_forget,
};
