/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/frames.h"

#include "daemon/ethdev.h"

#include <errno.h>
#include <rte_errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CACHE_PACKETS 256u /* of each registered thread */
#define POOL_SUFFIX   ".pool"
#define CHUNKS_MAX    15u /* an mbuf knows buffers of less than 64 KiB */
/* What the kernel leaves free before a packet, for the program to put headers there
 * (XDP_PACKET_HEADROOM). */
#define KERNEL_HEADROOM 256u

uint32_t frames_reserved(void)
{
    return FRAMES_HEADER_BYTES + (uint32_t)sizeof(struct rte_mbuf);
}

uint32_t frames_chunk_room(void)
{
    return XSK_CHUNK_BYTES - frames_reserved() - KERNEL_HEADROOM;
}

uint32_t frames_chunks(uint32_t frame_bytes)
{
    uint32_t bytes = frames_reserved() + KERNEL_HEADROOM + frame_bytes;

    return (bytes + XSK_CHUNK_BYTES - 1) / XSK_CHUNK_BYTES;
}

static int make_memory(struct frames *frames)
{
    void *base;

    frames->fd = memfd_create("saddle-frames", MFD_CLOEXEC);
    if (frames->fd < 0 || ftruncate(frames->fd, (off_t)frames->bytes))
        return -errno;
    base =
        mmap(NULL, frames->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, frames->fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    frames->base = base;
    return 0;
}

static struct rte_mempool *make_pool(const struct frames *frames, const char *port_name)
{
    struct rte_pktmbuf_pool_private private = {
        .mbuf_data_room_size = (uint16_t)(frames->buffer_bytes - frames_reserved()),
    };
    uint32_t cache = RTE_MIN(CACHE_PACKETS, frames->buffers / 2);
    char name[RTE_MEMPOOL_NAMESIZE];
    struct rte_mempool *pool;

    snprintf(name, sizeof(name), "%s" POOL_SUFFIX, port_name);
    /* Objects lie side by side, each a whole number of chunks. */
    pool =
        rte_mempool_create_empty(name, frames->buffers, frames->buffer_bytes - FRAMES_HEADER_BYTES,
                                 cache, sizeof(private), SOCKET_ID_ANY,
                                 RTE_MEMPOOL_F_NO_SPREAD | RTE_MEMPOOL_F_NO_IOVA_CONTIG);
    if (!pool)
        return NULL;
    rte_pktmbuf_pool_init(pool, &private);
    return pool;
}

/* The memory goes with the pool from then on. */
static void unmap(struct rte_mempool_memhdr *header, void *opaque)
{
    (void)opaque;
    munmap(header->addr, header->len);
}

static int fill_pool(const struct frames *frames)
{
    int count = rte_mempool_populate_iova(frames->pool, (char *)frames->base, RTE_BAD_IOVA,
                                          frames->bytes, unmap, NULL);

    if (count != (int)frames->buffers) {
        rte_mempool_free(frames->pool);
        if (count < 0)
            munmap(frames->base, frames->bytes);
        return count < 0 ? count : -ENOMEM;
    }
    rte_mempool_obj_iter(frames->pool, rte_pktmbuf_init, NULL);
    return 0;
}

static int make(struct frames *frames, const char *port_name)
{
    int error = make_memory(frames);

    if (error)
        return error;
    frames->pool = make_pool(frames, port_name);
    if (!frames->pool) {
        munmap(frames->base, frames->bytes);
        return -rte_errno;
    }
    error = fill_pool(frames);
    if (error)
        frames->pool = NULL;
    return error;
}

int frames_create(struct frames *frames, const char *port_name, uint32_t packets, uint32_t chunks)
{
    int error;

    *frames = (struct frames){
        .bytes = (uint64_t)packets * chunks * XSK_CHUNK_BYTES,
        .buffer_bytes = chunks * XSK_CHUNK_BYTES,
        .buffers = packets,
        .fd = -1,
    };
    if (ethdev_name_check(port_name) || packets == 0 || chunks == 0 || chunks > CHUNKS_MAX)
        return -EINVAL;
    error = make(frames, port_name);
    if (error)
        frames_destroy(frames);
    return error;
}

void frames_destroy(struct frames *frames)
{
    ethdev_pool_destroy(frames->pool);
    frames->pool = NULL;
    if (frames->fd >= 0)
        close(frames->fd);
    frames->fd = -1;
}
