/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Which entries of a table are free: a queue of indices, so that an entry, and with it a handle
 * that named it, is used again as late as possible. And shares: how much of a table one session may
 * take.
 *
 * Ownership: the pool owns its array of indices; the table is the caller's. Threads: one.
 */
#ifndef ENGINES_PONY_POOL_H
#define ENGINES_PONY_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define POOL_NONE UINT32_MAX

struct pool {
    uint32_t *indices; /* a ring of `size` */
    uint32_t size;
    uint32_t first; /* ring position of the next to take */
    uint32_t free;
};

/* All of `size` entries free. 0 or -ENOMEM. */
int pool_init(struct pool *pool, uint32_t size);
void pool_fini(struct pool *pool);
/* An index, or POOL_NONE. */
uint32_t pool_take(struct pool *pool);
void pool_give(struct pool *pool, uint32_t index);
/* Nothing is free: before giving those that are, in loading. */
void pool_clear(struct pool *pool);

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
