/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/pool.h"

#include <errno.h>
#include <stdlib.h>

int pool_init(struct pool *pool, uint32_t size, uint32_t rest)
{
    pool->indices = malloc(size * sizeof(pool->indices[0]));
    if (!pool->indices)
        return -ENOMEM;
    pool->size = size;
    pool->rest = rest;
    pool_reset(pool, 0);
    return 0;
}

void pool_fini(struct pool *pool)
{
    free(pool->indices);
    pool->indices = NULL;
}

/* How many were given back and rest. */
static uint32_t resting(const struct pool *pool)
{
    return pool->free - (pool->size - pool->fresh);
}

uint32_t pool_take(struct pool *pool)
{
    uint32_t index = pool_next(pool);

    if (index == POOL_NONE)
        return POOL_NONE;
    pool->free--;
    if (index == pool->fresh)
        pool->fresh++;
    else
        pool->first = pool->first + 1 < pool->size ? pool->first + 1 : 0;
    return index;
}

void pool_give(struct pool *pool, uint32_t index)
{
    uint32_t end = pool->first + resting(pool);

    pool->indices[end < pool->size ? end : end - pool->size] = index;
    pool->free++;
}

void pool_reset(struct pool *pool, uint32_t used)
{
    pool->first = 0;
    pool->fresh = used;
    pool->free = pool->size - used;
}

void share_init(struct share *share, uint32_t entries, uint32_t parties)
{
    share->guaranteed = entries / 2 / parties;
    share->shared = entries - share->guaranteed * parties;
    share->shared_used = 0;
}

/* What a party has is shown to other threads. */
static void store(uint32_t *used, uint32_t value)
{
    __atomic_store_n(used, value, __ATOMIC_RELAXED);
}

void share_take(struct share *share, uint32_t *used)
{
    if (*used >= share->guaranteed)
        share->shared_used++;
    store(used, *used + 1);
}

void share_give(struct share *share, uint32_t *used)
{
    if (*used > share->guaranteed)
        share->shared_used--;
    store(used, *used - 1);
}
