/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The store-buffer race of arming and ringing, on the machine itself, since a model checker sees
 * only sequential consistency. In each round one thread arms and looks, the other publishes and
 * asks whether to ring; if the first sees nothing and the second rings nobody, a wake-up is lost.
 *
 * The file is built twice: with the doorbell as it is, which must lose none; and with the exchange
 * weakened to a release store and an acquire load (WAKEUP_LOSES), which must lose some, or the race
 * was never run.
 */
#include "mailbox/doorbell.h"
#include "mailbox/queue.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#ifdef WAKEUP_LOSES
#define ROUNDS  50000000u /* a bound: the first loss ends it, usually within some thousands */
#define LOSSES  1u        /* as many end the run */
#define SECONDS 100       /* a bound for machines that are busy with other things */
#else
#define ROUNDS  1000000u
#define LOSSES  UINT32_MAX
#define SECONDS 15
#endif
#define CLOCK_ROUNDS 1024u /* rounds between two looks at the clock */
#define SPINS        2000u /* looks at the other thread before it yields the processor */
/* The sleeper learns of a round some hundred nanoseconds after it began: the producer waits up to
 * this many steps of a nanosecond or so, a different number in each round, so that some meet. */
#define SKEW 512u

struct race {
    struct queue queue;
    _Alignas(SADDLE_CACHE_LINE) uint32_t round;   /* the producer's: the round that may start */
    _Alignas(SADDLE_CACHE_LINE) uint32_t arrived; /* the consumer's: the round it has ended */
    bool sleeps;                                  /* the consumer saw nothing in that round */
    uint32_t lost;
    bool over; /* the round that was announced does not come */
};

/* Puts the calling thread on the `index`th processor it may use: the race needs two at once. */
static void pin(uint32_t index)
{
    cpu_set_t may;
    cpu_set_t one;

    if (sched_getaffinity(0, sizeof(may), &may) < 0)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &may) || index-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof(one), &one);
        return;
    }
}

static void await(const uint32_t *word, uint32_t value)
{
    for (uint32_t spins = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; spins++) {
        if (spins >= SPINS)
            sched_yield();
    }
}

static void *sleeper(void *argument)
{
    struct race *race = (struct race *)argument;
    uint32_t *armed = &race->queue.header->armed;
    struct queue_consumer consumer;

    pin(1);
    queue_consumer_open(&consumer, &race->queue, 0);
    for (uint32_t round = 1;; round++) {
        struct saddle_command command;

        await(&race->round, round);
        if (race->over)
            break;
        doorbell_arm(armed);
        race->sleeps = queue_empty(&consumer);
        __atomic_store_n(&race->arrived, round, __ATOMIC_RELEASE);
        while (queue_empty(&consumer))
            sched_yield();
        queue_pop(&consumer, &command);
        queue_consumed(&consumer, true);
    }
    return NULL;
}

static void skew(uint32_t steps)
{
    for (volatile uint32_t step = 0; step < steps; step = step + 1)
        continue;
}

static bool late(time_t end)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec >= end;
}

static time_t end_of_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + SECONDS;
}

/* One round: true if a wake-up was lost. */
static bool run_round(struct race *race, struct queue_producer *producer, uint32_t round)
{
    uint32_t *armed = &race->queue.header->armed;
    bool rings;

    while (queue_room(producer) < 1)
        sched_yield();
    __atomic_store_n(armed, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&race->round, round, __ATOMIC_RELEASE);
    skew(round * 7u % SKEW);
    queue_reserve(producer);
    queue_publish(producer);
    rings = doorbell_due(armed);
    await(&race->arrived, round);
    return race->sleeps && !rings;
}

static void run(struct race *race)
{
    struct queue_producer producer;
    time_t end = end_of_time();
    uint32_t round = 1;

    pin(0);
    queue_producer_open(&producer, &race->queue, 0);
    for (; round <= ROUNDS && race->lost < LOSSES; round++) {
        if (round % CLOCK_ROUNDS == 0 && late(end))
            break;
        race->lost += run_round(race, &producer, round);
    }
    race->over = true;
    __atomic_store_n(&race->round, round, __ATOMIC_RELEASE);
}

static uint32_t lost_wakeups(void)
{
    const struct queue_attrs attrs = {.name = "race", .capacity = 1};
    struct race race = {0};
    void *memory = aligned_alloc(SADDLE_ENTRY_BYTES, queue_bytes(attrs.capacity));
    pthread_t thread;

    ck_assert_ptr_nonnull(memory);
    ck_assert_int_eq(queue_create(&race.queue, &attrs, memory), 0);
    queue_format(&race.queue, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, sleeper, &race), 0);
    run(&race);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    free(memory);
    return race.lost;
}

#ifdef WAKEUP_LOSES
START_TEST(acquire_and_release_lose_wakeups)
{
    ck_assert_uint_gt(lost_wakeups(), 0);
}
END_TEST
#define RACE acquire_and_release_lose_wakeups
#else
START_TEST(exchanges_lose_no_wakeup)
{
    ck_assert_uint_eq(lost_wakeups(), 0);
}
END_TEST
#define RACE exchanges_lose_no_wakeup
#endif

int main(void)
{
    Suite *suite = suite_create("wakeup");
    TCase *race = tcase_create("race");
    SRunner *runner;
    int failed;

    tcase_add_test(race, RACE);
    tcase_set_timeout(race, 110);
    suite_add_tcase(suite, race);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
