/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Two hosts with two engines each, whose configuration changes while they run. */
#include "daemon/host.h"
#include "daemon/share.h"
#include "tests/unit/eal.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON_BYTES 256
#define CONFIGS_MAX  8
#define PATIENCE_NS  (20 * NSEC_PER_SEC)
#define HOSTS                                                                                      \
    "ports:\n"                                                                                     \
    "  - {name: a, driver: net_ring, peer: b, packets: 512}\n"                                     \
    "  - {name: b, driver: net_ring, peer: a, packets: 512}\n"                                     \
    "engines:\n"                                                                                   \
    "  - {name: x0, port: a, addresses: [10.0.0.1]}\n"                                             \
    "  - {name: x, kind: steer, port: a}\n"                                                        \
    "  - {name: y, kind: steer, port: b}\n"                                                        \
    "  - {name: y0, port: b, addresses: [10.0.0.2]}\n"                                             \
    "  - {name: y1, port: b, addresses: [10.0.0.2], udp_port: 50708}\n"
#define X1     "  - {name: x1, port: a, addresses: [10.0.0.1], udp_port: 50709}\n"
#define GROUPS "groups: [{name: g, engines: [x, x0, y1]}, {name: h, engines: [y, y0, x1]}]\n"

static struct config configs[CONFIGS_MAX]; /* all that a test has used */
static uint32_t config_count;
static char line[REASON_BYTES];
static const struct reason reason = {line, sizeof(line)};
static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8];
static struct server *server;
static struct host *host;
static struct plant plant;

static const struct config *load(const char *text)
{
    struct config *config = &configs[config_count++];
    struct schema_source source = {.file = "test"};
    int error = config_parse(config, &source, text, strlen(text));
    ck_assert_msg(error == 0, "%s", source.error);
    return config;
}

static void setup(void)
{
    const struct server_config server_config = {.path = path, .mode = 0600};
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-share-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
    ck_assert_int_eq(server_create(&server, &server_config, line, sizeof(line)), 0);
    ck_assert_msg(!host_create(&host, load(HOSTS X1 GROUPS), server, &reason), "%s", line);
    ck_assert_msg(!host_start(host, &reason), "%s", line);
    host_describe(host, &plant);
}

static void teardown(void)
{
    host_stop(host);
    host_destroy(host);
    while (config_count > 0)
        config_free(&configs[--config_count]);
    server_destroy(server);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void apply(const char *text)
{
    ck_assert_msg(!host_apply(host, load(text), false, &reason), "%s", line);
    host_describe(host, &plant);
}

static struct engine *engine(const char *name)
{
    int at = plant_find_engine(&plant, name);

    ck_assert_int_ge(at, 0);
    return plant.engines[at].engine;
}

static void all_run(void)
{
    ck_assert_uint_eq(plant.engine_count, 6);
    for (uint32_t i = 0; i < plant.engine_count; i++) {
        ck_assert_int_eq(mailbox_ask(&plant.engines[i].engine->mailbox, PATIENCE_NS), 0);
    }
}

START_TEST(a_port_is_the_steers)
{
    ck_assert_str_eq(engine("x")->ops->kind, "steer");
    ck_assert_str_eq(engine("x1")->ops->kind, "pony");
    ck_assert_str_eq(plant.ports[0].engine, "x");
    ck_assert_str_eq(plant.ports[1].engine, "y");
    all_run();
}
END_TEST

START_TEST(engines_move)
{
    struct engine *before[] = {engine("x"), engine("x0"), engine("x1")};

    apply(HOSTS X1 "groups: [{name: g, engines: [y, x1]}, {name: h, engines: [x, y0]},\n"
                   "  {name: i, engines: [x0, y1]}]\n");
    ck_assert_ptr_eq(engine("x"), before[0]);
    ck_assert_ptr_eq(engine("x0"), before[1]);
    ck_assert_ptr_eq(engine("x1"), before[2]);
    all_run();
}
END_TEST

/* One that is made anew has the place of the one before, and the others notice nothing. */
START_TEST(one_is_made_anew)
{
    struct engine *before[] = {engine("x"), engine("x0"), engine("x1")};

    apply(HOSTS
          "  - {name: x1, port: a, addresses: [10.0.0.1], udp_port: 50709, window: 9}\n" GROUPS);
    ck_assert_ptr_eq(engine("x"), before[0]);
    ck_assert_ptr_eq(engine("x0"), before[1]);
    ck_assert_ptr_ne(engine("x1"), before[2]);
    all_run();
}
END_TEST

START_TEST(engines_have_their_places)
{
    struct port real = {.name = "real", .wake_fd = -1};
    struct pony_config first = {0}, second = {0};
    struct share *share;

    real.pool = test_eal_pool("real", 64);
    ck_assert_int_eq(share_create(&share, &configs[0], "a", &real, NULL, &reason), 0);
    share_describe(share, 50707, &first);
    share_describe(share, 50709, &second);
    ck_assert_ptr_eq(first.directory, second.directory);
    ck_assert_uint_ne(first.directory_row, second.directory_row);
    ck_assert_uint_eq(first.transport.call_port, 50707);
    ck_assert_uint_eq(second.transport.call_port, 50707);
    ck_assert_ptr_eq(share_port(share, 50707), fan_member(share_fan(share), first.directory_row));
    ck_assert_ptr_eq(share_port(share, 50709), fan_member(share_fan(share), second.directory_row));
    share_destroy(share);
    rte_mempool_free(real.pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/share");
    TCase *tcase = tcase_create("share");

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_port_is_the_steers);
    tcase_add_test(tcase, engines_move);
    tcase_add_test(tcase, one_is_made_anew);
    tcase_add_test(tcase, engines_have_their_places);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
