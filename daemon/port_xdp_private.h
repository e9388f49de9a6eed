/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an XDP port, shared by what makes one (port_xdp_create.c), what runs it
 * (port_xdp.c) and what hands it over (port_xdp_handover.c); nobody else includes it.
 */
#ifndef DAEMON_PORT_XDP_PRIVATE_H
#define DAEMON_PORT_XDP_PRIVATE_H

#include "daemon/flights.h"
#include "daemon/frames.h"
#include "daemon/port_xdp.h"

#include <net/if.h>
#include <stdatomic.h>

#define PORT_XDP_QUEUES_MAX 256u
#define PORT_XDP_POOL       4096u /* packets, where the configuration says nothing */
#define PORT_XDP_MTU_MIN    1280u /* IPv6, RFC 8200 section 5 */
#define PORT_XDP_MTU_MAX    9000u /* the usual jumbo frame */
#define PORT_XDP_EXTRA      (RTE_ETHER_HDR_LEN + 2u * (uint32_t)sizeof(struct rte_vlan_hdr))

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
    bool *held;         /* while it is taken over, of each buffer: it is not free; else NULL */
    uint32_t chunks;    /* of a buffer: a packet takes no more descriptors */
    uint32_t frame_max; /* bytes that fit into a buffer when it is copied */
    uint32_t level;     /* buffers posted to each queue */
    uint32_t next_queue;
    uint64_t retry_ns; /* when to offer again what the kernel refused; UINT64_MAX: nothing */
    struct port_xdp_counters counters;
    uint64_t claims_before[CLAIM_COUNTERS]; /* what those counted from whom it was taken over */
    char interface[IFNAMSIZ];
    uint32_t ifindex;
    struct claim *claims;
    uint32_t claim_count;
    uint16_t vlan;
    uint32_t queue_count; /* of which there are sockets */
    struct xdp_queue queues[];
};

/* What is being made, and from what. */
struct port_xdp_making {
    const struct port_xdp_config *config;
    const struct reason *reason;
    struct nic nic;
    struct port_xdp *port; /* destroyed by who made it, on errors */
    uint32_t mtu;
    bool frags; /* packets of several chunks are needed */
};

extern const struct port_ops port_xdp_ops;

/* ---- Of port_xdp_create.c: each 0, or a negative errno with the reason ---- */

/* Asks the kernel for the interface of the configuration. */
int port_xdp_look(struct port_xdp_making *making);
/* The port, with nothing in it yet, and room for that many queues. */
int port_xdp_new(struct port_xdp_making *making, uint32_t queues);
/* What the port needs beside its frames of this size: tables, and what follows from the size. */
int port_xdp_make_tables(struct port_xdp_making *making, uint32_t buffers, uint32_t slots);
/* What wakes up whoever waits for the port. */
int port_xdp_make_wake_fd(struct port_xdp_making *making);
/* The program, loaded, with sockets and claims, but not attached. */
int port_xdp_load(struct port_xdp_making *making);

/* ---- Of port_xdp.c ---- */

/* The bytes at an address, as a packet of its own. */
struct rte_mbuf *port_xdp_take(struct port_xdp *self, uint64_t address, uint32_t length);
/* Appends a piece to the packet that is being received. */
void port_xdp_join(struct xdp_queue *queue, struct rte_mbuf *piece);
/* Closes what the port has open: the kernel and a successor keep theirs. */
void port_xdp_close(struct port_xdp *self);
/* Frees the structure and its tables, which know of no packet any more. */
void port_xdp_free(struct port_xdp *self);
/* Gives the kernel buffers to receive into, as far as there are any. */
void port_xdp_refill(struct port_xdp *self, struct xdp_queue *queue);

#endif
