/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "saddle_v1_metrics.pb-c.h"
#include "saddle_v1_upgrades.pb-c.h"
#include "tests/unit/control/modules_bed.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct upgrades *history;

static void setup(void)
{
    bed_setup();
    ck_assert_int_eq(upgrades_create(&history), 0);
    bed_world.upgrades = history;
}

static void teardown(void)
{
    bed_teardown();
    upgrades_destroy(history);
}

static void add(enum upgrade_outcome outcome, const char *set, uint64_t blackout_ns)
{
    struct upgrade_record upgrade = {
        .total_ns = 9,
        .outcome = outcome,
        .newcomer = true,
        .peer = 77,
        .release = "0.2.0",
        .set_count = 1,
        .sets = {{.place = UPGRADE_HERE,
                  .brownout_ns = 1500000000,
                  .blackout_ns = blackout_ns,
                  .missed = 3,
                  .retransmitted = 4,
                  .step = "run",
                  .blackout_at_ns = 11}},
    };

    snprintf(upgrade.sets[0].name, sizeof(upgrade.sets[0].name), "%s", set);
    upgrades_add(history, bed_world.events, &upgrade);
}

static Saddle__V1__ListUpgradesResponse *list(void)
{
    Saddle__V1__ListUpgradesRequest request = SADDLE__V1__LIST_UPGRADES_REQUEST__INIT;

    ck_assert_uint_eq(bed_call("saddle.v1.Upgrades/List", &request.base), RPC_OK);
    return saddle__v1__list_upgrades_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
}

START_TEST(the_history_is_listed)
{
    Saddle__V1__ListUpgradesResponse *found = list();

    ck_assert_uint_eq(found->n_upgrades, 0);
    saddle__v1__list_upgrades_response__free_unpacked(found, NULL);
    for (uint32_t i = 0; i < UPGRADES_KEPT; i++)
        add(UPGRADE_CHECKED, "alpha", 5);
    add(UPGRADE_MOVED, "beta", 7);
    found = list();
    ck_assert_uint_eq(found->n_upgrades, UPGRADES_KEPT);
    ck_assert_uint_eq(found->upgrades[0]->number, 2);
    ck_assert_int_eq(found->upgrades[UPGRADES_KEPT - 1]->outcome, UPGRADE_MOVED);
    ck_assert_int_eq(found->upgrades[UPGRADES_KEPT - 1]->role,
                     SADDLE__V1__UPGRADE_ROLE__UPGRADE_ROLE_NEW);
    ck_assert_str_eq(found->upgrades[UPGRADES_KEPT - 1]->release, "0.2.0");
    ck_assert_uint_eq(found->upgrades[UPGRADES_KEPT - 1]->n_sets, 1);
    ck_assert_str_eq(found->upgrades[UPGRADES_KEPT - 1]->sets[0]->name, "beta");
    ck_assert_uint_eq(found->upgrades[UPGRADES_KEPT - 1]->sets[0]->blackout_ns, 7);
    ck_assert_uint_eq(found->upgrades[UPGRADES_KEPT - 1]->sets[0]->retransmitted, 4);
    ck_assert_uint_eq(found->upgrades[UPGRADES_KEPT - 1]->sets[0]->blackout_at_ns, 11);
    saddle__v1__list_upgrades_response__free_unpacked(found, NULL);
}
END_TEST

static void expect_metric(const char *line)
{
    char whole[256];

    snprintf(whole, sizeof(whole), "\n%s\n", line);
    ck_assert_msg(strstr((const char *)bed_answer.bytes, whole) != NULL, "there is no %s", line);
}

static void read_metrics(void)
{
    Saddle__V1__ReadMetricsRequest request = SADDLE__V1__READ_METRICS_REQUEST__INIT;

    ck_assert_uint_eq(bed_call("saddle.v1.Metrics/Read", &request.base), RPC_OK);
    ck_assert_uint_lt(bed_answer.length, sizeof(bed_answer.bytes));
    bed_answer.bytes[bed_answer.length] = '\0';
}

START_TEST(metrics)
{
    read_metrics();
    expect_metric("saddle_upgrades_total{outcome=\"moved\"} 0");
    ck_assert_ptr_null(
        strstr((const char *)bed_answer.bytes, "\nsaddle_upgrade_blackout_seconds{"));
    ck_assert_ptr_null(strstr((const char *)bed_answer.bytes, "\nsaddle_upgrade_missed_packets{"));
    add(UPGRADE_CAME_BACK, "alpha", 1);
    add(UPGRADE_MOVED, "beta", 2500000);
    read_metrics();
    expect_metric("saddle_upgrades_total{outcome=\"moved\"} 1");
    expect_metric("saddle_upgrades_total{outcome=\"came_back\"} 1");
    expect_metric("saddle_upgrade_brownout_seconds{set=\"beta\"} 1.500000000");
    expect_metric("saddle_upgrade_blackout_seconds{set=\"beta\"} 0.002500000");
    expect_metric("saddle_upgrade_missed_packets{set=\"beta\"} 3");
    expect_metric("saddle_upgrade_retransmitted_packets{set=\"beta\"} 4");
    ck_assert_ptr_null(strstr((const char *)bed_answer.bytes, "set=\"alpha\""));
}
END_TEST

/* An upgrader that remembers what it was asked. */
static bool checked, managed;
static int answer;

static int prepare(void *context, bool check, struct upgrader_answer *told)
{
    (void)context;
    checked = check;
    told->managed = managed;
    snprintf(told->line, sizeof(told->line), "another one is on its way");
    return answer;
}

static const struct upgrader_ops ops = {.prepare = prepare};
static const struct upgrader upgrader = {.ops = &ops};

static uint16_t start(bool check)
{
    Saddle__V1__StartUpgradeRequest request = SADDLE__V1__START_UPGRADE_REQUEST__INIT;

    return bed_call_as(LINK_ROLE_OPERATE,
                       check ? "saddle.v1.Upgrades/Check" : "saddle.v1.Upgrades/Start",
                       &request.base);
}

START_TEST(who_cannot_says_what_to_do)
{
    ck_assert_uint_eq(start(_i), RPC_FAILED_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(bed_answer.text, "upgrade.socket"));
    ck_assert_ptr_nonnull(strstr(bed_answer.text, "restart it"));
}
END_TEST

START_TEST(who_can_gets_ready)
{
    Saddle__V1__PrepareUpgradeResponse *found;

    bed_world.upgrader = &upgrader;
    checked = !_i;
    managed = true;
    ck_assert_uint_eq(start(_i), RPC_OK);
    ck_assert_int_eq(checked, _i);
    found = saddle__v1__prepare_upgrade_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert(found->managed);
    saddle__v1__prepare_upgrade_response__free_unpacked(found, NULL);
    answer = -EBUSY;
    ck_assert_uint_eq(start(_i), RPC_UNAVAILABLE);
    ck_assert_str_eq(bed_answer.text, "another one is on its way");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("module_upgrades");
    TCase *tcase = tcase_create("module_upgrades");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_history_is_listed);
    tcase_add_test(tcase, metrics);
    tcase_add_loop_test(tcase, who_cannot_says_what_to_do, 0, 2);
    tcase_add_loop_test(tcase, who_can_gets_ready, 0, 2);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
