/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Which engines go from one daemon to another together. */
#include "daemon/host_sets.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct config config;
static struct host_sets sets;

static void find(const char *text)
{
    struct schema_source source = {.file = "test"};

    memset(&config, 0, sizeof(config));
    ck_assert_msg(!config_parse(&config, &source, text, strlen(text)), "%s", source.error);
    host_sets_find(&sets, &config);
}

static void done(void)
{
    config_free(&config);
}

START_TEST(test_each_port_is_a_set)
{
    find("ports: [{name: p, driver: xdp, interface: eth0}, {name: q, driver: net_null}]\n"
         "engines: [{name: x, port: q, addresses: [10.0.0.1]},\n"
         "  {name: y, port: p, addresses: [10.0.0.2]}]\n");
    ck_assert_uint_eq(sets.count, 2);
    ck_assert_str_eq(host_sets_name(&sets, &config, 0), "x");
    ck_assert_str_eq(host_sets_name(&sets, &config, 1), "y");
    ck_assert_uint_eq(sets.of_engine[0], 0);
    ck_assert_uint_eq(sets.of_engine[1], 1);
    ck_assert_uint_eq(sets.of_port[0], 1);
    ck_assert_uint_eq(sets.of_port[1], 0);
    done();
}
END_TEST

START_TEST(test_both_ends_of_a_ring)
{
    find("ports: [{name: n, driver: net_null}, {name: a, driver: net_ring, peer: b},\n"
         "  {name: b, driver: net_ring, peer: a}]\n"
         "engines: [{name: y, port: b, addresses: [10.0.0.2]},\n"
         "  {name: z, port: n, addresses: [10.0.1.1]}, {name: x, port: a, addresses: "
         "[10.0.0.1]}]\n");
    ck_assert_uint_eq(sets.count, 2);
    ck_assert_str_eq(host_sets_name(&sets, &config, 0), "y");
    ck_assert_uint_eq(sets.of_engine[0], 0);
    ck_assert_uint_eq(sets.of_engine[1], 1);
    ck_assert_uint_eq(sets.of_engine[2], 0);
    ck_assert_uint_eq(sets.of_port[0], 1);
    ck_assert_uint_eq(sets.of_port[1], 0);
    ck_assert_uint_eq(sets.of_port[2], 0);
    done();
}
END_TEST

START_TEST(test_all_on_a_shared_port)
{
    find("ports: [{name: p, driver: ethdev, device: net_null0, mtu: 1500},\n"
         "  {name: n, driver: net_null}]\n"
         "engines: [{name: other, port: n, addresses: [10.0.1.1]},\n"
         "  {name: host, kind: steer, port: p},\n"
         "  {name: one, port: p, addresses: [10.0.0.1]},\n"
         "  {name: two, port: p, addresses: [10.0.0.1], udp_port: 50708},\n"
         "  {name: rest, kind: kernel, port: p, interface: sad0}]\n");
    ck_assert_uint_eq(sets.count, 2);
    ck_assert_str_eq(host_sets_name(&sets, &config, 1), "host");
    ck_assert_uint_eq(sets.of_engine[0], 0);
    for (int i = 1; i <= 4; i++)
        ck_assert_uint_eq(sets.of_engine[i], 1);
    done();
}
END_TEST

START_TEST(test_a_port_of_nobody)
{
    find("ports: [{name: idle, driver: net_null}, {name: n, driver: net_null}]\n"
         "engines: [{name: x, port: n, addresses: [10.0.0.1]}]\n");
    ck_assert_uint_eq(sets.count, 1);
    ck_assert_uint_eq(sets.of_port[0], 0);
    ck_assert_uint_eq(sets.of_port[1], 0);
    done();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host_sets");
    TCase *sets_case = tcase_create("sets");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(sets_case, test_each_port_is_a_set);
    tcase_add_test(sets_case, test_both_ends_of_a_ring);
    tcase_add_test(sets_case, test_all_on_a_shared_port);
    tcase_add_test(sets_case, test_a_port_of_nobody);
    suite_add_tcase(suite, sets_case);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
