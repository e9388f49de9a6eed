/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/histogram.h"

uint64_t histogram_bucket_end(uint32_t bucket)
{
    if (bucket < HISTOGRAM_PARTS)
        return bucket + 1;
    uint32_t shift = (bucket >> HISTOGRAM_PART_BITS) - 1;
    uint64_t part = (bucket & (HISTOGRAM_PARTS - 1)) + HISTOGRAM_PARTS;
    return (part + 1) << shift;
}

void histogram_read(const struct histogram *histogram, struct histogram_view *view)
{
    view->count = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        view->counts[i] = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        view->count += view->counts[i];
    }
    view->sum_ns = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
    view->max_ns = atomic_load_explicit(&histogram->max_ns, memory_order_relaxed);
}

void histogram_merge(struct histogram_view *view, const struct histogram_view *other)
{
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        view->counts[i] += other->counts[i];
    view->count += other->count;
    view->sum_ns += other->sum_ns;
    if (other->max_ns > view->max_ns)
        view->max_ns = other->max_ns;
}

uint64_t histogram_quantile(const struct histogram_view *view, double share)
{
    /* The rank is at least 1, and the share of all of them is the last. */
    double exact = share * (double)view->count;
    uint64_t rank = exact > 0 ? (uint64_t)exact : 0;
    if ((double)rank < exact || rank == 0)
        rank++;
    if (rank > view->count)
        rank = view->count;
    uint64_t seen = 0;
    for (uint32_t i = 0; rank > 0 && i < HISTOGRAM_BUCKETS; i++) {
        seen += view->counts[i];
        if (seen < rank)
            continue;
        uint64_t end = histogram_bucket_end(i);
        return i == HISTOGRAM_BUCKETS - 1 || end > view->max_ns ? view->max_ns : end;
    }
    return 0;
}

uint64_t histogram_at_most(const struct histogram_view *view, uint64_t ns)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && histogram_bucket_end(i) <= ns; i++)
        seen += view->counts[i];
    return seen;
}
