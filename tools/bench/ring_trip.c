/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Messages there and back, one at a time, between two applications in this thread. */
#include "tools/bench/bench.h"
#include "tools/bench/ramp.h"
#include "tools/bench/ring_pair.h"

#include <errno.h>
#include <stdlib.h>

#define TAG_SENT  1u
#define TAG_TAKEN 2u
#define LOOKS     (1u << 20) /* polls without an event, after which the clock is asked */
#define NS_PER_MS 1000000ull

struct trips {
    struct ring_shared *shared;
    struct pair pair;
    uint8_t *out[PAIR_ENDS], *in[PAIR_ENDS];
    uint32_t unsent[PAIR_ENDS]; /* messages whose memory is the engine's still */
    uint64_t numbers[PAIR_ENDS];
    uint64_t checked;
};

static int post(struct trips *t, uint32_t end)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = TAG_TAKEN};
    struct pair *pair = &t->pair;
    if (t->shared->what.bytes <= PAIR_EAGER_BYTES)
        return 0;
    int rc = saddle_post_recv(pair->ends[end].channel, pair->handles[end][0], t->in[end],
                              t->shared->what.bytes, &op);
    return rc ? pair_error(pair, end, t->shared, rc, "posting a buffer") : 0;
}

static int prepare(struct trips *t)
{
    uint32_t bytes = t->shared->what.bytes;
    int rc = pair_open(&t->pair, t->shared, 0, 2ull * bytes);
    for (uint32_t end = 0; end < PAIR_ENDS && !rc; end++) {
        t->out[end] = saddle_alloc(t->pair.ends[end].session, bytes);
        t->in[end] = saddle_alloc(t->pair.ends[end].session, bytes);
        rc = t->out[end] && t->in[end]
                 ? post(t, end)
                 : ring_error(t->shared, -ENOMEM, "the session has no room for its buffers");
    }
    return rc;
}

/* The next event of an end: by polling, or asleep. */
static int next_event(struct trips *t, uint32_t end, struct saddle_completion *event)
{
    struct saddle_channel *channel = t->pair.ends[end].channel;
    uint64_t deadline = 0;
    int count;
    for (uint32_t looks = 0; (count = saddle_poll(channel, event, 1)) == 0;) {
        if (t->shared->what.waits) {
            count = saddle_wait(channel, (int)RING_PATIENCE_MS);
            if (count <= 0)
                break;
        } else if (++looks == LOOKS) {
            looks = 0;
            if (deadline == 0)
                deadline = bench_now() + RING_PATIENCE_MS * NS_PER_MS;
            else if (bench_now() > deadline)
                break;
        }
    }
    if (count == 1)
        return 0;
    return pair_error(&t->pair, end, t->shared, count ? count : -ETIMEDOUT, "a round trip");
}

/* Takes the message that is next at an end, and compares it. */
static int check(struct trips *t, uint32_t end, const struct saddle_completion *event)
{
    uint32_t bytes = t->shared->what.bytes;
    uint64_t stamp = ramp_stamp(end, t->numbers[end]);
    const void *data = event->kind == SADDLE_MESSAGE ? event->data : t->in[end];
    if (event->len != bytes || !ramp_check(data, bytes, stamp))
        return ring_error(t->shared, -EBADMSG, "message %llu, there and back, arrived wrong",
                          (unsigned long long)t->numbers[end]);
    t->numbers[end]++;
    t->checked++;
    int rc = saddle_release(t->pair.ends[end].channel, event);
    return rc ? pair_error(&t->pair, end, t->shared, rc, "releasing a message") : post(t, end);
}

/* Handles one event of an end: 1, it was the message; 0, another one; or a negative errno. */
static int take_event(struct trips *t, uint32_t end)
{
    struct saddle_completion event;
    int rc = next_event(t, end, &event);
    if (rc)
        return rc;
    bool posted = event.kind == SADDLE_DONE && event.tag == TAG_TAKEN;
    if (event.status || event.kind == SADDLE_CLOSED)
        return pair_error(&t->pair, end, t->shared, event.status ? event.status : -ECONNRESET,
                          "a round trip");
    if (posted || event.kind == SADDLE_MESSAGE) {
        rc = check(t, end, &event);
        return rc ? rc : 1;
    }
    if (event.kind == SADDLE_DONE)
        t->unsent[end]--;
    return 0;
}

static int carry(struct trips *t, uint32_t from)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = TAG_SENT};
    uint32_t to = 1 - from, bytes = t->shared->what.bytes;
    struct saddle_channel *channel = t->pair.ends[from].channel;
    int rc = 0;
    /* What is longer than an entry lies in memory that has to be free again. */
    while (!rc && bytes > PAIR_INLINE_BYTES && t->unsent[from] > 0)
        rc = take_event(t, from);
    if (rc)
        return rc < 0 ? rc : ring_error(t->shared, -EPROTO, "a message came before it was asked");
    ramp_fill(t->out[from], bytes, ramp_stamp(to, t->numbers[to]));
    rc = saddle_send(channel, t->pair.handles[from][0], t->out[from], bytes, &op);
    if (!rc)
        rc = saddle_flush(channel);
    if (rc)
        return pair_error(&t->pair, from, t->shared, rc, "sending");
    t->unsent[from]++;
    while (rc == 0)
        rc = take_event(t, to);
    return rc < 0 ? rc : 0;
}

static int trip(void *context, uint64_t number)
{
    struct trips *t = context;
    (void)number; /* each end numbers what it is sent */
    int rc = carry(t, PAIR_LEFT);
    return rc ? rc : carry(t, PAIR_RIGHT);
}

int ring_trips(struct ring_shared *shared)
{
    struct trips *t = calloc(1, sizeof(*t));
    if (!t)
        return ring_error(shared, -ENOMEM, "no memory");
    t->shared = shared;
    int rc = prepare(t);
    if (!rc)
        rc = ring_measure_trips(shared, trip, t);
    if (!rc)
        shared->result.checked = t->checked; /* both ways */
    pair_close(&t->pair);
    free(t);
    return rc;
}
