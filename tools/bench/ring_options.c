/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_options.h"

#include "tools/bench/bench.h"
#include "tools/bench/fleet.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_DEFAULT 1.0
#define RUNS_DEFAULT    5u /* an odd number has a middle */
#define SECONDS_QUICK   0.05
#define RUNS_QUICK      1u
#define WRONG_BYTES     128u

static bool parse_seconds(const char *text, double *value)
{
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (!errno && end != text && !*end && *value >= RING_SECONDS_MIN && *value <= RING_SECONDS_MAX)
        return true;
    fprintf(stderr, "saddle-bench: --seconds: '%s' is not a number from %g to %g\n", text,
            RING_SECONDS_MIN, RING_SECONDS_MAX);
    return false;
}

/* Numbers with commas between; or one, if there is room for one. */
static bool parse_list(const char *name, const char *text, uint32_t min, uint32_t max,
                       uint32_t numbers[RING_LIST_MAX], uint32_t *count)
{
    char wrong[WRONG_BYTES];
    *count = ring_parse_list(text, min, max, numbers, wrong, sizeof(wrong));
    if (*count == 0)
        fprintf(stderr, "saddle-bench: %s: %s\n", name, wrong);
    return *count > 0;
}

static bool parse_runs(const char *text, uint32_t *runs)
{
    uint32_t numbers[RING_LIST_MAX], count;
    if (!parse_list("--runs", text, 1, RING_RUNS_MAX, numbers, &count))
        return false;
    *runs = numbers[0];
    if (count > 1)
        fprintf(stderr, "saddle-bench: --runs: '%s' is more than one number\n", text);
    return count == 1;
}

static bool add_pattern(struct ring_options *options, const char *pattern)
{
    if (options->pattern_count < RING_PATTERNS_MAX) {
        options->patterns[options->pattern_count++] = pattern;
        return true;
    }
    fprintf(stderr, "saddle-bench: more than %u times --case\n", RING_PATTERNS_MAX);
    return false;
}

/* The name of an option that is for sweeps, else NULL. */
static const char *sweep_option(int option)
{
    static const struct {
        int option;
        const char *name;
    } options[] = {{'b', "sizes"},    {'w', "windows"}, {'t', "batches"},
                   {'n', "sessions"}, {'f', "flows"},   {'v', "svg"}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (options[i].option == option)
            return options[i].name;
    return NULL;
}

static bool take_option(const struct ring_form *form, struct ring_options *options, int option)
{
    struct ring_settings *s = &options->settings;
    const char *of_sweep = sweep_option(option);
    if (of_sweep && !form->has_sweep) {
        fprintf(stderr, "saddle-bench: %s has no --%s\n", form->name, of_sweep);
        return false;
    }
    switch (option) {
    case 'j':
        options->json = optarg;
        return true;
    case 'v':
        options->svg = optarg;
        return true;
    case 'd':
        options->saddled = optarg;
        return true;
    case 'l':
        options->list = true;
        return true;
    case 'q':
        s->seconds = SECONDS_QUICK;
        s->runs = RUNS_QUICK;
        return true;
    case 's':
        return parse_seconds(optarg, &s->seconds);
    case 'r':
        return parse_runs(optarg, &s->runs);
    case 'b':
        return parse_list("--sizes", optarg, RING_BYTES_MIN, RING_BYTES_MAX, s->sizes,
                          &s->size_count);
    case 'w':
        return parse_list("--windows", optarg, 1, RING_WINDOW_MAX, s->windows, &s->window_count);
    case 't':
        return parse_list("--batches", optarg, 1, RING_WINDOW_SMALL, s->batches, &s->batch_count);
    case 'n':
        return parse_list("--sessions", optarg, 1, RING_SESSIONS, s->sessions, &s->session_count);
    case 'f':
        return parse_list("--flows", optarg, 1, FLEET_FLOWS, s->flows, &s->flow_count);
    case 'c':
        return add_pattern(options, optarg);
    default:
        return false; /* getopt has said why */
    }
}

/* Whether there is something for each file, and a file for each thing. */
static bool is_whole(const struct ring_options *options)
{
    const struct ring_settings *s = &options->settings;
    if (options->svg &&
        s->size_count + s->window_count + s->batch_count + s->session_count + s->flow_count == 0) {
        fputs("saddle-bench: --svg draws what --sizes, --windows, --batches, --sessions or --flows "
              "ask for\n",
              stderr);
        return false;
    }
    if (options->svg && options->json && strcmp(options->svg, "-") == 0 &&
        strcmp(options->json, "-") == 0) {
        fputs("saddle-bench: --json and --svg cannot both be -\n", stderr);
        return false;
    }
    return true;
}

enum ring_parsed ring_options_read(struct ring_options *options, const struct ring_form *form,
                                   int argc, char **argv)
{
    static const struct option longs[] = {
        {"json", required_argument, 0, 'j'},
        {"svg", required_argument, 0, 'v'},
        {"seconds", required_argument, 0, 's'},
        {"runs", required_argument, 0, 'r'},
        {"quick", no_argument, 0, 'q'},
        {"sizes", required_argument, 0, 'b'},
        {"windows", required_argument, 0, 'w'},
        {"batches", required_argument, 0, 't'},
        {"sessions", required_argument, 0, 'n'},
        {"flows", required_argument, 0, 'f'},
        {"case", required_argument, 0, 'c'},
        {"list", no_argument, 0, 'l'},
        {"saddled", required_argument, 0, 'd'},
        {"help", no_argument, 0, 'h'},
        {0, 0, 0, 0},
    };
    int option;
    *options =
        (struct ring_options){.saddled = SADDLED_PROGRAM,
                              .settings = {.seconds = SECONDS_DEFAULT, .runs = RUNS_DEFAULT}};
    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (option == 'h')
            return RING_PARSED_HELP;
        if (!take_option(form, options, option))
            return RING_PARSED_WRONG;
    }
    if (optind < argc) {
        fprintf(stderr, "saddle-bench: '%s' is not an option\n", argv[optind]);
        return RING_PARSED_WRONG;
    }
    return is_whole(options) ? RING_PARSED : RING_PARSED_WRONG;
}

bool ring_options_choose(const struct ring_options *options, const struct ring_form *form,
                         struct ring_outcome *outcomes, uint32_t count)
{
    bool used[RING_PATTERNS_MAX] = {false};
    for (uint32_t i = 0; i < count && options->pattern_count > 0; i++) {
        outcomes[i].left_out = true;
        for (uint32_t p = 0; p < options->pattern_count; p++)
            if (ring_matches(&outcomes[i].what, options->patterns[p])) {
                outcomes[i].left_out = false;
                used[p] = true;
            }
    }
    for (uint32_t p = 0; p < options->pattern_count; p++) {
        if (used[p])
            continue;
        fprintf(stderr, "saddle-bench: no case '%s' (see %s --list)\n", options->patterns[p],
                form->name);
        return false;
    }
    return true;
}
