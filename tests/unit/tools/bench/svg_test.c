/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/svg.h"

#include <check.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 16u
#define NAME  32u

static char *text;
static size_t length;

static void write_figure(const char *title, const struct svg_row *rows, uint32_t count)
{
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(svg_write(out, title, rows, count), 0);
    fclose(out);
}

static uint32_t count_of(const char *word)
{
    uint32_t count = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        count++;
    return count;
}

/* A tag's attributes: name="value" each, where no value has a quote or an angle. Returns where
 * they end. */
static const char *skip_attributes(const char *at)
{
    while (*at == ' ') {
        while (*at == ' ')
            at++;
        ck_assert_msg(isalpha((unsigned char)*at), "an attribute's name at %.20s", at);
        at += strcspn(at, "=<>");
        ck_assert_msg(at[0] == '=' && at[1] == '"', "an attribute's value at %.20s", at);
        at += 2 + strcspn(at + 2, "\"<>");
        ck_assert_msg(*at == '"', "an attribute's end at %.20s", at);
        at++;
    }
    return at;
}

/* Text between tags: no angle by itself, and of the ampersands only those of an entity. */
static const char *skip_text(const char *at)
{
    for (; *at && *at != '<'; at++) {
        ck_assert_msg(*at != '>', "an angle at %.20s", at);
        ck_assert_msg(*at == '\n' || (unsigned char)*at >= ' ', "a control character");
        if (*at == '&')
            ck_assert(!strncmp(at, "&amp;", 5) || !strncmp(at, "&lt;", 4) ||
                      !strncmp(at, "&gt;", 4));
    }
    return at;
}

/* As XML has it: tags nest and are closed, there is one root, attributes are quoted. */
static void expect_well_formed(void)
{
    char open[DEPTH][NAME];
    uint32_t depth = 0, roots = 0;
    const char *at = text;
    ck_assert(strncmp(at, "<?xml ", 6) == 0);
    at = strstr(at, "?>") + 2;
    while (*(at = skip_text(at))) {
        bool closing = at[1] == '/';
        const char *name = at + 1 + closing;
        size_t len = strcspn(name, " />");
        ck_assert(len > 0 && len < NAME);
        at = closing ? name + len : skip_attributes(name + len);
        if (closing) {
            ck_assert_uint_gt(depth, 0);
            depth--;
            ck_assert_msg(strlen(open[depth]) == len && !strncmp(open[depth], name, len),
                          "%s is closed by %.20s", open[depth], name);
        } else {
            roots += depth == 0;
        }
        if (!closing && *at != '/') {
            ck_assert_uint_lt(depth, DEPTH);
            snprintf(open[depth++], NAME, "%.*s", (int)len, name);
        }
        at += *at == '/';
        ck_assert_msg(*at == '>', "a tag's end at %.20s", at);
        at++;
    }
    ck_assert_uint_eq(depth, 0);
    ck_assert_uint_eq(roots, 1);
}

static const struct svg_row rows[] = {
    {"Idle", "ordinary", NULL, 5, 20, 40, 30, 90},
    {"Idle", "nice", NULL, 4, 10, 20, 10, 30},
    {"Busy", "ordinary", NULL, 70, 113, 7884, 5000, 12000},
    {"Busy", "deadline", "not to be had", 0, 0, 0, 0, 0},
};

START_TEST(figure_is_well_formed)
{
    write_figure("Delays", rows, 4);
    expect_well_formed();
    ck_assert_uint_eq(count_of("class=\"panel\""), 2);
    ck_assert_uint_eq(count_of("class=\"label\""), 4);
    ck_assert_uint_eq(count_of("class=\"note\""), 1);
    ck_assert_uint_eq(count_of("<rect "), 3);
    /* From 1 us to 100 ms, in both panels. */
    ck_assert_uint_eq(count_of(">1 us<"), 2);
    ck_assert_uint_eq(count_of(">100 ms<"), 2);
    ck_assert_uint_eq(count_of(">1 s<"), 0);
    free(text);
}
END_TEST

START_TEST(words_are_escaped)
{
    const struct svg_row row = {"a<b", "\"c\" & d\x01>", NULL, 1, 2, 3, 3, 3};
    write_figure("</svg>", &row, 1);
    expect_well_formed();
    ck_assert_uint_eq(count_of("a&lt;b"), 1);
    ck_assert_uint_eq(count_of("\"c\" &amp; d &gt;"), 1);
    free(text);
}
END_TEST

START_TEST(nothing_to_draw)
{
    const struct svg_row none = {"Idle", "fifo", "not to be had", 0, 0, 0, 0, 0};
    const struct svg_row zero = {"Idle", "fifo", NULL, 0, 0, 0, 0, 0};
    write_figure("Nothing", NULL, 0);
    expect_well_formed();
    free(text);
    write_figure("Refused", &none, 1);
    expect_well_formed();
    free(text);
    write_figure("At once", &zero, 1);
    expect_well_formed();
    ck_assert_uint_eq(count_of("nan"), 0);
    ck_assert_uint_eq(count_of("inf"), 0);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/svg");
    TCase *tests = tcase_create("svg");
    tcase_add_test(tests, figure_is_well_formed);
    tcase_add_test(tests, words_are_escaped);
    tcase_add_test(tests, nothing_to_draw);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
