/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ports of one process joined by a wire: DPDK's net_ring on two rings. What one end sends, the
 * other receives, without a copy.
 *
 * The daemon knows both ends, so this wire has what a device's driver would give by interrupt: an
 * end that sleeps arms a word, and the other end, having sent a burst, rings its eventfd if it is
 * armed. That is the one system call of a burst.
 *
 * Ownership: each end owns its packet pool; the wire itself lives until both ends are destroyed.
 * Destroy both after the engines that use them; packets still on the wire are freed with it. A pool
 * whose packets are not all back by then is kept for ever rather than freed under them.
 * Threads: create and destroy on a control thread; each end's functions on its engine's thread, the
 * two ends concurrently.
 */
#ifndef DAEMON_PORT_RING_H
#define DAEMON_PORT_RING_H

#include "engines/port.h"

struct port_ring_config {
    const char *name[2];          /* of the two ends */
    struct rte_ether_addr mac[2]; /* all zero: 02:00:00:00:00:01 and :02 */
    uint16_t mtu;                 /* bytes of an IP packet; 0: 5000 */
    uint32_t ring_packets;        /* each way, a power of two; 0: 1024, which holds 1023 */
    uint32_t pool_packets;        /* of each end; 0: 4096 */
};

/* 0; -EINVAL, -EEXIST (a name is taken), -ENOMEM, -ENODEV, or of eventfd. EAL must be initialised.
 */
int port_ring_create(struct port **a, struct port **b, const struct port_ring_config *config);

/* How often this end had to ring the other. Any thread. */
uint64_t port_ring_kicks(const struct port *port);

#endif
