/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer of metrics as text: OpenMetrics 1.0, or the older text format 0.0.4 of Prometheus, from
 * the same calls. The two differ in how a counter's family is called, and in what is said of units
 * and of the end.
 *
 *     openmetrics_family(&text, &(struct openmetrics_family){
 *         .name = "saddle_engine_runs", .type = OPENMETRICS_COUNTER, .help = "Runs of the
 * engine."}); openmetrics_count(&text, runs, "engine", name, NULL);
 *
 * Names are without "_total" and "_info": the writer puts that behind where it belongs.
 *
 * Ownership: the text is the writer's until openmetrics_fini. Threads: one at a time. Trust:
 * labels' values may be any text; names are ours, and what is no letter, digit or '_' in one
 * becomes '_'.
 */
#ifndef CONTROL_OPENMETRICS_H
#define CONTROL_OPENMETRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPENMETRICS_BYTES_MAX  (2u << 20) /* of one text: a longer one is given up */
#define OPENMETRICS_NAME_BYTES 128u       /* of a family's name, with the final NUL */

enum openmetrics_format {
    OPENMETRICS_1_0,   /* application/openmetrics-text; version=1.0.0 */
    OPENMETRICS_0_0_4, /* text/plain; version=0.0.4 */
};

enum openmetrics_type {
    OPENMETRICS_GAUGE,   /* goes up and down */
    OPENMETRICS_COUNTER, /* only grows, until the daemon ends */
    OPENMETRICS_INFO,    /* always 1: its labels say it */
    OPENMETRICS_HISTOGRAM,
};

struct openmetrics_family {
    const char *prefix; /* before the name; NULL: nothing */
    const char *name;
    enum openmetrics_type type;
    const char *unit; /* the name ends with it: "seconds", "bytes"; NULL: none */
    const char *help; /* a sentence */
};

struct openmetrics {
    enum openmetrics_format format;
    char *text;
    size_t length, room;
    bool failed; /* it did not fit */
    enum openmetrics_type type;
    char name[OPENMETRICS_NAME_BYTES]; /* of the family's samples */
};

void openmetrics_init(struct openmetrics *metrics, enum openmetrics_format format);
/* Samples that follow are of this family. */
void openmetrics_family(struct openmetrics *metrics, const struct openmetrics_family *family);
/* A sample, with names and values of labels in turn, ended by NULL. */
void openmetrics_count(struct openmetrics *metrics, uint64_t value, ...) __attribute__((sentinel));
/* The same for a time, which becomes seconds. */
void openmetrics_time(struct openmetrics *metrics, uint64_t ns, ...) __attribute__((sentinel));
/* A histogram of times: how many were at most so long, at `count` bounds that rise, and of all of
 * them how many there were and their sum. Labels as above; "le" is added. */
struct openmetrics_bucket {
    uint64_t at_most_ns, count;
};
void openmetrics_histogram(struct openmetrics *metrics, const struct openmetrics_bucket *buckets,
                           uint32_t count, uint64_t all, uint64_t sum_ns, ...)
    __attribute__((sentinel));
/* The whole text; NULL if it was too long, or memory was short. */
const char *openmetrics_end(struct openmetrics *metrics, size_t *length);
void openmetrics_fini(struct openmetrics *metrics);

#endif
