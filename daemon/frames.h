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
 * Ownership: as port_ring's pools: a pool whose packets are not all back when it is destroyed is
 * kept for ever, and its memory with it. Threads: create and destroy on a control thread.
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
    int fd; /* the memfd */
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
/* Accepts one that is not created. */
void frames_destroy(struct frames *frames);

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
