/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram of times, log-linear: each doubling is cut into equal parts, so that what is read off
 * it is at most an eighth too high, from nanoseconds to minutes, in a memory of fixed size.
 *
 *     histogram_record(&engine->delays, waited);             the engine's thread
 *
 *     histogram_read(&engine->delays, &view);                any other
 *     p99 = histogram_quantile(&view, 0.99);
 *
 * Ownership: embedded in what it measures; zeroed memory is an empty one. Threads: one writer;
 * any number of readers, who copy it while it is being written to: a copy is a little of now and a
 * little of before, and adds up in itself.
 */
#ifndef SCHED_HISTOGRAM_H
#define SCHED_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_PART_BITS 3u /* 8 parts to a doubling */
#define HISTOGRAM_PARTS     (1u << HISTOGRAM_PART_BITS)
#define HISTOGRAM_TOP_BITS  37u /* 137 s: what is longer counts as that */
#define HISTOGRAM_BUCKETS   ((HISTOGRAM_TOP_BITS - HISTOGRAM_PART_BITS + 1) * HISTOGRAM_PARTS)

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum_ns;
    _Atomic uint64_t max_ns;
};

/* A copy, or several added up. */
struct histogram_view {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count, sum_ns, max_ns;
};

/* The bucket of a time. Each reaches from beyond the end of the one before to its own end, which
 * belongs to it: so every power of two from HISTOGRAM_PARTS on is an end. */
static inline uint32_t histogram_bucket(uint64_t ns)
{
    uint64_t at = ns > 0 ? ns - 1 : 0;
    if (at >= 1ull << HISTOGRAM_TOP_BITS)
        at = (1ull << HISTOGRAM_TOP_BITS) - 1;
    if (at < HISTOGRAM_PARTS)
        return (uint32_t)at;
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(at) - HISTOGRAM_PART_BITS;
    return (shift << HISTOGRAM_PART_BITS) + (uint32_t)(at >> shift);
}

/* The writer's thread alone. */
static inline void histogram_record(struct histogram *histogram, uint64_t ns)
{
    _Atomic uint64_t *count = &histogram->counts[histogram_bucket(ns)];
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    uint64_t sum = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
    atomic_store_explicit(&histogram->sum_ns, sum + ns, memory_order_relaxed);
    if (ns > atomic_load_explicit(&histogram->max_ns, memory_order_relaxed))
        atomic_store_explicit(&histogram->max_ns, ns, memory_order_relaxed);
}

/* The longest time that a bucket takes. */
uint64_t histogram_bucket_end(uint32_t bucket);
/* Copies it. Any thread. */
void histogram_read(const struct histogram *histogram, struct histogram_view *view);
/* Adds what another view has. */
void histogram_merge(struct histogram_view *view, const struct histogram_view *other);
/* The time that a share of 0 to 1 of all did not exceed, at most an eighth too high and never
 * beyond the highest recorded; 0 if nothing was. */
uint64_t histogram_quantile(const struct histogram_view *view, double share);
/* How many were at most so long; exact for a power of two from HISTOGRAM_PARTS on. */
uint64_t histogram_at_most(const struct histogram_view *view, uint64_t ns);

#endif
