/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet interface given to an engine: one queue of one port.
 *
 * Ownership: packets received belong to the caller; packets accepted by tx_burst belong to the
 * port. Threads: one engine's thread per port queue. Trust: packets come from the network and are
 * hostile.
 */
#ifndef ENGINES_PORT_H
#define ENGINES_PORT_H

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define PORT_BURST 16u /* packets of one receive burst (SOSP'19 section 3.1) */

struct port;
struct packet_tag;
struct packet_way;

/* One named counter, as operators see it. */
struct port_stat {
    const char *name; /* snake_case, static */
    uint64_t value;
};

struct port_ops {
    const char *driver; /* "net_ring" */
    /* Up to `max` received packets. */
    uint16_t (*rx_burst)(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t now);
    /* Sends a prefix of the packets and returns its length. */
    uint16_t (*tx_burst)(struct port *port, struct rte_mbuf **packets, uint16_t count,
                         uint64_t now);
    /* How many packets tx_burst would take now: a packet is produced only when there is room. */
    uint16_t (*tx_room)(struct port *port);
    /* The same, of a port that shapes what it sends, for packets with this tag that go this way:
     * one kind being held back holds up no other. It says in the tag where they go. NULL: the port
     * does not look at tags (packet_tag.h); else each packet sent has one. */
    uint16_t (*tx_room_for)(struct port *port, struct packet_tag *tag,
                            const struct packet_way *way);
    /* True, once, if what tx_room_for refused may be had now. NULL as tx_room_for is. */
    bool (*tx_reopened)(struct port *port);
    /* When the port itself needs to be polled again (delayed packets), UINT64_MAX if never. NULL
     * stands for never. */
    uint64_t (*deadline)(struct port *port);
    /* Asks for a wake-up through `wake_fd` at the next packet: 0 if armed, 1 if packets wait,
     * -ENOTSUP if the driver has no receive interrupt (then the group sleeps in short steps). */
    int (*arm)(struct port *port);
    void (*disarm)(struct port *port);
    /* Fills `stats` with up to `max` counters and returns how many there are. Any thread, while the
     * port exists. NULL: it counts nothing. */
    uint32_t (*stats)(const struct port *port, struct port_stat *stats, uint32_t max);
    void (*destroy)(struct port *port);
};

struct port {
    const struct port_ops *ops;
    char name[32];
    struct rte_ether_addr mac;
    uint16_t mtu; /* bytes of the IP packet */
    int wake_fd;  /* watched by the engine, edge-triggered; -1 if there is no receive interrupt */
    struct rte_mempool
        *pool; /* where packets to be sent come from: one segment holds a whole one */
};

#endif
