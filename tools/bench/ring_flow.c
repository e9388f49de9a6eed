/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_flow.h"

#include "tools/bench/ramp.h"

#include <errno.h>
#include <stdlib.h>

#define EVENTS 32

static uint32_t lanes_of(const struct ring_case *what)
{
    return what->connections * what->streams;
}

static bool is_posted(const struct flow *flow)
{
    return flow->shared->what.bytes > PAIR_EAGER_BYTES;
}

static int post(struct flow *flow, uint32_t slot)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = slot};
    uint32_t bytes = flow->shared->what.bytes;
    /* One connection has them all: what is posted is sent over one. */
    int rc =
        saddle_post_recv(flow->pair.ends[PAIR_RIGHT].channel, flow->pair.handles[PAIR_RIGHT][0],
                         flow->in + (size_t)slot * bytes, bytes, &op);
    return rc ? pair_error(&flow->pair, PAIR_RIGHT, flow->shared, rc, "posting a buffer") : 0;
}

static int prepare(struct flow *flow)
{
    const struct ring_case *what = &flow->shared->what;
    size_t bytes = (size_t)what->slots * what->bytes;
    flow->lanes = calloc(lanes_of(what), sizeof(*flow->lanes));
    flow->free_slots = calloc(what->slots, sizeof(*flow->free_slots));
    if (what->bytes > PAIR_INLINE_BYTES)
        flow->out = saddle_alloc(flow->pair.ends[PAIR_LEFT].session, bytes);
    if (is_posted(flow))
        flow->in = saddle_alloc(flow->pair.ends[PAIR_RIGHT].session, bytes);
    if (!flow->lanes || !flow->free_slots || (what->bytes > PAIR_INLINE_BYTES && !flow->out) ||
        (is_posted(flow) && !flow->in))
        return ring_error(flow->shared, -ENOMEM, "no memory for %u messages of %u bytes",
                          what->slots, what->bytes);
    for (uint32_t i = 0; i < what->slots; i++)
        flow->free_slots[flow->free_count++] = i;
    return 0;
}

int flow_open(struct flow *flow, struct ring_shared *shared, uint32_t number)
{
    const struct ring_case *what = &shared->what;
    flow->shared = shared;
    uint64_t heap = what->bytes > PAIR_INLINE_BYTES ? (uint64_t)what->slots * what->bytes : 0;
    int rc = pair_open(&flow->pair, shared, number, heap);
    if (!rc)
        rc = prepare(flow);
    for (uint32_t slot = 0; slot < what->slots && is_posted(flow) && !rc; slot++)
        rc = post(flow, slot);
    return rc;
}

static int send_one(struct flow *flow)
{
    const struct ring_case *what = &flow->shared->what;
    struct flow_lane *lane = &flow->lanes[flow->next_lane];
    uint8_t small[PAIR_INLINE_BYTES];
    uint32_t slot = flow->free_slots[flow->first_free];
    uint8_t *bytes = flow->out ? flow->out + (size_t)slot * what->bytes : small;
    const struct saddle_op op = {.size = sizeof(op),
                                 .tag = slot,
                                 .stream = (uint16_t)(flow->next_lane % what->streams)};
    ramp_fill(bytes, what->bytes, ramp_stamp(flow->next_lane, lane->sent));
    int rc = saddle_send(flow->pair.ends[PAIR_LEFT].channel,
                         flow->pair.handles[PAIR_LEFT][flow->next_lane / what->streams], bytes,
                         what->bytes, &op);
    if (rc == -EAGAIN)
        return rc;
    if (rc)
        return pair_error(&flow->pair, PAIR_LEFT, flow->shared, rc, "sending");
    flow->first_free = (flow->first_free + 1) % what->slots;
    flow->free_count--;
    flow->next_lane = (flow->next_lane + 1) % lanes_of(what);
    lane->sent++;
    flow->sent++;
    return 0;
}

int flow_send(struct flow *flow)
{
    const struct ring_case *what = &flow->shared->what;
    uint32_t room = what->window - (uint32_t)(flow->sent - flow->done);
    int rc = 0;
    if (room > flow->free_count)
        room = flow->free_count;
    if (what->batch > 0)
        room = room < what->batch ? 0 : what->batch;
    for (; room > 0 && !rc; room--)
        rc = send_one(flow);
    return rc == -EAGAIN ? 0 : rc;
}

/* Whether these are the bytes of the message that comes next on its stream. */
static int check(struct flow *flow, const struct saddle_completion *event, const void *data)
{
    const struct ring_case *what = &flow->shared->what;
    uint64_t stamp = event->len == what->bytes ? ramp_read(data) : UINT64_MAX;
    uint32_t number = ramp_sequence(stamp);
    struct flow_lane *lane = number < lanes_of(what) ? &flow->lanes[number] : NULL;
    if (lane && lane->to == 0)
        lane->to = event->handle;
    if (!lane || lane->to != event->handle || event->stream != number % what->streams ||
        lane->received == lane->sent || stamp != ramp_stamp(number, lane->received) ||
        !ramp_check(data, what->bytes, stamp))
        return ring_error(
            flow->shared, -EBADMSG,
            "message %llu of those that arrived has wrong bytes, or came twice or out "
            "of order",
            (unsigned long long)flow->received);
    lane->received++;
    flow->received++;
    return 0;
}

static int take_message(struct flow *flow, const struct saddle_completion *event)
{
    bool posted = event->kind == SADDLE_DONE;
    uint32_t slot = (uint32_t)event->tag;
    if (event->kind == SADDLE_WAITING)
        return 0; /* a buffer is posted already, or will be */
    if (event->status || event->kind == SADDLE_CLOSED)
        return pair_error(&flow->pair, PAIR_RIGHT, flow->shared,
                          event->status ? event->status : -ECONNRESET, "receiving");
    if (posted) {
        int rc = check(flow, event, flow->in + (size_t)slot * flow->shared->what.bytes);
        return rc ? rc : post(flow, slot);
    }
    int rc = check(flow, event, event->data);
    if (!rc && (rc = saddle_release(flow->pair.ends[PAIR_RIGHT].channel, event)))
        pair_error(&flow->pair, PAIR_RIGHT, flow->shared, rc, "releasing a message");
    return rc;
}

static int take_end(struct flow *flow, const struct saddle_completion *event)
{
    uint32_t slots = flow->shared->what.slots;
    if (event->kind != SADDLE_DONE || event->status)
        return pair_error(&flow->pair, PAIR_LEFT, flow->shared,
                          event->status ? event->status : -ECONNRESET, "sending");
    flow->free_slots[(flow->first_free + flow->free_count++) % slots] = (uint32_t)event->tag;
    flow->done++;
    return 0;
}

int flow_take(struct flow *flow, uint32_t *count)
{
    struct saddle_completion events[EVENTS];
    int rc = 0;
    for (uint32_t end = 0; end < PAIR_ENDS && !rc; end++) {
        int taken = saddle_poll(flow->pair.ends[end].channel, events, EVENTS);
        if (taken < 0)
            return pair_error(&flow->pair, end, flow->shared, taken, "messages");
        *count += (uint32_t)taken;
        for (int i = 0; i < taken && !rc; i++)
            rc = end == PAIR_LEFT ? take_end(flow, &events[i]) : take_message(flow, &events[i]);
    }
    return rc;
}

bool flow_is_over(const struct flow *flow)
{
    return flow->done == flow->sent && flow->received == flow->sent;
}

void flow_close(struct flow *flow)
{
    pair_close(&flow->pair);
    free(flow->lanes);
    free(flow->free_slots);
    *flow = (struct flow){0};
}
