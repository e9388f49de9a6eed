/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws delays as plain SVG: a row for each thing measured, on a logarithmic axis of microseconds,
 * in panels under titles of their own.
 *
 * A row is a bar from the median to the 99.9th percentile with a mark at each of the quantiles, and
 * a line for how far the last one went up and down between runs. There is no background, and every
 * colour stands out against white and black alike.
 *
 * Ownership: rows are borrowed. Threads: any.
 */
#ifndef BENCH_SVG_H
#define BENCH_SVG_H

#include <stdint.h>
#include <stdio.h>

struct svg_row {
    const char *panel; /* rows of a panel follow each other */
    const char *label;
    const char *note; /* instead of a bar; NULL: there are figures */
    /* Microseconds, medians over runs. */
    double p50;
    double p99;
    double p999;
    /* Of the last one, over runs. */
    double p999_min;
    double p999_max;
};

/* 0 or a negative errno. */
int svg_write(FILE *out, const char *title, const struct svg_row *rows, uint32_t count);

#endif
