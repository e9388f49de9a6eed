/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator behind saddle_alloc: hands out pieces of the arena's heap.
 *
 * All bookkeeping lies in private memory, so an application that writes past its buffer, or a
 * daemon gone mad, cannot lead the allocator astray. The heap is counted in granules of one cache
 * line. Each block, used or free, has a mark at its first and its last granule (boundary tags,
 * Knuth, The Art of Computer Programming, volume 1, section 2.5); free blocks hang in lists by the
 * power of two of their size, and a word says which lists have any.
 *
 * Ownership: the heap owns its marks; the memory it hands out belongs to the arena.
 * Threads: any; one mutex, held for a handful of steps.
 * Trust: a pointer given back is checked against the marks before anything is done with it.
 */
#ifndef CLIENT_HEAP_H
#define CLIENT_HEAP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_HEAP_GRANULE 64u /* bytes: a cache line, so that two buffers never share one */
#define CLIENT_HEAP_CLASSES 32u /* lists of free blocks: sizes from 2^n granules up */

struct client_heap_mark;

struct client_heap {
    uint8_t *memory;                /* start of the heap in the arena */
    uint32_t granules;              /* its size */
    uint32_t free_granules;         /* not handed out */
    struct client_heap_mark *marks; /* one per granule; only ends of blocks are ever touched */
    uint32_t nonempty;              /* bit n: list n has a block */
    uint32_t lists[CLIENT_HEAP_CLASSES];
    pthread_mutex_t lock;
};

/* A heap over `bytes` at `memory`, aligned to a granule; a rest smaller than a granule is left
 * alone. `bytes` may be 0. 0, -EINVAL (alignment, or more than 64 GiB) or -ENOMEM. */
int client_heap_open(struct client_heap *heap, void *memory, uint64_t bytes);
void client_heap_close(struct client_heap *heap);

/* `bytes`, rounded up to granules, or NULL if no free block is large enough. */
void *client_heap_alloc(struct client_heap *heap, size_t bytes);
/* 0, or -EINVAL if `memory` is not the start of a block in use (then nothing is changed). */
int client_heap_free(struct client_heap *heap, void *memory);

/* True if `len` bytes at `memory` lie in the heap. */
static inline bool client_heap_holds(const struct client_heap *heap, const void *memory, size_t len)
{
    uint64_t size = (uint64_t)heap->granules * CLIENT_HEAP_GRANULE;
    uint64_t offset = (uint64_t)((uintptr_t)memory - (uintptr_t)heap->memory);

    return len <= size && offset <= size - len;
}

#endif
