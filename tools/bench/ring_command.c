/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_command.h"

#include "tools/bench/ring_chart.h"
#include "tools/bench/ring_options.h"
#include "tools/bench/ring_report.h"
#include "tools/bench/ring_rounds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

/* ---- What is written ---- */

/* Before anything is measured: a wrong path is to be known then. NULL: there is none to be opened,
 * or it cannot be, and *rc says so. */
static FILE *open_file(const char *path, int *rc)
{
    if (!path || *rc)
        return NULL;
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (!file) {
        *rc = -errno;
        fprintf(stderr, "saddle-bench: %s: %s\n", path, strerror(errno));
    }
    return file;
}

static int close_file(FILE *file, const char *path, int rc)
{
    if (!file || file == stdout)
        return rc;
    if (fclose(file) && !rc) {
        rc = -errno;
        fprintf(stderr, "saddle-bench: %s: %s\n", path, strerror(errno));
    }
    if (rc)
        remove(path);
    return rc;
}

static int write_all(const struct ring_rounds *rounds, FILE *json, FILE *svg)
{
    const struct ring_form *form = rounds->command->form;
    int rc = 0;
    if (json != stdout && svg != stdout)
        rc = ring_write_table(stdout, form, rounds->settings, rounds->outcomes, rounds->count);
    if (json && !rc)
        rc = ring_write_json(json, form, rounds->settings, rounds->outcomes, rounds->count);
    if (svg && !rc)
        rc = ring_chart_write(svg, form, rounds->settings, rounds->outcomes, rounds->count);
    if (fflush(stdout) && !rc)
        rc = -errno;
    if (rc)
        fprintf(stderr, "saddle-bench: writing: %s\n", strerror(-rc));
    return rc;
}

/* ---- One run ---- */

static int prepare(struct ring_rounds *rounds, const char *saddled)
{
    int rc = ring_rounds_open(rounds);
    if (rc == -ENODEV) {
        fprintf(stderr, "saddle-bench: %s takes two processors, and this process may use one\n",
                rounds->command->form->name);
        return rc;
    }
    if (!rc)
        rc = rounds->command->open(saddled);
    if (rc)
        fprintf(stderr, "saddle-bench: preparing: %s\n", strerror(-rc));
    return rc;
}

static int run(struct ring_rounds *rounds, const struct ring_options *options)
{
    int rc = 0;
    FILE *json = open_file(options->json, &rc), *svg = open_file(options->svg, &rc);
    if (!rc) {
        rc = prepare(rounds, options->saddled);
        if (!rc)
            rc = ring_rounds_measure(rounds);
        rounds->command->close();
    }
    if (!rc)
        rc = write_all(rounds, json, svg);
    rc = close_file(json, options->json, rc);
    return close_file(svg, options->svg, rc) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int list(const struct ring_rounds *rounds)
{
    for (uint32_t i = 0; i < rounds->count; i++)
        if (!rounds->outcomes[i].left_out)
            puts(rounds->outcomes[i].what.name);
    return EXIT_SUCCESS;
}

static int start(const struct ring_command *command, const struct ring_options *options)
{
    struct ring_rounds rounds = {.command = command, .settings = &options->settings};
    int status = EXIT_USAGE;
    rounds.outcomes = calloc(RING_CASES_MAX, sizeof(*rounds.outcomes));
    if (!rounds.outcomes) {
        fputs("saddle-bench: no memory\n", stderr);
        return EXIT_FAILURE;
    }
    rounds.count = command->plan(&options->settings, rounds.outcomes);
    if (ring_options_choose(options, command->form, rounds.outcomes, rounds.count)) {
        if (options->list)
            status = list(&rounds);
        else if (!command->permits || command->permits(rounds.outcomes, rounds.count))
            status = run(&rounds, options);
    }
    free(rounds.outcomes);
    return status;
}

int ring_run(const struct ring_command *command, int argc, char **argv)
{
    struct ring_options options;
    switch (ring_options_read(&options, command->form, argc, argv)) {
    case RING_PARSED:
        return start(command, &options);
    case RING_PARSED_HELP:
        command->usage(stdout);
        return EXIT_SUCCESS;
    default:
        return EXIT_USAGE;
    }
}
