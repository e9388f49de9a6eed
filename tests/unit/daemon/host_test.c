/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/host.h"
#include "tests/unit/eal.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON_BYTES 256
#define WIRE                                                                                       \
    "ports:\n"                                                                                     \
    "  - {name: a, driver: net_ring, peer: b, packets: 512, impair: {loss: 1%}}\n"                 \
    "  - {name: b, driver: net_ring, peer: a, packets: 512}\n"                                     \
    "engines:\n"                                                                                   \
    "  - {name: x, port: a, addresses: [10.0.0.1, 'fd00::1']}\n"                                   \
    "  - name: y\n"                                                                                \
    "    port: b\n"                                                                                \
    "    addresses: [10.0.0.2, 'fd00::2']\n"                                                       \
    "    peers: [{name: x, address: 10.0.0.1, mac: 02:00:00:00:00:01}]\n"

static struct config config;
static char line[REASON_BYTES];
static const struct reason reason = {line, sizeof(line)};
static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8];
static struct server *server;

static void open_server(void)
{
    const struct server_config server_config = {.path = path, .mode = 0600};
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-host-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
    ck_assert_int_eq(server_create(&server, &server_config, line, sizeof(line)), 0);
}

static void close_server(void)
{
    server_destroy(server);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void load(const char *text)
{
    struct schema_source source = {.file = "test"};
    int error = config_parse(&config, &source, text, strlen(text));
    ck_assert_msg(error == 0, "%s", source.error);
}

START_TEST(test_life)
{
    struct host *host = NULL;
    char *text = NULL;
    size_t length;
    uint32_t count;
    load(WIRE "groups: [{name: s, mode: dedicated, engines: [x]}, {name: t, engines: [y]}]");
    int error = host_create(&host, &config, server, &reason);
    ck_assert_msg(error == 0, "%s", line);
    error = host_start(host, &reason);
    ck_assert_msg(error == 0, "%s", line);
    struct engine *const *engines = host_engines(host, &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(engines[0]->name, "x");
    ck_assert_str_eq(engines[1]->name, "y");
    host_stop(host);
    FILE *stream = open_memstream(&text, &length);
    host_write_stats(host, stream);
    fclose(stream);
    ck_assert_ptr_nonnull(strstr(text, "\"y\": {"));
    ck_assert_ptr_nonnull(strstr(text, "\"retransmissions\": 0,"));
    ck_assert_ptr_nonnull(strstr(text, "\"ports\": {\n    \"a\": {"));
    free(text);
    host_destroy(host);
    host_destroy(NULL);
    config_free(&config);
}
END_TEST

/* What cannot be had is named, and what was made before it is given back. */
START_TEST(test_failure_is_named)
{
    struct host *host = NULL;
    load(WIRE "groups: [{name: g, cpus: '1023', engines: [x, y]}]");
    ck_assert_int_eq(host_create(&host, &config, server, &reason), 0);
    ck_assert_int_lt(host_start(host, &reason), 0);
    ck_assert_ptr_nonnull(strstr(line, "group g"));
    host_stop(host);
    host_destroy(host);
    config_free(&config);
    /* The names of ports and devices are free again. */
    load(WIRE);
    ck_assert_int_eq(host_create(&host, &config, server, &reason), 0);
    host_stop(host);
    host_destroy(host);
    config_free(&config);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/host");
    TCase *tcase = tcase_create("host");
    tcase_set_timeout(tcase, 30);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, open_server, close_server);
    tcase_add_test(tcase, test_life);
    tcase_add_test(tcase, test_failure_is_named);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
