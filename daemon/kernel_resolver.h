/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A resolver (engines/resolver.h) for an engine whose interface is the kernel's: routes and
 * neighbours are those of the kernel, and what it learns of them later the engine learns too.
 *
 * The engine's wishes lie in a ring of their own and ring a bell; the control thread takes them,
 * asks the kernel, and has the answers handed over by the engine's mailbox. Neighbours in use are
 * asked for again and again, as sending would have it, so that the kernel keeps confirming them.
 *
 * Ownership: the daemon's; the engine that it is lent to is destroyed first. Threads: all functions
 * here on the control thread, the resolver's own on the engine's. Trust: the kernel and the engine
 * are trusted; what neighbours tell the kernel is not, and ends up as an address to send to.
 */
#ifndef DAEMON_KERNEL_RESOLVER_H
#define DAEMON_KERNEL_RESOLVER_H

#include "daemon/config.h"
#include "daemon/reason.h"
#include "engines/neighbour_page.h"
#include "engines/resolver.h"
#include "sched/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_resolver_config {
    const char *interface;                 /* of the port; borrowed */
    uint16_t vlan;                         /* of the engine's packets; 0: untagged */
    uint16_t mtu;                          /* of the port: bytes of an IP packet */
    const struct config_subnet *addresses; /* of the engine; copied */
    uint32_t address_count;
    uint32_t hops_max; /* addresses that are wanted at a time */
    bool fresh;        /* the interface was made a moment ago: the rest comes later */
};

struct kernel_resolver;

/* Checks that the interface is there, and has the addresses, and the VLAN. A link that is down is a
 * warning in the log, and of a fresh one all that it has not yet. 0, or a negative errno with one
 * line in `reason`. */
int kernel_resolver_create(struct kernel_resolver **resolver,
                           const struct kernel_resolver_config *config,
                           const struct reason *reason);
/* NULL is fine. */
void kernel_resolver_destroy(struct kernel_resolver *resolver);

/* What the engine is given. */
struct resolver *kernel_resolver_lend(struct kernel_resolver *resolver);
/* Whom answers go to; before the engine runs. */
void kernel_resolver_serve(struct kernel_resolver *resolver, struct engine *engine);

/* Readable when there is something to do, which kernel_resolver_work then does. */
int kernel_resolver_fd(const struct kernel_resolver *resolver);
void kernel_resolver_work(void *resolver);

/* For operators: a page of the next hops that the engine's packets go by. Control's thread. */
neighbour_view_fn kernel_resolver_view;

#endif
