/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/bench.h"
#include "tools/bench/world.h"

#include <errno.h>
#include <string.h>

#define SMALL_BYTES 64u
#define BULK_BYTES  (1u << 20)
#define WINDOW      64u      /* operations outstanding: a quarter of a queue */
#define EVENTS      16       /* polled at once */
#define PATIENCE    1000000u /* turns without progress: far above any step here */
#define SETTLED     1000u    /* turns after which nothing is left of what was before */

/* One thread drives two applications and two engines: a message there and one back. */
static int run_round_trip(uint64_t iterations, uint64_t *elapsed_ns)
{
    struct world *w;
    struct saddle_completion event;
    uint8_t payload[SMALL_BYTES] = {0};
    int rc = world_get(&w);
    if (rc)
        return rc;
    uint64_t start = bench_now();
    for (uint64_t i = 0; i < 2 * iterations; i++) {
        unsigned from = (unsigned)(i & 1), to = 1 - from;
        rc = saddle_send(w->channel[from], w->connection[from], payload, sizeof(payload), NULL);
        if (rc)
            return rc;
        do {
            rc = world_event(w, to, &event);
        } while (!rc && event.kind == SADDLE_DONE);
        if (rc || event.kind != SADDLE_MESSAGE || event.len != sizeof(payload))
            return rc ? rc : -EPROTO;
        saddle_release(w->channel[to], &event);
    }
    *elapsed_ns = bench_now() - start;
    for (unsigned host = 0; host < WORLD_HOSTS; host++)
        while (saddle_poll(w->channel[host], &event, 1) == 1)
            ;
    return 0;
}

/* What an engine that waits for something does meanwhile. */
static int run_idle(uint64_t iterations, uint64_t *elapsed_ns)
{
    struct world *w;
    int rc = world_get(&w);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < SETTLED; i++)
        world_turn();
    uint64_t start = bench_now();
    for (uint64_t i = 0; i < iterations; i += WORLD_HOSTS)
        world_turn();
    *elapsed_ns = bench_now() - start;
    return 0;
}

/* Keeps WINDOW operations of one kind outstanding until all are done. */
static int run_window(uint64_t iterations, uint64_t *elapsed_ns,
                      int (*submit)(struct world *w, uint64_t number))
{
    struct world *w;
    struct saddle_completion events[EVENTS];
    uint64_t sent = 0, done = 0;
    int rc = world_get(&w);
    if (rc)
        return rc;
    uint32_t idle = 0;
    uint64_t start = bench_now();
    while (done < iterations) {
        for (rc = 0; !rc && sent < iterations && sent - done < WINDOW; sent += !rc)
            rc = submit(w, sent);
        if (rc && rc != -EAGAIN)
            return rc;
        world_turn();
        uint64_t before = done;
        int n = saddle_poll(w->channel[1], events, EVENTS);
        for (int i = 0; i < n; i++)
            saddle_release(w->channel[1], &events[i]);
        n = saddle_poll(w->channel[0], events, EVENTS);
        for (int i = 0; i < n; i++) {
            if (events[i].status)
                return events[i].status;
            done++;
        }
        idle = done == before ? idle + 1 : 0;
        if (idle == PATIENCE)
            return -ETIME;
    }
    *elapsed_ns = bench_now() - start;
    return 0;
}

static int send_small(struct world *w, saddle_handle connection, uint64_t number)
{
    uint8_t payload[SMALL_BYTES];
    memset(payload, (int)number, sizeof(payload));
    return saddle_send(w->channel[0], connection, payload, sizeof(payload), NULL);
}

static int submit_message(struct world *w, uint64_t number)
{
    return send_small(w, w->connection[0], number);
}

static int run_messages(uint64_t iterations, uint64_t *elapsed_ns)
{
    return run_window(iterations, elapsed_ns, submit_message);
}

static int submit_elsewhere(struct world *w, uint64_t number)
{
    return send_small(w, w->connections[number % WORLD_CONNECTIONS], number);
}

static int run_many(uint64_t iterations, uint64_t *elapsed_ns)
{
    struct world *w;
    int rc = world_get(&w);
    if (!rc)
        rc = world_connect(w);
    return rc ? rc : run_window(iterations, elapsed_ns, submit_elsewhere);
}

static int submit_read(struct world *w, uint64_t number)
{
    uint32_t at = (uint32_t)(number * SMALL_BYTES % WORLD_REGION_BYTES);
    return saddle_read(w->channel[0], w->connection[0], w->key, at,
                       (uint8_t *)w->buffer[0] + number % WINDOW * SMALL_BYTES, SMALL_BYTES, NULL);
}

static int run_reads(uint64_t iterations, uint64_t *elapsed_ns)
{
    return run_window(iterations, elapsed_ns, submit_read);
}

static int submit_write(struct world *w, uint64_t number)
{
    (void)number;
    return saddle_write(w->channel[0], w->connection[0], w->key, 0, w->buffer[0], BULK_BYTES, NULL);
}

static int run_bulk(uint64_t iterations, uint64_t *elapsed_ns)
{
    return run_window(iterations, elapsed_ns, submit_write);
}

const struct bench_case bench_message_cases[] = {
    {"turn-idle", "an engine's turn that finds nothing to do, with a session and a connection",
     1000000, true, run_idle},
    {"message-round-trip", "64 bytes there and back through two engines, all on one thread", 20000,
     true, run_round_trip},
    {"message", "one 64-byte message of a full window, through two engines, on one thread", 100000,
     true, run_messages},
    {"message-many", "likewise, each over another of 256 connections", 100000, true, run_many},
    {"read", "one 64-byte one-sided read of a full window, likewise", 100000, true, run_reads},
    {"write-1MiB", "one write of 1 MiB, several outstanding, likewise", 100, true, run_bulk},
};
const uint32_t bench_message_case_count =
    sizeof(bench_message_cases) / sizeof(bench_message_cases[0]);
