/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A token bucket on given time: what was sent over any span t is at most depth + rate * t, and, by
 * a sender that always has something, in the long run exactly rate * t.
 *
 * Tokens are counted in billionths of a byte, so that a nanosecond at a byte per second is one, and
 * nothing is ever rounded: no division on the way, no error that adds up.
 *
 * Plain data. Threads: one.
 */
#ifndef ENGINES_SHAPER_TOKEN_BUCKET_H
#define ENGINES_SHAPER_TOKEN_BUCKET_H

#include <stdint.h>

#define BUCKET_BYTE      1000000000ll   /* tokens of one byte */
#define BUCKET_DEPTH_MAX (1ull << 30)   /* bytes: 2^60 tokens, so that sums fit 63 bits */
#define BUCKET_RATE_MAX  50000000000ull /* bytes per second: 400 Gbit/s */

struct token_bucket {
    uint64_t rate;       /* bytes per second; 0: no bound */
    int64_t depth;       /* tokens */
    int64_t level;       /* tokens at `updated_ns` */
    uint64_t updated_ns; /* or later than now, which then counts as that */
};

/* Full. `depth` is in bytes, at most BUCKET_DEPTH_MAX, `rate` at most BUCKET_RATE_MAX. */
static inline void token_bucket_init(struct token_bucket *bucket, uint64_t rate, uint64_t depth,
                                     uint64_t now)
{
    bucket->rate = rate;
    bucket->depth = (int64_t)depth * BUCKET_BYTE;
    bucket->level = bucket->depth;
    bucket->updated_ns = now;
}

static inline void token_bucket_refill(struct token_bucket *bucket, uint64_t now)
{
    uint64_t missing = (uint64_t)(bucket->depth - bucket->level);
    uint64_t elapsed = now - bucket->updated_ns;

    if (bucket->rate == 0 || now <= bucket->updated_ns)
        return;
    bucket->updated_ns = now;
    if (elapsed > missing / bucket->rate)
        bucket->level = bucket->depth;
    else
        bucket->level += (int64_t)(elapsed * bucket->rate);
}

/* Another rate and depth from now on; what has been saved up stays, as far as it fits. */
static inline void token_bucket_set(struct token_bucket *bucket, uint64_t rate, uint64_t depth,
                                    uint64_t now)
{
    token_bucket_refill(bucket, now);
    bucket->depth = (int64_t)depth * BUCKET_BYTE;
    if (bucket->rate == 0 || bucket->level > bucket->depth)
        bucket->level = bucket->depth;
    bucket->rate = rate;
    bucket->updated_ns = now;
}

/* Whether so many bytes may leave, as of the last refill. */
static inline int token_bucket_has(const struct token_bucket *bucket, uint32_t bytes)
{
    return bucket->rate == 0 || bucket->level >= bytes * BUCKET_BYTE;
}

static inline void token_bucket_take(struct token_bucket *bucket, uint32_t bytes)
{
    if (bucket->rate != 0)
        bucket->level -= bytes * BUCKET_BYTE;
}

/* When so many bytes, not more than the depth, may leave, as of the last refill. */
static inline uint64_t token_bucket_when(const struct token_bucket *bucket, uint32_t bytes)
{
    int64_t missing = bytes * BUCKET_BYTE - bucket->level;

    if (bucket->rate == 0 || missing <= 0)
        return bucket->updated_ns;
    return bucket->updated_ns + ((uint64_t)missing + bucket->rate - 1) / bucket->rate;
}

#endif
