/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A port over one queue pair of any DPDK ethdev: a PCI device found by EAL, or a virtual one that
 * is created here by its name ("net_null0", "net_tap0,iface=sad0").
 *
 * Such a port rings no bell: while its engine sleeps, packets wait for the port's deadline, 50 us
 * after traffic, up to 4 ms after 16 ms of silence.
 *
 * Ownership: the port owns its packet pool, and the ethdev as far as it started it. Destroy it
 * after the engine that uses it and after every packet of its pool is freed.
 * Threads: create and destroy on a control thread; the port's functions on its engine's thread.
 * Trust: what arrives is hostile.
 */
#ifndef DAEMON_PORT_ETHDEV_H
#define DAEMON_PORT_ETHDEV_H

#include "engines/port.h"

#include <stdbool.h>
#include <stddef.h>

struct port_ethdev_config {
    const char *name;          /* of the port, shown to operators */
    const char *device;        /* DPDK's name of the device, with arguments for a virtual one */
    uint16_t mtu;              /* bytes of an IP packet; 0: 1500 */
    uint16_t descriptors;      /* of each ring; 0: 512 */
    uint32_t pool_packets;     /* 0: 4096 */
    struct rte_ether_addr mac; /* all zero: the device's own */
    bool shared;               /* the kernel uses the interface too: its MTU and address stay */
    int node;                  /* of memory, as of topology.h */
};

/* 0; -EINVAL (the configuration), -ENODEV (no such device, or it cannot be started), -ERANGE (the
 * device refuses the MTU), -ENOMEM. EAL must be initialised. */
int port_ethdev_create(struct port **port, const struct port_ethdev_config *config);

/* Whether the device's link is up; `port` is one of these. Control, at any time. */
bool port_ethdev_link(const struct port *port);

/* Whether one process at a time can have the device: not those of which each opens its own. */
bool port_ethdev_is_alone(const char *device);
/* Whether EAL has to look for the device among those of the PCI bus. */
bool port_ethdev_is_pci(const char *device);
/* The address of such a device in full, as the kernel writes it, in `bytes` at `address`; returns
 * whether it is one. */
bool port_ethdev_pci_address(const char *device, char *address, size_t bytes);

#endif
