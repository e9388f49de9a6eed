/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_pair.h"

#include "tools/bench/fleet.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_ENTRIES 1024u  /* twice the widest window */
#define RECEIVE_SLOTS 1024u  /* of which one connection may hold half */
#define SLOTS_FEW     64u    /* of each of many sessions: four times their window */
#define SLOTS_MANY    32768u /* as many as there can be, for thousands of connections */
#define SESSIONS_FEW  8u
#define HEAP_SPARE    (1u << 20) /* what the allocator rounds up, and the library takes */
#define CALLS         32u        /* fewer at a time than may wait to be accepted */
#define EVENTS        16
#define NAME_BYTES    40u
#define LINE_BYTES    256u

static const char *const engines[PAIR_ENDS] = {FLEET_LEFT, FLEET_RIGHT};

int pair_error(const struct pair *pair, uint32_t end, struct ring_shared *shared, int rc,
               const char *what)
{
    const char *text = saddle_strerror(pair->ends[end].session);
    return ring_error(shared, rc, "%s, at engine %s: %s%s%s", what, engines[end], strerror(-rc),
                      text && *text ? ": " : "", text ? text : "");
}

static uint32_t receive_slots(const struct ring_case *what)
{
    if (what->sessions > SESSIONS_FEW)
        return SLOTS_FEW;
    return what->connections > RECEIVE_SLOTS ? SLOTS_MANY : RECEIVE_SLOTS;
}

static int attach(struct pair *pair, uint32_t end, struct ring_shared *shared, uint64_t heap_bytes)
{
    const struct saddle_attach_options options = {
        .size = sizeof(options),
        .socket = shared->hosts[end].socket,
        .engine = engines[end],
        .application = "saddle-bench",
        .queue_entries = QUEUE_ENTRIES,
        .receive_slots = receive_slots(&shared->what),
        .timeout_ms = RING_PATIENCE_MS,
        .heap_bytes = heap_bytes + HEAP_SPARE,
    };
    char line[LINE_BYTES] = "";
    int rc = saddle_attach(&pair->ends[end].session, &options, line, sizeof(line));
    if (rc)
        return ring_error(shared, rc, "attaching to engine %s: %s", engines[end], line);
    pair->ends[end].channel = saddle_channel(pair->ends[end].session, 0);
    return 0;
}

int pair_sleep(const struct pair *pair)
{
    struct pollfd bells[PAIR_ENDS];
    int rc = 0, ready = 0;
    for (uint32_t end = 0; end < PAIR_ENDS; end++) {
        int armed = saddle_arm(pair->ends[end].channel);
        bells[end] = (struct pollfd){.fd = saddle_fd(pair->ends[end].channel), .events = POLLIN};
        ready |= armed > 0;
        rc = armed < 0 ? armed : rc;
    }
    if (!rc && !ready && poll(bells, PAIR_ENDS, (int)RING_PATIENCE_MS) == 0)
        rc = -ETIMEDOUT;
    for (uint32_t end = 0; end < PAIR_ENDS; end++)
        saddle_disarm(pair->ends[end].channel);
    return rc;
}

/* ---- Connections ---- */

struct opening {
    struct pair *pair;
    struct ring_shared *shared;
    const char *service;
    uint32_t begun, done, accepted, called;
};

static int call_one(const struct opening *o)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = o->begun};
    char host[FLEET_NAME_BYTES];
    fleet_right(o->begun % o->shared->what.flows, host);
    return saddle_connect(o->pair->ends[PAIR_LEFT].channel, host, o->service, &op);
}

static int call_more(struct opening *o)
{
    struct pair *pair = o->pair;
    while (o->begun < pair->connections && o->begun - o->accepted < CALLS) {
        int rc = call_one(o);
        if (rc == -EAGAIN)
            return 0;
        if (rc)
            return pair_error(pair, PAIR_LEFT, o->shared, rc, "connecting");
        o->begun++;
    }
    return 0;
}

static int take_event(struct opening *o, uint32_t end, const struct saddle_completion *event)
{
    struct pair *pair = o->pair;
    if (end == PAIR_RIGHT && event->kind == SADDLE_INCOMING && o->called < pair->connections) {
        pair->handles[PAIR_RIGHT][o->called] = event->handle;
        const struct saddle_op op = {.size = sizeof(op), .tag = o->called++};
        int rc = saddle_accept(pair->ends[end].channel, event->handle, &op);
        return rc ? pair_error(pair, end, o->shared, rc, "accepting") : 0;
    }
    if (event->kind != SADDLE_DONE || event->status)
        return pair_error(pair, end, o->shared, event->status ? event->status : -EPROTO,
                          "connecting");
    if (end == PAIR_RIGHT) {
        o->accepted++;
        return 0;
    }
    pair->handles[PAIR_LEFT][event->tag] = event->handle;
    o->done++;
    return 0;
}

static int take_events(struct opening *o, uint32_t *count)
{
    struct saddle_completion events[EVENTS];
    int rc = 0;
    *count = 0;
    for (uint32_t end = 0; end < PAIR_ENDS && !rc; end++) {
        int taken = saddle_poll(o->pair->ends[end].channel, events, EVENTS);
        if (taken < 0)
            return pair_error(o->pair, end, o->shared, taken, "connecting");
        *count += (uint32_t)taken;
        for (int i = 0; i < taken && !rc; i++)
            rc = take_event(o, end, &events[i]);
    }
    return rc;
}

/* Who offered its like in the round before may not be gone yet. */
static void name_service(uint32_t number, char service[NAME_BYTES])
{
    snprintf(service, NAME_BYTES, "ring-%d-%u", (int)getpid(), number);
}

/* Those that the pair is to have, beyond the first `there`. */
static int connect_all(struct pair *pair, struct ring_shared *shared, const char *service,
                       uint32_t there)
{
    struct opening o = {.pair = pair,
                        .shared = shared,
                        .service = service,
                        .begun = there,
                        .done = there,
                        .accepted = there,
                        .called = there};
    uint32_t taken;
    int rc = 0;
    while (!rc && (o.done < pair->connections || o.accepted < pair->connections)) {
        rc = call_more(&o);
        if (!rc)
            rc = take_events(&o, &taken);
        if (!rc && !taken && (rc = pair_sleep(pair)))
            pair_error(pair, PAIR_LEFT, shared, rc, "waiting for connections");
    }
    return rc;
}

int pair_open(struct pair *pair, struct ring_shared *shared, uint32_t number, uint64_t heap_bytes)
{
    char service[NAME_BYTES];
    saddle_handle listener;
    int rc = 0;
    name_service(number, service);
    pair->number = number;
    pair->connections = shared->what.connections;
    for (uint32_t end = 0; end < PAIR_ENDS && !rc; end++) {
        pair->handles[end] = calloc(pair->connections, sizeof(saddle_handle));
        if (!pair->handles[end])
            return ring_error(shared, -ENOMEM, "no memory for %u handles", pair->connections);
        rc = attach(pair, end, shared, heap_bytes);
    }
    if (rc)
        return rc;
    rc = saddle_listen_wait(pair->ends[PAIR_RIGHT].channel, service, (int)RING_PATIENCE_MS,
                            &listener);
    if (rc)
        return pair_error(pair, PAIR_RIGHT, shared, rc, "listening");
    return connect_all(pair, shared, service, 0);
}

int pair_extend(struct pair *pair, struct ring_shared *shared, uint32_t connections)
{
    uint32_t there = pair->connections;
    char service[NAME_BYTES];
    for (uint32_t end = 0; end < PAIR_ENDS; end++) {
        saddle_handle *handles =
            reallocarray(pair->handles[end], there + connections, sizeof(*handles));
        if (!handles)
            return ring_error(shared, -ENOMEM, "no memory for %u handles", there + connections);
        pair->handles[end] = handles;
    }
    pair->connections += connections;
    name_service(pair->number, service);
    return connect_all(pair, shared, service, there);
}

int pair_call(const struct pair *pair, const struct saddle_op *op)
{
    char service[NAME_BYTES];
    name_service(pair->number, service);
    return saddle_connect(pair->ends[PAIR_LEFT].channel, FLEET_RIGHT, service, op);
}

void pair_close(struct pair *pair)
{
    for (uint32_t end = 0; end < PAIR_ENDS; end++) {
        saddle_detach(pair->ends[end].session);
        free(pair->handles[end]);
    }
    *pair = (struct pair){0};
}
