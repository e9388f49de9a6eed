/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "client/heap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define HEAP_NONE         UINT32_MAX  /* no granule: the end of a list */
#define HEAP_GRANULES_MAX (1u << 30)  /* 64 GiB: leaves two bits of a mark's word for flags */
#define HEAP_FIRST        0x80000000u /* this granule starts its block */
#define HEAP_USED         0x40000000u /* the block is handed out */
#define HEAP_SIZE         0x3fffffffu /* granules of the block */
#define HEAP_OWN_CLASS_TRY                                                                         \
    8u /* blocks looked at where not every one fits, before a larger list                          \
        */

/* Of a granule inside a block all is 0. */
struct client_heap_mark {
    uint32_t word;
    uint32_t next; /* of the first granule of a free block: its list */
    uint32_t previous;
};

static uint32_t heap_class(uint32_t granules)
{
    return 31u - (uint32_t)__builtin_clz(granules);
}

static uint32_t heap_size(const struct client_heap *heap, uint32_t at)
{
    return heap->marks[at].word & HEAP_SIZE;
}

static void heap_mark(struct client_heap *heap, uint32_t at, uint32_t granules, uint32_t used)
{
    heap->marks[at + granules - 1].word = granules | used;
    heap->marks[at].word = granules | used | HEAP_FIRST;
}

static void heap_unmark(struct client_heap *heap, uint32_t at, uint32_t granules)
{
    heap->marks[at].word = 0;
    heap->marks[at + granules - 1].word = 0;
}

static void heap_insert(struct client_heap *heap, uint32_t at, uint32_t granules)
{
    uint32_t class = heap_class(granules);
    uint32_t head = heap->lists[class];

    heap_mark(heap, at, granules, 0);
    heap->marks[at].next = head;
    heap->marks[at].previous = HEAP_NONE;
    if (head != HEAP_NONE)
        heap->marks[head].previous = at;
    heap->lists[class] = at;
    heap->nonempty |= 1u << class;
}

static void heap_remove(struct client_heap *heap, uint32_t at, uint32_t granules)
{
    uint32_t class = heap_class(granules);
    uint32_t next = heap->marks[at].next;
    uint32_t previous = heap->marks[at].previous;

    if (next != HEAP_NONE)
        heap->marks[next].previous = previous;
    if (previous != HEAP_NONE)
        heap->marks[previous].next = next;
    else
        heap->lists[class] = next;
    if (heap->lists[class] == HEAP_NONE)
        heap->nonempty &= ~(1u << class);
    heap_unmark(heap, at, granules);
}

/* First fit among the first `tries` blocks of a list. */
static uint32_t heap_search(const struct client_heap *heap, uint32_t class, uint32_t granules,
                            uint32_t tries)
{
    uint32_t at = heap->lists[class];

    while (at != HEAP_NONE && tries-- > 0) {
        if (heap_size(heap, at) >= granules)
            return at;
        at = heap->marks[at].next;
    }
    return HEAP_NONE;
}

static uint32_t heap_find(const struct client_heap *heap, uint32_t granules)
{
    uint32_t class = heap_class(granules);
    uint32_t at = heap_search(heap, class, granules, HEAP_OWN_CLASS_TRY);
    uint32_t larger;

    if (at != HEAP_NONE)
        return at;
    /* Every block of a higher class fits. */
    larger = heap->nonempty & ~((2u << class) - 1u);
    if (larger)
        return heap->lists[__builtin_ctz(larger)];
    return heap_search(heap, class, granules, heap->granules);
}

int client_heap_open(struct client_heap *heap, void *memory, uint64_t bytes)
{
    uint64_t granules = bytes / CLIENT_HEAP_GRANULE;
    void *marks = NULL;

    if ((uintptr_t)memory % CLIENT_HEAP_GRANULE || granules > HEAP_GRANULES_MAX - 1)
        return -EINVAL;
    if (granules > 0) {
        /* Reserved without commitment: pages of marks come into being as blocks end in them. */
        marks = mmap(NULL, granules * sizeof(*heap->marks), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (marks == MAP_FAILED)
            return -ENOMEM;
    }
    memset(heap, 0, sizeof(*heap));
    pthread_mutex_init(&heap->lock, NULL);
    heap->memory = (uint8_t *)memory;
    heap->granules = (uint32_t)granules;
    heap->free_granules = heap->granules;
    heap->marks = (struct client_heap_mark *)marks;
    for (uint32_t class = 0; class < CLIENT_HEAP_CLASSES; class ++)
        heap->lists[class] = HEAP_NONE;
    if (granules > 0)
        heap_insert(heap, 0, heap->granules);
    return 0;
}

void client_heap_close(struct client_heap *heap)
{
    if (heap->marks)
        munmap(heap->marks, heap->granules * sizeof(*heap->marks));
    pthread_mutex_destroy(&heap->lock);
    memset(heap, 0, sizeof(*heap));
}

void *client_heap_alloc(struct client_heap *heap, size_t bytes)
{
    uint32_t granules;
    uint32_t size;
    uint32_t at;

    if (bytes > (uint64_t)heap->granules * CLIENT_HEAP_GRANULE)
        return NULL;
    granules = bytes ? (uint32_t)((bytes + CLIENT_HEAP_GRANULE - 1) / CLIENT_HEAP_GRANULE) : 1;
    pthread_mutex_lock(&heap->lock);
    at = heap_find(heap, granules);
    if (at != HEAP_NONE) {
        size = heap_size(heap, at);
        heap_remove(heap, at, size);
        if (size > granules)
            heap_insert(heap, at + granules, size - granules);
        heap_mark(heap, at, granules, HEAP_USED);
        heap->free_granules -= granules;
    }
    pthread_mutex_unlock(&heap->lock);
    return at == HEAP_NONE ? NULL : heap->memory + (size_t)at * CLIENT_HEAP_GRANULE;
}

/* Joins the free block at `at` with free neighbours and puts it into its list. */
static void heap_join(struct client_heap *heap, uint32_t at, uint32_t granules)
{
    uint32_t after = at + granules;
    uint32_t size;

    if (after < heap->granules && !(heap->marks[after].word & HEAP_USED)) {
        size = heap_size(heap, after);
        heap_remove(heap, after, size);
        granules += size;
    }
    if (at > 0 && !(heap->marks[at - 1].word & HEAP_USED)) {
        size = heap_size(heap, at - 1);
        at -= size;
        heap_remove(heap, at, size);
        granules += size;
    }
    heap_insert(heap, at, granules);
}

int client_heap_free(struct client_heap *heap, void *memory)
{
    uintptr_t offset = (uintptr_t)memory - (uintptr_t)heap->memory;
    uint32_t at;
    uint32_t size;
    int result = -EINVAL;

    if (!client_heap_holds(heap, memory, 1) || offset % CLIENT_HEAP_GRANULE)
        return -EINVAL;
    at = (uint32_t)(offset / CLIENT_HEAP_GRANULE);
    pthread_mutex_lock(&heap->lock);
    if ((heap->marks[at].word & (HEAP_FIRST | HEAP_USED)) == (HEAP_FIRST | HEAP_USED)) {
        size = heap_size(heap, at);
        heap_unmark(heap, at, size);
        heap->free_granules += size;
        heap_join(heap, at, size);
        result = 0;
    }
    pthread_mutex_unlock(&heap->lock);
    return result;
}
