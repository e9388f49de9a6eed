/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A token bucket on an account: a bound on the share of time that may be charged to it. It fills
 * with time at the rate of the share, up to a depth, and what is charged is taken out. It may go
 * below zero, since work is charged when it is done; then its owner waits until it is above again.
 *
 * Several buckets may look at one sum, each from a thread of its own, and all come to the same end:
 * nothing but the sum is shared.
 *
 * Ownership: embedded. Threads: one.
 */
#ifndef SCHED_BUCKET_H
#define SCHED_BUCKET_H

#include "sched/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_WHOLE 1000000u /* parts of a share: all of the time */
/* How long a bucket that was full lasts beyond its share, in time at its rate: so much of a burst
 * goes at once. Who has run dry goes on with a tenth of it, so as not to stop at every step. */
#define BUCKET_DEPTH_NS  (10 * NSEC_PER_MSEC)
#define BUCKET_RESUME_NS NSEC_PER_MSEC
/* Between two looks that count. */
#define BUCKET_STEP_NS (10 * NSEC_PER_USEC)
/* Depths that it may be below zero: others may cause work that is charged to whoever is dry, and
 * their doing is not to stop it for longer than half a second. */
#define BUCKET_DEBT 50

struct bucket {
    uint32_t share; /* parts of BUCKET_WHOLE; 0: no bound */
    bool dry;
    uint64_t at, used; /* ns, and of the account: of the last look */
    int64_t left;      /* ns */
    uint64_t parts;    /* of a nanosecond, flown in and not yet counted; of BUCKET_WHOLE */
};

/* Full, for an account that stands at `used` now. */
void bucket_init(struct bucket *bucket, uint32_t share, uint64_t now, uint64_t used);
/* The share is another one from now on. What is left, or owed, stays; with a first share it is
 * full. */
void bucket_reshare(struct bucket *bucket, uint32_t share, uint64_t now, uint64_t used);
/* Looks at the account again: true if nothing may be charged to it at present. */
bool bucket_look(struct bucket *bucket, uint64_t now, uint64_t used);
/* When a dry one will let its owner go on, if nothing more is charged. */
uint64_t bucket_due(const struct bucket *bucket);

#endif
