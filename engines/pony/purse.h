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

#include "sched/meter.h"

/* Sessions of one user that have an account of their own; as many as control has arenas for. */
#define PURSE_ACCOUNTS 1024u

struct purse {
    _Atomic uint32_t share; /* of an engine's time, in parts of BUCKET_WHOLE */
    _Atomic uint32_t count; /* accounts that were ever used: the first of them */
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

#endif
