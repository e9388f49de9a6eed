/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs of others say of a case that they have measured, and what that is of ours.
 *
 * Ownership: all is borrowed. Threads: any.
 */
#ifndef BENCH_RING_SAYS_H
#define BENCH_RING_SAYS_H

#include "tools/bench/ring_plan.h"

/* Each fills in the result's values; false: it says nothing of that. */

/* ucx_perftest, in CSV: of RING_TRIPS twice the median of one way, us; else how many a second. */
bool ring_says_ucx(const char *text, const struct ring_case *what, struct ring_result *result);
/* fi_pingpong, in a table: the mean of one way, us, which is rounded to 10 ns there. Of RING_TRIPS
 * twice that; else how many a second there are one after the other. */
bool ring_says_pingpong(const char *text, const struct ring_case *what, struct ring_result *result);

#endif
