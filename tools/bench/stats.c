/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/stats.h"

#include <stdlib.h>

#define NS_PER_US  1e3
#define PER_MILLE  1000u
#define MILLE_P50  500u
#define MILLE_P99  990u
#define MILLE_P999 999u

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The smallest sample that at least `mille` of a thousand do not exceed. */
static double rank(const uint64_t *sorted_ns, uint32_t count, uint32_t mille)
{
    uint64_t at = ((uint64_t)count * mille + PER_MILLE - 1) / PER_MILLE;
    return (double)sorted_ns[at ? at - 1 : 0] / NS_PER_US;
}

struct quantiles quantiles_of(uint64_t *samples_ns, uint32_t count)
{
    if (!count)
        return (struct quantiles){0};
    qsort(samples_ns, count, sizeof(samples_ns[0]), by_time);
    return (struct quantiles){.p50 = rank(samples_ns, count, MILLE_P50),
                              .p99 = rank(samples_ns, count, MILLE_P99),
                              .p999 = rank(samples_ns, count, MILLE_P999),
                              .max = rank(samples_ns, count, PER_MILLE)};
}

struct spread spread_of(double *values, uint32_t count)
{
    if (!count)
        return (struct spread){0};
    qsort(values, count, sizeof(values[0]), by_value);
    double above = values[count / 2], below = values[(count - 1) / 2];
    return (
        struct spread){.median = (below + above) / 2, .min = values[0], .max = values[count - 1]};
}
