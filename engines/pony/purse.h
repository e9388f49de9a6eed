/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What all sessions of one user are charged together, on whatever engines they are, and the bound
 * on it. Each session has an account of its own in it, so that every word has a single writer;
 * engines read the sum.
 *
 * Ownership: control makes it with a user's first session and frees it after the last one's end;
 * sessions borrow it. Threads: an account is its session's engine's; all else is for any.
 */
#ifndef ENGINES_PONY_PURSE_H
#define ENGINES_PONY_PURSE_H

#include "sched/bucket.h"
#include "sched/meter.h"

/* Sessions of one user that have an account of their own; as many as control has arenas for. */
#define PURSE_ACCOUNTS 1024u

struct purse {
    _Atomic uint32_t share; /* of an engine's time, in parts of BUCKET_WHOLE; 0: no bound */
    _Atomic uint32_t count; /* accounts that were ever used: the first of them */
    _Atomic uint64_t sum;   /* of all accounts, */
    _Atomic uint64_t at;    /* ns: when it was made; 0: never */
    struct account accounts[PURSE_ACCOUNTS];
};

static inline uint64_t purse_ns(const struct purse *purse)
{
    uint32_t count = atomic_load_explicit(&purse->count, memory_order_relaxed);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += account_ns(&purse->accounts[i]);
    return sum;
}

/* The same as of a moment ago: sessions are many, and buckets do not count more often. Engines make
 * it at the same time, without order: so what one sees may be less than what it saw before. */
static inline uint64_t purse_lately(struct purse *purse, uint64_t now)
{
    uint64_t at = atomic_load_explicit(&purse->at, memory_order_relaxed);

    if (at > 0 && now >= at && now - at < BUCKET_STEP_NS)
        return atomic_load_explicit(&purse->sum, memory_order_relaxed);
    uint64_t sum = purse_ns(purse);
    atomic_store_explicit(&purse->sum, sum, memory_order_relaxed);
    atomic_store_explicit(&purse->at, now, memory_order_relaxed);
    return sum;
}

#endif
