/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* How long the two clocks are compared: a reading that is off by 100 ns is 5 parts in a million. */
#define CALIBRATE_NS  (20 * NSEC_PER_MSEC)
#define CALIBRATE_TRY 8u          /* readings, of which the one that took least counts */
#define CPUID_POWER   0x80000007u /* "advanced power management information" */
#define CPUID_STEADY  (1u << 8)   /* of its EDX: the cycle counter is invariant */

static uint64_t machine_now(void *arg)
{
    (void)arg;
    struct timespec time;
    /* Cannot fail: the clock exists on every Linux and the address is valid. */
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

struct clock clock_machine = {.now = machine_now, .charge = NULL, .arg = NULL};

#if defined(__x86_64__)
static bool steady(void)
{
    unsigned int a, b, c, d;

    return __get_cpuid(CPUID_POWER, &a, &b, &c, &d) && d & CPUID_STEADY;
}

/* Both clocks at one moment, as nearly as can be had. */
static void read_both(uint64_t *ticks, uint64_t *ns)
{
    uint64_t least = UINT64_MAX;

    *ticks = *ns = 0;
    for (uint32_t i = 0; i < CALIBRATE_TRY; i++) {
        uint64_t before = __rdtsc(), now = machine_now(NULL), after = __rdtsc();
        if (after - before >= least)
            continue;
        least = after - before;
        *ticks = before + least / 2;
        *ns = now;
    }
}

int clock_calibrate(void)
{
    const struct timespec wait = {.tv_nsec = CALIBRATE_NS};
    uint64_t first_ticks, first_ns, last_ticks, last_ns;

    if (!steady())
        return -ENOTSUP;
    read_both(&first_ticks, &first_ns);
    nanosleep(&wait, NULL);
    read_both(&last_ticks, &last_ns);
    /* Woken early by a signal: too short to tell. */
    if (last_ticks <= first_ticks || last_ns - first_ns < CALIBRATE_NS / 2)
        return -ENOTSUP;
    clock_machine.tick_parts =
        ((last_ns - first_ns) << CLOCK_PART_BITS) / (last_ticks - first_ticks);
    return 0;
}
#else
int clock_calibrate(void)
{
    return -ENOTSUP;
}
#endif
