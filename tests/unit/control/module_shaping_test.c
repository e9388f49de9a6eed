/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* What operators see of a shaper's classes: metrics, and how many of them. */
#include "saddle_v1_metrics.pb-c.h"
#include "tests/unit/control/modules_bed.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/shaper/bed.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MBIT    125000ull /* bytes per second */
#define PACKETS 16383u
#define MANY    600u /* classes: more than have metrics */

static struct shape_class classes[MANY];
static struct shape_rule rules[MANY];
static struct engine *toy;
static char *text;

/* The second engine of the plant is a shaper with that many classes, of which the first has a rate.
 */
static void begin(uint32_t count)
{
    const struct shape policy = {classes, count, rules, count};

    for (uint32_t i = 0; i < count; i++) {
        classes[i] = (struct shape_class){.weight = 1, .burst = 16384, .rate = i ? 0 : MBIT};
        snprintf(classes[i].name, sizeof(classes[i].name), "c%u", (unsigned)i);
        rules[i] = (struct shape_rule){.entry = (uint16_t)i, .has_session = true, .session = i + 1};
    }
    bed_make(&policy, 1, PACKETS);
    bed_setup();
    toy = bed_plant.engines[1].engine;
    bed_plant.engines[1].engine = bed.engine;
}

static void end(void)
{
    bed_plant.engines[1].engine = toy;
    bed_teardown();
    bed_end();
    free(text);
    text = NULL;
}

static void read_metrics(void)
{
    Saddle__V1__ReadMetricsRequest request = SADDLE__V1__READ_METRICS_REQUEST__INIT;

    ck_assert_int_eq(bed_call(LINK_HTTP_METRICS, &request.base), RPC_OK);
    free(text);
    text = strndup((const char *)bed_answer.bytes, bed_answer.length);
    ck_assert_ptr_nonnull(text);
}

static bool has_line(const char *line)
{
    const char *found = strstr(text, line);

    return found && found[strlen(line)] == '\n';
}

static uint32_t count_lines(const char *beginning)
{
    uint32_t count = 0;

    for (const char *at = text; (at = strstr(at, beginning)); at++)
        count += at == text || at[-1] == '\n';
    return count;
}

START_TEST(classes_have_metrics)
{
    begin(2);
    bed.sessions[1].frame = bed.sessions[2].frame = BED_FRAME;
    ck_assert(bed_give(1));
    ck_assert(bed_give(2));
    ck_assert(bed_give(2));
    bed_step();
    bed.room = 0;
    ck_assert(bed_give(2));
    bed_step();
    bed.now += NSEC_PER_SEC / 2;
    bed.room = UINT16_MAX;
    bed_step();
    bed.room = 0;
    ck_assert(bed_give(1));
    bed_step();
    read_metrics();
    ck_assert(has_line("saddle_classes{engine=\"shaper\"} 5"));
    ck_assert(has_line("# TYPE saddle_class_packets counter"));
    ck_assert(has_line("saddle_class_packets_total{engine=\"shaper\",class=\"root\"} 4"));
    ck_assert(has_line("saddle_class_packets_total{engine=\"shaper\",class=\"c1\"} 3"));
    ck_assert(has_line("saddle_class_bytes_total{engine=\"shaper\",class=\"c0\"} 324"));
    ck_assert(has_line("saddle_class_queued{engine=\"shaper\",class=\"c0\"} 1"));
    ck_assert(has_line("saddle_class_queued{engine=\"shaper\",class=\"c1\"} 0"));
    ck_assert(has_line("saddle_class_delayed_seconds_total{engine=\"shaper\",class=\"c1\"} "
                       "0.500000000"));
    ck_assert(has_line("# UNIT saddle_class_rate_bytes_per_second bytes_per_second"));
    ck_assert(has_line("saddle_class_rate_bytes_per_second{engine=\"shaper\",class=\"c0\"} "
                       "125000"));
    ck_assert(has_line("saddle_class_tokens_bytes{engine=\"shaper\",class=\"c0\"} 16060"));
    ck_assert(has_line("saddle_class_exhausted_total{engine=\"shaper\",class=\"c0\"} 0"));
    /* What has no rate is out of tokens never. */
    ck_assert_uint_eq(count_lines("saddle_class_exhausted_total{"), 1);
    ck_assert_uint_eq(count_lines("saddle_class_rate_bytes_per_second{"), 1);
    bed.room = UINT16_MAX;
    bed_step();
    end();
}
END_TEST

START_TEST(a_class_that_is_held_back_counts_it)
{
    begin(1);
    bed_want(1, 1400);
    bed_run(NSEC_PER_SEC);
    bed_want(1, 0);
    read_metrics();
    ck_assert_uint_eq(count_lines("saddle_class_exhausted_total{engine=\"shaper\",class=\"c0\"}"),
                      1);
    ck_assert(!has_line("saddle_class_exhausted_total{engine=\"shaper\",class=\"c0\"} 0"));
    end();
}
END_TEST

/* However many there are. */
START_TEST(metrics_of_classes_are_bounded)
{
    begin(MANY);
    read_metrics();
    ck_assert(has_line("saddle_classes{engine=\"shaper\"} 603"));
    ck_assert_uint_eq(count_lines("saddle_class_packets_total{"), 512);
    ck_assert(has_line("saddle_class_packets_total{engine=\"shaper\",class=\"c508\"} 0"));
    ck_assert_uint_eq(count_lines("saddle_class_packets_total{engine=\"shaper\",class=\"c509\"}"),
                      0);
    end();
}
END_TEST

START_TEST(without_a_shaper_there_are_none)
{
    begin(1);
    bed_plant.engines[1].engine = toy;
    read_metrics();
    ck_assert_uint_eq(count_lines("saddle_class_packets_total{"), 0);
    ck_assert_uint_eq(count_lines("saddle_classes{"), 0);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("module_shaping");
    TCase *tcase = tcase_create("module_shaping");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 30);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_test(tcase, classes_have_metrics);
    tcase_add_test(tcase, a_class_that_is_held_back_counts_it);
    tcase_add_test(tcase, metrics_of_classes_are_bounded);
    tcase_add_test(tcase, without_a_shaper_there_are_none);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
