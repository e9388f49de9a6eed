/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Element: which engine a packet is for. A claim (protocol, local address, destination port) maps
 * to a class number; the same key steers a queue's packets on a NIC or in an XDP program.
 *
 * Ownership: a table is made and changed by control, between two runs of the engine that reads it.
 * Threads: one at a time. Trust: destinations in packets are chosen by strangers, so the hash is
 * keyed (SipHash-2-4): nobody can aim at one bucket. The table is at most half full.
 */
#ifndef ENGINES_ELEMENTS_CLASSIFY_H
#define ENGINES_ELEMENTS_CLASSIFY_H

#include "engines/elements/burst.h"

#define CLASSIFY_KEY_BYTES  16u /* of SipHash */
#define CLASSIFY_CLAIMS_MAX 65536u
#define CLASSIFY_NONE       UINT16_MAX /* the class of a packet that nobody claims */

struct claim {
    struct address address;
    uint16_t port; /* destination, host order */
    uint8_t protocol;
};

struct classify;

/* Room for `capacity` claims. 0, -EINVAL, -ENOMEM. */
int classify_create(struct classify **classify, uint32_t capacity,
                    const uint8_t key[CLASSIFY_KEY_BYTES]);
void classify_destroy(struct classify *classify);
/* 0, -EEXIST (claimed already), -ENOSPC, -EINVAL (the class is CLASSIFY_NONE). */
int classify_add(struct classify *classify, const struct claim *claim, uint16_t class);
/* 0 or -ENOENT. */
int classify_remove(struct classify *classify, const struct claim *claim);
/* The class of a claim, or CLASSIFY_NONE. */
uint16_t classify_find(const struct classify *classify, const struct claim *claim);

/* Writes the class of each packet. */
void classify_batch(const struct classify *classify, const struct packet_meta *metas,
                    uint16_t count, uint16_t *classes);

/* Packets with their metadata and classes, in parallel arrays. */
struct classified {
    struct rte_mbuf **packets;
    struct packet_meta *metas;
    uint16_t *classes;
    uint16_t count;
};
/* Moves the packets of one class out, in order, to `packets` and `metas`, which have room for
 * from->count; the others stay, in order. Returns how many it moved. */
uint16_t classify_take(struct classified *from, uint16_t class, struct rte_mbuf **packets,
                       struct packet_meta *metas);

#endif
