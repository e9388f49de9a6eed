/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounting: an engine's time is charged to whoever causes the work, where the work is done
 * (SOSP'19 section 2.5).
 *
 * At any moment of an engine's turn one account is the present one. meter_switch charges it with
 * what has gone by and makes another one the present. A turn begins with nobody's account, which is
 * the engine's overhead: a look at queues, an acknowledgement, a handshake. What is nobody's in a
 * turn that found nothing to do is no overhead but idling, and counted apart.
 *
 * Work for several at once, such as a burst of packets, is charged to the pool (meter_pool). It is
 * made of items: meter_part notes who has a part in the one at hand, meter_item says that it is
 * complete and how much it weighs, and meter_settle hands the pool out in proportion.
 *
 * Ownership: a meter is a part of its engine, an account of whatever it stands for. An account that
 * goes away must not be the present one or have a share: so it goes in mailbox work, which is
 * nobody's, or while the engine does not run.
 * Threads: the engine's; account_ns may be called on any. Example:
 *
 *     struct account *before = meter_switch(meter, &session->account);
 *     ... what the session asked for ...
 *     meter_switch(meter, before);
 */
#ifndef SCHED_METER_H
#define SCHED_METER_H

#include "sched/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Accounts that share one pool. Those beyond it leave their part to nobody: a burst is 16 packets,
 * and rarely for more. */
#define METER_SHARES 32u

struct account {
    _Atomic uint64_t ns;
    struct account *sum; /* is charged the same; NULL: none */
};

struct meter {
    const struct clock *clock;
    struct account *present; /* NULL: between turns */
    uint64_t since;          /* ticks: what went before has been charged */
    uint64_t carry;          /* parts of a nanosecond not charged yet */
    struct account nobody;   /* of this turn */
    struct account pool;
    uint32_t share_count;
    uint64_t share_total; /* of all items since the last settlement */
    uint64_t part_total;  /* of the item at hand */
    struct meter_share {
        struct account *account;
        uint64_t part, weight; /* of the item at hand; of complete ones */
    } shares[METER_SHARES];
    /* For others to read. */
    struct account overhead, idle; /* nobody's, of turns with and without work */
    struct account owned;          /* the sum of accounts that belong to somebody */
};

static inline void account_charge(struct account *account, uint64_t ns)
{
    for (; account; account = account->sum) {
        uint64_t value = atomic_load_explicit(&account->ns, memory_order_relaxed);
        atomic_store_explicit(&account->ns, value + ns, memory_order_relaxed);
    }
}

/* What has been charged so far. Any thread. */
static inline uint64_t account_ns(const struct account *account)
{
    return atomic_load_explicit(&account->ns, memory_order_relaxed);
}

void meter_init(struct meter *meter, const struct clock *clock);

/* Charges the present account with the time since the last switch. Without a meter, or between
 * turns, nothing happens. */
static inline void meter_charge(struct meter *meter)
{
    if (!meter || !meter->present)
        return;
    uint64_t now = clock_ticks(meter->clock);
    /* A thread that moved to another CPU may find the counter a little behind. */
    if ((int64_t)(now - meter->since) > 0)
        account_charge(meter->present, clock_span(meter->clock, now - meter->since, &meter->carry));
    meter->since = now;
}

/* What is charged from now on; returns the account before. Without a meter, or between turns,
 * nothing happens. */
static inline struct account *meter_switch(struct meter *meter, struct account *account)
{
    if (!meter || meter->present == account || !meter->present)
        return account;
    struct account *before = meter->present;
    meter_charge(meter);
    meter->present = account;
    return before;
}

/* The same, and what has gone by since the last switch is this account's already: for a look that
 * turns out to have been worth it. */
static inline void meter_claim(struct meter *meter, struct account *account)
{
    if (meter && meter->present)
        meter->present = account;
}

static inline struct account *meter_nobody(struct meter *meter)
{
    return meter ? &meter->nobody : NULL;
}

static inline struct account *meter_pool(struct meter *meter)
{
    return meter ? &meter->pool : NULL;
}

/* A turn begins, on nobody's account. */
void meter_begin(struct meter *meter);
/* It ends; `worked`: it found something to do. */
void meter_end(struct meter *meter, bool worked);

/* So much of the item at hand is for this account; nobody's may be noted too. */
void meter_part(struct meter *meter, struct account *account, uint32_t part);
/* The item at hand is complete. Without parts it was nobody's. */
void meter_item(struct meter *meter, uint32_t weight);
/* Hands out what was charged to the pool. Items that are not complete are forgotten. */
void meter_settle(struct meter *meter);

#endif
