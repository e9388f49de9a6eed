/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/fabric_scene.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NONE_WINDOW  256u /* packets: all that a flow may have in flight */
#define SERIES_FIRST 1024u

void scene_expect(struct scene *scene, bool met, const char *format, ...)
{
    scene->expected++;
    if (met)
        return;
    scene->failed++;
    va_list list;
    va_start(list, format);
    printf("NOT MET: ");
    vprintf(format, list);
    printf("\n");
    va_end(list);
}

static void none_init(void *state, const struct cc_params *params, uint64_t now)
{
    (void)state;
    (void)params;
    (void)now;
}

static void none_acked(void *state, const struct cc_ack *ack)
{
    (void)state;
    (void)ack;
}

static void none_lost(void *state, uint64_t now)
{
    (void)state;
    (void)now;
}

static uint32_t none_window(const void *state)
{
    (void)state;
    return NONE_WINDOW;
}

static uint64_t none_gap_ns(const void *state)
{
    (void)state;
    return 0;
}

const struct cc_ops cc_none = {
    .name = "none",
    .init = none_init,
    .acked = none_acked,
    .lost = none_lost,
    .timed_out = none_lost,
    .window = none_window,
    .gap_ns = none_gap_ns,
};

void series_add(struct series *series, uint64_t value)
{
    if (series->count == series->room) {
        series->room = RTE_MAX(2 * series->room, SERIES_FIRST);
        series->values = realloc(series->values, series->room * sizeof(series->values[0]));
        if (!series->values)
            abort();
    }
    series->values[series->count++] = value;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

void series_sort(struct series *series)
{
    qsort(series->values, series->count, sizeof(series->values[0]), compare);
}

uint64_t series_part(const struct series *series, uint32_t share)
{
    return series->values[(uint64_t)(series->count - 1) * share / 1000];
}

uint64_t series_mean(const struct series *series)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < series->count; i++)
        sum += series->values[i];
    return sum / series->count;
}

void series_free(struct series *series)
{
    free(series->values);
    *series = (struct series){0};
}
