/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an XDP port, shared by what makes one (port_xdp_create.c) and what runs it
 * (port_xdp.c); nobody else includes it.
 */
#ifndef DAEMON_PORT_XDP_PRIVATE_H
#define DAEMON_PORT_XDP_PRIVATE_H

#include "daemon/flights.h"
#include "daemon/frames.h"
#include "daemon/port_xdp.h"

#include <stdatomic.h>

/* One receive queue of the interface. */
struct xdp_queue {
    struct xsk xsk;
    uint32_t posted;              /* buffers that the kernel has to receive into */
    struct rte_mbuf *head, *last; /* of a packet whose last piece has not come; NULL: none */
};

struct port_xdp_counters {
    _Atomic uint64_t rx_packets, tx_packets;
    _Atomic uint64_t copied; /* sent from a copy */
    _Atomic uint64_t odd;    /* not sent: no frame, or larger than a buffer */
    _Atomic uint64_t down;   /* kicks refused because the link is down or gone */
    _Atomic uint64_t kicks;  /* system calls */
};

struct port_xdp {
    struct port port; /* first: what users hold */
    struct frames frames;
    struct flights flights;
    struct xdp_program program;
    bool *posted;       /* of each buffer: the kernel has it to receive into */
    uint32_t chunks;    /* of a buffer: a packet takes no more descriptors */
    uint32_t frame_max; /* bytes that fit into a buffer when it is copied */
    uint32_t level;     /* buffers posted to each queue */
    uint32_t next_queue;
    uint64_t retry_ns; /* when to offer again what the kernel refused; UINT64_MAX: nothing */
    struct port_xdp_counters counters;
    uint32_t queue_count;
    struct xdp_queue queues[];
};

extern const struct port_ops port_xdp_ops;

/* Gives the kernel buffers to receive into, as far as there are any. */
void port_xdp_refill(struct port_xdp *self, struct xdp_queue *queue);

#endif
