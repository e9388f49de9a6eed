/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of one memif connection (memif_abi.h), and packets through it: a ring in each
 * direction. Packets are copied, in and out, so that neither side holds memory of the other.
 *
 * Ownership: regions and descriptors are its own; packets that were sent, too. Threads: made and
 * destroyed by control; the functions of packets are for one thread at a time, an engine's, and
 * make no system call but the one that rings.
 * Trust: the other side may write anything at any time. Each word is read once and checked;
 * positions are kept here. What cannot be is counted and dropped, and positions that cannot be end
 * the connection (`broken`). Memory that could shrink beneath us is refused, and that of huge
 * pages, which may run out. Whoever is rung cannot make us wait.
 */
#ifndef DAEMON_MEMIF_RINGS_H
#define DAEMON_MEMIF_RINGS_H

#include "daemon/memif_abi.h"
#include "mailbox/ringer.h"

#include <rte_mbuf.h>
#include <stdbool.h>

#define MEMIF_REGIONS_MAX      8u /* net_memif has one, and several only with its zero-copy */
#define MEMIF_REGION_BYTES_MAX (1ull << 30)
#define MEMIF_LOG2_MAX         14u /* of a ring's slots, as DPDK and VPP have it */

struct memif_counts {
    uint64_t rx_packets, tx_packets;
    uint64_t rx_no_memory; /* turns without a buffer: packets wait in the ring */
    uint64_t rx_bad;       /* packets with a descriptor that cannot be, or larger than fits */
    uint64_t tx_odd;       /* packets that are no frame, or larger than the ring's buffers hold */
    uint64_t bells;        /* rung */
};

/* One direction, as this side has it. */
struct memif_side {
    struct memif_ring *ring; /* NULL: there is none yet */
    uint32_t offset;         /* of the ring in its region */
    uint16_t region;
    uint16_t mask;
    uint16_t position; /* the slot to be used next, free-running */
    int bell;          /* an eventfd, which both sides have, that wakes who receives; -1: none */
};

struct memif_region {
    uint8_t *base;
    uint64_t bytes;
    int fd;
};

struct memif_rings {
    bool client;
    bool broken;            /* the other side's positions cannot be: to be disconnected */
    uint32_t buffer_bytes;  /* of each of the client's own buffers, */
    uint64_t buffer_offset; /* which begin there */
    uint32_t region_count;
    struct memif_region regions[MEMIF_REGIONS_MAX];
    struct memif_side rx, tx;
    struct ringer ringer;
};

/* ---- For control: each 0 or a negative errno ---- */

/* As client: memory for rings of that many slots (their logarithm), with buffers of so many bytes,
 * and all of those for the server posted. */
int memif_rings_create(struct memif_rings **rings, uint8_t log2, uint32_t buffer_bytes);
/* As server: none of it yet. */
int memif_rings_expect(struct memif_rings **rings);
/* The next region, and a ring, of which there is one in each direction. The descriptor is theirs,
 * or closed. -EINVAL: it cannot be; -EPERM: the memory could be taken away. */
int memif_rings_add_region(struct memif_rings *rings, uint32_t index, uint64_t bytes, int fd);
int memif_rings_add_ring(struct memif_rings *rings, bool to_server, uint32_t region,
                         uint32_t offset, uint32_t log2, int bell);
/* Has a server been given all? 0 or -EINVAL. */
int memif_rings_check(const struct memif_rings *rings);
/* As client, once the server is ready: says anew what is posted, since some servers begin by
 * emptying both rings. */
void memif_rings_post(struct memif_rings *rings);
/* Are positions that another process of this side had ones that can be? */
bool memif_rings_resume(struct memif_rings *rings, uint16_t rx, uint16_t tx);
/* NULL is fine. */
void memif_rings_destroy(struct memif_rings *rings);

/* ---- For the engine ---- */

/* Up to `max` packets, copied into buffers of `pool`. */
uint16_t memif_rings_receive(struct memif_rings *rings, struct rte_mempool *pool,
                             struct rte_mbuf **packets, uint16_t max, struct memif_counts *counts);
/* Sends a prefix of the packets, frees it, and returns its length. */
uint16_t memif_rings_send(struct memif_rings *rings, struct rte_mbuf **packets, uint16_t count,
                          struct memif_counts *counts);
/* How many packets of that many bytes it would take now. */
uint16_t memif_rings_room(struct memif_rings *rings, uint32_t bytes);
/* Has the other side ring at the next packet. False: packets wait already. */
bool memif_rings_arm(struct memif_rings *rings);
void memif_rings_disarm(struct memif_rings *rings);

#endif
