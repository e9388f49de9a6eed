/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Classes of a shaper in the configuration: what they mean, what is wrong with them, and what
 * changing them takes. */
#include "daemon/config_diff.h"
#include "daemon/config_edit.h"
#include "daemon/config_shape.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT                                                                                       \
    "ports:\n  - {name: a, driver: net_null}\n"                                                    \
    "engines:\n"                                                                                   \
    "  - {name: x, port: a, addresses: [10.0.0.1]}\n"                                              \
    "  - name: s\n    kind: shaper\n    port: a\n    classes:\n"
#define CLASSES                                                                                    \
    "      - {name: root, rate: 10Gbit}\n"                                                         \
    "      - {name: tenants, rate: 80Mbit, burst: 1MiB}\n"                                         \
    "      - {name: gold, parent: tenants, priority: 2, weight: 5,\n"                              \
    "         match: [uid 7, session 9 dscp 46, kernel, any]}\n"                                   \
    "      - {name: far, match: [peer 10.0.0.0/24, 'peer fd00::1']}\n"

#define NIC                                                                                        \
    "ports:\n  - {name: a, driver: ethdev, device: net_null0}\n"                                   \
    "engines:\n"                                                                                   \
    "  - {name: s, kind: shaper, port: a}\n"                                                       \
    "  - {name: x, port: a, addresses: [10.0.0.1]}\n"                                              \
    "  - {name: k, kind: kernel, port: a, interface: saddle0"

static struct config config, edited;
static struct schema_source source;

static int parse(struct config *into, const char *text)
{
    source = (struct schema_source){.file = "f"};
    return config_parse(into, &source, text, strlen(text));
}

static void teardown(void)
{
    config_free(&config);
    config_free(&edited);
}

START_TEST(words_are_a_policy)
{
    const struct shape_class *class;
    const struct shape_rule *rule;
    struct shape shape;

    ck_assert_msg(!parse(&config, TEXT CLASSES), "%s", source.error);
    ck_assert_int_eq(config_shape_make(&shape, config_find_engine(&config, "s"), &source), 0);
    ck_assert_uint_eq(shape.class_count, 4);
    class = shape.classes;
    ck_assert_str_eq(class[0].name, "root");
    ck_assert_uint_eq(class[0].rate, 1250000000);
    ck_assert_uint_eq(class[0].burst, 5000000); /* 4 ms */
    ck_assert_uint_eq(class[1].rate, 10000000);
    ck_assert_uint_eq(class[1].burst, 1u << 20);
    ck_assert_str_eq(class[2].parent, "tenants");
    ck_assert_uint_eq(class[2].rate, 0);
    ck_assert_uint_eq(class[2].priority, 2);
    ck_assert_uint_eq(class[2].weight, 5);
    ck_assert_uint_eq(shape.rule_count, 6);
    rule = shape.rules;
    ck_assert(rule[0].has_uid && rule[0].uid == 7 && rule[0].entry == 2);
    ck_assert(rule[1].has_session && rule[1].session == 9 && rule[1].dscp == 46);
    ck_assert(rule[2].has_kernel);
    ck_assert(!rule[3].has_kernel && !rule[3].has_uid && !rule[3].has_peer);
    ck_assert(rule[4].has_peer && rule[4].prefix == 120 && rule[4].entry == 3);
    ck_assert(rule[5].has_peer && rule[5].prefix == 128);
    config_shape_free(&shape);
}
END_TEST

static const struct {
    const char *classes, *line;
} wrong[] = {
    {"      - {name: a}\n      - {name: a}\n", "f:10:9: class \"a\" is named twice"},
    {"      - {name: a, parent: b}\n",
     "f:9:27: class \"a\": parent: there is no class \"b\" that may have others below it"},
    {"      - {name: a, parent: default}\n",
     "f:9:27: class \"a\": parent: there is no class \"default\" that may have others below it"},
    {"      - {name: a, parent: a}\n", "f:9:9: class \"a\" is below itself"},
    {"      - {name: a, parent: b}\n      - {name: b, parent: a}\n",
     "f:9:9: class \"a\" is below itself"},
    {"      - {name: a}\n      - {name: b, parent: a}\n      - {name: c, parent: b}\n"
     "      - {name: d, parent: c}\n      - {name: e, parent: d}\n",
     "f:13:9: class \"e\" is more than 4 levels below the root"},
    {"      - {name: control}\n", "f:9:9: class \"control\" is built in and takes no settings"},
    {"      - {name: root, weight: 2}\n",
     "f:9:9: class \"root\" is over all, and has no parent, weight, priority or match"},
    {"      - {name: root, match: [any]}\n",
     "f:9:9: class \"root\" is over all, and has no parent, weight, priority or match"},
    {"      - {name: a, burst: 64KiB}\n", "f:9:9: class \"a\" has a burst and no rate"},
    {"      - {name: a, match: [any]}\n      - {name: b, parent: a}\n",
     "f:9:9: class \"a\" has children, and only a class without any has a match"},
    {"      - {name: a, match: [uid 4294967295]}\n",
     "f:9:27: match: \"uid 4294967295\" is none of uid N, session N, peer ADDRESS, dscp 0 to 63, "
     "kernel and any"},
    {"      - {name: a, match: [session 0]}\n",
     "f:9:27: match: \"session 0\" is none of uid N, session N, peer ADDRESS, dscp 0 to 63, kernel "
     "and any"},
    {"      - {name: a, match: [kernel any, dscp 0 kernel]}\n",
     "f:9:39: match: \"dscp 0 kernel\": kernel goes with no other condition: what the kernel sends "
     "is of one class"},
};

START_TEST(what_is_wrong_has_a_line)
{
    char text[2048];

    snprintf(text, sizeof(text), TEXT "%s", wrong[_i].classes);
    ck_assert_int_eq(parse(&config, text), -EINVAL);
    ck_assert_str_eq(source.error, wrong[_i].line);
}
END_TEST

static const struct {
    const char *text, *line;
} elsewhere[] = {
    {"ports:\n  - {name: a, driver: net_null}\n"
     "engines:\n  - {name: x, port: a, addresses: [10.0.0.1], classes: [{name: c}]}\n",
     "classes: engine \"x\" is no shaper"},
    {NIC ", classes: [{name: c}]}\n", "classes: engine \"k\" is no shaper"},
    {TEXT "      - {name: c, rate: 0}\n", "rate: 0 is not from 8kbit to 400Gbit"},
    {TEXT "      - {name: c, weight: 1001}\n", "weight: 1001 is not from 1 to 1000"},
    {TEXT "      - {name: c}\n  - {name: t, kind: steer, port: a}\n",
     "port: \"a\" is shared out by \"s\" already"},
};

START_TEST(what_is_wrong_elsewhere)
{
    ck_assert_int_eq(parse(&config, elsewhere[_i].text), -EINVAL);
    ck_assert_msg(strstr(source.error, elsewhere[_i].line), "%s", source.error);
}
END_TEST

/* So many classes on a port with so many packets, for one engine and perhaps the kernel's. */
static int parse_many(uint32_t classes, uint32_t packets, bool kernel)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    int error;

    fprintf(stream,
            "ports:\n  - {name: a, driver: ethdev, device: net_null0, packets: %u}\n"
            "engines:\n  - {name: x, port: a, addresses: [10.0.0.1/24]}\n"
            "%s"
            "  - name: s\n    kind: shaper\n    port: a\n    classes:\n",
            packets, kernel ? "  - {name: k, kind: kernel, port: a, interface: saddle0}\n" : "");
    for (uint32_t i = 0; i < classes; i++)
        fprintf(stream, "      - {name: c%u, match: [uid %u]}\n", i, i);
    fclose(stream);
    error = parse(&config, text);
    free(text);
    return error;
}

START_TEST(there_is_room_for_so_many)
{
    ck_assert_int_eq(parse_many(2049, 65536, false), -EINVAL);
    ck_assert_msg(strstr(source.error, "classes: 2049 entries, at most 2048"), "%s", source.error);
    config_free(&config);
    ck_assert_int_eq(parse_many(1023, 4096, false), -EINVAL);
    ck_assert_msg(strstr(source.error, "engine \"s\": so many classes need 4100 packets, and port "
                                       "\"a\" has 4096"),
                  "%s", source.error);
    config_free(&config);
    ck_assert_msg(!parse_many(1022, 4096, false), "%s", source.error);
    config_free(&config);
    ck_assert_int_eq(parse_many(1022, 8184, true), -EINVAL);
    ck_assert_msg(strstr(source.error, "need 8192 packets"), "%s", source.error);
    config_free(&config);
    ck_assert_msg(!parse_many(1022, 8192, true), "%s", source.error);
}
END_TEST

START_TEST(classes_are_set_and_removed)
{
    struct config_changes changes;
    const struct config_engine *engine;

    ck_assert_int_eq(parse(&config, TEXT CLASSES), 0);
    source = (struct schema_source){.file = ""};
    ck_assert_int_eq(config_edit_copy(&edited, &config, &source), 0);
    ck_assert_int_eq(config_edit_set_class(&edited, "s", "{name: gold, rate: 1Mbit}", &source), 0);
    ck_assert_int_eq(config_edit_set_class(&edited, "s", "{name: new, match: [uid 1]}", &source),
                     0);
    ck_assert_int_eq(config_edit_remove_class(&edited, "s", "tenants", &source), 0);
    engine = config_find_engine(&edited, "s");
    ck_assert_uint_eq(engine->classes.count, 4);
    /* The engine stays what it is, and all of it is done at once. */
    ck_assert(config_same_engine(config_find_engine(&config, "s"), engine));
    ck_assert(!config_same_classes(config_find_engine(&config, "s"), engine));
    ck_assert(config_same_classes(engine, engine));
    ck_assert_int_eq(config_diff(&changes, &config, &config, &edited), 0);
    ck_assert_uint_gt(changes.count, 2);
    for (uint32_t i = 0; i < changes.count; i++)
        ck_assert_int_eq(changes.list[i].effect, CONFIG_AT_ONCE);
    config_changes_free(&changes);
}
END_TEST

static void refused(int error, int wanted, const char *line)
{
    ck_assert_int_eq(error, wanted);
    ck_assert_msg(strstr(source.error, line), "\"%s\" in \"%s\"", line, source.error);
}

START_TEST(wrong_changes_are_refused)
{
    ck_assert_int_eq(parse(&config, TEXT CLASSES), 0);
    source = (struct schema_source){.file = ""};
    ck_assert_int_eq(config_edit_copy(&edited, &config, &source), 0);
    refused(config_edit_set_class(&edited, "t", "{name: a}", &source), -ENOENT,
            "there is no engine \"t\"");
    refused(config_edit_set_class(&edited, "s", "{name: [}", &source), -EINVAL, "");
    refused(config_edit_remove_class(&edited, "s", "a", &source), -ENOENT,
            "engine \"s\" has no class \"a\"");
    refused(config_edit_set_class(&edited, "x", "{name: a}", &source), -EINVAL,
            "classes: engine \"x\" is no shaper");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/config_shape");
    TCase *tcase = tcase_create("config_shape");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, words_are_a_policy);
    tcase_add_loop_test(tcase, what_is_wrong_has_a_line, 0,
                        (int)(sizeof(wrong) / sizeof(wrong[0])));
    tcase_add_loop_test(tcase, what_is_wrong_elsewhere, 0,
                        (int)(sizeof(elsewhere) / sizeof(elsewhere[0])));
    tcase_add_test(tcase, there_is_room_for_so_many);
    tcase_add_test(tcase, classes_are_set_and_removed);
    tcase_add_test(tcase, wrong_changes_are_refused);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
