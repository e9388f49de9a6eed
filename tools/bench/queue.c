/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/doorbell.h"
#include "tools/bench/bench.h"
#include "tools/bench/link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH      16u /* commands an engine takes from a channel in one turn */
#define ENGINE_CPU 1u
#define APP_CPU    0u

/* One thread: put a batch, take it again. */
static int run_entry(uint64_t iterations, uint64_t *elapsed_ns)
{
    struct link link;
    int rc = link_open(&link);
    if (rc)
        return rc;
    uint64_t sum = 0, start = bench_now();
    for (uint64_t i = 0; i < iterations; i += BATCH) {
        for (uint32_t b = 0; b < BATCH; b++)
            link_put(&link, i + b);
        for (uint32_t b = 0; b < BATCH; b++)
            sum += link_take(&link);
    }
    *elapsed_ns = bench_now() - start;
    link_close(&link);
    return sum || iterations <= 1 ? 0 : -EIO;
}

struct pair {
    struct link there, back;
    uint64_t iterations;
};

static void *echo_thread(void *arg)
{
    struct pair *pair = arg;
    bench_pin(ENGINE_CPU);
    for (uint64_t i = 0; i < pair->iterations; i++)
        link_put(&pair->back, link_take(&pair->there));
    return NULL;
}

/* Two threads: an entry there and one back, each spinning. */
static int run_round_trip(uint64_t iterations, uint64_t *elapsed_ns)
{
    struct pair pair = {.iterations = iterations};
    pthread_t thread;
    int rc = link_open(&pair.there);
    if (rc || (rc = link_open(&pair.back)))
        return rc;
    bench_pin(APP_CPU);
    if (pthread_create(&thread, NULL, echo_thread, &pair))
        return -EAGAIN;
    uint64_t start = bench_now();
    for (uint64_t i = 0; i < iterations && !rc; i++) {
        link_put(&pair.there, i);
        rc = link_take(&pair.back) == i ? 0 : -EIO;
    }
    *elapsed_ns = bench_now() - start;
    pthread_join(thread, NULL);
    link_close(&pair.there);
    link_close(&pair.back);
    return rc;
}

/* What a producer pays to find out that nobody sleeps. */
static int run_doorbell_due(uint64_t iterations, uint64_t *elapsed_ns)
{
    struct link link;
    int rc = link_open(&link);
    if (rc)
        return rc;
    uint64_t start = bench_now();
    bool due = false;
    for (uint64_t i = 0; i < iterations; i++)
        due |= doorbell_due(&link.queue.header->armed);
    *elapsed_ns = bench_now() - start;
    link_close(&link);
    return due ? -EIO : 0;
}

struct sleeper {
    struct pair pair;
    struct doorbells there, back;
};

static void take_sleeping(struct link *link, int fd, bool drain)
{
    struct saddle_command copy;
    while (queue_poll(&link->consumer) != 1) {
        doorbell_arm(&link->queue.header->armed);
        if (queue_empty(&link->consumer)) {
            struct pollfd pfd = {.fd = fd, .events = POLLIN};
            poll(&pfd, 1, -1);
            uint64_t count;
            if (drain)
                doorbell_drain(fd);
            else if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
                return;
        }
        doorbell_disarm(&link->queue.header->armed);
    }
    queue_pop(&link->consumer, &copy);
    queue_consumed(&link->consumer, false);
}

static void *sleeping_echo_thread(void *arg)
{
    struct sleeper *s = arg;
    bench_pin(ENGINE_CPU);
    for (uint64_t i = 0; i < s->pair.iterations; i++) {
        take_sleeping(&s->pair.there, s->there.engine, false);
        link_put(&s->pair.back, i);
        if (doorbell_due(&s->pair.back.queue.header->armed))
            doorbell_ring_application(s->back.application_write);
    }
    return NULL;
}

/* Two threads that sleep: two doorbells and two wake-ups for each round trip. */
static int run_doorbell_wake(uint64_t iterations, uint64_t *elapsed_ns)
{
    struct sleeper s = {.pair.iterations = iterations};
    pthread_t thread;
    int rc = link_open(&s.pair.there);
    if (rc || (rc = link_open(&s.pair.back)) || (rc = doorbells_create(&s.there)) ||
        (rc = doorbells_create(&s.back)))
        return rc;
    bench_pin(APP_CPU);
    if (pthread_create(&thread, NULL, sleeping_echo_thread, &s))
        return -EAGAIN;
    uint64_t start = bench_now();
    for (uint64_t i = 0; i < iterations; i++) {
        link_put(&s.pair.there, i);
        if (doorbell_due(&s.pair.there.queue.header->armed))
            doorbell_ring_engine(s.there.engine);
        take_sleeping(&s.pair.back, s.back.application_read, true);
    }
    *elapsed_ns = bench_now() - start;
    pthread_join(thread, NULL);
    doorbells_destroy(&s.there);
    doorbells_destroy(&s.back);
    link_close(&s.pair.there);
    link_close(&s.pair.back);
    return 0;
}

const struct bench_case bench_queue_cases[] = {
    {"queue-entry", "one thread puts and takes an entry with 64 bytes of payload", 1000000, true,
     run_entry},
    {"queue-round-trip", "an entry to another core and one back, both spinning", 100000, false,
     run_round_trip},
    {"doorbell-due", "the producer's exchange when nobody sleeps", 5000000, true, run_doorbell_due},
    {"doorbell-wake", "an entry to a sleeping thread and one back: two wake-ups", 2000, false,
     run_doorbell_wake},
};
const uint32_t bench_queue_case_count = sizeof(bench_queue_cases) / sizeof(bench_queue_cases[0]);
