/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define UNITS_OF_KIND_MAX 4u
#define DECIMAL           10u
#define OCTAL             8u
#define FRACTION_MAX      1000000000u /* nine digits after the point */

struct unit {
    const char *name;
    uint64_t scale;
};

/* From small to large. */
static const struct unit units[][UNITS_OF_KIND_MAX] = {
    [UNITS_COUNT] = {{"", 1}},
    [UNITS_BYTES] = {{"B", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}},
    [UNITS_DURATION] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}},
    [UNITS_SHARE] = {{"%", 10000}},
    [UNITS_MODE] = {{"", 1}},
    [UNITS_RATE] = {{"bit", 1}, {"kbit", 1000}, {"Mbit", 1000000}, {"Gbit", 1000000000}},
};

static const char *const names[] = {
    [UNITS_COUNT] = "none",
    [UNITS_BYTES] = "B, KiB, MiB, GiB",
    [UNITS_DURATION] = "ns, us, ms, s",
    [UNITS_SHARE] = "%",
    [UNITS_MODE] = "none",
    [UNITS_RATE] = "bit, kbit, Mbit, Gbit",
};

/* Reads digits; returns how many, or -1 when they overflow. */
static int digits(const char **text, unsigned base, uint64_t *value)
{
    int count = 0;

    *value = 0;
    for (; **text >= '0' && (unsigned)(**text - '0') < base; (*text)++, count++) {
        if (__builtin_mul_overflow(*value, base, value) ||
            __builtin_add_overflow(*value, (uint64_t)(**text - '0'), value))
            return -1;
    }
    return count;
}

static const struct unit *find_unit(enum units_kind kind, const char *name)
{
    for (uint32_t i = 0; i < UNITS_OF_KIND_MAX && units[kind][i].name; i++) {
        if (!strcmp(units[kind][i].name, name))
            return &units[kind][i];
    }
    return NULL;
}

static int parse_mode(const char *text, uint64_t *value)
{
    if (text[0] != '0' || digits(&text, OCTAL, value) < 1 || *text)
        return -EINVAL;
    return 0;
}

static int parse_fraction(const char **text, uint64_t *fraction, uint64_t *divisor)
{
    int count;

    *fraction = 0;
    *divisor = 1;
    if (**text != '.')
        return 0;
    (*text)++;
    count = digits(text, DECIMAL, fraction);
    if (count == 0)
        return -EINVAL;
    if (count < 0 || *fraction >= FRACTION_MAX)
        return -ERANGE;
    for (; count > 0; count--) {
        if (*divisor >= FRACTION_MAX)
            return -ERANGE;
        *divisor *= DECIMAL;
    }
    return 0;
}

int units_parse(enum units_kind kind, const char *text, uint64_t *value)
{
    uint64_t whole, fraction, divisor;
    const struct unit *unit;
    int error, count;

    if (kind == UNITS_MODE)
        return parse_mode(text, value);
    count = digits(&text, DECIMAL, &whole);
    if (count == 0)
        return -EINVAL;
    error = count < 0 ? -ERANGE : parse_fraction(&text, &fraction, &divisor);
    if (error)
        return error;
    while (*text == ' ')
        text++;
    unit = find_unit(kind, text);
    if (!unit && (*text || whole || fraction))
        return -ENOMSG;
    if (!unit)
        unit = &units[kind][0];
    if (fraction * unit->scale % divisor || __builtin_mul_overflow(whole, unit->scale, value) ||
        __builtin_add_overflow(*value, fraction * unit->scale / divisor, value))
        return -ERANGE;
    return 0;
}

const char *units_format(enum units_kind kind, uint64_t value, char text[UNITS_TEXT_BYTES])
{
    const struct unit *best = &units[kind][0];

    if (kind == UNITS_MODE) {
        snprintf(text, UNITS_TEXT_BYTES, "0%03llo", (unsigned long long)value);
        return text;
    }
    for (uint32_t i = 0; i < UNITS_OF_KIND_MAX && units[kind][i].name; i++) {
        if (value % units[kind][i].scale == 0 && value >= units[kind][i].scale)
            best = &units[kind][i];
    }
    if (value % best->scale == 0)
        snprintf(text, UNITS_TEXT_BYTES, "%llu%s", (unsigned long long)(value / best->scale),
                 best->name);
    else
        snprintf(text, UNITS_TEXT_BYTES, "%llu.%04llu%s", (unsigned long long)(value / best->scale),
                 (unsigned long long)(value % best->scale), best->name);
    return text;
}

const char *units_names(enum units_kind kind)
{
    return names[kind];
}
