/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a figure that was written is XML, and what is in it.
 *
 * Ownership: `text` is allocated, by open_memstream, and freed by the test. Threads: one.
 */
#ifndef TESTS_FIGURE_H
#define TESTS_FIGURE_H

#include <check.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 16u
#define NAME  32u

static char *text; /* the figure */
static size_t length;

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

#endif
