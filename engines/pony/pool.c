/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/pool.h"

#include <errno.h>
#include <stdlib.h>

int pool_init(struct pool *pool, uint32_t size)
{
    pool->indices = malloc(size * sizeof(pool->indices[0]));
    if (!pool->indices)
        return -ENOMEM;
    pool->size = size;
    pool_clear(pool);
    for (uint32_t i = 0; i < size; i++)
        pool_give(pool, i);
    return 0;
}

void pool_fini(struct pool *pool)
{
    free(pool->indices);
    pool->indices = NULL;
}

uint32_t pool_take(struct pool *pool)
{
    if (pool->free == 0)
        return POOL_NONE;
    uint32_t index = pool->indices[pool->first];
    pool->first = (pool->first + 1) % pool->size;
    pool->free--;
    return index;
}

void pool_give(struct pool *pool, uint32_t index)
{
    pool->indices[(pool->first + pool->free) % pool->size] = index;
    pool->free++;
}

void pool_clear(struct pool *pool)
{
    pool->first = 0;
    pool->free = 0;
}

void share_init(struct share *share, uint32_t entries, uint32_t parties)
{
    share->guaranteed = entries / 2 / parties;
    share->shared = entries - share->guaranteed * parties;
    share->shared_used = 0;
}

void share_take(struct share *share, uint32_t *used)
{
    if (*used >= share->guaranteed)
        share->shared_used++;
    (*used)++;
}

void share_give(struct share *share, uint32_t *used)
{
    if (*used > share->guaranteed)
        share->shared_used--;
    (*used)--;
}
