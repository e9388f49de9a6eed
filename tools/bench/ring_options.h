/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of `saddle-bench ring` and `wire`, which have the same options, but that not all
 * are of both. What is wrong with it goes to standard error, as one line.
 *
 * Ownership: the caller's struct, which points into argv. Threads: one; getopt has a state.
 */
#ifndef BENCH_RING_OPTIONS_H
#define BENCH_RING_OPTIONS_H

#include "tools/bench/ring_plan.h"

#define RING_PATTERNS_MAX 64u

struct ring_options {
    const char *saddled;
    const char *json; /* NULL: none */
    const char *svg;  /* likewise */
    const char *patterns[RING_PATTERNS_MAX];
    uint32_t pattern_count;
    bool list;
    struct ring_settings settings;
};

enum ring_parsed { RING_PARSED, RING_PARSED_HELP, RING_PARSED_WRONG };

enum ring_parsed ring_options_read(struct ring_options *options, const struct ring_form *form,
                                   int argc, char **argv);
/* Leaves out the cases that are not meant; false if a name means none. */
bool ring_options_choose(const struct ring_options *options, const struct ring_form *form,
                         struct ring_outcome *outcomes, uint32_t count);

#endif
