/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Forty-two hosts send messages of 64 KiB to each other, at random moments and to random hosts, as
 * many as make 80 % of each link. A second engine on each host, with flows of its own, asks a
 * random other one for 64 bytes every 50 us: what those take is what a small message feels of the
 * rest.
 */
#include "tests/sim/fabric_scene.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define HOSTS         42u
#define QUEUE_NS      (400 * USEC) /* of each output: 250 packets of 5000 bytes */
#define LOAD          0.8
#define MESSAGE_BYTES (64u << 10)
#define PROBE_BYTES   64u
#define PROBE_NS      (50 * USEC)
#define TIME_NS       (5 * MSEC)
#define DRAIN_NS      (100 * MSEC)

struct source {
    uint64_t next_ns;
    uint64_t probe_ns;
};

/* Exponentially distributed, with that mean. */
static uint64_t pause(struct rng *rng, double mean_ns)
{
    double unit = ((double)rng_below(rng, 1u << 30) + 1) / (1u << 30);
    return (uint64_t)(-log(unit) * mean_ns);
}

static uint32_t other(struct rng *rng, uint32_t self)
{
    return (self + 1 + (uint32_t)rng_below(rng, HOSTS - 1)) % HOSTS;
}

/* Sends what is due at the earliest moment of all, and says when that was. */
static uint64_t next_of(const struct source *sources, uint32_t *who)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < HOSTS; i++) {
        uint64_t next = RTE_MIN(sources[i].next_ns, sources[i].probe_ns);
        if (next < least) {
            least = next;
            *who = i;
        }
    }
    return least;
}

static void generate(struct fabric *fabric, double mean_ns)
{
    struct source sources[HOSTS];
    struct rng *rng = &fabric->plan;
    uint64_t begin = fabric->events.now, now = begin;
    uint32_t i = 0;
    for (i = 0; i < HOSTS; i++) {
        sources[i].next_ns = begin + pause(rng, mean_ns);
        sources[i].probe_ns = begin + rng_below(rng, PROBE_NS);
    }
    while ((now = next_of(sources, &i)) < begin + TIME_NS) {
        fabric_run(fabric, now);
        if (sources[i].next_ns == now) {
            fabric_send(fabric, i, other(rng, i), MESSAGE_BYTES, false);
            sources[i].next_ns = now + 1 + pause(rng, mean_ns);
        } else {
            fabric_send(fabric, HOSTS + i, HOSTS + other(rng, i), PROBE_BYTES, true);
            sources[i].probe_ns = now + PROBE_NS;
        }
    }
}

static void print(const struct fabric *fabric, const char *name)
{
    struct series probes = {0}, messages = {0};
    for (uint32_t i = 1; i < fabric->message_count; i++) {
        const struct fabric_message *message = &fabric->messages[i];
        uint64_t took = message->ended_ns - message->begun_ns;
        if (message->ended_ns == 0)
            continue;
        if (message->to < HOSTS)
            series_add(&messages, took);
        else if (!message->request)
            series_add(&probes, took);
    }
    series_sort(&probes);
    series_sort(&messages);
    printf("  %-8s %8.1f %8.1f %9.1f %10.1f %10.1f %10u %8" PRIu64 " %8" PRIu64 " %9" PRIu64 "\n",
           name, (double)series_part(&probes, 500) / USEC, (double)series_part(&probes, 990) / USEC,
           (double)series_part(&probes, 999) / USEC, (double)series_part(&messages, 500) / USEC,
           (double)series_part(&messages, 990) / USEC, messages.count, fabric_dropped(fabric),
           fabric_resent(fabric), fabric_timeouts(fabric));
    series_free(&probes);
    series_free(&messages);
}

static void one(struct scene *scene, const struct cc_ops *cc)
{
    struct fabric_config config = {
        .seed = scene->seed, .hosts = HOSTS, .probers = true, .cc = cc, .queue_ns = QUEUE_NS};
    struct fabric *fabric = fabric_create(&config, scene->pool);
    for (uint32_t from = 0; from < HOSTS; from++)
        for (uint32_t to = from + 1; to < HOSTS; to++) {
            fabric_connect(fabric, from, to);
            fabric_connect(fabric, HOSTS + from, HOSTS + to);
        }
    generate(fabric, fabric_goodput(MESSAGE_BYTES, 1) / LOAD);
    uint64_t end = fabric->events.now + DRAIN_NS;
    while (fabric->unfinished > 0 && fabric->events.now < end)
        fabric_run(fabric, fabric->events.now + USEC * 100);
    print(fabric, cc->name);
    scene_expect(scene, fabric->unfinished == 0, "%s: all to all: everything is delivered",
                 cc->name);
    fabric_destroy(fabric);
}

void scene_all_to_all(struct scene *scene)
{
    printf("42 hosts, all to all, 80 %% load for 5 ms: a 64-byte message there and back beside "
           "messages of 64 KiB, in us\n"
           "  cc       probe    probe     probe    message    message\n"
           "             p50      p99     p99.9        p50        p99   messages  dropped    again"
           " time-outs\n");
    one(scene, &cc_swift);
    one(scene, &cc_timely);
    one(scene, &cc_none);
}
