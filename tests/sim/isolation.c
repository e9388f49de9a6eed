/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-isolation: what applications of one engine do to each other, and what they are charged, in
 * virtual time. Each scene prints what it found and what was expected of it.
 */
#include "tests/sim/isolation_bed.h"
#include "tests/sim/packets.h"

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PACKETS 32767u
#define SAMPLES      1000u /* round trips: the 99th part of a hundred is the tenth from the end */
#define NEAR_NS      5000u /* one way */
#define FAR_NS       20000u
#define MOST         2.0  /* times what its round trip is alone */
#define WORKS        100u /* operations of the one that floods: large ones take long */
#define WARM_NS      (5 * MSEC)
#define LOAD_NS      (50 * MSEC)
#define PERCENT      100.0

static struct rte_mempool *pool;
static unsigned expected, missed;

static void expect(bool met, const char *what)
{
    expected++;
    missed += !met;
    if (!met)
        printf("  NOT MET: %s\n", what);
}

/* ---- A quiet session beside one that floods ---- */

/* Both ends of the pair that floods are beside the quiet one's: it floods, and is flooded. */
static void beside(const char *name, enum bed_work work)
{
    const struct bed_pair pairs[] = {{.work = BED_QUIET}, {.work = work}};
    struct bed *bed = bed_create(pairs, RTE_DIM(pairs), FAR_NS, pool);
    bed_work(bed, 0, true);
    uint64_t alone = bed_p99(bed, SAMPLES);
    bed_work(bed, 1, true);
    bed_run(bed, WARM_NS);
    uint64_t crowded = bed_p99(bed, SAMPLES);
    uint64_t finished = bed->apps[0][1].finished;
    printf("%s: round trip p99 alone %.1f us, beside it %.1f us; %llu operations of its\n", name,
           (double)alone / USEC, (double)crowded / USEC, (unsigned long long)finished);
    expect((double)crowded <= MOST * (double)alone,
           "a quiet session's p99 is at most twice as long");
    expect(finished > WORKS, "the other one works");
    expect(bed->apps[0][1].failed + bed->apps[1][1].failed == 0, "nothing fails");
    bed_destroy(bed);
}

static void scene_small(void)
{
    beside("small messages", BED_SMALL);
}

static void scene_reads(void)
{
    beside("one-sided reads", BED_READS);
}

static void scene_large(void)
{
    beside("large messages", BED_LARGE);
}

/* ---- What is charged ---- */

static double ratio(const uint64_t before[2], const uint64_t after[2])
{
    return (double)(after[0] - before[0]) / (double)(after[1] - before[1]);
}

static bool near_to(double value, double wanted, double percent)
{
    return value > wanted * (1 - percent / PERCENT) && value < wanted * (1 + percent / PERCENT);
}

/* Runs both pairs under load; how the charges of each host are to each other. */
static void charge(struct bed *bed, double found[BED_HOSTS])
{
    uint64_t before[BED_HOSTS][2], after[BED_HOSTS][2];
    bed_work(bed, 0, true);
    bed_work(bed, 1, true);
    bed_run(bed, WARM_NS);
    for (uint32_t i = 0; i < BED_HOSTS * 2; i++)
        before[i / 2][i % 2] = bed_charged(bed, i / 2, i % 2);
    bed_run(bed, LOAD_NS);
    for (uint32_t i = 0; i < BED_HOSTS * 2; i++)
        after[i / 2][i % 2] = bed_charged(bed, i / 2, i % 2);
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        found[i] = ratio(before[i], after[i]);
}

static void scene_charges(void)
{
    const struct bed_pair pairs[] = {{.work = BED_PACED, .burst = 30},
                                     {.work = BED_PACED, .burst = 10}};
    struct bed *bed = bed_create(pairs, RTE_DIM(pairs), NEAR_NS, pool);
    double found[BED_HOSTS];
    charge(bed, found);
    printf("three times the work: charged %.3f and %.3f times as much\n", found[0], found[1]);
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        expect(near_to(found[i], 3, 5), "work of 3 to 1 is charged 3 to 1, within 5 %");
    bed_destroy(bed);
}

static void scene_weights(void)
{
    const struct bed_pair pairs[] = {{.work = BED_READS, .grant.weight = 3},
                                     {.work = BED_READS, .grant.weight = 1}};
    struct bed *bed = bed_create(pairs, RTE_DIM(pairs), NEAR_NS, pool);
    double found[BED_HOSTS];
    charge(bed, found);
    printf("weights of 3 and 1: charged %.3f and %.3f times as much\n", found[0], found[1]);
    /* The busier of the two hosts is where both wait for their turn. */
    double most = found[0] > found[1] ? found[0] : found[1];
    expect(near_to(most, 3, 10), "weights of 3 to 1 get 3 to 1 of the time, within 10 %");
    bed_destroy(bed);
}

/* Under load, what is nobody's is little, and nothing is left over but what a turn costs beside. */
static void scene_overhead(void)
{
    const struct bed_pair pairs[] = {{.work = BED_SMALL}, {.work = BED_LARGE}};
    struct bed *bed = bed_create(pairs, RTE_DIM(pairs), NEAR_NS, pool);
    bed_work(bed, 0, true);
    bed_work(bed, 1, true);
    bed_run(bed, WARM_NS);
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        const struct meter *meter = &bed->sim.hosts[i]->engine->meter;
        uint64_t owned = account_ns(&meter->owned), overhead = account_ns(&meter->overhead);
        uint64_t idle = account_ns(&meter->idle), sessions = 0, start = bed->sim.events.now;
        uint64_t charged[] = {bed_charged(bed, i, 0), bed_charged(bed, i, 1)};
        bed_run(bed, LOAD_NS);
        owned = account_ns(&meter->owned) - owned;
        overhead = account_ns(&meter->overhead) - overhead;
        idle = account_ns(&meter->idle) - idle;
        for (uint32_t j = 0; j < RTE_DIM(charged); j++)
            sessions += bed_charged(bed, i, j) - charged[j];
        double part = PERCENT * (double)overhead / (double)(owned + overhead);
        printf("host %u: %.1f %% overhead of %.1f ms of work in %.1f ms\n", i, part,
               (double)(owned + overhead) / MSEC, (double)(bed->sim.events.now - start) / MSEC);
        expect(part <= 15, "at most 15 % are nobody's");
        expect(sessions == owned, "what sessions are charged is what is not nobody's");
        expect(owned + overhead + idle <= bed->sim.events.now - start + 2 * ENGINE_BUDGET_NS,
               "no time is charged twice");
    }
    bed_destroy(bed);
}

/* ---- Quotas ---- */

static void scene_quota(void)
{
    const struct bed_pair pairs[] = {{.work = BED_READS, .grant.cpu_share = 200000}};
    struct bed *bed = bed_create(pairs, RTE_DIM(pairs), NEAR_NS, pool);
    struct bed_app *caller = &bed->apps[0][0];
    struct pony_usage usage;
    bed_work(bed, 0, true);
    bed_run(bed, WARM_NS);
    uint64_t before = bed_charged(bed, 0, 0);
    bed_run(bed, 4 * LOAD_NS);
    double share = PERCENT * (double)(bed_charged(bed, 0, 0) - before) / (4.0 * LOAD_NS);
    pony_session_usage(caller->pony, &usage);
    printf("quota of 20 %%: charged %.2f %% of the time, throttled for %.1f ms\n", share,
           (double)usage.throttled_ns / MSEC);
    expect(near_to(share, 20, 5), "a session gets its quota and no more, within 5 %");
    expect(usage.throttled_ns > 0, "the time it is throttled is counted");
    bed_work(bed, 0, false);
    bed_run(bed, LOAD_NS);
    expect(caller->begun == caller->finished && caller->failed == 0, "nothing is lost");
    bed_destroy(bed);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenes[] = {
    {"small", scene_small},     {"reads", scene_reads},     {"large", scene_large},
    {"charges", scene_charges}, {"weights", scene_weights}, {"overhead", scene_overhead},
    {"quota", scene_quota},
};

static void usage_of(void)
{
    fprintf(stderr, "usage: saddle-isolation [--expect-unfair] SCENE...\nscenes:");
    for (size_t i = 0; i < RTE_DIM(scenes); i++)
        fprintf(stderr, " %s", scenes[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

int main(int argc, char **argv)
{
    bool unfair = argc > 1 && strcmp(argv[1], "--expect-unfair") == 0;
    int first = unfair ? 2 : 1;
    if (first >= argc)
        usage_of();
    pool = packets_start("saddle-isolation", POOL_PACKETS);
    for (int i = first; i < argc; i++) {
        size_t at = 0;
        while (at < RTE_DIM(scenes) && strcmp(scenes[at].name, argv[i]) != 0)
            at++;
        if (at == RTE_DIM(scenes))
            usage_of();
        scenes[at].run();
    }
    printf("%u of %u expectations met\n", expected - missed, expected);
    rte_mempool_free(pool);
    rte_eal_cleanup();
    return (missed > 0) == unfair ? EXIT_SUCCESS : EXIT_FAILURE;
}
