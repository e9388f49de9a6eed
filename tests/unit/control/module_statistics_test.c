/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "saddle_v1_statistics.pb-c.h"
#include "tests/unit/control/modules_bed.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define GET   "saddle.v1.Statistics/Get"
#define WATCH "saddle.v1.Statistics/Watch"
#define CALL  3u

static char alpha[] = "alpha", nobody[] = "nobody", port[] = "p";

static Saddle__V1__StatisticsSample *unpack(void)
{
    return saddle__v1__statistics_sample__unpack(NULL, bed_answer.length, bed_answer.bytes);
}

static uint64_t counter(const Saddle__V1__Counters *of, const char *name)
{
    for (size_t i = 0; i < of->n_counters; i++) {
        if (!strcmp(of->counters[i]->name, name))
            return of->counters[i]->value;
    }
    ck_abort_msg("%s has no counter %s", of->name, name);
}

START_TEST(everything_if_nothing_is_named)
{
    Saddle__V1__GetStatisticsRequest request = SADDLE__V1__GET_STATISTICS_REQUEST__INIT;
    Saddle__V1__StatisticsSample *sample;

    atomic_store(&bed_world.plant->engines[1].engine->runs, UINT64_MAX);
    histogram_record(&bed_world.plant->engines[1].engine->delays, 4711);
    ck_assert_uint_eq(bed_call(GET, &request.base), RPC_OK);
    sample = unpack();
    ck_assert_uint_eq(sample->n_engines, 2);
    ck_assert_uint_eq(sample->n_groups, 1);
    ck_assert_uint_eq(sample->n_ports, 1);
    ck_assert_str_eq(sample->engines[1]->name, "beta");
    ck_assert(counter(sample->engines[1], "runs") == UINT64_MAX);
    ck_assert_str_eq(sample->groups[0]->name, "main");
    counter(sample->groups[0], "sleeps");
    ck_assert_uint_eq(counter(sample->groups[0], "scale_outs"), 0);
    ck_assert_uint_eq(counter(sample->engines[1], "queueing_delays"), 1);
    ck_assert_uint_eq(counter(sample->engines[1], "queueing_delay_p99_ns"), 4711);
    ck_assert_uint_eq(counter(sample->ports[0], "packets_received"), 17);
    ck_assert_uint_gt(sample->time_ns, sample->monotonic_ns);
    saddle__v1__statistics_sample__free_unpacked(sample, NULL);
}
END_TEST

START_TEST(what_is_named_alone)
{
    Saddle__V1__GetStatisticsRequest request = SADDLE__V1__GET_STATISTICS_REQUEST__INIT;
    char *engines[] = {alpha, alpha}, *ports[] = {port};
    Saddle__V1__StatisticsSample *sample;

    request.engines = engines;
    request.n_engines = 2;
    ck_assert_uint_eq(bed_call(GET, &request.base), RPC_OK);
    sample = unpack();
    ck_assert_uint_eq(sample->n_engines, 1);
    ck_assert_uint_eq(sample->n_groups + sample->n_ports, 0);
    saddle__v1__statistics_sample__free_unpacked(sample, NULL);
    request.ports = ports;
    request.n_ports = 1;
    ck_assert_uint_eq(bed_call(GET, &request.base), RPC_OK);
    sample = unpack();
    ck_assert_uint_eq(sample->n_engines, 1);
    ck_assert_uint_eq(sample->n_ports, 1);
    saddle__v1__statistics_sample__free_unpacked(sample, NULL);
}
END_TEST

START_TEST(wrong_requests)
{
    Saddle__V1__GetStatisticsRequest request = SADDLE__V1__GET_STATISTICS_REQUEST__INIT;
    Saddle__V1__WatchStatisticsRequest watch = SADDLE__V1__WATCH_STATISTICS_REQUEST__INIT;
    const uint64_t intervals[] = {1, NSEC_PER_SEC - 1, 3600 * NSEC_PER_SEC + 1, UINT64_MAX};
    char *names[PLANT_MAX + 1];

    for (uint32_t i = 0; i <= PLANT_MAX; i++)
        names[i] = alpha;
    request.engines = watch.engines = names;
    request.n_engines = watch.n_engines = PLANT_MAX + 1;
    ck_assert_uint_eq(bed_call(GET, &request.base), RPC_INVALID_ARGUMENT);
    ck_assert_uint_eq(bed_call(WATCH, &watch.base), RPC_INVALID_ARGUMENT);
    request.n_engines = watch.n_engines = 1;
    names[0] = nobody;
    ck_assert_uint_eq(bed_call(GET, &request.base), RPC_NOT_FOUND);
    ck_assert_str_eq(bed_answer.text, "there is no engine \"nobody\"");
    ck_assert_uint_eq(bed_call(WATCH, &watch.base), RPC_NOT_FOUND);
    watch.n_engines = 0;
    watch.groups = names;
    watch.n_groups = 1;
    ck_assert_uint_eq(bed_call(WATCH, &watch.base), RPC_NOT_FOUND);
    ck_assert_str_eq(bed_answer.text, "there is no group \"nobody\"");
    watch.n_groups = 0;
    for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
        watch.interval_ns = intervals[i];
        ck_assert_uint_eq(bed_call(WATCH, &watch.base), RPC_INVALID_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(bed_answer.text, "interval_ns"));
    }
}
END_TEST

START_TEST(a_sample_at_each_interval)
{
    Saddle__V1__WatchStatisticsRequest request = SADDLE__V1__WATCH_STATISTICS_REQUEST__INIT;
    bool ended;

    request.interval_ns = 3 * NSEC_PER_SEC;
    bed_begin(CALL, WATCH, &request.base);
    bed_expect();
    for (int i = 0; i < 2; i++) {
        bed_second(3);
        ck_assert(!bed_take(&ended));
        bed_second(3);
        ck_assert(!bed_take(&ended));
        bed_second(3);
        bed_expect();
    }
    bed_put(CALL, LINK_CANCEL, NULL, 0);
    ck_assert(bed_take(&ended) && ended);
    for (int i = 0; i < 4; i++)
        bed_second(3);
    ck_assert(!bed_take(&ended));
}
END_TEST

/* The value that the next sample has. */
static uint64_t next_runs(void)
{
    Saddle__V1__StatisticsSample *sample;
    uint64_t runs;

    bed_expect();
    sample = unpack();
    runs = counter(sample->engines[0], "runs");
    saddle__v1__statistics_sample__free_unpacked(sample, NULL);
    return runs;
}

START_TEST(a_slow_reader_gets_the_latest)
{
    Saddle__V1__WatchStatisticsRequest request = SADDLE__V1__WATCH_STATISTICS_REQUEST__INIT;
    const uint64_t seconds = 100;
    char *names[] = {alpha};
    bool ended;

    request.engines = names;
    request.n_engines = 1;
    bed_begin(CALL, WATCH, &request.base);
    for (uint64_t i = 1; i <= seconds; i++) {
        atomic_store(&bed_world.plant->engines[0].engine->runs, i);
        bed_second(3);
    }
    for (uint64_t i = 0; i < LINK_CREDITS; i++)
        ck_assert_uint_eq(next_runs(), i);
    ck_assert(!bed_take(&ended));
    for (int i = 0; i < 2; i++)
        bed_put(CALL, LINK_CREDIT, NULL, 0);
    ck_assert_uint_eq(next_runs(), LINK_CREDITS); /* the one that waited */
    bed_second(3);
    ck_assert_uint_eq(next_runs(), seconds);
    ck_assert(!bed_take(&ended));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("module_statistics");
    TCase *tcase = tcase_create("module_statistics");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, bed_setup, bed_teardown);
    tcase_add_test(tcase, everything_if_nothing_is_named);
    tcase_add_test(tcase, what_is_named_alone);
    tcase_add_test(tcase, wrong_requests);
    tcase_add_test(tcase, a_sample_at_each_interval);
    tcase_add_test(tcase, a_slow_reader_gets_the_latest);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
