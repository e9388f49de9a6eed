/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t machine_now(void *arg)
{
    (void)arg;
    struct timespec time;
    /* Cannot fail: the clock exists on every Linux and the address is valid. */
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

const struct clock clock_machine = {.now = machine_now, .charge = NULL, .arg = NULL};
