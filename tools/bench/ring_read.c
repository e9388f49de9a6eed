/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* One-sided reads of a region, a window of them at a time. */
#include "tools/bench/bench.h"
#include "tools/bench/ramp.h"
#include "tools/bench/ring_meter.h"
#include "tools/bench/ring_pair.h"

#include <errno.h>
#include <stdlib.h>

#define REGION_BYTES (1u << 20) /* stays in the cache */
#define EVENTS       32
#define NS_PER_MS    1000000ull

struct reads {
    struct ring_shared *shared;
    struct pair pair;
    saddle_key key;
    uint8_t *region, *buffers;
    uint32_t *places; /* of the region, that each buffer is for */
    uint32_t *free_buffers, free_count;
    uint64_t begun, done, moved_ns;
};

static int fill_region(struct reads *r)
{
    uint32_t bytes = r->shared->what.bytes;
    r->region = saddle_alloc(r->pair.ends[PAIR_RIGHT].session, REGION_BYTES);
    if (!r->region)
        return ring_error(r->shared, -ENOMEM, "the session has no room for a region");
    for (uint32_t place = 0; place < REGION_BYTES / bytes; place++)
        ramp_fill(r->region + (size_t)place * bytes, bytes, ramp_stamp(place, 0));
    int rc = saddle_expose_wait(r->pair.ends[PAIR_RIGHT].channel, r->region, REGION_BYTES,
                                SADDLE_READABLE, (int)RING_PATIENCE_MS, &r->key);
    return rc ? pair_error(&r->pair, PAIR_RIGHT, r->shared, rc, "exposing a region") : 0;
}

static int prepare(struct reads *r)
{
    const struct ring_case *what = &r->shared->what;
    size_t bytes = (size_t)what->window * what->bytes;
    int rc = pair_open(&r->pair, r->shared, 0, REGION_BYTES + bytes);
    if (rc)
        return rc;
    r->buffers = saddle_alloc(r->pair.ends[PAIR_LEFT].session, bytes);
    r->places = calloc(what->window, sizeof(*r->places));
    r->free_buffers = calloc(what->window, sizeof(*r->free_buffers));
    if (!r->buffers || !r->places || !r->free_buffers)
        return ring_error(r->shared, -ENOMEM, "no memory for %u reads", what->window);
    for (uint32_t i = 0; i < what->window; i++)
        r->free_buffers[r->free_count++] = i;
    return fill_region(r);
}

static int begin(struct reads *r)
{
    uint32_t bytes = r->shared->what.bytes;
    while (r->free_count > 0) {
        uint32_t buffer = r->free_buffers[r->free_count - 1];
        uint32_t place = (uint32_t)(r->begun % (REGION_BYTES / bytes));
        const struct saddle_op op = {.size = sizeof(op), .tag = buffer};
        int rc =
            saddle_read(r->pair.ends[PAIR_LEFT].channel, r->pair.handles[PAIR_LEFT][0], r->key,
                        (uint64_t)place * bytes, r->buffers + (size_t)buffer * bytes, bytes, &op);
        if (rc == -EAGAIN)
            return 0;
        if (rc)
            return pair_error(&r->pair, PAIR_LEFT, r->shared, rc, "reading");
        r->places[buffer] = place;
        r->free_count--;
        r->begun++;
    }
    return 0;
}

static int end_one(struct reads *r, const struct saddle_completion *event)
{
    uint32_t bytes = r->shared->what.bytes, buffer = (uint32_t)event->tag;
    if (event->kind != SADDLE_DONE || event->status)
        return pair_error(&r->pair, PAIR_LEFT, r->shared,
                          event->status ? event->status : -ECONNRESET, "reading");
    if (!ramp_check(r->buffers + (size_t)buffer * bytes, bytes, ramp_stamp(r->places[buffer], 0)))
        return ring_error(r->shared, -EBADMSG, "a read of place %u got wrong bytes",
                          r->places[buffer]);
    r->free_buffers[r->free_count++] = buffer;
    r->done++;
    return 0;
}

static int end_some(struct reads *r, uint64_t now)
{
    struct saddle_completion events[EVENTS];
    int rc = 0, taken = saddle_poll(r->pair.ends[PAIR_LEFT].channel, events, EVENTS);
    if (taken < 0)
        return pair_error(&r->pair, PAIR_LEFT, r->shared, taken, "reading");
    for (int i = 0; i < taken && !rc; i++)
        rc = end_one(r, &events[i]);
    if (taken > 0)
        r->moved_ns = now;
    else if (now > r->moved_ns + RING_PATIENCE_MS * NS_PER_MS)
        return ring_error(r->shared, -ETIMEDOUT, "reads stand still after %llu",
                          (unsigned long long)r->done);
    return rc;
}

static int go_on(struct reads *r, uint64_t until_ns)
{
    uint64_t now = bench_now(), least = r->done + RING_LEAST;
    int rc = 0;
    r->moved_ns = now;
    while (!rc && (now < until_ns || r->done < least)) {
        rc = begin(r);
        if (!rc)
            rc = end_some(r, now);
        now = bench_now();
    }
    return rc;
}

static int measure(struct reads *r)
{
    struct ring_meter meter;
    int rc = go_on(r, bench_now() + ring_warm_up_ns(r->shared));
    if (rc)
        return rc;
    meter_start(&meter, r->shared, r->done);
    rc = go_on(r, bench_now() + ring_length_ns(r->shared));
    meter_stop(&meter, r->shared, r->done);
    while (!rc && r->done < r->begun)
        rc = end_some(r, bench_now());
    r->shared->result.checked = r->done;
    return rc;
}

int ring_reads(struct ring_shared *shared)
{
    struct reads *r = calloc(1, sizeof(*r));
    if (!r)
        return ring_error(shared, -ENOMEM, "no memory");
    r->shared = shared;
    int rc = prepare(r);
    if (!rc)
        rc = measure(r);
    pair_close(&r->pair);
    free(r->places);
    free(r->free_buffers);
    free(r);
    return rc;
}
