/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_work.h"

#include "tools/bench/bench.h"
#include "tools/bench/ring_flow.h"
#include "tools/bench/ring_meter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NSEC          1000000000ull
#define NS_PER_MS     1000000ull
#define WARM_UP_SHARE 5u /* of the length: flows find their rate, pages come */

int ring_error(struct ring_shared *shared, int rc, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(shared->reason, sizeof(shared->reason), format, arguments);
    va_end(arguments);
    return rc;
}

int ring_missing(struct ring_shared *shared, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(shared->reason, sizeof(shared->reason), format, arguments);
    va_end(arguments);
    shared->missing = true;
    return -ENOENT;
}

uint64_t ring_length_ns(const struct ring_shared *shared)
{
    return (uint64_t)(shared->seconds * (double)NSEC);
}

uint64_t ring_warm_up_ns(const struct ring_shared *shared)
{
    return ring_length_ns(shared) / WARM_UP_SHARE;
}

static void note_trips(struct ring_shared *shared, uint32_t samples, uint64_t checked)
{
    struct quantiles quantiles = quantiles_of(shared->samples_ns, samples);
    shared->result.values[RING_P50] = quantiles.p50;
    shared->result.values[RING_P99] = quantiles.p99;
    shared->result.checked = checked;
}

int ring_measure_trips(struct ring_shared *shared, int (*trip)(void *context, uint64_t number),
                       void *context)
{
    uint64_t now = bench_now(), counts = now + ring_warm_up_ns(shared);
    uint64_t end = counts + ring_length_ns(shared), number = 0;
    uint32_t samples = 0;
    int rc = 0;
    while (!rc && (now < end || samples < RING_LEAST) && samples < RING_SAMPLES) {
        uint64_t before = now;
        rc = trip(context, number++);
        now = bench_now();
        if (before >= counts)
            shared->samples_ns[samples++] = now - before;
    }
    if (!rc)
        note_trips(shared, samples, number);
    return rc;
}

/* ---- Messages of all sessions ---- */

struct flows {
    struct ring_shared *shared;
    struct flow *flows;
    uint32_t count;
    uint64_t moved_ns; /* when something happened */
};

/* Once round all of them. */
static int turn(struct flows *all, bool sending, uint64_t now)
{
    uint32_t count = 0;
    int rc = 0;
    for (uint32_t i = 0; i < all->count && !rc; i++) {
        if (sending)
            rc = flow_send(&all->flows[i]);
        if (!rc)
            rc = flow_take(&all->flows[i], &count);
    }
    if (rc)
        return rc;
    if (count > 0) {
        all->moved_ns = now;
        return 0;
    }
    if (now > all->moved_ns + RING_PATIENCE_MS * NS_PER_MS)
        return ring_error(all->shared, -ETIMEDOUT, "messages stand still");
    if (!all->shared->what.waits)
        return 0;
    /* Who waits is one pair. */
    rc = pair_sleep(&all->flows[0].pair);
    return rc ? pair_error(&all->flows[0].pair, PAIR_LEFT, all->shared, rc, "waiting") : 0;
}

static uint64_t received(const struct flows *all)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < all->count; i++)
        sum += all->flows[i].received;
    return sum;
}

static int go_on(struct flows *all, uint64_t until_ns)
{
    uint64_t now = bench_now(), least = received(all) + RING_LEAST;
    int rc = 0;
    all->moved_ns = now;
    while (!rc && (now < until_ns || received(all) < least)) {
        rc = turn(all, true, now);
        now = bench_now();
    }
    return rc;
}

/* Until what was sent has arrived, and its sender knows. */
static int drain(struct flows *all)
{
    int rc = 0;
    for (uint32_t i = 0; i < all->count && !rc; i++)
        while (!rc && !flow_is_over(&all->flows[i]))
            rc = turn(all, false, bench_now());
    return rc;
}

static int measure(struct flows *all)
{
    struct ring_meter meter;
    int rc = go_on(all, bench_now() + ring_warm_up_ns(all->shared));
    if (rc)
        return rc;
    meter_start(&meter, all->shared, received(all));
    rc = go_on(all, bench_now() + ring_length_ns(all->shared));
    meter_stop(&meter, all->shared, received(all));
    if (!rc)
        rc = drain(all);
    all->shared->result.checked = received(all);
    return rc;
}

int ring_messages(struct ring_shared *shared)
{
    struct flows all = {.shared = shared, .count = shared->what.sessions};
    int rc = 0;
    all.flows = calloc(all.count, sizeof(*all.flows));
    if (!all.flows)
        return ring_error(shared, -ENOMEM, "no memory for %u sessions", all.count);
    for (uint32_t i = 0; i < all.count && !rc; i++)
        rc = flow_open(&all.flows[i], shared, i);
    if (!rc)
        rc = measure(&all);
    for (uint32_t i = 0; i < all.count; i++)
        flow_close(&all.flows[i]);
    free(all.flows);
    return rc;
}

void ring_work_saddle(void *arg, int word_fd)
{
    static int (*const works[RING_WORKS])(struct ring_shared * shared) = {
        [RING_TRIPS] = ring_trips,       [RING_MESSAGES] = ring_messages,
        [RING_READS] = ring_remote,      [RING_INDIRECT] = ring_remote,
        [RING_BATCHES] = ring_remote,    [RING_SCANS] = ring_remote,
        [RING_WRITES] = ring_remote,     [RING_SWAPS] = ring_remote,
        [RING_ADDS] = ring_remote,       [RING_CALLS] = ring_calls,
        [RING_CALL] = ring_call,         [RING_REST] = ring_rest,
        [RING_REST_ALL] = ring_rest_all,
    };
    struct ring_shared *shared = arg;
    bench_pin(shared->cpu);
    if (works[shared->what.work](shared) || write(word_fd, "", 1) != 1)
        _exit(EXIT_FAILURE);
}
