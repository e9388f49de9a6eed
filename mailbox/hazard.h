/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A hazard pointer: something that one thread gives to another, and takes away again without either
 * waiting for a lock.
 *
 * The owner publishes it. The user takes hold of it for the length of one call, and says so. Who
 * withdraws it empties the one word and waits until the other does not name it any more; from then
 * on it is the owner's alone. Each side writes its word before it reads the other's, with
 * sequential consistency, so that one of the two sees the other (M. Michael, Hazard Pointers, IEEE
 * TPDS 2004).
 *
 * Ownership: the owner's. Threads: hazard_hold and hazard_let_go are the user's, one thread at a
 * time; all others are the owner's. The user never waits.
 */
#ifndef MAILBOX_HAZARD_H
#define MAILBOX_HAZARD_H

#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

/* All zeroes: nothing is published. */
struct hazard {
    _Atomic(void *) published;
    _Atomic(void *) held;
};

/* User: what is published, which stays until it is let go; NULL: nothing is. */
static inline void *hazard_hold(struct hazard *hazard)
{
    void *thing = atomic_load_explicit(&hazard->published, memory_order_acquire);

    if (!thing)
        return NULL;
    atomic_store_explicit(&hazard->held, thing, memory_order_seq_cst);
    if (atomic_load_explicit(&hazard->published, memory_order_seq_cst) == thing)
        return thing;
    atomic_store_explicit(&hazard->held, NULL, memory_order_release);
    return NULL;
}

static inline void hazard_let_go(struct hazard *hazard)
{
    atomic_store_explicit(&hazard->held, NULL, memory_order_release);
}

/* Owner: only where nothing is published. */
static inline void hazard_publish(struct hazard *hazard, void *thing)
{
    atomic_store_explicit(&hazard->published, thing, memory_order_seq_cst);
}

/* Owner: what was published, which nobody uses any more when this returns: no later than the user's
 * call at hand ends. */
static inline void *hazard_withdraw(struct hazard *hazard)
{
    void *thing = atomic_exchange_explicit(&hazard->published, NULL, memory_order_seq_cst);

    while (thing && atomic_load_explicit(&hazard->held, memory_order_seq_cst) == thing)
        sched_yield();
    return thing;
}

#endif
