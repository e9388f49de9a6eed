/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws the sweeps of `saddle-bench ring`: rates by size, with a line for each window, and by
 * window, with a line for each size, and round trips by size; and rates by batch, sessions and
 * flows.
 *
 * Ownership: all is borrowed. Threads: any.
 */
#ifndef BENCH_RING_CHART_H
#define BENCH_RING_CHART_H

#include "tools/bench/ring_plan.h"

#include <stdio.h>

/* Of those outcomes that are a sweep's, and were measured. 0 or a negative errno. */
int ring_chart_write(FILE *out, const struct ring_form *form, const struct ring_settings *settings,
                     const struct ring_outcome *outcomes, uint32_t count);

#endif
