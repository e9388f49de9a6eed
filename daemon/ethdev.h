/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ports share: one queue pair of a DPDK ethdev, and the pool its packets come from.
 *
 * Threads: control.
 */
#ifndef DAEMON_ETHDEV_H
#define DAEMON_ETHDEV_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

/* DPDK names pools and rings after the port; what it adds must fit as well. */
#define ETHDEV_NAME_MAX 20u

/* 0, or -EINVAL if `name` is empty or longer than ETHDEV_NAME_MAX. */
int ethdev_name_check(const char *name);

/* A pool of packets whose one segment holds a frame with an IP packet of `mtu` bytes, two VLAN
 * tags and the headroom, and is never smaller than drivers expect; in memory of the node, if EAL
 * has enough there (TOPOLOGY_ANY: wherever). NULL with rte_errno set. */
struct rte_mempool *ethdev_pool_create(const char *port_name, uint32_t packets, uint16_t mtu,
                                       int node);
/* Frees it, unless packets are still out: then it stays, since somebody will return them. NULL is
 * fine. */
void ethdev_pool_destroy(struct rte_mempool *pool);

struct ethdev_queue_config {
    struct rte_mempool *pool;
    uint16_t mtu;
    uint16_t descriptors;
    bool shared; /* the interface beneath has an MTU of its own, which stays */
    int node;    /* where its rings are to be, or TOPOLOGY_ANY */
};
/* Configures and starts a device with one queue each way. 0, -ERANGE (the MTU), -ENODEV, or what
 * the driver says. */
int ethdev_start(uint16_t ethdev, const struct ethdev_queue_config *config);
/* Whether a started device sends packets of several segments. */
bool ethdev_takes_segments(uint16_t ethdev);

#endif
