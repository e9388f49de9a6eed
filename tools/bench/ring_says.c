/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_says.h"

#include <stdlib.h>
#include <string.h>

#define WAYS           2.0 /* latencies are of one way */
#define UCX_LATENCY    "50.0_percentile_lat"
#define UCX_RATE       "overall_mr"
#define PINGPONG_TITLE "usec/xfer"
#define BLANKS         " \t"
#define BITS_PER_BYTE  8.0
#define NSEC           1e9
#define USEC           1e6
#define PROCESSES      2.0 /* of such a program: both spin, whatever they wait for */

static void note_rate(double per_s, const struct ring_case *what, struct ring_result *result)
{
    double gbps = per_s * what->bytes * BITS_PER_BYTE / NSEC;
    result->values[RING_PER_S] = per_s;
    result->values[RING_GBPS] = gbps;
    result->values[RING_PER_CORE] = gbps / PROCESSES;
}

/* ---- ucx_perftest: a line of titles, and one of numbers, with commas between ---- */

static bool read_column(const char *text, const char *title, double *value)
{
    const char *found = strstr(text, title), *numbers = found ? strchr(found, '\n') : NULL;
    char *end;
    if (!numbers)
        return false;
    numbers++;
    for (const char *at = found; at > text && at[-1] != '\n'; at--) {
        if (at[-1] != ',')
            continue;
        numbers = strchr(numbers, ',');
        if (!numbers)
            return false;
        numbers++;
    }
    *value = strtod(numbers, &end);
    return end != numbers && strchr(",\n", *end) && *value > 0;
}

bool ring_says_ucx(const char *text, const struct ring_case *what, struct ring_result *result)
{
    double value;
    if (what->work == RING_TRIPS) {
        if (!read_column(text, UCX_LATENCY, &value))
            return false;
        result->values[RING_P50] = WAYS * value;
        return true;
    }
    if (!read_column(text, UCX_RATE, &value))
        return false;
    note_rate(value, what, result);
    return true;
}

/* ---- fi_pingpong: the same in columns ---- */

/* The word of a line that has so many before it; NULL: it has fewer words. */
static const char *word_at(const char *line, size_t before)
{
    const char *word = line + strspn(line, BLANKS);
    for (; before > 0 && *word && *word != '\n'; before--) {
        word += strcspn(word, BLANKS "\n");
        word += strspn(word, BLANKS);
    }
    return *word && *word != '\n' ? word : NULL;
}

static bool read_pingpong(const char *text, double *one_way_us)
{
    const char *title = strstr(text, PINGPONG_TITLE), *head = title, *line, *value = NULL;
    size_t before = 0;
    char *end;
    if (!title || !(line = strchr(title, '\n')))
        return false;
    while (head > text && head[-1] != '\n')
        head--;
    while (word_at(head, before) && word_at(head, before) < title)
        before++;
    value = word_at(line + 1, before);
    if (!value)
        return false;
    *one_way_us = strtod(value, &end);
    return end != value && strchr(BLANKS "\n", *end) && *one_way_us > 0;
}

bool ring_says_pingpong(const char *text, const struct ring_case *what, struct ring_result *result)
{
    double one_way_us;
    if (!read_pingpong(text, &one_way_us))
        return false;
    if (what->work == RING_TRIPS)
        result->values[RING_MEAN] = WAYS * one_way_us;
    else
        note_rate(USEC / one_way_us, what, result);
    return true;
}
