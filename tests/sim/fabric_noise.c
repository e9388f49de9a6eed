/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of a shared host that do not run for milliseconds, at random, for a while: round trips of
 * milliseconds that no queue causes, time-outs that no loss causes. Then they run again, and within
 * a bounded number of round trips every flow must have its share: alone on its link, and with
 * others.
 */
#include "tests/sim/fabric_scene.h"

#include <inttypes.h>
#include <stdio.h>

#define PAIRS        2u /* each alone: hosts 0 and 1, 2 and 3 */
#define SHARERS      4u /* hosts 4 to 7 send to host 8 */
#define HOSTS        (2 * PAIRS + SHARERS + 1)
#define FLOWS        (PAIRS + SHARERS)
#define QUEUE_NS     (400 * USEC)
#define CALM_NS      (5 * MSEC)
#define NOISE_NS     (40 * MSEC)
#define STALL_NS     (5 * MSEC) /* at most; at least a fifth */
#define STALL_PAUSE  (4 * MSEC) /* between two of one thread, at most */
#define SWIFT_TURNS  200u       /* base round trips after which a flow has its share again */
#define TIMELY_TURNS 400u
#define COUNTED_NS   (4 * MSEC)

struct pair {
    uint32_t from, to;
    double share; /* of the link, that is fair */
};

static struct pair pair_of(uint32_t flow)
{
    if (flow < PAIRS)
        return (struct pair){2 * flow, 2 * flow + 1, 1.0};
    return (struct pair){PAIRS + flow, HOSTS - 1, 1.0 / SHARERS};
}

static void make_noise(struct fabric *fabric)
{
    uint64_t next[HOSTS], end = fabric->events.now + NOISE_NS;
    struct rng *rng = &fabric->plan;
    for (uint32_t i = 0; i < HOSTS; i++)
        next[i] = fabric->events.now + rng_below(rng, STALL_PAUSE);
    for (;;) {
        uint32_t first = 0;
        for (uint32_t i = 1; i < HOSTS; i++)
            first = next[i] < next[first] ? i : first;
        uint64_t stall = STALL_NS / 5 + rng_below(rng, STALL_NS * 4 / 5);
        if (next[first] + stall >= end)
            break;
        fabric_run(fabric, next[first]);
        fabric_stall(fabric, first, next[first] + stall);
        next[first] += stall + rng_below(rng, STALL_PAUSE);
    }
    fabric_run(fabric, end);
}

static uint64_t received(const struct fabric *fabric, uint32_t flow)
{
    struct pair pair = pair_of(flow);
    return fabric->engines[pair.to]->pairs[pair.from].received;
}

/* The least share of all flows over the next time, as a part of the fair one. */
static double least(struct fabric *fabric, uint64_t ns)
{
    uint64_t before[FLOWS];
    double found = 1;
    for (uint32_t i = 0; i < FLOWS; i++)
        before[i] = received(fabric, i);
    fabric_run(fabric, fabric->events.now + ns);
    for (uint32_t i = 0; i < FLOWS; i++) {
        double share = fabric_goodput(received(fabric, i) - before[i], ns) / pair_of(i).share;
        found = share < found ? share : found;
    }
    return found;
}

static void one(struct scene *scene, const struct cc_ops *cc, uint64_t recovery_ns)
{
    struct fabric_config config = {
        .seed = scene->seed, .hosts = HOSTS, .cc = cc, .queue_ns = QUEUE_NS};
    struct fabric *fabric = fabric_create(&config, scene->pool);
    for (uint32_t i = 0; i < FLOWS; i++)
        fabric_connect(fabric, pair_of(i).from, pair_of(i).to);
    for (uint32_t i = 0; i < FLOWS; i++)
        fabric_pour(fabric, pair_of(i).from, pair_of(i).to);
    fabric_run(fabric, fabric->events.now + CALM_NS);
    make_noise(fabric);
    double first = least(fabric, recovery_ns), later = least(fabric, COUNTED_NS);
    uint64_t turns = recovery_ns / FABRIC_RTT_NS;
    printf("  %-8s %6" PRIu64 " %12.1f %% %10.1f %% %8" PRIu64 " %9" PRIu64 "\n", cc->name, turns,
           100 * first, 100 * later, fabric_resent(fabric), fabric_timeouts(fabric));
    scene_expect(scene, later >= 0.5,
                 "%s: %" PRIu64 " round trips after the noise no flow is below half of its share",
                 cc->name, turns);
    fabric_destroy(fabric);
}

void scene_noise(struct scene *scene)
{
    printf("threads stalled for 1 to 5 ms, again and again for 40 ms, then quiet: the least share "
           "of a flow\n"
           "  cc       turns    within them   next 4 ms    again time-outs\n");
    one(scene, &cc_swift, SWIFT_TURNS * FABRIC_RTT_NS);
    one(scene, &cc_timely, TIMELY_TURNS * FABRIC_RTT_NS);
}
