/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that are opened and closed, a window of them at a time: one thread is both ends.
 *
 *     left:  connect ........ opened, close ............................ closed
 *     right:   incoming, accept ........ accepted ... closed by the left, close ... closed
 *
 * One is over when it is over at both ends.
 */
#include "tools/bench/bench.h"
#include "tools/bench/ring_meter.h"
#include "tools/bench/ring_pair.h"

#include <errno.h>
#include <stdlib.h>

#define EVENTS    32
#define NS_PER_MS 1000000ull
/* What an operation was, by its tag. */
#define TAG_OPEN   1u
#define TAG_ACCEPT 2u
#define TAG_CLOSE  3u

struct calls {
    struct ring_shared *shared;
    struct pair pair; /* with a connection of its own, which stays */
    bool stops;       /* no more are opened */
    uint64_t begun, opened, accepted;
    uint64_t closed[PAIR_ENDS];
    uint64_t moved_ns;
};

/* Those that are over. */
static uint64_t over(const struct calls *c)
{
    return c->closed[PAIR_LEFT] < c->closed[PAIR_RIGHT] ? c->closed[PAIR_LEFT]
                                                        : c->closed[PAIR_RIGHT];
}

static int call_more(struct calls *c)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = TAG_OPEN};
    while (!c->stops && c->begun - over(c) < c->shared->what.window) {
        int rc = pair_call(&c->pair, &op);
        if (rc == -EAGAIN)
            return 0;
        if (rc)
            return pair_error(&c->pair, PAIR_LEFT, c->shared, rc, "connecting");
        c->begun++;
    }
    return 0;
}

static int close_one(struct calls *c, uint32_t end, saddle_handle handle)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = TAG_CLOSE};
    int rc = saddle_close(c->pair.ends[end].channel, handle, &op);
    return rc ? pair_error(&c->pair, end, c->shared, rc, "closing") : 0;
}

static int take_end(struct calls *c, uint32_t end, const struct saddle_completion *event)
{
    switch (event->tag) {
    case TAG_OPEN:
        c->opened++;
        return close_one(c, end, event->handle);
    case TAG_ACCEPT:
        c->accepted++;
        return 0;
    default:
        c->closed[end]++;
        return 0;
    }
}

static int take_event(struct calls *c, uint32_t end, const struct saddle_completion *event)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = TAG_ACCEPT};
    int rc;
    if (event->status)
        return pair_error(&c->pair, end, c->shared, event->status, "opening and closing");
    switch (event->kind) {
    case SADDLE_INCOMING:
        rc = saddle_accept(c->pair.ends[end].channel, event->handle, &op);
        return rc ? pair_error(&c->pair, end, c->shared, rc, "accepting") : 0;
    case SADDLE_CLOSED:
        return close_one(c, end, event->handle);
    case SADDLE_DONE:
        return take_end(c, end, event);
    default:
        return pair_error(&c->pair, end, c->shared, -EPROTO, "opening and closing");
    }
}

static int take_some(struct calls *c)
{
    struct saddle_completion events[EVENTS];
    uint64_t now = bench_now();
    int rc = 0;
    for (uint32_t end = 0; end < PAIR_ENDS && !rc; end++) {
        int taken = saddle_poll(c->pair.ends[end].channel, events, EVENTS);
        if (taken < 0)
            return pair_error(&c->pair, end, c->shared, taken, "opening and closing");
        for (int i = 0; i < taken && !rc; i++)
            rc = take_event(c, end, &events[i]);
        if (taken > 0)
            c->moved_ns = now;
    }
    if (!rc && now > c->moved_ns + RING_PATIENCE_MS * NS_PER_MS)
        return ring_error(c->shared, -ETIMEDOUT, "connections stand still after %llu",
                          (unsigned long long)over(c));
    return rc;
}

static int go_on(struct calls *c, uint64_t until_ns)
{
    uint64_t least = over(c) + RING_LEAST;
    int rc = 0;
    c->moved_ns = bench_now();
    while (!rc && (bench_now() < until_ns || over(c) < least)) {
        rc = call_more(c);
        if (!rc)
            rc = take_some(c);
    }
    return rc;
}

/* All that were begun end, and none is left at either end. */
static int end_all(struct calls *c)
{
    int rc = 0;
    c->stops = true;
    while (!rc && over(c) < c->begun)
        rc = take_some(c);
    if (!rc && (c->opened != c->begun || c->accepted != c->begun))
        rc = ring_error(c->shared, -EBADMSG, "%llu connections: %llu were opened, %llu accepted",
                        (unsigned long long)c->begun, (unsigned long long)c->opened,
                        (unsigned long long)c->accepted);
    c->shared->result.checked = over(c);
    return rc;
}

static int measure_rate(struct calls *c)
{
    struct ring_meter meter;
    int rc = go_on(c, bench_now() + ring_warm_up_ns(c->shared));
    if (rc)
        return rc;
    meter_start(&meter, c->shared, over(c));
    rc = go_on(c, bench_now() + ring_length_ns(c->shared));
    meter_stop(&meter, c->shared, over(c));
    return rc ? rc : end_all(c);
}

static void note_each(struct ring_shared *shared, uint32_t samples)
{
    struct quantiles opening = quantiles_of(shared->samples_ns, samples);
    struct quantiles closing = quantiles_of(shared->samples_ns + RING_SAMPLES / 2, samples);
    shared->result.values[RING_OPEN_P50] = opening.p50;
    shared->result.values[RING_OPEN_P99] = opening.p99;
    shared->result.values[RING_CLOSE_P50] = closing.p50;
    shared->result.values[RING_CLOSE_P99] = closing.p99;
}

/* One at a time: when it is open at the left, and from there until it is closed at both. */
static int measure_each(struct calls *c)
{
    uint64_t *opening = c->shared->samples_ns, *closing = opening + RING_SAMPLES / 2;
    uint64_t counts = bench_now() + ring_warm_up_ns(c->shared);
    uint64_t end = counts + ring_length_ns(c->shared), before = bench_now();
    uint32_t samples = 0;
    int rc = 0;
    while (!rc && (before < end || samples < RING_LEAST) && samples < RING_SAMPLES / 2) {
        uint64_t opened = 0;
        c->moved_ns = before;
        rc = call_more(c);
        while (!rc && over(c) < c->begun) {
            rc = take_some(c);
            if (opened == 0 && c->opened == c->begun)
                opened = bench_now();
        }
        uint64_t now = bench_now();
        if (before >= counts) {
            opening[samples] = opened - before;
            closing[samples++] = now - opened;
        }
        before = now;
    }
    if (rc)
        return rc;
    note_each(c->shared, samples);
    return end_all(c);
}

static int run(struct ring_shared *shared, int (*measure)(struct calls *c))
{
    struct calls c = {.shared = shared};
    int rc = pair_open(&c.pair, shared, 0, 0);
    if (!rc)
        rc = measure(&c);
    pair_close(&c.pair);
    return rc;
}

int ring_calls(struct ring_shared *shared)
{
    return run(shared, measure_rate);
}

int ring_call(struct ring_shared *shared)
{
    return run(shared, measure_each);
}
