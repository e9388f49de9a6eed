/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel knows of links, addresses, routes and neighbours, asked for and announced by
 * rtnetlink(7).
 *
 * A question is answered before its function returns: the kernel does so while it is asked.
 * Changes are announced on a socket of their own.
 *
 * Ownership: the caller's. Threads: one at a time. Trust: the kernel alone is listened to; what it
 * says is checked for its form and bounded, since links and routes may be anybody's who
 * administers the network.
 */
#ifndef DAEMON_NETLINK_H
#define DAEMON_NETLINK_H

#include "engines/address.h"

#include <net/if.h>
#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

struct netlink_link {
    uint32_t index;
    char name[IFNAMSIZ];
    bool ethernet;
    bool up; /* by its administrator, and by what is beneath it */
    uint32_t mtu;
    struct rte_ether_addr mac;
    uint32_t parent; /* index of the link beneath; 0: none */
    uint16_t vlan;   /* IEEE 802.1Q; 0: no VLAN interface */
};

struct netlink_route {
    uint32_t interface;  /* index of the link that packets leave by */
    struct address next; /* the gateway, or the destination itself */
    uint32_t mtu;        /* bytes of an IP packet; 0: the link's */
};

enum netlink_reach {
    NETLINK_UNDECIDED, /* nobody has asked, or no answer yet */
    NETLINK_REACHED,
    NETLINK_FAILED, /* asked, and no answer */
};

struct netlink_neighbour {
    uint32_t interface;
    struct address address;
    enum netlink_reach reach;
    struct rte_ether_addr mac; /* if it is reached */
    bool stale;                /* it is reached, and not lately confirmed */
    bool kept;                 /* somebody else keeps the entry: it is not to be asked for */
};

struct netlink;

/* 0 or a negative errno. */
int netlink_open(struct netlink **netlink);
/* NULL is fine. */
void netlink_close(struct netlink *netlink);

/* By name, or by index if `name` is NULL. 0, -ENODEV, or a negative errno of the exchange, as all
 * below. */
int netlink_link(struct netlink *netlink, const char *name, uint32_t index,
                 struct netlink_link *link);
/* The VLAN interface with this number on that link. 0, -ENODEV. */
int netlink_vlan(struct netlink *netlink, uint32_t parent, uint16_t vlan,
                 struct netlink_link *link);
/* Whether the link has the address, tentative or not: 0, or -EADDRNOTAVAIL. */
int netlink_address(struct netlink *netlink, uint32_t interface, const struct address *address);
/* The way to an address for packets that come from `source`; `interface` counts for link-local
 * destinations alone. 0, -ENETUNREACH (no route, or none that leads out of this host). */
int netlink_route(struct netlink *netlink, const struct address *destination,
                  const struct address *source, uint32_t interface, struct netlink_route *route);
/* What is known of a neighbour: 0, or -ENOENT. */
int netlink_neighbour(struct netlink *netlink, uint32_t interface, const struct address *address,
                      struct netlink_neighbour *neighbour);
/* Has the kernel find out, or confirm, where a neighbour is; news of it follow. Not for one that
 * is `kept`. -EPERM without CAP_NET_ADMIN. */
int netlink_ask(struct netlink *netlink, uint32_t interface, const struct address *address);

/* Readable when something was announced. */
int netlink_fd(const struct netlink *netlink);

struct netlink_listener {
    /* A link or its addresses changed; `parent` is the index of the link beneath, 0 if none. */
    void (*link)(void *context, uint32_t interface, uint32_t parent);
    /* Routes changed. */
    void (*routes)(void *context);
    void (*neighbour)(void *context, const struct netlink_neighbour *neighbour);
    /* News were lost: everything may have changed. */
    void (*lost)(void *context);
    void *context;
};
/* Hands on what was announced, a bounded number of messages of it. 0 or a negative errno. */
int netlink_listen(struct netlink *netlink, const struct netlink_listener *listener);

#endif
