/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Which entries of a table are free. An entry that is given back, and with it a handle that named
 * it, rests until as many others as the pool says have been given back after it (POOL_REST, if
 * names are made of places); only then is it taken before one that never was. So names come back
 * late, and a table whose entries come and go all day does not become resident as a whole. And
 * shares: how much of a table one session may take.
 *
 * Ownership: the pool owns its array of indices; the table is the caller's. Threads: one.
 */
#ifndef ENGINES_PONY_POOL_H
#define ENGINES_PONY_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define POOL_NONE UINT32_MAX
/* With 12 bits of generation, what is taken four million times has had a name of its own each time;
 * and of the largest entry here so many take less than a megabyte. */
#define POOL_REST 1024u

struct pool {
    uint32_t *indices; /* a ring of `size`: those that were given back, the oldest first */
    uint32_t size;
    uint32_t rest;  /* entries */
    uint32_t first; /* ring position of the next to take */
    uint32_t fresh; /* entries from here on were never taken */
    uint32_t free;  /* of both kinds */
};

/* All of `size` entries free, none touched; those given back rest for `rest` others. 0 or
 * -ENOMEM. */
int pool_init(struct pool *pool, uint32_t size, uint32_t rest);
void pool_fini(struct pool *pool);
/* An index, or POOL_NONE. */
uint32_t pool_take(struct pool *pool);
void pool_give(struct pool *pool, uint32_t index);
/* What pool_take returns next, if nothing is given back before: to fetch it ahead. */
static inline uint32_t pool_next(const struct pool *pool)
{
    uint32_t resting = pool->free - (pool->size - pool->fresh);

    if (pool->free == 0)
        return POOL_NONE;
    return resting > pool->rest || pool->fresh == pool->size ? pool->indices[pool->first]
                                                             : pool->fresh;
}
/* Nothing below `used` is free, and all from there on was never taken: before giving those that are
 * free, in loading. */
void pool_reset(struct pool *pool, uint32_t used);
/* Entries from here on were never taken: who looks through a table need not touch them. */
static inline uint32_t pool_end(const struct pool *pool)
{
    return pool->fresh;
}

/* Half of a table is set aside in equal parts, one per party, so that nobody can be starved by the
 * others; the other half goes to whoever comes first. */
struct share {
    uint32_t guaranteed; /* of each party */
    uint32_t shared;     /* entries beyond the guaranteed ones */
    uint32_t shared_used;
};

void share_init(struct share *share, uint32_t entries, uint32_t parties);
/* May a party that has `used` entries have another? */
static inline bool share_allows(const struct share *share, uint32_t used)
{
    return used < share->guaranteed || share->shared_used < share->shared;
}
void share_take(struct share *share, uint32_t *used);
void share_give(struct share *share, uint32_t *used);

#endif
