/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader on real threads: with a rebalancer without hysteresis, which moves engines to and fro
 * as fast as it can, nothing that was posted may be lost, and no engine may run twice at once.
 */
#include "sched/leader.h"
#include "sched/worker.h"
#include "tests/unit/sched/toy.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREADS   3u
#define TOYS      4u
#define MOVES_MIN 2000u /* forced ones */
#define TURNS_NS  1000u /* of a look: whatever it sees is too late */
#define CALL_NS   (30 * NSEC_PER_SEC)

struct bench {
    struct leader *leader;
    struct worker *workers[THREADS];
    struct decisions *decisions;
    struct toy *toys[TOYS];
    uint64_t posted[TOYS];
    _Atomic bool stop;
};

static void *zeroed(size_t bytes)
{
    void *memory = NULL;
    ck_assert_int_eq(posix_memalign(&memory, alignof(struct worker), bytes), 0);
    memset(memory, 0, bytes);
    return memory;
}

static void open_bench(struct bench *bench, const struct balance_config *balance)
{
    const struct group_config config = {.name = "bench",
                                        .mode = &group_mode_compacting,
                                        .idle_ns = 20 * NSEC_PER_USEC};
    memset(bench, 0, sizeof(*bench));
    bench->decisions = zeroed(sizeof(*bench->decisions));
    decisions_init(bench->decisions);
    ck_assert_int_eq(leader_create(&bench->leader, balance, bench->decisions), 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        bench->workers[i] = zeroed(sizeof(struct worker));
        bench->workers[i]->leader = i == 0 ? bench->leader : NULL;
        ck_assert_int_eq(worker_start(bench->workers[i], &config), 0);
        leader_add_thread(bench->leader, bench->workers[i]);
    }
    for (uint32_t i = 0; i < TOYS; i++) {
        bench->toys[i] = toy_create("toy");
        struct worker_seat seat = {.worker = bench->workers[0], .engine = &bench->toys[i]->engine};
        ck_assert_int_eq(worker_add(&seat, 1), 0);
        leader_add(bench->leader, seat.engine, 0);
    }
}

static void close_bench(struct bench *bench)
{
    for (uint32_t i = 0; i < TOYS; i++) {
        struct engine *engine = &bench->toys[i]->engine;
        struct worker_seat seat = {.worker = leader_find(bench->leader, engine), .engine = engine};
        ck_assert_int_eq(worker_remove(&seat, 1), 0);
        leader_remove(bench->leader, engine);
        ck_assert_ptr_null(leader_find(bench->leader, engine));
        ck_assert_uint_eq(atomic_load(&bench->toys[i]->overlaps), 0);
        engine->ops->destroy(engine);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        worker_stop(bench->workers[i]);
    for (uint32_t i = 0; i < THREADS; i++) {
        worker_close(bench->workers[i]);
        free(bench->workers[i]);
    }
    leader_destroy(bench->leader);
    leader_destroy(NULL);
    free(bench->decisions);
}

static void *produce(void *argument)
{
    struct bench *bench = argument;
    for (uint32_t i = 0; !atomic_load(&bench->stop); i++) {
        uint32_t at = i % TOYS;
        if (i % 3)
            toy_post(bench->toys[at]);
        else
            toy_arrive(bench->toys[at]);
        bench->posted[at]++;
        if (i % 16 == 0)
            sched_yield();
    }
    return NULL;
}

static uint64_t moves(const struct bench *bench)
{
    uint64_t count = 0;
    for (uint32_t i = BALANCE_SCALE_OUT; i < BALANCE_ACTION_END; i++)
        count += decisions_count(bench->decisions, (enum balance_action)i);
    return count;
}

static int count_runs(void *context, void *argument)
{
    (void)context;
    ++*(uint64_t *)argument;
    return 0;
}

/* Moves of the test's own, as many as there are, from thread to thread. */
static void move_by_hand(struct bench *bench, uint64_t wanted)
{
    for (uint64_t i = 0; i < wanted; i++) {
        struct engine *engine = &bench->toys[i % TOYS]->engine;
        struct worker *from = bench->workers[i / TOYS % THREADS];
        struct worker *to = bench->workers[(i / TOYS + 1) % THREADS];
        ck_assert_int_eq(worker_move(from, engine, to), 0);
        ck_assert_int_eq(worker_move(from, engine, to), -ENOENT);
    }
}

START_TEST(forced_moves_lose_nothing)
{
    const struct balance_config balance = {.threads = 1};
    struct bench bench;
    pthread_t producer;
    open_bench(&bench, &balance);
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, &bench), 0);
    /* Whole rounds of all threads: they end where they began. */
    move_by_hand(&bench, (uint64_t)TOYS * THREADS * (MOVES_MIN / (TOYS * THREADS) + 1));
    atomic_store(&bench.stop, true);
    ck_assert_int_eq(pthread_join(producer, NULL), 0);
    for (uint32_t i = 0; i < TOYS; i++) {
        toy_await_handled(bench.toys[i], bench.posted[i]);
        ck_assert_uint_eq(atomic_load(&bench.toys[i]->handled), bench.posted[i]);
    }
    close_bench(&bench);
}
END_TEST

START_TEST(a_hasty_leader_loses_nothing)
{
    const struct balance_config balance = {
        .slo_ns = TURNS_NS, .period_ns = TURNS_NS, .threads = 1, .hasty = true};
    struct bench bench;
    pthread_t producer;
    uint64_t calls = 0, answered = 0;
    open_bench(&bench, &balance);
    leader_release(bench.workers[0]);
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, &bench), 0);
    while (moves(&bench) < MOVES_MIN) {
        int result = -1;
        struct mailbox *mailbox = &bench.toys[calls % TOYS]->engine.mailbox;
        ck_assert_int_eq(mailbox_call(mailbox, count_runs, &answered, CALL_NS, &result), 0);
        calls++;
    }
    atomic_store(&bench.stop, true);
    ck_assert_int_eq(pthread_join(producer, NULL), 0);
    for (uint32_t i = 0; i < TOYS; i++) {
        toy_await_handled(bench.toys[i], bench.posted[i]);
        ck_assert_uint_eq(atomic_load(&bench.toys[i]->handled), bench.posted[i]);
    }
    ck_assert_uint_eq(answered, calls);
    ck_assert_int_eq(leader_hold(bench.workers[0]), 0);
    /* Held, it begins no move. */
    uint64_t before = moves(&bench);
    for (uint32_t i = 0; i < TOYS; i++) {
        toy_post(bench.toys[i]);
        toy_await_handled(bench.toys[i], bench.posted[i] + 1);
    }
    ck_assert_uint_eq(moves(&bench), before);
    close_bench(&bench);
}
END_TEST

static int hang(void *context, void *argument)
{
    _Atomic int *phase = argument;
    (void)context;
    atomic_store(phase, 1);
    while (atomic_load(phase) == 1)
        sched_yield();
    return 0;
}

/* It hangs as it is to be released: once it comes round it moves engines again. */
START_TEST(a_thread_that_hangs_does_not_stay_held)
{
    const struct balance_config balance = {
        .slo_ns = TURNS_NS, .period_ns = TURNS_NS, .threads = 1, .hasty = true};
    struct bench bench;
    _Atomic int phase = 0;
    open_bench(&bench, &balance);
    ck_assert_int_eq(mailbox_post(&bench.toys[0]->engine.mailbox, hang, &phase), 0);
    while (atomic_load(&phase) == 0)
        sched_yield();
    leader_release(bench.workers[0]);
    atomic_store(&phase, 2);
    for (uint64_t i = 0; moves(&bench) == 0; i++) {
        struct toy *toy = bench.toys[i % TOYS];
        toy_post(toy);
        toy_await_handled(toy, i / TOYS + 1);
    }
    ck_assert_int_eq(leader_hold(bench.workers[0]), 0);
    close_bench(&bench);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/leader");
    TCase *tests = tcase_create("leader");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, forced_moves_lose_nothing);
    tcase_add_test(tests, a_hasty_leader_loses_nothing);
    tcase_add_test(tests, a_thread_that_hangs_does_not_stay_held);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
