/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws figures that depend on a size or a number as plain SVG: panels one above the other, each
 * with lines on logarithmic axes, and at each point how far it went up and down between runs.
 *
 * Ownership: all is borrowed. Threads: any.
 */
#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct chart_point {
    double x;           /* above 0 */
    double y, min, max; /* of all runs; a point whose y is 0 is left out */
};

struct chart_line {
    const char *label;
    const struct chart_point *points; /* by x, the least first */
    uint32_t count;
};

struct chart_panel {
    const char *title, *x_title;
    bool bytes; /* what x is; else a number */
    const struct chart_line *lines;
    uint32_t line_count;
};

/* 0 or a negative errno. */
int chart_write(FILE *out, const char *title, const struct chart_panel *panels, uint32_t count);

#endif
