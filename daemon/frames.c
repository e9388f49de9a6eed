/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/frames.h"

#include "daemon/ethdev.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_PACKETS 256u /* of each registered thread */
#define POOL_SUFFIX   ".pool"
#define CHUNKS_MAX    15u /* an mbuf knows buffers of less than 64 KiB */
/* What the kernel leaves free before a packet, for the program to put headers there
 * (XDP_PACKET_HEADROOM). */
#define KERNEL_HEADROOM 256u
/* Of page tables: where memory begins at a multiple of what one of them maps, the kernel moves the
 * table instead of its entries. */
#define TABLE_BYTES (2ull << 20)
#define GIVE_MAX    64u  /* buffers put into the pool at a time */
#define AT_ONCE     512u /* free packets that are enough until the others come: half a ring */
#define AHEAD       8u   /* buffers whose mbufs are fetched while others are copied */

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

/* Its size is settled, so that nobody who maps it can lose a page of it. */
static int make_memory(struct frames *frames)
{
    void *base;

    frames->fd = memfd_create("saddle-frames", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (frames->fd < 0 || ftruncate(frames->fd, (off_t)frames->bytes) ||
        fcntl(frames->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
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

/* The pool keeps a list of its objects in their headers, for whoever walks over them or frees it.
 * The list is dropped as soon as the mbufs are made: another process may write to the memory later,
 * and then this one must not follow what it finds there. */
static int fill_pool(const struct frames *frames)
{
    int count = rte_mempool_populate_iova(frames->pool, (char *)frames->base, RTE_BAD_IOVA,
                                          frames->bytes, NULL, NULL);

    if (count == (int)frames->buffers)
        rte_mempool_obj_iter(frames->pool, rte_pktmbuf_init, NULL);
    STAILQ_INIT(&frames->pool->elt_list);
    if (count == (int)frames->buffers)
        return 0;
    return count < 0 ? count : -ENOMEM;
}

/* The pool over memory that is mapped. */
static int make(struct frames *frames, const char *port_name)
{
    int error;

    frames->pool = make_pool(frames, port_name);
    if (!frames->pool)
        return -rte_errno;
    error = fill_pool(frames);
    if (error) {
        rte_mempool_free(frames->pool);
        frames->pool = NULL;
    }
    return error;
}

static int prepare(struct frames *frames, const char *port_name, uint32_t packets, uint32_t chunks)
{
    *frames = (struct frames){
        .bytes = (uint64_t)packets * chunks * XSK_CHUNK_BYTES,
        .buffer_bytes = chunks * XSK_CHUNK_BYTES,
        .buffers = packets,
        .fd = -1,
    };
    return ethdev_name_check(port_name) || packets == 0 || chunks == 0 || chunks > CHUNKS_MAX
               ? -EINVAL
               : 0;
}

static void unmap(uint8_t **memory, uint64_t bytes)
{
    if (*memory)
        munmap(*memory, bytes);
    *memory = NULL;
}

static void close_memory(struct frames *frames)
{
    unmap(&frames->shared, frames->bytes);
    unmap(&frames->spare, frames->bytes);
    free(frames->later);
    free(frames->is_later);
    frames->later = NULL;
    frames->is_later = NULL;
    if (frames->fd >= 0)
        close(frames->fd);
    frames->fd = -1;
}

int frames_create(struct frames *frames, const char *port_name, uint32_t packets, uint32_t chunks)
{
    int error = prepare(frames, port_name, packets, chunks);

    if (error)
        return error;
    error = make_memory(frames);
    if (!error)
        error = make(frames, port_name);
    if (error)
        frames_destroy(frames);
    return error;
}

/* What is being taken over was never anybody's but this process's. */
static bool may_go(const struct frames *frames)
{
    return !frames->pool || frames->shared || rte_mempool_full(frames->pool);
}

void frames_destroy(struct frames *frames)
{
    if (frames->aside || frames->later_count > 0)
        frames_settle(frames);
    if (may_go(frames)) {
        rte_mempool_free(frames->pool);
        unmap(&frames->base, frames->bytes);
    }
    frames->pool = NULL;
    close_memory(frames);
}

/* ---- Handing over ---- */

static int check_memory(const struct frames *frames)
{
    int seals = fcntl(frames->fd, F_GET_SEALS);
    struct stat status;

    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(frames->fd, &status))
        return -EINVAL;
    return (uint64_t)status.st_size == frames->bytes ? 0 : -EINVAL;
}

/* Maps memory where page tables begin. NULL with errno set. */
static uint8_t *map_aligned(uint64_t bytes, int protection, int flags, int fd)
{
    uint64_t room = bytes + TABLE_BYTES;
    uint8_t *whole =
        mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint64_t before, behind;
    uint8_t *at;

    if (whole == MAP_FAILED)
        return NULL;
    before = TABLE_BYTES - (uintptr_t)whole % TABLE_BYTES;
    behind = room - before - bytes;
    at = mmap(whole + before, bytes, protection, flags | MAP_FIXED, fd, 0);
    if (at == MAP_FAILED) {
        munmap(whole, room);
        return NULL;
    }
    munmap(whole, before);
    if (behind > 0)
        munmap(at + bytes, behind);
    return at;
}

/* Everything out of the pool: frames_give says what is free. */
static int empty_pool(const struct frames *frames)
{
    void *objects[GIVE_MAX];
    uint32_t left = frames->buffers;

    while (left > 0) {
        uint32_t count = RTE_MIN(left, GIVE_MAX);
        int error = rte_mempool_generic_get(frames->pool, objects, count, NULL);

        if (error)
            return error;
        left -= count;
    }
    return 0;
}

/* The shared memory, private memory, and where that is to go in the end. */
static int map_all(struct frames *frames)
{
    const int use = PROT_READ | PROT_WRITE;
    const int private = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

    frames->shared = map_aligned(frames->bytes, use, MAP_SHARED | MAP_POPULATE, frames->fd);
    if (!frames->shared)
        return -errno;
    frames->base = map_aligned(frames->bytes, use, private, -1);
    if (!frames->base)
        return -errno;
    frames->spare = map_aligned(frames->bytes, PROT_NONE, private, -1);
    if (!frames->spare)
        return -errno;
    frames->later = calloc(frames->buffers, sizeof(frames->later[0]));
    frames->is_later = calloc(frames->buffers, sizeof(frames->is_later[0]));
    return frames->later && frames->is_later ? 0 : -ENOMEM;
}

static int adopt(struct frames *frames, const char *port_name)
{
    int error = check_memory(frames);

    if (!error)
        error = map_all(frames);
    if (!error)
        error = make(frames, port_name);
    return error ? error : empty_pool(frames);
}

int frames_adopt(struct frames *frames, const char *port_name, int fd, uint32_t packets,
                 uint32_t chunks)
{
    int error = prepare(frames, port_name, packets, chunks);

    frames->fd = fd;
    if (!error)
        error = adopt(frames, port_name);
    if (error)
        frames_destroy(frames);
    return error;
}

/* Past the caches, which are their threads'. */
void frames_give(struct frames *frames, const bool *held)
{
    void *objects[GIVE_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < frames->buffers; i++) {
        if (held[i])
            continue;
        objects[count++] = frames_packet(frames, (uint64_t)i * frames->buffer_bytes);
        if (count == GIVE_MAX) {
            rte_mempool_generic_put(frames->pool, objects, count, NULL);
            count = 0;
        }
    }
    if (count > 0)
        rte_mempool_generic_put(frames->pool, objects, count, NULL);
}

/* Out of the pool with what is free, but for some. */
static void keep_back(struct frames *frames)
{
    uint32_t count = 0, some;

    while (count + GIVE_MAX <= frames->buffers &&
           !rte_mempool_generic_get(frames->pool, frames->later + count, GIVE_MAX, NULL))
        count += GIVE_MAX;
    some = RTE_MIN(count, AT_ONCE);
    if (some > 0)
        rte_mempool_generic_put(frames->pool, frames->later + count - some, some, NULL);
    frames->later_count = count - some;
    for (uint32_t i = 0; i < frames->later_count; i++)
        frames->is_later[frames_buffer(frames, frames_address(frames, frames->later[i]))] = true;
}

/* The mbuf of a buffer, and what has been written into it here. */
static void copy_buffer(const struct frames *frames, uint32_t buffer, bool held)
{
    uint64_t offset = (uint64_t)buffer * frames->buffer_bytes + FRAMES_HEADER_BYTES;
    const struct rte_mbuf *packet = (const struct rte_mbuf *)(const void *)(frames->base + offset);
    size_t bytes = sizeof(*packet);

    if (!held && packet->data_len > 0)
        bytes += (size_t)packet->data_off + packet->data_len;
    memcpy(frames->shared + offset, packet, bytes);
}

static void fetch(const struct frames *frames, uint32_t buffer)
{
    uint64_t offset = (uint64_t)buffer * frames->buffer_bytes + FRAMES_HEADER_BYTES;

    for (uint32_t at = 0; at < sizeof(struct rte_mbuf); at += RTE_CACHE_LINE_SIZE) {
        rte_prefetch0(frames->base + offset + at);
        __builtin_prefetch(frames->shared + offset + at, 1);
    }
}

static void copy_buffers(const struct frames *frames, const bool *held, bool later)
{
    for (uint32_t i = 0; i < frames->buffers; i++) {
        if (i + AHEAD < frames->buffers && frames->is_later[i + AHEAD] == later)
            fetch(frames, i + AHEAD);
        if (frames->is_later[i] == later)
            copy_buffer(frames, i, held[i]);
    }
}

int frames_begin(struct frames *frames, const bool *held)
{
    const int move = MREMAP_MAYMOVE | MREMAP_FIXED;
    uint64_t bytes = frames->bytes;

    keep_back(frames);
    copy_buffers(frames, held, false);
    /* The private memory goes aside, since freeing it takes longer than all the rest; its place
     * stays taken until the other comes there. */
    frames->aside =
        mremap(frames->base, bytes, bytes, move | MREMAP_DONTUNMAP, frames->spare) != MAP_FAILED;
    if (!frames->aside)
        copy_buffers(frames, held, true);
    if (mremap(frames->shared, bytes, bytes, move, frames->base) == MAP_FAILED)
        return -ENOMEM;
    frames->shared = NULL;
    return 0;
}

void frames_settle(struct frames *frames)
{
    for (uint32_t i = 0; frames->aside && i < frames->later_count; i++)
        memcpy(frames->later[i], frames->spare + ((uint8_t *)frames->later[i] - frames->base),
               sizeof(struct rte_mbuf));
    if (frames->later_count > 0)
        rte_mempool_generic_put(frames->pool, frames->later, frames->later_count, NULL);
    frames->later_count = 0;
    frames->aside = false;
    unmap(&frames->spare, frames->bytes);
    rte_mempool_cache_flush(rte_mempool_default_cache(frames->pool, rte_lcore_id()), frames->pool);
}

void frames_forget(struct frames *frames)
{
    void *nothing = mmap(frames->base, frames->bytes, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

    if (nothing == MAP_FAILED)
        abort();
    rte_mempool_free(frames->pool);
    frames->pool = NULL;
    frames->base = NULL;
    close_memory(frames);
}
