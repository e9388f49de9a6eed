/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_diff.h"
#include "daemon/config_edit.h"
#include "daemon/config_schema.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT                                                                                       \
    "socket: {path: \"/tmp/a \\\"quoted\\\" \\\\ path\"}\n"                                        \
    "ports:\n"                                                                                     \
    "  - {name: a, driver: net_ring, peer: b, impair: {loss: 0.5%, seed: 9}}\n"                    \
    "  - {name: b, driver: net_ring, peer: a}\n"                                                   \
    "  - {name: n, driver: net_null}\n"                                                            \
    "  - {name: k, driver: xdp, interface: eth0}\n"                                                \
    "engines:\n"                                                                                   \
    "  - {name: x, port: a, addresses: [10.0.0.1, 'fd00::1'], rto_min: 1500us,\n"                  \
    "     peers: [{name: p, address: 10.0.0.9, mac: 02:00:00:00:00:09}]}\n"                        \
    "  - {name: y, port: b, addresses: [10.0.0.2]}\n"                                              \
    "groups: [{name: g, engines: [x, y]}, {name: h, mode: dedicated, cpus: '0,1'}]\n"              \
    "policy: [{gid: 5, allow: attach}, {any: true, allow: attach}]\n"                              \
    "limits: {memory_per_uid: 1.5GiB}\n"

static struct config config, edited;
static struct schema_source source;

static void setup(void)
{
    source = (struct schema_source){.file = "test"};
    ck_assert_msg(!config_parse(&config, &source, TEXT, strlen(TEXT)), "%s", source.error);
    source = (struct schema_source){.file = ""};
    ck_assert_msg(!config_edit_copy(&edited, &config, &source), "%s", source.error);
}

static void teardown(void)
{
    config_free(&config);
    config_free(&edited);
}

static bool same(void)
{
    return schema_equal(&config_schema, &config, &edited);
}

/* The names of a group's engines, one after the other. */
static const char *members(uint32_t index)
{
    static char text[256];
    const struct schema_list *list = &config_group(&edited, index)->engines;
    const struct schema_text *names = list->items;
    text[0] = '\0';
    for (uint32_t i = 0; i < list->count; i++)
        strcat(strcat(text, i ? " " : ""), names[i].text);
    return text;
}

static void refused(int error, int wanted, const char *line)
{
    ck_assert_int_eq(error, wanted);
    ck_assert_msg(strstr(source.error, line), "\"%s\" in \"%s\"", line, source.error);
    ck_assert_ptr_null(strchr(source.error, '\n'));
}

START_TEST(test_a_copy_is_the_same)
{
    ck_assert(same());
}
END_TEST

START_TEST(test_create_engine)
{
    const char *text = "name: z\nport: n\naddresses:\n  - 10.0.0.3\nwindow: 8";
    ck_assert_int_eq(config_edit_create_engine(&edited, text, "h", &source), 0);
    ck_assert_uint_eq(edited.engines.count, 3);
    ck_assert_uint_eq(config_find_engine(&edited, "z")->window, 8);
    ck_assert_uint_eq(config_find_engine(&edited, "z")->flows, 256);
    ck_assert_str_eq(members(1), "z");
    ck_assert_int_eq(config_edit_destroy_engine(&edited, "z", &source), 0);
    ck_assert(same());
}
END_TEST

static const struct {
    const char *text, *group;
    int error;
    const char *line;
} wrong_engines[] = {
    {"{name: z, port: n, addresses: [10.0.0.3]}", "q", -ENOENT, "there is no group \"q\""},
    {"{name: z, port: n, addresses: [10.0.0.3]}", "", -ENOENT, "there is no group \"\""},
    {"{name: x, port: n, addresses: [10.0.0.3]}", "g", -EEXIST, "an engine \"x\" already"},
    {"{name: z, port: q, addresses: [10.0.0.3]}", "g", -EINVAL, "there is no port \"q\""},
    {"{name: z, port: a, addresses: [10.0.0.3]}", "g", -EINVAL, "already belongs to engine \"x\""},
    {"{name: z, port: n, addresses: [10.0.0.1]}", "g", -EINVAL, "10.0.0.1 is already used"},
    {"{name: z, port: n, addresses: [nowhere]}", "g", -EINVAL, "\"nowhere\" is no IP address"},
    {"{name: z, port: n}", "g", -EINVAL, "\"addresses\" is missing"},
    {"{port: n, addresses: [10.0.0.3]}", "g", -EINVAL, ":1:1: the key \"name\" is missing"},
    {"\n  {name: z, prot: n}", "g", -EINVAL, ":2:13: unknown key \"prot\" (did you mean \"port\""},
    {"[]", "g", -EINVAL, "keys with values expected"},
    {"", "g", -EINVAL, "empty"},
    {"{name: z, port: n, addresses: [10.0.0.3]}\n---\n{}", "g", -EINVAL, "second document"},
    {"{name: z, port: n, addresses: [10.0.0.3]", "g", -EINVAL, "not YAML"},
    {"- {name: z, port: n, addresses: [10.0.0.3]}", "g", -EINVAL, "keys with values expected"},
};

START_TEST(test_wrong_engines)
{
    refused(config_edit_create_engine(&edited, wrong_engines[_i].text, wrong_engines[_i].group,
                                      &source),
            wrong_engines[_i].error, wrong_engines[_i].line);
}
END_TEST

START_TEST(test_destroy_engine)
{
    refused(config_edit_destroy_engine(&edited, "z", &source), -ENOENT, "no engine \"z\"");
    ck_assert_int_eq(config_edit_destroy_engine(&edited, "x", &source), 0);
    ck_assert_str_eq(members(0), "y");
    refused(config_edit_destroy_engine(&edited, "y", &source), -EPERM, "\"y\" is the last one");
}
END_TEST

START_TEST(test_move_engine)
{
    refused(config_edit_move_engine(&edited, "z", "g", &source), -ENOENT, "no engine \"z\"");
    refused(config_edit_move_engine(&edited, "x", "q", &source), -ENOENT, "no group \"q\"");
    ck_assert_int_eq(config_edit_move_engine(&edited, "x", "g", &source), 0);
    ck_assert(same());
    ck_assert_int_eq(config_edit_move_engine(&edited, "x", "h", &source), 0);
    ck_assert_str_eq(members(0), "y");
    ck_assert_str_eq(members(1), "x");
}
END_TEST

START_TEST(test_create_and_destroy_group)
{
    ck_assert_int_eq(config_edit_create_group(&edited, "{name: i, idle: 1ms}", &source), 0);
    ck_assert_uint_eq(config_group(&edited, 2)->idle, 1000000);
    refused(config_edit_destroy_group(&edited, "g", &source), -EPERM, "\"g\" has 2 engines");
    refused(config_edit_destroy_group(&edited, "q", &source), -ENOENT, "no group \"q\"");
    ck_assert_int_eq(config_edit_destroy_group(&edited, "i", &source), 0);
    ck_assert(same());
    refused(config_edit_create_group(&edited, "{name: g}", &source), -EEXIST, "\"g\" already");
}
END_TEST

static const struct {
    const char *text, *line;
} wrong_groups[] = {
    {"{name: i, engines: [x]}", "engines: a group is created without any"},
    {"{name: i, cpus: one}", "cpus: \"one\" is no list"},
    {"{name: i, mode: run}", ":1:17: mode: \"run\" is none of"},
    {"{name: i, threads: 65}", "threads: 65 is not from"},
    {"{}", "\"name\" is missing"},
};

START_TEST(test_wrong_groups)
{
    refused(config_edit_create_group(&edited, wrong_groups[_i].text, &source), -EINVAL,
            wrong_groups[_i].line);
}
END_TEST

START_TEST(test_room)
{
    char text[64];
    for (uint32_t i = edited.groups.count; i < CONFIG_GROUPS_MAX; i++) {
        snprintf(text, sizeof(text), "{name: g%u}", i);
        ck_assert_int_eq(config_edit_create_group(&edited, text, &source), 0);
    }
    refused(config_edit_create_group(&edited, "{name: more}", &source), -ENOSPC, "16 groups");
}
END_TEST

START_TEST(test_change_group)
{
    const struct config_edit_group none = {"", "", "", "", "", "", "", "", "", ""};
    const struct config_edit_group all = {"spreading", "1",    "2",     "7us",   "9us",
                                          "off",       "fifo", "200us", "400us", "30us"};
    ck_assert_int_eq(config_edit_change_group(&edited, "h", &none, &source), 0);
    ck_assert(same());
    ck_assert_int_eq(config_edit_change_group(&edited, "h", &all, &source), 0);
    ck_assert_uint_eq(config_group(&edited, 1)->mode, CONFIG_SPREADING);
    ck_assert_str_eq(config_group(&edited, 1)->cpus.text, "1");
    ck_assert_uint_eq(config_group(&edited, 1)->threads, 2);
    ck_assert_uint_eq(config_group(&edited, 1)->idle, 7000);
    ck_assert_uint_eq(config_group(&edited, 1)->slo, 9000);
    ck_assert_uint_eq(config_group(&edited, 1)->pause, CONFIG_PAUSE_OFF);
    ck_assert_uint_eq(config_group(&edited, 1)->class, QUANTA_FIFO);
    ck_assert_uint_eq(config_group(&edited, 1)->runtime, 200000);
    ck_assert_uint_eq(config_group(&edited, 1)->period, 400000);
    ck_assert_uint_eq(config_group(&edited, 1)->moderation, 30000);
    ck_assert_str_eq(config_group(&edited, 1)->name.text, "h");
    refused(config_edit_change_group(&edited, "q", &all, &source), -ENOENT, "no group \"q\"");
}
END_TEST

static const struct {
    struct config_edit_group settings;
    const char *line;
} wrong_settings[] = {
    {{"run", "", "", "", "", "", "", "", "", ""},
     "mode: \"run\" is none of dedicated, spreading, compacting"},
    {{"", "x", "", "", "", "", "", "", "", ""}, "cpus: \"x\" is no list of CPUs"},
    {{"", "", "-1", "", "", "", "", "", "", ""}, "threads: \"-1\" is not a number"},
    {{"", "", "", "20", "", "", "", "", "", ""}, "idle: \"20\" needs a unit"},
    /* It stays one value. */
    {{"dedicated\"\nname: \"g", "", "", "", "", "", "", "", "", ""}, "mode: "},
    {{"", "", "", "sometimes", "", "", "", "", "", ""}, "idle: \"sometimes\" is not a number"},
    {{"", "", "", "", "0us", "", "", "", "", ""}, "slo: 0us is not from 1us to 1s"},
    {{"", "", "", "", "", "on", "", "", "", ""}, "pause: \"on\" is none of auto, off"},
    {{"", "", "", "", "", "", "best", "", "", ""}, "class: \"best\" is none of ordinary, nice"},
    {{"", "", "", "", "", "", "", "1us", "", ""}, "runtime: 1us is not from 10us to 100ms"},
    {{"", "", "", "", "", "", "", "", "200ms", ""}, "period: 200ms is not from 100us to 100ms"},
    {{"", "", "", "", "", "", "", "", "500us", ""},
     "runtime leaves at least 10us of the period to others"},
    {{"", "", "", "", "", "", "", "", "", "2ms"}, "moderation: 2ms is not from 10us to 1ms"},
    {{"", "", "", "", "", "", "", "", "", "off"}, "moderation: \"off\" is not a number"},
    {{"\x01", "", "", "", "", "", "", "", "", ""}, "not YAML"},
};

START_TEST(test_wrong_settings)
{
    refused(config_edit_change_group(&edited, "h", &wrong_settings[_i].settings, &source), -EINVAL,
            wrong_settings[_i].line);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/config_edit");
    TCase *tcase = tcase_create("config_edit");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_a_copy_is_the_same);
    tcase_add_test(tcase, test_create_engine);
    tcase_add_loop_test(tcase, test_wrong_engines, 0,
                        sizeof(wrong_engines) / sizeof(wrong_engines[0]));
    tcase_add_test(tcase, test_destroy_engine);
    tcase_add_test(tcase, test_move_engine);
    tcase_add_test(tcase, test_create_and_destroy_group);
    tcase_add_loop_test(tcase, test_wrong_groups, 0,
                        sizeof(wrong_groups) / sizeof(wrong_groups[0]));
    tcase_add_test(tcase, test_room);
    tcase_add_test(tcase, test_change_group);
    tcase_add_loop_test(tcase, test_wrong_settings, 0,
                        sizeof(wrong_settings) / sizeof(wrong_settings[0]));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
