/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet memory of an XDP port: a memfd, cut into buffers of one or more chunks, each of which
 * holds an mbuf and its data. So a packet received needs no copy, nor one sent, and the memory can
 * be passed to another process as a descriptor.
 *
 *     buffer   | mempool's header, mbuf | headroom, data ...              |
 *              | <- frames_reserved ->  | chunk 1  | chunk 2  | chunk 3   |
 *
 * The mbufs are direct ones, as of any pool: an engine clones and linearises them. The kernel is
 * told to keep off the part that is not data.
 *
 * The memory may be taken over from another process, which works with it meanwhile, and whose mbufs
 * are in it:
 *
 *     frames_adopt     a pool of this process, with nothing in it, over private memory in which the
 *                      mbufs are this process's; the shared memory is mapped elsewhere and not
 *                      touched. As long as it goes on like this it can be given up.
 *     frames_give      what is free is in the pool; who allocates now writes into private memory
 *     frames_begin     mbufs, and the data of packets that were made since, are copied into the
 *                      shared memory, which then takes the private one's place; most of what is
 *                      free is kept back for later
 *     frames_settle    that is in the pool as well, the private memory is let go, and what the
 *                      calling thread has of the pool
 *
 * Why: whoever takes over makes packets before it is certain that it will have them, and up to then
 * the process before may go on with its own, whose mbufs lie in the same places. Page tables are
 * moved, not memory, and the mbufs of what nobody will want at once are not touched, so that this
 * takes a fraction of a millisecond for thousands of buffers.
 *
 * Ownership: as port_ring's pools: a pool whose packets are not all back when it is destroyed is
 * kept for ever, and its memory with it. Threads: create, adopt and destroy on a control thread;
 * the others while nobody uses the pool. Trust: a descriptor that is adopted is checked, and cannot
 * become smaller.
 */
#ifndef DAEMON_FRAMES_H
#define DAEMON_FRAMES_H

#include "daemon/xsk.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>

/* What the pool writes before each mbuf: it keeps objects on cache lines of their own. */
#define FRAMES_HEADER_BYTES                                                                        \
    ((uint32_t)RTE_ALIGN_CEIL(sizeof(struct rte_mempool_objhdr), RTE_MEMPOOL_ALIGN))

struct frames {
    struct rte_mempool *pool; /* NULL: none */
    uint8_t *base;
    uint64_t bytes;
    uint32_t buffer_bytes; /* a multiple of XSK_CHUNK_BYTES */
    uint32_t buffers;
    int fd;          /* the memfd */
    uint8_t *shared; /* while it is being taken over: where it is mapped; else NULL */
    uint8_t *spare;  /* where the private memory goes from `base`, until it is let go; else NULL */
    bool aside;      /* it is there */
    void **later;    /* free packets that frames_begin kept back; NULL: none */
    bool *is_later;  /* of each buffer */
    uint32_t later_count;
};

/* What precedes the data room in a buffer, in bytes. */
uint32_t frames_reserved(void);
/* Bytes of a received frame that fit into one chunk: behind what is reserved, and what the kernel
 * leaves free for the XDP program. */
uint32_t frames_chunk_room(void);
/* Chunks that hold a whole frame of that many bytes, also after it has been received in pieces. */
uint32_t frames_chunks(uint32_t frame_bytes);

/* A pool of `packets` buffers of `chunks` chunks each. 0, -EINVAL, -EEXIST (the port has a pool),
 * -ENOMEM, or of memfd_create. */
int frames_create(struct frames *frames, const char *port_name, uint32_t packets, uint32_t chunks);
/* Accepts one that is not created, or not yet wholly taken over: that is given up. */
void frames_destroy(struct frames *frames);

/* Takes over the memory of `packets` buffers of `chunks` chunks each. As frames_create; also
 * -EINVAL if it is no such memory, or could become smaller. The descriptor is the frames', and
 * closed on errors. */
int frames_adopt(struct frames *frames, const char *port_name, int fd, uint32_t packets,
                 uint32_t chunks);
/* Puts those buffers into the pool of which `held` is false. */
void frames_give(struct frames *frames, const bool *held);
/* The memory is this process's from now on: nobody else writes to it any more. What is in buffers
 * that are `held` stays, but for the mbuf. 0, or -ENOMEM: then it is unusable. */
int frames_begin(struct frames *frames, const bool *held);
void frames_settle(struct frames *frames);
/* The memory is another process's from now on: whatever is still to be done to a packet in it ends
 * this process instead of harming the other. Nothing of the pool is left, but addresses that will
 * not be used again. */
void frames_forget(struct frames *frames);

static inline uint32_t frames_buffer(const struct frames *frames, uint64_t address)
{
    return (uint32_t)(address / frames->buffer_bytes);
}

/* The packet whose buffer holds the byte at `address`. */
static inline struct rte_mbuf *frames_packet(const struct frames *frames, uint64_t address)
{
    return (struct rte_mbuf *)(void *)(frames->base +
                                       (uint64_t)frames_buffer(frames, address) *
                                           frames->buffer_bytes +
                                       FRAMES_HEADER_BYTES);
}

/* Where the buffer of a packet of the pool begins. */
static inline uint64_t frames_address(const struct frames *frames, const struct rte_mbuf *packet)
{
    return (uint64_t)((const uint8_t *)packet - frames->base) - FRAMES_HEADER_BYTES;
}

/* Do these bytes, at least one, lie within one buffer? */
static inline bool frames_hold(const struct frames *frames, const void *data, uint32_t length)
{
    uint64_t offset = (uint64_t)(uintptr_t)data - (uint64_t)(uintptr_t)frames->base;

    return offset < frames->bytes && length <= frames->buffer_bytes &&
           offset % frames->buffer_bytes <= frames->buffer_bytes - length;
}

#endif
