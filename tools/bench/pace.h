/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes at a fixed rate, whatever becomes of them.
 *
 * A probe is due at its time, and what it took counts from then, not from when it was sent: a stall
 * that keeps probes from being sent is seen by each of them. (Counted from sending, a stall of a
 * hundred periods would be one slow probe among quick ones: "coordinated omission".) How late the
 * prober itself was is told apart: how long after the time it slept for it was awake.
 *
 * Ownership: the caller's arrays. Threads: the caller's; it sleeps in between. Time is passed in.
 */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stdint.h>

struct pace {
    uint64_t start_ns;  /* when probe 0 is due */
    uint64_t period_ns; /* from one to the next */
    uint64_t end_ns;    /* what has not been sent by then, never is */
    uint32_t count;
};

struct pace_time {
    uint64_t (*now)(void *arg);
    void (*sleep_until)(void *arg, uint64_t ns);
    void *arg;
};

struct pace_result {
    uint64_t *delay_ns; /* `count` of them: from due to done; of those never sent, to the end */
    uint64_t *late_ns;  /* up to `count`: from due to awake, of those slept for */
    uint32_t late_count;
    uint32_t missed; /* due before the one before was done, and so sent late or never */
    uint32_t unsent;
};

/* Has `probe` called for each number from 0, and return when it is done: 0, or a negative errno,
 * which ends the run and is returned. */
int pace_run(const struct pace *pace, const struct pace_time *time,
             int (*probe)(void *arg, uint32_t number), void *arg, struct pace_result *result);

/* The machine's monotonic clock. */
extern const struct pace_time pace_machine;

#endif
