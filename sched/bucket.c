/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/bucket.h"

/* What flows in within so much time, which is seconds at most. */
static int64_t inflow(const struct bucket *bucket, uint64_t ns)
{
    uint64_t bounded = ns < NSEC_PER_SEC ? ns : NSEC_PER_SEC;

    return (int64_t)(bounded * bucket->share / BUCKET_WHOLE);
}

/* The same since the last look; what is less than a nanosecond is for the next one. */
static int64_t flow_in(struct bucket *bucket, uint64_t now)
{
    uint64_t ns = now - bucket->at;
    uint64_t parts = (ns < NSEC_PER_SEC ? ns : NSEC_PER_SEC) * bucket->share + bucket->parts;

    bucket->parts = parts % BUCKET_WHOLE;
    bucket->at = now;
    return (int64_t)(parts / BUCKET_WHOLE);
}

void bucket_init(struct bucket *bucket, uint32_t share, uint64_t now, uint64_t used)
{
    *bucket = (struct bucket){.share = share, .at = now, .used = used};
    bucket->left = inflow(bucket, BUCKET_DEPTH_NS);
}

void bucket_reshare(struct bucket *bucket, uint32_t share, uint64_t now, uint64_t used)
{
    if (share == 0 || bucket->share == 0)
        bucket_init(bucket, share, now, used);
    else
        bucket->share = share;
}

bool bucket_look(struct bucket *bucket, uint64_t now, uint64_t used)
{
    int64_t depth = inflow(bucket, BUCKET_DEPTH_NS);

    if (bucket->share == 0 || now < bucket->at + BUCKET_STEP_NS)
        return bucket->dry;
    bucket->left += flow_in(bucket, now);
    bucket->left = (bucket->left < depth ? bucket->left : depth) - (int64_t)(used - bucket->used);
    if (bucket->left < -BUCKET_DEBT * depth)
        bucket->left = -BUCKET_DEBT * depth;
    bucket->used = used;
    bucket->dry = bucket->left <= (bucket->dry ? inflow(bucket, BUCKET_RESUME_NS) - 1 : 0);
    return bucket->dry;
}

uint64_t bucket_due(const struct bucket *bucket)
{
    int64_t missing = inflow(bucket, BUCKET_RESUME_NS) - bucket->left;

    if (!bucket->dry || missing <= 0)
        return bucket->at + BUCKET_STEP_NS;
    return bucket->at + (uint64_t)missing * BUCKET_WHOLE / bucket->share + BUCKET_STEP_NS;
}
