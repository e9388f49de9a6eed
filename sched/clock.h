/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The time an engine is given. No engine reads a clock by itself: it asks this one, which is the
 * machine's in the daemon and virtual in the simulator.
 *
 * Ownership: the creator of the engine owns it, and keeps it until the engine is gone.
 * Threads: the functions are called on the engine's thread.
 */
#ifndef SCHED_CLOCK_H
#define SCHED_CLOCK_H

#include <stdint.h>

#define NSEC_PER_USEC 1000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_SEC  1000000000ull

struct clock {
    /* Nanoseconds since an arbitrary start; never goes back. Refreshed at every receive burst. */
    uint64_t (*now)(void *arg);
    /* Tells a modelled clock that work worth `cost_ns` was done; NULL on a real one. */
    void (*charge)(void *arg, uint32_t cost_ns);
    void *arg;
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

/* The machine's CLOCK_MONOTONIC. */
extern const struct clock clock_machine;

#endif
