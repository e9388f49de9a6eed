/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a port over an ethdev share: the port, which may be without its device for a
 * while, when another daemon is to have that.
 *
 * Ownership and threads: as of port_ethdev.h. The device is opened and closed while no engine uses
 * the port, by a control thread.
 */
#ifndef DAEMON_PORT_ETHDEV_PRIVATE_H
#define DAEMON_PORT_ETHDEV_PRIVATE_H

#include "daemon/ethdev.h"
#include "daemon/port_ethdev.h"

#define PORT_ETHDEV_STASH 64u             /* packets */
#define PORT_ETHDEV_ALONE "ethdev, alone" /* the driver's name: one process at a time has it */

struct port_ethdev {
    struct port port; /* first: what users hold */
    char *device;
    struct ethdev_queue_config queue;
    bool open;      /* it has its device, which is `ethdev` */
    bool one_piece; /* the driver takes no packet of several segments */
    uint16_t ethdev;
    uint64_t polled; /* when the driver was last asked for packets, ns */
    uint64_t heard;  /* when packets last came or went, ns */
    uint16_t stashed;
    struct rte_mbuf *stash[PORT_ETHDEV_STASH]; /* promised to be sent */
};

/* Without its device, and without an address if none is given. As of port_ethdev_create. */
int port_ethdev_make(struct port_ethdev **made, const struct port_ethdev_config *config);
/* Opens the device and starts it: 0, -ENODEV, -ERANGE, or what the driver says. The address of one
 * that was open before, or was given, stays. */
int port_ethdev_open(struct port_ethdev *self);
/* Lets the device go, and what was to be sent. Fine for one that is not open. */
void port_ethdev_close(struct port_ethdev *self);
void port_ethdev_free(struct port_ethdev *self);

#endif
