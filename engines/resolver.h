/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * How an engine learns where packets to an address go: the link-layer address of the next hop, and
 * how large they may be. Where the kernel owns the interface, its routes and neighbours say so;
 * where Saddle does, ARP and Neighbour Discovery on the engine's own port.
 *
 * An engine wants an address, and goes on. The answer comes later, on the engine's thread but never
 * from within `want`, `drop` or the sending of packets; every change after that comes unasked,
 * until the address is dropped. While the engine uses an address that failed it wants it again
 * every now and then.
 *
 * Ownership: a resolver is made by the daemon, lent to one engine, and destroyed after it.
 * Threads: `want` and `drop` on the engine's thread; they never wait. Trust: what is answered
 * stems from the network or the operator: it may be wrong, never malformed.
 */
#ifndef ENGINES_RESOLVER_H
#define ENGINES_RESOLVER_H

#include "engines/address.h"

#include <rte_ether.h>
#include <stdint.h>

/* What is known of the way to one address. */
struct hop {
    struct address address;    /* the destination itself, also behind a router */
    struct rte_ether_addr mac; /* of the next hop */
    uint16_t mtu;              /* bytes of an IP packet on this way; 0: the port's */
    /* 0, or why there is no way: -ENETDOWN (the link is down), -ENETUNREACH (no route),
     * -EHOSTDOWN (no neighbour answers for the next hop). */
    int error;
};

struct resolver;

struct resolver_ops {
    /* Asks for an address, again for one that failed. 0, or -EAGAIN: try later. */
    int (*want)(struct resolver *resolver, const struct address *address);
    /* Nobody sends to the address any more. */
    void (*drop)(struct resolver *resolver, const struct address *address);
};

struct resolver {
    const struct resolver_ops *ops;
    /* Set by the engine before its first `want`; called on the engine's thread with each answer and
     * each change. */
    void (*answer)(void *context, const struct hop *hop);
    void *context;
};

#endif
