/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/pace.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#define NSEC 1000000000ull

int pace_run(const struct pace *pace, const struct pace_time *time,
             int (*probe)(void *arg, uint32_t number), void *arg, struct pace_result *result)
{
    result->late_count = result->missed = result->unsent = 0;
    for (uint32_t i = 0; i < pace->count; i++) {
        uint64_t due = pace->start_ns + i * pace->period_ns;
        uint64_t now = time->now(time->arg);
        if (now < due) {
            time->sleep_until(time->arg, due);
            now = time->now(time->arg);
            result->late_ns[result->late_count++] = now - due;
        } else {
            result->missed++;
        }
        if (now >= pace->end_ns) {
            result->delay_ns[i] = now - due;
            result->unsent++;
            continue;
        }
        int rc = probe(arg, i);
        if (rc)
            return rc;
        result->delay_ns[i] = time->now(time->arg) - due;
    }
    return 0;
}

static uint64_t machine_now(void *arg)
{
    (void)arg;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NSEC + (uint64_t)ts.tv_nsec;
}

static void machine_sleep(void *arg, uint64_t ns)
{
    (void)arg;
    const struct timespec until = {.tv_sec = (time_t)(ns / NSEC), .tv_nsec = (long)(ns % NSEC)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

const struct pace_time pace_machine = {.now = machine_now, .sleep_until = machine_sleep};
