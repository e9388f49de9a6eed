/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/host.h"
#include "daemon/steward.h"
#include "tests/unit/eal.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON_BYTES 256
#define PORTS                                                                                      \
    "ports:\n"                                                                                     \
    "  - {name: a, driver: net_ring, peer: b, packets: 512}\n"                                     \
    "  - {name: b, driver: net_ring, peer: a, packets: 512}\n"                                     \
    "  - {name: n, driver: net_null, packets: 512}\n"
#define ENGINES                                                                                    \
    "engines:\n"                                                                                   \
    "  - {name: x, port: a, addresses: [10.0.0.1]}\n"                                              \
    "  - {name: y, port: b, addresses: [10.0.0.2]}\n"
#define FIRST  PORTS ENGINES "groups: [{name: g, engines: [x, y]}]\n"
#define SECOND PORTS ENGINES "groups: [{name: g, engines: [x]}, {name: h, engines: [y]}]\n"

static struct config config;
static char line[REASON_BYTES];
static const struct reason reason = {line, sizeof(line)};
static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8], file[sizeof(folder) + 8];
static struct server *server;
static struct host *host;
static struct daemon_steward *steward;
static const struct steward *table;
static struct steward_answer answer;
static uint32_t news;

static void changed(void *context)
{
    ck_assert_ptr_eq(context, &news);
    news++;
}

static void write_file(const char *text)
{
    FILE *stream = fopen(file, "we");
    ck_assert_ptr_nonnull(stream);
    fputs(text, stream);
    ck_assert_int_eq(fclose(stream), 0);
}

static void setup(void)
{
    const struct server_config server_config = {.path = path, .mode = 0600};
    struct schema_source source = {.file = "test"};
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-steward-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
    snprintf(file, sizeof(file), "%s/f", folder);
    write_file(FIRST);
    ck_assert_int_eq(server_create(&server, &server_config, line, sizeof(line)), 0);
    ck_assert_msg(!config_parse(&config, &source, FIRST, strlen(FIRST)), "%s", source.error);
    ck_assert_msg(!host_create(&host, &config, server, &reason), "%s", line);
    ck_assert_msg(!host_start(host, &reason), "%s", line);
    ck_assert_int_eq(daemon_steward_create(&steward, host, server, &config, file), 0);
    table = daemon_steward_table(steward);
    daemon_steward_follow(steward, changed, NULL, &news);
    news = 0;
}

static void teardown(void)
{
    steward_answer_free(&answer);
    host_stop(host);
    host_destroy(host);
    daemon_steward_destroy(steward);
    daemon_steward_destroy(NULL);
    config_free(&config);
    server_destroy(server);
    unlink(file);
    ck_assert_int_eq(rmdir(folder), 0);
}

static int apply(const char *text)
{
    steward_answer_free(&answer);
    return table->ops->apply(table->context, text, false, &answer);
}

static int rollback(void)
{
    steward_answer_free(&answer);
    return table->ops->rollback(table->context, false, &answer);
}

static int reload(void)
{
    steward_answer_free(&answer);
    return table->ops->reload(table->context, &answer);
}

static int edit(const struct steward_edit *wanted)
{
    steward_answer_free(&answer);
    return table->ops->edit(table->context, wanted, &answer);
}

static void refused(int error, int wanted, const char *words)
{
    ck_assert_msg(error == wanted, "%d: %s", error, answer.line);
    ck_assert_msg(strstr(answer.line, words), "\"%s\" in \"%s\"", words, answer.line);
}

/* What runs, as text. */
static bool shows(const char *words)
{
    char *text;
    bool found;
    steward_answer_free(&answer);
    ck_assert_int_eq(table->ops->show(table->context, &text, &answer), 0);
    found = strstr(text, words);
    free(text);
    return found;
}

START_TEST(test_what_is_shown_is_what_runs)
{
    char *text;
    ck_assert_int_eq(table->ops->show(table->context, &text, &answer), 0);
    ck_assert_int_eq(table->ops->check(table->context, text, &answer), 0);
    ck_assert_int_eq(table->ops->diff(table->context, text, &answer), 0);
    ck_assert_uint_eq(answer.count, 0);
    ck_assert_int_eq(apply(text), 0);
    ck_assert_uint_eq(answer.count + news, 0);
    free(text);
}
END_TEST

START_TEST(test_apply)
{
    ck_assert_int_eq(table->ops->diff(table->context, SECOND, &answer), 0);
    ck_assert_uint_eq(answer.count, 2);
    ck_assert_uint_eq(news, 0);
    ck_assert_int_eq(apply(SECOND), 0);
    ck_assert_uint_eq(answer.count, 2);
    ck_assert_str_eq(answer.changes[0].path, "groups.g.engines");
    ck_assert_str_eq(answer.changes[0].before, "[x, y]");
    ck_assert_str_eq(answer.changes[0].after, "[x]");
    ck_assert_str_eq(answer.changes[0].effect, "at once");
    ck_assert_str_eq(answer.changes[1].path, "groups.h");
    ck_assert_uint_eq(news, 1);
    ck_assert(shows("name: \"h\""));
}
END_TEST

static const struct {
    const char *text;
    int error;
    const char *words;
} bad[] = {
    {"", -EINVAL, "1:1: the file is empty"},
    {"{", -EINVAL, "not YAML"},
    {PORTS, -EINVAL, "there is no engine"},
    {FIRST "nonsense: 1\n", -EINVAL, "9:1: unknown key \"nonsense\""},
    {FIRST "memory: 1GiB\n", -EPERM, "memory needs a restart: \"256MiB\" now, then \"1GiB\""},
    {FIRST "control: {path: /tmp/x}\n", -EPERM, "9:17: control.path needs a restart"},
    {PORTS "  - {name: m, driver: net_null}\n" ENGINES "groups: [{name: g, engines: [x, y]}]\n",
     -EPERM, "5:5: ports.m needs a restart"},
    {PORTS ENGINES "groups: [{name: g, cpus: '1023', engines: [x, y]}]\n", -EPERM, "group g"},
};

START_TEST(test_bad_ones_change_nothing)
{
    refused(apply(bad[_i].text), bad[_i].error, bad[_i].words);
    ck_assert_uint_eq(news, 0);
    ck_assert_int_eq(table->ops->diff(table->context, FIRST, &answer), 0);
    refused(rollback(), -EPERM, "there is no configuration before");
}
END_TEST

START_TEST(test_rollback)
{
    refused(rollback(), -EPERM, "there is no configuration before");
    ck_assert_int_eq(apply(SECOND), 0);
    ck_assert_int_eq(rollback(), 0);
    ck_assert_uint_eq(answer.count, 2);
    ck_assert(!shows("name: \"h\""));
    ck_assert_int_eq(rollback(), 0);
    ck_assert(shows("name: \"h\""));
    ck_assert_int_eq(apply(SECOND "policy: [{any: true, allow: attach}]\n"), 0);
    ck_assert_int_eq(rollback(), 0);
    ck_assert(shows("name: \"h\"") && !shows("any: true"));
    ck_assert_uint_eq(news, 5);
}
END_TEST

START_TEST(test_reload)
{
    write_file(SECOND);
    ck_assert_int_eq(reload(), 0);
    ck_assert_uint_eq(answer.count, 2);
    ck_assert_int_eq(reload(), 0);
    ck_assert_uint_eq(answer.count, 0);
    write_file(SECOND "nonsense: 1\n");
    refused(reload(), -EPERM, "unknown key");
    ck_assert_ptr_nonnull(strstr(answer.line, file));
    unlink(file);
    refused(reload(), -EPERM, "No such file");
    ck_assert(shows("name: \"h\""));
    daemon_steward_reload(steward);
    write_file(FIRST);
    daemon_steward_reload(steward);
    ck_assert(!shows("name: \"h\""));
    ck_assert_uint_eq(news, 2);
}
END_TEST

START_TEST(test_edits)
{
    const struct steward_edit group = {.kind = STEWARD_CREATE_GROUP, .text = "{name: h}"};
    const struct steward_edit change = {.kind = STEWARD_CHANGE_GROUP,
                                        .name = "h",
                                        .mode = "dedicated",
                                        .cpus = "",
                                        .threads = "",
                                        .idle = "",
                                        .slo = "",
                                        .pause = "",
                                        .class = "nice",
                                        .runtime = "",
                                        .period = "",
                                        .moderation = ""};
    const struct steward_edit engine = {.kind = STEWARD_CREATE_ENGINE,
                                        .text = "{name: z, port: n, addresses: [10.0.0.3]}",
                                        .group = "h"};
    struct steward_edit named = {.kind = STEWARD_DESTROY_GROUP, .name = "h", .group = "g"};
    ck_assert_int_eq(edit(&group), 0);
    ck_assert_int_eq(edit(&change), 0);
    ck_assert_int_eq(edit(&engine), 0);
    ck_assert(shows("name: \"z\"") && shows("mode: dedicated"));
    refused(edit(&named), -EPERM, "group \"h\" has 1 engine");
    refused(edit(&engine), -EEXIST, "engine \"z\"");
    named = (struct steward_edit){.kind = STEWARD_MOVE_ENGINE, .name = "z", .group = "g"};
    ck_assert_int_eq(edit(&named), 0);
    named = (struct steward_edit){.kind = STEWARD_DESTROY_ENGINE, .name = "z"};
    ck_assert_int_eq(edit(&named), 0);
    refused(edit(&named), -ENOENT, "no engine \"z\"");
    named = (struct steward_edit){.kind = STEWARD_DESTROY_GROUP, .name = "h"};
    ck_assert_int_eq(edit(&named), 0);
    steward_answer_free(&answer);
    ck_assert_int_eq(table->ops->diff(table->context, FIRST, &answer), 0);
    ck_assert_uint_eq(answer.count, 0);
    ck_assert_uint_eq(news, 6);
}
END_TEST

/* Who shares a wire with an engine that is another one now has to be made anew. */
START_TEST(test_neighbours)
{
    const char *text = PORTS "engines:\n"
                             "  - {name: x, port: a, addresses: [10.0.0.1]}\n"
                             "  - {name: y, port: b, addresses: [10.0.0.7]}\n"
                             "groups: [{name: g, engines: [x, y]}]\n";
    ck_assert_int_eq(apply(text), 0);
    ck_assert_uint_eq(answer.count, 2);
    ck_assert_str_eq(answer.changes[0].path, "engines.y.addresses");
    ck_assert_str_eq(answer.changes[1].path, "engines.x");
    ck_assert_str_eq(answer.changes[1].after, "another neighbour on port b");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/steward");
    TCase *tcase = tcase_create("steward");
    tcase_set_timeout(tcase, 50);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_what_is_shown_is_what_runs);
    tcase_add_test(tcase, test_apply);
    tcase_add_loop_test(tcase, test_bad_ones_change_nothing, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(tcase, test_rollback);
    tcase_add_test(tcase, test_reload);
    tcase_add_test(tcase, test_edits);
    tcase_add_test(tcase, test_neighbours);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
