/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that a port has given to the kernel and does not have back yet.
 *
 * The kernel says of a chunk that it has left, not which packet it was, and the same memory may be
 * under way more than once: a packet and a clone of it, sent again. So each buffer has a list of
 * the packets that lie in it. They share its memory, and which of them is freed first makes no
 * difference: the last one is freed when the kernel has given back the last chunk.
 *
 * Ownership: of the packets, from flights_add until their last descriptor lands. Threads: one.
 * Trust: the kernel is trusted, but a chunk that is not under way is not believed to land.
 */
#ifndef DAEMON_FLIGHTS_H
#define DAEMON_FLIGHTS_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

struct flight {
    struct rte_mbuf *packet;
    uint32_t descriptors; /* that have not landed */
    uint32_t next;        /* on the list of its buffer, or of those not in use */
};

struct flights {
    struct flight *flights;
    uint32_t *first; /* of each buffer */
    uint32_t buffers;
    uint32_t unused; /* the first one */
    uint32_t room;   /* descriptors that may still take off */
};

/* Room for `descriptors` under way at a time, in `buffers` buffers. 0 or -ENOMEM. */
int flights_create(struct flights *flights, uint32_t buffers, uint32_t descriptors);
/* Frees the packets that are still under way. Accepts one that is all zero. */
void flights_destroy(struct flights *flights);
/* Leaves the packets to another process, which has their memory now, and touches none. */
void flights_forget(struct flights *flights);

/* A packet takes off, as one or more descriptors of a buffer; there is room for them. */
void flights_add(struct flights *flights, uint32_t buffer, struct rte_mbuf *packet,
                 uint32_t descriptors);
/* One descriptor of a buffer has landed. False if none was under way. */
bool flights_land(struct flights *flights, uint32_t buffer);
/* How many descriptors of a buffer are under way. */
uint32_t flights_of(const struct flights *flights, uint32_t buffer);

#endif
