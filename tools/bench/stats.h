/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of many samples: quantiles of one run, and the spread of one figure over runs.
 *
 * Quantiles are samples that were seen (nearest rank), never a value between two: the tail is what
 * matters here, and nothing was ever measured between its last two samples.
 *
 * Ownership: nothing is kept. Threads: any.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stdint.h>

/* Microseconds. */
struct quantiles {
    double p50;
    double p99;
    double p999;
    double max;
};

struct spread {
    double median; /* of an even number: the mean of the two in the middle */
    double min;
    double max;
};

/* Sorts the samples (ns). No sample: all zeroes. */
struct quantiles quantiles_of(uint64_t *samples_ns, uint32_t count);
/* Sorts the values. No value: all zeroes. */
struct spread spread_of(double *values, uint32_t count);

#endif
