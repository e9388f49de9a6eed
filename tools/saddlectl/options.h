/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The options, from one table: parsed, explained, and completed. */
#ifndef TOOLS_SADDLECTL_OPTIONS_H
#define TOOLS_SADDLECTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_GIVEN_MAX 300u /* of those that some command has; more than there may be groups */

struct options {
    const char *socket;
    const char *server; /* HOST:PORT; NULL: the socket */
    const char *certificate, *key, *authority;
    const char *completion; /* of which shell; NULL: none is wanted */
    const char *output;     /* of a report; NULL: a name is made */
    double timeout_s;
    double watch_s; /* 0: once */
    bool json;
    bool anonymous;
    bool no_header;
    struct option_given {
        const char *name, *value;
    } given[OPTIONS_GIVEN_MAX]; /* those that some command has, in their order */
    uint32_t given_count;
};

struct option_entry {
    const char *name, *argument, *help; /* argument NULL: it takes none */
    int value;
    bool optional; /* the argument, which then follows a "=" */
};

extern const struct option_entry option_entries[];
extern const uint32_t option_count;

/* Where the command begins, or -1 after a complaint. --help and --version end the program. */
int options_parse(struct options *options, int argc, char **argv);
void options_help(FILE *stream);

/* Complains about how the program was called, and ends it. */
void options_wrong(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
