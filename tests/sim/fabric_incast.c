/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Many hosts send to one as fast as they may. They start within a short time, each at a moment of
 * its own; round trips are spread from 8 to 12 us. What the last 20 ms are like counts.
 *
 * Forty of them have opened their flows before, as hosts that work together have, and so have
 * measured the empty path; so have a hundred, who are more than the path has room for with a packet
 * of each. Eight open them when they start, and find a queue.
 */
#include "tests/sim/fabric_scene.h"

#include <inttypes.h>
#include <stdio.h>

#define SENDERS       40u
#define CROWD         100u
#define SENDERS_MAX   CROWD
#define QUEUE_NS      (400 * USEC) /* of each output: 250 packets of 5000 bytes */
#define COUNTED_NS    (20 * MSEC)  /* at the end */
#define SAMPLE_NS     (10 * USEC)  /* of the queue */
#define RTT_LEAST_NS  (8 * USEC)
#define RTT_SPREAD_NS (4 * USEC)
#define STARVED       0.25 /* of a fair share: less is starving */
#define USED          0.9  /* of a link: less is waste */
#define CROWD_JAIN    0.9
#define CROWD_NS      (200 * USEC) /* their queue: a packet of each takes 160 */

struct plan {
    uint32_t senders; /* the next host receives */
    uint64_t stagger_ns, end_ns;
    bool late; /* flows are opened when they are needed */
};

struct outcome {
    double jain, goodput, least;         /* goodput of all and of the least, as parts of the link */
    uint64_t median_ns, mean_ns, p99_ns; /* of the queue */
    uint64_t dropped, resent, timeouts;
};

static void start(struct fabric *fabric, const struct plan *plan)
{
    uint64_t begin = fabric->events.now;
    for (uint32_t i = 0; i < plan->senders; i++) {
        /* In order, so that the moments can be waited for: each within its own part of the time. */
        uint64_t part = plan->stagger_ns / plan->senders;
        fabric_run(fabric, begin + i * part + rng_below(&fabric->plan, part));
        fabric_call(fabric, i, plan->senders);
        fabric_pour(fabric, i, plan->senders);
    }
    fabric_run(fabric, begin + plan->end_ns - COUNTED_NS);
}

static void weigh(const struct fabric *fabric, uint32_t senders, const uint64_t *before,
                  struct outcome *outcome)
{
    double sum = 0, squares = 0, least = 1;
    for (uint32_t i = 0; i < senders; i++) {
        uint64_t bytes = fabric->engines[senders]->pairs[i].received - before[i];
        double share = fabric_goodput(bytes, COUNTED_NS);
        sum += share;
        squares += share * share;
        least = share < least ? share : least;
    }
    outcome->jain = sum * sum / (senders * squares);
    outcome->goodput = sum;
    outcome->least = least * senders;
}

static void measure(struct fabric *fabric, uint32_t senders, struct outcome *outcome)
{
    uint64_t before[SENDERS_MAX], end = fabric->events.now + COUNTED_NS;
    uint64_t dropped = fabric_dropped(fabric);
    struct series queue = {0};
    for (uint32_t i = 0; i < senders; i++)
        before[i] = fabric->engines[senders]->pairs[i].received;
    while (fabric->events.now < end) {
        fabric_run(fabric, fabric->events.now + SAMPLE_NS);
        series_add(&queue, fabric_queue_ns(fabric, senders));
    }
    weigh(fabric, senders, before, outcome);
    series_sort(&queue);
    outcome->median_ns = series_part(&queue, 500);
    outcome->p99_ns = series_part(&queue, 990);
    outcome->mean_ns = series_mean(&queue);
    series_free(&queue);
    outcome->dropped = fabric_dropped(fabric) - dropped;
    outcome->resent = fabric_resent(fabric);
    outcome->timeouts = fabric_timeouts(fabric);
}

static void one(struct scene *scene, const struct cc_ops *cc, const struct plan *plan,
                struct outcome *outcome)
{
    uint32_t senders = plan->senders;
    struct fabric_config config = {
        .seed = scene->seed, .hosts = senders + 1, .cc = cc, .queue_ns = QUEUE_NS};
    for (uint32_t i = 0; i < senders; i++)
        config.rtt_ns[i] = RTT_LEAST_NS + i * RTT_SPREAD_NS / (senders - 1);
    struct fabric *fabric = fabric_create(&config, scene->pool);
    for (uint32_t i = 0; !plan->late && i < senders; i++)
        fabric_connect(fabric, i, senders);
    start(fabric, plan);
    measure(fabric, senders, outcome);
    fabric_destroy(fabric);
    printf("  %-8s %7.3f %9.1f %% %7.1f %% %8.1f %8.1f %8.1f %8" PRIu64 " %8" PRIu64 " %9" PRIu64
           "\n",
           cc->name, outcome->jain, 100 * outcome->goodput, 100 * outcome->least,
           (double)outcome->median_ns / USEC, (double)outcome->mean_ns / USEC,
           (double)outcome->p99_ns / USEC, outcome->dropped, outcome->resent, outcome->timeouts);
}

/* Do the figures of a run keep these bounds? */
static bool keeps(const struct outcome *outcome, double jain, uint64_t queue_ns)
{
    return outcome->jain >= jain && outcome->median_ns <= queue_ns &&
           outcome->mean_ns <= queue_ns && outcome->least >= STARVED;
}

static const struct {
    const struct cc_ops *cc;
    double jain;
    uint64_t queue_ns;
    uint64_t dropped; /* packets; Timely touches the queue's end now and then */
} wanted[] = {{&cc_swift, 0.95, 100 * USEC, 0}, {&cc_timely, 0.85, 250 * USEC, UINT64_MAX}};

static void print_head(const char *what)
{
    printf("%s; least: of a fair share; queue in us\n"
           "  cc          jain     goodput     least   median     mean      p99  dropped    again"
           " time-outs\n",
           what);
}

void scene_incast(struct scene *scene)
{
    static const struct plan plan = {.senders = SENDERS,
                                     .stagger_ns = 2 * MSEC,
                                     .end_ns = 50 * MSEC};
    struct outcome outcome;
    print_head("40 to 1, starts within 2 ms, 8 to 12 us, the last 20 of 50 ms");
    for (uint32_t i = 0; i < RTE_DIM(wanted); i++) {
        one(scene, wanted[i].cc, &plan, &outcome);
        scene_expect(scene, keeps(&outcome, wanted[i].jain, wanted[i].queue_ns),
                     "%s: fair, nobody starved, a short queue", wanted[i].cc->name);
        scene_expect(scene, outcome.goodput >= USED, "%s: the link is used", wanted[i].cc->name);
        scene_expect(scene, outcome.dropped <= wanted[i].dropped, "%s: nothing is dropped",
                     wanted[i].cc->name);
    }
    one(scene, &cc_none, &plan, &outcome);
    for (uint32_t i = 0; i < RTE_DIM(wanted); i++)
        scene_expect(scene, !keeps(&outcome, wanted[i].jain, wanted[i].queue_ns),
                     "without congestion control the bounds of %s are broken", wanted[i].cc->name);
    scene_expect(scene, outcome.jain < wanted[1].jain && outcome.median_ns > wanted[1].queue_ns,
                 "without congestion control it is unfair, and the queue is long");
}

/* Timely is shown beside it: its rates have no such bound. */
void scene_crowd(struct scene *scene)
{
    static const struct plan plan = {.senders = CROWD, .stagger_ns = 2 * MSEC, .end_ns = 50 * MSEC};
    struct outcome outcome;
    print_head("100 to 1, starts within 2 ms, 8 to 12 us, the last 20 of 50 ms");
    one(scene, &cc_swift, &plan, &outcome);
    scene_expect(scene, keeps(&outcome, CROWD_JAIN, CROWD_NS),
                 "swift: fair, nobody starved, a queue of a packet of each");
    scene_expect(scene, outcome.goodput >= USED, "swift: the link is used");
    scene_expect(scene, outcome.dropped == 0, "swift: nothing is dropped");
    one(scene, &cc_timely, &plan, &outcome);
    scene_expect(scene, outcome.goodput >= USED, "timely: the link is used");
}

void scene_late(struct scene *scene)
{
    static const struct plan plan = {
        .senders = 8, .stagger_ns = 10 * MSEC, .end_ns = 100 * MSEC, .late = true};
    struct outcome outcome;
    print_head("8 to 1, opened one after another within 10 ms, the last 20 of 100 ms");
    for (uint32_t i = 0; i < RTE_DIM(wanted); i++) {
        one(scene, wanted[i].cc, &plan, &outcome);
        scene_expect(scene, keeps(&outcome, 0, wanted[i].queue_ns),
                     "%s, opened late: nobody starved, a short queue", wanted[i].cc->name);
    }
}
