/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The thin layer above the fabric's flows: packets full of nothing, and messages that are counted
 * until all their bytes have arrived. An operation's `id` is its message's number, 0 for none.
 */
#include "engines/pony/wire.h"
#include "tests/sim/fabric.h"

#include <stdlib.h>

#define MESSAGES_FIRST 1024u

static struct fabric_pair *pair_of(struct fabric_engine *engine, const struct flow *flow)
{
    /* The last byte of an address is the engine's number plus one. */
    return &engine->pairs[flow_peer(flow)->bytes[sizeof(flow_peer(flow)->bytes) - 1] - 1u];
}

static uint32_t put(uint8_t *ops, uint32_t message, uint32_t length)
{
    struct wire_op op = {.type = WIRE_OP_MESSAGE, .length = (uint16_t)length, .id = message};
    wire_op_encode(&op, ops);
    return WIRE_OP_BYTES + length;
}

static uint32_t fill(void *upper, struct flow *flow, uint8_t *ops, uint32_t room, uint64_t now)
{
    struct fabric_engine *engine = upper;
    struct fabric_pair *pair = pair_of(engine, flow);
    uint32_t number = pair->first, most = room - WIRE_OP_BYTES;
    (void)now;
    if (number == 0)
        return pair->endless ? put(ops, 0, most) : 0;
    uint32_t length = RTE_MIN(most, pair->unsent);
    pair->unsent -= length;
    if (pair->unsent == 0) {
        pair->first = engine->fabric->next[number];
        if (pair->first)
            pair->unsent = engine->fabric->messages[pair->first].left;
        else
            pair->last = 0;
    }
    return put(ops, number, length);
}

static bool admit(void *upper, struct flow *flow, const uint8_t *ops, uint32_t bytes)
{
    (void)upper;
    (void)flow;
    (void)ops;
    (void)bytes;
    return true;
}

static void take(struct fabric_engine *engine, const struct flow *flow, uint32_t number,
                 uint32_t bytes, uint64_t now)
{
    struct fabric *fabric = engine->fabric;
    struct fabric_message *message = &fabric->messages[number];
    message->left -= bytes;
    if (message->left > 0)
        return;
    message->ended_ns = now;
    fabric->unfinished--;
    if (message->request) {
        uint32_t from = (uint32_t)(pair_of(engine, flow) - engine->pairs);
        uint32_t answer = fabric_send(fabric, engine->index, from, bytes, false);
        fabric->messages[answer].begun_ns = fabric->messages[number].begun_ns;
    }
}

static void deliver(void *upper, struct flow *flow, const uint8_t *ops, uint32_t bytes,
                    uint64_t now)
{
    struct fabric_engine *engine = upper;
    struct wire_op op;
    const uint8_t *payload;
    uint32_t at = 0;
    while (wire_op_next(ops, bytes, &at, &op, &payload)) {
        pair_of(engine, flow)->received += op.length;
        if (op.id)
            take(engine, flow, op.id, op.length, now);
    }
}

static void opened(void *upper, struct flow *flow, uint64_t now)
{
    struct fabric_engine *engine = upper;
    (void)now;
    /* Whoever called holds it already. */
    if (!pair_of(engine, flow)->flow)
        flow_hold(flow);
    pair_of(engine, flow)->flow = flow;
    flow_kick(flow);
}

static void ended(void *upper, struct flow *flow, int error, uint64_t now)
{
    (void)upper;
    (void)flow;
    (void)error;
    (void)now;
    /* No scenario is silent for so long. */
    abort();
}

const struct flow_upper_ops fabric_upper_ops = {
    .fill = fill,
    .admit = admit,
    .deliver = deliver,
    .opened = opened,
    .ended = ended,
};

void fabric_pour(struct fabric *fabric, uint32_t from, uint32_t to)
{
    struct fabric_pair *pair = &fabric->engines[from]->pairs[to];
    pair->endless = true;
    flow_kick(pair->flow);
    fabric_wake(fabric->engines[from]);
}

static void make_room(struct fabric *fabric)
{
    if (fabric->message_count < fabric->message_room)
        return;
    fabric->message_room = RTE_MAX(2 * fabric->message_room, MESSAGES_FIRST);
    fabric->messages =
        realloc(fabric->messages, fabric->message_room * sizeof(fabric->messages[0]));
    fabric->next = realloc(fabric->next, fabric->message_room * sizeof(fabric->next[0]));
    if (!fabric->messages || !fabric->next)
        abort();
}

uint32_t fabric_send(struct fabric *fabric, uint32_t from, uint32_t to, uint32_t bytes,
                     bool request)
{
    struct fabric_pair *pair = &fabric->engines[from]->pairs[to];
    make_room(fabric);
    uint32_t number = fabric->message_count++;
    fabric->messages[number] = (struct fabric_message){
        .begun_ns = fabric->events.now, .left = bytes, .to = to, .request = request};
    fabric->next[number] = 0;
    fabric->unfinished++;
    if (pair->last) {
        fabric->next[pair->last] = number;
    } else {
        pair->first = number;
        pair->unsent = bytes;
    }
    pair->last = number;
    flow_kick(pair->flow);
    fabric_wake(fabric->engines[from]);
    return number;
}
