/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Two memif ports: packets, bells, and how each finds the other again. */
#include "tests/unit/daemon/memif_bed.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RING_SLOTS  1024u
#define POSITIONS   65536u /* in a ring, until they come round */
#define KNOCK_TURNS 200    /* ms, and more: a client comes every 100 */

START_TEST(packets_go_both_ways)
{
    bed_join();
    bed_exchange(bed_server, bed_client);
    bed_exchange(bed_client, bed_server);
    ck_assert_uint_eq(bed_stat(bed_server, "rx_packets"), bed_stat(bed_client, "tx_packets"));
    ck_assert_uint_eq(bed_stat(bed_client, "rx_packets"), bed_stat(bed_server, "tx_packets"));
}
END_TEST

START_TEST(either_may_come_first)
{
    bed_client = bed_create("client", false);
    port_memif_work(bed_client);
    ck_assert(!port_memif_link(bed_client));
    bed_server = bed_create("server", true);
    bed_work_until(bed_both_up);
    bed_exchange(bed_client, bed_server);
}
END_TEST

START_TEST(many_times_around)
{
    bed_join();
    for (uint32_t number = 0; number < 2 * POSITIONS + 10; number++) {
        struct port *from = number % 2 ? bed_server : bed_client,
                    *to = number % 2 ? bed_client : bed_server;

        ck_assert(bed_send(from, number, BED_FRAME_MIN + number % 50, BED_FRAME_MAX));
        bed_receive(to, number, BED_FRAME_MIN + number % 50);
    }
}
END_TEST

/* Nothing is lost: who finds it full keeps what it has. */
static void fill(struct port *from, struct port *to)
{
    uint32_t sent = 0;

    while (bed_send(from, sent, 64, BED_FRAME_MAX))
        sent++;
    ck_assert_uint_eq(sent, RING_SLOTS);
    ck_assert_uint_eq(from->ops->tx_room(from), 0);
    for (uint32_t number = 0; number < sent; number++)
        bed_receive(to, number, 64);
    ck_assert(bed_receives_nothing(to));
    ck_assert_uint_gt(from->ops->tx_room(from), 0);
    ck_assert(bed_send(from, 5, 64, BED_FRAME_MAX));
    bed_receive(to, 5, 64);
}

START_TEST(a_ring_that_is_full)
{
    bed_join();
    fill(bed_server, bed_client);
    fill(bed_client, bed_server);
}
END_TEST

START_TEST(what_is_no_frame)
{
    bed_join();
    ck_assert(bed_send(bed_server, 1, BED_FRAME_MIN - 1, BED_FRAME_MAX));
    ck_assert(bed_receives_nothing(bed_client));
    ck_assert_uint_eq(bed_stat(bed_server, "tx_odd_length"), 1);
    ck_assert_uint_eq(bed_stat(bed_server, "tx_packets"), 0);
    bed_exchange(bed_server, bed_client);
}
END_TEST

START_TEST(who_sleeps_is_rung)
{
    bed_join();
    bed_check_bell(bed_client, bed_server);
    bed_check_bell(bed_server, bed_client);
    bed_check_bell(bed_client, bed_server);
}
END_TEST

/* ---- Ends ---- */

START_TEST(a_server_that_comes_back)
{
    bed_join();
    for (int i = 0; i < 3; i++) {
        bed_destroy(&bed_server);
        bed_work_until(bed_client_down);
        ck_assert(bed_send(bed_client, 1, 64,
                           BED_FRAME_MAX)); /* as into a cable that is not plugged in */
        ck_assert_uint_eq(bed_stat(bed_client, "tx_down"), (uint64_t)i + 1);
        ck_assert(bed_receives_nothing(bed_client));
        ck_assert_int_eq(bed_client->ops->arm(bed_client), 0);
        bed_client->ops->disarm(bed_client);
        bed_server = bed_create("server", true);
        bed_work_until(bed_both_up);
        bed_exchange(bed_client, bed_server);
    }
    ck_assert_uint_eq(bed_stat(bed_client, "connections"), 4);
}
END_TEST

START_TEST(a_client_that_comes_back)
{
    bed_join();
    for (int i = 0; i < 3; i++) {
        ck_assert(bed_send(bed_client, 1, 64, BED_FRAME_MAX)); /* which is lost with it */
        bed_destroy(&bed_client);
        bed_work_until(bed_server_down);
        bed_client = bed_create("client", false);
        bed_work_until(bed_both_up);
        bed_exchange(bed_server, bed_client);
    }
}
END_TEST

static int knocks;

/* After so many turns of both, in each of which something happened. */
static bool has_knocked(void)
{
    return ++knocks > KNOCK_TURNS;
}

START_TEST(one_client_at_a_time)
{
    struct port *first;

    bed_join();
    first = bed_client;
    bed_client = bed_create("second", false);
    /* It knocks, and knocks again, and hears each time that there is another one. */
    for (int i = 0; i < 3; i++) {
        knocks = 0;
        bed_work_until(has_knocked);
        ck_assert(!port_memif_link(bed_client));
    }
    bed_exchange(first, bed_server);
    first->ops->destroy(first);
    bed_work_until(bed_both_up);
    bed_exchange(bed_client, bed_server);
}
END_TEST

START_TEST(one_server_at_a_time)
{
    struct port_memif_config config = bed_config("other", true);
    struct port *other;

    bed_server = bed_create("server", true);
    ck_assert_int_eq(port_memif_create(&other, &config, &bed_reason), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(bed_why, bed_path));
    config.socket = "/nowhere/memif";
    ck_assert_int_eq(port_memif_create(&other, &config, &bed_reason), -ENOENT);
    config.socket = "/tmp/0123456789012345678901234567890123456789012345678901234567890123456789"
                    "0123456789012345678901234567890123456789";
    ck_assert_int_eq(port_memif_create(&other, &config, &bed_reason), -ENAMETOOLONG);
    bed_client = bed_create("client", false);
    bed_work_until(bed_both_up);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("port_memif");
    TCase *tcase = tcase_create("port_memif");

    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, bed_set_up, bed_tear_down);
    tcase_add_test(tcase, packets_go_both_ways);
    tcase_add_test(tcase, either_may_come_first);
    tcase_add_test(tcase, many_times_around);
    tcase_add_test(tcase, a_ring_that_is_full);
    tcase_add_test(tcase, what_is_no_frame);
    tcase_add_test(tcase, who_sleeps_is_rung);
    tcase_add_test(tcase, a_server_that_comes_back);
    tcase_add_test(tcase, a_client_that_comes_back);
    tcase_add_test(tcase, one_client_at_a_time);
    tcase_add_test(tcase, one_server_at_a_time);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(make_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
