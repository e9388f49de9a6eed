/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The time an engine is given. No engine reads a clock by itself: it asks this one, which is the
 * machine's in the daemon and virtual in the simulator.
 *
 * Besides the time there is a counter of ticks for what is measured often, as in accounting: the
 * processor's cycle counter where that runs at one rate whatever the processor does, else the time
 * itself. Ticks of one clock may be subtracted, and clock_span turns a difference into time.
 *
 * Ownership: the creator of the engine owns it, and keeps it until the engine is gone.
 * Threads: the functions are called on the engine's thread; clock_calibrate before there are any.
 */
#ifndef SCHED_CLOCK_H
#define SCHED_CLOCK_H

#include <stdint.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define NSEC_PER_USEC 1000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_SEC  1000000000ull

/* Parts of a nanosecond that a tick's length is known in: a span of up to 18 minutes fits in 64
 * bits, and the error is below one part in a million. */
#define CLOCK_PART_BITS 24u

struct clock {
    /* Nanoseconds since an arbitrary start; never goes back. Refreshed at every receive burst. */
    uint64_t (*now)(void *arg);
    /* Tells a modelled clock that work worth `cost_ns` was done; NULL on a real one. */
    void (*charge)(void *arg, uint32_t cost_ns);
    void *arg;
    /* The length of a tick of the cycle counter, in parts of a nanosecond; 0: ticks are `now`. */
    uint64_t tick_parts;
};

static inline uint64_t clock_now(const struct clock *clock)
{
    return clock->now(clock->arg);
}

static inline void clock_charge(const struct clock *clock, uint32_t cost_ns)
{
    if (clock->charge)
        clock->charge(clock->arg, cost_ns);
}

static inline uint64_t clock_ticks(const struct clock *clock)
{
#if defined(__x86_64__)
    if (clock->tick_parts)
        return __rdtsc();
#endif
    return clock->now(clock->arg);
}

/* Nanoseconds that so many ticks are. What is left over, in parts, is kept in *carry. */
static inline uint64_t clock_span(const struct clock *clock, uint64_t ticks, uint64_t *carry)
{
    if (!clock->tick_parts)
        return ticks;
    uint64_t parts = ticks * clock->tick_parts + *carry;
    *carry = parts & ((1ull << CLOCK_PART_BITS) - 1);
    return parts >> CLOCK_PART_BITS;
}

/* The machine's CLOCK_MONOTONIC. */
extern struct clock clock_machine;

/* Finds out how long a tick of the cycle counter is, which takes some milliseconds, and has
 * clock_machine use it: 0. Or -ENOTSUP: there is none whose rate is constant, and its ticks are the
 * time. Once, before there are engines. */
int clock_calibrate(void);

#endif
